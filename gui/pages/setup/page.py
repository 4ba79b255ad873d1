"""The set-up page: five parts, what is wrong in each, and the button that starts."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtGui import QKeySequence
from PySide6.QtWidgets import QFileDialog, QFrame, QHBoxLayout, QPushButton, QScrollArea, QVBoxLayout, QWidget

from core.errors import Fault
from gui.draft import Draft
from gui.jobs import Job
from gui.pages.setup.corpus import CorpusSection
from gui.pages.setup.header import Header
from gui.pages.setup.language import LanguageFacts, LanguageSection
from gui.pages.setup.latest_job import LatestJob
from gui.pages.setup.more import MoreSection
from gui.pages.setup.section import Section, merged
from gui.pages.setup.target import TargetSection, estimate_words
from gui.pages.setup.tasks import TasksSection
from gui.pages.setup.teacher import TeacherSection
from gui.settings import SettingsFile
from gui.text import count
from gui.theme import SPACE, set_role
from gui.widgets.elided import ElidedLabel
from gui.widgets.problem import Action, ProblemCard

_RECIPES = "*.toml"
_REVEAL_MILLISECONDS = 1500
"""How long a part that was opened may take to get its full size."""
_AROUND_FIELD = 60
"""How much is shown above and below a field that is scrolled to: its words among it."""


class SetupPage(QWidget):
    """Shows a draft and checks it as it grows."""

    compress_requested = Signal(str, object)
    """The recipe as TOML, and the folder (`Path`) that its relative paths start from."""

    def __init__(self, draft: Draft, settings: SettingsFile, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("page-setup")
        self.setAccessibleName(self.tr("Set up"))
        self.draft = draft
        self._found: tuple[Fault, ...] = ()
        self._pressed = False
        self._to_mend = 0
        self._revealed: QWidget | None = None
        self._scrolled = 0
        self._reveal_timer = QTimer(self, singleShot=True, interval=_REVEAL_MILLISECONDS)
        self._reveal_timer.timeout.connect(self._end_reveal)
        self.teacher = TeacherSection(draft, settings)
        self.language = LanguageSection(draft)
        self.corpus = CorpusSection(draft)
        self.target = TargetSection(draft, settings)
        self.tasks = TasksSection(draft)
        self.more = MoreSection(draft)
        self._check = LatestJob("check", self)
        self._check.done.connect(self._on_checked)
        self._check.failed.connect(self._on_faults)
        self._build()
        self.language.facts_found.connect(self._on_language)
        self._follows_draft = draft.changed.connect(self.refresh)
        self.refresh()
        self.teacher.button.setFocus()

    @property
    def sections(self) -> dict[str, Section]:
        """The parts from top to bottom, by the recipe's table that each is about."""
        return {
            "teacher": self.teacher,
            "language": self.language,
            "corpus": self.corpus,
            "targets": self.target,
            "tasks": self.tasks,
            "more": self.more,
        }

    def _build(self) -> None:
        self.header = Header(self.draft, self)
        self.header.open_wanted.connect(self._open_recipe)
        self.header.save_wanted.connect(self._save_recipe)
        self.file_problems = ProblemCard(self)
        inner = QWidget(self)
        inner.setProperty("role", "page")
        cards = QVBoxLayout(inner)
        cards.setContentsMargins(0, 0, 0, 0)
        cards.setSpacing(SPACE.s)
        for section in self.sections.values():
            section.toggled.connect(partial(self._on_toggled, section))
            section.next_wanted.connect(partial(self._go_on, section))
            section.judged.connect(self._on_judged)
            cards.addWidget(section)
        cards.addStretch()
        self.scroll = QScrollArea(self)
        self.scroll.setWidgetResizable(True)
        self.scroll.setFrameShape(QFrame.Shape.NoFrame)
        self.scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.scroll.setWidget(inner)
        self.scroll.verticalScrollBar().rangeChanged.connect(self._reveal)

        self.state = ElidedLabel(parent=self)
        self.state.setObjectName("label-setup-state")
        self.button = QPushButton(self.tr("Compress"), self)
        self.button.setObjectName("button-compress")
        self.button.setAccessibleName(self.tr("Compress"))
        self.button.setToolTip(self.tr("Start the run (Ctrl+Return). It can be paused and stopped at any time."))
        self.button.setShortcut(QKeySequence(Qt.Modifier.CTRL | Qt.Key.Key_Return))
        self.button.setMinimumSize(140, 36)
        set_role(self.button, "primary")
        self.button.clicked.connect(self._on_compress)
        bar = QHBoxLayout()
        bar.setSpacing(SPACE.m)
        bar.addWidget(self.state, 1)
        bar.addWidget(self.button)
        rows = QVBoxLayout(self)
        rows.setContentsMargins(SPACE.l, SPACE.m, SPACE.l, SPACE.m)
        rows.setSpacing(SPACE.s)
        rows.addWidget(self.header)
        rows.addWidget(self.file_problems)
        rows.addWidget(self.scroll, 1)
        rows.addLayout(bar)

    # -- what is shown -------------------------------------------------------------------------------------------

    def refresh(self) -> None:
        """Show the draft."""
        self.header.refresh()
        self.file_problems.show_faults(() if self.draft.can_undo else self.draft.left_out)
        for section in self.sections.values():
            section.refresh()
        self._recheck()
        self._show_state()

    def end(self) -> None:
        """The window closes: end what is under way, keep the draft."""
        # Answers that the draft still waits for would have what is ended here begun anew.
        self.disconnect(self._follows_draft)
        self._check.forget()
        for section in self.sections.values():
            section.end()
        for job in self.findChildren(Job):  # all were told to end: they are waited for together
            job.end()
        self.draft.keep()

    def _recheck(self) -> None:
        if self.draft.recipe() is None:
            self._check.forget()
            self._found = ()
            self._pressed = False
        elif self._check.ask(self._question()):
            self._pressed = False  # what was pressed for is another recipe
        self._show_faults()

    def _look_again(self) -> None:
        """Check what is on disk anew: it may have been mended."""
        self.draft.look_again()
        if self.draft.recipe() is not None:
            self._check.ask(self._question(), again=True)

    def _question(self) -> dict[str, str]:
        return {"recipe": self.draft.to_toml(), "base": str(self.draft.base)}

    def _show_faults(self) -> None:
        found = tuple(dict.fromkeys((*self.draft.faults, *self._found)))
        placed: dict[str, list[Fault]] = {name: [] for name in self.sections}
        for fault in found:
            table = fault.key.partition(".")[0].partition("[")[0]
            placed[table if table in placed else "more"].append(fault)
        self._to_mend = len(self.target.vocabulary.refused)
        for name, section in self.sections.items():
            faults = [*placed[name], *(control.fault for control in section.wrong)]
            section.show_faults(faults)
            self._to_mend += len(merged(faults))

    def _show_state(self) -> None:
        missing = [self.sections[key.partition(".")[0]].title for key in self.draft.missing]
        estimate = self.draft.estimate
        role = ""
        if missing:
            text = self.tr("Still to choose: {}.").format(", ".join(missing))
            wrong = [section.title for section in self.sections.values() if section.has_faults]
            if wrong:
                text += " " + self.tr("To mend: {}.").format(", ".join(wrong))
        elif self._to_mend and not self._pressed:
            number = self._to_mend
            one, many = (
                self.tr("1 thing to mend before it can start."),
                self.tr("{} things to mend before it can start."),
            )
            text, role = one if number == 1 else many.format(count(number)), "bad"
        elif self._check.busy or self.draft.looking:
            text = self.tr("Checking…")
        elif estimate is None:
            text = self.tr("Ready. How small it becomes shows when the teacher is here.")
        elif len(estimate.stages) == 1:
            text, role = self.tr("Ready, but nothing is made smaller: move a slider."), "warn"
        else:
            text, role = self.tr("Ready: {}").format(estimate_words(estimate, at_most=self.draft.is_at_most)), "good"
        self.state.setText(text)
        set_role(self.state, role)
        self.button.setEnabled(not missing and self.draft.recipe() is not None)

    # -- what the user does --------------------------------------------------------------------------------------

    def open_recipe(self, path: Path) -> None:
        """Take up a recipe file, or tell what is wrong with it."""
        faults = self.draft.load(path)
        if faults:
            said = "\n".join(f"{fault.problem} {fault.hint}".strip() for fault in faults)
            self._tell(self.tr("{} can't be opened; the set-up is as it was.").format(path.name), said)
        else:
            self.file_problems.hide()

    def show_key(self, key: str) -> None:
        """Open the part that holds a key of the recipe, at the key's own field where it has one; none for no key."""
        if not key:
            return
        table = key.partition(".")[0].partition("[")[0]
        part = self.sections[table if table in self.sections else "more"]
        part.open()
        field = self.more.field(key)
        if field is not None:
            field.editor.setFocus()
        else:
            part.focus_first()
        self._show_whole(field or part)

    def _tell(self, problem: str, hint: str) -> None:
        close = Action(self.tr("Close"), self.file_problems.hide, self.tr("Put this message away."))
        self.file_problems.show_trouble(problem, hint, close)

    def _open_recipe(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self, self.tr("Open a recipe"), str(self.draft.base), self._kinds())
        if path:
            self.open_recipe(Path(path))

    def _save_recipe(self) -> None:
        # A name that was typed or read may still hold a path: only its end is proposed.
        proposed = self.draft.base / Path(f"{self.draft.value('name') or 'recipe'}.toml").name
        path, _ = QFileDialog.getSaveFileName(self, self.tr("Save the recipe"), str(proposed), self._kinds())
        if path:
            self.save_recipe(Path(path))

    def save_recipe(self, path: Path) -> None:
        """Write the recipe, or tell why it can't be written."""
        try:
            self.draft.save(path)
        except OSError as error:
            problem = self.tr("{} can't be written: {}.").format(path, error.strerror)
            self._tell(problem, self.tr("Choose another folder."))

    def _kinds(self) -> str:
        return self.tr("Recipes") + f" ({_RECIPES})"

    def _on_judged(self) -> None:
        self._pressed = False
        self._show_faults()
        self._show_state()

    def _on_compress(self) -> None:
        self.button.setFocus()  # a field that is being typed into is finished by it, by the shortcut too
        if self._is_stale and not self._check.busy:
            self._look_again()
        if (
            self.draft.faults
            or self.target.vocabulary.refused
            or any(section.wrong for section in self.sections.values())
        ):
            self._go_to_faults()
        elif self._check.busy:
            self._pressed = True  # what is found decides
            self._show_state()
        else:
            self.compress_requested.emit(self.draft.to_toml(), self.draft.base)

    @property
    def _is_stale(self) -> bool:
        """Whether something is wrong that can be mended outside the window."""
        return bool(self._found or self.draft.teacher_faults)

    def _go_to_faults(self) -> None:
        # What was typed is known to be wrong now; a fault that the check found may be mended.
        faulty = sorted((part for part in self.sections.values() if part.has_faults), key=lambda part: not part.wrong)
        section = faulty[0]
        section.open()
        if section.wrong:
            field = section.wrong[0]
            field.editor.setFocus()
            self._show_whole(field)
        else:
            section.focus_first()
            self._show_whole(section)

    def _on_toggled(self, section: Section, opened: bool) -> None:
        if not opened:
            return
        if self._is_stale and not self._check.busy:
            self._look_again()
        for other in self.sections.values():
            if other is not section and other is not self.target:
                other.open(False)
        self._show_whole(section)

    def _go_on(self, section: Section) -> None:
        parts = list(self.sections.values())
        section.open(False)
        following = next(part for part in parts[parts.index(section) + 1 :] if self._can_go_on_to(part))
        if following is self.more:
            following.button.setFocus()  # beginners can leave it alone
        else:
            following.open()
            following.focus_first()
        self._show_whole(following)

    def _can_go_on_to(self, part: Section) -> bool:
        """The target can only be set where the teacher's sizes are known."""
        return part is not self.target or self.draft.sizes is not None

    def _show_whole(self, widget: QWidget) -> None:
        """Scroll to a part or a field; to one that was just opened once the layout has made room."""
        self._scroll_to(widget)
        self._revealed, self._scrolled = widget, self.scroll.verticalScrollBar().value()
        self._reveal_timer.start()

    def _reveal(self) -> None:
        """A part that was just opened has got its room, or more of it."""
        bar = self.scroll.verticalScrollBar()
        if self._revealed is not None and bar.value() in (self._scrolled, bar.maximum()):  # else the user scrolls
            self._scroll_to(self._revealed)
            self._scrolled = bar.value()

    def _end_reveal(self) -> None:
        self._reveal()
        self._revealed = None

    def _scroll_to(self, widget: QWidget) -> None:
        if not isinstance(widget, Section):
            self.scroll.ensureWidgetVisible(widget, 0, _AROUND_FIELD)
            return
        bar, view = self.scroll.verticalScrollBar(), self.scroll.viewport().height()
        top, bottom = widget.y(), widget.y() + widget.height()
        if top < bar.value() or bottom > bar.value() + view:
            bar.setValue(top)  # to the top, as it may still grow

    # -- what comes back -----------------------------------------------------------------------------------------

    def _on_language(self, facts: LanguageFacts | None) -> None:
        self.teacher.show_volume(self.language.read_words(), self.language.read_note())
        self.corpus.show_language(facts)
        self.tasks.show_language(facts)

    def _on_checked(self, result: object) -> None:
        self._take(())

    def _on_faults(self, faults: Sequence[Fault]) -> None:
        self._take(tuple(faults))

    def _take(self, faults: tuple[Fault, ...]) -> None:
        pressed, self._pressed = self._pressed, False
        self._found = faults
        self._show_faults()
        self._show_state()
        if pressed and self._to_mend:
            self._go_to_faults()
        elif pressed:
            self.compress_requested.emit(self.draft.to_toml(), self.draft.base)
