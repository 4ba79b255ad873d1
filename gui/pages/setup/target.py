"""Part 4: how small the student is, and what that makes of it."""

from __future__ import annotations

from functools import partial

from PySide6.QtCore import QCoreApplication, Qt
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QPushButton

from core.analysis.size import Estimate
from core.families import Sizes
from gui.draft import Draft
from gui.pages.setup.section import Section
from gui.pages.setup.time_row import TimeRow
from gui.pages.setup.vocabulary import VocabularyView
from gui.settings import SettingsFile
from gui.targets import AXES, paper_widths, steps, whole_head_widths
from gui.text import count, megabytes, parameters, percent
from gui.theme import SPACE, set_role
from gui.widgets.label import Label
from gui.widgets.size_bar import SizeBar
from gui.widgets.suggested_sizes import SizeGroup
from gui.widgets.target_slider import TargetSlider


class TargetSection(Section):
    """Four sizes; every move shows at once what it leads to."""

    def __init__(self, draft: Draft, settings: SettingsFile) -> None:
        super().__init__("4", "targets", draft, always_open=True)
        self.set_title(self.tr("Target"))
        self.sliders = {
            "layers": TargetSlider(
                "slider-layers",
                self.tr("Layers"),
                self.tr("depth"),
                self.tr("How many times a text is thought over; fewer is faster and smaller, and knows less."),
                self,
            ),
            "intermediate_size": TargetSlider(
                "slider-intermediate",
                self.tr("Inner units"),
                self.tr("feed-forward size"),
                self.tr("Room for knowledge in each layer; fewer is smaller and faster."),
                self,
            ),
            "hidden_size": TargetSlider(
                "slider-hidden",
                self.tr("Thinking width"),
                self.tr("hidden size"),
                self.tr(
                    "How finely each word is described; less makes every part smaller. Heads allow only some widths."
                ),
                self,
            ),
            "vocabulary_size": TargetSlider(
                "slider-vocabulary",
                self.tr("Words kept"),
                self.tr("vocabulary size"),
                self.tr(
                    "Words and pieces of words, the most frequent in your text; fewer is smaller, rare words get split."
                ),
                self,
            ),
        }
        grid = QGridLayout()
        grid.setHorizontalSpacing(SPACE.xl)
        grid.setVerticalSpacing(SPACE.xs)
        for index, (key, slider) in enumerate(self.sliders.items()):
            slider.moved.connect(partial(self._on_moved, key))
            slider.settled.connect(draft.seal)
            grid.addWidget(slider, index // 2, index % 2, Qt.AlignmentFlag.AlignTop)
            grid.setColumnStretch(index % 2, 1)
        self.body.addLayout(grid)

        self.estimate = Label(parent=self)
        self.estimate.setObjectName("label-estimate")
        self.estimate.setAccessibleName(self.tr("Size of the student"))
        set_role(self.estimate, "heading")
        self.exact = Label(parent=self)
        set_role(self.exact, "note")
        self.suggest = QPushButton(self.tr("Suggest"), self)
        self.suggest.setToolTip(self.tr("Set all four sizes to a reasonable beginning for this teacher."))
        self.suggest.clicked.connect(draft.use_suggestion)
        row = QHBoxLayout()
        row.setSpacing(SPACE.m)
        row.addWidget(self.estimate)
        row.addWidget(self.exact)
        row.addStretch()
        row.addWidget(self.suggest)
        self.body.addLayout(row)
        self.bar = SizeBar(self)
        self.body.addWidget(self.bar)
        self.time = TimeRow(draft, self)
        self.body.addWidget(self.time)
        self.vocabulary = VocabularyView(draft, settings, self)
        self.vocabulary.size_asked.connect(partial(self._on_moved, "vocabulary_size"))
        self.vocabulary.stepped.connect(self.sliders["vocabulary_size"].step)
        self.vocabulary.settled.connect(draft.seal)
        self.vocabulary.judged.connect(self._on_judged)
        self.body.addWidget(self.vocabulary)

    @property
    def has_faults(self) -> bool:
        """Whether something is wrong in it; that the text needs more tokens is told beside the curve."""
        return super().has_faults or bool(self.vocabulary.refused)

    def end(self) -> None:
        """End what is under way."""
        self.time.end()
        self.vocabulary.end()

    def refresh(self) -> None:
        """Show the draft's targets and what they make of the teacher."""
        sizes = self.draft.sizes
        self.suggest.setEnabled(sizes is not None and not self.draft.is_suggested)
        if sizes is None:
            for slider in self.sliders.values():
                slider.clear()
            if not self.draft.value("teacher.model"):
                words = self.tr("How small it becomes: choose a teacher first.")
            elif self.draft.looking:
                words = self.tr("Looking at the teacher…")
            else:
                words = self.tr("The teacher's sizes aren't known on this machine. Without targets, nothing is cut.")
            self.set_summary(words, todo=True)
        else:
            heads = self.draft.value("targets.attention_heads")
            reduction = self.draft.effective("method.hidden_reduction")
            for key, slider in self.sliders.items():
                own = getattr(sizes, AXES[key])
                slider.set_steps(steps(key, sizes, heads, reduction), own, only=key == "hidden_size")
                value = self.draft.value(f"targets.{key}")
                # What is set all the same can be taken back.
                slider.lock(self._locked() if AXES[key] in sizes.fixed and value is None else "")
                slider.show_value(value)
            self.sliders["hidden_size"].suggest(self._widths(sizes, heads, reduction))
            if self.draft.covering is not None:
                self.sliders["vocabulary_size"].show_value(self.draft.covering)
            if self.draft.is_suggested:
                self.set_summary(self.tr("A suggestion to begin with: move the sliders and see what comes of it."))
            else:
                self.set_summary(self.tr("Move the sliders and see what comes of it."))
        self._show_estimate(self.draft.estimate)
        self.time.refresh()
        self.vocabulary.refresh()
        self._show_mark()

    def _on_judged(self) -> None:
        self._show_mark()
        self.judged.emit()

    def _widths(self, teacher: Sizes, heads: int | None, reduction: str) -> list[SizeGroup]:
        """Widths worth trying: with whole heads, and the paper's."""
        whole = self.tr("Some of the teacher's heads stay as they are, {} units each, the others go: it loses less.")
        paper = self.tr("What the paper tried: all {} heads stay, each of them narrower.")
        groups = [
            SizeGroup(
                self.tr("whole heads"), whole.format(teacher.head_width), whole_head_widths(teacher, heads, reduction)
            ),
            SizeGroup(self.tr("as the paper"), paper.format(teacher.heads), paper_widths(teacher, heads, reduction)),
        ]
        return [group for group in groups if group.sizes]

    def _locked(self) -> str:
        return self.tr("It can't be made smaller yet in a teacher of this architecture.")

    def _show_estimate(self, estimate: Estimate | None) -> None:
        for widget in (self.estimate, self.exact, self.bar):
            widget.setVisible(estimate is not None)
        if estimate is None:
            self.estimate.setText("")
            self.bar.show_sizes({}, {})
            return
        self.estimate.setText(estimate_words(estimate, at_most=self.draft.is_at_most))
        exact = self.tr("exactly {} → {}").format(
            count(estimate.teacher.parameters), count(estimate.student.parameters)
        )
        self.exact.setText(exact)
        self.estimate.setToolTip(
            self.tr("{} parameters; as many in the exported file. Size in 32-bit numbers.").format(exact)
        )
        self.bar.show_sizes(estimate.teacher.parts, estimate.student.parts)

    def _on_moved(self, key: str, size: int) -> None:
        own = getattr(self.draft.sizes, AXES[key])
        if key == "vocabulary_size" and size == own:
            self.draft.set("targets.vocabulary_coverage", None)
        self.draft.set(f"targets.{key}", None if size == own else size)


def estimate_words(estimate: Estimate, *, at_most: bool) -> str:
    """Both sizes in a line: "278.3 M → 22.8 M parameters · 91 MB · −91.8 %"; `at_most`: it may become smaller."""
    words = QCoreApplication.translate("TargetSection", "{} → {} parameters · {} · −{}")
    if at_most:
        words = QCoreApplication.translate("TargetSection", "{} → at most {} parameters · {} · −{}")
    before, after = parameters(estimate.teacher.parameters), parameters(estimate.student.parameters)
    return words.format(before, after, megabytes(estimate.student.megabytes), percent(estimate.compression))
