"""A task's training that is interrupted anywhere and taken up again is, bit for bit, the one that nobody touched."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Callable
from pathlib import Path

import pytest
import tiny_tasks
import torch

from core import run_scores
from core.analysis.size import EVALUATE
from core.context import Quiet
from core.errors import Stopped
from core.events import Score, Stage
from core.recipe import Corpus, Language, Recipe, Task, Teacher
from core.run import RunContext, RunFolder
from core.run_scores import score_tasks
from core.sealing import replace_folder, sealed
from core.tasks import training
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


@pytest.mark.parametrize(("method", "kind"), [(method, "topic") for method in METHODS] + [("adapter", "pos")])
def test_stopped_again_and_again(method: str, kind: str, train: Callable[..., Trained], tmp_path: Path) -> None:
    """In the first epoch, in the middle of one, in validation, after the best, in the last and while it is tested."""
    ctx = Interrupting()
    whole = train(method, kind, NotKept(), ctx)
    keeper, stops = InFolder(tmp_path / "kept"), 0
    for _ in range(ctx.asked):
        torch.rand(3)  # another process' generators stand elsewhere
        try:
            ended = train(method, kind, keeper, Interrupting(5))
            break
        except Stopped:
            stops += 1
    assert same(ended, whole)
    assert stops > 6 and ended.steps < 4
    assert keeper.found[0][0] == 1 and any(batches for _, batches, _ in keeper.found)
    assert kind == "pos" or any(0 < best < epoch - 1 for epoch, _, best in keeper.found)


@pytest.mark.parametrize("method", METHODS)
def test_killed_at_any_moment(method: str, train: Callable[..., Trained], tmp_path: Path) -> None:
    """What was learnt since the last save is learnt again."""
    ctx = Interrupting()
    whole = train(method, "topic", NotKept(), ctx)
    for place in (2, 3, 4):
        keeper = InFolder(tmp_path / f"kept {place}", every=3)
        with pytest.raises(Killed):
            train(method, "topic", keeper, Interrupting(ctx.asked * place // 5 + 1, Killed))
        ended = train(method, "topic", keeper, Quiet())
        assert same(ended, whole)
        assert keeper.found and ended.steps < whole.steps
