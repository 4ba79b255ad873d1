"""Short trainings that decide: what they leave untouched, how the ladder of learning rates climbs."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from core.compression.layers import cut_layers
from core.distillation import trials
from core.distillation.answers import Remembered
from core.distillation.checkpoint import TrainingState
from core.distillation.lesson import Lesson
from core.distillation.losses import Distance
from core.distillation.training import optimizer_for, train
from core.distillation.trials import find_rate, probe_steps, trial
from core.errors import Stopped
from core.events import Message
from core.models import LanguageModel, tensors_of
from tests.conftest import build
from tests.tiny_training import SETTINGS, Recorder, data_for, hooks

LONG = replace(SETTINGS, steps=200, learning_rate=0.0)
SHORT = replace(SETTINGS, steps=8, evaluate_every=8)


class Bench:
    """A student, its lesson, and what is told of trials."""

    def __init__(self, kind: str = "kl", micro_tokens: int = 1000) -> None:
        self.teacher = build("bert", tied=True)
        self.student = cut_layers(self.teacher, [0, 2])
        self.lesson = Lesson(self.teacher, Distance(self.teacher, kind, 1.0), Remembered(1 << 28))
        self.data = data_for(self.teacher, micro_tokens)
        self.ctx = Recorder()
        self.kept: dict[float, float] = {}

    def trial(self, settings: trials.TrainingSettings = SHORT) -> float:
        return trial(self.student, self.data, self.lesson, settings, self.ctx)

    def find(self, around: float, known: dict[float, float] | None = None, steps: int = 200) -> float:
        return find_rate(
            self.student,
            self.data,
            self.lesson,
            replace(LONG, steps=steps),
            self.ctx,
            around=around,
            known=known or {},
            keep=self.kept.__setitem__,
        )

    @property
    def messages(self) -> list[str]:
        return [event.text for event in self.ctx.events if isinstance(event, Message)]


def losses_by(monkeypatch: pytest.MonkeyPatch, loss: Callable[[float], float]) -> list[float]:
    """Let trials be a function of the rate; gives the rates tried."""
    tried: list[float] = []

    def made_up(student: LanguageModel, data: object, lesson: object, settings: object, ctx: object) -> float:
        tried.append(settings.learning_rate)  # type: ignore[attr-defined]
        return loss(settings.learning_rate)  # type: ignore[attr-defined]

    monkeypatch.setattr(trials, "trial", made_up)
    return tried


@pytest.mark.parametrize(
    ("steps", "wanted"), [(0, 0), (59, 0), (60, 20), (400, 20), (500, 25), (1200, 60), (100_000, 60)]
)
def test_a_trials_length_follows_from_the_stages(steps: int, wanted: int) -> None:
    assert probe_steps(steps) == wanted


@pytest.mark.parametrize("hidden_weight", [0.0, 0.5])
def test_a_trial_is_a_training_on_the_stages_first_batches(hidden_weight: float) -> None:
    bench = Bench()
    settings = replace(SHORT, hidden_weight=hidden_weight)
    found, again = bench.trial(settings), bench.trial(settings)
    student = cut_layers(bench.teacher, [0, 2])
    whole = Recorder()
    state = TrainingState(student, optimizer_for(student))
    train(state, bench.data, bench.lesson, settings, whole, hooks())
    assert found == again == whole.losses("validation")[-1].total


def test_a_trial_leaves_the_student_alone_and_is_silent() -> None:
    bench = Bench()
    before = {name: tensor.clone() for name, tensor in tensors_of(bench.student).items()}
    assert math.isfinite(bench.trial())
    assert all(torch.equal(tensor, before[name]) for name, tensor in tensors_of(bench.student).items())
    assert all(parameter.grad is None for parameter in bench.student.model.parameters())
    assert bench.ctx.events == []


def test_a_trial_asks_at_every_micro_batch_whether_to_go_on() -> None:
    bench = Bench(micro_tokens=30)
    bench.trial()
    checks = bench.ctx.checks
    assert checks > 2 * SHORT.steps
    for stop_at in (1, checks // 2, checks):
        bench.ctx = Recorder(stop_at)
        with pytest.raises(Stopped):
            bench.trial()


def test_a_trial_without_a_teacher_is_one_of_the_masked_language_loss() -> None:
    bench = Bench()
    assert math.isfinite(trial(bench.student, bench.data, None, SHORT, bench.ctx))


def test_a_trial_whose_loss_is_no_number_is_the_worst_of_all() -> None:
    assert Bench().trial(replace(SHORT, learning_rate=1e30)) == math.inf


@pytest.mark.parametrize(
    ("best", "tried", "chosen"),
    [
        (1.0, [1, 2, 0.5], 1),
        (2.0, [1, 2, 4], 2),
        (4.0, [1, 2, 4, 8], 4),
        (64.0, [1, 2, 4, 8, 16], 16),
        (0.5, [1, 2, 0.5, 0.25], 0.5),
        (1 / 64, [1, 2, 0.5, 0.25, 0.125], 0.125),
    ],
)
def test_the_ladder_climbs_while_it_gets_better(
    best: float, tried: list[float], chosen: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    rates, bench = losses_by(monkeypatch, lambda rate: 1 + abs(math.log2(rate / 1e-3 / best))), Bench()
    assert bench.find(1e-3) == 1e-3 * chosen
    assert rates == [1e-3 * factor for factor in tried]
    assert list(bench.kept) == rates
    assert len(bench.messages) == len(rates)


def test_of_rates_that_are_as_good_the_lowest_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    losses = {1.0: 5.004, 2.0: 5.0, 4.0: 5.002}
    losses_by(monkeypatch, losses.__getitem__)
    assert Bench().find(1.0) == 1.0
    losses[1.0] = 5.006
    assert Bench().find(1.0) == 2.0


def test_where_the_loss_is_no_number_it_goes_down(monkeypatch: pytest.MonkeyPatch) -> None:
    rates = losses_by(monkeypatch, lambda rate: math.inf if rate > 0.3 else 5.0 - rate)
    bench = Bench()
    assert bench.find(1.0) == 0.25
    assert rates == [1.0, 2.0, 0.5, 0.25, 0.125]
    assert sum("no number" in text for text in bench.messages) == 3
    losses_by(monkeypatch, lambda rate: math.inf)
    assert Bench().find(1.0) == 0.125


def test_what_is_known_is_not_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    def loss(rate: float) -> float:
        return 1 + abs(math.log2(rate / 4e-3))

    whole = losses_by(monkeypatch, loss)
    wanted = Bench().find(1e-3)
    for count in range(len(whole) + 1):
        rest, bench = losses_by(monkeypatch, loss), Bench()
        assert bench.find(1e-3, {rate: loss(rate) for rate in whole[:count]}) == wanted
        assert rest == whole[count:]
        assert list(bench.kept) == rest and len(bench.messages) == len(rest)


def test_a_short_stage_is_not_tried_for(monkeypatch: pytest.MonkeyPatch) -> None:
    rates, bench = losses_by(monkeypatch, lambda rate: rate), Bench()
    assert bench.find(3e-4, steps=39) == 3e-4
    assert rates == bench.messages == []


def test_on_a_real_student_it_finds_a_rate_that_learns() -> None:
    bench = Bench()
    found = bench.find(1e-4)
    assert found > 1e-4
    assert bench.kept[found] <= min(bench.kept.values()) * 1.005
    again = Bench()
    assert again.find(1e-4) == found and again.kept == bench.kept
