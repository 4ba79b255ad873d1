"""A cheap score of a model in the making: a closed-form probe on a few hundred examples."""

from __future__ import annotations

import random
from collections.abc import Sequence

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from core.context import Context, Quiet
from core.models import LanguageModel
from core.tasks.encoding import encode, micro_batch_tokens, unit_features
from core.tasks.examples import Example, TaskData, TextExample, gold, grouped
from core.tasks.scores import main_score

MAX_TEXTS, MAX_TOKENS = 300, 3000
"""Labelled units to fit on, whichever are the task's."""
MAX_VALIDATION = 200
"""Examples to score."""
MAX_LENGTH = 128
"""Sub-tokens a text at most: this is a quick look."""
RIDGE = 0.03
"""Penalty, as a share of the features' mean variance."""


class LiveProbe:
    """Ridge regression from a frozen model's features to a task's labels, scored on validation examples.

    A fixed part of the train split and of the validation split is tokenised once; every call costs one forward pass
    over it. The test split is never looked at. No call draws random numbers.

    Args:
        data: the task.
        tokenizer: that of all models which are to be probed.
        max_length: longest sequence of these models.
        seed: of the choice of examples.
    """

    def __init__(self, data: TaskData, tokenizer: PreTrainedTokenizerBase, max_length: int, seed: int = 0) -> None:
        rng = random.Random(seed)
        train = _first(_shuffled(data.train, rng))
        validation = _shuffled(data.validation, rng)[:MAX_VALIDATION]
        self._kind, self._labels = data.kind, data.labels
        self._validation = validation
        self._encoded = encode([*train, *validation], tokenizer, min(max_length, MAX_LENGTH), cut=True)
        number = {label: index for index, label in enumerate(data.labels)}
        numbers = torch.tensor([number[label] for example in train for label in example.labels])
        self._targets = torch.nn.functional.one_hot(numbers, len(data.labels)).double()

    @property
    def tokens(self) -> int:
        """Tokens of the forward pass that a call costs."""
        return sum(self._encoded.sizes)

    def __call__(self, lm: LanguageModel, ctx: Context | None = None) -> float:
        """The task's main metric, 0-100.

        Args:
            lm: its mode and weights stay as they are.
            ctx: asked between batches whether to go on.

        Raises:
            Stopped: the user wants the run to end.
        """
        tokens = micro_batch_tokens(lm)
        features = unit_features(lm, self._encoded, tokens, ctx or Quiet()).cpu().double()
        fitted = len(self._targets)
        scores = ridge_scores(features[:fitted], self._targets, features[fitted:])
        labels = [self._labels[number] for number in scores.argmax(-1).tolist()]
        return main_score(self._kind, gold(self._validation), grouped(labels, self._validation))


def ridge_scores(features: Tensor, targets: Tensor, others: Tensor) -> Tensor:
    """What ridge regression with an intercept gives for `others`; float64.

    A unit weighs 1 / sqrt(how often its label occurs): without weights a rare label, as most of an entity task are,
    never gets the highest score.

    Args:
        features, targets: to fit, shapes (n, hidden) and (n, labels), the targets one-hot.
        others: to score, shape (m, hidden).
    Returns:
        Shape (m, labels); the targets' weighted mean where the features are constant.
    """
    weight = targets @ targets.sum(0).clamp_min(1).rsqrt()
    weight = (weight / weight.sum()).unsqueeze(1)
    mean, base = (weight * features).sum(0), (weight * targets).sum(0)
    centred = features - mean
    gram = centred.T @ (weight * centred)
    penalty = (RIDGE * gram.trace() / len(gram)).clamp_min(torch.finfo(gram.dtype).tiny)
    gram.diagonal().add_(penalty)
    # Unchecked: a model that has diverged gives a poor score, not an error.
    factor, _ = torch.linalg.cholesky_ex(gram)
    coefficients = torch.cholesky_solve(centred.T @ (weight * (targets - base)), factor)
    return (others - mean) @ coefficients + base


def _shuffled(examples: Sequence[Example], rng: random.Random) -> list[Example]:
    return rng.sample(examples, len(examples))


def _first(examples: Sequence[Example]) -> list[Example]:
    """As many of the first examples as the limits allow, but at least one."""
    limit = MAX_TEXTS if isinstance(examples[0], TextExample) else MAX_TOKENS
    chosen: list[Example] = []
    for example in examples:
        limit -= len(example.labels)
        if limit < 0 and chosen:
            break
        chosen.append(example)
    return chosen
