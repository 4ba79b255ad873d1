"""A cheap score of a model in the making: a closed-form probe on a few hundred examples."""

from __future__ import annotations

import random
from collections.abc import Sequence

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from core.analysis.operations import Reading, forward
from core.context import Context, Quiet
from core.models import LanguageModel
from core.tasks.encoding import encode, micro_batch_tokens, unit_features
from core.tasks.examples import Example, TaskData, TextExample, gold, grouped
from core.tasks.scores import main_score

MAX_TEXTS, MAX_TOKENS = 300, 3000
"""Labelled units to fit on, whichever are the task's, in the full set."""
MAX_VALIDATION = 200
"""Examples to score in the full set."""
MAX_LENGTH = 128
"""Sub-tokens a text at most: this is a quick look."""
RIDGE = 0.03
"""Penalty, as a share of the features' mean variance."""
_TOGETHER = 1024
"""Tokens that a processor reads at once: what more of them leave behind doesn't stay in its cache."""
_FLOAT64 = 2
"""Times as long as in float32 that a multiplication takes."""


class LiveProbe:
    """Ridge regression from a frozen model's features to a task's labels, scored on validation examples.

    A fixed part of the train split and of the validation split is tokenised once; every call costs one forward pass
    over it. The test split is never looked at. No call draws random numbers.

    Args:
        data: the task.
        tokenizer: that of all models which are to be probed.
        max_length: longest sequence of these models.
        seed: of the choice of examples.
        share: of the full set of examples; a smaller set is the beginning of a larger one.
    """

    def __init__(
        self,
        data: TaskData,
        tokenizer: PreTrainedTokenizerBase,
        max_length: int,
        seed: int = 0,
        *,
        share: float = 1.0,
    ) -> None:
        train, validation = _examples(data, seed, share)
        self._kind, self._labels = data.kind, data.labels
        self._validation = validation
        self._encoded = encode([*train, *validation], tokenizer, min(max_length, MAX_LENGTH), cut=True)
        number = {label: index for index, label in enumerate(data.labels)}
        numbers = torch.tensor([number[label] for example in train for label in example.labels])
        self._targets = torch.nn.functional.one_hot(numbers, len(data.labels)).double()

    def work(self, lm: LanguageModel) -> float:
        """Multiplications of a call, those in float64 twice."""
        lengths, (fitted, labels) = self._encoded.sizes, self._targets.shape
        read = forward(lm.family, lm.sizes, Reading(sum(lengths), sum(length**2 for length in lengths), 0, 0))
        hidden, units = lm.sizes.hidden, sum(self._encoded.lengths)
        fit = fitted * hidden**2 + hidden**3 / 3 + (units + hidden) * hidden * labels
        return read + _FLOAT64 * fit

    def __call__(self, lm: LanguageModel, ctx: Context | None = None, *, bfloat16: bool = False) -> float:
        """The task's main metric, 0-100.

        Args:
            lm: its mode and weights stay as they are.
            ctx: asked between batches whether to go on.
            bfloat16: read in it; the fit is in float64 nevertheless.

        Raises:
            Stopped: the user wants the run to end.
        """
        on_cpu = lm.model.device.type == "cpu"
        tokens = min(_TOGETHER, micro_batch_tokens(lm)) if on_cpu else micro_batch_tokens(lm)
        with torch.autocast(lm.model.device.type, torch.bfloat16, bfloat16):
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


def read_texts(data: TaskData, seed: int) -> list[str]:
    """What a probe of the full set reads, as running text."""
    chosen = (example for part in _examples(data, seed, 1.0) for example in part)
    return [example.text if isinstance(example, TextExample) else " ".join(example.tokens) for example in chosen]


def _examples(data: TaskData, seed: int, share: float) -> tuple[list[Example], list[Example]]:
    """Examples to fit on, and to score: at least one each."""
    rng = random.Random(seed)
    train, validation = (rng.sample(examples, len(examples)) for examples in (data.train, data.validation))
    limit = MAX_TEXTS if isinstance(train[0], TextExample) else MAX_TOKENS
    return _first(train, round(share * limit)), validation[: max(1, round(share * MAX_VALIDATION))]


def _first(examples: Sequence[Example], limit: int) -> list[Example]:
    """As many of the first examples as have so many labels, but at least one."""
    chosen: list[Example] = []
    for example in examples:
        limit -= len(example.labels)
        if limit < 0 and chosen:
            break
        chosen.append(example)
    return chosen
