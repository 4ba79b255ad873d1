from __future__ import annotations

import contextlib
import errno
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from core import sealing
from core.sealing import MANIFEST, intact, replace_folder, sealed, settle, write_atomic, write_json


class PowerCut(BaseException):
    """Stands for the moment at which nothing more happens, not even tidying up."""


def writing(text: str) -> Callable[[Path], None]:
    def fill(folder: Path) -> None:
        (folder / "deep").mkdir()
        (folder / "a.txt").write_text(text)
        (folder / "deep" / "b.bin").write_bytes(text.encode() * 3)

    return fill


def content(folder: Path) -> str:
    return (folder / "a.txt").read_text()


def cut_power_at(monkeypatch: pytest.MonkeyPatch, module: object, name: str, call: int) -> None:
    """Let the `call`-th call (from 1) of a function raise."""
    original, calls = getattr(module, name), 0

    def counted(*args: object, **kwargs: object) -> object:
        nonlocal calls
        calls += 1
        if calls == call:
            raise PowerCut
        return original(*args, **kwargs)

    monkeypatch.setattr(module, name, counted)


# -- files -----------------------------------------------------------------------------------------------------------


def test_a_file_is_replaced_as_a_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "status.json"
    write_atomic(path, b"old")
    cut_power_at(monkeypatch, sealing.os, "replace", 1)
    with pytest.raises(PowerCut):
        write_atomic(path, b"new")
    assert path.read_bytes() == b"old"
    monkeypatch.undo()
    write_atomic(path, b"newer")
    assert path.read_bytes() == b"newer"
    assert [entry.name for entry in tmp_path.iterdir()] == ["status.json"]


def test_json_refuses_what_json_has_no_word_for(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "x.json", {"loss": float("nan")})
    assert not (tmp_path / "x.json").exists()


def test_json_spells_out_bytes_that_are_no_letters(tmp_path: Path) -> None:
    write_json(tmp_path / "x.json", {"file": os.fsdecode(b"\xff.txt")})
    assert b"\\udcff.txt" in (tmp_path / "x.json").read_bytes()


# -- folders ---------------------------------------------------------------------------------------------------------


def test_a_sealed_folder_knows_when_it_was_touched(tmp_path: Path) -> None:
    target = tmp_path / "stage"
    replace_folder(target, writing("one"), seal=True)
    assert sealed(target)
    (target / "deep" / "b.bin").write_bytes(b"oneoneonf")
    assert not sealed(target)
    (target / "deep" / "b.bin").write_bytes(b"oneoneone")
    assert sealed(target)
    (target / "more").write_text("")
    assert not sealed(target)
    (target / "more").unlink()
    (target / "a.txt").unlink()
    assert not sealed(target)


@pytest.mark.parametrize("manifest", ["", "[1]", "3", '{"a.txt": 1}', "\xff"])
def test_a_broken_manifest_seals_nothing(tmp_path: Path, manifest: str) -> None:
    target = tmp_path / "stage"
    replace_folder(target, writing("one"), seal=True)
    (target / MANIFEST).write_bytes(manifest.encode("latin-1"))
    assert not sealed(target)


def test_no_folder_is_not_sealed(tmp_path: Path) -> None:
    assert not sealed(tmp_path / "nowhere")


@pytest.mark.parametrize("seal", [True, False])
def test_a_replaced_folder_leaves_nothing_behind(tmp_path: Path, seal: bool) -> None:
    target = tmp_path / "stage"
    for text in ("one", "two"):
        replace_folder(target, writing(text), seal=seal)
        assert (content(target), sealed(target)) == (text, seal)
    assert [entry.name for entry in tmp_path.iterdir()] == ["stage"]


@pytest.mark.parametrize("seal", [True, False])
def test_what_could_not_be_written_takes_no_room(tmp_path: Path, seal: bool) -> None:
    target = tmp_path / "stage"
    replace_folder(target, writing("one"), seal=seal)

    def half(folder: Path) -> None:
        writing("two")(folder)
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        replace_folder(target, half, seal=seal)
    assert (content(target), [entry.name for entry in tmp_path.iterdir()]) == ("one", ["stage"])


@pytest.mark.skipif(sys.platform != "linux", reason="a file's name is looked up by its handle")
def test_what_reads_back_differently_replaces_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "checkpoint"
    replace_folder(target, writing("one"), seal=True)
    dropped, advise = [], os.posix_fadvise

    def bad_disk(handle: int, *about: int) -> None:
        advise(handle, *about)
        file = Path(os.readlink(f"/proc/self/fd/{handle}"))
        if file.name == "b.bin":
            dropped.append(file)
            file.write_bytes(b"tw0twotwo")

    monkeypatch.setattr(sealing.os, "posix_fadvise", bad_disk)
    with pytest.raises(OSError, match="reads back differently"):
        replace_folder(target, writing("two"), seal=True)
    assert dropped
    assert (content(target), sealed(target)) == ("one", True)
    assert [entry.name for entry in tmp_path.iterdir()] == ["checkpoint"]


def test_read_only_files_can_be_put_in(tmp_path: Path) -> None:
    def fill(folder: Path) -> None:
        (folder / "a.txt").write_text("one")
        (folder / "a.txt").chmod(0o444)

    replace_folder(tmp_path / "stage", fill, seal=True)
    assert sealed(tmp_path / "stage")


@pytest.mark.parametrize("seal", [True, False])
@pytest.mark.parametrize("step", ["fill", "manifest", "sync", "first rename", "second rename", "clearing"])
@pytest.mark.parametrize("before", [None, "one"])
def test_a_power_cut_leaves_the_old_or_the_new(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seal: bool, step: str, before: str | None
) -> None:
    target = tmp_path / "checkpoint"
    if before is not None:
        replace_folder(target, writing(before), seal=seal)
    renames = 1 if seal else 0  # the manifest's own rename
    fill = writing("two")
    if step == "fill":

        def fill(folder: Path) -> None:
            (folder / "a.txt").write_text("tw")
            raise PowerCut

    elif step == "manifest":
        cut_power_at(monkeypatch, sealing, "write_json", 1)
    elif step == "sync":
        cut_power_at(monkeypatch, sealing, "_sync", 2)
    elif step == "clearing":
        # After both renames: what `settle` clears before the work counts too.
        cut_power_at(monkeypatch, sealing.shutil, "rmtree", 3)
    else:
        number = renames + (1 if step == "first rename" or before is None else 2)
        cut_power_at(monkeypatch, sealing.os, "replace", number)
    with contextlib.nullcontext() if step == "manifest" and not seal else pytest.raises(PowerCut):
        replace_folder(target, fill, seal=seal)
    monkeypatch.undo()

    settle(target)
    assert list(tmp_path.iterdir()) == ([target] if target.exists() else [])
    if before is not None:
        assert target.exists()
    if target.exists():
        assert content(target) in ({before, "two"} if before else {"two"})
        assert (target / "deep" / "b.bin").read_text() == content(target) * 3
        assert sealed(target) == seal
    replace_folder(target, writing("three"), seal=seal)
    assert content(target) == "three"


def test_after_both_renames_the_new_one_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "checkpoint"
    replace_folder(target, writing("one"), seal=True)
    cut_power_at(monkeypatch, sealing.shutil, "rmtree", 3)
    with pytest.raises(PowerCut):
        replace_folder(target, writing("two"), seal=True)
    monkeypatch.undo()
    settle(target)
    assert content(target) == "two"


def test_between_the_renames_the_whole_new_one_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "checkpoint"
    replace_folder(target, writing("one"), seal=True)
    cut_power_at(monkeypatch, sealing.os, "replace", 3)
    with pytest.raises(PowerCut):
        replace_folder(target, writing("two"), seal=True)
    monkeypatch.undo()
    assert not target.exists()
    settle(target)
    assert content(target) == "two"


@pytest.mark.parametrize("spoilt", ["a.txt", "deep/b.bin", MANIFEST])
def test_a_spoilt_new_one_gives_way_to_the_old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spoilt: str) -> None:
    """The disk kept the renames, but not all of the new one's bytes."""
    target = tmp_path / "checkpoint"
    replace_folder(target, writing("one"), seal=True)
    cut_power_at(monkeypatch, sealing.shutil, "rmtree", 3)
    with pytest.raises(PowerCut):
        replace_folder(target, writing("two"), seal=True)
    monkeypatch.undo()
    (target / spoilt).write_bytes(b"")
    settle(target)
    assert (content(target), sealed(target)) == ("one", True)


def test_settling_where_nothing_happened_changes_nothing(tmp_path: Path) -> None:
    settle(tmp_path / "nothing")
    assert not list(tmp_path.iterdir())
    replace_folder(tmp_path / "stage", writing("one"), seal=True)
    settle(tmp_path / "stage")
    assert content(tmp_path / "stage") == "one"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pipes in folders, and links need rights")
def test_what_stands_where_a_file_is_written_first_leads_nowhere(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("mine")
    (tmp_path / ".a.new").symlink_to(victim)
    os.mkfifo(tmp_path / ".b.new")
    for name in ("a", "b"):
        write_atomic(tmp_path / name, b"new")
        assert (tmp_path / name).read_bytes() == b"new" and not (tmp_path / name).is_symlink()
    assert victim.read_text() == "mine"


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights on Windows")
def test_a_leftover_that_is_no_folder_is_neither_taken_nor_in_the_way(tmp_path: Path) -> None:
    target, outside = tmp_path / "run" / "stage", tmp_path / "outside"
    replace_folder(outside, writing("theirs"), seal=True)
    target.parent.mkdir()
    (target.parent / ".stage.new").write_text("a file")
    (target.parent / ".stage.old").symlink_to(outside)
    settle(target)
    assert not target.exists() and content(outside) == "theirs"
    (target.parent / ".stage.new").symlink_to(outside)
    replace_folder(target, writing("ours"), seal=True)
    assert (content(target), content(outside), target.is_symlink()) == ("ours", "theirs", False)


def test_what_cannot_be_read_just_now_is_not_taken_for_damaged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "stage"
    replace_folder(target, writing("old"), seal=True)
    shutil.copytree(target, tmp_path / ".stage.old")

    def refuse(path: Path) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    with monkeypatch.context() as patch:
        patch.setattr(sealing, "open_file", refuse)
        assert not sealed(target)
        with pytest.raises(PermissionError):
            intact(target)
        with pytest.raises(PermissionError):
            settle(target)
    assert intact(target) and intact(tmp_path / ".stage.old")
    # A folder that can't be looked into seems to be empty.
    with monkeypatch.context() as patch:
        patch.setattr(sealing, "_files", lambda folder: [])
        patch.setattr(sealing.os, "stat", refuse)
        patch.setattr(sealing, "read_object", lambda path: {"text.txt": "…"})
        with pytest.raises(PermissionError):
            intact(target)
