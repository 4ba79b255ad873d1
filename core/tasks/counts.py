"""What a score is made of, example by example: counts that add up, and the scores as functions of their sums.

Counts have the shape (examples, labels, 3), the last axis being how often a label is right, predicted and gold. For
entities a label is a type, and what is counted are whole entities; else each text or token counts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any

import numpy as np

from core.analysis.bootstrap import Floats, Score
from core.tasks.examples import Example, gold
from core.tasks.kinds import KINDS
from core.tasks.scores import entities_of

RIGHT, PREDICTED, GOLD = range(3)


@dataclass(frozen=True, slots=True)
class Questions:
    """The examples of a task that models were tested on."""

    kind: str
    """Of task."""
    labels: tuple[str, ...]
    """All that a model of the task can give."""
    examples: tuple[Example, ...]

    @property
    def gold(self) -> list[Any]:
        """The right answers: a label a text, or a tuple of tags a sentence."""
        return gold(self.examples)

    @property
    def counted(self) -> tuple[str, ...]:
        """What is counted: the labels, or the types of entities."""
        if KINDS[self.kind].metric != "f1":
            return self.labels
        return tuple(sorted({label[2:] for label in self.labels if label != "O"}))

    def counts(self, answers: Sequence[Any]) -> Floats:
        """The counts of every example, shape (examples, labels, 3), for one model's answers, in the form of `gold`."""
        number = {label: index for index, label in enumerate(self.counted)}
        found = np.zeros((len(self.examples), len(number), 3))
        for example, (right, given) in enumerate(zip(self.gold, answers, strict=True)):
            sides = [_counted(self.kind, answer) for answer in (right, given)]
            for column, things in ((RIGHT, sides[0] & sides[1]), (PREDICTED, sides[1]), (GOLD, sides[0])):
                for label, *_ in things:
                    found[example, number[label], column] += 1
        return found


def _counted(kind: str, answer: Any) -> Set[tuple[Any, ...]]:
    """What an answer consists of, label first: entities, tokens or the one label of a text."""
    if KINDS[kind].metric == "f1":
        return entities_of(answer)
    if KINDS[kind].unit == "text":
        return {(answer,)}
    return {(tag, place) for place, tag in enumerate(answer)}


def macro_f1(sums: Floats) -> Floats:
    """As `core.tasks.scores.macro_f1`: the mean over labels that occur on either side."""
    named = sums[..., PREDICTED] + sums[..., GOLD]
    each = 2 * sums[..., RIGHT] / np.maximum(named, 1)
    return np.asarray(100 * each.sum(-1) / np.maximum((named > 0).sum(-1), 1))


def micro_f1(sums: Floats) -> Floats:
    """As `core.tasks.scores.entity_f1`, all types together."""
    whole = sums.sum(-2)
    return np.asarray(200 * whole[..., RIGHT] / np.maximum(whole[..., PREDICTED] + whole[..., GOLD], 1))


def accuracy(sums: Floats) -> Floats:
    """As `core.tasks.scores.accuracy`."""
    whole = sums.sum(-2)
    return np.asarray(100 * whole[..., RIGHT] / np.maximum(whole[..., GOLD], 1))


_SCORES: Mapping[str, Score] = {"macro_f1": macro_f1, "f1": micro_f1, "accuracy": accuracy}


def summed_score(kind: str) -> Score:
    """A kind's main score as a function of summed counts: shape (..., labels, 3) to (...)."""
    return _SCORES[KINDS[kind].metric]


def needed(kind: str, found: Floats) -> Floats:
    """Counts without what the kind's main score doesn't tell apart: labels, but for macro F1."""
    return found if KINDS[kind].metric == "macro_f1" else found.sum(-2, keepdims=True)
