"""The typed news of a run: what `events.jsonl` holds and the window follows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, fields
from typing import Any, ClassVar, Literal

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
    """The event of a record; None for a type that a later version may have added."""
    kind = _KINDS.get(record.get("type", ""))
    if kind is None:
        return None
    given = (field.name for field in fields(kind) if field.name in record or field.default is MISSING)
    return kind(**{name: record[name] for name in given})
