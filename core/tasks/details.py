"""Where scores come from: label by label, what is taken for what, and the examples that a student lost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from core.analysis.bootstrap import Floats
from core.tasks.counts import GOLD, PREDICTED, RIGHT, Questions
from core.tasks.examples import Example, TextExample
from core.tasks.kinds import KINDS
from core.tasks.scores import entities_of
from core.tasks.summary import Answers
from core.wording import shortened

_WORST = 20
"""Examples that are shown at most."""
_TEXT, _PIECE, _PIECES = 300, 60, 30
"""Characters of a text and of an entity or word, and how many of these are shown of an answer."""
_OUTSIDE = "O"
_MOSTLY = 0.5
"""A teacher has an example right where its own score is above this."""


def by_label(questions: Questions, answers: Answers) -> dict[str, dict[str, float]]:
    """Precision, recall and F1 of each label, 0-100, the mean over seeds.

    A label that is never predicted, or never gold, has a precision or recall of 0. Of entities, whole ones count; of
    parts of speech, tokens.

    Args:
        questions: what was asked.
        answers: one model's.
    """
    sums = np.stack([questions.counts(given).sum(0) for given in answers])
    named = sums[..., PREDICTED] + sums[..., GOLD]
    found = {
        "precision": _percent(sums[..., RIGHT], sums[..., PREDICTED]),
        "recall": _percent(sums[..., RIGHT], sums[..., GOLD]),
        "f1": _percent(2 * sums[..., RIGHT], named),
    }
    return {
        label: {name: float(values.mean(0)[place]) for name, values in found.items()}
        for place, label in enumerate(questions.counted)
    }


def supports(questions: Questions) -> dict[str, int]:
    """How often each label is gold: texts, entities or tokens."""
    found = questions.counts(questions.gold).sum(0)[:, GOLD]
    return {label: int(number) for label, number in zip(questions.counted, found, strict=True)}


def details(questions: Questions, teacher: Answers, student: Answers) -> dict[str, Any]:
    """A task's entry in tasks.json: `labels`, `confusion` and `worst`."""
    sides = {"teacher": teacher, "student": student}
    each = {who: by_label(questions, answers) for who, answers in sides.items()}
    shown = (_OUTSIDE, *questions.counted) if _has_entities(questions) else questions.counted
    return {
        "labels": {
            label: {"support": support, **{who: found[label] for who, found in each.items()}}
            for label, support in supports(questions).items()
        },
        "confusion": {
            "labels": list(shown),
            **{who: _confusion(questions, shown, answers) for who, answers in sides.items()},
        },
        "worst": worst_kept(questions, teacher, student),
    }


def _has_entities(questions: Questions) -> bool:
    return KINDS[questions.kind].metric == "f1"


def _confusion(questions: Questions, shown: Sequence[str], answers: Answers) -> list[list[int]]:
    """How often a text or token of one label (row) is taken for another (column), summed over seeds.

    Of entity tags only the type counts.
    """
    number = {label: place for place, label in enumerate(shown)}
    cut = 2 if _has_entities(questions) else 0
    found = [[0] * len(shown) for _ in shown]
    for given in answers:
        for example, answer in zip(questions.examples, given, strict=True):
            for right, said in zip(example.labels, (answer,) if isinstance(answer, str) else answer, strict=True):
                row, column = (label if label == _OUTSIDE else label[cut:] for label in (right, said))
                found[number[row]][number[column]] += 1
    return found


def worst_kept(questions: Questions, teacher: Answers, student: Answers) -> list[dict[str, Any]]:
    """The examples at which the student falls furthest behind its teacher, which has most of them right.

    An example's own score is whether its text's label is right, the share of its tokens that are, or its entities' F1,
    the mean over seeds. What the models said is shown from the seed at which they are furthest apart: a label, or
    entities, or the words that one of them got wrong, each with its tag.
    """
    theirs, ours = (np.stack([_own_scores(questions.counts(given)) for given in side]) for side in (teacher, student))
    lost, kept = (theirs - ours).mean(0), theirs.mean(0)
    order = sorted(range(len(lost)), key=lambda place: (-lost[place], -kept[place], place))
    shown = []
    for place in [place for place in order if lost[place] > 0 and kept[place] > _MOSTLY][:_WORST]:
        seed = int((theirs - ours)[:, place].argmax())
        sides = {"gold": questions.gold[place], "teacher": teacher[seed][place], "student": student[seed][place]}
        example = questions.examples[place]
        shown.append({"text": _text(example), **_in_words(example, sides, entities=_has_entities(questions))})
    return shown


def _own_scores(found: Floats) -> Floats:
    """A score an example, 0-1; 1 for a sentence without entities in which none is seen."""
    whole = found.sum(1)
    named = whole[:, PREDICTED] + whole[:, GOLD]
    return np.where(named > 0, 2 * whole[:, RIGHT] / np.maximum(named, 1), 1.0)


def _in_words(example: Example, sides: Mapping[str, Any], *, entities: bool) -> dict[str, Any]:
    if isinstance(example, TextExample):
        return dict(sides)
    if entities:
        return {name: _entities(example.tokens, tags) for name, tags in sides.items()}
    wrong = [place for place, tags in enumerate(zip(*sides.values(), strict=True)) if len(set(tags)) > 1]
    return {
        name: [f"{shortened(example.tokens[place], _PIECE)}/{tags[place]}" for place in wrong[:_PIECES]]
        for name, tags in sides.items()
    }


def _entities(tokens: Sequence[str], tags: Sequence[str]) -> list[str]:
    found = sorted(entities_of(tags), key=lambda entity: entity[1:])[:_PIECES]
    return [f"{shortened(' '.join(tokens[first : last + 1]), _PIECE)}/{type_}" for type_, first, last in found]


def _text(example: Example) -> str:
    return shortened(example.text if isinstance(example, TextExample) else " ".join(example.tokens), _TEXT)


def _percent(part: Floats, whole: Floats) -> Floats:
    return 100 * part / np.maximum(whole, 1)
