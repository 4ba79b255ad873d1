"""The training loop: adaptation and both distillations are this, with or without a teacher."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from core.context import Context
from core.corpus.batches import MaskedBatch
from core.distillation.checkpoint import Counters, TrainingState
from core.distillation.data import MASK_VARIANTS, Steps, TextData
from core.distillation.divergence import MOST_HALVINGS, Diverged, Divergence, exploded
from core.distillation.lesson import Lesson
from core.distillation.schedule import TrainingSettings
from core.distillation.step import loss_weights, take_step
from core.distillation.validation import Measured, measure
from core.errors import Stopped
from core.events import Event, Loss
from core.models import LanguageModel, rebuild


@dataclass(frozen=True, slots=True)
class Hooks:
    """What the loop does for others: `save` a checkpoint, if `due`; `probe` the live scores; read the `clock`."""

    save: Callable[[TrainingState], None]
    due: Callable[[], bool]
    probe: Callable[[int, LanguageModel], Sequence[Event]]
    clock: Callable[[], float]
    log_length: Callable[[], int] = lambda: 0
    """How long the event log is, in bytes."""


def train(
    state: TrainingState, data: TextData, lesson: Lesson | None, settings: TrainingSettings, ctx: Context, hooks: Hooks
) -> LanguageModel:
    """Train from where `state` is to the end of the schedule.

    Returns:
        The model with the lowest validation loss, on the CPU; validations are before the first step, every
        `settings.interval` steps and after the last.

    Raises:
        Stopped: the user wants to stop; the state as of the last whole step was saved.
        Diverged: the loss is no number any more or has exploded; where an earlier point was good, that was saved.
    """
    steps = taught_steps(data, settings) if lesson is not None else Steps(data, settings.stage, settings.batch_tokens)
    held_out = data.validation_batches(settings.validation_tokens)
    counters = state.counters
    counters.step = max(counters.step, settings.begin)  # a round before this one may have ended early
    if given_up := _given_up(counters, settings):
        raise given_up
    try:
        if lesson is not None and settings.hidden_weight and state.hidden_map is None:
            state.begin_hidden_map(*lesson.hidden_map(state.lm, steps[settings.begin], ctx))
        while True:
            if _validation_is_due(counters, settings):
                _validate(state, held_out, lesson, settings, ctx, hooks)
            if counters.step >= settings.steps or (settings.patience and counters.stale >= settings.patience):
                break
            ctx.progress(counters.step, settings.steps)
            began = hooks.clock()
            tokens = take_step(state, steps[counters.step], lesson, settings, ctx)
            if counters.step > 1:
                counters.timed_tokens += tokens
                counters.timed_seconds += hooks.clock() - began
            if hooks.due():
                hooks.save(state)
    except Stopped:
        hooks.save(state)
        raise
    except Diverged as fault:
        raise _gone_back(state, fault, settings, hooks) from fault
    ctx.progress(settings.steps, settings.steps)
    return best_model(state)


def _gone_back(state: TrainingState, fault: Diverged, settings: TrainingSettings, hooks: Hooks) -> Diverged:
    """Save the last good point of a training that has diverged; returns what to tell the user."""
    counters, where = state.counters, (fault.stage, fault.step, fault.seen)
    if not state.best:
        safe = "Nothing had been learnt in it yet; what earlier stages made is safe."
        hint = 'Start a new run: with schedule.precision = "float32", another teacher, or a smaller cut.'
        return Diverged(*where, safe=safe, hint=hint)
    # A step that fails from weights that were good fails whatever the rate is.
    hopeless = counters.step == counters.best_step
    state.go_back()
    if not hopeless:
        rate, back_to = settings.learning_rate / 2, counters.best_step
        gone = Divergence(step=fault.step, seen=fault.seen, back_to=back_to, learning_rate=rate)
        counters.divergences.append(gone.to_json())
    hooks.save(state)
    if hopeless:
        return Diverged(*where, safe=_safe(counters))
    return _given_up(counters, settings) or Diverged(
        *where,
        safe=_safe(counters),
        resume=f"Resume the run: it goes on from step {back_to:,} with half the learning rate, {rate:.3g}.",
    )


def _given_up(counters: Counters, settings: TrainingSettings) -> Diverged | None:
    """What to tell where halving the learning rate has not helped; None as long as it may."""
    if len(counters.divergences) <= MOST_HALVINGS:
        return None
    last = Divergence(**counters.divergences[-1])
    tried = f"The learning rate had been halved {MOST_HALVINGS} times."
    hint = (
        f"Start a new run with another setting: a schedule.learning_rate below {last.learning_rate:.1g} to begin with."
    )
    return Diverged(settings.stage, last.step, last.seen, safe=f"{tried} {_safe(counters)}", hint=hint)


def _safe(counters: Counters) -> str:
    return f"Its best weights, of step {counters.best_step:,}, are safe, and so is what earlier stages made."


def taught_steps(data: TextData, settings: TrainingSettings) -> Steps:
    """The steps of a stage that has a teacher: masks come again, as its answers to them may be at hand."""
    return Steps(data, settings.stage, settings.batch_tokens, mask_variants=MASK_VARIANTS)


def _validation_is_due(counters: Counters, settings: TrainingSettings) -> bool:
    """Also right after a resume: a validation that a stop cut short is made up for."""
    on_time = (counters.step - settings.begin) % settings.interval == 0 or counters.step == settings.steps
    return on_time and counters.validated_step != counters.step


def best_model(state: TrainingState) -> LanguageModel:
    """The best weights so far as a model of their own, on the CPU."""
    return rebuild(state.lm, state.lm.sizes, state.best)


def optimizer_for(lm: LanguageModel) -> torch.optim.Optimizer:
    """AdamW as the paper has it: no weight decay."""
    return torch.optim.AdamW(lm.model.parameters(), lr=0.0, weight_decay=0.0, fused=True)


def _validate(
    state: TrainingState,
    batches: Sequence[MaskedBatch],
    lesson: Lesson | None,
    settings: TrainingSettings,
    ctx: Context,
    hooks: Hooks,
) -> None:
    """Measure the model, keep it where it is the best so far, report."""
    counters = state.counters
    found, total = validated(state, batches, lesson, settings, ctx)
    if not state.best:
        counters.first_loss = total
    first = counters.best_loss if counters.first_loss is None else counters.first_loss
    if seen := exploded(total, first, state.lm.sizes.vocabulary):
        raise Diverged(settings.stage, counters.step, seen)
    scores = hooks.probe(counters.step, state.lm)
    # From here nothing can stop it: a validation counts as a whole or not at all.
    counters.stale += 1
    is_best = total < counters.best_loss or not state.best
    if is_best:
        counters.best_loss, counters.best_mlm = total, found.mlm
        counters.best_step, counters.best_tokens = counters.step, counters.tokens
        counters.stale = 0
        state.keep_best()
    counters.validated_step = counters.step
    where: dict[str, Any] = {"stage": settings.stage, "step": counters.step, "tokens": counters.tokens}
    losses: dict[str, Any] = {"mlm": found.mlm, "kd": found.kd, "hidden": found.hidden, "total": total}
    for event in (Loss(**where, **losses, split="validation"), *scores):
        ctx.emit(event)
    if is_best:
        counters.best_log = hooks.log_length()


def validated(
    state: TrainingState,
    batches: Sequence[MaskedBatch],
    lesson: Lesson | None,
    settings: TrainingSettings,
    ctx: Context,
) -> tuple[Measured, float]:
    """What the model in training makes of validation texts, and its total loss."""
    found = measure(
        state.lm, batches, ctx, lesson=lesson, hidden_map=state.hidden_map, scales=state.counters.hidden_scales
    )
    parts = (found.mlm, found.kd or 0.0, found.hidden or 0.0)
    return found, sum(weight * part for weight, part in zip(loss_weights(settings, lesson), parts, strict=True))
