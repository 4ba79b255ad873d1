"""Scores over seeds with their certainty, and teacher against student: what results.json says of a task. No torch."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean, stdev
from typing import Any

import numpy as np

from core.analysis.bootstrap import Floats, interval
from core.analysis.paired import over_seeds, paired
from core.tasks.counts import Questions, needed, summed_score
from core.tasks.kinds import KINDS
from core.tasks.scores import score

Answers = Sequence[Sequence[Any]]
"""A model's, seed by seed, example by example: a label a text, or tags a sentence."""


def summarise(questions: Questions, answers: Answers, seed: int) -> dict[str, Any]:
    """Mean and sample standard deviation over seeds, and the mean's 95 % interval over test examples.

    That is of the main metric; others stand beside it, without an interval.

    Args:
        questions: what was asked.
        answers: a model's.
        seed: of the resamples.
    """
    runs = [score(questions.kind, questions.gold, given) for given in answers]
    main, *others = runs[0]
    between = interval(_counts(questions, answers), summed_score(questions.kind), seed)
    summary = {**_spread([run[main] for run in runs]), "interval": list(between)}
    return summary | {name: _spread([run[name] for run in runs]) for name in others}


def _spread(values: Sequence[float]) -> dict[str, Any]:
    return {"mean": fmean(values), "sd": stdev(values) if len(values) > 1 else None, "runs": list(values)}


def _counts(questions: Questions, answers: Answers) -> Floats:
    """What the main score is made of, shape (examples, seeds, labels, 3)."""
    return np.stack([needed(questions.kind, questions.counts(given)) for given in answers], axis=1)


def compared(questions: Questions, teacher: Answers, student: Answers, seed: int) -> dict[str, Any]:
    """A task's entry in results.json, but for what isn't known here.

    Args:
        questions: what was asked.
        teacher, student: their answers, of the same seeds.
        seed: of the resamples: the same for both sides.
    """
    theirs, ours = summarise(questions, teacher, seed), summarise(questions, student, seed)
    test = paired(_counts(questions, teacher), _counts(questions, student), summed_score(questions.kind), seed)
    over = over_seeds(theirs["runs"], ours["runs"])
    return {
        "kind": questions.kind,
        "metric": KINDS[questions.kind].metric,
        "labels": list(questions.counted),
        "teacher": theirs,
        "student": ours,
        "drop": theirs["mean"] - ours["mean"],
        "paired": {
            "interval": list(test.interval),
            "p": test.p,
            "distinguishable": test.distinguishable,
            "examples": len(questions.examples),
            "seeds": over and list(over),
        },
    }
