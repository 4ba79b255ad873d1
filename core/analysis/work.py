"""What a run has to do, part by part, in the units that take time. From sizes alone: no torch, no files.

Multiplications are counted as the stages do them (see `core.analysis.operations`). What is left out: checkpoints on the
clock, the words of messages. Where a width is cut in rounds, all of its steps count as those of the final width.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Literal

from core.analysis.allowances import (
    MOST_SCORED,
    TIMING_SECONDS,
    copies_may_hold,
    is_timed,
    probe_interval,
    set_share,
    shortest_training,
)
from core.analysis.amounts import Amounts
from core.analysis.lessons import Profile, Taught, lessons, step_work
from core.analysis.operations import Reading, forward, training
from core.analysis.size import EVALUATE, Estimate
from core.distillation.schedule import TrainingSettings
from core.families import Family, Sizes
from core.recipe import Recipe, Task
from core.tasks.folds import AUTO_FOLDS, TINY, VALIDATED
from core.tasks.kinds import KINDS

USUAL_SHARE = 0.15
"""Of tokens that are masked where it isn't the recipe's to say."""
TRIAL_TOKENS, LAYER_TOKENS, FEED_FORWARD_TOKENS, HIDDEN_TOKENS = 8_192, 16_384, 16_384, 24_576
VALIDATION_TOKENS, VALIDATION_TEXTS, PROVED_TEXTS = 200_000, 2_000, 50
LAYER_SETS, FEW_SETS = 4, 70
MASK_VARIANTS, ANSWERS_MEMORY, OPERATIONS_A_BYTE, TRIED_AGAIN = 4, 1 << 28, 1000, 0.5
"""When a teacher's answers come again, and where they are kept: as `core.learning` and `core.workspace` have it."""
_PROBE_TEXTS, _PROBE_LENGTH = 500, 128
_WORD_BYTES = 6.0
"""Of a word and the space after it; an assumption."""
_RATE_TRIALS = (3, 3.5, 5)
"""Least, usual and most learning rates that are tried."""
_ASSUMED_CORPUS = 5e7
"""Bytes of a corpus without a limit whose size isn't known."""
_IMPORTS_SECONDS, _FIRST_USE_SECONDS, _CLOSING_SECONDS = 4.0, 2.5, 1.0
"""Loading torch and transformers; what the first passes and scores load besides; the page and the model card."""

Basis = Literal["measured", "derived", "assumed"]
"""Where a part's time comes from: steps like those measured; other passes at their speed; a stated assumption."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A part of a run, as what takes time in it."""

    name: str
    stage: str
    """The stage that it is done in; empty for what comes before the first and after the last one."""
    basis: Basis = "derived"
    teacher: float = 0.0
    """Multiplications in models as wide as the teacher."""
    student: float = 0.0
    """Multiplications in the student, its comparison with the teacher among them."""
    updates: float = 0.0
    """Parameters that the optimiser changes, each time it does."""
    read: float = 0.0
    """Bytes of text that are read and cleaned."""
    tokenised: float = 0.0
    """Bytes of text that are tokenised."""
    moved: float = 0.0
    """Bytes of models that are written, checked or read."""
    seconds: float = 0.0
    """What takes its time on any machine."""
    least: float = 1.0
    """The share of it that may do, where results decide how much is done."""
    most: float = 1.0
    """The multiple of it that may be needed."""


def parts(recipe: Recipe, family: Family, sizes: Estimate, profile: Profile, amounts: Amounts) -> list[Part]:
    """Everything that a run does.

    Args:
        recipe: its `auto`s settled (`core.resolve.settled`).
        family: the teacher's.
        sizes: of the teacher and after every stage.
        profile: of the recipe's text.
        amounts: of text.
    """
    return list(_Run(recipe, family, sizes, profile, amounts).parts())


def answer_bytes(recipe: Recipe, family: Family, sizes: Estimate, profile: Profile, amounts: Amounts) -> float:
    """Bytes of a teacher's answers that a run keeps in memory at once, at most; arguments as for `parts`."""
    return _Run(recipe, family, sizes, profile, amounts).answer_bytes()


class _Run:
    """A run, about to be counted."""

    def __init__(self, recipe: Recipe, family: Family, sizes: Estimate, profile: Profile, amounts: Amounts) -> None:
        self.recipe, self.family, self.sizes, self.profile = recipe, family, sizes, profile
        self.amounts = amounts
        self.lessons = lessons(recipe, sizes)
        self.stages = {stage.name: stage.size.sizes for stage in sizes.stages}
        known, limit = amounts.corpus, recipe.corpus.limit
        most = limit * profile.text_bytes if limit else _ASSUMED_CORPUS if known is None else known
        self.text = most if known is None else min(known, most)
        texts = max(1.0, self.text / profile.text_bytes)
        held_out = min(VALIDATION_TEXTS, max(1.0, texts * recipe.corpus.validation_fraction))
        self.held_out = held_out * profile.text_bytes / profile.token_bytes
        """Tokens of the validation texts."""

    def parts(self) -> Iterator[Part]:
        first = next(iter(self.stages))
        known = self.amounts.corpus is not None
        teacher = 4.0 * self.sizes.teacher.parameters
        yield Part(name="start-up", stage="", basis="assumed", seconds=_IMPORTS_SECONDS)
        yield Part(name="first use", stage=first, basis="assumed", seconds=_FIRST_USE_SECONDS, moved=teacher)
        times = 2 if "vocabulary" in self.stages else 1
        text = Part(name="text", stage=first, read=self.text, tokenised=times * self.text)
        yield text if known else replace(text, basis="assumed")
        for stage, after in self.stages.items():
            if stage != EVALUATE:
                yield from self._stage(stage, after)
        for taught in self.lessons:
            yield from self._lesson(taught)
        yield from self._evaluation()
        student = 4.0 * self.sizes.student.parameters
        yield Part(name="closing", stage="", basis="assumed", seconds=_CLOSING_SECONDS, moved=3 * student)

    def _stage(self, stage: str, after: Sizes) -> Iterator[Part]:
        """What a stage does besides distilling."""
        before = self._before(stage)
        made = 4.0 * sum(self.family.parameters(after).values())
        yield Part(name="saving", stage=stage, basis="assumed", moved=3 * made)
        held_out = min(self.held_out, VALIDATION_TOKENS)
        yield self._pass("validation after a stage", stage, after, held_out)
        if stage == "adapt":
            yield from self._adaptation()
        elif stage == "vocabulary":
            proved = PROVED_TEXTS * self.profile.text_bytes / self.profile.token_bytes
            yield self._pass("proof", stage, before, 2 * min(proved, self.held_out))
        elif stage == "layers" and self.recipe.method.layer_selection == "measured":
            yield from self._layer_sets(before, after)
        elif stage == "feed_forward":
            yield self._pass("choice of units", stage, before, 3 * FEED_FORWARD_TOKENS)
        elif stage == "hidden" and after.hidden != before.hidden:
            # Truncation looks at nothing, gradients take three passes: in between.
            yield self._pass("choice of directions", stage, before, 2 * HIDDEN_TOKENS)

    def _before(self, stage: str) -> Sizes:
        """The sizes before a stage."""
        names = list(self.stages)
        place = names.index(stage)
        return self.stages[names[place - 1]] if place else self.sizes.teacher.sizes

    def _pass(self, name: str, stage: str, model: Sizes, tokens: float) -> Part:
        """A forward pass with predictions at the usual places."""
        masked = USUAL_SHARE * tokens
        work = forward(self.family, model, Reading(tokens, tokens * self.profile.attended, masked, masked))
        if model.hidden == self.sizes.teacher.sizes.hidden:
            return Part(name=name, stage=stage, teacher=work)
        return Part(name=name, stage=stage, student=work)

    def _masked_copies(self, model: Sizes) -> Part:
        """Pseudo-perplexity."""
        length = self.profile.attended
        scored = min(MOST_SCORED, self.held_out, copies_may_hold(self.recipe.schedule) / length)
        return self._pass("pseudo-perplexity", EVALUATE, model, scored * length)

    def _adaptation(self) -> Iterator[Part]:
        steps, teacher = self.recipe.teacher.adapt_steps, self.sizes.teacher
        plan = self._plan("adapt", steps)
        tokens = float(steps * plan.batch_tokens)
        masked = USUAL_SHARE * tokens
        work = training(self.family, teacher.sizes, Reading(tokens, tokens * self.profile.attended, masked, masked))
        yield Part(name="adaptation", stage="adapt", teacher=work, updates=float(steps * teacher.parameters))
        tokens = _validations(plan) * min(plan.validation_tokens, self.held_out)
        yield self._pass("validation", "adapt", teacher.sizes, tokens)

    def _layer_sets(self, before: Sizes, after: Sizes) -> Iterator[Part]:
        """Sets of layers, first as they are, then the best of them after a short training."""
        passes, sets = layer_passes(before.layers, after.layers)
        one = Reading(LAYER_TOKENS, LAYER_TOKENS * self.profile.attended, 0, 0)
        masked = USUAL_SHARE * LAYER_TOKENS
        layer = forward(self.family, before, one) / before.layers
        head = masked * before.hidden * (before.hidden + before.vocabulary)
        yield Part(name="layer sets", stage="layers", teacher=passes * layer + sets * head)
        steps = trial_steps(self.lessons[0].steps) if self.lessons else 0
        if not steps:
            return
        trials = min(LAYER_SETS, math.comb(before.layers, after.layers))
        taught = Taught("layers", steps, after, self.lessons[0].teacher)
        # What is tried is as wide as the teacher, and so is its speed.
        trial = self._trials("layer sets", taught, trials)
        yield replace(trial, teacher=trial.teacher + trial.student, student=0.0)

    def _trials(self, name: str, taught: Taught, trials: float) -> Part:
        """Short trainings of `taught.steps` steps each, with the same texts: the teacher's answers are remembered."""
        size = self.recipe.schedule.batch_tokens
        theirs, ours = step_work(self.family, taught, self.recipe, self.profile, size)
        theirs_after, ours_after = self._validation(taught, min(TRIAL_TOKENS, self.held_out))
        kept = self._kept(taught, taught.steps, TRIED_AGAIN)
        return Part(
            name=name,
            stage=taught.stage,
            teacher=(theirs * taught.steps + theirs_after) * (1 + (trials - 1) * (1 - kept)),
            student=trials * (ours * taught.steps + ours_after),
            updates=trials * taught.steps * float(sum(self.family.parameters(taught.student).values())),
        )

    def _answer_bytes(self, taught: Taught) -> float:
        """Of what the teacher says, a token of text."""
        method, teacher = self.recipe.method, taught.teacher
        compared = 1.0 if method.kd_loss == "mse" else float(method.masked_share)
        states = 2 * taught.student.layers * teacher.hidden if float(method.hidden_weight) else 0
        return states + 4 * teacher.hidden * compared

    def _kept(self, taught: Taught, steps: float, repeated: float) -> float:
        """Which share of the teacher's answers to so many steps is kept, where `repeated` of what is asked comes again.

        That the disk has room is taken for granted.
        """
        size = self._answer_bytes(taught)
        once = forward(self.family, taught.teacher, Reading(1, 0, 0, float(self.recipe.method.masked_share)))
        if repeated * once >= OPERATIONS_A_BYTE * size:
            return 1.0
        return min(1.0, ANSWERS_MEMORY / max(1.0, size * steps * self.recipe.schedule.batch_tokens))

    def _fresh(self, taught: Taught) -> float:
        """Which share of a distillation's steps holds what no earlier one held: masks come again after some epochs."""
        tokens = self.text / self.profile.token_bytes - self.held_out
        per_epoch = max(1.0, tokens / self.recipe.schedule.batch_tokens)
        return min(1.0, MASK_VARIANTS * per_epoch / taught.steps)

    def answer_bytes(self) -> float:
        """Of the answers that are kept in memory at once, at most."""
        size = self.recipe.schedule.batch_tokens
        held = [self._answer_bytes(one) * size * one.steps * self._fresh(one) for one in self.lessons]
        return min(ANSWERS_MEMORY, max(held, default=0.0))

    def _lesson(self, taught: Taught) -> Iterator[Part]:
        schedule = self.recipe.schedule
        plan, steps = self._plan(taught.stage, taught.steps), taught.steps
        theirs, ours = step_work(self.family, taught, self.recipe, self.profile, schedule.batch_tokens)
        fresh = self._fresh(taught)
        asked = steps * (fresh + (1 - fresh) * (1 - self._kept(taught, fresh * steps, 1 - fresh)))
        updates = steps * float(sum(self.family.parameters(taught.student).values()))
        # It may end early where the recipe allows it: how early, only the losses tell.
        least = 0.4 if plan.patience else 1.0
        distillation = Part(name="distillation", stage=taught.stage, basis="measured", least=least)
        yield replace(distillation, teacher=asked * theirs, student=steps * ours, updates=updates)
        trial = trial_steps(steps) if schedule.learning_rate == "auto" else 0
        if trial:
            least, usual, most = _RATE_TRIALS
            rates = self._trials("learning rates", replace(taught, steps=trial), usual)
            yield replace(rates, least=least / usual, most=most / usual)
        theirs, ours = self._validation(taught, min(plan.validation_tokens, self.held_out))
        times = _validations(plan)  # the teacher's answers to the first one are remembered
        yield Part(name="validation", stage=taught.stage, teacher=theirs, student=times * ours)
        yield self._probes(taught, plan)

    def _validation(self, taught: Taught, tokens: float) -> tuple[float, float]:
        """The teacher's and the student's multiplications for so many validation tokens; nothing is learnt."""
        theirs, ours = step_work(self.family, taught, self.recipe, self.profile, tokens, USUAL_SHARE)
        return theirs, ours / 3

    def _plan(self, stage: str, steps: int) -> TrainingSettings:
        schedule = self.recipe.schedule
        return TrainingSettings(
            stage=stage, steps=steps, batch_tokens=schedule.batch_tokens, learning_rate=0.0,
            warmup_fraction=schedule.warmup_fraction, evaluate_every=schedule.evaluate_every,
            patience=schedule.patience, alpha=0.5, seed=0, bfloat16=False,
        )  # fmt: skip

    def _probes(self, taught: Taught, plan: TrainingSettings) -> Part:
        """The live scores, as `core.live` takes them."""
        length = min(_PROBE_LENGTH, self.profile.attended)
        tokens = length * sum(min(_PROBE_TEXTS, self._task_tokens(task) / length) for task in self.recipe.tasks)
        asked = MASK_VARIANTS * (self.text / self.profile.token_bytes - self.held_out)
        tokens *= set_share(tokens, shortest_training(self.recipe), asked)
        reading = Reading(tokens, tokens * length, 0, 0)
        probe = forward(self.family, taught.student, reading)
        step = training(self.family, taught.student, Reading(plan.batch_tokens, 0, 0, 0))
        times = 1 + math.ceil(plan.steps / probe_interval(plan, probe, step))
        theirs = forward(self.family, taught.teacher, reading) if taught == self.lessons[0] else 0.0
        return Part(name="live scores", stage=taught.stage, teacher=theirs, student=times * probe)

    def _task_tokens(self, task: Task) -> float:
        return sum(self.amounts.tasks[task.name].values()) / self.profile.token_bytes

    def _evaluation(self) -> Iterator[Part]:
        both = (self.sizes.teacher.sizes, self.sizes.student.sizes)
        for model in both:
            yield self._pass("validation at the end", EVALUATE, model, self.held_out)
            yield self._masked_copies(model)
        if is_timed(self.recipe.schedule):
            yield Part(name="speed and memory", stage=EVALUATE, basis="assumed", seconds=2 * TIMING_SECONDS)
        for task in self.recipe.tasks:
            read, least, most = self._training_tokens(task)
            seeds = 1 if task.method == "probe" else len(task.seeds)  # a frozen encoder reads for all of them at once
            reading = Reading(read * seeds, read * seeds * self.profile.attended, 0, 0)
            theirs, ours = (forward(self.family, model, reading) for model in both)
            part = Part(name="tasks", stage=EVALUATE, teacher=theirs, student=ours)
            yield replace(part, least=least / read if read else 1.0, most=most / read if read else 1.0)

    def _training_tokens(self, task: Task) -> tuple[float, float, float]:
        """Tokens of all forward passes that a seed of a task is worth: usual, least, most."""
        held = self.amounts.tasks[task.name]
        tokens = {split: size / self.profile.token_bytes for split, size in held.items()}
        unit = KINDS[task.kind].unit
        units = held["test"] / (self.profile.text_bytes if unit == "text" else _WORD_BYTES)
        usual, *others = _likely_folds(task, units / TINY[unit])
        every = [_task_passes(task, tokens, folds) for folds in (usual, *others)]
        return every[0][0], min(passes[1] for passes in every), max(passes[2] for passes in every)


def _likely_folds(task: Task, share: float) -> list[int]:
    """In how many folds a task may be scored, the likeliest first, 0 for none.

    `share` is how much its test split is supposed to hold of what is no longer tiny; files aren't read for it.
    """
    if task.folds != "auto":
        return [int(task.folds)]
    likely = [AUTO_FOLDS, 0] if share < 1 else [0, AUTO_FOLDS]
    return likely if 0.5 < share < 2 else likely[:1]


def _validations(plan: TrainingSettings) -> int:
    """How often a training is validated."""
    return -(-plan.steps // plan.interval) + 1


def _task_passes(task: Task, tokens: Mapping[str, float], folds: int) -> tuple[float, float, float]:
    """Tokens of all forward passes that a task is worth with one seed: usual, least, most; trainings may end early."""
    if folds:
        total = sum(tokens.values())
        rest = total * (1 - 1 / folds)
        fold = {"train": rest * (1 - 1 / VALIDATED), "validation": rest / VALIDATED, "test": total / folds}
        usual, least, most = (folds * passes for passes in _task_passes(task, fold, 0))
        return usual, least, most
    learn, check, test = (tokens[split] for split in ("train", "validation", "test"))
    if task.method == "probe":
        return learn + check + test, learn + check + test, learn + check + test
    # A frozen encoder's backward pass has gradients for what it read only, not for its weights.
    backward = 2 if task.method == "full" else 1
    most = task.epochs
    least = min(most, task.patience + 1)
    passes = [epochs * ((1 + backward) * learn + check) + test for epochs in ((least + most) / 2, least, most)]
    return passes[0], passes[1], passes[2]


def trial_steps(steps: int) -> int:
    """Length of a trial for a stage of so many steps, as `core.distillation.trials.probe_steps` says, without torch."""
    return min(60, max(20, round(0.05 * steps))) if steps >= 60 else 0


def layer_passes(layers: int, kept: int) -> tuple[int, int]:
    """How many passes through a layer, and how many predictions, measuring sets of layers takes.

    As `core.compression.measured_layers`: sets that begin alike share these layers.
    """
    if math.comb(layers, kept) <= FEW_SETS:
        return _fresh(combinations(range(layers), kept)), math.comb(layers, kept)
    passes = sets = 0
    for left in range(layers, kept, -1):
        passes += _fresh(combinations(range(left), left - 1))
        sets += left
    return passes, sets


def _fresh(sets: Iterator[tuple[int, ...]]) -> int:
    """Layers that sets in ascending order don't share with the set before them."""
    total = 0
    before: tuple[int, ...] = ()
    for layers in sorted(sets):
        alike = next((place for place, layer in enumerate(before) if layer != layers[place]), 0)
        total += len(layers) - alike
        before = layers
    return total
