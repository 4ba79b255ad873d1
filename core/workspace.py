"""What the stages of a run share: its folder, recipe and texts, and the models that earlier stages left."""

from __future__ import annotations

import datetime
import itertools
import shutil
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, Protocol

from transformers import PreTrainedTokenizerBase

from core.analysis.allowances import shortest_training
from core.context import Context
from core.corpus.batches import MASKED_SHARE
from core.corpus.cache import tokenise
from core.corpus.prepare import PreparedCorpus, prepare
from core.distillation.answers import Answers, InTurn, OnDisk, Remembered
from core.distillation.checkpoint import TrainingState, read_about
from core.distillation.data import MASK_VARIANTS, TextData
from core.distillation.schedule import TrainingSettings
from core.distillation.training import Hooks
from core.errors import InputError, about
from core.events import Event, Message
from core.export.versions import versions
from core.live import LiveScores
from core.machine import machine_name, peak_memory
from core.micro_batches import micro_tokens
from core.model_files import ModelFiles
from core.models import LanguageModel, load, load_tokenizer, save
from core.no_number import only_numbers
from core.origin import teacher_fault
from core.pace import Pace
from core.preflight import Checked
from core.recipe import Recipe
from core.run import RunFolder
from core.run_context import RunContext
from core.sealing import intact, replace_folder, sealed, write_json
from core.small_files import read_object
from core.tasks.data import load_task
from core.tasks.examples import TaskData
from core.tasks.folds import folds_of
from core.tasks.leaks import Leaks, find_leaks
from core.wording import listing

_ANSWERS_MEMORY = 1 << 28
"""Bytes of a teacher's answers that are kept in memory."""
_OPERATIONS_A_BYTE = 1000
"""Multiplications of a teacher that a byte of its answers must save to go to disk: a slow disk reads 1e8 bytes in the
second in which a fast processor multiplies 1e11 times."""


class Saveable(Protocol):
    """What a checkpoint can hold besides notes."""

    @property
    def size(self) -> int:
        """Bytes that `save` writes, about."""

    def save(self, folder: Path, about: dict[str, Any]) -> None:
        """Write itself into a folder, with a state.json that `read_about` finds the notes in."""


@dataclass
class Workspace:
    """One run at work."""

    folder: RunFolder
    recipe: Recipe
    teacher: Checked
    ctx: RunContext
    stages: Sequence[str]
    """Names of this run's stages, in order."""
    training: TrainingState | None = None
    """What is being trained now."""
    answers: Answers | None = None
    """Where a teacher's answers are kept, where several runs share them."""
    times_models: bool = True
    """Whether speed and memory are measured at the end: not where runs go on side by side."""
    _memory: Remembered | None = None
    _checked: bool = False
    """Whether this process has hashed the checkpoint, or written and read it back: hashing a large one takes long."""
    _about_training: Mapping[str, Any] = field(default_factory=dict)

    @property
    def base(self) -> Path:
        """Where relative paths would start; the recipe's are absolute."""
        return self.folder.path

    @property
    def first_distillation(self) -> str:
        """The first stage that distils; its teacher is the one that everything is held against."""
        after_layers = "hidden" not in self.stages or self.recipe.method.distil_after == "each"
        return "layers" if "layers" in self.stages and after_layers else "hidden"

    @cached_property
    def corpus(self) -> PreparedCorpus:
        """The cleaned text."""
        with about("corpus.sources"):
            return prepare(self.recipe.corpus, self.base, self.recipe.seed, self.folder.cache / "corpus", self.ctx)

    @cached_property
    def tasks(self) -> dict[str, TaskData]:
        """The recipe's tasks by name."""
        code = self.recipe.language.code
        found = {}
        for task in self.recipe.tasks:
            with about(f"tasks.{task.name}.source"):
                found[task.name] = load_task(task.kind, task.source, self.base, code)
        for task in self.recipe.tasks:
            with about(f"tasks.{task.name}.folds"):
                # Refuses more than there is data for, before anything is trained.
                folds_of(task.folds, found[task.name])
        return found

    @cached_property
    def leaks(self) -> dict[str, Leaks]:
        """What of each task's test split stands elsewhere, too."""
        return find_leaks(self.tasks, itertools.chain(self.corpus.train, self.corpus.validation), self.ctx.check)

    @cached_property
    def live(self) -> LiveScores:
        """The live downstream curve."""
        recipe, report = self.recipe, self.corpus.report
        with self.reading(self.teacher.folder):
            tokenizer = load_tokenizer(self.teacher.folder)
        return LiveScores(
            recipe.tasks,
            self.tasks,
            recipe.seed,
            tokenizer=tokenizer,
            shortest=shortest_training(recipe),
            asked=MASK_VARIANTS * report.characters * report.train / report.kept,
        )

    def data(self, lm: LanguageModel, teacher: LanguageModel | None = None) -> TextData:
        """The corpus as this model reads it, with its teacher beside it where it has one."""
        return text_data(lm, self.corpus, self.recipe, self.folder.cache, self.ctx, teacher)

    # Stages on disk

    def stage_folder(self, name: str) -> Path:
        """Where a stage of this run leaves its report and model."""
        return self.folder.stages / f"{self.stages.index(name) + 1:02d}-{name}"

    def finished(self, name: str) -> bool:
        """Whether a stage is done: its files are whole, and those of the stages that it was built on."""
        return name in self._whole

    @cached_property
    def _whole(self) -> set[str]:
        return set(itertools.takewhile(lambda name: intact(self.stage_folder(name)), self.stages))

    def drop_unfounded(self) -> list[str]:
        """Remove stages that are not whole any more, with those that were built on them; returns their names."""
        dropped = [name for name in self.stages if name not in self._whole and self.stage_folder(name).exists()]
        for name in dropped:
            shutil.rmtree(self.stage_folder(name))
        return dropped

    def report(self, name: str) -> dict[str, Any]:
        """A finished stage's report."""
        return read_object(self.stage_folder(name) / "report.json")

    def finish_stage(
        self, name: str, report: Mapping[str, Any], lm: LanguageModel | None, files: Mapping[str, str] | None = None
    ) -> None:
        """Put a stage's report, model and further files on disk, as a whole, and drop the checkpoint."""
        found, gone = only_numbers({**report})
        if gone:
            text = f"Stage {name}: what was measured is no number and left out: {listing(gone)}."
            self.ctx.emit(Message(level="warning", text=text, doubt=True))

        def fill(folder: Path) -> None:
            write_json(folder / "report.json", {**found, "made_with": self._made_with(), "mark": self.ctx.mark()})
            for file, text in (files or {}).items():
                (folder / file).write_text(text, encoding="utf-8", newline="\n")
            if lm is not None:
                save(lm, folder / "model")

        self.ctx.make_room()
        self.folder.stages.mkdir(exist_ok=True)
        with self.pace.writing(4 * report["parameters"] if lm is not None else 0, checkpoint=False):
            replace_folder(self.stage_folder(name), fill, seal=True)
        self._whole.add(name)
        self._checked = False
        shutil.rmtree(self.folder.checkpoint, ignore_errors=True)
        shutil.rmtree(self._answers_folder, ignore_errors=True)  # the next stage asks other questions
        self._memory = None

    def _made_with(self) -> dict[str, Any]:
        """On what, with which versions and when: may differ from stage to stage of a run that was resumed."""
        ended = f"{datetime.datetime.now(datetime.UTC):%Y-%m-%d %H:%M} UTC"
        return {"versions": versions(), "machine": machine_name(self.recipe.schedule.device), "ended": ended}

    def made_elsewhere(self) -> str:
        """What of this program or machine is not as in the run's first stage, in words; empty where all is alike."""
        begun = self.stages[0]
        first = (self.report(begun) if self.finished(begun) else self.checkpointed(begun)).get("made_with")
        if not first:
            return ""
        now = self._made_with()
        others = [
            f"{name} {first['versions'].get(name, 'none')} and {version}"
            for name, version in now["versions"].items()
            if first["versions"].get(name) != version
        ]
        if self.recipe.schedule.device == "cuda" and first["machine"] != now["machine"]:
            others.append(f"{first['machine']} and {now['machine']}")
        return listing(others) if others else ""

    def folder_after(self, names: Sequence[str]) -> Path:
        """Where the model is that the last of these stages left; the teacher's where none is part of this run."""
        made = [self.stage_folder(name) / "model" for name in self.stages if name in names]
        return made[-1] if made else self.teacher.folder

    def model_after(self, names: Sequence[str]) -> LanguageModel:
        """The model in `folder_after`."""
        folder = self.folder_after(names)
        with self.reading(folder):
            lm, has_head = load(folder)
        if not has_head and folder == self.teacher.folder and self.recipe.teacher.adapt_steps == 0:
            raise InputError(
                f"The masked-language head in {folder} is not whole.",
                hint="Set teacher.adapt_steps above 0 (a few hundred or more): it trains one on the corpus.",
            )
        return lm

    @cached_property
    def teacher_files(self) -> ModelFiles:
        """The teacher's, noted before anything is loaded from them."""
        return ModelFiles(self.teacher.folder, self.ctx.check, teacher_fault(self.recipe))

    def reading(self, folder: Path) -> AbstractContextManager[None]:
        """Load a model in the body, from files that are as they were when its stage ended, or the run began.

        Raises:
            InputError: they were changed meanwhile: what was built on them would be mixed with another model.
        """
        if folder == self.teacher.folder:
            return self.teacher_files.reading()
        if not sealed(folder.parent):
            hint = "Resume the run: the stage is made anew, and what was built on it."
            raise InputError(f"The files in {folder.parent} have changed since they were written.", hint=hint)
        return nullcontext()

    def first_teacher(self) -> LanguageModel:
        """The model that everything is held against: adapted, and trimmed where the vocabulary goes first."""
        first = self.recipe.method.vocabulary_order == "first"
        return self.model_after(["adapt", "vocabulary"] if first else ["adapt"])

    # A teacher's answers

    def kept_answers(self, saved: float, size: float) -> Answers:
        """Where a stage's teacher's answers are kept: in memory; on disk, too, where that pays.

        It pays by counts, not by the clock; and it never changes a result, however much room there is.

        Args:
            saved: multiplications that keeping saves, a token of text.
            size: bytes of an answer, a token of text.
        """
        if self.answers is not None:
            return self.answers
        self._memory = self._memory or Remembered(_ANSWERS_MEMORY)
        if saved < _OPERATIONS_A_BYTE * size:
            return self._memory
        free = shutil.disk_usage(self.folder.path).free - self.teacher.needed_bytes
        return InTurn([self._memory, OnDisk(self._answers_folder, max(0, free) // 2)])

    @property
    def _answers_folder(self) -> Path:
        return self.folder.cache / "answers"

    # The checkpoint

    @cached_property
    def pace(self) -> Pace:
        """When a checkpoint is due."""
        return Pace(self.recipe.schedule.checkpoint_minutes, lambda: self.ctx.seconds)

    def checkpointed(self, stage: str) -> dict[str, Any]:
        """What the checkpoint says of this stage; empty where there is none of it."""
        self._checked = self._checked or intact(self.folder.checkpoint)
        about = read_about(self.folder.checkpoint) if self._checked else {}
        return about if about.get("stage") == stage else {}

    def save_progress(self, stage: str, state: Saveable | None, *, log_length: int | None = None, **about: Any) -> None:
        """Replace the checkpoint; `about` is what `checkpointed` will say.

        `log_length`: bytes of the event log to which the state belongs, where that isn't all of it.

        Raises:
            Stopped: the disk has no room for it, and the user wants the run to end.
        """
        self.ctx.make_room()
        mark = self.ctx.mark() | ({} if log_length is None else {"events_length": log_length})
        notes = {"stage": stage, **about, "made_with": self._made_with(), "peak_memory": self.peak_memory(stage)}
        notes["mark"] = mark

        def fill(folder: Path) -> None:
            if state is not None:
                state.save(folder, notes)
            else:
                write_json(folder / "state.json", {"about": notes})

        with self.pace.writing(state.size if state is not None else 0):
            replace_folder(self.folder.checkpoint, fill, seal=True)
        self._checked = True

    def save_training(self, stage: str) -> None:
        """Replace the checkpoint by what is being trained now."""
        state = self.training
        # What was told after the point that a training went back to never happened.
        log_length = state.counters.best_log if state is not None and state.went_back else None
        self.save_progress(stage, state, log_length=log_length, **self._about_training)

    def hooks(self, settings: TrainingSettings, **about: Any) -> Hooks:
        """What the training loop of a stage does besides training; `about` goes into its checkpoints."""
        self._about_training = about
        self.pace.begin()
        stage = settings.stage

        def probe(step: int, lm: LanguageModel) -> list[Event]:
            if not self.live.due(step, settings, lm):
                return []
            who: Literal["teacher", "student"] = "teacher" if stage == "adapt" else "student"
            return self.live.scores(stage, step, lm, who, self.ctx, bfloat16=settings.bfloat16)

        return Hooks(
            save=lambda _state: self.save_training(stage),
            due=lambda: self.training is not None and self.pace.due(self.training.size),
            probe=probe,
            clock=lambda: self.ctx.seconds,
            log_length=self.ctx.log_length,
        )

    def peak_memory(self, stage: str) -> int:
        """Largest memory that a process of this run has had, in bytes."""
        about = read_about(self.folder.checkpoint)  # unchecked: hashing a large checkpoint takes long
        earlier = int(about.get("peak_memory", 0)) if about.get("stage") == stage else 0
        return max(earlier, peak_memory())


def text_data(
    lm: LanguageModel,
    corpus: PreparedCorpus,
    recipe: Recipe,
    cache: Path,
    ctx: Context,
    teacher: LanguageModel | None = None,
) -> TextData:
    """A prepared corpus as a model reads it; `cache` is the run's own, beside the machine's."""
    tokenizer: PreTrainedTokenizerBase = lm.tokenizer
    length = min(recipe.corpus.max_length, lm.max_length)
    train, validation = (
        tokenise(texts, tokenizer.backend_tokenizer, length, cache, ctx) for texts in (corpus.train, corpus.validation)
    )
    # Adaptation asks without a teacher, and so does all that only measures: the usual share is theirs.
    share = float(recipe.method.masked_share) if teacher is not None else MASKED_SHARE
    schedule = recipe.schedule
    micro = micro_tokens(lm, schedule.device, teacher, share, bfloat16=schedule.precision == "bfloat16")
    return TextData(train, validation, tokenizer, recipe.seed, micro, share)
