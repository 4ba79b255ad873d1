"""Labelled examples and what must hold for a task's three splits. No torch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Generic, TypeVar

from core.errors import Fault, InputError
from core.tasks.kinds import KINDS

SPLITS = ("train", "validation", "test")


@dataclass(frozen=True, slots=True)
class TextExample:
    """A text and its label."""

    text: str
    label: str

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels it carries: one."""
        return (self.label,)


@dataclass(frozen=True, slots=True)
class TokenExample:
    """A sentence's tokens and a tag for each."""

    tokens: tuple[str, ...]
    tags: tuple[str, ...]

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels it carries: one a token."""
        return self.tags


Example = TextExample | TokenExample
E_co = TypeVar("E_co", bound=Example, covariant=True)


@dataclass(frozen=True, slots=True)
class Placed(Generic[E_co]):
    """An example and where it stands."""

    example: E_co
    lines: tuple[int, ...]
    """The line of each of its labels, from 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskData:
    """A task's examples: all texts or all tokens, by its kind."""

    kind: str
    labels: tuple[str, ...]
    """Every label a model of this task can give, sorted."""
    train: tuple[Example, ...]
    validation: tuple[Example, ...]
    test: tuple[Example, ...]


def gold(examples: Sequence[Example]) -> list[Any]:
    """The right answers as `core.tasks.scores` takes them: a label a text, or a tuple of tags a sentence."""
    return [example.label if isinstance(example, TextExample) else example.tags for example in examples]


def grouped(labels: Sequence[str], examples: Sequence[Example]) -> list[Any]:
    """Labels of all units, in order, in the form of `gold`."""
    if isinstance(examples[0], TextExample):
        return list(labels)
    units = iter(labels)
    return [tuple(islice(units, len(example.labels))) for example in examples]


def assemble(kind: str, splits: Mapping[str, tuple[str, Sequence[Placed[Example]]]]) -> TaskData:
    """A task's data from its splits, checked against each other.

    Args:
        kind: the kind of task.
        splits: for each of `SPLITS` what to call it in a message, and its examples in order.

    Raises:
        InputError: a split is empty, train knows one label only, or another split has labels that train lacks.
    """
    faults = [
        Fault(f"{name} holds no examples.", "Give every split at least one example.")
        for name, examples in splits.values()
        if not examples
    ]
    if faults:
        raise InputError.of(faults)
    train_name, train = splits["train"]
    labels = _closed(kind, {label for placed in train for label in placed.example.labels})
    if len(labels) < 2:
        faults.append(Fault(f"{train_name} has only the label {labels[0]!r}.", "A task needs at least two labels."))
    for name, examples in (splits[split] for split in SPLITS[1:]):
        faults.extend(_unknown_labels(name, examples, labels, train_name))
    if faults:
        raise InputError.of(faults)
    train_split, validation, test = (tuple(placed.example for placed in splits[split][1]) for split in SPLITS)
    return TaskData(kind=kind, labels=labels, train=train_split, validation=validation, test=test)


def _closed(kind: str, labels: set[str]) -> tuple[str, ...]:
    """The labels of a model: for entities every type's B- and I-, and O, whether or not each occurs."""
    if KINDS[kind].metric != "f1":
        return tuple(sorted(labels))
    types = {label[2:] for label in labels if label != "O"}
    return tuple(sorted({"O", *(f"{prefix}-{type_}" for prefix in "BI" for type_ in types)}))


def _unknown_labels(
    name: str, examples: Sequence[Placed[Example]], labels: Sequence[str], train_name: str
) -> Iterator[Fault]:
    """A fault for each label that train lacks, at the first line that has it."""
    known = set(labels)
    for placed in examples:
        for label, line in zip(placed.example.labels, placed.lines, strict=True):
            if label not in known:
                known.add(label)
                yield Fault(
                    f"{name}, line {line}: the label {label!r} does not occur in {train_name}.",
                    f"The labels there are: {', '.join(labels[:20])}. Correct it, or move an example of it to train.",
                )
