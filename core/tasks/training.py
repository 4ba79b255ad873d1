"""Training a task on top of an encoder, and scoring it once on the test split."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import Any

import torch
from torch import Tensor, nn

from core.context import Context
from core.errors import Stopped
from core.models import LanguageModel
from core.tasks.examples import Example, TaskData, gold, grouped
from core.tasks.kinds import auto_reduction_factor, auto_training
from core.tasks.learners import Frozen, Learner, Split, learner
from core.tasks.scores import main_score, score
from core.tasks.state import Keeper, NotKept, TaskState

WARMUP_FRACTION = 0.06
"""Of all steps; after it the learning rate falls linearly to zero."""
GRADIENT_NORM = 1.0
"""Longer gradients are shortened to this."""
_BUCKET = 16
"""Batches are made of like lengths out of this many batches' worth of examples, to save padding."""


class NoNumber(Exception):
    """The loss of a task's training, or what its model answers, is no number any more."""


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
    keeper: Keeper | None = None,
    frozen: Frozen | None = None,
) -> TaskResult:
    """Train on the train split, choose the epoch on validation, score it once on test.

    On the CPU the same arguments give the same result, interrupted or not. The global random state stays as it was.

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
        keeper: keeps the training while it goes on, and has it where it was interrupted; None: it begins anew.
        frozen: shared with trainings of the same model, method and device; None: this one computes everything itself.

    Raises:
        Stopped: the user wants the run to end; what was learnt was given to `keeper`.
        NoNumber: the learning rate is far too large, or the encoder broken.
    """
    keeper = keeper or NotKept()
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
            frozen=frozen or Frozen(),
        )
        train, validation = model.prepare(data.train), model.prepare(data.validation)
        state = TaskState(model, seed)
        keeper.restore(state)
        try:
            _fit(
                model,
                state,
                data,
                train,
                validation,
                epochs=epochs,
                patience=patience,
                learning_rate=learning_rate or auto.learning_rate,
                batch_size=batch_size or auto.batch_size,
                ctx=ctx,
                keeper=keeper,
            )
            predictions = _predict(model, model.prepare(data.test), data.test, ctx)
        except Stopped:
            keeper.save(state)
            raise
    return TaskResult(
        scores=score(data.kind, gold(data.test), predictions),
        validation=state.counters.best_score,
        best_epoch=state.counters.best_epoch,
        epochs=state.counters.epoch - 1,
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
    state: TaskState,
    data: TaskData,
    train: Split,
    validation: Split,
    *,
    epochs: int,
    patience: int,
    learning_rate: float,
    batch_size: int,
    ctx: Context,
    keeper: Keeper,
) -> None:
    """Train from where `state` is; the model is left as it was after its best epoch (the first of equals)."""
    if epochs < 1:
        raise ValueError(f"epochs must be 1 or more, not {epochs}")
    number = {label: index for index, label in enumerate(data.labels)}
    targets = torch.tensor([number[label] for example in data.train for label in example.labels], device=model.device)
    steps = epochs * -(-len(train.sizes) // batch_size)
    counters = state.counters
    while counters.epoch <= epochs and counters.stale < max(1, patience):
        model.train()
        for chosen in islice(shuffled_batches(train.sizes, batch_size, state.rng), counters.batches, None):
            state.optimizer.param_groups[0]["lr"] = learning_rate * _schedule(counters.step, steps)
            _accumulate_gradient(model, train, chosen, targets, ctx)
            nn.utils.clip_grad_norm_(state.learning.values(), GRADIENT_NORM)
            state.optimizer.step()
            state.optimizer.zero_grad()
            state.step_done()
            if keeper.due(state):
                keeper.save(state)
        given = _predict(model, validation, data.validation, ctx)
        state.epoch_done(main_score(data.kind, gold(data.validation), given))
    state.restore_best()


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
        if not loss.isfinite():
            raise NoNumber
        loss.backward()


def _predict(model: Learner, split: Split, examples: Sequence[Example], ctx: Context) -> list[Any]:
    """A label a text, or a tuple of tags a sentence."""
    lengths = [len(example.labels) for example in examples]
    numbers = torch.empty(sum(lengths), dtype=torch.long, device=model.device)
    model.eval()
    with torch.no_grad():
        for batch in split.batches(range(len(split.sizes)), model.micro_batch_tokens, model.device):
            ctx.check()
            logits = model(batch)
            if not logits.isfinite().all():  # the largest of none would be the first label
                raise NoNumber
            numbers[batch.units] = logits.argmax(-1)
    labels = [model.labels[number] for number in numbers.tolist()]
    return grouped(labels, examples)
