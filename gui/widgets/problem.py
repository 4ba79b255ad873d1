"""A problem as a card inside the page: what is wrong, what to do, and the button that does it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFrame, QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from core.errors import Fault
from gui.theme import SPACE, set_role
from gui.widgets.label import Label


class Action(NamedTuple):
    """A way on: a button of a card."""

    text: str
    act: Callable[[], object]
    tooltip: str = ""
    """One sentence: what it does."""


class ProblemCard(QFrame):
    """Stays until what it tells of is resolved; hidden while there is nothing to tell."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._rows = QVBoxLayout(self)
        self._rows.setContentsMargins(SPACE.m, SPACE.s, SPACE.m, SPACE.s)
        self._rows.setSpacing(SPACE.xs)
        self.hide()

    def show_faults(self, faults: Sequence[Fault]) -> None:
        """Tell of all of these; none hides the card."""
        self._clear()
        for fault in faults:
            self._add_text(fault.problem, fault.hint)
        self._reveal("bad", bool(faults), ". ".join(f"{fault.problem} {fault.hint}" for fault in faults))

    def show_warnings(self, texts: Sequence[str]) -> None:
        """Tell of what can be lived with; none hides the card."""
        self._clear()
        for text in texts:
            self._add_text(text, "")
        self._reveal("warn", bool(texts), " ".join(texts))

    def show_trouble(
        self, problem: str, hint: str, *actions: Action | tuple[str, Callable[[], object]], bad: bool = True
    ) -> None:
        """Tell of one thing, with a button for each way on."""
        self._clear()
        self._add_text(problem, hint)
        row = QHBoxLayout()
        for action in (Action(*action) for action in actions):
            button = QPushButton(action.text, self)
            button.setAccessibleName(action.text)
            button.setToolTip(action.tooltip)
            button.clicked.connect(lambda _=False, act=action.act: act())
            row.addWidget(button)
        row.addStretch()
        if actions:
            self._rows.addLayout(row)
        self._reveal("bad" if bad else "warn", True, f"{problem} {hint}")

    def _reveal(self, role: str, shown: bool, spoken: str) -> None:
        set_role(self, role)
        self.setAccessibleName(spoken)
        self.setVisible(shown)

    def _add_text(self, problem: str, hint: str) -> None:
        for text, role in ((problem, "strong"), (hint, "")):
            if text:
                label = Label(text, self)
                label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
                label.setWordWrap(True)
                label.setProperty("role", role)
                self._rows.addWidget(label)

    def _clear(self) -> None:
        while self._rows.count():
            _dispose(self._rows.takeAt(0))


def _dispose(item: object) -> None:
    layout = item.layout()  # type: ignore[attr-defined]
    while layout is not None and layout.count():
        _dispose(layout.takeAt(0))
    widget = item.widget()  # type: ignore[attr-defined]
    if widget is not None:
        widget.deleteLater()
