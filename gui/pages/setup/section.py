"""A part of the set-up: a card with its number, its summary and what is wrong in it, that opens in place."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QPalette
from PySide6.QtWidgets import QFrame, QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from core.errors import Fault
from gui.draft import Draft
from gui.icons import icon
from gui.theme import SPACE, set_role, theme
from gui.widgets.elided import ElidedLabel
from gui.widgets.label import Label
from gui.widgets.problem import ProblemCard

if TYPE_CHECKING:  # it takes its labels from here
    from gui.pages.setup.fields import FieldControl

_MARK = 16


def merged(faults: Sequence[Fault]) -> list[Fault]:
    """Faults that one thing mends, told as one: those with the same hint."""
    by_hint: dict[str, list[str]] = {}
    for number, fault in enumerate(faults):
        by_hint.setdefault(fault.hint or f"\0{number}", []).append(fault.problem)
    return [Fault("\n".join(problems), "" if hint[0] == "\0" else hint) for hint, problems in by_hint.items()]


class Section(QFrame):
    """Subclasses fill `body` and say in `refresh` what the draft holds of theirs."""

    toggled = Signal(bool)
    """Opened, or closed."""
    next_wanted = Signal()
    judged = Signal()
    """What was typed into a field turned out to be wrong, or no longer is (see `wrong`)."""

    def __init__(self, number: str, name: str, draft: Draft, *, always_open: bool = False) -> None:
        """`name` is its key among the recipe's tables, and part of its object name."""
        super().__init__()
        self.draft = draft
        self.title = ""
        self._faults: tuple[Fault, ...] = ()
        self._calm = "none"  # its mark while nothing is wrong
        self.setObjectName(f"section-{name}")
        set_role(self, "card")
        self._mark = _Mark(self)
        self._summary = ElidedLabel(parent=self)
        self.problems = ProblemCard(self)
        self.button = QPushButton(self)
        self.button.setObjectName(f"button-open-{name}")
        self.button.clicked.connect(self._toggle)
        self.button.setVisible(not always_open)
        self.content = QWidget(self)
        self.body = QVBoxLayout(self.content)
        # Under the summary, as far in as it.
        self.body.setContentsMargins(0, 0, 0, SPACE.xs)
        self.body.setSpacing(SPACE.s)
        self.content.setVisible(always_open)

        header = QHBoxLayout()
        header.setSpacing(SPACE.s)
        numeral = Label(number, self)
        numeral.setFixedWidth(14)
        set_role(numeral, "note")
        self._title = Label(parent=self)
        self._title.setMinimumWidth(76)
        set_role(self._title, "strong")
        header.addWidget(numeral)
        header.addWidget(self._title)
        header.addWidget(self._mark)
        header.addWidget(self._summary, 1)
        header.addWidget(self.button)
        rows = QVBoxLayout(self)
        rows.setContentsMargins(SPACE.m, SPACE.xs, SPACE.m, SPACE.xs)
        rows.setSpacing(SPACE.s)
        rows.addLayout(header)
        rows.addWidget(self.problems)
        rows.addWidget(self.content)

    def add_under_problems(self, widget: QWidget) -> None:
        """Add what helps with its problems: shown with them, also where it is closed."""
        rows = self.layout()
        assert isinstance(rows, QVBoxLayout)
        rows.insertWidget(rows.indexOf(self.content), widget)

    def set_title(self, title: str) -> None:
        """Its name, in the user's language."""
        self.title = title
        self._title.setText(title)
        self.setAccessibleName(title)
        self._name_button()

    @property
    def summary(self) -> str:
        """What its line says."""
        return self._summary.text()

    @property
    def is_open(self) -> bool:
        """Whether its controls are shown."""
        return not self.content.isHidden()

    @property
    def is_ready(self) -> bool:
        """Whether what it is about is chosen."""
        return True

    @property
    def wrong(self) -> list[FieldControl]:
        """The fields that hold something that can't be used, and so isn't in the draft."""
        return []

    def open(self, opened: bool = True) -> None:
        """Show or hide its controls."""
        if opened != self.is_open:
            self.content.setVisible(opened)
            self._name_button()
            if opened:
                self.opened()
            self.toggled.emit(opened)

    def opened(self) -> None:
        """Its controls are shown: the moment to set the focus, or to look anew."""

    def refresh(self) -> None:
        """Show what the draft holds."""

    def end(self) -> None:
        """End what it has under way."""

    def set_summary(self, text: str, *, todo: bool = False, unchecked: bool = False) -> None:
        """What it holds in a line, or what is to do; `unchecked`: nobody knows yet whether it can be used."""
        if text != self._summary.text():
            self._summary.setText(text)
        set_role(self._summary, "note" if todo else "")
        self._calm = "none" if todo else "unchecked" if unchecked else "check"
        self._show_mark()
        self.setAccessibleDescription(text)
        self._name_button()

    def show_faults(self, faults: Sequence[Fault]) -> None:
        """Tell of what is wrong in it, until it is told anew."""
        if tuple(faults) != self._faults:
            self._faults = tuple(faults)
            self.problems.show_faults(merged(faults))
            self._show_mark()

    @property
    def faults(self) -> tuple[Fault, ...]:
        """What it tells of."""
        return self._faults

    @property
    def has_faults(self) -> bool:
        """Whether something is wrong in it."""
        return bool(self._faults)

    def focus_first(self) -> None:
        """Give the focus to its first control that can have it."""
        takes = (
            widget
            for widget in self.content.findChildren(QWidget)
            if widget.focusPolicy() & Qt.FocusPolicy.TabFocus
            and widget.isEnabled()
            and widget.isVisibleTo(self.content)
        )
        next(takes, self.button).setFocus()

    def add_next(self) -> None:
        """Add the button that goes on to the next part, at the body's end."""
        button = QPushButton(self.tr("Next"), self)
        button.setToolTip(self.tr("Close this part and go on to the next one."))
        button.clicked.connect(self.next_wanted)
        row = QHBoxLayout()
        row.addStretch()
        row.addWidget(button)
        self.body.addLayout(row)

    def _toggle(self) -> None:
        self.open(not self.is_open)

    def _show_mark(self) -> None:
        self._mark.show_state("warning" if self.has_faults else self._calm)

    def _name_button(self) -> None:
        text = self.tr("Close") if self.is_open else self.tr("Change") if self.is_ready else self.tr("Choose")
        self.button.setText(text)
        self.button.setAccessibleName(f"{text}: {self.title}")
        tooltip = self.tr("Hide these controls.") if self.is_open else self.tr("Show the controls of this part.")
        self.button.setToolTip(tooltip)


class _Mark(Label):
    """A tick, a warning, a question mark or nothing, in the theme's colours."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent=parent)
        self.state = "none"
        self.setFixedSize(_MARK, _MARK)
        self.setAlignment(Qt.AlignmentFlag.AlignCenter)
        set_role(self, "note")
        theme().changed.connect(self._draw)

    def show_state(self, state: str) -> None:
        """`state` is "check", "warning", "unchecked" or "none"."""
        if state != self.state:
            self.state = state
            self._draw()

    def _draw(self) -> None:
        names = {
            "check": self.tr("Complete"),
            "warning": self.tr("Something is wrong here"),
            "unchecked": self.tr("Not checked yet"),
            "none": self.tr("Not yet complete"),
        }
        self.setAccessibleName(names[self.state])
        self.setToolTip(names[self.state])
        if self.state == "none":
            self.clear()
        elif self.state == "unchecked":
            self.setText("?")
        else:
            role = QPalette.ColorRole.Accent if self.state == "check" else QPalette.ColorRole.BrightText
            self.setPixmap(icon(self.state, role).pixmap(_MARK, _MARK))


def plain_label(role: str = "", parent: QWidget | None = None) -> Label:
    """A label for texts that hold names of files, models or people's data: several lines, plain."""
    label = Label(parent=parent)
    label.setWordWrap(True)
    label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    if role:
        set_role(label, role)
    return label
