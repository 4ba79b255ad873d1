"""The live scores: what they cost, by counts, and which examples they take."""

from __future__ import annotations

from dataclasses import replace

import pytest
import tiny_tasks

from core.analysis.allowances import LEAST_SET, LIVE_SHARE, probe_interval, set_share, shortest_training
from core.analysis.operations import Reading, forward, training
from core.compression.layers import cut_layers
from core.distillation.schedule import TrainingSettings
from core.live import LiveScores
from core.models import LanguageModel
from core.recipe import Task, Teacher
from core.tasks.encoding import window_length
from core.tasks.probe import MAX_VALIDATION, LiveProbe, read_texts
from tests.finished_run import recipe
from tests.tiny_training import SETTINGS

TASKS = (Task(name="topic", kind="topic", source="sample"), Task(name="pos", kind="pos", source="sample"))


def plan(steps: int, begin: int = 0, evaluate_every: int = 0) -> TrainingSettings:
    return replace(SETTINGS, begin=begin, steps=begin + steps, evaluate_every=evaluate_every, batch_tokens=512)


def probed(live: LiveScores, settings: TrainingSettings, lm: LanguageModel) -> list[int]:
    """The steps that come with scores, of those with a validation."""
    steps = {*range(settings.begin, settings.steps, settings.interval), settings.steps}
    return [step for step in sorted(steps) if live.due(step, settings, lm)]


@pytest.mark.parametrize("steps", [150, 250, 1000])
@pytest.mark.parametrize("evaluate_every", [0, 7])
def test_all_probes_of_a_distillation_take_a_twentieth_of_it(steps: int, evaluate_every: int) -> None:
    teacher = tiny_tasks.tiny_model(hidden=64)
    student = cut_layers(teacher, [1])
    data = {"topic": tiny_tasks.toy_task("topic", train=600), "pos": tiny_tasks.toy_task("pos", train=600)}
    settings = plan(steps, evaluate_every=evaluate_every)
    tokens = steps * settings.batch_tokens
    corpus = 30_000
    tokenizer = teacher.tokenizer  # cuts a token of 2.3 characters, special ones included
    live = LiveScores(TASKS, data, 1, tokenizer=tokenizer, shortest=tokens, asked=4 * 2.3 * corpus)
    due = probed(live, settings, student)
    probes = [LiveProbe(data[task.name], teacher.tokenizer, 32, 1, share=live._share) for task in TASKS]
    spent = sum(probe.work(teacher) + len(due) * probe.work(student) for probe in probes)
    learnt = training(student.family, student.sizes, Reading(tokens, 0, 0, 0))
    asked = min(tokens, 4 * corpus)
    learnt += forward(teacher.family, teacher.sizes, Reading(asked, 0, 0, 0))
    assert spent <= LIVE_SHARE * learnt
    assert due[0] == 0 and due[-1] == steps
    assert len(due) >= 3 and live._share > LEAST_SET


def test_a_training_too_short_for_any_probe_has_the_smallest_at_both_ends() -> None:
    lm, data = tiny_tasks.tiny_model(), {task.name: tiny_tasks.toy_task(task.kind) for task in TASKS}
    live = LiveScores(TASKS, data, 1, tokenizer=lm.tokenizer, shortest=512, asked=1e9)
    assert live._share == LEAST_SET
    assert probed(live, plan(10, begin=5, evaluate_every=1), lm) == [5, 15]


def test_where_nothing_is_probed_every_validation_is_due() -> None:
    lm = tiny_tasks.tiny_model()
    live = LiveScores((), {}, 1, tokenizer=lm.tokenizer, shortest=1e6, asked=1e6)
    assert probed(live, plan(5, begin=5, evaluate_every=2), lm) == [5, 7, 9, 10]


@pytest.mark.parametrize("steps", [1, 2, 19, 20, 21, 100])
@pytest.mark.parametrize("evaluate_every", [1, 3, 40])
@pytest.mark.parametrize("affordable", [0.0, 1.0, 2.0, 3.5, 7.0, 1e9])
def test_as_many_probes_as_are_affordable(steps: int, evaluate_every: int, affordable: float) -> None:
    settings = plan(steps, begin=3, evaluate_every=evaluate_every)
    probe = LIVE_SHARE * steps / affordable if affordable else 1e9
    every = probe_interval(settings, probe, 1.0)
    assert every > 0 and every % evaluate_every == 0
    count = len({*range(settings.begin, settings.steps, every), settings.steps})
    assert count <= max(2, affordable + 1e-6)
    if affordable > 1e6:
        assert every == evaluate_every


def test_sets_are_whole_where_there_is_time_and_shrink_with_it() -> None:
    shares = [set_share(100_000, shortest, 1e12) for shortest in (1e3, 1e6, 2e6, 3e6, 1e9)]
    assert shares == sorted(shares) and shares[0] == LEAST_SET and shares[-1] == 1
    assert LEAST_SET < shares[2] < 1
    assert set_share(100_000, 1e9, 1e6) < 1  # a teacher that is asked little
    assert set_share(0, 1e9, 1e9) == 1


def test_a_smaller_set_is_the_beginning_of_a_larger_one() -> None:
    lm, data = tiny_tasks.tiny_model(), tiny_tasks.toy_task("pos", train=2000)
    data = replace(data, validation=data.train[:300])
    whole, half = (LiveProbe(data, lm.tokenizer, window_length(lm), 3, share=share) for share in (1.0, 0.5))
    assert len(half._validation) < len(whole._validation) <= MAX_VALIDATION
    assert half._validation == whole._validation[: len(half._validation)]
    assert len(half._targets) == pytest.approx(len(whole._targets) / 2, rel=0.02)
    assert half.work(lm) < 0.6 * whole.work(lm)
    assert len(read_texts(data, 3)) == len(whole._encoded.lengths)


def test_the_shortest_training_is_the_shortest() -> None:
    given = recipe()
    given = replace(given, method=replace(given.method, rounds=1), schedule=replace(given.schedule, distil_steps=100))
    tokens = given.schedule.batch_tokens
    assert shortest_training(given) == 100 * tokens
    assert shortest_training(replace(given, teacher=Teacher(model="x", adapt_steps=9))) == 9 * tokens
    assert shortest_training(replace(given, teacher=Teacher(model="x", adapt_steps=900))) == 100 * tokens
    assert shortest_training(replace(given, method=replace(given.method, rounds=3))) == 20 * tokens
