"""What status.json says: where a run stands."""

from __future__ import annotations

from collections.abc import Callable, Mapping
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


_TOO_LARGE = 2**63
_LONGEST = 100_000
"""Characters of what a person is to read."""


def _is_text(value: object) -> bool:
    return value is None or (isinstance(value, str) and len(value) <= _LONGEST)


def _is_count(value: object) -> bool:
    return isinstance(value, int) and 0 <= value < _TOO_LARGE


_FITS: dict[str, Callable[[Any], bool]] = {
    "state": lambda value: isinstance(value, str) and value in get_args(State),
    "pid": _is_count,
    "stage": lambda value: value is not None and _is_text(value),
    "done": _is_count,
    "total": _is_count,
    "eta_seconds": lambda value: value is None or (isinstance(value, int | float) and 0 <= value < _TOO_LARGE),
    "error": _is_text,
    "hint": _is_text,
    "kind": _is_text,
    "safe": _is_text,
    "version": _is_text,
}
"""What may stand in status.json: a folder can be another version's."""


def known_status(content: Mapping[str, Any]) -> dict[str, Any]:
    """The entries of a status.json that are as this version writes them; it may be another version's."""
    return {name: content[name] for name, fits in _FITS.items() if name in content and fits(content[name])}
