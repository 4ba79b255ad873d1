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
from core.tasks.encoding import encode, unit_features, window_length
from core.tasks.examples import Example, TaskData

_CPU_TOKENS, _ACCELERATOR_TOKENS = 1024, 16384


def micro_batch_tokens(device: str) -> int:
    """Sub-tokens, padding included, that go through a model at once: bounds memory and the time until a stop."""
    return _CPU_TOKENS if device == "cpu" else _ACCELERATOR_TOKENS


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
    """Maps a batch to logits, shape (units, labels); its parameters that want a gradient are what is learnt."""

    def __init__(self, lm: LanguageModel, data: TaskData, device: str) -> None:
        super().__init__()
        self.labels = data.labels
        self.device = device
        self.lm = lm
        self.encoder = lm.model.get_submodule(lm.family.encoder)
        self.head = nn.Linear(lm.sizes.hidden, len(data.labels))
        self.to(device)

    @abstractmethod
    def prepare(self, examples: Sequence[Example]) -> Split:
        """Examples in the form that this learner takes."""


class EncoderLearner(Learner):
    """An encoder, in part or as a whole, and a linear layer on its last hidden states."""

    def prepare(self, examples: Sequence[Example]) -> Split:
        """Examples as windows of sub-tokens."""
        return encode(examples, self.lm.tokenizer, window_length(self.lm))

    def forward(self, batch: Any) -> Tensor:
        """Logits of an `encoding.Batch`."""
        return self.head(batch.features(self.lm.hidden_states(batch.input_ids, batch.attention_mask)))  # type: ignore[no-any-return]


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
    """A softmax layer on the frozen encoder's features, each scaled to mean 0 and variance 1 over the train split."""

    def __init__(self, lm: LanguageModel, data: TaskData, device: str, ctx: Context) -> None:
        super().__init__(lm, data, device)
        self._ctx = ctx
        nn.init.zeros_(self.head.weight)  # the loss is convex: no symmetry to break
        nn.init.zeros_(self.head.bias)
        self._train = data.train
        self._train_features = self._features(data.train)
        self._mean = self._train_features.mean(0)
        self._deviation = self._train_features.std(0).clamp_min(1e-6)

    def prepare(self, examples: Sequence[Example]) -> Split:
        """Examples as scaled features."""
        values = self._train_features if examples is self._train else self._features(examples)
        return Features((values - self._mean) / self._deviation)

    def _features(self, examples: Sequence[Example]) -> Tensor:
        encoded = encode(examples, self.lm.tokenizer, window_length(self.lm))
        return unit_features(self.lm, encoded, micro_batch_tokens(self.device), self._ctx)

    def forward(self, batch: Any) -> Tensor:
        """Logits of a `FeatureBatch`."""
        return self.head(batch.features)  # type: ignore[no-any-return]


def learner(
    lm: LanguageModel, data: TaskData, *, method: str, reduction_factor: int, seed: int, device: str, ctx: Context
) -> Learner:
    """What a method trains; `lm` stays untouched."""
    if method == "probe":
        return ProbeLearner(frozen_copy(lm), data, device, ctx)
    if method == "adapter":
        return EncoderLearner(with_adapters(lm, reduction_factor, seed), data, device)
    copied = frozen_copy(lm)
    copied.model.get_submodule(lm.family.encoder).requires_grad_(True)
    return EncoderLearner(copied, data, device)
