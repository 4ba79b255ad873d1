"""How often the intervals of scores hold the truth, and how often the paired test sees a difference that isn't there.

    python -m benchmarks.coverage [--sets N] [--seed S]

Test sets are drawn from populations whose score is known exactly, of sizes and scores such as real ones have; each is
answered by models of three seeds, which find the same examples hard. The table shows the share of test sets whose 95 %
interval holds the population's score, for the BCa interval that is used and for the plain percentile one, and the share
on which two models that don't differ are called distinguishable, which should be 5 % or less. Exit status 1: a BCa
interval of a realistic set covers less than 93 % or more than 97 %.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from core.analysis.bootstrap import LEVEL, Floats, Score, interval, resampled
from core.analysis.paired import paired
from core.tables import text_table
from core.tasks.counts import accuracy, macro_f1, micro_f1

_SEEDS = 3
_GRID = np.linspace(-6, 6, 2001)
_ENDLESS = 1e9
"""Examples, where all of their kind are meant."""
_LOW, _HIGH = 0.93, 0.97


@dataclass(frozen=True, slots=True)
class Population:
    """Where test sets come from."""

    score: Score
    draw: Callable[[np.random.Generator, int, int], Floats]
    """From a generator, a number of examples and one of seeds, to counts, shape (examples, seeds, labels, 3)."""
    truth: float
    """The score of endlessly many examples."""
    examples: int
    """Of a test set."""
    realistic: bool = True
    """Whether its coverage must be right; else it shows where the interval ends to be good."""


def labelled(shares: Sequence[float], ability: Sequence[float], examples: int, spread: float = 1.5) -> Population:
    """Texts of several labels, scored by macro F1.

    A text is right with probability 1 / (1 + exp(−(ability + spread · z))), z being normal and its own for all seeds;
    else its label is taken for another one, the likelier the more texts that has.
    """
    share, known = np.array(shares), np.array(ability)
    labels = len(share)
    weight = np.exp(-(_GRID**2) / 2)
    hit = (weight / weight.sum()) @ _logistic(known[None] + spread * _GRID[:, None])
    others = np.tile(share, (labels, 1))
    np.fill_diagonal(others, 0)
    others /= others.sum(1, keepdims=True)
    predicted = share * hit + (share * (1 - hit)) @ others
    truth = macro_f1(_ENDLESS * np.stack([share * hit, predicted, share], axis=-1))

    def draw(rng: np.random.Generator, count: int, seeds: int) -> Floats:
        gold = rng.choice(labels, size=count, p=share)
        hard = rng.normal(size=count)
        right = rng.random((count, seeds)) < _logistic(known[gold] + spread * hard)[:, None]
        wrong = (rng.random((count, seeds, 1)) > others.cumsum(1)[gold][:, None]).sum(-1).clip(max=labels - 1)
        said = np.where(right, gold[:, None], wrong)
        one = np.eye(labels)
        theirs = np.broadcast_to(one[gold][:, None], (count, seeds, labels))
        return np.stack([one[said] * theirs, one[said], theirs], axis=-1)

    return Population(macro_f1, draw, float(truth), examples)


def entities(ability: float, examples: int, spread: float = 1.5, a_sentence: float = 1.3) -> Population:
    """Sentences with entities, scored by entity F1: one that isn't found is missed or wrong, and some are made up."""
    made_up, mistaken = 0.08, 0.5
    hit = _mean_hit(ability, spread)
    right = a_sentence * hit
    predicted = right + a_sentence * (1 - hit) * mistaken + made_up
    truth = micro_f1(_ENDLESS * np.array([[right, predicted, a_sentence]]))

    def draw(rng: np.random.Generator, count: int, seeds: int) -> Floats:
        gold = np.broadcast_to(rng.poisson(a_sentence, count)[:, None], (count, seeds))
        found = rng.binomial(gold, _logistic(ability + spread * rng.normal(size=count))[:, None])
        said = found + rng.binomial(gold - found, mistaken) + rng.poisson(made_up, (count, seeds))
        return np.stack([found, said, gold], axis=-1)[:, :, None].astype(float)

    return Population(micro_f1, draw, float(truth), examples)


def tagged(ability: float, examples: int, spread: float = 0.8, realistic: bool = True) -> Population:
    """Sentences of about 18 tokens, scored by accuracy: some are hard as a whole."""

    def draw(rng: np.random.Generator, count: int, seeds: int) -> Floats:
        length = np.broadcast_to(1 + rng.negative_binomial(3, 0.15, count)[:, None], (count, seeds))
        right = rng.binomial(length, _logistic(ability + spread * rng.normal(size=count))[:, None])
        return np.stack([right, length, length], axis=-1)[:, :, None].astype(float)

    return Population(accuracy, draw, 100 * _mean_hit(ability, spread), examples, realistic)


def _mean_hit(ability: float, spread: float) -> float:
    weight = np.exp(-(_GRID**2) / 2)
    return float((weight * _logistic(ability + spread * _GRID)).sum() / weight.sum())


def _logistic(values: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-values)))


_SEVEN = (0.25, 0.20, 0.17, 0.14, 0.10, 0.08, 0.06)
POPULATIONS: Mapping[str, Population] = {
    "topic, 7 labels, 204 texts": labelled(_SEVEN, (2.5, 2.2, 2.0, 2.0, 1.5, 1.2, 1.0), 204),
    "sentiment, 35 % rare, 171 texts": labelled((0.65, 0.35), (2.0, 1.0), 171),
    "sentiment, 12 % rare, 800 texts": labelled((0.88, 0.12), (3.5, 1.0), 800),
    "entities, 200 sentences": entities(2.0, 200),
    "entities, 800 sentences": entities(2.0, 800),
    "parts of speech, 100 sentences": tagged(2.5, 100),
    "parts of speech, 500 sentences": tagged(3.5, 500),
    "parts of speech, 15 sentences": tagged(2.5, 15, realistic=False),
}


def coverage(population: Population, sets: int, seed: int) -> dict[str, float]:
    """Shares of drawn test sets: whose "bca" and "percentile" intervals hold the truth; "alarms" of the paired test."""
    rng = np.random.default_rng(seed)
    held = {"bca": 0, "percentile": 0, "alarms": 0}
    ends = [(1 - LEVEL) / 2, (1 + LEVEL) / 2]
    for number in range(sets):
        counts = population.draw(rng, population.examples, 2 * _SEEDS)
        one, other = counts[:, :_SEEDS], counts[:, _SEEDS:]
        low, high = interval(one, population.score, number)
        held["bca"] += low <= population.truth <= high
        drawn = resampled(one, lambda sums: population.score(sums).mean(-1), number)
        low, high = np.quantile(drawn, ends)
        held["percentile"] += bool(low <= population.truth <= high)
        held["alarms"] += paired(one, other, population.score, number).distinguishable
    return {name: count / sets for name, count in held.items()}


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--sets", type=int, default=400, help="test sets of each population")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    rows, fine = [], True
    for name, population in POPULATIONS.items():
        found = coverage(population, options.sets, options.seed)
        rows.append((name, f"{population.truth:.1f}", *(f"{100 * share:.1f} %" for share in found.values())))
        fine &= not population.realistic or _LOW <= found["bca"] <= _HIGH
    print(text_table(("test set", "true score", "BCa holds it", "percentile", "false alarms"), rows))
    print(f"\n{options.sets} test sets each; 95 % has a standard error of {100 * (0.0475 / options.sets) ** 0.5:.1f}.")
    return 0 if fine else 1


if __name__ == "__main__":
    sys.exit(main())
