"""A task's training that is interrupted anywhere and taken up again is, bit for bit, the one that nobody touched."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Callable
from pathlib import Path

import pytest
import tiny_tasks
import torch

from core.analysis.size import EVALUATE
from core.context import Quiet
from core.distillation.checkpoint import read_about
from core.errors import Stopped
from core.recipe import Corpus, Language, Recipe, Schedule, Task, Teacher
from core.run import RunFolder
from core.run_context import RunContext
from core.run_scores import Scored, score_tasks
from core.scoring import planned, train_units, units
from core.sealing import replace_folder, sealed
from core.tasks import learners, training
from core.tasks.examples import TaskData, TextExample
from core.tasks.kinds import METHODS
from core.tasks.state import Keeper, NotKept, TaskState
from core.tasks.training import TaskResult, train_and_score
from core.workspace import Workspace

RATES = {"adapter": 5e-3, "full": 3e-3, "probe": 5e-2}


class Killed(Exception):
    """The process ends, whatever it is doing."""


class Interrupting(Quiet):
    """Interrupts at the n-th question whether to go on; counts them."""

    def __init__(self, at: int = 0, how: type[Exception] = Stopped) -> None:
        self.at, self.how, self.asked = at, how, 0

    def check(self) -> None:
        self.asked += 1
        if self.asked == self.at:
            raise self.how


class InFolder:
    """Keeps a training in a folder; `every` so many steps it is time to."""

    def __init__(self, folder: Path, every: int = 0) -> None:
        self.folder, self.every, self.asked = folder, every, 0
        self.found: list[tuple[int, int, int]] = []
        """Epoch, its batches and the best epoch, of each state that was taken up."""

    def restore(self, state: TaskState) -> None:
        if sealed(self.folder):
            state.load(self.folder)
            counters = state.counters
            self.found.append((counters.epoch, counters.batches, counters.best_epoch))

    def due(self, state: TaskState) -> bool:
        self.asked += 1
        return self.every > 0 and self.asked % self.every == 0

    def save(self, state: TaskState) -> None:
        replace_folder(self.folder, lambda new: state.save(new, {}), seal=True)


def task(kind: str) -> TaskData:
    """Labels by chance, so that the best epoch is one of the first and dropout shows in what is said."""
    data, rng = tiny_tasks.toy_task(kind, train=48), random.Random(4)
    data = dataclasses.replace(data, validation=data.validation[:16], test=data.test[:24])
    if kind == "pos":
        return data
    parts = {}
    for name in ("train", "validation", "test"):
        parts[name] = tuple(TextExample(e.text, rng.choice(["low", "high"])) for e in getattr(data, name))
    return dataclasses.replace(data, **parts)


@dataclasses.dataclass(frozen=True)
class Trained:
    result: TaskResult
    parameters: dict[str, torch.Tensor]
    steps: int


@pytest.fixture
def train(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Trained]:
    """Trains, and tells with what parameters it ended and how many optimiser steps it made."""
    models: list[torch.nn.Module] = []
    steps: list[int] = []
    make, update = training.learner, torch.optim.AdamW.step
    monkeypatch.setattr(training, "learner", lambda *args, **values: models.append(make(*args, **values)) or models[-1])
    monkeypatch.setattr(torch.optim.AdamW, "step", lambda self: steps.append(1) or update(self))

    def run(method: str, kind: str, keeper: Keeper, ctx: Quiet) -> Trained:
        steps.clear()
        result = train_and_score(
            tiny_tasks.tiny_model(), task(kind), method=method, seed=1, epochs=5, patience=2,
            learning_rate=RATES[method], batch_size=8, reduction_factor=2, ctx=ctx, keeper=keeper,
        )  # fmt: skip
        return Trained(result, {name: value.clone() for name, value in models[-1].state_dict().items()}, len(steps))

    return run


def same(one: Trained, other: Trained) -> bool:
    equal = (torch.equal(value, other.parameters[name]) for name, value in one.parameters.items())
    return one.result == other.result and one.parameters.keys() == other.parameters.keys() and all(equal)


@pytest.mark.parametrize(("method", "kind"), [*((method, "topic") for method in METHODS), ("adapter", "pos")])
def test_stopped_again_and_again(method: str, kind: str, train: Callable[..., Trained], tmp_path: Path) -> None:
    """In the first epoch, in the middle of one, in validation, after the best, in the last and while it is tested."""
    ctx = Interrupting()
    whole = train(method, kind, NotKept(), ctx)
    keeper, stops = InFolder(tmp_path / "kept"), 0
    for _ in range(ctx.asked):
        torch.rand(3)  # another process' generators stand elsewhere
        try:
            ended = train(method, kind, keeper, Interrupting(5 if kind == "topic" else 6))
            break
        except Stopped:
            stops += 1
    assert same(ended, whole)
    assert stops > 3 and ended.steps < 8
    assert keeper.found[0][0] == 1 and any(batches for _, batches, _ in keeper.found)
    assert kind == "pos" or any(0 < best < epoch - 1 for epoch, _, best in keeper.found)


@pytest.mark.parametrize("method", METHODS)
def test_killed_at_any_moment(method: str, train: Callable[..., Trained], tmp_path: Path) -> None:
    """What was learnt since the last save is learnt again."""
    ctx = Interrupting()
    whole = train(method, "topic", NotKept(), ctx)
    for place in (2, 4):
        keeper = InFolder(tmp_path / f"kept {place}", every=3)
        with pytest.raises(Killed):
            train(method, "topic", keeper, Interrupting(ctx.asked * place // 5 + 1, Killed))
        ended = train(method, "topic", keeper, Quiet())
        assert same(ended, whole)
        assert keeper.found and ended.steps < whole.steps


# -- in a run --------------------------------------------------------------------------------------------------------


class InterruptedRun(RunContext):
    """A run's context that stops it at the n-th question whether to go on."""

    def __init__(self, folder: RunFolder, at: int) -> None:
        super().__init__(folder)
        self.left = at

    def check(self) -> None:
        self.left -= 1
        if self.left == 0:
            raise Stopped


def workspace(path: Path, at: int = 0, seeds: tuple[int, ...] = (1,)) -> Workspace:
    """A run that has come to its scores."""
    folder = RunFolder(path)
    path.mkdir(exist_ok=True)
    common = dict(source="here", seeds=seeds, epochs=2, folds=0, batch_size=8)
    tasks = (
        Task(kind="topic", name="topic", method="full", learning_rate=3e-3, **common),
        Task(kind="pos", name="pos", method="adapter", learning_rate=5e-3, **common),
    )
    recipe = Recipe(
        teacher=Teacher(model="sample"), language=Language(code="mlt"), corpus=Corpus(sources=("sample",)),
        schedule=Schedule(device="cpu"), tasks=tasks,
    )  # fmt: skip
    work = Workspace(folder, recipe, None, InterruptedRun(folder, at), [EVALUATE])  # type: ignore[arg-type]
    work.__dict__["tasks"] = {name: task(name) for name in ("topic", "pos")}
    return work


def scored(work: Workspace) -> Scored:
    try:
        return score_tasks(work, tiny_tasks.tiny_model(), tiny_tasks.tiny_model("distilbert"), more=0)
    finally:
        work.ctx.finish("stopped")


def counted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Grows by one for every optimiser step."""
    steps: list[int] = []
    update = torch.optim.AdamW.step
    monkeypatch.setattr(torch.optim.AdamW, "step", lambda self: steps.append(1) or update(self))
    return steps


def test_a_run_stopped_in_the_middle_of_trainings_makes_no_step_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = counted(monkeypatch)
    whole = scored(workspace(tmp_path / "whole"))
    made = len(steps)
    steps.clear()
    stops = 0
    for _ in range(30):
        try:
            found = scored(workspace(tmp_path / "run", at=10))
            break
        except Stopped:
            stops += 1
    assert (found.tasks, found.details) == (whole.tasks, whole.details)
    assert stops > 5 and len(steps) == made


def test_a_stop_before_a_training_is_taken_up_leaves_it_where_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = counted(monkeypatch)
    for at in (8, 1):  # the second while the features are computed
        with pytest.raises(Stopped):
            scored(workspace(tmp_path / "run", at=at))
    assert len(steps) == 6
    with pytest.raises(Stopped):
        scored(workspace(tmp_path / "run", at=9))
    assert len(steps) == 12 and read_about(tmp_path / "run" / "checkpoint")["unit"] == "topic/teacher/1/0"


@pytest.mark.parametrize("what", ["another unit's", "damaged"])
def test_a_checkpoint_that_does_not_serve_is_not_taken(
    what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seeds = (2,) if what == "another unit's" else (1,)
    whole = scored(workspace(tmp_path / "whole", seeds=seeds))
    with pytest.raises(Stopped):
        scored(workspace(tmp_path / "run", at=12))
    tensors = tmp_path / "run" / "checkpoint" / "tensors.safetensors"
    if what == "damaged":
        content = bytearray(tensors.read_bytes())
        content[-5] ^= 1
        tensors.write_bytes(content)
    monkeypatch.setattr(TaskState, "load", None)
    assert scored(workspace(tmp_path / "run", seeds=seeds)).tasks == whole.tasks


# -- what seeds share ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", METHODS)
def test_the_frozen_models_features_are_computed_once_for_all_seeds(
    method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    passes: list[int] = []
    compute = learners.unit_features
    monkeypatch.setattr(learners, "unit_features", lambda *args: passes.append(1) or compute(*args))
    wanted = Task(
        kind="topic", name="topic", source="here", method=method, seeds=(1, 2), epochs=1, folds=2, batch_size=8,
        learning_rate=RATES[method],
    )  # fmt: skip
    plan, models = planned(wanted, task("topic")), {"teacher": tiny_tasks.tiny_model()}

    def train(most: int) -> dict[str, str]:
        done: dict[str, str] = {}
        monkeypatch.setattr(learners.Frozen.__init__, "__defaults__", (most,))
        passes.clear()
        for _ in train_units(units([plan], ["teacher"]), models, done, "cpu", Quiet()):
            pass
        return done

    shared, splits = train(1 << 20), 3 if method == "probe" else 1
    assert len(passes) == 2 * splits  # of each fold
    assert train(1000) == shared  # room for a mean and a deviation only
    assert len(passes) == (4 * splits if method == "probe" else 2)
    alone = {}
    for unit in units([plan], ["teacher"]):
        alone[unit.key] = unit.train(models["teacher"], "cpu", Quiet(), NotKept(), learners.Frozen())
    assert alone == shared and len(set(shared.values())) > 2
