"""In the target's part: what each size of the vocabulary covers and costs, counted in the user's own text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import (
    QComboBox,
    QDoubleSpinBox,
    QHBoxLayout,
    QProgressBar,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from core.errors import Fault, InputError
from core.recipe_text import mapping_to_toml
from core.sources import downloaded, local_folder
from gui.coverage import CoverageCurve
from gui.draft import Draft
from gui.icons import icon
from gui.lookup import Lookup
from gui.pages.setup.latest_job import LatestJob
from gui.pages.setup.section import plain_label
from gui.pages.setup.vocabulary_details import BrokenWords, Example, kept_words
from gui.plots.vocabulary import VocabularyPlot
from gui.settings import SettingsFile
from gui.text import count, megabytes, number, percent
from gui.theme import SPACE, set_role
from gui.widgets.calm_wheel import CalmWheel
from gui.widgets.elided import ElidedLabel
from gui.widgets.label import Label
from gui.widgets.problem import ProblemCard

_WAIT_MILLISECONDS = 800
_HUB = "hub:"
_USUAL_COVERAGE = 0.999
_SIZE_KEYS = ("vocabulary_size", "vocabulary_coverage", "vocabulary_multiple")
"""Targets that choose a point of the curve, and leave the curve as it is."""


class VocabularyView(QWidget):
    """Asks for the curve as soon as it can be known and is looked at; follows the draft and its slider."""

    size_asked = Signal(int)
    stepped = Signal(int)
    """So many of the slider's steps on, or back."""
    settled = Signal()
    judged = Signal()
    """The chosen size turned out to be impossible, or no longer is (see `refused`)."""

    def __init__(self, draft: Draft, settings: SettingsFile, parent: QWidget) -> None:
        super().__init__(parent)
        self.draft = draft
        self._settings = settings
        self._curve: CoverageCurve | None = None
        self._found: dict[str, Any] | None = None
        self._drawn: Mapping[str, Any] = {}  # the question that the curve answers
        self._answers: Mapping[str, Any] = {}  # the question that was answered last, be it by faults
        self._asked: Mapping[str, Any] = {}
        self._refused: tuple[Fault, ...] = ()
        self._here: tuple[tuple[str, Path], bool] | None = None
        self._looking: tuple[str, Path] | None = None
        self._lookup = Lookup(self)
        self._lookup.found.connect(self._on_looked)
        self._job = LatestJob("vocabulary", self, _WAIT_MILLISECONDS)
        self._job.started.connect(self._on_started)
        self._job.progress.connect(self._on_progress)
        self._job.done.connect(self._on_done)
        self._job.failed.connect(self._on_failed)
        self._build()

    def _build(self) -> None:
        self.fold = QToolButton(self)
        self.fold.setObjectName("button-vocabulary")
        self.fold.setText(self.tr("Vocabulary"))
        self.fold.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self._name_fold()
        set_role(self.fold, "flat")
        self.fold.clicked.connect(self._on_fold)
        self.summary = ElidedLabel(parent=self)
        set_role(self.summary, "note")
        self.by = QComboBox(self)
        self.by.setObjectName("combo-vocabulary")
        self.by.addItems([self.tr("by size"), self.tr("by coverage")])
        self.by.setAccessibleName(self.tr("How the number of words is chosen"))
        self.by.setToolTip(self.tr("Keep a number of words, or as many as cover a share of your text's tokens."))
        self.by.activated.connect(self._on_by)
        self.coverage = _Percent(self)
        self.coverage.setObjectName("field-coverage")
        self.coverage.setAccessibleName(self.tr("Share of the text's tokens to cover"))
        self.coverage.setToolTip(
            self.tr("Keeps the fewest words that cover this share; more is larger and splits less.")
        )
        self.coverage.valueChanged.connect(self._on_coverage)
        self.coverage.editingFinished.connect(self.settled)
        CalmWheel(self.by, self.coverage)
        self.bar = QProgressBar(self)
        self.bar.setAccessibleName(self.tr("Counting the tokens of your text"))
        self.bar.setFixedWidth(120)
        counting = Label(self.tr("Counting the tokens of your text…"), self)
        set_role(counting, "note")
        self._busy = (counting, self.bar)
        head = QHBoxLayout()
        head.setSpacing(SPACE.s)
        for widget in (self.fold, self.summary, *self._busy, self.by, self.coverage):
            head.addWidget(widget, 1 if widget is self.summary else 0)
        self.problems = ProblemCard(self)
        self.plot = VocabularyPlot(self)
        self.plot.size_asked.connect(self.size_asked)
        self.plot.stepped.connect(self.stepped)
        self.plot.settled.connect(self.settled)
        self.sentence = plain_label("", self)
        self.words = BrokenWords(self)
        self.example = Example(self)
        self._details = (self.sentence, self.words, self.example)
        side_by_side = QHBoxLayout()
        side_by_side.setSpacing(SPACE.l)
        side_by_side.addWidget(self.plot, 5)
        side_by_side.addWidget(self.words, 4)
        self.content = QWidget(self)
        rows = QVBoxLayout(self.content)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.setSpacing(SPACE.s)
        rows.addLayout(side_by_side)
        rows.addWidget(self.sentence)
        rows.addWidget(self.example)
        rows = QVBoxLayout(self)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.setSpacing(SPACE.xs)
        rows.addLayout(head)
        for widget in (self.problems, self.content):
            widget.hide()
            rows.addWidget(widget)

    @property
    def is_shown(self) -> bool:
        """Whether it is unfolded."""
        return self._settings.value.vocabulary_shown

    @property
    def busy(self) -> bool:
        """Whether an answer is still to come."""
        return self._job.busy or self._looking is not None

    @property
    def refused(self) -> tuple[Fault, ...]:
        """What is wrong with the chosen size, as far as the text tells; other faults the check of the recipe finds."""
        return self._refused if self._answers == self._question else ()

    def end(self) -> None:
        """End what is under way."""
        self._job.forget()
        self._lookup.forget()

    def showEvent(self, event: QShowEvent) -> None:
        """It is looked at: now it is worth the counting."""
        super().showEvent(event)
        if self._found is None:  # what was wrong may have been mended on disk
            self._job.forget()
            self._answers = {}
        self.refresh()

    def refresh(self) -> None:
        """Follow the draft."""
        self.setVisible(self.draft.sizes is not None)
        self._show_choice()
        reason = self._reason()
        if reason or not self.is_shown:
            self._let_go(reason)
        elif not self._is_looked_up:
            self._job.forget()
        elif self.isVisible():
            self._ask()
        self._show(reason)

    # -- what is asked -------------------------------------------------------------------------------------------

    def _reason(self) -> str:
        """Why nothing can be counted; empty: it can."""
        sources = self.draft.value("corpus.sources") or ()
        if not sources:
            return self.tr("Choose your text, and see here what each size keeps of it.")
        if any(source.startswith(_HUB) for source in sources):
            return self.tr("What each size keeps can only be counted in files; the run downloads some of your text.")
        if self._is_looked_up and self._here is not None and not self._here[1]:
            return self.tr("What each size keeps shows once the teacher is on this machine.")
        return ""

    @property
    def _is_looked_up(self) -> bool:
        """Whether it is known that the teacher is on this machine, or not; else that is looked up."""
        asked = (str(self.draft.value("teacher.model")), self.draft.base)
        if self._here is not None and self._here[0] == asked:
            return True
        if self._looking != asked:
            self._looking = asked
            self._lookup.ask(partial(_is_here, *asked))
        return False

    def _on_looked(self, here: bool) -> None:
        if self._looking is not None:
            self._here = self._looking, here
        self._looking = None
        self.refresh()

    @property
    def _question(self) -> Mapping[str, Any]:
        return {**self.draft.vocabulary_question, "base": str(self.draft.base)}

    def _ask(self) -> None:
        self._asked = self._question
        if self._asked == self._answers:
            self._job.forget()
            return
        recipe = mapping_to_toml(self.draft.vocabulary_question)
        if self._job.ask({"recipe": recipe, "base": str(self.draft.base)}):
            self.bar.setRange(0, 0)

    def _let_go(self, reason: str) -> None:
        self._job.forget()
        if reason:
            self._curve = self._found = None
            self._answers = self._drawn = {}
            self.problems.hide()

    def _on_started(self) -> None:
        self.bar.setRange(0, 0)

    def _on_progress(self, done: int, total: int) -> None:
        # In thousandths: a Qt bar counts to two thousand million, and texts may have more bytes.
        self.bar.setRange(0, 1000 if total else 0)
        self.bar.setValue(1000 * done // total if total else 0)

    def _on_done(self, found: dict[str, Any]) -> None:
        self._found, self._answers, self._drawn = found, self._asked, self._asked
        self._curve = CoverageCurve(found["curve"])
        self._refused = ()
        self.problems.show_faults(())
        self.plot.show_curve(self._curve)
        self.sentence.setText(kept_words(found))
        self.words.show_words(found["worst"], found["split"], found["held_out"])
        self.example.show_text(found["example"])
        if self._answers == self._question:
            self.draft.know_covering(found["chosen"]["size"])
        self._show("")

    def _on_failed(self, faults: Sequence[Fault]) -> None:
        self._answers = self._asked
        self._refused = tuple(fault for fault in faults if fault.key.startswith("targets."))
        self._found = None  # the curve may still be right: a size can be too small for it
        if not self._is_same_curve:
            self._curve = None
        self.problems.show_faults(faults)
        self._show("")
        if self._refused:
            self.judged.emit()

    # -- what is shown -------------------------------------------------------------------------------------------

    @property
    def _is_same_curve(self) -> bool:
        return _of_curve(self._drawn) == _of_curve(self._question)

    def _show(self, reason: str) -> None:
        current = self._answers == self._question
        shown = self.is_shown and self._curve is not None
        for widget in self._busy:
            widget.setVisible(self.is_shown and self._job.busy)
        self.problems.setVisible(self.is_shown and current and bool(self.problems.accessibleName()))
        self.content.setVisible(shown)
        for widget in self._details:
            widget.setEnabled(current)
            widget.setVisible(self._found is not None and (widget is not self.example or bool(self._found["example"])))
        self.plot.dim(not self._is_same_curve)
        cost = self.draft.cost
        if cost is not None:
            self.plot.show_cost(*cost)
        self.plot.mark(self._size)
        self.summary.setText(reason or self._summary())

    @property
    def _size(self) -> int | None:
        return self.draft.value("targets.vocabulary_size") or self.draft.covering

    def _summary(self) -> str:
        size, chosen = self._size, self.plot.chosen
        covered = self.draft.value("targets.vocabulary_coverage")
        parts = []
        if covered is not None:
            parts.append(self.tr("to cover {} of the text's tokens").format(_Percent.words(covered)))
        if size is None and covered is None and self.draft.sizes is not None:
            parts.append(self.tr("all {} of the teacher's tokens are kept").format(count(self.draft.sizes.vocabulary)))
        elif chosen is not None and self._is_same_curve:
            parts.append(self.tr("{} tokens").format(count(chosen[0])))
            if covered is None:
                parts.append(self.tr("{} of the text's tokens").format(percent(chosen[1])))
            parts.append(megabytes(chosen[2]))
            if self._curve is not None and chosen[0] < self._curve.smallest:
                parts.append(self.tr("but {} are always kept").format(count(self._curve.smallest)))
            elif self._curve is not None and chosen[0] > self._curve.largest:
                parts.append(self.tr("but only {} occur in your text").format(count(self._curve.largest)))
        return " · ".join(parts)

    def _show_choice(self) -> None:
        covered = self.draft.value("targets.vocabulary_coverage")
        self.by.setCurrentIndex(0 if covered is None else 1)
        self.coverage.setVisible(covered is not None)
        if covered is not None:
            self.coverage.blockSignals(True)
            self.coverage.setValue(100 * covered)
            self.coverage.blockSignals(False)

    # -- what the user does --------------------------------------------------------------------------------------

    def _on_fold(self) -> None:
        self._settings.change(vocabulary_shown=not self.is_shown)
        self._name_fold()
        self.refresh()

    def _name_fold(self) -> None:
        shown = self.is_shown
        self.fold.setIcon(icon("more" if shown else "less"))
        name = self.tr("Hide what each size keeps of your text.") if shown else self.tr("Show what each size keeps.")
        self.fold.setAccessibleName(name)
        self.fold.setToolTip(name)

    def _on_by(self, index: int) -> None:
        covered, size = self.draft.value("targets.vocabulary_coverage"), self._size
        if index == 1 and covered is None:
            share = round(self._curve.share_at(size), 3) if self._curve is not None and size is not None else 1
            self.draft.set("targets.vocabulary_coverage", share if 0 < share < 1 else _USUAL_COVERAGE)
        elif index == 0 and size is not None:
            self.draft.set("targets.vocabulary_size", size)
        elif index == 0:
            self.draft.set("targets.vocabulary_coverage", None)
        self.draft.seal()

    def _on_coverage(self, value: float) -> None:
        self.draft.set("targets.vocabulary_coverage", round(value / 100, 6))


class _Percent(QDoubleSpinBox):
    """A share of 1 in per cent, without zeros that say nothing."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setDecimals(4)
        self.lineEdit().setTextMargins(6, 0, 6, 0)
        self.setRange(0.01, 100)
        self.setSingleStep(0.1)
        self.setSuffix(" %")
        self.setKeyboardTracking(False)
        self.setFixedWidth(96)

    @staticmethod
    def words(share: float) -> str:
        """A share of 1: 99.9 %."""
        return f"{_short(100 * share)} %"

    def textFromValue(self, value: float) -> str:
        """The number as it is typed."""
        return _short(value)


def _short(value: float) -> str:
    digits = next(digits for digits in range(1, 5) if round(value, digits) == round(value, 4))
    return number(value, digits)


def _of_curve(question: Mapping[str, Any]) -> dict[str, Any]:
    """What a curve follows from."""
    targets = {key: value for key, value in question.get("targets", {}).items() if key not in _SIZE_KEYS}
    return {**question, "targets": targets}


def _is_here(model: str, base: Path) -> bool:
    """Whether a teacher's files are on this machine."""
    try:
        return (local_folder(model, base) or downloaded(model)) is not None
    except InputError:
        return False
