"""Scores of predictions, 0-100."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from statistics import fmean
from typing import Any

from core.tasks.kinds import KINDS

Labels = Sequence[str]
"""A label a text."""
Tags = Sequence[Sequence[str]]
"""A tag a token, sentence by sentence."""


def macro_f1(gold: Labels, predicted: Labels) -> float:
    """Mean F1 of all labels that occur on either side; a label that is never right counts 0.

    scikit-learn's `f1_score(average="macro")`, without the seconds that its import takes.
    """
    right = Counter(label for label, guess in zip(gold, predicted, strict=True) if label == guess)
    named = Counter(gold) + Counter(predicted)
    return 100 * fmean(2 * right[label] / count for label, count in sorted(named.items()))


def entity_f1(gold: Tags, predicted: Tags) -> float:
    """F1 over whole entities, boundaries and type right (seqeval's default, CoNLL's rule).

    0 where neither side has an entity.
    """
    from seqeval.metrics import f1_score

    return 100 * float(f1_score([list(tags) for tags in gold], [list(tags) for tags in predicted], zero_division=0))


def entities_of(tags: Sequence[str]) -> set[tuple[str, int, int]]:
    """The entities of a sentence as `entity_f1` sees them: type, first token, last token."""
    from seqeval.metrics.sequence_labeling import get_entities

    return set(get_entities(list(tags)))


def accuracy(gold: Tags, predicted: Tags) -> float:
    """Share of tokens with the right tag."""
    pairs = [pair for tags in zip(gold, predicted, strict=True) for pair in zip(tags[0], tags[1], strict=True)]
    return 100 * sum(right == given for right, given in pairs) / len(pairs)


def tag_f1(gold: Tags, predicted: Tags) -> float:
    """The paper's F1 for parts of speech: every word an entity of its own.

    seqeval takes a tag's first letter for IOB's, so bare ones are misread (NOUN as N- of the type OUN). Fed B-NOUN, it
    counts as many entities on both sides as there are words, so that precision, recall and F1 are the accuracy.
    """
    return entity_f1(*([[f"B-{tag}" for tag in tags] for tags in side] for side in (gold, predicted)))


_SCORES: Mapping[str, Mapping[str, Callable[[Any, Any], float]]] = {
    "topic": {"macro_f1": macro_f1},
    "sentiment": {"macro_f1": macro_f1},
    "ner": {"f1": entity_f1},
    "pos": {"accuracy": accuracy, "f1": tag_f1},
}


def score(kind: str, gold: Labels | Tags, predicted: Labels | Tags) -> dict[str, float]:
    """Every score of a kind of task, its main metric first."""
    return {name: function(gold, predicted) for name, function in _SCORES[kind].items()}


def main_score(kind: str, gold: Labels | Tags, predicted: Labels | Tags) -> float:
    """The score that a kind of task is judged by."""
    return _SCORES[kind][KINDS[kind].metric](gold, predicted)
