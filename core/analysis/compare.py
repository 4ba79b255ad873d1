"""Finished runs side by side: what was set differently, and what came of it. No torch.

The numbers alone; `core.export.comparison_text` words them, `core.export.comparison_page` draws them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from core.analysis.curves import Curve, validation_curves
from core.analysis.finished import FinishedRun, TaskOutcome, finished_runs
from core.analysis.pareto import FrontGroup, front_groups
from core.analysis.sharing import differing_settings
from core.analysis.volume_law import VolumeLaws, volume_laws
from core.run import RunFolder

TestedOn = Literal["usual", "other", "unknown"]
"""Test data: those of most runs, others, whose scores say nothing beside theirs, or not known (an older run)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Everything that runs are held against each other by."""

    runs: tuple[FinishedRun, ...]
    curves: tuple[tuple[Curve, ...], ...]
    """Validation loss over tokens, by run."""
    settings: Mapping[str, tuple[Any, ...]]
    """By the recipe's key, the runs' values in their order, for keys that differ only; None: absent."""
    fronts: tuple[FrontGroup, ...]
    """Size against score, by group of comparable runs."""
    volumes: VolumeLaws
    """Drop against the volume of text that the teacher had seen."""

    @property
    def tasks(self) -> dict[str, tuple[TaskOutcome | None, ...]]:
        """By a task's name, what each run scored on it; None where it wasn't asked."""
        named = [{task.name: task for task in run.tasks} for run in self.runs]
        return {name: tuple(run.get(name) for run in named) for name in dict.fromkeys(n for run in named for n in run)}

    def tested_on(self, name: str) -> tuple[TestedOn, ...]:
        """By run, what test data its score on a task is of; the usual ones are those of most, or else of the first."""
        found = self.tasks[name]
        known = Counter(task.test_data for task in found if task and task.test_data is not None)
        usual = known.most_common(1)[0][0] if known else None
        return tuple(
            "usual" if task is None or task.test_data == usual else "other" if task.test_data else "unknown"
            for task in found
        )

    def to_json(self) -> dict[str, Any]:
        """As `monoglot compare --json` gives it.

        Returns:
            `runs`: for each its folder, name, sizes, losses and `tasks`, with the student's scores; `settings` that
            differ; `curves`, by run and stage; `fronts`; `volumes`.
        """
        return {
            "runs": [_run_json(run) for run in self.runs],
            "settings": {key: list(values) for key, values in self.settings.items()},
            "curves": [[asdict(curve) for curve in curves] for curves in self.curves],
            "fronts": [asdict(group) for group in self.fronts],
            "volumes": asdict(self.volumes),
        }


def compare(folders: Sequence[RunFolder]) -> Comparison:
    """Hold runs against each other.

    Raises:
        InputError: runs without results, all of them named.
    """
    runs = finished_runs(folders)
    return Comparison(
        runs=runs,
        curves=tuple(validation_curves(run.folder) for run in runs),
        settings=differing_settings([run.recipe for run in runs]),
        fronts=front_groups(runs),
        volumes=volume_laws(runs),
    )


def _run_json(run: FinishedRun) -> dict[str, Any]:
    student = asdict(run.student)
    return {
        "run": str(run.folder.path),
        "name": run.name,
        "language": run.recipe.language.code,
        "teacher": run.teacher_name,
        **student.pop("held_out"),
        **student,
        "compression": run.compression,
        "tasks": {task.name: _task_json(task) for task in run.tasks},
    }


def _task_json(task: TaskOutcome) -> dict[str, Any]:
    found = asdict(task)
    del found["name"], found["student"]
    return {**found, **asdict(task.student)}
