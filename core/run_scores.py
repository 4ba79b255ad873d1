"""A run's scores: teacher and student on every task, a training at a time, all of it kept in the checkpoint."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from core.analysis.size import EVALUATE
from core.errors import Stopped
from core.evaluation import teacher_against_student
from core.events import Message, Score
from core.models import LanguageModel
from core.scoring import SIDES, Plan, Unit, planned, train_units, units
from core.tasks.scores import score
from core.tasks.state import TaskState
from core.workspace import Workspace

_LEAST_SECONDS = 1.0
"""What is learnt in less isn't worth a checkpoint, even where the recipe wants one after every step."""


@dataclass(frozen=True, slots=True)
class Scored:
    """What came of it."""

    tasks: dict[str, Any]
    """Of results.json, by task."""
    details: dict[str, Any]
    """Of tasks.json, by task."""
    steps: int
    """Steps that the stage's progress has in all, with those that follow after the tasks."""


@dataclass(slots=True)
class _Kept:
    """What the checkpoint holds of the trainings."""

    work: Workspace
    done: dict[str, str]
    """Answers of those that are done."""
    under_way: str | None
    """Key of the one whose state it holds."""
    since: float
    """When that was, in seconds of work, or when the work began."""

    def save(self, state: TaskState | None = None, unit: Unit | None = None) -> None:
        """Replace it; without a state, by the answers alone."""
        key = unit.key if unit is not None else None
        self.work.save_progress(EVALUATE, state, answers=self.done, unit=key)
        self.under_way, self.since = key, self.work.ctx.seconds

    def keeper(self, unit: Unit) -> _Keeper:
        """What keeps this unit while it is trained."""
        return _Keeper(self, unit)


@dataclass(frozen=True, slots=True)
class _Keeper:
    """Keeps one unit's training in the checkpoint."""

    kept: _Kept
    unit: Unit

    def restore(self, state: TaskState) -> None:
        """Take up the checkpoint where it is this unit's."""
        if self.kept.under_way == self.unit.key:
            state.load(self.kept.work.folder.checkpoint)

    def due(self, state: TaskState) -> bool:
        """By time and what writing costs alone."""
        work = self.kept.work
        return work.ctx.seconds - self.kept.since >= _LEAST_SECONDS and work.pace.due(state.size)

    def save(self, state: TaskState) -> None:
        """Replace the checkpoint."""
        self.kept.save(state, self.unit)


def score_tasks(work: Workspace, teacher: LanguageModel, student: LanguageModel, *, more: int) -> Scored:
    """Train and score both models on every task; what is learnt isn't lost when the run is stopped.

    Args:
        work: the run.
        teacher, student: the models.
        more: steps of the stage's progress that follow after the tasks.

    Raises:
        Stopped: the user wants the run to end.
    """
    recipe, ctx = work.recipe, work.ctx
    plans = [planned(task, work.tasks[task.name]) for task in recipe.tasks]
    before = work.checkpointed(EVALUATE)
    if not before:
        for plan in plans:
            _tell_folds(plan, work)
    done: dict[str, str] = before.get("answers", {})
    kept = _Kept(work, done, before.get("unit"), ctx.seconds)
    work.pace.begin()
    wanted = units(plans, SIDES)
    models = dict(zip(SIDES, (teacher, student), strict=True))
    try:
        device = recipe.schedule.device
        for place, unit in train_units(wanted, models, done, device, ctx, more=more, keeper=kept.keeper):
            if unit.is_last_fold:
                _tell_scores(place, unit, done, work)
            kept.save()
    except Stopped:
        # A training that was stopped has saved itself, or lies there still, as it wasn't taken up yet.
        if kept.under_way is None:
            kept.save()
        raise
    found = {plan.task.name: teacher_against_student(plan, done, recipe.seed) for plan in plans}
    results, details = ({name: pair[place] for name, pair in found.items()} for place in (0, 1))
    return Scored(results, details, len(wanted) + more)


def _tell_folds(plan: Plan, work: Workspace) -> None:
    if plan.folds:
        why = ", as the test split alone is too small to tell much" if plan.task.folds == "auto" else ""
        how = f"all {len(plan.questions.examples):,} examples are tested, by {plan.folds}-fold cross-validation"
        work.ctx.emit(Message(level="info", text=f"{plan.task.name}: {how}{why}."))


def _tell_scores(place: int, unit: Unit, done: dict[str, str], work: Workspace) -> None:
    """One seed's scores, over all folds at once."""
    questions = unit.plan.questions
    found = score(questions.kind, questions.gold, unit.plan.answers_of(unit.who, unit.seed, done))
    for metric, value in found.items():
        work.ctx.emit(
            Score(
                stage=EVALUATE,
                step=place,
                task=unit.plan.task.name,
                metric=metric,
                value=value,
                split="test",
                seed=unit.seed,
                who=unit.who,
                how="final",
            )
        )
