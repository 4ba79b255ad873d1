"""The set-up as it is being made: what the user has set, and what follows from it. No widgets."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

from PySide6.QtCore import QObject, QTimer, Signal

from core.analysis.size import Estimate, target_faults
from core.errors import Fault, InputError
from core.families import Sizes
from core.recipe import Recipe, from_mapping, read, read_toml
from core.recipe_text import mapping_to_toml
from core.resolve import Pick
from core.sealing import write_atomic
from gui.draft_content import (
    STAND_INS,
    Content,
    absolute,
    append_tasks,
    defaults,
    drop_task,
    filled,
    plain,
    put,
    put_targets,
    put_task,
    put_teacher,
    vocabulary_part,
    without_empty,
)
from gui.draft_keeper import DraftKeeper
from gui.draft_teacher import DraftTeacher, Forecast
from gui.settings import SettingsFile
from gui.targets import AXES, nearest, steps, suggest

_SAVE_MILLISECONDS = 500
_MOST_UNDONE = 200
_DECIDE_WIDTHS = ("method.preset", "method.hidden_reduction")
"""Keys that decide which hidden sizes there are."""
_DECIDE_SIZES = ("teacher", "targets", "method")
"""Tables that decide the sizes."""
_NEEDED = ("teacher.model", "language.code", "corpus.sources")


@dataclass(frozen=True, slots=True)
class _State:
    content: Content
    base: Path


class Draft(QObject):
    """A recipe in the making: holds only what is set, so that presets and defaults go on holding for the rest."""

    changed = Signal()
    """What is set, or what is known of the teacher, is another."""

    def __init__(self, settings_file: SettingsFile | None = None, parent: QObject | None = None) -> None:
        """`settings_file` keeps the draft between starts; what it holds is taken up."""
        super().__init__(parent)
        self._state = _State({}, Path.home())
        self._before: list[_State] = []
        self._undone: list[_State] = []
        self._last_key = ""
        self._suggesting: Literal["no", "where impossible", "yes"] = "no"
        self._covering: tuple[Content, int] = {}, 0
        self._measured: tuple[object, tuple[Estimate | None, tuple[Fault, ...]]] | None = None
        self._read: tuple[_State, Recipe | None, tuple[Fault, ...]] | None = None
        self._teacher = DraftTeacher(self)
        self._teacher.found.connect(self._on_teacher)
        self._save_timer = QTimer(self, singleShot=True, interval=_SAVE_MILLISECONDS)
        self._save_timer.timeout.connect(self.keep)
        self._keeper = DraftKeeper(settings_file, self) if settings_file is not None else None
        if self._keeper is not None:
            self._state = _State(*self._keeper.take_up())
            self._follow_teacher()

    # -- what is set ---------------------------------------------------------------------------------------------

    @property
    def base(self) -> Path:
        """The folder that relative paths start from."""
        return self._state.base

    def value(self, key: str) -> Any:
        """What is set for a key such as "targets.layers"; None where nothing is."""
        table, _, name = key.rpartition(".")
        holder = self._state.content.get(table, {}) if table else self._state.content
        return copy.deepcopy(holder.get(name))

    @property
    def sizes(self) -> Sizes | None:
        """The teacher's, where they are known on this machine."""
        return self._teacher.sizes

    @property
    def teacher_faults(self) -> tuple[Fault, ...]:
        """Why the teacher can't be used, as far as its configuration tells."""
        return self._teacher.faults

    @property
    def looking(self) -> bool:
        """Whether the teacher's sizes are being looked up."""
        return self._teacher.looking

    @property
    def tasks(self) -> list[Content]:
        """What is set of each task."""
        return copy.deepcopy(self._state.content.get("tasks", []))

    @property
    def missing(self) -> tuple[str, ...]:
        """The keys that a recipe can't do without and that aren't set."""
        return tuple(key for key in _NEEDED if not self.value(key))

    @property
    def is_empty(self) -> bool:
        """Whether nothing is set at all."""
        return not self._state.content

    def set(self, key: str, value: Any) -> None:
        """Set a key; None leaves it to the preset or the default.

        Changes of the same key that follow each other are undone as one (see `seal`).
        """
        if self.value(key) != plain(value):
            edit = self._put_method if key in _DECIDE_WIDTHS else put
            self._change(key, partial(edit, key=key, value=value))

    def seal(self) -> None:
        """A change is finished: the next one of the same key is undone for itself."""
        self._last_key = ""

    def choose_teacher(self, model: str) -> None:
        """Set the teacher, and targets that suit it where none were chosen or they don't fit it."""
        if model == self.value("teacher.model"):
            return
        targets = self._targets()
        own = suggest(self.sizes, self._reduction()) if self.sizes else None
        chosen = targets or self.value("targets.vocabulary_coverage") is not None
        self._suggesting = "yes" if not chosen or targets == own else "where impossible"
        self.seal()
        self._change("teacher.model", partial(put_teacher, model=model))

    def use_suggestion(self) -> None:
        """Set every target to what suits the teacher."""
        if self.sizes is not None:
            self._change("targets", partial(put_targets, targets=suggest(self.sizes, self._reduction())))
            self.seal()

    @property
    def is_suggested(self) -> bool:
        """Whether the targets are those that were suggested."""
        return self.sizes is not None and self._targets() == suggest(self.sizes, self._reduction())

    def add_tasks(self, *tasks: Mapping[str, Any]) -> None:
        """Append tasks; one whose name is taken gets another."""
        self.seal()
        self._change("tasks", partial(append_tasks, tasks=tasks))
        self.seal()

    def set_task(self, index: int, key: str, value: Any) -> None:
        """Set a key of a task; None leaves it to the default."""
        if self.tasks[index].get(key) != plain(value):
            self._change(f"tasks[{index}].{key}", partial(put_task, index=index, key=key, value=value))

    def remove_task(self, index: int) -> None:
        """Take out a task."""
        self.seal()
        self._change("tasks", partial(drop_task, index=index))
        self.seal()

    def clear(self) -> None:
        """Begin anew; can be undone."""
        self.seal()
        self._change("", dict.clear)
        self.seal()

    # -- back and forth ------------------------------------------------------------------------------------------

    @property
    def can_undo(self) -> bool:
        """Whether there is a change to take back."""
        return bool(self._before)

    @property
    def can_redo(self) -> bool:
        """Whether a change that was taken back can be made again."""
        return bool(self._undone)

    def undo(self) -> None:
        """Take back the last change."""
        if self._before:
            self._undone.append(self._state)
            self._turn_to(self._before.pop())

    def redo(self) -> None:
        """Make the last change again that was taken back."""
        if self._undone:
            self._before.append(self._state)
            self._turn_to(self._undone.pop())

    # -- files ---------------------------------------------------------------------------------------------------

    def load(self, path: Path) -> tuple[Fault, ...]:
        """Take up a recipe file; can be undone.

        Returns:
            What is wrong with it: then the draft is as it was.
        """
        try:
            text = read(path)
        except InputError as error:
            return error.faults
        return self.load_text(text, path.absolute().parent)

    def load_text(self, text: str, base: Path) -> tuple[Fault, ...]:
        """Take up a recipe's text whose relative paths start from `base`; returns as `load` does."""
        faults = self._faults_of(text)
        if not faults:
            self._remember()
            self._turn_to(_State(read_toml(text), base))
        return faults

    def to_toml(self) -> str:
        """What is set, as a recipe."""
        return mapping_to_toml(self._state.content)

    def save(self, path: Path) -> None:
        """Write the recipe; in another folder, its paths become absolute.

        Raises:
            OSError: it can't be written.
        """
        folder = path.absolute().parent
        content = self._state.content if folder == self.base else absolute(self._state.content, self.base)
        write_atomic(path, mapping_to_toml(content).encode())
        if folder != self.base:
            self._state = _State(content, folder)
            self._follow()

    def keep(self) -> None:
        """Write the draft into the settings now."""
        self._save_timer.stop()
        if self._keeper is not None:
            self._keeper.keep(self._state.content, self.base)

    @property
    def left_out(self) -> tuple[Fault, ...]:
        """What could not be taken up of the draft that was kept."""
        return self._keeper.left_out if self._keeper is not None else ()

    def look_again(self) -> None:
        """Look anew at a teacher that could not be used: it may have been mended."""
        if self.teacher_faults:
            self._teacher.forget()
            self._follow_teacher()

    # -- what follows --------------------------------------------------------------------------------------------

    def recipe(self) -> Recipe | None:
        """The recipe; None where it lacks something or has faults (see `faults`)."""
        return None if self.missing else self._parsed()[0]

    @property
    def faults(self) -> tuple[Fault, ...]:
        """What is wrong with what is set, and with the targets for this teacher; what is missing is no fault."""
        recipe, faults = self._parsed()
        return (*faults, *self.teacher_faults, *(self._measure()[1] if recipe is not None else ()))

    @property
    def estimate(self) -> Estimate | None:
        """The sizes that the recipe gives; None while the teacher's aren't known or the targets don't fit."""
        return self._measure()[0]

    @property
    def forecast(self) -> Forecast | None:
        """What tells the run's time and memory, to be called off the window's thread; None where `estimate` is."""
        recipe, estimate = self.recipe(), self.estimate
        return self._teacher.forecast(recipe, self.base, estimate) if recipe and estimate else None

    @property
    def cost(self) -> tuple[float, float] | None:
        """The student's megabytes without any token, and those of each token; None where `estimate` is."""
        recipe = self._parsed()[0]
        return self._teacher.cost(recipe) if recipe is not None else None

    @property
    def vocabulary_question(self) -> Content:
        """What decides which tokens are kept: a recipe of its own, whatever the rest of the draft holds."""
        return vocabulary_part(self._state.content)

    @property
    def covering(self) -> int | None:
        """How many tokens cover what `targets.vocabulary_coverage` asks for, once counted."""
        question, size = self._covering
        return size if self.value("targets.vocabulary_coverage") and question == self.vocabulary_question else None

    def know_covering(self, size: int) -> None:
        """The tokens of `vocabulary_question` have been counted."""
        if self.is_at_most:
            self._covering = self.vocabulary_question, size
            self.changed.emit()

    @property
    def is_at_most(self) -> bool:
        """Whether `estimate` counts all of the teacher's tokens, as how many the coverage takes isn't known yet."""
        return bool(self.value("targets.vocabulary_coverage")) and self.covering is None

    def default(self, key: str) -> Any:
        """What holds for a key that is not set: the preset's or the general default; None for the teacher's own."""
        preset, code = self.value("method.preset"), self.value("language.code")
        if key == "name" and code is None:
            return None  # it begins with the language
        return defaults(preset, code).get(key)

    def effective(self, key: str) -> Any:
        """What holds for a key, set or not."""
        value = self.value(key)
        return self.default(key) if value is None else value

    def decided(self, key: str) -> Pick | None:
        """What "auto" becomes for a key, and why; None where it has none, or it isn't known before the run."""
        recipe = self._parsed()[0]
        return self._teacher.choices(recipe).get(key) if recipe is not None else None

    # -- inside --------------------------------------------------------------------------------------------------

    def _targets(self) -> dict[str, int]:
        return {key: self.value(f"targets.{key}") for key in AXES if self.value(f"targets.{key}") is not None}

    def _reduction(self) -> str:
        return str(self.effective("method.hidden_reduction"))

    def _put_method(self, content: Content, key: str, value: Any) -> None:
        """Set a key that decides which hidden sizes there are, and the hidden size to one that there is."""
        put(content, key, value)
        if self.sizes is None:
            return
        # Only of what decides it: there may be faults elsewhere.
        method = {name: word for name, word in content.get("method", {}).items() if f"method.{name}" in _DECIDE_WIDTHS}
        reduction = from_mapping({**STAND_INS, "method": method}).method.hidden_reduction
        hidden = self.value("targets.hidden_size")
        widths = steps("hidden_size", self.sizes, self.value("targets.attention_heads"), reduction)
        if self.is_suggested:
            put_targets(content, suggest(self.sizes, reduction))
        elif hidden is not None and hidden not in widths:
            put(content, "targets.hidden_size", nearest(hidden, widths))

    def _change(self, key: str, edit: Callable[[Content], object]) -> None:
        """Edit the content; the change joins the last one where that was of the same key."""
        content = copy.deepcopy(self._state.content)
        edit(content)
        if not key or key != self._last_key:
            self._remember()
        self._state, self._last_key = _State(without_empty(content), self.base), key
        self._undone.clear()
        self._follow()

    def _remember(self) -> None:
        self._before = [*self._before, self._state][-_MOST_UNDONE:]
        self._undone.clear()

    def _turn_to(self, state: _State) -> None:
        self._state, self._suggesting = state, "no"
        self.seal()
        self._follow()

    def _follow(self) -> None:
        """Everything that a change brings with it."""
        self._follow_teacher()
        self._save_timer.start()
        self.changed.emit()

    def _follow_teacher(self) -> None:
        if self._teacher.follow(self.value("teacher.model"), self.base):
            self._suggest()

    def _on_teacher(self) -> None:
        self._suggest()
        self.changed.emit()

    def _suggest(self) -> None:
        """Give a teacher that was just chosen targets that suit it; part of the same change."""
        if self.sizes is None or self._suggesting == "no":
            return
        always, self._suggesting = self._suggesting == "yes", "no"
        reduction, targets = self._reduction(), self._targets()
        given = {AXES[key]: size for key, size in targets.items()}
        heads = self.value("targets.attention_heads")
        if always or target_faults(self.sizes, **given, heads=heads, hidden_reduction=reduction):
            content = copy.deepcopy(self._state.content)
            put_targets(content, suggest(self.sizes, reduction))
            self._state = _State(without_empty(content), self.base)
            self._save_timer.start()

    def _parsed(self) -> tuple[Recipe | None, tuple[Fault, ...]]:
        """The recipe, with something in place of what is missing; or what is wrong with it."""
        if self._read is None or self._read[0] is not self._state:
            try:
                self._read = self._state, from_mapping(filled(self._state.content)), ()
            except InputError as error:
                self._read = self._state, None, error.faults
        return self._read[1:]

    def _measure(self) -> tuple[Estimate | None, tuple[Fault, ...]]:
        tables = {key: self._state.content.get(key, {}) for key in _DECIDE_SIZES}
        asked = (tables, self.covering, self.sizes)
        if self._measured is None or self._measured[0] != asked:
            self._measured = asked, self._measure_now()
        return self._measured[1]

    def _measure_now(self) -> tuple[Estimate | None, tuple[Fault, ...]]:
        recipe = self._parsed()[0]
        if recipe is None:
            return None, ()
        try:
            return self._teacher.estimate(recipe, recipe.targets.vocabulary_size or self.covering), ()
        except InputError as error:
            return None, error.faults

    def _faults_of(self, text: str) -> tuple[Fault, ...]:
        """What is wrong with a recipe's text; it may lack what a draft may."""
        try:
            content = read_toml(text)
        except ValueError as error:
            problem = self.tr("The recipe is not TOML: {}.").format(error)
            return (Fault(problem, self.tr("Mend the line that it names.")),)
        try:
            from_mapping(filled(content))
        except InputError as error:
            return error.faults
        return ()
