"""Every training that scoring models on a recipe's tasks takes, one by one: a stop loses none that is done."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from core.context import Context
from core.distillation.divergence import MOST_HALVINGS
from core.errors import InputError
from core.events import Message
from core.models import LanguageModel
from core.recipe import Task
from core.tasks.counts import Questions
from core.tasks.examples import TaskData, grouped
from core.tasks.folds import folded, folds_of
from core.tasks.kinds import auto_training
from core.tasks.learners import Frozen
from core.tasks.state import Keeper, NotKept
from core.tasks.summary import Answers
from core.tasks.training import NoNumber, TaskResult, train_and_score

Side = Literal["teacher", "student"]
SIDES: tuple[Side, Side] = ("teacher", "student")
Done = MutableMapping[str, str]
"""Unit's key → what the model answered, see `Unit.train`. JSON can hold it, and so can a checkpoint."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How a task is scored."""

    task: Task
    parts: tuple[TaskData, ...]
    """The task as its splits are, or as each fold sees it."""

    @property
    def folds(self) -> int | None:
        """In how many folds it is cross-validated; None where its own test split is used."""
        return len(self.parts) if len(self.parts) > 1 else None

    @property
    def questions(self) -> Questions:
        """What models are tested on, each example once."""
        examples = tuple(example for part in self.parts for example in part.test)
        return Questions(self.task.kind, self.parts[0].labels, examples)

    def answers(self, who: Side, done: Mapping[str, str]) -> Answers:
        """A model's answers to all questions, seed by seed."""
        return [self.answers_of(who, seed, done) for seed in self.task.seeds]

    def answers_of(self, who: Side, seed: int, done: Mapping[str, str]) -> list[Any]:
        """A model's answers with one seed, of all folds together."""
        questions, keys = self.questions, [Unit(self, who, seed, fold).key for fold in range(len(self.parts))]
        numbers = " ".join(done[key] for key in keys).split()
        return grouped([questions.labels[int(number)] for number in numbers], questions.examples)


@dataclass(frozen=True, slots=True)
class Unit:
    """One training: a task, a model, a seed, a fold."""

    plan: Plan
    who: Side
    seed: int
    fold: int

    @property
    def key(self) -> str:
        """Its name; that of a task holds no slash."""
        return f"{self.plan.task.name}/{self.who}/{self.seed}/{self.fold}"

    @property
    def is_last_fold(self) -> bool:
        """Whether the seed's answers are whole after it."""
        return self.fold == len(self.plan.parts) - 1

    def train(self, lm: LanguageModel, device: str, ctx: Context, keeper: Keeper, frozen: Frozen) -> str:
        """What the model answers to the part's test examples: the numbers of their labels.

        Args:
            lm: the model.
            device: where to train.
            ctx: asked whether to go on.
            keeper: keeps the training while it goes on.
            frozen: shared by all units of the task and the model.

        Raises:
            Stopped: the user wants the run to end.
            InputError: the loss is no number, however low the learning rate is.
        """
        data = self.plan.parts[self.fold]
        result = self._learnt(lm, data, device, ctx, keeper, frozen)
        number = {label: str(index) for index, label in enumerate(data.labels)}
        answers = ((answer,) if isinstance(answer, str) else answer for answer in result.predictions)
        return " ".join(number[label] for answer in answers for label in answer)

    def _learnt(
        self, lm: LanguageModel, data: TaskData, device: str, ctx: Context, keeper: Keeper, frozen: Frozen
    ) -> TaskResult:
        """What training gave; where its loss is no number, anew with half the learning rate, which is told."""
        task = self.plan.task
        rate = float(_number(task.learning_rate) or auto_training(data.kind, task.method).learning_rate)
        where = f"Task {task.name}, {self.who}, seed {self.seed}"
        if self.plan.folds:
            where += f", fold {self.fold + 1}"
        for halvings in range(MOST_HALVINGS + 1):
            try:
                return train_and_score(
                    lm,
                    data,
                    method=task.method,
                    seed=self.seed,
                    epochs=task.epochs,
                    patience=task.patience,
                    learning_rate=rate,
                    batch_size=_number(task.batch_size),
                    reduction_factor=_number(task.reduction_factor),
                    device=device,
                    ctx=ctx,
                    # What was kept is of the first rate: whoever takes it up comes to where it is halved.
                    keeper=NotKept() if halvings else keeper,
                    frozen=frozen,
                )
            except NoNumber:
                told = f"{where}: with a learning rate of {rate:.3g} the loss is no number any more"
            if halvings < MOST_HALVINGS:
                rate /= 2
                told += f"; it was trained anew with half of it, {rate:.3g}."
                ctx.emit(Message(level="warning", text=told, doubt=True))
        raise InputError(
            f"{told}, and neither was it with larger ones.",
            hint=f"Start a new run with a lower tasks.{task.name}.learning_rate. The models of all stages are safe.",
        )


def _number(value: Any) -> Any:
    return None if value == "auto" else value


def planned(task: Task, data: TaskData) -> Plan:
    """How a task is scored: on its test split, or by cross-validation where the recipe or a tiny test split says so.

    Raises:
        InputError: there are too few examples for the folds that the recipe wants.
    """
    folds = folds_of(task.folds, data)
    return Plan(task, folded(data, folds) if folds else (data,))


def units(plans: Sequence[Plan], sides: Sequence[Side]) -> list[Unit]:
    """Every training that it takes to score these models, task by task."""
    return [
        Unit(plan, who, seed, fold)
        for plan in plans
        for who in sides
        for seed in plan.task.seeds
        for fold in range(len(plan.parts))
    ]


def train_units(
    wanted: Sequence[Unit],
    models: Mapping[Side, LanguageModel],
    done: Done,
    device: str,
    ctx: Context,
    *,
    more: int = 0,
    keeper: Callable[[Unit], Keeper] = lambda unit: NotKept(),
) -> Iterator[tuple[int, Unit]]:
    """Train what isn't done yet; each unit is given, with its place, once its answers have joined `done`.

    Args:
        wanted: the units, in order.
        models: those that the units are of.
        done: what is done already.
        device: where to train.
        ctx: told of progress, asked whether to go on.
        more: steps of the progress that follow after the units.
        keeper: what keeps a unit while it is trained.

    Raises:
        Stopped: the user wants the run to end; `done` holds all that is done, a keeper what was under way.
    """
    shared: tuple[Plan, Side] | None = None
    for place, unit in enumerate(wanted):
        ctx.progress(place, len(wanted) + more)
        if unit.key in done:
            continue
        if shared is None or shared[0] is not unit.plan or shared[1] != unit.who:
            shared, frozen = (unit.plan, unit.who), Frozen()
        done[unit.key] = unit.train(models[unit.who], device, ctx, keeper(unit), frozen)
        yield place, unit
    ctx.progress(len(wanted), len(wanted) + more)
