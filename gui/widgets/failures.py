"""Where a student fails: label by label, and examples that its teacher gets right. Folded until it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFrame, QPushButton, QVBoxLayout, QWidget

from core.wording import clean
from gui import text
from gui.icons import icon
from gui.theme import SPACE, set_role
from gui.widgets.label import Label
from gui.widgets.score_table import NumberTable

_LABELS, _EXAMPLES = 8, 5
"""Of a task, at most; the report has more."""
_NOT_AS_WRITTEN = (LookupError, TypeError, ValueError, AttributeError)


class FailurePanel(QFrame):
    """Reads the details of a run when it is opened first."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._read: Callable[[], Mapping[str, Any]] = dict
        self._kinds: dict[str, str] = {}
        self._filled = False
        self.button = QPushButton(self.tr("Where it fails"), self)
        self.button.setObjectName("button-failures")
        self.button.setAccessibleName(self.button.text())
        self.button.setToolTip(self.tr("Labels that lost most, and texts that only the teacher gets right."))
        self.button.setCheckable(True)
        set_role(self.button, "flat")
        self.button.toggled.connect(self._show_content)
        self.content = QWidget(self)
        self._rows = QVBoxLayout(self.content)
        self._rows.setContentsMargins(0, 0, 0, 0)
        self._rows.setSpacing(SPACE.s)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(SPACE.s)
        column.addWidget(self.button, 0, Qt.AlignmentFlag.AlignLeft)
        column.addWidget(self.content)
        self._show_content(False)

    def show_run(self, tasks: Mapping[str, Mapping[str, Any]], read: Callable[[], Mapping[str, Any]]) -> None:
        """Turn to a run, folded.

        Args:
            tasks: `tasks` of its results.json.
            read: gives the content of its tasks.json.
        """
        self._kinds = {name: str(task["kind"]) for name, task in tasks.items()}
        self._read, self._filled = read, False
        self.button.setChecked(False)
        self.setVisible(bool(tasks))

    def _show_content(self, shown: bool) -> None:
        self.button.setIcon(icon("more" if shown else "less"))
        if shown and not self._filled:
            self._filled = True
            self._fill(self._read())
        self.content.setVisible(shown)

    def _fill(self, details: Mapping[str, Any]) -> None:
        while item := self._rows.takeAt(0):
            if widget := item.widget():
                widget.hide()
                widget.deleteLater()
        known = [name for name in self._kinds if details.get(name)]
        if not known:
            self._add(self.tr("This run doesn't tell: it has left no details of its scores."), "note")
        for name in known:
            kind = text.kind_name(self._kinds[name])
            self._add(kind if name == self._kinds[name] else f"{kind}: {clean(name)}", "strong")
            try:
                self._add_labels(details[name].get("labels") or {})
                self._add_examples(details[name].get("worst") or [])
            except _NOT_AS_WRITTEN:
                self._add(self.tr("The rest can't be shown: it isn't as a run would have written it."), "bad")

    def _add_labels(self, labels: Mapping[str, Mapping[str, Any]]) -> None:
        """F1 by label, the largest drop first."""
        if not labels:
            return
        drops = {label: scores["teacher"]["f1"] - scores["student"]["f1"] for label, scores in labels.items()}
        order = sorted(drops, key=lambda label: -drops[label])
        rows = [
            [
                clean(label),
                text.count(labels[label]["support"]),
                text.number(labels[label]["teacher"]["f1"]),
                text.number(labels[label]["student"]["f1"]),
                text.change(labels[label]["teacher"]["f1"], labels[label]["student"]["f1"]),
            ]
            for label in order[:_LABELS]
        ]
        table = NumberTable(self.content)
        table.setAccessibleName(self.tr("F1 by label, the largest drop first"))
        table.setToolTip(self.tr("F1 by label (0-100, mean over seeds), the largest drop first."))
        head = [self.tr("Label"), self.tr("Test examples"), self.tr("Teacher"), self.tr("Student"), self.tr("Change")]
        table.set_rows(head, rows)
        self._rows.addWidget(table)
        if len(order) > _LABELS:
            self._add(self.tr("{} more labels are in the report.").format(text.count(len(order) - _LABELS)), "note")

    def _add_examples(self, worst: list[Mapping[str, Any]]) -> None:
        """Texts with what is right and what the student says instead."""
        if worst:
            self._add(self.tr("Worst kept: the teacher gets these right, the student doesn't."), "note")
        for example in worst[:_EXAMPLES]:
            right, teacher, student = (_answer(example[side]) for side in ("gold", "teacher", "student"))
            words = self.tr("Right: {right} · Student: {student}").format(right=right, student=student)
            if teacher != right:
                words += " · " + self.tr("Teacher: {teacher}").format(teacher=teacher)
            self._add(clean(example["text"]), "")
            self._add(words, "note")

    def _add(self, words: str, role: str) -> None:
        """A line of plain text, set on the side where its script begins."""
        label = Label(words, self.content)
        label.setWordWrap(True)
        label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        if not role and text.reads_to_left(words):
            label.setLayoutDirection(Qt.LayoutDirection.RightToLeft)
        set_role(label, role)
        self._rows.addWidget(label)


def _answer(given: Any) -> str:
    """A label, or the pieces of a sentence that carry one; kept apart from what stands around it, in any script."""
    pieces = [clean(piece) for piece in given] if isinstance(given, list) else [clean(given)]
    return ", ".join(f"\u2068{piece}\u2069" for piece in pieces) or text.MISSING
