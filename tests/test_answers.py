"""A teacher's answers in memory and on disk: they come back bit for bit, and room is never exceeded."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from core.distillation.answers import InTurn, OnDisk, Remembered


def test_answers_come_back_bit_for_bit_and_are_bounded(tmp_path: Path) -> None:
    answers = {"features": torch.randn(3, 4), "hidden": torch.randn(5, 4)}
    store = OnDisk(tmp_path / "a", most=300)
    assert store.get("one") is None
    store.put("one", answers)
    store.put("two", answers)  # 128 + 128 of 300 bytes
    store.put("three", answers)
    again = OnDisk(tmp_path / "a", most=300)
    found = again.get("two")
    assert found is not None and all(torch.equal(found[name], tensor) for name, tensor in answers.items())
    assert again.get("three") is None
    assert again.found == 1
    # What a full disk or a lost power supply left of a file counts as nothing, and so does what it made zeros of.
    path = tmp_path / "a" / "one.safetensors"
    whole = path.read_bytes()
    for damaged in (whole[:-8], whole[:-70] + bytes(70), whole[:-70] + bytes(30) + whole[-40:], b""):
        path.write_bytes(damaged)
        assert again.get("one") is None
    path.write_bytes(whole)
    assert again.get("one") is not None


def test_a_full_disk_keeps_less_and_stops_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store, answers = OnDisk(tmp_path, most=1000), {"features": torch.randn(3, 4)}
    assert store.put("one", answers)

    def full(path: Path, content: bytes) -> int:
        path.open("wb").close()
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    assert not store.put("two", answers)
    monkeypatch.undo()
    assert not store.put("three", answers)  # there is no room any more
    assert store.get("one") is not None
    assert [path.name for path in tmp_path.iterdir()] == ["one.safetensors"]


def test_what_memory_has_no_room_for_goes_to_disk(tmp_path: Path) -> None:
    answers = {name: {"features": torch.full((5, 5), value)} for name, value in (("a", 1.0), ("b", 2.0), ("c", 3.0))}
    both = InTurn([Remembered(100), OnDisk(tmp_path, most=100)])
    assert [both.put(name, answers[name]) for name in "abc"] == [True, True, False]
    assert [path.name for path in tmp_path.iterdir()] == ["b.safetensors"]
    for name in "ab":
        found = both.get(name)
        assert found is not None
        assert torch.equal(found["features"], answers[name]["features"])
    assert both.get("c") is None
