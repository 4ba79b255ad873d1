"""The training loop: adaptation and both distillations are this, with or without a teacher."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from core.context import Context
from core.corpus.batches import MaskedBatch
from core.distillation.checkpoint import Counters, TrainingState
from core.distillation.data import Steps, TextData
from core.distillation.lesson import Lesson, at_tokens
from core.distillation.losses import hidden_state_sum, masked_language_sum
from core.distillation.schedule import TrainingSettings
from core.distillation.validation import Measured, hidden_at, measure
from core.errors import InputError, Stopped
from core.events import Event, Loss
from core.models import LanguageModel, rebuild
from core.seeds import derive

_CLIP = 1.0


@dataclass(frozen=True, slots=True)
class Hooks:
    """What the loop does for others: `save` a checkpoint, if `due`; `probe` the live scores; read the `clock`."""

    save: Callable[[TrainingState], None]
    due: Callable[[], bool]
    probe: Callable[[int, LanguageModel], Sequence[Event]]
    clock: Callable[[], float]


def train(
    state: TrainingState, data: TextData, lesson: Lesson | None, settings: TrainingSettings, ctx: Context, hooks: Hooks
) -> LanguageModel:
    """Train from where `state` is to the end of the schedule.

    Returns:
        The model with the lowest validation loss, on the CPU; validations are before the first step, every
        `settings.interval` steps and after the last.

    Raises:
        Stopped: the user wants to stop; the state as of the last whole step was saved.
        Diverged: the loss is no number any more.
    """
    steps = Steps(data, settings.stage, settings.batch_tokens)
    held_out = data.validation_batches(settings.validation_tokens)
    counters = state.counters
    counters.step = max(counters.step, settings.begin)  # a round before this one may have ended early
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
    ctx.progress(settings.steps, settings.steps)
    return best_model(state)


def _validation_is_due(counters: Counters, settings: TrainingSettings) -> bool:
    """Also right after a resume: a validation that a stop cut short is made up for."""
    on_time = (counters.step - settings.begin) % settings.interval == 0 or counters.step == settings.steps
    return on_time and counters.validated_step != counters.step


def best_model(state: TrainingState) -> LanguageModel:
    """The best weights so far as a model of their own, on the CPU."""
    return rebuild(state.lm, state.lm.sizes, state.best)


def optimizer_for(lm: LanguageModel) -> torch.optim.Optimizer:
    """AdamW as the paper has it: no weight decay."""
    return torch.optim.AdamW(lm.model.parameters(), lr=0.0, weight_decay=0.0)


def take_step(
    state: TrainingState,
    batches: Sequence[MaskedBatch],
    lesson: Lesson | None,
    settings: TrainingSettings,
    ctx: Context,
) -> int:
    """One optimiser step; returns its number of tokens. Weights change only at its very end.

    Raises:
        Diverged: the loss is no number any more.
    """
    lm, counters = state.lm, state.counters
    tokens = sum(batch.tokens for batch in batches)
    masked = max(1, sum(len(batch.positions) for batch in batches))
    # Each part's places in the step: masked ones, those that the distance looks at, all tokens.
    places = (masked, tokens if lesson is not None and lesson.distance.everywhere else masked, tokens)
    weights = loss_weights(settings, lesson)
    # Dropout draws from here: what a step draws depends on nothing but its number.
    torch.manual_seed(derive(settings.seed, settings.stage, counters.step))
    lm.model.train(settings.dropout)
    state.optimizer.zero_grad(set_to_none=True)
    if lesson is not None:
        lesson.distance.begin(lm, tokens)
    means = [0.0, 0.0, 0.0]
    for batch in batches:
        ctx.check()
        parts = _forward(state, batch.to(lm.model.device), lesson, settings)
        loss = torch.zeros((), device=lm.model.device)
        for part, count, (place, weight) in zip(parts, places, enumerate(weights), strict=True):
            if part is not None:
                loss = loss + weight * part / count
                means[place] += part.item() / count
        loss.backward()
    if lesson is not None:
        lesson.distance.finish()
    total = sum(weight * mean for weight, mean in zip(weights, means, strict=True))
    norm = torch.nn.utils.clip_grad_norm_(state.learning, _CLIP).item()
    if not (math.isfinite(total) and math.isfinite(norm)):
        raise Diverged(settings.stage, counters.step + 1)
    for group in state.optimizer.param_groups:
        group["lr"] = settings.rate(counters.step)
    state.optimizer.step()
    counters.step += 1
    counters.tokens += tokens
    news = {"mlm": means[0], "kd": means[1] if lesson is not None else None, "total": total}
    news["hidden"] = means[2] if weights[2] else None
    ctx.emit(Loss(stage=settings.stage, step=counters.step, tokens=counters.tokens, split="train", **news))  # type: ignore[arg-type]
    return tokens


def loss_weights(settings: TrainingSettings, lesson: Lesson | None) -> tuple[float, float, float]:
    """What the masked-language loss, the distance from the teacher and that of hidden states weigh in the total."""
    return (settings.alpha, 1 - settings.alpha, settings.hidden_weight) if lesson is not None else (1.0, 0.0, 0.0)


def _forward(
    state: TrainingState, batch: MaskedBatch, lesson: Lesson | None, settings: TrainingSettings
) -> tuple[torch.Tensor, torch.Tensor | None, torch.Tensor | None]:
    """The sums of the losses over a micro-batch: masked-language, distance, hidden states."""
    lm, device = state.lm, state.lm.model.device.type
    with torch.autocast(device, dtype=torch.bfloat16, enabled=settings.bfloat16):
        states = lm.layer_states(batch.input_ids, batch.attention_mask) if state.hidden_map is not None else ()
        hidden = states[-1].flatten(0, 1) if states else hidden_at(lm, batch)
        features = lm.head_features(hidden.index_select(0, batch.positions))
        mlm = masked_language_sum(features, *lm.decoder, batch.labels)
        if lesson is None:
            return mlm, None, None
        where = lesson.places(batch)
        answer = lesson.answer(batch, layers=len(states))
        own = lm.head_features(hidden.index_select(0, where)) if lesson.distance.everywhere else features
    with torch.autocast(device, enabled=False):
        distance = lesson.distance.sum(lm, own.float(), answer["features"])
        if state.hidden_map is None:
            return mlm, distance, None
        said = at_tokens(states, batch)
        return mlm, distance, hidden_state_sum(said, answer["hidden"], state.hidden_map, state.counters.hidden_scales)


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
    if not math.isfinite(total):
        raise Diverged(settings.stage, counters.step)
    scores = hooks.probe(counters.step, state.lm)
    # From here nothing can stop it: a validation counts as a whole or not at all.
    counters.stale += 1
    if total < counters.best_loss or not state.best:
        counters.best_loss, counters.best_mlm, counters.best_step = total, found.mlm, counters.step
        counters.stale = 0
        state.keep_best()
    counters.validated_step = counters.step
    where: dict[str, Any] = {"stage": settings.stage, "step": counters.step, "tokens": counters.tokens}
    losses: dict[str, Any] = {"mlm": found.mlm, "kd": found.kd, "hidden": found.hidden, "total": total}
    for event in (Loss(**where, **losses, split="validation"), *scores):
        ctx.emit(event)


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


class Diverged(InputError):
    """The loss of a stage is no number any more."""

    def __init__(self, stage: str, step: int) -> None:
        """`step`: the one after which it was seen."""
        super().__init__(
            f"The loss of stage {stage} is no number any more at step {step}.",
            hint="Set a lower schedule.learning_rate and start a new run.",
        )
