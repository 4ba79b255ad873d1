"""What a machine computes in, and with how many threads."""

from __future__ import annotations

from pathlib import Path

import pytest

from core import precision
from core.machine import is_out_of_memory, usable_cores
from core.recipe import Schedule
from core.resolve import _machine


@pytest.mark.parametrize(("gain", "chosen"), [(2.8, "bfloat16"), (1.2, "float32"), (1 / 60, "float32")])
def test_a_processor_computes_in_bfloat16_only_where_that_was_measured_to_be_faster(
    gain: float, chosen: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(precision, "bfloat16_gain", lambda: gain)
    pick = _machine(Schedule(device="cpu"))["schedule.precision"]
    assert pick.value == chosen
    assert ("2.8 times as fast" in pick.reason) == (chosen == "bfloat16")


def test_what_the_recipe_says_is_not_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision, "bfloat16_gain", lambda: pytest.fail("measured"))
    assert "schedule.precision" not in _machine(Schedule(device="cpu", precision="float32"))


def test_where_bfloat16_is_slow_little_of_it_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    measured = []

    def gain(tokens: int, width: int) -> float:
        measured.append(tokens)
        return 1 / 60

    monkeypatch.setattr(precision, "_gain", gain)
    assert precision.bfloat16_gain.__wrapped__() == 1 / 60
    assert measured == [16]


def test_the_gain_is_a_ratio_of_real_products() -> None:
    assert 0 < precision.bfloat16_gain.__wrapped__() < 100


def test_no_more_cores_are_used_than_there_are_to_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0, 1, 2}, raising=False)
    told = {"text": "max 100000"}
    monkeypatch.setattr(Path, "read_text", lambda *_, **__: told["text"])
    assert usable_cores(8) == 3
    assert usable_cores(2) == 2
    told["text"] = "150000 100000"
    assert usable_cores(8) == 2
    told["text"] = "5000 100000"
    assert usable_cores(8) == 1


@pytest.mark.parametrize(
    ("error", "is_one"),
    [
        (MemoryError(), True),
        (RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory: you tried"), True),
        (RuntimeError("MPS backend out of memory"), True),
        (RuntimeError("mat1 and mat2 shapes cannot be multiplied"), False),
        (OSError("out of memory"), False),
    ],
)
def test_what_counts_as_too_little_memory(error: Exception, is_one: bool) -> None:
    assert is_out_of_memory(error) == is_one
