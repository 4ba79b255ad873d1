"""Sizes worth trying, as buttons in groups, each group with a word for what its sizes have in common."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QToolButton, QWidget

from gui.text import count
from gui.theme import SPACE, set_role
from gui.widgets.label import Label


@dataclass(frozen=True, slots=True)
class SizeGroup:
    """Sizes of one kind."""

    words: str
    """Before the sizes: what they are."""
    help: str
    """A sentence on them."""
    sizes: tuple[int, ...]


class SuggestedSizes(QWidget):
    """A row of sizes; the one that is set looks pressed."""

    chosen = Signal(int)

    def __init__(self, name: str, parent: QWidget) -> None:
        """`name`: what the sizes are of, for screen readers."""
        super().__init__(parent)
        self._name = name
        self._groups: tuple[SizeGroup, ...] = ()
        self._row = QHBoxLayout(self)
        self._row.setContentsMargins(0, 0, 0, 0)
        self._row.setSpacing(0)
        self.buttons: dict[int, QToolButton] = {}

    def set_groups(self, groups: Sequence[SizeGroup]) -> None:
        """Have these; a size that two groups hold stands in the first."""
        if tuple(groups) == self._groups:
            return
        self._groups = tuple(groups)
        while item := self._row.takeAt(0):
            if widget := item.widget():
                widget.hide()
                widget.deleteLater()
        self.buttons = {}
        for group in groups:
            label = Label(group.words, self)
            label.setToolTip(group.help)
            set_role(label, "small")
            self._row.addSpacing(SPACE.m if self.buttons else 0)
            self._row.addWidget(label)
            self._row.addSpacing(SPACE.xs)
            for size in group.sizes:
                if size not in self.buttons:
                    self._row.addWidget(self._button(size, group))
        self._row.addStretch()
        self.setVisible(bool(groups))

    def show_value(self, value: int) -> None:
        """Show which of them is set."""
        for size, button in self.buttons.items():
            button.setChecked(size == value)

    def _button(self, size: int, group: SizeGroup) -> QToolButton:
        button = QToolButton(self)
        button.setText(count(size))
        button.setCheckable(True)
        button.setToolTip(group.help)
        button.setAccessibleName(f"{self._name} {count(size)}, {group.words}")
        set_role(button, "flat")
        button.clicked.connect(lambda: self.chosen.emit(size))
        self.buttons[size] = button
        return button
