"""What is trained for a task: an encoder with adapters or as a whole, or a softmax layer on frozen features."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from core.context import Context
from core.models import LanguageModel
from core.tasks.adapters import frozen_copy, with_adapters
from core.tasks.encoding import Encoded, encode, micro_batch_tokens, unit_features, unit_vectors, window_length
from core.tasks.examples import Example, TaskData

_LEAST_DEVIATION = 1e-3
"""What is below it is rounding, not to be blown up (a LayerNorm's outputs have variance 1 over the units)."""
_MOST_BYTES = 1 << 28
"""Of features that are kept for the next seed."""


class UnitBatch(Protocol):
    """A batch of whatever a learner takes."""

    @property
    def units(self) -> Tensor:
        """(units,); which labelled units of the split the logits are for."""


class Split(Protocol):
    """A split as a learner takes it: items that are drawn at random, each with one labelled unit or several."""

    @property
    def sizes(self) -> Sequence[int]:
        """How long each item is; a batch of like ones saves padding."""

    def batches(self, chosen: Iterable[int], max_tokens: int, device: str) -> Iterator[UnitBatch]:
        """The chosen items in batches that fit into memory."""


class Frozen:
    """What trainings of a method on the same frozen model have in common, each computed once while there is room.

    The features of examples hang neither on the seed nor on what is learnt: adapters begin as if they weren't there.
    What was asked for last is kept even where it is too large, as it is asked for twice.

    Args:
        most_bytes: that may be kept besides.
    """

    def __init__(self, most_bytes: int = _MOST_BYTES) -> None:
        self._left = most_bytes
        self._kept: dict[tuple[str, int], tuple[Sequence[Example], Tensor]] = {}
        self._last: tuple[str, Sequence[Example], Tensor] | None = None

    def __call__(self, what: str, examples: Sequence[Example], compute: Callable[[], Tensor]) -> Tensor:
        """What is computed of examples, which are told apart as objects: comparing them takes long."""
        found = self._kept.get((what, id(examples)))
        if found is not None:
            return found[1]
        if self._last is not None and self._last[0] == what and self._last[1] is examples:
            return self._last[2]
        value = compute()
        if value.nbytes <= self._left:
            self._left -= value.nbytes
            self._kept[what, id(examples)] = examples, value
        else:
            self._last = what, examples, value
        return value


class Learner(nn.Module):
    """A linear layer on an encoder's features; the parameters that want a gradient are what is learnt.

    Each feature is scaled to mean 0 and variance 1 over the train split, as the encoder gives it before training. A
    masked language model's vectors of different texts are nearly alike; unscaled, the layer takes so long to tell them
    apart at the paper's learning rates that training would end for lack of progress.
    """

    def __init__(self, lm: LanguageModel, data: TaskData, device: str, ctx: Context, frozen: Frozen) -> None:
        super().__init__()
        self.labels = data.labels
        self.device = device
        self._lm, self._ctx, self._frozen = lm, ctx, frozen
        self.encoder = lm.model.get_submodule(lm.family.encoder)
        self.head = nn.Linear(lm.sizes.hidden, len(data.labels))
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)
        self.to(device)
        self.micro_batch_tokens = micro_batch_tokens(lm)
        scale = frozen("scale", data.train, lambda: _scale(self._features(data.train)))
        self.mean: Tensor
        self.deviation: Tensor
        self.register_buffer("mean", scale[0])
        self.register_buffer("deviation", scale[1])

    @abstractmethod
    def prepare(self, examples: Sequence[Example]) -> Split:
        """Examples in the form that this learner takes."""

    def logits(self, features: Tensor) -> Tensor:
        """From shape (units, hidden) to (units, labels)."""
        return self.head((features - self.mean) / self.deviation)  # type: ignore[no-any-return]

    def _encode(self, examples: Sequence[Example]) -> Encoded:
        return encode(examples, self._lm.tokenizer, window_length(self._lm))

    def _features(self, examples: Sequence[Example]) -> Tensor:
        return unit_features(self._lm, self._encode(examples), self.micro_batch_tokens, self._ctx)


def _scale(features: Tensor) -> Tensor:
    """Mean and deviation of each feature, shape (2, hidden), from features of shape (units, hidden)."""
    return torch.stack([features.mean(0), features.std(0, correction=0).clamp_min(_LEAST_DEVIATION)])


class EncoderLearner(Learner):
    """The encoder learns, in part or as a whole."""

    def prepare(self, examples: Sequence[Example]) -> Split:
        """Examples as windows of sub-tokens."""
        return self._encode(examples)

    def forward(self, batch: Any) -> Tensor:
        """Logits of an `encoding.Batch`."""
        return self.logits(unit_vectors(self._lm, batch, self.micro_batch_tokens, self._ctx))


@dataclass(frozen=True, slots=True)
class FeatureBatch:
    """Units and their features, shape (units, hidden)."""

    units: Tensor
    features: Tensor


@dataclass(frozen=True, slots=True)
class Features:
    """A split as features that were computed once, shape (units, hidden)."""

    values: Tensor

    @property
    def sizes(self) -> Sequence[int]:
        """Every item is one unit."""
        return (1,) * len(self.values)

    def batches(self, chosen: Iterable[int], max_tokens: int, device: str) -> Iterator[FeatureBatch]:
        """The chosen units, all at once."""
        units = torch.tensor(list(chosen), device=device)
        yield FeatureBatch(units, self.values[units])


class ProbeLearner(Learner):
    """The encoder stays as it is, so that its features are computed once."""

    def prepare(self, examples: Sequence[Example]) -> Split:
        """Examples as features."""
        return Features(self._features(examples))

    def _features(self, examples: Sequence[Example]) -> Tensor:
        return self._frozen("features", examples, lambda: super(ProbeLearner, self)._features(examples))

    def forward(self, batch: Any) -> Tensor:
        """Logits of a `FeatureBatch`."""
        return self.logits(batch.features)


def learner(
    lm: LanguageModel,
    data: TaskData,
    *,
    method: str,
    reduction_factor: int,
    seed: int,
    device: str,
    ctx: Context,
    frozen: Frozen,
) -> Learner:
    """What a method trains; `lm` stays untouched."""
    if method == "probe":
        return ProbeLearner(frozen_copy(lm), data, device, ctx, frozen)
    if method == "adapter":
        return EncoderLearner(with_adapters(lm, reduction_factor, seed), data, device, ctx, frozen)
    copied = frozen_copy(lm)
    copied.model.get_submodule(lm.family.encoder).requires_grad_(True)
    return EncoderLearner(copied, data, device, ctx, frozen)
