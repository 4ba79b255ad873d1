"""The typed news of a run: what `events.jsonl` holds and the window follows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, asdict, dataclass, fields
from types import UnionType
from typing import Any, ClassVar, Literal, Union, get_args, get_origin, get_type_hints

State = Literal["queued", "running", "paused", "stopped", "failed", "finished"]
Split = Literal["train", "validation", "test"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """A stage began or ended."""

    type: ClassVar[str] = "stage"
    name: str
    state: Literal["started", "finished"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a stage is, in units of work; the ETA is the stage's, in seconds."""

    type: ClassVar[str] = "progress"
    stage: str
    done: int
    total: int
    eta_seconds: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """Losses: `mlm` and `total`, the weighted sum, in nats; `kd` and `hidden` are null where they aren't learnt."""

    type: ClassVar[str] = "loss"
    stage: str
    step: int
    tokens: int
    mlm: float
    kd: float | None
    total: float
    split: Split
    hidden: float | None = None
    """Distance of the hidden states; absent in the logs of older runs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """The model's size after a stage; tied tensors count once."""

    type: ClassVar[str] = "size"
    stage: str
    parameters: int
    megabytes: float
    parts: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """A task's score, 0-100; `how` tells a cheap live probe from the final measurement."""

    type: ClassVar[str] = "score"
    stage: str
    step: int
    task: str
    metric: str
    value: float
    split: Split
    seed: int | None
    who: Literal["teacher", "student"]
    how: Literal["probe", "final"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A line for the log."""

    type: ClassVar[str] = "message"
    level: Literal["info", "warning", "error"]
    text: str
    doubt: bool = False
    """Whether it tells of something that makes the run's numbers other than they seem: results.json repeats it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """The process that ran ended, and how."""

    type: ClassVar[str] = "done"
    state: State


Event = Stage | Progress | Loss | Size | Score | Message | Done
_KINDS: dict[str, type[Event]] = {kind.type: kind for kind in (Stage, Progress, Loss, Size, Score, Message, Done)}


def to_record(event: Event, t: float) -> dict[str, Any]:
    """The event as it stands in `events.jsonl`; `t` is seconds of work since the start."""
    return {"t": round(t, 3), "type": event.type, **asdict(event)}


def from_record(record: Mapping[str, Any]) -> Event | None:
    """The event of a record; None for a type that a later version may have added.

    Raises:
        KeyError, TypeError, AttributeError: it is no record of an event, or holds what an event of its kind can't.
    """
    kind = _KINDS.get(record.get("type", ""))
    if kind is None:
        return None
    given = {field.name: record[field.name] for field in fields(kind) if _is_told(field, record)}
    for name, value in given.items():
        if not any(fits(value) for fits in _FITTING[kind.type][name]):
            raise TypeError(f"{name} of {kind.type} is a {type(value).__name__}")
    return kind(**given)


def _is_told(field: Field[Any], record: Mapping[str, Any]) -> bool:
    return field.name in record or field.default is MISSING


def _fitting(kind: type[Event]) -> dict[str, list[Callable[[Any], bool]]]:
    """By field, checks of which a value must pass one; words may be another version's."""
    hints = get_type_hints(kind)
    return {field.name: [_CHECKS.get(one, _is_text) for one in _kinds_of(hints[field.name])] for field in fields(kind)}


def _kinds_of(hint: Any) -> tuple[Any, ...]:
    is_union = get_origin(hint) in (Union, UnionType)
    return get_args(hint) if is_union else (hint,)


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) < _TOO_LARGE


def _is_number(value: Any) -> bool:
    return isinstance(value, float) or _is_count(value)


def _are_counts(value: Any) -> bool:
    return isinstance(value, Mapping) and all(map(_is_count, value.values()))


_TOO_LARGE = 2**63
"""No count of ours comes near, and what is beyond fits no array."""
_CHECKS: dict[Any, Callable[[Any], bool]] = {
    int: _is_count,
    float: _is_number,
    bool: lambda value: isinstance(value, bool),
    type(None): lambda value: value is None,
    Mapping[str, int]: _are_counts,
}
_FITTING = {name: _fitting(kind) for name, kind in _KINDS.items()}
