"""Files and folders dropped on a widget, or on anything in it."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QEvent, QMimeData, QObject, Signal
from PySide6.QtGui import QDropEvent
from PySide6.QtWidgets import QFrame, QLineEdit

from gui.theme import SIZE, theme


class DropArea(QObject):
    """Makes a card take files; it shows that it will while they are over it."""

    dropped = Signal(object)
    """The paths: a tuple of `Path`."""

    def __init__(self, card: QFrame) -> None:
        super().__init__(card)
        self._card = card
        card.setAcceptDrops(True)
        card.installEventFilter(self)

    def leave_to_card(self, *fields: QLineEdit) -> None:
        """Fields that would take a file's address as text: the card takes what is dropped on them."""
        for field in fields:
            field.setAcceptDrops(False)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Take files, leave all else."""
        if event.type() in (QEvent.Type.DragEnter, QEvent.Type.DragMove, QEvent.Type.Drop):
            assert isinstance(event, QDropEvent)
            paths = _local_paths(event.mimeData())
            if not paths:
                return False
            event.acceptProposedAction()
            self._show(event.type() != QEvent.Type.Drop)
            if event.type() == QEvent.Type.Drop:
                self.dropped.emit(paths)
            return True
        if event.type() == QEvent.Type.DragLeave:
            self._show(False)
        return False

    def _show(self, over: bool) -> None:
        line = f"2px dashed {theme().colors.accent}"
        style = f'QFrame[role="card"] {{ border: {line}; border-radius: {SIZE.radius}px; }}' if over else ""
        if self._card.styleSheet() != style:
            self._card.setStyleSheet(style)


def _local_paths(data: QMimeData) -> tuple[Path, ...]:
    return tuple(Path(url.toLocalFile()) for url in data.urls() if url.isLocalFile())
