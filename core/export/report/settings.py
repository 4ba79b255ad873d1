"""Every setting of the run, and why it became what it is."""

from __future__ import annotations

from typing import Any

from core.export.markup import Markup, table
from core.export.report.run import Run
from core.recipe import settings


def all_settings(run: Run) -> Markup:
    """The section."""
    values = settings(run.recipe)
    rows = [(key, _shown(value), run.reasons.get(key, "")) for key, value in values.items() if value is not None]
    head = ("Key in the recipe", "Value", "Why, where it was left open")
    return table("The recipe as it ran", head, rows, words=3)


def _shown(value: Any) -> str:
    return ", ".join(str(entry) for entry in value) if isinstance(value, tuple) else str(value)
