"""One optimiser step: the gradient of its whole loss, micro-batch by micro-batch, and the update."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from core.context import Context
from core.corpus.batches import MaskedBatch
from core.distillation.checkpoint import TrainingState
from core.distillation.divergence import Diverged
from core.distillation.lesson import Lesson, at_tokens
from core.distillation.losses import Told, hidden_state_sum, masked_language
from core.distillation.places import Output
from core.distillation.schedule import TrainingSettings
from core.errors import InputError
from core.events import Loss, Message
from core.machine import is_out_of_memory
from core.models import LanguageModel
from core.seeds import derive

_CLIP = 1.0


def take_step(
    state: TrainingState,
    batches: Sequence[MaskedBatch],
    lesson: Lesson | None,
    settings: TrainingSettings,
    ctx: Context,
) -> int:
    """One optimiser step; returns its number of tokens. Weights change only at its very end.

    Where memory doesn't suffice, the micro-batches are halved from here on: sums are taken in another order, and
    nothing else changes.

    Raises:
        Diverged: the loss is no number any more.
        InputError: a text alone is too much for the memory.
    """
    counters = state.counters
    tokens = sum(batch.tokens for batch in batches)
    weights = loss_weights(settings, lesson)
    means = None
    while means is None:
        try:
            means = _gradients(state, state.parted(batches), lesson, settings, ctx)
        except Exception as error:
            if not is_out_of_memory(error):
                raise
        if means is None:  # here the error and all that its frames held are gone
            _halve(state, batches, settings.stage, ctx)
    total = sum(weight * mean for weight, mean in zip(weights, means, strict=True))
    norm = torch.nn.utils.clip_grad_norm_(state.learning, _CLIP).item()
    if not (math.isfinite(total) and math.isfinite(norm)):
        what = "gradient" if math.isfinite(total) else "training loss"
        raise Diverged(settings.stage, counters.step + 1, f"the {what} is no number any more")
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


def _halve(state: TrainingState, batches: Sequence[MaskedBatch], stage: str, ctx: Context) -> None:
    """Let micro-batches be half as large from here on."""
    state.optimizer.zero_grad(set_to_none=True)
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    if all(len(batch.input_ids) == 1 for batch in state.parted(batches)):
        raise InputError(
            "There is not enough memory for a single text.",
            hint="Set a lower corpus.max_length or close other programs, and start a new run.",
        )
    state.halvings += 1
    told = (
        f"Stage {stage}: out of memory, so from some step on its micro-batches are {2**state.halvings} times smaller. "
        "The steps stay the same; their sums are taken in another order."
    )
    ctx.emit(Message(level="warning", text=told, doubt=True))


def _gradients(
    state: TrainingState,
    batches: Sequence[MaskedBatch],
    lesson: Lesson | None,
    settings: TrainingSettings,
    ctx: Context,
) -> list[float]:
    """Form the gradient of a step's loss; returns the means of its three parts over the places of each."""
    lm = state.lm
    tokens = sum(batch.tokens for batch in batches)
    masked = max(1, sum(len(batch.positions) for batch in batches))
    # Each part's places in the step: masked ones, those that the distance looks at, all tokens.
    places = (masked, tokens if lesson is not None and lesson.distance.everywhere else masked, tokens)
    weights = [weight / count for weight, count in zip(loss_weights(settings, lesson), places, strict=True)]
    # Dropout draws from here: what a step draws depends on nothing but its number.
    torch.manual_seed(derive(settings.seed, settings.stage, state.counters.step))
    lm.model.train(settings.dropout)
    state.optimizer.zero_grad(set_to_none=True)
    precision = torch.bfloat16 if settings.bfloat16 else lm.decoder[0].dtype
    output = Output(lm.decoder, precision, learns=True)
    words = InputRows(lm, batches)
    if lesson is not None:
        lesson.distance.begin(lm, output, tokens)
    sums = [torch.zeros((), device=lm.model.device) for _ in places]
    for batch in batches:
        ctx.check()
        told, far = _forward(state, batch.to(lm.model.device), words, lesson, output, settings, weights)
        pulls = list(told.pulls)
        if far is not None:
            pulls.append((far, far.new_tensor(weights[2])))
        torch.autograd.backward([tensor for tensor, _ in pulls], [gradient for _, gradient in pulls])
        for total, part in zip(sums, (told.mlm, told.kd, far), strict=True):
            if part is not None:
                total += part.detach()
    if lesson is not None:
        lesson.distance.finish(output)
    output.reach()
    words.reach()
    return [total.item() / count for total, count in zip(sums, places, strict=True)]


class InputRows:
    """The rows of the word embedding that a step reads: their gradient is small, the whole embedding's is not."""

    def __init__(self, lm: LanguageModel, batches: Iterable[MaskedBatch]) -> None:
        self._embedding = lm.input_embedding
        read = torch.cat([batch.input_ids.flatten() for batch in batches]).unique()
        self._ids = read.to(self._embedding.device)
        self._rows = self._embedding.detach()[self._ids].requires_grad_()

    def of(self, input_ids: Tensor) -> Tensor:
        """Embeddings of tokens that the step reads, shape (*input_ids, hidden)."""
        return F.embedding(torch.searchsorted(self._ids, input_ids), self._rows)

    def reach(self) -> None:
        """Add the rows' gradient to that of the embedding."""
        if self._rows.grad is None or not self._embedding.requires_grad:
            return
        if self._embedding.grad is None:
            self._embedding.grad = torch.zeros_like(self._embedding)
        self._embedding.grad.index_add_(0, self._ids, self._rows.grad)


def _forward(
    state: TrainingState,
    batch: MaskedBatch,
    words: InputRows,
    lesson: Lesson | None,
    output: Output,
    settings: TrainingSettings,
    weights: Sequence[float],
) -> tuple[Told, Tensor | None]:
    """The losses of a micro-batch, and the distance of its hidden states, which has a graph."""
    lm, device = state.lm, state.lm.model.device.type
    with torch.autocast(device, dtype=torch.bfloat16, enabled=settings.bfloat16):
        read = words.of(batch.input_ids)
        states = lm.layer_states(batch.input_ids, batch.attention_mask, read) if state.hidden_map is not None else ()
        hidden = (states[-1] if states else lm.hidden_states(batch.input_ids, batch.attention_mask, read)).flatten(0, 1)
        features = lm.head_features(hidden.index_select(0, batch.positions)).to(output.weight.dtype)
        everywhere = lesson is not None and lesson.distance.everywhere
        answer = lesson.answer(batch, layers=len(states), again=lesson.repeats) if lesson is not None else {}
        own = lm.head_features(hidden.index_select(0, lesson.places(batch))) if lesson and everywhere else features
    if lesson is None:
        return masked_language(features, output, batch.labels, weights[0]), None
    pair = (weights[0], weights[1])
    told = lesson.distance.told(features, batch.labels, own.to(output.weight.dtype), answer["features"], output, pair)
    if state.hidden_map is None:
        return told, None
    said = at_tokens(states, batch)
    return told, hidden_state_sum(said, answer["hidden"], state.hidden_map, state.counters.hidden_scales)
