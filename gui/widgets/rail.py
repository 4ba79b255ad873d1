"""The narrow rail at the left: one button a page, and the looks at its foot."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QButtonGroup, QMenu, QSizePolicy, QToolButton, QVBoxLayout, QWidget

from gui.icons import icon
from gui.theme import SPACE, set_role

_WIDTH = 76


class Rail(QWidget):
    """Says which page is wanted."""

    chosen = Signal(str)
    """A page's name."""
    looks_chosen = Signal(str)
    """system, light or dark."""

    def __init__(self, places: Sequence[tuple[str, str, str]], parent: QWidget | None = None) -> None:
        """`places`: name, title and icon of each page, from top to bottom."""
        super().__init__(parent)
        self.setFixedWidth(_WIDTH)
        self._names = [name for name, _, _ in places]
        self._group = QButtonGroup(self)
        column = QVBoxLayout(self)
        column.setContentsMargins(SPACE.xs, SPACE.s, SPACE.xs, SPACE.s)
        column.setSpacing(SPACE.xs)
        for number, (name, title, drawing) in enumerate(places):
            keys = f"Ctrl+{number + 1}"
            button = self._button(title, drawing)
            button.setObjectName(f"rail-{name}")
            button.setCheckable(True)
            button.setShortcut(keys)
            button.setToolTip(f"{title} ({keys})")
            self._group.addButton(button, number)
            column.addWidget(button)
        self._group.idClicked.connect(self._on_clicked)
        column.addStretch()
        looks = self._button(self.tr("Looks"), "moon")
        looks.setObjectName("button-looks")
        looks.setToolTip(self.tr("Light or dark."))
        looks.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self._looks = self._looks_menu(looks)
        looks.setMenu(self._looks)
        column.addWidget(looks)

    def show_chosen(self, name: str) -> None:
        """Mark the page that is seen."""
        self._group.button(self._names.index(name)).setChecked(True)

    def show_looks(self, choice: str) -> None:
        """Mark the looks in use."""
        for action in self._looks.actions():
            action.setChecked(action.data() == choice)

    def _on_clicked(self, number: int) -> None:
        self.chosen.emit(self._names[number])

    def _on_looks(self, action: QAction) -> None:
        self.show_looks(action.data())
        self.looks_chosen.emit(action.data())

    def _looks_menu(self, parent: QWidget) -> QMenu:
        menu = QMenu(parent)
        choices = {"system": self.tr("As the system"), "light": self.tr("Light"), "dark": self.tr("Dark")}
        for choice, title in choices.items():
            action = QAction(title, menu)
            action.setCheckable(True)
            action.setData(choice)
            menu.addAction(action)
        menu.triggered.connect(self._on_looks)
        return menu

    def _button(self, title: str, drawing: str) -> QToolButton:
        button = QToolButton(self)
        button.setIcon(icon(drawing))
        button.setText(title)
        button.setAccessibleName(title)
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)  # a click brings the page, and the keys go there
        button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextUnderIcon)
        button.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        set_role(button, "rail")
        return button
