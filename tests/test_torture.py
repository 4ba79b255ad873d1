"""The short form of `benchmarks.torture`: a run that is killed, damaged or lied to ends right, or says why not."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import sys
from pathlib import Path

import pytest
from safetensors import SafetensorError

from benchmarks.reliability import _latest
from benchmarks.torture import injuries
from benchmarks.torture.bench import nothing_redone, stages_done
from benchmarks.torture.comparing import differences
from benchmarks.torture.files import DAMAGES, claim, half_write
from benchmarks.torture.kills import is_writing
from benchmarks.torture.page import section
from benchmarks.torture.worker import Worker
from core.context import Quiet
from core.errors import InputError, Stopped
from core.event_log import EventLog
from core.events import Event, Loss, Message, Score, Stage
from core.export.huggingface import export_student
from core.run import RunFolder
from core.run_context import RunContext
from core.run_manifest import RunManifest
from core.sealing import write_atomic
from core.session import _ending, _signals
from tests.journeys import journey, recipe

LITTLE = ("tests.little_evidence",)


class PowerCut(BaseException):
    """Ends a run without asking."""


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[RunFolder, RunFolder]:
    """An undisturbed run, and what a power cut in the middle of `hidden` would have left of it."""
    folder = tmp_path_factory.mktemp("runs")
    whole, middle = RunFolder(folder / "whole"), RunFolder(folder / "middle")

    def copy(event: Event) -> None:
        if isinstance(event, Loss) and (event.stage, event.step, event.split) == ("hidden", 3, "train"):
            shutil.copytree(whole.path, middle.path)

    journey(whole.path, listen=copy)
    return whole, middle


@pytest.fixture
def whole(runs: tuple[RunFolder, RunFolder]) -> RunFolder:
    """An undisturbed run; no test may change it."""
    return runs[0]


@pytest.fixture
def middle(runs: tuple[RunFolder, RunFolder]) -> RunFolder:
    """A run that ended in the middle, with a checkpoint; no test may change it."""
    return runs[1]


def copied(source: RunFolder, place: Path) -> RunFolder:
    return RunFolder(shutil.copytree(source.path, place / "run"))


# -- kills -----------------------------------------------------------------------------------------------------------


def _reached(folder: RunFolder, stage: str) -> bool:
    """Whether a stage is under way, a training one with a step or two behind it; `layers` while it writes, too."""
    events = [event for _, event in folder.read_events()]
    started = any(isinstance(event, Stage) and event.name == stage for event in events)
    trained = any(isinstance(event, (Loss, Score)) and event.stage == stage and event.step >= 2 for event in events)
    reached = started and (trained or stage == "evaluate")
    return reached and (stage != "layers" or is_writing(folder.path, ".new"))


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_killed_and_resumed(whole: RunFolder, tmp_path: Path) -> None:
    """In the middle of what a run does in different ways; the long form does so everywhere."""
    folder, text = RunFolder(tmp_path / "run"), tmp_path / "recipe.toml"
    text.write_text(recipe(), encoding="utf-8")
    before: dict[str, bytes] = {}
    for number, stage in enumerate(("layers", "hidden", "evaluate")):
        worker = Worker(folder, text, resume=number > 0, module=LITTLE)
        reached = worker.wait_until(lambda stage=stage: _reached(folder, stage))
        assert worker.kill(group=number % 2 == 0) and reached, stage
        assert folder.read_status()["state"] == "running" and worker.orphans() == []
        nothing_redone(before, folder)
        before = stages_done(folder)
    assert Worker(folder, text, resume=True, module=LITTLE).end().code == 0
    nothing_redone(before, folder)
    assert differences(folder, whole) == []


# -- damage ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "names",
    [
        ("checkpoint with a flipped bit", "recipe as run cut short", "status of garbage", "origin with a flipped bit"),
        ("checkpoint without its weights", "events emptied", "manifest of the run gone"),
        ("events zeroed at their end", "the cleaned texts with a flipped bit", "lock left behind, of garbage"),
        ("second stage cut short", "status gone", "stage gone"),
    ],
    ids=lambda names: names[0],
)
def test_damaged_and_resumed(middle: RunFolder, whole: RunFolder, tmp_path: Path, names: tuple[str, ...]) -> None:
    folder = copied(middle, tmp_path)
    before = stages_done(folder)
    for name in names:
        DAMAGES[name].hurt(folder)
    journey(folder.path, resume=True)
    assert differences(folder, whole, events=all(DAMAGES[name].events for name in names)) == []
    if not any(DAMAGES[name].redone for name in names):
        nothing_redone(before, folder)


def test_lied_to_and_resumed(middle: RunFolder, whole: RunFolder, tmp_path: Path) -> None:
    folder = copied(middle, tmp_path)
    before = stages_done(folder)
    claim(state="finished")(folder)
    half_write(folder)
    injuries.append_garbage(folder.events)
    folder.ask("stop")
    injuries.date(folder.path, 10)
    journey(folder.path, resume=True)
    assert differences(folder, whole) == []
    nothing_redone(before, folder)


@pytest.mark.parametrize("injury", [injuries.cut_in_half, injuries.flip_a_bit, injuries.remove])
def test_a_finished_run_that_was_damaged_is_made_whole(
    whole: RunFolder, tmp_path: Path, injury: injuries.Injury
) -> None:
    folder = copied(whole, tmp_path)
    injury(folder.student / "model.safetensors")
    with pytest.raises(InputError, match=r"not as the run wrote it|lacks model"):
        export_student(folder, tmp_path / "out", Quiet())
    injury(folder.results)
    with pytest.raises(InputError, match=r"not as the run wrote it|no results"):
        folder.read_results()
    journey(folder.path, resume=True)
    assert differences(folder, whole) == []
    nothing_redone(stages_done(whole), folder)


def test_a_broken_recipe_as_given_is_told_and_can_be_given_again(middle: RunFolder, tmp_path: Path) -> None:
    folder = copied(middle, tmp_path)
    injuries.cut_in_half(folder.original_recipe)
    with pytest.raises(InputError, match="isn't as the run wrote it"):
        journey(folder.path, text=folder.given_recipe(), resume=True)
    injuries.remove(folder.original_recipe)
    with pytest.raises(InputError, match="can't be read"):
        folder.given_recipe()

    def stop(event: Event) -> None:
        if isinstance(event, Loss):
            raise Stopped

    with pytest.raises(Stopped):
        journey(folder.path, resume=True, listen=stop)
    assert folder.given_recipe() == recipe()


def test_choices_that_cannot_be_made_again_are_not_made_otherwise(
    middle: RunFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = copied(middle, tmp_path)
    injuries.cut_in_half(folder.recipe)
    monkeypatch.setattr("core.session.to_toml", lambda recipe, reasons: "seed = 1\n")
    with pytest.raises(InputError, match="can't be made again"):
        journey(folder.path, resume=True)


# -- what a run's files were -----------------------------------------------------------------------------------------


def test_a_manifest_tells_what_was_written_from_anything_else(tmp_path: Path) -> None:
    manifest, file, folder = RunManifest(tmp_path), tmp_path / "a.json", tmp_path / "student"
    folder.mkdir()
    for name in ("one", "two"):
        (folder / name).write_text(name)
    assert manifest.found(file) == manifest.found(folder) == "unknown"
    manifest.write(file, b"{}")
    manifest.note(folder)
    assert manifest.found(file, folder) == "whole"
    (folder / "three").write_text("")
    assert (manifest.found(file), manifest.found(folder), manifest.found(file, folder)) == ("whole", *["changed"] * 2)
    manifest.note(folder)
    (folder / "one").unlink()
    assert manifest.found(folder) == "changed"
    manifest.note(folder)
    assert manifest.found(file, folder) == "whole"
    injuries.fill_with_garbage(tmp_path / "manifest.json")
    assert manifest.found(file) == "unknown"


def test_a_power_cut_between_note_and_file_is_no_damage_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest, file = RunManifest(tmp_path), tmp_path / "recipe.toml"
    manifest.write(file, b"first")

    def cut(path: Path, data: bytes) -> None:
        raise PowerCut

    with monkeypatch.context() as patch, pytest.raises(PowerCut):
        patch.setattr("core.run_manifest.write_atomic", cut)
        manifest.write(file, b"second")
    assert manifest.found(file) == "changed" and manifest.is_noted_as(file, b"second")
    write_atomic(file, b"second")
    assert manifest.found(file) == "whole"


@pytest.mark.parametrize("length", [0, 3, 60, 10_000])
def test_a_log_that_lost_its_end_goes_on_in_a_line_of_its_own(tmp_path: Path, length: int) -> None:
    path, events = tmp_path / "events.jsonl", [Message(level="info", text=f"message {number}") for number in range(3)]
    log = EventLog(path)
    log.append(events[0], 0)
    log.append(events[1], 1)
    there = log.flush()
    assert log.cut(length) == (length <= there)
    log.append(events[2], 2)
    log.close()
    content = path.read_bytes()
    assert b"\0" not in content and len(content) <= 2 * there
    whole = [event for event in events[:2] if length >= (there if event is events[1] else there // 2)]
    assert [event for _, event in RunFolder(tmp_path).read_events()] == [*whole, events[2]]


# -- disks, processes, signals ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "disk is full"),
        (OSError(errno.EFBIG, "File too large"), "no file as large"),
        (PermissionError(errno.EACCES, "no", "/a/run/status.json"), "/a/run/status.json can't be read or written"),
        (OSError(errno.EROFS, "Read-only file system", "/a/run/status.json"), "read-only"),
        (OSError(errno.EIO, "Input/output error"), "The disk can't be read or written"),
        (SafetensorError("Error while serializing: I/O error: No space left (os error 28)"), "disk is full"),
        (Exception("Read-only file system (os error 30)"), "read-only"),
    ],
)
def test_what_a_disk_does_is_told_in_words(tmp_path: Path, error: Exception, words: str) -> None:
    folder = RunFolder(tmp_path)
    with pytest.raises(InputError, match=words), _ending(RunContext(folder)):
        raise error
    assert folder.read_status()["state"] == "failed" and words in str(folder.read_status()["error"])


def test_of_two_who_begin_at_once_one_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, other = RunFolder(tmp_path / "run"), RunFolder(tmp_path / "run")
    look = shutil.disk_usage

    def meanwhile(path: Path) -> object:
        monkeypatch.setattr("core.free_space.shutil.disk_usage", look)
        other.create("seed = 2\n", needed_bytes=1)
        return look(path)

    monkeypatch.setattr("core.free_space.shutil.disk_usage", meanwhile)
    with pytest.raises(InputError, match="not empty"):
        folder.create("seed = 1\n", needed_bytes=1)
    assert folder.given_recipe() == "seed = 2\n"


def test_a_folder_that_could_not_be_begun_is_left_empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = RunFolder(tmp_path / "run")

    def full(path: Path, data: bytes) -> None:
        path.with_name(f".{path.name}.new").write_bytes(b"")
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch, pytest.raises(InputError, match="No space left"):
        patch.setattr("core.run_manifest.write_atomic", full)
        folder.create("seed = 1\n", needed_bytes=1)
    assert list(folder.path.iterdir()) == []


def test_a_wish_that_is_no_file_is_none(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    folder.control.mkdir()
    ctx = RunContext(folder)
    assert ctx.take_wish() == ""
    ctx.finish("stopped")


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="this system has no SIGHUP")
def test_a_terminal_that_is_closed_stops_the_run_in_order(tmp_path: Path) -> None:
    ctx = RunContext(RunFolder(tmp_path))
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)  # these tests may run under nohup
    try:
        with _signals(ctx):
            os.kill(os.getpid(), signal.SIGHUP)
            assert ctx.stop_signal
    finally:
        signal.signal(signal.SIGHUP, before)
    ctx.finish("stopped")


# -- what is told of it ----------------------------------------------------------------------------------------------


def test_what_was_tried_again_counts_as_it_went_last() -> None:
    first, second = ({"name": name, "ok": ok} for name, ok in (("a", False), ("b", True)))
    files = [
        {"kills": {"kills": 0}, "cases": [first, second]},
        {"kills": {"kills": 0}, "cases": [{**first, "ok": True}]},
    ]
    (found,) = _latest(files)
    assert [(case["name"], case["ok"]) for case in found["cases"]] == [("a", True), ("b", True)] and found["again"] == 1


def test_every_failure_is_on_the_page() -> None:
    case = {"name": "a", "done": "cut | short", "expected": "right", "happened": "<b>\nwrong", "skipped": False}
    page = section(
        {
            "asked": 7, "seed": 3, "seconds": 90, "jobs": 2, "machine": "a machine", "versions": {"torch": "1"},
            "kills": {
                "kills": 7, "runs": 2, "by_stage": {"layers": 4, "loading": 3}, "half_written": 5,
                "with_children": 6, "failed_runs": 1,
            },
            "victims": [{"recipe": "tiny", "seed": 4, "failure": "student/config.json"}, {"failure": ""}],
            "cases": [{**case, "ok": False}, {**case, "ok": True, "skipped": True}],
        }
    )  # fmt: skip
    assert "7 kills" in page and "| layers | 4 |" in page and "- tiny, seed 4: student/config.json" in page
    assert "1 fault; failures: 1. 1 could not be tried" in page
    assert "| cut \\| short | &lt;b> wrong | NO |" in page and "| skipped |" in page
