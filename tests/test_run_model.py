"""The data behind the page of a run."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from pytestqt.qtbot import QtBot

from core.events import Done, Event, Loss, Message, Progress, Score, Size, Split, Stage
from gui.run_model import LOG_LENGTH, RunModel
from gui.series import DECAY, Series


def loss(
    stage: str,
    step: int,
    value: float,
    *,
    split: Split = "train",
    kd: float | None = 1.0,
    hidden: float | None = None,
) -> Loss:
    return Loss(stage=stage, step=step, tokens=step, mlm=value, kd=kd, total=value / 2, split=split, hidden=hidden)


def score(stage: str, step: int, who: str, value: float, **other: Any) -> Score:
    how = other.pop("how", "probe")
    fields = {"task": "ner", "metric": "f1", "seed": None} | other
    split = "test" if how == "final" else "validation"
    return Score(stage=stage, step=step, value=value, split=split, who=who, how=how, **fields)  # type: ignore[arg-type]


def begun(stage: str) -> Stage:
    return Stage(name=stage, state="started")


def ended(stage: str) -> Stage:
    return Stage(name=stage, state="finished")


@pytest.fixture
def model(qapp: object) -> RunModel:
    return RunModel()


@pytest.fixture
def feed(model: RunModel) -> Callable[..., None]:
    """Feeds events, a second apart."""

    def feed(*events: Event) -> None:
        model.apply([(float(t), event) for t, event in enumerate(events)])
        assert not model.busy

    return feed


def test_an_average_of_equal_values_is_that_value_from_the_first_on() -> None:
    series = Series()
    for step in range(1, 600):  # past the first room for points
        series.append(step, 3.0)
    assert len(series) == 599
    np.testing.assert_allclose(series.smoothed, 3.0)


def test_the_average_is_the_weighted_mean_of_all_values_so_far() -> None:
    values = [5.0, 1.0, 4.0, 2.0]
    series = Series()
    for step, value in enumerate(values):
        series.append(step, value)
    weights = np.array([DECAY**age for age in (3, 2, 1, 0)])
    assert series.smoothed[-1] == pytest.approx(np.average(values, weights=weights))


def test_what_is_no_number_is_left_out() -> None:
    series = Series()
    for step, value in enumerate([1.0, None, math.nan, math.inf, 2.0]):
        series.append(step, value)
    assert list(series.x) == [0, 4] and np.isfinite(series.smoothed).all()


def test_steps_that_are_told_again_replace_what_came_after_them() -> None:
    again, once = Series(), Series()
    for step, value in [(1, 5.0), (2, 9.0), (3, 9.0), (2, 4.0), (2, 3.0)]:
        again.append(step, value)
    for step, value in [(1, 5.0), (2, 3.0)]:
        once.append(step, value)
    assert list(again.x) == [1, 2] and list(again.y) == [5.0, 3.0]
    np.testing.assert_allclose(again.smoothed, once.smoothed)


def test_a_new_piece_keeps_the_old_one_and_begins_its_average_anew() -> None:
    series = Series()
    series.append(1, 5.0)
    series.begin_piece()
    series.append(1, 2.0)
    series.append(1, 3.0)  # again: only within the piece
    assert list(series.y) == [5.0, 3.0] and series.breaks == (1,)
    assert series.smoothed[1] == pytest.approx(3.0)


def test_steps_of_the_stages_stand_behind_each_other(model: RunModel, feed: Callable[..., None]) -> None:
    feed(
        *(loss("layers", step, 4.0) for step in (1, 2, 3)),
        loss("hidden", 0, 5.0, split="validation"),
        *(loss("hidden", step, 3.0) for step in (1, 2)),
        loss("vocabulary", 1, 2.0),  # last, as in the paper
    )
    train = model.loss("train", "total")
    assert list(train.x) == [1, 2, 3, 4, 5, 6] and train.breaks == (3, 5)
    assert list(model.loss("validation", "mlm").x) == [3]
    assert [(band.stage, band.start, band.end) for band in model.bands] == [
        ("layers", 0, 3),
        ("hidden", 3, 5),
        ("vocabulary", 5, 6),
    ]
    assert model.steps == 6


def test_a_stage_that_distils_nothing_has_no_distillation_loss(model: RunModel, feed: Callable[..., None]) -> None:
    feed(loss("adapt", 1, 4.0, kd=None), loss("layers", 1, 4.0))
    assert list(model.loss("train", "mlm").x) == [1, 2]
    assert list(model.loss("train", "kd").x) == [2] and model.loss("train", "kd").breaks == ()
    assert not len(model.loss("train", "hidden"))
    feed(loss("layers", 2, 4.0, hidden=0.25))
    assert (list(model.loss("train", "hidden").x), list(model.loss("train", "hidden").y)) == ([3], [0.25])


def test_planned_stages_wait_and_unplanned_ones_show_too(model: RunModel, feed: Callable[..., None]) -> None:
    model.set_planned(["vocabulary", "layers", "evaluate"])
    feed(
        begun("vocabulary"),
        ended("vocabulary"),
        begun("layers"),
        Progress(stage="extra", done=1, total=4, eta_seconds=9),
    )
    assert [(stage.name, stage.state) for stage in model.stages] == [
        ("vocabulary", "done"),
        ("layers", "running"),
        ("evaluate", "waiting"),
        ("extra", "running"),
    ]
    assert model.stages[0].seconds == 1.0 and model.stages[3].fraction == 0.25


def test_progress_of_preparation_is_not_the_stages(model: RunModel, feed: Callable[..., None]) -> None:
    feed(begun("layers"), Progress(stage="layers", done=5, total=10, eta_seconds=2.0))
    assert model.current is not None and not model.current.whole
    feed(loss("layers", 0, 4.0, split="validation"), Progress(stage="layers", done=1, total=60, eta_seconds=70.0))
    assert model.current.whole and model.current.eta_seconds == 70.0


def test_the_whole_runs_time_is_told_in_the_last_stage_only(model: RunModel, feed: Callable[..., None]) -> None:
    model.set_planned(["layers", "evaluate"])
    feed(begun("layers"), loss("layers", 1, 4.0), Progress(stage="layers", done=1, total=9, eta_seconds=70.0))
    assert model.eta_seconds is None
    feed(ended("layers"), begun("evaluate"), Progress(stage="evaluate", done=1, total=9, eta_seconds=30.0))
    assert model.eta_seconds == 30.0


def test_the_teachers_score_holds_over_stages_that_did_not_measure_it(
    model: RunModel, feed: Callable[..., None]
) -> None:
    feed(
        score("layers", 0, "teacher", 60.0),
        score("layers", 0, "student", 20.0),
        score("layers", 10, "student", 50.0),
        score("hidden", 0, "student", 30.0),
        score("hidden", 5, "student", 40.0),
        score("hidden", 5, "student", 41.0),  # a second validation at the same step
    )
    teacher, student = model.teacher_scores("ner"), model.student_scores("ner")
    assert list(teacher.x) == [0, 10, 10, 15] and set(teacher.y) == {60.0} and teacher.breaks == (2,)
    assert list(student.x) == [0, 10, 10, 15] and list(student.y) == [20, 50, 30, 41] and student.breaks == (2,)


def test_a_teacher_that_learns_has_a_curve(model: RunModel, feed: Callable[..., None]) -> None:
    feed(score("adapt", 0, "teacher", 40.0), score("adapt", 8, "teacher", 60.0), loss("layers", 4, 2.0))
    teacher = model.teacher_scores("ner")
    assert list(teacher.y) == [40, 60, 60, 60, 60] and list(teacher.x) == [0, 8, 8, 8, 12]


def test_scores_of_one_side_only(model: RunModel, feed: Callable[..., None]) -> None:
    feed(score("layers", 0, "student", 20.0))
    assert len(model.teacher_scores("ner").x) == 0 and len(model.student_scores("ner").x) == 1
    assert len(model.student_scores("never heard of").x) == 0


def test_final_scores_are_means_over_seeds_of_the_main_metric(model: RunModel, feed: Callable[..., None]) -> None:
    final = {"how": "final", "task": "pos", "metric": "accuracy"}
    feed(
        score("evaluate", 0, "student", 80.0, seed=1, **final),
        score("evaluate", 0, "student", 11.0, seed=1, **final | {"metric": "f1"}),
        score("evaluate", 1, "student", 90.0, seed=2, **final),
        score("evaluate", 1, "student", 90.0, seed=2, **final),  # told again after a resume
    )
    (found,) = model.final_scores()
    assert (found.mean, found.seeds, found.metric) == (85.0, 2, "accuracy")
    assert model.bands == []  # tests are no training


def test_sizes_messages_and_the_end(model: RunModel, feed: Callable[..., None]) -> None:
    size = Size(stage="teacher", parameters=7, megabytes=0.1, parts={"embeddings": 7})
    warning = Message(level="warning", text="Few texts.\x1b[2J")
    feed(size, size, warning, warning, Done(state="stopped"))
    assert list(model.sizes) == ["teacher"]
    assert len(model.warnings) == 1 and "\x1b" not in model.warnings[0]
    assert model.ended == "stopped"
    feed(begun("layers"))
    assert model.ended == ""


def test_the_log_is_bounded(model: RunModel, qtbot: QtBot) -> None:
    model.apply([(0.0, Message(level="info", text=str(number))) for number in range(LOG_LENGTH + 10)])
    qtbot.waitUntil(lambda: not model.busy)
    assert len(model.log) == LOG_LENGTH and model.log_total == LOG_LENGTH + 10
    assert model.log[0].text == "10"


@pytest.mark.parametrize(
    "event",
    [
        Message(level="info", text=None),  # type: ignore[arg-type]
        Stage(name=["layers"], state="started"),  # type: ignore[arg-type]
        Progress(stage="layers", done="many", total=2, eta_seconds=None),  # type: ignore[arg-type]
        Progress(stage="layers", done=1, total=2, eta_seconds=math.nan),
        loss("layers", None, 1.0),  # type: ignore[arg-type]
        Size(stage="teacher", parameters=7, megabytes=0.1, parts=None),  # type: ignore[arg-type]
        score("layers", 1, "student", math.inf),
        score("layers", 1, "student", 5.0, metric=None),
        score("layers", 1, "judge", 5.0, how="final"),
    ],
)
def test_an_event_that_can_not_be_understood_is_skipped(
    model: RunModel, feed: Callable[..., None], event: Event
) -> None:
    feed(event, loss("layers", 2, 4.0))
    assert list(model.loss("train", "mlm").x) == [2] and model.sizes == {} and model.tasks == []
    assert len(model.log) == 0 and model.current is None


def test_every_reset_is_another_generation(model: RunModel, feed: Callable[..., None]) -> None:
    before = model.generation
    feed(loss("layers", 1, 1.0))
    assert model.generation == before
    model.reset()
    assert model.generation != before


def test_news_in_quick_succession_are_told_once(model: RunModel, qtbot: QtBot) -> None:
    told: list[int] = []
    model.changed.connect(lambda: told.append(len(model.loss("train", "total"))))
    for step in range(1, 6):
        model.apply([(0.0, loss("layers", step, 1.0))])
    with qtbot.waitSignal(model.changed):
        pass
    assert told == [5]


def test_a_long_log_is_worked_off_in_slices_and_whole(model: RunModel, qtbot: QtBot) -> None:
    model.apply([(float(step), loss("layers", step, 1.0)) for step in range(1, 100_001)])
    assert model.busy
    qtbot.waitUntil(lambda: not model.busy, timeout=60_000)
    assert len(model.loss("train", "total")) == 100_000


def test_reset_forgets_also_what_waits(model: RunModel, feed: Callable[..., None]) -> None:
    model.set_planned(["layers"])
    model.apply([(float(step), loss("layers", step, 1.0)) for step in range(1, 100_001)])
    model.reset()
    assert not model.busy and len(model.loss("train", "total")) == 0 and model.steps == 0
    assert [stage.state for stage in model.stages] == ["waiting"]
    feed(loss("layers", 1, 1.0))
    assert len(model.loss("train", "total")) == 1
