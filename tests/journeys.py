"""Runs on the built-in sample, made small, for the tests that need a whole one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.torture.comparing import student_bytes, timeless
from benchmarks.torture.recipes import whole
from core.events import Event
from core.run import RunFolder
from core.session import execute
from tests.little_evidence import little_evidence

__all__ = ["STAGES", "journey", "recipe", "student_bytes", "timeless"]

STAGES = ("adapt", "vocabulary", "layers", "feed_forward", "hidden", "evaluate")


def recipe(method: str = "") -> str:
    """The recipe's text, with lines for [method]; it distils after each cut, so that no stage is over at once."""
    method = method if "distil_after" in method else f'distil_after = "each"\n{method}'
    return whole("journey", method=method, adapt_steps=4, steps=4)


def journey(
    folder: Path, *, text: str | None = None, resume: bool = False, listen: Callable[[Event], None] | None = None
) -> dict[str, Any]:
    """Run the recipe in a folder, with `little_evidence`."""
    with little_evidence():
        return execute(RunFolder(folder), original=text or recipe(), base=folder.parent, resume=resume, listen=listen)
