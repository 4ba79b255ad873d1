"""Cross-validation for tasks whose test set is too small to tell much: every example is tested once. No torch."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace

from core.errors import InputError
from core.tasks.examples import Example, TaskData, TextExample
from core.tasks.kinds import KINDS

AUTO_FOLDS = 5
TINY = {"text": 100, "token": 1000}
"""Labelled test units below which `auto` cross-validates. With 100 texts and a score of 80, the 95 % interval reaches 8
points to either side, as much as the paper's smallest models lose: a smaller set can show no drop at all. Tokens come
many a sentence, and entities are few among them."""
VALIDATED = 8
"""One in so many of a fold's other examples chooses the epoch."""


def folds_of(asked: int | str, data: TaskData) -> int:
    """In how many folds a task is scored; 0: its own splits are used.

    Args:
        asked: a recipe's `folds`, "auto" or a number.
        data: the task.

    Raises:
        InputError: there are too few examples for so many folds.
    """
    examples = len(list(merged(data)))
    most = examples // 2
    if asked == "auto":
        tiny = sum(len(example.labels) for example in data.test) < TINY[KINDS[data.kind].unit]
        folds = min(AUTO_FOLDS, most) if tiny else 0
        return folds if folds > 1 else 0
    if int(asked) > most:
        fewer = f"at most {most}, or to 0 for its own test split" if most > 1 else "0"
        raise InputError(
            f"The splits of the {data.kind} task hold {examples} different examples, too few for {asked} folds.",
            hint=f"Set its folds to {fewer}.",
        )
    return int(asked)


def folded(data: TaskData, folds: int) -> tuple[TaskData, ...]:
    """The task as each fold sees it: that fold is the test, an eighth of the rest validation, the others train.

    Which fold an example is in hangs on the texts alone, so it is the same for every model and run. Each fold has its
    share of every label. The predictions of all folds are then scored at once: a mean of the folds' F1 would be biased
    (Forman and Scholz 2010, Apples-to-Apples in Cross-Validation Studies).

    Args:
        data: the task; which split an example came from no longer matters, and a text that several hold counts once.
        folds: at least 2; the task has two examples for each, see `folds_of`.
    """
    pool = sorted(merged(data), key=_place)
    parts = []
    for fold in range(folds):
        rest = [example for place, example in enumerate(pool) if place % folds != fold]
        parts.append(
            replace(
                data,
                train=tuple(example for place, example in enumerate(rest) if place % VALIDATED),
                validation=tuple(rest[::VALIDATED]),
                test=tuple(pool[fold::folds]),
            )
        )
    return tuple(parts)


def merged(data: TaskData) -> Iterator[Example]:
    """Every example of all splits, in order, each text once."""
    seen: set[str] = set()
    for example in (*data.train, *data.validation, *data.test):
        text = text_of(example)
        if text not in seen:
            seen.add(text)
            yield example


def text_of(example: Example) -> str:
    """What tells an example's text from others; of a sentence, a token a line."""
    return example.text if isinstance(example, TextExample) else "\n".join(example.tokens)


def _place(example: Example) -> tuple[str, bytes]:
    """Orders examples by label where they have one, and by chance among themselves."""
    label = example.label if isinstance(example, TextExample) else ""
    return label, hashlib.blake2b(text_of(example).encode(errors="surrogatepass"), digest_size=8).digest()
