"""Labelled examples and what must hold for a task's three splits. No torch."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Generic, TypeVar

from core.errors import Fault, InputError
from core.tasks.kinds import KINDS

SPLITS = ("train", "validation", "test")
_SPACES = re.compile(r"[\s_]+")
_NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?")


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


@dataclass(frozen=True, slots=True)
class SplitRead:
    """A split as it was read."""

    name: str
    """What to call it in a message: its file or data set."""
    examples: Sequence[Placed[Example]]
    """In order."""
    notes: Sequence[str] = ()
    """What was made of it that its owner may not expect, in words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskData:
    """A task's examples: all texts or all tokens, by its kind."""

    kind: str
    labels: tuple[str, ...]
    """Every label a model of this task can give, sorted."""
    train: tuple[Example, ...]
    validation: tuple[Example, ...]
    test: tuple[Example, ...]
    notes: tuple[str, ...] = ()
    """What there is to tell of how the data were read and of their labels, in words."""


def gold(examples: Sequence[Example]) -> list[Any]:
    """The right answers as `core.tasks.scores` takes them: a label a text, or a tuple of tags a sentence."""
    return [example.label if isinstance(example, TextExample) else example.tags for example in examples]


def grouped(labels: Sequence[str], examples: Sequence[Example]) -> list[Any]:
    """Labels of all units, in order, in the form of `gold`."""
    if isinstance(examples[0], TextExample):
        return list(labels)
    units = iter(labels)
    return [tuple(islice(units, len(example.labels))) for example in examples]


def assemble(kind: str, splits: Mapping[str, SplitRead]) -> TaskData:
    """A task's data from its splits, checked against each other.

    Args:
        kind: the kind of task.
        splits: each of `SPLITS`.

    Raises:
        InputError: a split is empty, train knows one label only, or another split has labels that train lacks.
    """
    faults = [
        Fault(f"{split.name} holds no examples.", "Give every split at least one example.")
        for split in splits.values()
        if not split.examples
    ]
    if faults:
        raise InputError.of(faults)
    train = splits["train"]
    labels = _closed(kind, {label for placed in train.examples for label in placed.example.labels})
    if len(labels) < 2:
        faults.append(Fault(f"{train.name} has only the label {labels[0]!r}.", "A task needs at least two labels."))
    for name in SPLITS[1:]:
        faults.extend(_unknown_labels(splits[name], labels, train.name))
    if faults:
        raise InputError.of(faults)
    notes = [note for split in splits.values() for note in split.notes]
    notes += [*_alike(labels, train.name), *_unseen(kind, splits["test"], labels)]
    train_split, validation, test = (tuple(placed.example for placed in splits[name].examples) for name in SPLITS)
    return TaskData(kind=kind, labels=labels, train=train_split, validation=validation, test=test, notes=tuple(notes))


def _closed(kind: str, labels: set[str]) -> tuple[str, ...]:
    """The labels of a model: for entities every type's B- and I-, and O, whether or not each occurs."""
    if KINDS[kind].metric != "f1":
        return tuple(sorted(labels))
    types = {label[2:] for label in labels if label != "O"}
    return tuple(sorted({"O", *(f"{prefix}-{type_}" for prefix in "BI" for type_ in types)}))


def _unknown_labels(split: SplitRead, labels: Sequence[str], train_name: str) -> Iterator[Fault]:
    """A fault for each label that train lacks, at the first line that has it; or one, where one of both has numbers."""
    found: dict[str, int] = {}
    for placed in split.examples:
        for label, line in zip(placed.example.labels, placed.lines, strict=True):
            found.setdefault(label, line)
    unknown = {label: line for label, line in found.items() if label not in labels}
    ours, theirs = _form(found), _form(labels)
    if ours and theirs and ours != theirs:
        yield Fault(
            f"{split.name} is labelled with {ours} ({_listed(sorted(found))}), {train_name} with {theirs} "
            f"({_listed(labels)}).",
            "Write the same labels in every split.",
        )
        return
    folded = {_folded(label): label for label in labels}
    for label, line in unknown.items():
        alike = folded.get(_folded(label))
        if alike is not None:
            yield Fault(
                f"{split.name}, line {line}: the label {label!r} is written {alike!r} in {train_name}.",
                "Write a label in the same way in every split; case and spaces count.",
            )
        else:
            yield Fault(
                f"{split.name}, line {line}: the label {label!r} does not occur in {train_name}.",
                f"The labels there are: {_listed(labels)}. Correct it, or move an example of it to train.",
            )


def _form(labels: Iterable[str]) -> str | None:
    """Whether labels are numbers or names; None where they are both."""
    numbers = {bool(_NUMBER.fullmatch(label)) for label in labels}
    return None if len(numbers) > 1 else "numbers" if True in numbers else "names"


def _alike(labels: Sequence[str], train_name: str) -> Iterator[str]:
    """A note for labels that are probably meant to be one."""
    first: dict[str, str] = {}
    for label in labels:
        earlier = first.setdefault(_folded(label), label)
        if earlier != label:
            yield f"{train_name} has the labels {earlier!r} and {label!r}; they count as two."


def _unseen(kind: str, test: SplitRead, labels: Sequence[str]) -> Iterator[str]:
    """A note where a text task's test split can't tell of every label."""
    held = {label for placed in test.examples for label in placed.example.labels}
    missing = [label for label in labels if label not in held]
    if KINDS[kind].unit == "text" and missing:
        yield f"{test.name} has no example of {_listed(missing)}: the scores say nothing of that."


def _folded(label: str) -> str:
    return _SPACES.sub("", label.casefold())


def _listed(labels: Sequence[str]) -> str:
    return ", ".join(labels[:20]) + (", …" if len(labels) > 20 else "")
