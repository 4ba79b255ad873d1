"""Two models on the same test examples: how far apart they are, and whether chance could have done it. NumPy alone."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, variance

import numpy as np

from core.analysis.bootstrap import LEVEL, Floats, Score, accelerated, batches, weighted_sums
from core.analysis.student_t import student_t

PERMUTATIONS = 9999
"""So that the least p-value is 0.0001."""
_ALIKE = 1e-9
"""Numbers that are closer than this differ by rounding only."""


@dataclass(frozen=True, slots=True)
class Paired:
    """The first model's score minus the second's."""

    interval: tuple[float, float]
    """95 %, over test examples."""
    p: float
    """Two-sided: how often models that don't differ would be as far apart on these examples."""

    @property
    def distinguishable(self) -> bool:
        """Whether the difference is more than the choice of test examples explains: p is below 0.05."""
        return self.p < 1 - LEVEL


def paired(first: Floats, second: Floats, score: Score, seed: int) -> Paired:
    """Compare two models by what their scores are made of; each score is the mean over seeds.

    The interval is the paired bootstrap's (Koehn 2004, Statistical Significance Tests for Machine Translation
    Evaluation; BCa as in `core.analysis.bootstrap`). The p-value is that of approximate randomisation (Noreen 1989,
    Computer-Intensive Methods for Testing Hypotheses; Yeh 2000 for F1; Dror et al. 2018 recommend both): were the
    models alike, each example's outputs could as well have come from the other one, so they are swapped by chance. An
    example's outputs of all seeds are swapped together: seeds are no further examples.

    Both are about the test examples, with the models as they were trained. What seeds add, `over_seeds` says.

    Args:
        first, second: the models' counts, shape (examples, seeds, ...).
        score: of sums over examples.
        seed: of the resamples and swaps.
    """
    both = np.stack([first, second], axis=1)
    interval = accelerated(both, lambda sums: _difference(score(sums)), seed, lowest=-100.0)
    return Paired(interval, _p_value(first, second, score, seed))


def _difference(scores: Floats) -> Floats:
    """From scores of shape (..., 2, seeds)."""
    means = scores.mean(-1)
    return np.asarray(means[..., 0] - means[..., 1])


def _p_value(first: Floats, second: Floats, score: Score, seed: int) -> float:
    apart = first - second
    unlike = apart[apart.reshape(len(apart), -1).any(1)]  # swapping the others changes nothing
    if not len(unlike):
        return 1.0
    totals = first.sum(0), second.sum(0)
    observed = abs(float(_difference(score(np.stack(totals)))))
    rng = np.random.default_rng(seed)
    as_far = 0
    for rows in batches(PERMUTATIONS, len(unlike)):
        moved = weighted_sums(rng.integers(2, size=(rows, len(unlike)), dtype=np.uint8), unlike)
        found = _difference(score(np.stack([totals[0] - moved, totals[1] + moved], axis=1)))
        as_far += int(np.count_nonzero(np.abs(found) >= observed - _ALIKE))
    return (1 + as_far) / (1 + PERMUTATIONS)


def over_seeds(first: Sequence[float], second: Sequence[float]) -> tuple[float, float] | None:
    """The 95 % interval of the difference of two means over seeds on one test set; None where a side has one seed.

    Welch's (1947), as one model's training may vary more than the other's. With few seeds it is wide, as it should be.
    """
    if min(len(first), len(second)) < 2:
        return None
    middle = fmean(first) - fmean(second)
    parts = [(variance(runs) / len(runs), len(runs) - 1) for runs in (first, second)]
    error = sum(part for part, _ in parts)
    if not error:
        return middle, middle
    freedom = int(error**2 / sum(part**2 / degrees for part, degrees in parts) + _ALIKE)
    reach = student_t(freedom) * math.sqrt(error)
    return middle - reach, middle + reach
