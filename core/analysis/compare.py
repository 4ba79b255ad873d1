"""Finished runs side by side: what was set differently, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from core.errors import Fault, InputError
from core.recipe import settings
from core.run import RunFolder
from core.tables import text_table
from core.wording import MISSING, clean, mean_sd, megabytes, metric, number, parameters

_UNTOLD = ("name",)
"""Settings that shape nothing."""


def compare(folders: Sequence[RunFolder]) -> dict[str, Any]:
    """What differs between runs.

    Returns:
        `runs`: for each its folder, name, sizes, masked-language loss and accuracy, and by task the student's `mean`,
        `sd`, `drop` and `metric`; `settings`: by the recipe's key, the runs' values in the same order, for keys that
        differ only (null: absent).

    Raises:
        InputError: runs without results, all of them named.
    """
    faults: list[Fault] = []
    runs: list[dict[str, Any]] = []
    told: list[dict[str, Any]] = []
    for folder in folders:
        try:
            recipe, results = folder.read_recipe(), folder.read_results()
            runs.append({"run": str(folder.path), "name": recipe.name, **_outcome(results)})
            told.append(settings(recipe))
        except InputError as error:
            faults.extend(error.faults)
        except (KeyError, TypeError, AttributeError):
            faults.append(Fault(f"{folder.results} is not whole.", "Restore it, or run the recipe again."))
    if faults:
        raise InputError.of(faults)
    keys = dict.fromkeys(key for setting in told for key in setting)
    values = {key: [setting.get(key) for setting in told] for key in keys if key not in _UNTOLD}
    return {"runs": runs, "settings": {key: row for key, row in values.items() if any(v != row[0] for v in row)}}


def _outcome(results: Mapping[str, Any]) -> dict[str, Any]:
    student = results["student"]
    names = ("parameters", "megabytes", "compression", "mlm_loss", "mlm_accuracy")
    tasks = {
        name: {
            "metric": task["metric"],
            "mean": task["student"]["mean"],
            "sd": task["student"]["sd"],
            "drop": task["drop"],
        }
        for name, task in results["tasks"].items()
    }
    return {**{name: student[name] for name in names}, "tasks": tasks}


def comparison_text(comparison: Mapping[str, Any]) -> str:
    """The comparison as a table for a terminal, one column a run."""
    runs = comparison["runs"]
    rows = [[key, *(_value(value) for value in values)] for key, values in comparison["settings"].items()]
    rows.append(["parameters", *(parameters(run["parameters"]) for run in runs)])
    rows.append(["size", *(megabytes(run["megabytes"]) for run in runs)])
    rows.append(["compression", *(f"{100 * run['compression']:.1f} %" for run in runs)])
    rows.append(["masked-language loss", *(number(run["mlm_loss"], 3) for run in runs)])
    rows.append(["masked-token accuracy", *(number(run["mlm_accuracy"]) for run in runs)])
    for name in dict.fromkeys(name for run in runs for name in run["tasks"]):
        found = [run["tasks"].get(name) for run in runs]
        label = f"{name} ({metric(next(task['metric'] for task in found if task))})"
        rows.append([label, *(mean_sd(task) if task else MISSING for task in found)])
        rows.append([f"{name}, drop", *(number(task["drop"]) if task else MISSING for task in found)])
    return text_table(["", *(clean(run["name"]) for run in runs)], rows)


def _value(value: Any) -> str:
    if value is None:
        return MISSING
    return ", ".join(str(entry) for entry in value) if isinstance(value, tuple) else str(value)
