"""What was measured, gathered from a grid's folder: a row a variant, size and budget, over its seeds. No torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from benchmarks.ablation.grid import Cell, Grid, Scoring
from benchmarks.ablation.scoring import found_scores
from benchmarks.ablation.store import Store
from core.analysis.size import EVALUATE

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Row:
    """The finished cells of a variant at a size and a budget."""

    variant: str
    size: str
    budget: str
    results: tuple[Mapping[str, Any], ...]
    """One a seed, see `benchmarks.ablation.cells`."""

    @property
    def place(self) -> tuple[str, str]:
        """What rows have in common that can be held against each other."""
        return self.size, self.budget

    @property
    def parameters(self) -> int:
        """Of the student."""
        return int(self.results[0]["results"]["student"]["parameters"])

    @property
    def losses(self) -> list[float]:
        """Masked-language loss on all validation texts, one a seed, in nats."""
        return [result["results"]["student"]["mlm_loss"] for result in self.results]

    @property
    def gaps(self) -> list[float]:
        """How much higher that is than the teacher's on the same tokens and masks."""
        return [ours - theirs for ours, theirs in zip(self.losses, self.teacher_losses.values(), strict=True)]

    @property
    def teacher_losses(self) -> dict[int, float]:
        """The teacher's, by seed."""
        return {result["cell"]["seed"]: result["results"]["teacher"]["mlm_loss"] for result in self.results}

    @property
    def rates(self) -> list[float]:
        """Every learning rate that a distillation had."""
        stages = [stage for result in self.results for stage in result["stages"].values()]
        return sorted({rate for stage in stages for rate in _numbers(stage.get("learning_rate"))})

    @property
    def seconds(self) -> list[float]:
        """Seconds of the stages, one a seed; the measuring at the end is left out."""
        return [
            sum(stage["seconds"] for name, stage in result["stages"].items() if name != EVALUATE)
            for result in self.results
        ]

    @property
    def shared(self) -> bool:
        """Whether a run was spared forward passes of its teacher, so that its seconds say little."""
        return any(result.get("shared") for result in self.results)

    @property
    def curve(self) -> list[Point]:
        """Validation loss against distillation tokens, the mean over the seeds; as long as the shortest of them."""
        curves = [result["curve"] for result in self.results]
        return [
            (fmean(point["tokens"] for point in points), fmean(point["mlm"] for point in points))
            for points in zip(*curves, strict=False)
        ]


def rows_of(grid: Grid, store: Store) -> list[Row]:
    """Every row of which a cell is finished: by size and budget, then the smallest gap first."""
    groups: dict[tuple[str, str, str], list[Mapping[str, Any]]] = {}
    for cell in grid.cells:
        result = store.result(cell)
        if result is not None:
            groups.setdefault((cell.variant, cell.size, cell.budget), []).append(result)
    rows = [Row(*names, tuple(results)) for names, results in groups.items()]
    sizes, budgets = ([one.name for one in entries] for entries in (grid.sizes, grid.budgets))
    return sorted(rows, key=lambda row: (sizes.index(row.size), budgets.index(row.budget), fmean(row.gaps)))


def unfinished(grid: Grid, store: Store) -> list[tuple[Cell, str | None]]:
    """The cells without a result; with what went wrong of those that failed."""
    found: list[tuple[Cell, str | None]] = []
    for cell in grid.cells:
        if store.result(cell) is None:
            status = store.cell(cell).read_status()
            found.append((cell, str(status.get("error")) if status.get("state") == "failed" else None))
    return found


def reference_gaps(rows: Sequence[Row], references: Sequence[str]) -> dict[tuple[str, str], float]:
    """The smallest gap of a reference by size and budget: references are held against at their best."""
    found: dict[tuple[str, str], float] = {}
    for row in rows:
        if row.variant in references:
            found[row.place] = min(fmean(row.gaps), found.get(row.place, float("inf")))
    return found


@dataclass(frozen=True, slots=True)
class Scored:
    """A row's scores on tasks."""

    row: Row
    cells: int
    """How many of its seeds were scored."""
    scores: Mapping[str, Sequence[float]]
    """By task, one a cell and scoring seed."""
    drop: float | None
    """Mean over the tasks of the teacher's mean less the row's; None where a task isn't scored yet."""


def teacher_scores(scoring: Scoring, store: Store, folders: Sequence[Path]) -> dict[str, list[float]]:
    """The teacher's scores by task, one a seed; `folders` is where score files may be."""
    return found_scores(scoring, store.read_teacher()["digest"], folders)


def scored(
    rows: Sequence[Row], scoring: Scoring, teacher: Mapping[str, Sequence[float]], folders: Sequence[Path]
) -> list[Scored]:
    """The rows that have scores, the smallest drop first within a size and budget."""
    found: list[Scored] = []
    places = list(dict.fromkeys(row.place for row in rows))
    for row in rows:
        models = [found_scores(scoring, result["digest"], folders) for result in row.results if _takes(scoring, result)]
        models = [one for one in models if one]
        tasks = [task.kind for task in scoring.tasks if models and all(task.kind in one for one in models)]
        scores = {task: [value for one in models for value in one[task]] for task in tasks}
        if scores:
            found.append(Scored(row, len(models), scores, mean_drop(scoring, teacher, scores)))
    return sorted(found, key=lambda one: (places.index(one.row.place), one.drop is None, one.drop or 0.0))


def mean_drop(
    scoring: Scoring, teacher: Mapping[str, Sequence[float]], student: Mapping[str, Sequence[float]]
) -> float | None:
    """Mean over the tasks of teacher's mean less student's; None where a task lacks one of the two."""
    tasks = [task.kind for task in scoring.tasks]
    if not all(task in teacher and task in student for task in tasks):
        return None
    return fmean(fmean(teacher[task]) - fmean(student[task]) for task in tasks)


def reference_drops(found: Sequence[Scored], references: Sequence[str]) -> dict[tuple[str, str], float]:
    """The smallest drop of a reference by size and budget."""
    drops: dict[tuple[str, str], float] = {}
    for one in found:
        if one.row.variant in references and one.drop is not None:
            drops[one.row.place] = min(one.drop, drops.get(one.row.place, float("inf")))
    return drops


def spread(values: Sequence[float], digits: int) -> str:
    """Mean ± sample standard deviation; the mean alone of a single value."""
    mean = f"{fmean(values):,.{digits}f}"
    return f"{mean} ± {stdev(values):.{digits}f}" if len(values) > 1 else mean


def _takes(scoring: Scoring, result: Mapping[str, Any]) -> bool:
    return scoring.cells.takes(Cell(**result["cell"]))


def _numbers(value: Any) -> list[float]:
    """A number, a list of them, or nothing."""
    given = value if isinstance(value, list) else [value]
    return [float(number) for number in given if isinstance(number, int | float)]
