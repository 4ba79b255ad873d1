"""What is trained for a task: an encoder with adapters or as a whole, or a softmax layer on frozen features."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator, Sequence
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


class Learner(nn.Module):
    """A linear layer on an encoder's features; the parameters that want a gradient are what is learnt.

    Each feature is scaled to mean 0 and variance 1 over the train split, as the encoder gives it before training. A
    masked language model's vectors of different texts are nearly alike; unscaled, the layer takes so long to tell them
    apart at the paper's learning rates that training would end for lack of progress.
    """

    def __init__(self, lm: LanguageModel, data: TaskData, device: str, ctx: Context) -> None:
        super().__init__()
        self.labels = data.labels
        self.device = device
        self._lm, self._ctx = lm, ctx
        self.encoder = lm.model.get_submodule(lm.family.encoder)
        self.head = nn.Linear(lm.sizes.hidden, len(data.labels))
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)
        self.to(device)
        self.micro_batch_tokens = micro_batch_tokens(lm)
        features = self._features(self._encode(data.train))
        self.mean: Tensor
        self.deviation: Tensor
        self.register_buffer("mean", features.mean(0))
        self.register_buffer("deviation", features.std(0, correction=0).clamp_min(_LEAST_DEVIATION))

    @abstractmethod
    def prepare(self, examples: Sequence[Example]) -> Split:
        """Examples in the form that this learner takes."""

    def logits(self, features: Tensor) -> Tensor:
        """From shape (units, hidden) to (units, labels)."""
        return self.head((features - self.mean) / self.deviation)  # type: ignore[no-any-return]

    def _encode(self, examples: Sequence[Example]) -> Encoded:
        return encode(examples, self._lm.tokenizer, window_length(self._lm))

    def _features(self, encoded: Encoded) -> Tensor:
        return unit_features(self._lm, encoded, self.micro_batch_tokens, self._ctx)


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
        return Features(self._features(self._encode(examples)))

    def forward(self, batch: Any) -> Tensor:
        """Logits of a `FeatureBatch`."""
        return self.logits(batch.features)


def learner(
    lm: LanguageModel, data: TaskData, *, method: str, reduction_factor: int, seed: int, device: str, ctx: Context
) -> Learner:
    """What a method trains; `lm` stays untouched."""
    if method == "probe":
        return ProbeLearner(frozen_copy(lm), data, device, ctx)
    if method == "adapter":
        return EncoderLearner(with_adapters(lm, reduction_factor, seed), data, device, ctx)
    copied = frozen_copy(lm)
    copied.model.get_submodule(lm.family.encoder).requires_grad_(True)
    return EncoderLearner(copied, data, device, ctx)
