"""Controls inside a page that scrolls: the wheel scrolls the page, unless a control was chosen first."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, Qt
from PySide6.QtWidgets import QWidget


class CalmWheel(QObject):
    """Keeps the wheel from changing a control that merely passes under the pointer."""

    def __init__(self, *widgets: QWidget) -> None:
        """Belongs to the first of the widgets."""
        super().__init__(widgets[0])
        for widget in widgets:
            widget.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
            widget.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Pass the wheel on to the page."""
        if event.type() == QEvent.Type.Wheel and isinstance(watched, QWidget) and not watched.hasFocus():
            event.ignore()
            return True
        return False
