"""The tables of the results: teacher against student, and the stages. What they show can be copied."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication, QKeyEvent, QKeySequence
from PySide6.QtWidgets import QAbstractItemView, QFrame, QHeaderView, QTableWidget, QTableWidgetItem, QWidget

from core.export.measures import speeds
from core.spreadsheet import cell
from gui import text
from gui.theme import SIZE

_RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter


class NumberTable(QTableWidget):
    """Rows of a name and numbers; as high as its content; Ctrl+C copies all of it, tab-separated."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setSelectionMode(QAbstractItemView.SelectionMode.NoSelection)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setShowGrid(False)
        self.setTabKeyNavigation(False)
        self.verticalHeader().hide()
        self.verticalHeader().setDefaultSectionSize(SIZE.target)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)

    def set_rows(self, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Show these; a row of one entry is a note on the row above it."""
        self.clearSpans()
        self.setColumnCount(len(header))
        self.setRowCount(len(rows))
        for column, words in enumerate(header):
            item = QTableWidgetItem(words)
            item.setTextAlignment(_RIGHT if column else Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
            self.setHorizontalHeaderItem(column, item)
        for number, row in enumerate(rows):
            for column, words in enumerate([*row, *[""] * (len(header) - len(row))]):
                item = QTableWidgetItem(words)
                if column:
                    item.setTextAlignment(_RIGHT)
                self.setItem(number, column, item)
            if len(row) == 1:
                self.setSpan(number, 0, 1, len(header))
        head = self.horizontalHeader()
        head.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        head.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        head.setHighlightSections(False)
        height = head.sizeHint().height() + sum(self.rowHeight(row) for row in range(len(rows))) + 4
        self.setFixedHeight(height)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Copy; everything else as always."""
        if event.matches(QKeySequence.StandardKey.Copy):
            QGuiApplication.clipboard().setText(self.as_text())
        else:
            super().keyPressEvent(event)

    def as_text(self) -> str:
        """The table as tab-separated lines."""
        columns = range(self.columnCount())
        lines = ["\t".join(cell(self.horizontalHeaderItem(column).text()) for column in columns)]
        for row in range(self.rowCount()):
            lines.append("\t".join(cell(self.item(row, column).text()) for column in columns))
        return "\n".join(lines)


class ScoreTable(NumberTable):
    """Teacher against student."""

    def fill(self, results: dict[str, Any]) -> None:
        """Show the content of results.json."""
        self.setAccessibleName(self.tr("Teacher against student"))
        self.setToolTip(
            self.tr(
                "Scores are from the test split, the mean over the seeds and its standard deviation; 95 %: where the "
                "mean would lie with other test examples. Noise: what these, or other seeds, would change."
            )
        )
        teacher, student = results["teacher"], results["student"]
        error = self.tr("Surprise at hidden words (masked-language loss, nats)")
        guessed = self.tr("Hidden words guessed (masked-token accuracy, %)")
        rows = [
            _row(error, teacher["mlm_loss"], student["mlm_loss"], 3),
            _row(guessed, teacher["mlm_accuracy"], student["mlm_accuracy"], 1),
        ]
        language = (
            (self.tr("Surprise at each word (pseudo-perplexity a word)"), "pseudo_perplexity_a_word", 1),
            (self.tr("Pieces that a word is read in (tokens a word)"), "tokens_a_word", 2),
        )
        for title, key, digits in language:
            if key in teacher or key in student:
                rows.append(_row(title, teacher.get(key), student.get(key), digits))
        for name, task in results["tasks"].items():
            kind = text.kind_name(task["kind"])
            named = kind if name == task["kind"] else f"{kind}: {name}"
            title = f"{named} ({text.measured_by(task)})"
            teacher_score, student_score = task["teacher"], task["student"]
            difference = text.change(teacher_score["mean"], student_score["mean"])
            rows.append([title, text.score(teacher_score), text.score(student_score), difference])
            verdict = text.verdict(task)
            rows += [[note] for note in (verdict, text.leaks(task.get("leaks"))) if note]
        self.set_rows([self.tr("Measured"), self.tr("Teacher"), self.tr("Student"), self.tr("Change")], rows)


class SpeedTable(NumberTable):
    """Time and memory of teacher and student on this machine."""

    def fill(self, inference: Mapping[str, Any]) -> None:
        """Show `throughput.inference` of results.json."""
        self.setAccessibleName(self.tr("Speed and memory here"))
        tip = self.tr(
            "Texts of {tokens} tokens, from the letters to the encoder's states, with {threads} threads of the "
            "processor: the median, and where eight of ten repeats lie. Memory is that of a whole process."
        ).format(tokens=text.number(inference["tokens_a_text"], 0), threads=text.count(inference["threads"]))
        self.setToolTip(tip)
        measures: tuple[tuple[str, Callable[[Any], str]], ...] = (
            (self.tr("One text"), text.milliseconds),
            (self.tr("32 texts at once"), text.milliseconds),
            (self.tr("Texts a second, one by one"), text.number),
            (self.tr("Texts a second, 32 at once"), text.number),
            (self.tr("Working memory"), _memory),
        )
        values = zip(*(speeds(inference, name) for name in ("teacher", "student")), strict=True)
        rows = [[title, *map(words, row)] for (title, words), row in zip(measures, values, strict=True)]
        self.set_rows([self.tr("Measured"), self.tr("Teacher"), self.tr("Student")], rows)


class StageTable(NumberTable):
    """What each stage left."""

    def fill(self, results: dict[str, Any]) -> None:
        """Show the content of results.json."""
        self.setAccessibleName(self.tr("Stage by stage"))
        header = [
            self.tr("Stage"),
            self.tr("Parameters after it"),
            self.tr("Loss on held-out text (nats)"),
            self.tr("Time"),
        ]
        rows = [
            [
                text.stage_name(stage["name"]),
                text.count(stage["parameters"]),
                text.number(stage["validation_loss"], 3),
                text.duration(stage["seconds"]),
            ]
            for stage in results["stages"]
        ]
        self.set_rows(header, rows)


def _memory(size: float | None) -> str:
    return text.memory(None if size is None else 1e6 * size)


def _row(title: str, before: float | None, after: float | None, digits: int) -> list[str]:
    return [title, text.number(before, digits), text.number(after, digits), text.change(before, after, digits)]
