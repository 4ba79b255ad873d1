"""Why a run that no process works on isn't finished: by what its folder says, or by what it doesn't. No torch."""

from __future__ import annotations

import contextlib

from core.failures import Failure, told
from core.machine import booted_at
from core.run import RunFolder

CUT_OFF = ("killed", "power_loss")
"""Kinds of end of which no process could tell."""
_BEGUN = ("queued", "running", "paused")


def failure_of_run(folder: RunFolder) -> Failure | None:
    """What ended a run that no process works on; None where nothing went wrong.

    Args:
        folder: the run's. Whether a process works on it is for the caller to know.
    """
    status = folder.read_status()
    state, kind = status.get("state"), status.get("kind")
    if state is None:
        return cut_off(folder) if folder.original_recipe.exists() else None
    if state in _BEGUN:
        return cut_off(folder)
    if state != "failed":
        return None
    return failure_told(kind, status.get("error"), status.get("hint"))


def failure_told(kind: str | None, error: str | None, hint: str | None) -> Failure:
    """What status.json tells of a failure."""
    if not error:  # a full disk has no room even for the reason
        return told("unknown", "The run failed and left no reason.", "What was done before is safe: resume it.")
    # Older versions tell no kind; of a fault of ours they gave no hint.
    return told(kind or ("input" if hint else "bug"), error, hint)


def cut_off(folder: RunFolder) -> Failure:
    """What to tell of a run whose process went without a word."""
    with contextlib.suppress(OSError, ValueError):  # neither may be there
        heard = max(path.stat().st_mtime for path in (folder.status, folder.events) if path.exists())
        if heard < (booted_at() or 0.0):
            return told("power_loss")
    return told("killed")
