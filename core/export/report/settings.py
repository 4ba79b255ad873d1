"""Every setting of the run, and why it became what it is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from core.export.markup import Markup, table
from core.export.report.run import Run
from core.recipe import Task, settings
from core.tasks.kinds import REDUCTION_FACTOR, SMALL_HIDDEN_SIZE, SMALL_REDUCTION_FACTOR, auto_training


def all_settings(run: Run) -> Markup:
    """The section."""
    values = settings(run.recipe)
    reasons = {**run.reasons}
    for task in run.recipe.tasks:
        reasons |= {f"tasks.{task.name}.{key}": reason for key, reason in _auto(run, task)}
    rows = [(key, _shown(value), reasons.get(key, "")) for key, value in values.items() if value is not None]
    head = ("Key in the recipe", "Value", "Why, where it was left open")
    return table("The recipe as it ran", head, rows, words=3)


def _shown(value: Any) -> str:
    return ", ".join(str(entry) for entry in value) if isinstance(value, tuple) else str(value)


def _auto(run: Run, task: Task) -> Iterator[tuple[str, str]]:
    """What a task's open settings mean: they stay open in the recipe, as they may differ between models."""
    chosen = auto_training(task.kind, task.method)
    if task.learning_rate == "auto":
        yield "learning_rate", f"{chosen.learning_rate:g}, by kind and method."
    if task.batch_size == "auto":
        yield "batch_size", f"{chosen.batch_size}, by kind and method."
    if task.reduction_factor == "auto" and task.method == "adapter":
        words = f"{REDUCTION_FACTOR}; {SMALL_REDUCTION_FACTOR} for models narrower than {SMALL_HIDDEN_SIZE}."
        yield "reduction_factor", words
    if task.folds == "auto" and task.name in run.tasks:
        folds = run.tasks[task.name].get("folds")
        yield "folds", f"{folds}: the test split is tiny." if folds else "None: the test split is large enough."
