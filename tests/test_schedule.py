"""The learning rate at every step, and how often and on how much a stage is validated."""

from __future__ import annotations

from dataclasses import replace

import pytest

from core.distillation.schedule import TrainingSettings
from tests.tiny_training import SETTINGS

LONG = replace(SETTINGS, steps=100, warmup_fraction=0.1, learning_rate=1.0)


@pytest.mark.parametrize("decay", ["linear", "cosine"])
def test_rates_rise_then_fall_to_nothing(decay: str) -> None:
    settings = replace(LONG, decay=decay)
    rates = [settings.rate(step) for step in range(101)]
    assert max(rates) == rates[10] == 1.0
    assert rates[:10] == sorted(rates[:10]) and rates[0] > 0
    assert rates[10:] == sorted(rates[10:], reverse=True) and rates[100] == 0
    assert replace(settings, warmup_fraction=0.0).rate(0) == 1.0


def test_a_line_and_a_cosine_meet_halfway_and_differ_elsewhere() -> None:
    line, cosine = replace(LONG, warmup_fraction=0.0), replace(LONG, warmup_fraction=0.0, decay="cosine")
    assert cosine.rate(50) == pytest.approx(line.rate(50)) == pytest.approx(0.5)
    assert cosine.rate(25) == pytest.approx(0.853553, abs=1e-6) and line.rate(25) == 0.75
    assert cosine.rate(75) == pytest.approx(0.146447, abs=1e-6) and line.rate(75) == 0.25


@pytest.mark.parametrize("decay", ["linear", "cosine"])
def test_a_later_round_has_a_whole_schedule_of_its_own(decay: str) -> None:
    alone = replace(LONG, decay=decay)
    later = replace(alone, begin=40, steps=140)
    assert [later.rate(40 + step) for step in range(101)] == [alone.rate(step) for step in range(101)]
    assert (later.interval, later.validation_tokens) == (alone.interval, alone.validation_tokens)


@pytest.mark.parametrize(("steps", "interval"), [(100, 5), (1, 1), (19, 1), (40, 2), (59, 2)])
def test_validations_come_twenty_times_unless_said(steps: int, interval: int) -> None:
    settings: TrainingSettings = replace(SETTINGS, steps=steps, evaluate_every=0)
    assert settings.interval == interval
    assert replace(settings, evaluate_every=7).interval == 7


def test_validations_cost_a_share_of_the_training_within_bounds() -> None:
    settings = replace(SETTINGS, steps=1000, evaluate_every=100, batch_tokens=2000)
    assert settings.validation_tokens == int(0.15 * 1000 * 2000 / 11)
    assert replace(settings, batch_tokens=1).validation_tokens == 4096
    assert replace(settings, batch_tokens=10**6).validation_tokens == 65_536
