"""Size against score: which runs none of the others beats at both. No torch.

Only scores on the same data, in the same language, say which model is better: runs are grouped by that. What an
older run was tested on isn't known: its scores are in a group of their own, beside others of its kind.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from core.analysis.finished import FinishedRun
from core.analysis.sharing import most_shared
from core.wording import last_name

_TaskKey = tuple[str, str, str, int, str]
"""Kind, source, method, folds (0: one test split) and test data: what makes two scores comparable."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FrontPoint:
    """A model, by its size and its score."""

    run: str | None
    """The folder of the run that made it; None: a teacher."""
    name: str
    parameters: int
    score: float
    """The mean over the group's tasks of the mean over seeds, 0-100."""
    on_front: bool
    """Whether no other model of the group is at least as good and at most as large, and better in one of both."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FrontGroup:
    """Models that have been scored on the same tasks in the same language."""

    language: str
    """ISO 639-3."""
    language_name: str
    kinds: tuple[str, ...]
    """Of the tasks, in the order of the first run's."""
    points: tuple[FrontPoint, ...]
    """The smallest first, teachers among them."""
    note: str
    """What was held against each other, in words."""


def front_groups(runs: Sequence[FinishedRun]) -> tuple[FrontGroup, ...]:
    """Groups of comparable runs, that of the most runs first; runs without tasks are in none.

    Of the runs in a language, those that share the most data are one group, scored on the tasks that all of these
    have; the rest are grouped in the same way.
    """
    groups = []
    for code in dict.fromkeys(run.recipe.language.code for run in runs):
        left = [run for run in runs if run.recipe.language.code == code and _scores(run)]
        while left:
            shared = most_shared([frozenset(_scores(run)) for run in left])
            inside = [run for run in left if shared <= set(_scores(run))]
            groups.append(_group(inside, shared))
            left = [run for run in left if run not in inside]
    return tuple(sorted(groups, key=lambda group: -sum(point.run is not None for point in group.points)))


def on_front(models: Sequence[tuple[float, float]]) -> list[bool]:
    """Whether each of these is on the Pareto front.

    Args:
        models: size, of which less is better, and score, of which more is.
    """

    def beaten(size: float, score: float) -> bool:
        return any(a <= size and b >= score and (a, b) != (size, score) for a, b in models)

    return [not beaten(*model) for model in models]


def _scores(run: FinishedRun) -> dict[_TaskKey, tuple[float, float]]:
    """A run's comparable tasks, and the teacher's and the student's mean on each."""
    given = {task.name: task for task in run.recipe.tasks}
    found = {}
    for task in run.tasks:
        if (set_so := given.get(task.name)) is not None:
            key = (set_so.kind, set_so.source, set_so.method, task.folds or 0, task.test_data or "")
            found[key] = task.teacher.mean, task.student.mean
    return found


def _group(runs: Sequence[FinishedRun], shared: frozenset[_TaskKey]) -> FrontGroup:
    """The group of runs that all have these tasks; at least one run."""
    tasks = [key for key in _scores(runs[0]) if key in shared]
    found: list[tuple[str | None, str, int, float]] = []
    teachers: dict[tuple[str, int], list[float]] = {}
    for run in runs:
        scores = [_scores(run)[key] for key in tasks]
        found.append((str(run.folder.path), run.name, run.student.parameters, fmean(ours for _, ours in scores)))
        # What several runs measured of the same teacher is one point.
        teacher = (run.teacher_name, run.teacher.parameters)
        teachers.setdefault(teacher, []).append(fmean(theirs for theirs, _ in scores))
    found += [(None, name, size, fmean(scores)) for (name, size), scores in teachers.items()]
    found.sort(key=lambda one: (one[2], one[3], one[1]))
    front = on_front([(size, score) for _, _, size, score in found])
    points = tuple(
        FrontPoint(run=run, name=name, parameters=size, score=score, on_front=on)
        for (run, name, size, score), on in zip(found, front, strict=True)
    )
    return FrontGroup(
        language=runs[0].recipe.language.code,
        language_name=runs[0].language_name,
        kinds=tuple(kind for kind, *_ in tasks),
        points=points,
        note=_note(tasks, len(runs)),
    )


def _note(tasks: Sequence[_TaskKey], runs: int) -> str:
    told = "; ".join(
        f"{kind} on {last_name(source)} ({method}{f', {folds}-fold cross-validation' if folds else ''})"
        for kind, source, method, folds, _ in tasks
    )
    mean = "score" if len(tasks) == 1 else f"mean score over the {len(tasks)} tasks that they share"
    return f"{runs} run{'' if runs == 1 else 's'} by size and {mean}: {told}."
