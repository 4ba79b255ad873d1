"""Controls made from the recipe's own rules: a new key of the recipe gets one without a line here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from PySide6.QtCore import QLocale, Signal
from PySide6.QtWidgets import (
    QComboBox,
    QFileDialog,
    QGridLayout,
    QHBoxLayout,
    QLineEdit,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from core.errors import Fault
from core.resolve import Pick
from core.rules import Choice, Number, Refused, Rule, Several
from gui.icons import icon
from gui.pages.setup.choice_words import choice_words
from gui.pages.setup.field_words import FILES, ZERO_IS_AUTOMATIC, help_of, label_of, term_of
from gui.pages.setup.section import plain_label
from gui.text import count, plain_tip
from gui.theme import SPACE, set_role
from gui.widgets.calm_wheel import CalmWheel
from gui.widgets.label import Label

_LEAST_LETTERS = 12
"""That a list of words has room for."""


class FieldControl(QWidget):
    """One key: a list of words where the rule is a choice, else a field to type in; empty is the default."""

    changed = Signal(object)
    """The value set; None for the default."""
    judged = Signal()
    """What was typed turned out to be wrong, or no longer is."""

    def __init__(self, key: str, rule: Rule, parent: QWidget) -> None:
        """`key` is the one that its words are found by, such as "schedule.threads" or "tasks.epochs"."""
        super().__init__(parent)
        self.key = key
        self._rule = rule
        self._shown: tuple[Any, Any, Pick | None] | None = None
        self.fault: Fault | None = None
        """Why what was typed can't be used; then what was set before still is."""
        rows = QVBoxLayout(self)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.setSpacing(0)
        self.editor: QComboBox | QLineEdit
        if isinstance(rule, Choice):
            self.editor = QComboBox(self)
            CalmWheel(self.editor)
            self.editor.addItem("")
            for word in rule.allowed:
                self.editor.addItem(choice_words(key, word), word)
            # As wide as its column, not as its longest words.
            self.editor.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
            self.editor.setMinimumContentsLength(_LEAST_LETTERS)
            self.editor.activated.connect(self._on_choice)
        else:
            self.editor = QLineEdit(self)
            self.editor.editingFinished.connect(self._on_text)
        self.editor.setObjectName(f"field-{key}")
        self.editor.setAccessibleName(f"{label_of(key)} ({term_of(key)})")
        self._tell_decision(None)
        self._wrong = plain_label("bad", self)  # it quotes what was typed
        self._wrong.hide()
        row = QHBoxLayout()
        row.setSpacing(SPACE.xs)
        row.addWidget(self.editor)
        if key in FILES:
            row.addWidget(self._browse_button())
        rows.addLayout(row)
        rows.addWidget(self._wrong)

    def show_value(self, value: Any, default: Any, decided: Pick | None = None) -> None:
        """Show what is set, None for nothing, and what holds then.

        Args:
            value, default: what is set, and what holds where nothing is.
            decided: what "auto" becomes, where that is known by now.
        """
        if self._shown == (value, default, decided):
            return
        self._shown = (value, default, decided)
        self._tell_decision(decided if (default if value is None else value) == "auto" else None)
        if decided is not None and default == "auto":
            default = decided.value
        usual = self.tr("default: {}").format(self._usual(default)) if default is not None else self.tr("default")
        if isinstance(self.editor, QComboBox):
            self.editor.setItemText(0, usual)
            self.editor.setCurrentIndex(0 if value is None else self.editor.findData(value))
        else:
            self.editor.setPlaceholderText(usual)
            self.editor.setText("" if value is None else _written(value))
        self._judge(None)

    def _tell_decision(self, decided: Pick | None) -> None:
        reason = f" {decided.reason}" if decided is not None else ""
        self.editor.setToolTip(plain_tip(help_of(self.key) + reason))

    def _browse_button(self) -> QToolButton:
        button = QToolButton(self)
        button.setIcon(icon("file"))
        button.setAccessibleName(self.tr("Choose a file: {}").format(label_of(self.key)))
        button.setToolTip(self.tr("Choose the file instead of typing its path."))
        button.clicked.connect(self._browse)
        return button

    def _browse(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self, label_of(self.key))
        if path:
            self.editor.setText(path)
            self._on_text()

    def _usual(self, default: Any) -> str:
        if self.key in ZERO_IS_AUTOMATIC and default == 0:
            return self.tr("automatic")
        if isinstance(self._rule, Choice):
            return choice_words(self.key, default)
        if default == "auto":
            return self.tr("automatic")
        return count(default) if type(default) is int else _written(default)

    def _on_choice(self, index: int) -> None:
        self._set(self.editor.itemData(index))

    def _on_text(self) -> None:
        text = self.editor.text().strip()
        if not text:
            self._judge(None)
            self._set(None)
            return
        try:
            value = self._rule.read(label_of(self.key), _parsed(text, self._rule))
        except Refused as refused:
            self._judge(refused.fault.about(self.key))
            return
        self._judge(None)
        self._set(value)

    def _set(self, value: Any) -> None:
        if self._shown is None or value != _as_tuple(self._shown[0]):
            self.changed.emit(value)

    def _judge(self, fault: Fault | None) -> None:
        if fault == self.fault:
            return
        self.fault = fault
        text = f"{fault.problem} {fault.hint}" if fault else ""
        self._wrong.setText(text)
        self._wrong.setVisible(bool(text))
        self.editor.setAccessibleDescription(text)
        self.judged.emit()


class FieldForm(QWidget):
    """Fields in columns, each under its words."""

    judged = Signal()
    """What was typed into a field turned out to be wrong, or no longer is."""

    def __init__(
        self,
        entries: Sequence[tuple[str, Rule]],
        read: Callable[[str], tuple[Any, Any, Pick | None]],
        write: Callable[[str, Any], None],
        parent: QWidget,
        columns: int = 3,
    ) -> None:
        """`entries`: keys and rules. `read` gives what `show_value` takes; `write` takes what the user sets."""
        super().__init__(parent)
        self._read = read
        self._write = write
        self.controls: dict[str, FieldControl] = {}
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(SPACE.l)
        grid.setVerticalSpacing(SPACE.xs)
        for index, (key, rule) in enumerate(entries):
            row, column = 2 * (index // columns), index % columns
            label = Label(label_of(key), self)
            label.setToolTip(help_of(key))
            control = FieldControl(key, rule, self)
            label.setBuddy(control.editor)
            control.changed.connect(lambda value, key=key: self._write(key, value))
            control.judged.connect(self.judged)
            self.controls[key] = control
            term = Label(term_of(key), self)
            set_role(term, "small")
            term.setVisible(term_of(key) != label_of(key).lower())
            words = QHBoxLayout()
            words.setSpacing(SPACE.s)
            words.addWidget(label)
            words.addWidget(term, 1)
            grid.addLayout(words, row, column)
            grid.addWidget(control, row + 1, column)
        for column in range(columns):
            grid.setColumnStretch(column, 1)
        self.refresh()

    @property
    def wrong(self) -> list[FieldControl]:
        """The fields that hold something that can't be used."""
        return [control for control in self.controls.values() if control.fault is not None]

    def refresh(self) -> None:
        """Show what is set."""
        for key, control in self.controls.items():
            control.show_value(*self._read(key))


def _parsed(text: str, rule: Rule) -> Any:
    """What a text says, as the rule wants it; a text that says nothing of the kind stays as it is."""
    if isinstance(rule, Several):
        return [_parsed(part.strip(), rule.rule) for part in text.replace(";", ",").split(",") if part.strip()]
    if not isinstance(rule, Number) or text.lower() == "auto":
        return text.lower() if isinstance(rule, Number) else text
    for read in (int, float, *(_in_locale(rule.whole),)):
        try:
            return read(text)
        except ValueError:
            continue
    return text


def _in_locale(whole: bool) -> Callable[[str], Any]:
    def read(text: str) -> Any:
        value, fine = QLocale().toLongLong(text) if whole else QLocale().toDouble(text)
        if not fine:
            raise ValueError(text)
        return value

    return read


def _written(value: Any) -> str:
    """A value as it may be typed."""
    if isinstance(value, (list, tuple)):
        return ", ".join(map(_written, value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def _as_tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
