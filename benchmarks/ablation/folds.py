"""Cross-validation over all of a task's examples, and shorter splits. No torch."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace

from core.errors import InputError
from core.tasks.examples import Example, TaskData
from core.tasks.folds import merged, text_of

_VALIDATED = 8
"""One in so many of a fold's other examples chooses the epoch."""


def fold_of(example: Example, folds: int) -> int:
    """Which fold an example belongs to: by its text alone, so that the same text is never on both sides."""
    return _hash("fold", example) % folds


def folded(data: TaskData, fold: int, folds: int) -> TaskData:
    """The task as one fold sees it: that fold is the test, an eighth of the rest validation, the others train.

    Args:
        data: the task; which split an example came from no longer matters.
        fold: from 0.
        folds: how many there are.

    Raises:
        InputError: a part would be empty.
    """
    train: list[Example] = []
    validation: list[Example] = []
    test: list[Example] = []
    for example in merged(data):
        if fold_of(example, folds) == fold:
            test.append(example)
        else:
            (validation if _hash("validation", example) % _VALIDATED == 0 else train).append(example)
    if not (train and validation and test):
        raise InputError(
            f"Fold {fold + 1} of {folds} leaves a part of the task {data.kind} empty.", hint="Use fewer folds."
        )
    return replace(data, train=tuple(train), validation=tuple(validation), test=tuple(test))


def limited(data: TaskData, train: int, validation: int, test: int) -> TaskData:
    """The first examples of each split; 0 takes all."""
    return replace(
        data, train=_first(data.train, train), validation=_first(data.validation, validation),
        test=_first(data.test, test),
    )  # fmt: skip


def digest(data: TaskData) -> str:
    """What tells this task's examples from others."""
    found = hashlib.sha256(json.dumps([data.kind, data.labels]).encode())
    for split in (data.train, data.validation, data.test):
        for example in split:
            found.update(json.dumps([text_of(example), example.labels]).encode() + b"\n")
        found.update(b"\n")
    return found.hexdigest()


def _first(examples: Sequence[Example], limit: int) -> tuple[Example, ...]:
    return tuple(examples[:limit] if limit else examples)


def _hash(purpose: str, example: Example) -> int:
    return int.from_bytes(hashlib.blake2b(f"{purpose}\0{text_of(example)}".encode(), digest_size=8).digest(), "big")
