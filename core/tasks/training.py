"""Training a task on top of an encoder, and scoring it once on the test split."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from core.context import Context
from core.models import LanguageModel
from core.tasks.examples import Example, TaskData, gold, grouped
from core.tasks.kinds import auto_reduction_factor, auto_training
from core.tasks.learners import Learner, Split, learner
from core.tasks.scores import main_score, score

WARMUP_FRACTION = 0.06
"""Of all steps; after it the learning rate falls linearly to zero."""
GRADIENT_NORM = 1.0
"""Longer gradients are shortened to this."""
_BUCKET = 16
"""Batches are made of like lengths out of this many batches' worth of examples, to save padding."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskResult:
    """How one training with one seed went."""

    scores: dict[str, float]
    """On the test split, 0-100, the main metric first."""
    validation: float
    """The main metric on the validation split at the best epoch, 0-100."""
    best_epoch: int
    """From 1."""
    epochs: int
    """Epochs that were run."""
    predictions: tuple[str, ...] | tuple[tuple[str, ...], ...]
    """For the test split, in order: a label a text, or a tuple of tags a sentence."""


@dataclass(frozen=True, slots=True)
class _Best:
    """The best epoch so far and what it had learnt."""

    epoch: int
    score: float
    parameters: list[Tensor]


def train_and_score(
    lm: LanguageModel,
    data: TaskData,
    *,
    method: str,
    seed: int,
    epochs: int,
    patience: int,
    learning_rate: float | None,
    batch_size: int | None,
    reduction_factor: int | None,
    device: str = "cpu",
    ctx: Context,
) -> TaskResult:
    """Train on the train split, choose the epoch on validation, score it once on test.

    On the CPU the same arguments give the same result. The global random state stays as it was.

    Args:
        lm: the encoder, which stays untouched.
        data: the task.
        method: "adapter": the encoder frozen, adapters in it; "probe": a softmax layer on the frozen encoder's
            features, computed once; "full": the whole encoder trains.
        seed: of first values, the examples' order and dropout.
        epochs: at most.
        patience: training ends after so many epochs without a better validation score.
        learning_rate, batch_size, reduction_factor: None is what `auto` means, see `core.tasks.kinds`.
        device: where to train.
        ctx: asked between micro-batches whether to go on.

    Raises:
        Stopped: the user wants the run to end.
    """
    auto = auto_training(data.kind, method)
    with _seeded(seed, device):
        model = learner(
            lm,
            data,
            method=method,
            reduction_factor=reduction_factor or auto_reduction_factor(lm.sizes.hidden),
            seed=seed,
            device=device,
            ctx=ctx,
        )
        best, epochs_run = _fit(
            model,
            data,
            rng=random.Random(seed),
            epochs=epochs,
            patience=patience,
            learning_rate=learning_rate or auto.learning_rate,
            batch_size=batch_size or auto.batch_size,
            ctx=ctx,
        )
        predictions = _predict(model, model.prepare(data.test), data.test, ctx)
    return TaskResult(
        scores=score(data.kind, gold(data.test), predictions),
        validation=best.score,
        best_epoch=best.epoch,
        epochs=epochs_run,
        predictions=tuple(predictions),
    )


@contextmanager
def _seeded(seed: int, device: str) -> Iterator[None]:
    """Seed the global generators, which dropout draws from; their state comes back afterwards."""
    place = torch.device(device)
    devices = [torch.cuda.current_device() if place.index is None else place.index] if place.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        torch.default_generator.manual_seed(seed)
        for index in devices:
            torch.cuda.default_generators[index].manual_seed(seed)
        yield


def _fit(
    model: Learner,
    data: TaskData,
    *,
    rng: random.Random,
    epochs: int,
    patience: int,
    learning_rate: float,
    batch_size: int,
    ctx: Context,
) -> tuple[_Best, int]:
    """Train; the model is left as it was after its best epoch (the first of equals). Also the epochs that were run."""
    train, validation = model.prepare(data.train), model.prepare(data.validation)
    number = {label: index for index, label in enumerate(data.labels)}
    targets = torch.tensor([number[label] for example in data.train for label in example.labels], device=model.device)
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=learning_rate, weight_decay=0.01)
    steps = epochs * -(-len(train.sizes) // batch_size)
    step = 0
    best: _Best | None = None
    for epoch in range(1, epochs + 1):
        model.train()
        for chosen in shuffled_batches(train.sizes, batch_size, rng):
            optimizer.param_groups[0]["lr"] = learning_rate * _schedule(step, steps)
            _accumulate_gradient(model, train, chosen, targets, ctx)
            nn.utils.clip_grad_norm_(parameters, GRADIENT_NORM)
            optimizer.step()
            optimizer.zero_grad()
            step += 1
        value = main_score(data.kind, gold(data.validation), _predict(model, validation, data.validation, ctx))
        if best is None or value > best.score:
            best = _Best(epoch, value, [parameter.detach().clone() for parameter in parameters])
        elif epoch - best.epoch >= patience:
            break
    if best is None:
        raise ValueError(f"epochs must be 1 or more, not {epochs}")
    with torch.no_grad():
        for parameter, value_then in zip(parameters, best.parameters, strict=True):
            parameter.copy_(value_then)
    return best, epoch


def _schedule(step: int, steps: int) -> float:
    """The learning rate's factor: rises over the warm-up, then falls linearly to zero."""
    warmup = WARMUP_FRACTION * steps
    return min((step + 1) / (warmup + 1), (steps - step) / max(1.0, steps - warmup))


def shuffled_batches(sizes: Sequence[int], batch_size: int, rng: random.Random) -> Iterator[list[int]]:
    """Every item once, in random batches of items of like size."""
    order = list(range(len(sizes)))
    rng.shuffle(order)
    batches = []
    for start in range(0, len(order), batch_size * _BUCKET):
        bucket = sorted(order[start : start + batch_size * _BUCKET], key=lambda index: sizes[index])
        batches += [bucket[first : first + batch_size] for first in range(0, len(bucket), batch_size)]
    rng.shuffle(batches)
    yield from batches


def _accumulate_gradient(model: Learner, split: Split, chosen: list[int], targets: Tensor, ctx: Context) -> None:
    """The gradient of the mean loss of the chosen items' units, however they are parted for memory."""
    batches = list(split.batches(chosen, model.micro_batch_tokens, model.device))
    count = sum(len(batch.units) for batch in batches)
    for batch in batches:
        ctx.check()
        loss = nn.functional.cross_entropy(model(batch), targets[batch.units], reduction="sum") / count
        loss.backward()


def _predict(model: Learner, split: Split, examples: Sequence[Example], ctx: Context) -> list[Any]:
    """A label a text, or a tuple of tags a sentence."""
    lengths = [len(example.labels) for example in examples]
    numbers = torch.empty(sum(lengths), dtype=torch.long, device=model.device)
    model.eval()
    with torch.no_grad():
        for batch in split.batches(range(len(split.sizes)), model.micro_batch_tokens, model.device):
            ctx.check()
            numbers[batch.units] = model(batch).argmax(-1)
    labels = [model.labels[number] for number in numbers.tolist()]
    return grouped(labels, examples)
