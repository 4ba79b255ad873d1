"""Several runs side by side in words: what they were set to where that differs, and what came of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from PySide6.QtCore import QT_TRANSLATE_NOOP, QCoreApplication

from core.analysis.compare import Comparison, TestedOn
from core.analysis.finished import Interval, TaskOutcome
from core.wording import clean, last_name
from gui.pages.setup.choice_words import choice_words
from gui.pages.setup.field_words import label_of
from gui.text import MISSING, count, kind_name, megabytes, metric_name, number, parameters, percent

translate = QCoreApplication.translate

_NAMES = {
    "teacher.model": QT_TRANSLATE_NOOP("SideBySide", "Teacher"),
    "teacher.adapt_steps": QT_TRANSLATE_NOOP("SideBySide", "Steps of adaptation"),
    "language.code": QT_TRANSLATE_NOOP("SideBySide", "Language"),
    "corpus.sources": QT_TRANSLATE_NOOP("SideBySide", "Texts"),
    "targets.layers": QT_TRANSLATE_NOOP("SideBySide", "Layers"),
    "targets.intermediate_size": QT_TRANSLATE_NOOP("SideBySide", "Inner units"),
    "targets.hidden_size": QT_TRANSLATE_NOOP("SideBySide", "Thinking width"),
    "targets.vocabulary_size": QT_TRANSLATE_NOOP("SideBySide", "Words kept"),
    "targets.vocabulary_coverage": QT_TRANSLATE_NOOP("SideBySide", "Share of the text covered"),
    "method.preset": QT_TRANSLATE_NOOP("SideBySide", "Preset"),
}
"""Of settings that the set-up has its own controls for."""
_PATHS = (".model", ".sources", ".source", ".vocabulary_words")


@dataclass(frozen=True, slots=True)
class Row:
    """A name and a cell a run; without cells: the heading of what follows."""

    title: str
    cells: tuple[str, ...] = ()
    whole: str = ""
    """The title in full, where it is a short one."""


def settings_rows(comparison: Comparison) -> list[Row]:
    """The settings that differ; none where there is nothing to compare."""
    if len(comparison.runs) < 2:
        return []
    rows = [Row(translate("SideBySide", "Settings that differ"))]
    settings = comparison.settings
    for key, values in settings.items():
        task, name = key.rpartition(".")[::2]
        if None not in settings.get(f"{task}.kind", ()):
            rows.append(Row(_setting(key), tuple(_value(key, value) for value in values), key))
        elif name == "source":  # a task that some runs lack: where it is from says enough
            title = translate("SideBySide", "Checked on: {}").format(clean(task.removeprefix("tasks.")))
            rows.append(Row(title, tuple(_value(key, value) for value in values), key))
        elif name not in ("name", "kind") and len({value for value in values if value is not None}) > 1:
            rows.append(Row(_setting(key), tuple(_value(key, value) for value in values), key))
    if not settings:
        rows.append(Row(translate("SideBySide", "None: the recipes are the same.")))
    return rows


def outcome_rows(comparison: Comparison) -> list[Row]:
    """Sizes, what the students know of the language, and their scores."""
    runs = comparison.runs
    students = [run.student for run in runs]
    rows = [
        Row(translate("SideBySide", "Size")),
        Row(translate("SideBySide", "Parameters"), _all(parameters(one.parameters) for one in students)),
        Row(translate("SideBySide", "On disk"), _all(megabytes(one.megabytes) for one in students)),
        Row(translate("SideBySide", "Smaller than the teacher by"), _all(percent(run.compression) for run in runs)),
        Row(translate("SideBySide", "The language itself")),
        Row(
            translate("SideBySide", "Surprise at hidden words"),
            _all(number(one.mlm_loss, 3) for one in students),
            translate("SideBySide", "masked-language loss on held-out text, in nats; less is better"),
        ),
        Row(
            translate("SideBySide", "Hidden words guessed"),
            _all(_share(one.mlm_accuracy) for one in students),
            translate("SideBySide", "masked-token accuracy on held-out text"),
        ),
    ]
    measures = (
        (translate("SideBySide", "Surprise at each word"), "pseudo_perplexity_a_word", 1),
        (translate("SideBySide", "Pieces a word is read in"), "tokens_a_word", 2),
    )
    for title, key, digits in measures:
        if any(key in one.held_out for one in students):
            rows.append(Row(title, _all(number(one.held_out.get(key), digits) for one in students), key))
    if comparison.tasks:
        rows.append(Row(translate("SideBySide", "Scores, and what was lost")))
    for name, found in comparison.tasks.items():
        rows += _task_rows(name, found)
        tested = comparison.tested_on(name)
        if set(tested) != {"usual"}:
            rows.append(_tested_on(tested))
    return rows


def _task_rows(name: str, found: Sequence[TaskOutcome | None]) -> list[Row]:
    first = next(task for task in found if task is not None)
    kind = kind_name(first.kind)
    title = kind if name == first.kind else f"{kind}: {clean(name)}"
    metric = f"{title} ({metric_name(first.metric)})"
    drop = translate("SideBySide", "Drop: {}").format(title)
    return [Row(metric, tuple(map(_score, found))), Row(drop, tuple(map(_drop, found)))]


def _tested_on(tested: Sequence[TestedOn]) -> Row:
    """Where scores are of other data than most, and so say nothing beside theirs."""
    words = {
        "usual": "",
        "other": translate("SideBySide", "other test data"),
        "unknown": translate("SideBySide", "data not known"),
    }
    whole = translate("SideBySide", "a score on other test data says nothing beside the others of its task")
    return Row(translate("SideBySide", "Scored on"), tuple(words[one] for one in tested), whole)


def _score(task: TaskOutcome | None) -> str:
    """A score with its spread and interval: 80.2 ± 0.6 [78.9, 81.4]."""
    if task is None:
        return MISSING
    spread = "" if task.student.sd is None else f" ± {number(task.student.sd)}"
    return f"{number(task.student.mean)}{spread}{_ends(task.student.interval)}"


def _drop(task: TaskOutcome | None) -> str:
    """A drop with its interval, marked as the legend says: 3.4* [1.2, 5.6]."""
    if task is None:
        return MISSING
    if task.paired is None:
        return _signed(task.drop)
    sure = "*" if task.paired.beyond_seeds else "°" if task.paired.distinguishable else ""
    return f"{_signed(task.drop)}{sure}{_ends(task.paired.interval)}"


def _ends(interval: Interval | None) -> str:
    return "" if interval is None else f" [{', '.join(map(_signed, interval))}]"


def _signed(value: float) -> str:
    """A number that may be below zero; never −0.0."""
    return number(round(value, 1) + 0.0).replace("-", "−")


def _share(accuracy: float | None) -> str:
    return MISSING if accuracy is None else f"{number(accuracy)} %"


def _all(cells: Iterable[str]) -> tuple[str, ...]:
    return tuple(cells)


def _setting(key: str) -> str:
    """What a key is called; one of a task behind the task's name: "topic: Rounds at most"."""
    table, _, name = key.rpartition(".")
    if table.startswith("tasks."):
        return f"{clean(table.removeprefix('tasks.'))}: {label_of(f'tasks.{name}')}"
    return translate("SideBySide", _NAMES[key]) if key in _NAMES else label_of(key)


def _value(key: str, value: Any) -> str:
    """A setting's value as people read it; a path by its last name."""
    if value is None:
        return MISSING
    if isinstance(value, tuple):
        return ", ".join(_value(key, entry) for entry in value)
    if isinstance(value, bool):
        return translate("SideBySide", "yes") if value else translate("SideBySide", "no")
    if isinstance(value, int):
        return str(value) if key.rpartition(".")[2] in ("seed", "seeds") else count(value)
    if isinstance(value, float):
        return f"{value:g}"
    return clean(last_name(value)) if key.endswith(_PATHS) else choice_words(key, clean(value))
