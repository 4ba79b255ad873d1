"""Short trainings that decide by the loss they reach, never by time, so that a run chooses the same every time."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from core.context import Context, Unmeasured
from core.distillation.checkpoint import TrainingState
from core.distillation.data import TextData
from core.distillation.divergence import Diverged
from core.distillation.lesson import Lesson
from core.distillation.schedule import TrainingSettings
from core.distillation.step import take_step
from core.distillation.training import optimizer_for, taught_steps, validated
from core.events import Event, Loss, Message
from core.models import LanguageModel, rebuild, tensors_of

_SHARE = 0.05
"""Of a stage's steps, the length of a trial."""
_STEPS = (20, 60)
_LEAST_STAGE = 60
"""A shorter stage isn't worth trying anything for."""
_WARMUP = 0.1
_VALIDATION_TOKENS = 8_192
_TRIALS = 5
_TIE = 0.001
"""Losses nearer to each other than this share are the same."""


def probe_steps(steps: int) -> int:
    """Length of a trial for a stage of so many steps; 0 where the stage is too short for trials."""
    low, high = _STEPS
    return min(high, max(low, round(_SHARE * steps))) if steps >= _LEAST_STAGE else 0


def trial(
    student: LanguageModel, data: TextData, lesson: Lesson | None, settings: TrainingSettings, ctx: Context
) -> float:
    """Train a copy of a student on the first steps of a stage, with a whole schedule of that length.

    Args:
        student: stays as it is; on the device of the lesson's teacher, where the copy learns.
        data: the stage's texts.
        lesson: what it learns.
        settings: of the stage, but for its number of steps.
        ctx: asked between micro-batches whether to go on; hears of the steps as progress only.

    Returns:
        Total loss on a part of the validation texts; infinite where the loss is no number.
    """
    device = student.model.device
    copy = rebuild(student, student.sizes, tensors_of(student)).to(str(device))
    state = TrainingState(copy, optimizer_for(copy))
    settings = replace(settings, warmup_fraction=max(settings.warmup_fraction, _WARMUP))
    quiet = _WithoutLosses(ctx)
    steps = taught_steps(data, settings)
    try:
        if lesson is not None and settings.hidden_weight:
            state.begin_hidden_map(*lesson.hidden_map(copy, steps[0], quiet))
        for step in range(settings.steps):
            take_step(state, steps[step], lesson, settings, quiet)
            ctx.progress(step + 1, settings.steps)
    except Diverged:
        return math.inf
    loss = validated(state, data.validation_batches(_VALIDATION_TOKENS), lesson, settings, quiet)[1]
    return loss if math.isfinite(loss) else math.inf


def find_rate(
    student: LanguageModel,
    data: TextData,
    lesson: Lesson | None,
    settings: TrainingSettings,
    ctx: Context,
    *,
    around: float,
    known: Mapping[float, float],
    keep: Callable[[float, float], None],
) -> float:
    """The learning rate with which a student learns best in short trials.

    Rates are factors of two apart: `around` and its double are tried, then on in the better direction as long as it
    gets better; down, too, as long as the loss is no number at all. Of rates with the same loss the lowest is taken: a
    whole stage is longer than a trial and wants less.

    Args:
        student, data, lesson, ctx: as for `trial`, but for progress, which is the stage's.
        settings: of the stage; their learning rate doesn't count.
        around: where to begin.
        known: losses by rate of trials that are done already.
        keep: told of each new trial: rate and loss, which may be infinite.

    Returns:
        The rate; `around` where the stage is too short for trials.
    """
    steps = probe_steps(settings.steps - settings.begin)
    if not steps:
        return around
    losses = dict(known)

    def loss_of(factor: float) -> float:
        rate = around * factor
        if rate not in losses:
            short = replace(settings, begin=0, steps=steps, learning_rate=rate)
            losses[rate] = trial(student, data, lesson, short, Unmeasured(ctx))
            found = f"loss {losses[rate]:.4f}" if math.isfinite(losses[rate]) else "the loss is no number"
            ctx.emit(Message(level="info", text=f"Learning rate {rate:.3g}: {found} after {steps} steps."))
            keep(rate, losses[rate])
        return losses[rate]

    first, double = loss_of(1.0), loss_of(2.0)
    best, factor = (2.0, 2.0) if double < first else (1.0, 0.5)
    for _ in range(_TRIALS - 2):
        if loss_of(best * factor) >= loss_of(best) and math.isfinite(loss_of(best)):
            break
        best *= factor
    least = min(losses.values())
    return min(rate for rate, loss in losses.items() if loss <= least + abs(least) * _TIE)


@dataclass(frozen=True, slots=True)
class _WithoutLosses:
    """A context that hears nothing of a trial's steps."""

    ctx: Context

    def emit(self, event: Event) -> None:
        if not isinstance(event, Loss):
            self.ctx.emit(event)

    def check(self) -> None:
        self.ctx.check()

    def progress(self, done: int, total: int) -> None:
        pass
