"""Speed and memory of models: the clockwork, and the child process that measures."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from core import inference
from core.analysis import latency
from core.analysis.latency import measure, repeated
from core.errors import Stopped
from core.inference import measure_inference, typical
from core.machine import peak_memory
from core.recipe import Recipe, Schedule
from resources import sample
from tests.finished_run import recipe
from tests.tiny_training import Recorder

TEXTS = [f"text {number}" for number in range(9)]


def timed() -> Recipe:
    return replace(recipe(), schedule=Schedule(threads=1))


class Clock:
    """Time that passes by itself while work is done."""

    def __init__(self, *seconds: float) -> None:
        self.now, self.seconds, self.turns = 0.0, seconds, []

    def __call__(self) -> float:
        return self.now

    def work(self, turn: int) -> None:
        self.turns.append(turn)
        self.now += self.seconds[min(turn, len(self.seconds) - 1)]


def test_the_first_time_warms_up_and_is_not_counted() -> None:
    clock = Clock(1.5, 0.9, 0.7, 0.5)
    assert repeated(clock.work, clock) == pytest.approx([0.9, 0.7, 0.5])
    assert clock.turns == [0, 1, 2, 3]


def test_what_is_slow_is_repeated_less() -> None:
    clock = Clock(100.0, 90.0)
    assert repeated(clock.work, clock) == [90.0]


def test_what_is_quick_is_not_repeated_for_ever() -> None:
    clock = Clock(1e-6)
    assert len(repeated(clock.work, clock)) == 200


def test_a_model_is_timed_and_weighed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(latency, "_SECONDS", 0.05)
    read: list[int] = []
    monkeypatch.setattr(latency, "read", lambda lm, texts, most: read.append(len(texts)))
    found = measure(sample.teacher_folder(), ["Il-kelb jiekol.", "Ir-raġel jiekol."], 64, 1)
    assert set(read) == {1, 32}
    assert found["megabytes_on_disk"] == pytest.approx(
        (sample.teacher_folder() / "model.safetensors").stat().st_size / 1e6
    )
    assert found["peak_memory_megabytes"] > found["megabytes_on_disk"]
    assert found["tokens_a_text"] > 4
    for size, batch in found["batches"].items():
        assert 0 < batch["low"] <= batch["milliseconds"] <= batch["high"]
        assert batch["texts_per_second"] == pytest.approx(1000 * int(size) / batch["milliseconds"])


def test_reading_goes_through_every_layer(monkeypatch: pytest.MonkeyPatch) -> None:
    from core.models import LanguageModel, load

    lm, shapes = load(sample.teacher_folder())[0], []
    hidden = LanguageModel.hidden_states

    def watched(self: LanguageModel, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        made = hidden(self, ids, mask)
        shapes.append(tuple(made.shape))
        assert not made.requires_grad
        return made

    monkeypatch.setattr(LanguageModel, "hidden_states", watched)
    latency.read(lm, ["Il-kelb jiekol il-laħam. " * 9, "Iva"], 16)
    assert shapes == [(2, 16, lm.sizes.hidden)]


def test_typical_texts_are_of_median_length() -> None:
    texts = ["x" * length for length in (1, 500, 50, 51, 49, 2, 900)]
    assert typical(["x" * number for number in range(100)]) == ["x" * number for number in range(34, 66)]
    assert typical(texts) == texts
    assert typical(["one"]) == ["one"]


# -- the child -------------------------------------------------------------------------------------------------------


@pytest.fixture
def child(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Has children run this code instead."""
    return lambda code: monkeypatch.setattr(inference, "_COMMAND", (sys.executable, "-c", code))


ANSWER = {"tokens_a_text": 7.5, "peak_memory_megabytes": 100.0, "batches": {}}


def test_each_model_is_measured_in_a_child_that_is_given_texts(child: Callable[[str], None], tmp_path: Path) -> None:
    told = f"print('chatter'); print(json.dumps({{**{ANSWER!r}, 'asked': asked}}))"
    child(f"import json, sys; asked = json.loads(sys.stdin.buffer.read()); {told}")
    found = measure_inference({"teacher": tmp_path / "t", "student": tmp_path / "s"}, TEXTS, timed(), Recorder())
    assert found is not None and (found["threads"], found["tokens_a_text"]) == (1, 7.5)
    for name in ("teacher", "student"):
        asked = found[name]["asked"]
        assert asked == {"model": str(tmp_path / name[0]), "texts": TEXTS, "max_length": 256, "threads": 1}
        assert found[name]["peak_memory_megabytes"] == 100.0


@pytest.mark.parametrize("code", ["raise SystemExit(3)", "import os; os.abort()"])
def test_a_child_that_fails_is_told_of_and_harms_nothing(child: Callable[[str], None], code: str) -> None:
    child(code)
    heard = Recorder()
    assert measure_inference({"student": Path("x")}, TEXTS, timed(), heard) is None
    assert [event.level for event in heard.events] == ["warning"]  # type: ignore[union-attr]
    assert "student" in heard.events[0].text  # type: ignore[union-attr]


def test_a_child_that_never_answers_is_given_up(child: Callable[[str], None], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inference, "_LOOKS", 2)
    child("import time; time.sleep(60)")
    assert measure_inference({"student": Path("x")}, TEXTS, timed(), Recorder()) is None


def test_a_child_that_ends_without_an_answer_is_told_of(child: Callable[[str], None]) -> None:
    child("pass")
    heard = Recorder()
    assert measure_inference({"student": Path("x")}, TEXTS, timed(), heard) is None
    assert [event.level for event in heard.events] == ["warning"]  # type: ignore[union-attr]


def test_who_stops_need_not_wait_for_the_child(child: Callable[[str], None], monkeypatch: pytest.MonkeyPatch) -> None:
    child("import time; time.sleep(600)")
    started: list[subprocess.Popen[bytes]] = []

    def start(*arguments: Any, **others: Any) -> subprocess.Popen[bytes]:
        started.append(popen(*arguments, **others))
        return started[0]

    popen = subprocess.Popen
    monkeypatch.setattr(inference.subprocess, "Popen", start)
    with pytest.raises(Stopped):
        measure_inference({"student": Path("x")}, TEXTS, timed(), Recorder(stop_at=3))
    assert started[0].returncode not in (None, 0)


def test_a_run_of_a_few_steps_is_not_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*arguments: Any, **others: Any) -> None:
        raise AssertionError("a child was started")

    monkeypatch.setattr(inference.subprocess, "Popen", refused)
    few = replace(timed(), schedule=Schedule(distil_steps=4, batch_tokens=512, threads=1))
    heard = Recorder()
    assert measure_inference({"student": Path("x")}, TEXTS, few, heard) is None
    assert "aren't measured" in heard.events[0].text  # type: ignore[union-attr]


# -- memory ----------------------------------------------------------------------------------------------------------


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a peak can't be forgotten")
def test_the_peak_is_the_process_own_and_can_be_forgotten() -> None:
    code = (
        "import json; from core.machine import forget_peak, peak_memory\n"
        "first = peak_memory(); much = bytearray(90_000_000); most = peak_memory(); del much\n"
        "forget_peak(); print(json.dumps([first, most, peak_memory()]))"
    )
    much = bytearray(150_000_000)  # a child that counted its parent's peak would begin with it
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    first, most, after = json.loads(done.stdout)
    assert first < 60e6 < 90e6 < most and after < most - 70e6
    assert peak_memory() > len(much)
