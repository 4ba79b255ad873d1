"""How far a score on a test set can be trusted: bootstrap intervals over its examples. NumPy alone.

A score is a function of counts that add up over examples, so a resample is a weighted sum: no prediction is scored
twice. What is resampled is what was drawn on its own when the test set was made: texts, and whole sentences where
tokens are scored, as the tokens of a sentence rise and fall together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Score = Callable[[Floats], Floats]
"""From sums of counts, the same axes for every score behind a few of its own, to scores, 0-100: shape (...)."""

LEVEL = 0.95
"""How often an interval is to hold the score that would come of endlessly many test examples."""
RESAMPLES = 4000
_AT_ONCE = 1 << 22
"""Weights of examples that are in memory at once."""
_DIGITS = 9
"""Scores are compared with so many decimals: equal ones may come of sums in another order."""


def interval(counts: Floats, score: Score, seed: int) -> tuple[float, float]:
    """The 95 % interval of a score that is the mean over seeds.

    Bias-corrected and accelerated (BCa; Efron 1987, Better Bootstrap Confidence Intervals, JASA 82): a percentile
    interval whose levels are moved for the score's bias and skewness, which matter for F1 and for scores near 100;
    `benchmarks/coverage.py` measures both. All seeds see the same resamples. So it is about other test examples, with
    the models as they were trained; how much training itself varies, the standard deviation over seeds tells.

    Args:
        counts: shape (examples, seeds, ...); see `Score`.
        score: of sums over examples.
        seed: of the resamples.
    """
    return accelerated(counts, lambda sums: score(sums).mean(-1), seed, lowest=0.0)


def accelerated(counts: Floats, statistic: Score, seed: int, *, lowest: float) -> tuple[float, float]:
    """The BCa interval of any statistic of the sums of counts over examples.

    Where no resample differs from another, as where every example is right, the bootstrap can't tell anything. Then
    the interval reaches as far as examples unlike all that were seen may still be there unseen: a share of them of more
    than 1 − 0.025^(1/n) would have shown among n with a probability of 97.5 % (Clopper and Pearson 1934; the rule of
    three).

    Args:
        counts: shape (examples, ...), at least one example.
        statistic: from sums, shape (resamples, ...), to values, shape (resamples,).
        seed: of the resamples.
        lowest: value that there can be; the highest is 100.
    """
    total = counts.sum(0)
    value = float(_rounded(statistic(total[None]))[0])
    drawn = resampled(counts, statistic, seed)
    if drawn.min() == drawn.max():
        unseen = 100 * (1 - ((1 - LEVEL) / 2) ** (1 / len(counts)))
        return max(value - unseen, lowest), min(value + unseen, 100.0)
    normal = NormalDist()
    below = (np.count_nonzero(drawn < value) + np.count_nonzero(drawn == value) / 2) / len(drawn)
    least = 1 / (2 * len(drawn))
    bias = normal.inv_cdf(min(max(below, least), 1 - least))
    without = statistic(total - counts)
    away = without.mean() - without
    scale = 6 * float((away**2).sum()) ** 1.5
    acceleration = float((away**3).sum()) / scale if scale else 0.0

    def level(z: float) -> float:
        return normal.cdf(bias + (bias + z) / (1 - acceleration * (bias + z)))

    z = normal.inv_cdf((1 + LEVEL) / 2)
    low, high = np.quantile(drawn, [level(-z), level(z)])
    return float(low), float(high)


def resampled(counts: Floats, statistic: Score, seed: int) -> Floats:
    """The statistic on `RESAMPLES` test sets drawn with replacement from this one; arguments as for `accelerated`."""
    examples, rng = len(counts), np.random.default_rng(seed)
    found = []
    for rows in batches(RESAMPLES, examples):
        drawn = rng.integers(examples, size=(rows, examples)) + examples * np.arange(rows)[:, None]
        times = np.bincount(drawn.ravel(), minlength=rows * examples).reshape(rows, examples)
        found.append(statistic(weighted_sums(times, counts)))
    return _rounded(np.concatenate(found))


def batches(wanted: int, examples: int) -> Iterator[int]:
    """Parts `wanted` rows of a weight an example into numbers of rows that fit into memory."""
    at_once = max(1, _AT_ONCE // examples)
    for start in range(0, wanted, at_once):
        yield min(at_once, wanted - start)


def weighted_sums(weights: npt.NDArray[np.integer], counts: Floats) -> Floats:
    """Sums of counts over examples, shape (rows, ...), from weights of shape (rows, examples).

    Whole numbers in float64: exact, in whatever order a machine adds them.
    """
    flat = counts.reshape(len(counts), -1)
    return (weights.astype(np.float64) @ flat).reshape(len(weights), *counts.shape[1:])


def _rounded(values: Floats) -> Floats:
    return np.round(values, _DIGITS)
