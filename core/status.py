"""What status.json says: where a run stands."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, get_args

from core.events import State


@dataclass(frozen=True, slots=True)
class Status:
    """The content of status.json."""

    state: State = "queued"
    pid: int = 0
    stage: str = ""
    done: int = 0
    total: int = 0
    eta_seconds: float | None = None
    error: str | None = None
    hint: str | None = None
    kind: str | None = None
    """Of failure, as `core.failures.KINDS` names it; also of what a run waits for that paused by itself."""
    safe: str | None = None
    """Of a run that failed: what of it is whole."""
    version: str | None = None
    """Monoglot's, of the process that wrote it."""


def _is_text(value: object) -> bool:
    return value is None or isinstance(value, str)


def _is_count(value: object) -> bool:
    return isinstance(value, int)


_FITS: dict[str, Callable[[Any], bool]] = {
    "state": lambda value: isinstance(value, str) and value in get_args(State),
    "pid": _is_count,
    "stage": lambda value: isinstance(value, str),
    "done": _is_count,
    "total": _is_count,
    "eta_seconds": lambda value: value is None or isinstance(value, int | float),
    "error": _is_text,
    "hint": _is_text,
    "kind": _is_text,
    "safe": _is_text,
    "version": _is_text,
}
"""What may stand in status.json: a folder can be another version's."""


def known_status(content: Any) -> dict[str, Any]:
    """The entries of a status.json that are as this version writes them; it may be another version's.

    Raises:
        TypeError, ValueError: it holds no entries at all.
    """
    entries = dict(content)
    return {name: entries[name] for name, fits in _FITS.items() if name in entries and fits(entries[name])}
