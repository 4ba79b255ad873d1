"""A comparison of runs in words: for a terminal, and cell by cell for a page."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Any

from core.analysis.compare import Comparison
from core.analysis.finished import FinishedRun, Interval, TaskOutcome
from core.analysis.pareto import FrontGroup
from core.analysis.published import published_for
from core.analysis.volume_law import VolumeLaws, VolumePoint
from core.export.measures import Row, language_note, language_rows
from core.pretraining import volume_words
from core.tables import text_table
from core.wording import MISSING, clean, mean_sd, megabytes, metric, number, parameters

_WIDTH = 110
_TESTED_ON = {"usual": "", "other": "other test data", "unknown": "data not known"}
_VOCABULARY = ("corpus.", "seed", "language.", "teacher.model", "targets.vocabulary", "method.vocabulary")
"""Settings that validation losses don't compare across."""


def settings_rows(comparison: Comparison) -> list[Row]:
    """The settings that differ, by the recipe's key."""
    return [(key, *map(_value, values)) for key, values in comparison.settings.items()]


def outcome_rows(comparison: Comparison) -> list[Row]:
    """Sizes, losses and scores; what no run has measured is left out."""
    runs = comparison.runs
    rows: list[Row] = [
        ("parameters", *(parameters(run.student.parameters) for run in runs)),
        ("size", *(megabytes(run.student.megabytes) for run in runs)),
        ("compression", *(f"{100 * run.compression:.1f} %" for run in runs)),
        ("masked-language loss", *(number(run.student.mlm_loss, 3) for run in runs)),
        ("masked-token accuracy", *(number(run.student.mlm_accuracy) for run in runs)),
    ]
    rows += language_rows([run.student.held_out for run in runs])
    for name, found in comparison.tasks.items():
        label = f"{name} ({metric(next(task.metric for task in found if task))})"
        rows.append((label, *(_score(task) for task in found)))
        rows.append((f"{name}, drop", *(_drop(task) for task in found)))
        tested = comparison.tested_on(name)
        if set(tested) != {"usual"}:
            rows.append((f"{name}, scored on", *(_TESTED_ON[one] for one in tested)))
    return rows


def names(runs: Sequence[FinishedRun]) -> list[str]:
    """What stands above the runs' columns."""
    return [clean(run.name) for run in runs]


def comparison_text(comparison: Comparison) -> str:
    """The comparison for a terminal: a table with a column a run, then what several runs say together."""
    runs = comparison.runs
    rows = [*settings_rows(comparison), *outcome_rows(comparison)]
    parts = [text_table(["", *names(runs)], rows), _filled(legend(comparison))]
    parts += [_front_text(group) for group in comparison.fronts if _is_telling(group)]
    parts.append(_volume_text(comparison.volumes))
    return "\n\n".join(part for part in parts if part)


def legend(comparison: Comparison) -> str:
    """How to read the numbers, as far as it needs saying."""
    tasks = [task for found in comparison.tasks.values() for task in found if task]
    words = "Scores are 0-100 on the test split, mean ± standard deviation over seeds." if tasks else ""
    if any(task.student.interval for task in tasks):
        words += " In brackets stand 95 % intervals over test examples."
    if any("other" in comparison.tested_on(name) for name in comparison.tasks):
        words += " A score on other test data says nothing beside the other scores of its row."
    if any(task.paired for task in tasks):
        words += (
            " A drop's is that of the paired test of teacher and student; ° where it can be told from the noise of the "
            "test examples, * where from that of the seeds, too."
        )
    return " ".join(filter(None, (words, language_note([run.student.held_out for run in comparison.runs]))))


def curve_words(comparison: Comparison) -> str:
    """How to read the runs' validation curves."""
    words = "Masked-language loss on each run's own validation text, a piece of line a stage."
    if any(key.startswith(_VOCABULARY) for key in comparison.settings):
        words += (
            " These runs differ in text, seed, teacher or vocabulary: how high one's loss is says nothing beside "
            "another's, only how it falls."
        )
    return words


def front_words(group: FrontGroup) -> tuple[str, str]:
    """How to read a front: what was held against each other, and what stands behind it in grey."""
    published = published_for(group.kinds, group.language)
    note = f"{group.note} On the front: no other model here is as small and as good, and better in one."
    behind = (
        f"Grey, for orientation only: the paper's {published.title}. Other data and other languages than these runs' "
        f"may lie behind them, so they are on nobody's front. Source: {published.source}."
    )
    return note, behind


def _score(task: TaskOutcome | None) -> str:
    if task is None:
        return MISSING
    return mean_sd({"mean": task.student.mean, "sd": task.student.sd}) + _ends(task.student.interval)


def _drop(task: TaskOutcome | None) -> str:
    if task is None:
        return MISSING
    if task.paired is None:
        return number(task.drop)
    sure = "*" if task.paired.beyond_seeds else "°" if task.paired.distinguishable else ""
    return f"{number(task.drop)}{sure}{_ends(task.paired.interval)}"


def _ends(interval: Interval | None) -> str:
    return "" if interval is None else f" [{number(interval[0])}, {number(interval[1])}]"


def _value(value: Any) -> str:
    if value is None:
        return MISSING
    return ", ".join(str(entry) for entry in value) if isinstance(value, tuple) else str(value)


def _is_telling(group: FrontGroup) -> bool:
    """Whether there is anything to compare: one run alone is smaller than its teacher, and no more is said."""
    return sum(point.run is not None for point in group.points) > 1


def _front_text(group: FrontGroup) -> str:
    rows = [
        (point.name, parameters(point.parameters), number(point.score), "front" if point.on_front else "")
        for point in group.points
    ]
    table = text_table((f"{group.language_name}: size and score", "parameters", "score", ""), rows)
    return f"{table}\n{clean(group.note)}"


def _volume_text(volumes: VolumeLaws) -> str:
    lines = []
    for law in volumes.laws:
        lines.append(f"Drop against text that the teacher had seen ({clean(law.source)}):")
        lines += [_filled(point_words(point)) for point in law.points]
        lines += [_filled(words) for words in law.words]
    if volumes.left_out:
        lines.append("Left out of drops against text that the teacher had seen:")
        lines += [_filled(f"{left.name}: {left.why}") for left in volumes.left_out]
    return "\n".join(lines)


def point_words(point: VolumePoint) -> str:
    """A run's drop and the volume it goes with."""
    return (
        f"{point.name}: drop {number(point.drop)}; {point.teacher} {volume_words(point.volume, point.language_name)}."
    )


def _filled(words: str) -> str:
    return textwrap.fill(clean(words), _WIDTH, subsequent_indent="  ", break_on_hyphens=False)
