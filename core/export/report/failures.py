"""Where the student fails: label by label, what it takes for what, and examples that only its teacher gets right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from core.export.markup import NOTHING, Markup, element, joined, note, table, user
from core.export.report.confusion import confusion
from core.export.report.run import Run
from core.wording import MISSING, number

_EXAMPLES = 10
_NOT_AS_WRITTEN = (LookupError, TypeError, ValueError, AttributeError)


def failures(run: Run) -> Markup:
    """The section; tasks in the order of the recipe."""
    order = [name for name in run.tasks if name in run.details]
    return joined(_task(name, run.details[name]) for name in order)


def _task(name: str, details: Mapping[str, Any]) -> Markup:
    """One task; what is broken of it does not take the others along."""
    try:
        parts = [_labels(details.get("labels") or {}), confusion(details.get("confusion") or {}), _worst(details)]
    except _NOT_AS_WRITTEN:
        parts = [note("This can't be shown: what the run's files hold of it is not as it was written.")]
    return joined((element("h3", user(name)), *parts)) if any(parts) else NOTHING


def _labels(labels: Mapping[str, Mapping[str, Any]]) -> Markup:
    """F1 by label, the largest drop first."""
    if not labels:
        return NOTHING
    drops = {label: scores["teacher"]["f1"] - scores["student"]["f1"] for label, scores in labels.items()}
    rows = []
    for label in sorted(drops, key=lambda label: -drops[label]):
        support, teacher, student = (labels[label][key] for key in ("support", "teacher", "student"))
        scores = teacher["f1"], student["f1"], drops[label], student["precision"], student["recall"]
        rows.append((user(label), f"{support:,}", *map(number, scores)))
    head = ("Label", "Support", "Teacher F1", "Student F1", "Drop", "Student precision", "Student recall")
    return table("By label, the largest drop first (0-100, mean over seeds)", head, rows)


def _worst(details: Mapping[str, Any]) -> Markup:
    examples = details.get("worst") or []
    rows = [_example(example) for example in examples[:_EXAMPLES]]
    head = ("Text", "Right", "Teacher", "Student")
    caption = "Worst kept: the teacher gets them right, the student doesn't"
    return table(caption, head, rows, words=4, css="texts") if rows else NOTHING


def _example(example: Mapping[str, Any]) -> Sequence[object]:
    """A text with its answers: a label, or the pieces of a sentence that carry one."""
    return [example["text"], *(_answer(example[side]) for side in ("gold", "teacher", "student"))]


def _answer(given: Any) -> str:
    return ", ".join(map(str, given)) or MISSING if isinstance(given, list) else str(given)
