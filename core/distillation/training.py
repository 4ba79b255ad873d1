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
from core.distillation.losses import Distance, masked_language_sum
from core.distillation.validation import Measured, hidden_at, looked_at, measure
from core.errors import InputError, Stopped
from core.events import Event, Loss
from core.models import LanguageModel, rebuild
from core.seeds import derive

_VALIDATION_SHARE = 0.15
"""Validation tokens of a whole stage, as a share of its training tokens."""
_VALIDATION_TOKENS = (4_096, 65_536)
_EVALUATIONS = 20
_CLIP = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingSettings:
    """What one training stage does; every `auto` is resolved."""

    stage: str
    steps: int
    batch_tokens: int
    learning_rate: float
    warmup_fraction: float
    evaluate_every: int
    """Steps between validations; 0: twenty times in all."""
    alpha: float
    """Weight of the masked-language loss where there is a teacher."""
    seed: int
    bfloat16: bool

    @property
    def interval(self) -> int:
        """Steps between validations."""
        return self.evaluate_every or max(1, self.steps // _EVALUATIONS)

    @property
    def validation_tokens(self) -> int:
        """Tokens of each validation during training; from the settings alone."""
        share = _VALIDATION_SHARE * self.steps * self.batch_tokens / (self.steps / self.interval + 1)
        low, high = _VALIDATION_TOKENS
        return int(min(high, max(low, share)))

    def rate(self, step: int) -> float:
        """Learning rate of a step, counted from 0: linear warm-up, then linear decay to nothing at the end."""
        warmup = round(self.steps * self.warmup_fraction)
        if step < warmup:
            return self.learning_rate * (step + 1) / (warmup + 1)
        return self.learning_rate * (self.steps - step) / max(1, self.steps - warmup)


@dataclass(frozen=True, slots=True)
class Hooks:
    """What the loop does for others: `save` a checkpoint, if `due`; `probe` the live scores; read the `clock`."""

    save: Callable[[TrainingState], None]
    due: Callable[[], bool]
    probe: Callable[[int, LanguageModel], Sequence[Event]]
    clock: Callable[[], float]


@dataclass(frozen=True, slots=True)
class Lesson:
    """Teacher and distance, where the stage distils."""

    teacher: LanguageModel
    distance: Distance


def train(
    state: TrainingState, data: TextData, lesson: Lesson | None, settings: TrainingSettings, ctx: Context, hooks: Hooks
) -> LanguageModel:
    """Train from where `state` is to the end of the schedule.

    Returns:
        The model with the lowest validation loss, on the CPU; validations are before the first step, every
        `settings.interval` steps and after the last.

    Raises:
        Stopped: the user wants to stop; the state as of the last whole step was saved.
        InputError: the loss is no number any more.
    """
    steps = Steps(data, settings.stage, settings.batch_tokens)
    held_out = data.validation_batches(settings.validation_tokens)
    counters = state.counters
    try:
        while True:
            if _validation_is_due(counters, settings):
                _validate(state, held_out, lesson, settings, ctx, hooks)
            if counters.step >= settings.steps:
                break
            ctx.progress(counters.step, settings.steps)
            began = hooks.clock()
            tokens = _step(state, steps[counters.step], lesson, settings, ctx)
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
    on_time = counters.step % settings.interval == 0 or counters.step == settings.steps
    return on_time and counters.validated_step != counters.step


def best_model(state: TrainingState) -> LanguageModel:
    """The best weights so far as a model of their own, on the CPU."""
    return rebuild(state.lm, state.lm.sizes, state.best)


def optimizer_for(lm: LanguageModel) -> torch.optim.Optimizer:
    """AdamW as the paper has it: no weight decay."""
    return torch.optim.AdamW(lm.model.parameters(), lr=0.0, weight_decay=0.0)


def _step(
    state: TrainingState,
    batches: Sequence[MaskedBatch],
    lesson: Lesson | None,
    settings: TrainingSettings,
    ctx: Context,
) -> int:
    """One optimiser step; returns its number of tokens. Weights change only at its very end."""
    lm, counters = state.lm, state.counters
    tokens = sum(batch.tokens for batch in batches)
    masked = max(1, sum(len(batch.positions) for batch in batches))
    places = tokens if lesson is not None and lesson.distance.everywhere else masked
    alpha = settings.alpha if lesson is not None else 1.0
    # Dropout draws from here: what a step draws depends on nothing but its number.
    torch.manual_seed(derive(settings.seed, settings.stage, counters.step))
    lm.model.train()
    state.optimizer.zero_grad(set_to_none=True)
    if lesson is not None:
        lesson.distance.begin(lm, tokens)
    mlm = kd = 0.0
    for batch in batches:
        ctx.check()
        batch = batch.to(lm.model.device)
        batch_mlm, batch_kd = _forward(lm, batch, lesson, settings)
        loss = alpha * batch_mlm / masked
        mlm += batch_mlm.item() / masked
        if batch_kd is not None:
            loss = loss + (1 - alpha) * batch_kd / places
            kd += batch_kd.item() / places
        loss.backward()
    if lesson is not None:
        lesson.distance.finish()
    total = alpha * mlm + (1 - alpha) * kd
    norm = torch.nn.utils.clip_grad_norm_(lm.model.parameters(), _CLIP).item()
    if not (math.isfinite(total) and math.isfinite(norm)):
        raise _no_number(settings.stage, counters.step + 1)
    for group in state.optimizer.param_groups:
        group["lr"] = settings.rate(counters.step)
    state.optimizer.step()
    counters.step += 1
    counters.tokens += tokens
    news = {"mlm": mlm, "kd": kd if lesson is not None else None, "total": total}
    ctx.emit(Loss(stage=settings.stage, step=counters.step, tokens=counters.tokens, split="train", **news))  # type: ignore[arg-type]
    return tokens


def _forward(
    lm: LanguageModel, batch: MaskedBatch, lesson: Lesson | None, settings: TrainingSettings
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """The sums of both losses over a micro-batch."""
    with torch.autocast(lm.model.device.type, dtype=torch.bfloat16, enabled=settings.bfloat16):
        hidden = hidden_at(lm, batch)
        features = lm.head_features(hidden.index_select(0, batch.positions))
        mlm = masked_language_sum(features, *lm.decoder, batch.labels)
        if lesson is None:
            return mlm, None
        where = looked_at(batch, lesson.distance)
        with torch.no_grad():
            others = lesson.teacher.head_features(hidden_at(lesson.teacher, batch).index_select(0, where))
        own = lm.head_features(hidden.index_select(0, where)) if lesson.distance.everywhere else features
    with torch.autocast(lm.model.device.type, enabled=False):
        return mlm, lesson.distance.sum(lm, own.float(), others.float())


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
    teacher, distance = (lesson.teacher, lesson.distance) if lesson is not None else (None, None)
    found = measure(state.lm, batches, ctx, teacher=teacher, distance=distance)
    total = _total(found, settings.alpha)
    if not math.isfinite(total):
        raise _no_number(settings.stage, counters.step)
    scores = hooks.probe(counters.step, state.lm)
    # From here nothing can stop it: a validation counts as a whole or not at all.
    if total < counters.best_loss or not state.best:
        counters.best_loss, counters.best_mlm, counters.best_step = total, found.mlm, counters.step
        state.keep_best()
    counters.validated_step = counters.step
    where: dict[str, Any] = {"stage": settings.stage, "step": counters.step, "tokens": counters.tokens}
    for event in (Loss(**where, mlm=found.mlm, kd=found.kd, total=total, split="validation"), *scores):
        ctx.emit(event)


def _no_number(stage: str, step: int) -> InputError:
    return InputError(
        f"The loss of stage {stage} is no number any more at step {step}.",
        hint="Set a lower schedule.learning_rate and start a new run.",
    )


def _total(found: Measured, alpha: float) -> float:
    return found.mlm if found.kd is None else alpha * found.mlm + (1 - alpha) * found.kd
