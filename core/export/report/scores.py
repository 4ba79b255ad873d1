"""What teacher and student score on the tasks, how sure that is, and whether what is lost can be told from chance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from core.export.dot_plot import Dot, DotRow, dot_plot
from core.export.markup import NOTHING, Markup, bullets, figure, joined, note, paragraph, table, user
from core.export.report.run import Run
from core.wording import between, mean_sd, measured_by, metric, number, seeds, verdict

_LEAKS = {
    "test_in_train": "its own training examples",
    "test_in_validation": "its validation examples",
    "test_in_corpus": "the text that the student learnt from",
}


def scores(run: Run) -> Markup:
    """The section."""
    if not run.tasks:
        return NOTHING
    verdicts = [joined((user(name), ": ", verdict(task))) for name, task in run.tasks.items() if is_paired(task)]
    return joined(
        (
            figure("Scores of teacher and student", _plot(run.tasks)),
            _table(run.tasks),
            bullets(verdicts) if verdicts else NOTHING,
            paragraph(_explained(run.tasks), css="grey"),
        )
    )


def leak_notes(run: Run) -> Markup:
    """A note for each task whose test examples were seen in training."""
    return joined(_leaks(name, task) for name, task in run.tasks.items())


def is_paired(task: Mapping[str, Any]) -> bool:
    """Whether teacher and student were tested against each other, example by example."""
    found = task.get("paired")
    return isinstance(found, Mapping) and {"p", "distinguishable", "examples", "seeds"} <= set(found)


def _plot(tasks: Mapping[str, Mapping[str, Any]]) -> str:
    rows = []
    for name, task in tasks.items():
        sides = (("teacher", "--teacher", True), ("student", "--student", False))
        dots = [_dot(side, task[side], colour, hollow=hollow) for side, colour, hollow in sides]
        rows.append(DotRow(name, metric(task["metric"]), dots))
    return dot_plot("Scores of teacher and student by task", "score (0-100)", rows)


def _dot(who: str, score: Mapping[str, Any], colour: str, *, hollow: bool) -> Dot:
    low, high = score.get("interval") or (None, None)
    return Dot(who, score["mean"], colour, low=low, high=high, hollow=hollow)


def _table(tasks: Mapping[str, Mapping[str, Any]]) -> Markup:
    """A row a task; columns of intervals only where there are some."""
    known = any(task[side].get("interval") for task in tasks.values() for side in ("teacher", "student"))
    paired = any(is_paired(task) for task in tasks.values())

    def row(name: str, task: Mapping[str, Any]) -> Sequence[object]:
        cells: list[object] = [user(name), measured_by(task)]
        for side in ("teacher", "student"):
            cells += [mean_sd(task[side]), *([between(task[side].get("interval"))] if known else ())]
        cells.append(number(task["drop"]))
        if paired:
            cells.append(between((task.get("paired") or {}).get("interval")))
        return [*cells, seeds(task["student"])]

    sure = ["95 % interval"]
    head = ["Task", "Metric", "Teacher", *sure * known, "Student", *sure * known, "Drop", *sure * paired, "Over"]
    return table("Scores on the test split", head, [row(*entry) for entry in tasks.items()], words=2)


def _explained(tasks: Mapping[str, Mapping[str, Any]]) -> str:
    """How to read the numbers, as far as they are there."""
    words = "0-100; mean ± standard deviation over the seeds of the tasks' training. Drop: teacher minus student."
    if any(task["student"].get("interval") for task in tasks.values()):
        words += (
            " Intervals are a bootstrap's over the test examples: they say how far the scores would move with other "
            "examples of the same kind, not with other text to learn from."
        )
    if any(is_paired(task) for task in tasks.values()):
        words += (
            " Each drop is tested on the same examples for both; with several tasks, one in twenty of the drops that "
            "are none would be taken for one."
        )
    if any(task.get("folds") for task in tasks.values()):
        words += " Where the test split is tiny, scores are from cross-validation over all examples."
    return words


def _leaks(name: str, task: Mapping[str, Any]) -> Markup:
    leaks = task.get("leaks") or {}
    found = [f"{leaks[key]:,} in {where}" for key, where in _LEAKS.items() if leaks.get(key)]
    if not found:
        return NOTHING
    words = f": test examples were seen before, {', '.join(found)}. The scores on this task may be too high."
    examples = [user(f"“{example}”") for example in leaks.get("examples") or ()]
    return note(user(name), words, " For example: " if examples else "", joined(examples, " "))
