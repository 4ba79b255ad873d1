"""Teachers tried on the set-up's texts: how each cuts them and guesses their words, and what it had read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from PySide6.QtCore import QCoreApplication, QSize, Qt, Signal
from PySide6.QtWidgets import (
    QHBoxLayout,
    QHeaderView,
    QProgressBar,
    QPushButton,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from core.errors import Fault
from core.pretraining import Volume
from core.teachers import known_teacher
from gui.draft import Draft
from gui.jobs import Job
from gui.pages.setup.section import plain_label
from gui.pages.setup.teacher_rows import short_name
from gui.pages.setup.volume_words import cell
from gui.text import MISSING, count, number, parameters, percent, plain_tip
from gui.theme import SPACE
from gui.widgets.problem import ProblemCard

_ROW, _HEADER, _MOST_ROWS = 38, 30, 7
_CHOOSE = 6
"""The column of the buttons."""


class TeacherFinder(QWidget):
    """A button as long as nothing was measured; then a table, which goes when texts or language are others."""

    chosen = Signal(str)
    """A teacher, as a recipe names it."""
    measured = Signal()
    """It has ended, well or not."""

    def __init__(self, draft: Draft, parent: QWidget) -> None:
        super().__init__(parent)
        self._draft = draft
        self._models: tuple[str, ...] = ()
        self._job: Job | None = None
        self._asked: dict[str, Any] | None = None
        """The texts and the language of what is shown, or of what is under way."""
        self._buttons: dict[str, QPushButton] = {}
        self._build()
        self.refresh()

    def _build(self) -> None:
        self.button = QPushButton(self)
        self.button.setObjectName("button-compare-teachers")
        self.button.clicked.connect(self._on_clicked)
        self.bar = QProgressBar(self)
        self.bar.setAccessibleName(self.tr("Trying the teachers"))
        self.bar.hide()
        self.why = plain_label("note", self)
        row = QHBoxLayout()
        row.setSpacing(SPACE.s)
        row.addWidget(self.button)
        row.addWidget(self.bar, 1)
        row.addWidget(self.why, 1)
        self.problems = ProblemCard(self)
        self.table = self._make_table()
        self.note = plain_label("note", self)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(SPACE.s)
        column.addLayout(row)
        for part in (self.problems, self.table, self.note):
            part.hide()
            column.addWidget(part)
        self._offer()

    def _make_table(self) -> QTreeWidget:
        table = QTreeWidget(self)
        table.setObjectName("table-teachers")
        table.setAccessibleName(self.tr("Teachers on these texts"))
        table.setRootIsDecorated(False)
        columns = (
            (self.tr("Teacher"), self.tr("Those first that suit these texts.")),
            (self.tr("Parameters"), self.tr("How large it is.")),
            (self.tr("Pieces a word"), self.tr("Tokens a word: the fewer, the better its vocabulary suits the texts.")),
            (self.tr("Unknown pieces"), self.tr("Share of the tokens that its vocabulary can't spell.")),
            (self.tr("Hidden words guessed"), self.tr("Masked accuracy: each guesses its own tokens.")),
            (self.tr("Text it has read"), self.tr("How much of the language was in its pretraining.")),
            ("", ""),
        )  # fmt: skip
        table.setHeaderLabels([title for title, _ in columns])
        for place, (_, tip) in enumerate(columns):
            table.headerItem().setToolTip(place, tip)
            if 0 < place < _CHOOSE:
                table.headerItem().setTextAlignment(place, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        header = table.header()
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        header.setSectionResizeMode(_CHOOSE, QHeaderView.ResizeMode.Fixed)
        header.setStretchLastSection(False)
        table.itemActivated.connect(self._on_activated)
        return table

    # -- what is shown -------------------------------------------------------------------------------------------

    def set_models(self, models: Iterable[str]) -> None:
        """The teachers on this machine, as far as they are known."""
        self._models = tuple(models)

    def end(self) -> None:
        """End what is under way."""
        if self._job is not None:
            self._job.cancel()
            self._job = None

    def refresh(self) -> None:
        """Follow the draft: other texts are another question."""
        question = self._question()
        if self._asked not in (None, question):
            self.end()
            self._asked = None
            self._show_idle()
            self._show_rows([], "")
            self.problems.show_faults(())
        if self._job is None:
            self.button.setEnabled(question is not None)
            self.why.setText(
                self.tr("Tries each one on this machine; nothing is downloaded.")
                if question is not None
                else self.tr("First choose the language, and add texts that are on this machine.")
            )
        self._mark_chosen()

    def _question(self) -> dict[str, Any] | None:
        """The texts and the language; None where one of them isn't there."""
        sources = [source for source in self._draft.value("corpus.sources") or () if not source.startswith("hub:")]
        language = self._draft.value("language.code")
        if not sources or not language:
            return None
        return {"sources": sources, "base": str(self._draft.base), "language": language}

    def _show_idle(self) -> None:
        self.bar.hide()
        self.why.show()
        self._offer()

    def _offer(self) -> None:
        self._name_button(self.tr("Compare teachers on my texts…"))
        self.button.setToolTip(self.tr("How each teacher on this machine cuts and guesses a sample of your texts."))

    def _name_button(self, text: str) -> None:
        self.button.setText(text)
        self.button.setAccessibleName(text)

    def _show_found(self, found: Mapping[str, Any]) -> None:
        words = self.tr(
            "Measured on {texts} of your texts ({words} words). First come those that can spell them; among these, "
            "those that need the fewest pieces. How many words they guess doesn't sort them: short pieces are easier."
        ).format(texts=count(found["texts"]), words=count(found["words"]))
        without = [
            self.tr("{teacher} guesses nothing: {why}").format(teacher=_title(one), why=one["without_accuracy"])
            for one in found["teachers"]
            if one["without_accuracy"]
        ]
        if found["elsewhere"]:
            without.append(self.tr("Those without numbers aren't on this machine: a run with one downloads it first."))
        without += [self.tr("Left out: {}").format(why) for why in found["left_out"]]
        self._show_rows([*found["teachers"], *found["elsewhere"]], "\n".join([words, *without]))

    def _show_rows(self, teachers: Sequence[Mapping[str, Any]], note: str) -> None:
        self.table.clear()
        self._buttons = {}
        width = 0
        for one in teachers:
            here = "tokens_a_word" in one
            volume = Volume(**one["volume"]) if one["volume"] else None
            guessed = one.get("masked_accuracy")
            item = QTreeWidgetItem(
                [
                    _title(one),
                    parameters(one["parameters"]),
                    number(one["tokens_a_word"], 2) if here else MISSING,
                    percent(one["unknown_share"], 2) if here else MISSING,
                    MISSING if guessed is None else f"{number(guessed)} %",
                    cell(volume),
                ]
            )
            for column in range(1, _CHOOSE):
                item.setTextAlignment(column, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
            item.setToolTip(0, plain_tip(one["model"]))
            item.setToolTip(5, plain_tip(one["volume_words"]))
            item.setData(0, Qt.ItemDataRole.UserRole, one["model"])
            item.setSizeHint(0, QSize(0, _ROW))
            self.table.addTopLevelItem(item)
            holder = self._choose_button(one)
            self.table.setItemWidget(item, _CHOOSE, holder)
            width = max(width, holder.sizeHint().width())
        self.table.header().resizeSection(_CHOOSE, width + 2 * SPACE.s)  # the style sheet's padding on both sides
        rows = min(len(teachers), _MOST_ROWS)
        self.table.setFixedHeight(_HEADER + rows * _ROW + 4)
        self.table.setVisible(bool(teachers))
        self.note.setText(note)
        self.note.setVisible(bool(note))
        self._mark_chosen()

    def _choose_button(self, teacher: Mapping[str, Any]) -> QWidget:
        """A button that is no higher than it wants to be."""
        holder = QWidget(self.table)
        button = QPushButton(self.tr("Choose"), holder)
        button.setAccessibleName(self.tr("Choose {}").format(_title(teacher)))
        button.setToolTip(self.tr("Take this model as the teacher."))
        button.clicked.connect(partial(self._on_choose, teacher["model"]))
        self._buttons[teacher["model"]] = button
        room = QHBoxLayout(holder)
        room.setContentsMargins(0, 0, 0, 0)
        room.addWidget(button)
        return holder

    def _mark_chosen(self) -> None:
        model = self._draft.value("teacher.model")
        for name, button in self._buttons.items():
            button.setEnabled(name != model)
            button.setText(self.tr("Chosen") if name == model else self.tr("Choose"))

    # -- what the user does --------------------------------------------------------------------------------------

    def _on_clicked(self) -> None:
        if self._job is not None:
            self.end()
            self._ended()
            return
        self._asked = self._question()
        if self._asked is None:
            return
        model = self._draft.value("teacher.model")
        # What was typed or browsed to isn't in the list; what is known and isn't here stands in the table anyway.
        own = [model] if model and known_teacher(model) is None else []
        models = list(dict.fromkeys([*self._models, *own]))
        self._job = Job("teachers", {**self._asked, "models": models}, self)
        self._job.progress.connect(self._on_progress)
        self._job.done.connect(self._on_done)
        self._job.failed.connect(self._on_failed)
        self.problems.show_faults(())
        self.why.hide()
        self.bar.setRange(0, 0)
        self.bar.show()
        self._name_button(self.tr("Cancel"))
        self.button.setToolTip(self.tr("Ends it; nothing of it stays behind."))
        self._job.start()

    def _on_choose(self, model: str, _: bool = False) -> None:
        self.chosen.emit(model)

    def _on_activated(self, item: QTreeWidgetItem) -> None:
        self.chosen.emit(item.data(0, Qt.ItemDataRole.UserRole))

    # -- what the job says ---------------------------------------------------------------------------------------

    def _on_progress(self, done: int, total: int) -> None:
        self.bar.setRange(0, total)
        self.bar.setValue(done)

    def _on_done(self, found: dict[str, Any]) -> None:
        self._show_found(found)
        self._ended()

    def _on_failed(self, faults: Sequence[Fault]) -> None:
        self.problems.show_faults(faults)
        self._ended()

    def _ended(self) -> None:
        self._job = None
        self._show_idle()
        self.refresh()
        self.measured.emit()


def _title(teacher: Mapping[str, Any]) -> str:
    model = teacher["model"]
    if model == "sample":
        return QCoreApplication.translate("TeacherFinder", "Built-in sample")
    known = known_teacher(model)
    return known.title if known else short_name(model)
