from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from core import run as runs
from core.errors import InputError, Stopped
from core.event_log import EventLog
from core.events import Done, Event, Loss, Message, Progress, Score, Size, Stage, from_record, to_record
from core.run import RunFolder, settle_folder
from core.run_context import RunContext
from core.sealing import replace_folder, sealed

EVENTS: tuple[Event, ...] = (
    Stage(name="layers", state="started"),
    Progress(stage="layers", done=1, total=4, eta_seconds=None),
    Loss(stage="layers", step=1, tokens=10, mlm=2.5, kd=None, total=2.5, split="train"),
    Size(stage="layers", parameters=3, megabytes=0.1, parts={"head": 3}),
    Score(
        stage="layers", step=1, task="ner", metric="f1", value=3.5, split="test", seed=None, who="student", how="probe"
    ),
    Message(level="info", text="żgħir <b>"),
    Done(state="finished"),
)


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    folder = RunFolder(tmp_path / "run")
    folder.create("seed = 1\n", needed_bytes=1)
    return folder


@pytest.fixture
def ctx(folder: RunFolder) -> Iterator[RunContext]:
    ctx = RunContext(folder)
    yield ctx
    ctx.finish("stopped")


# -- the folder ------------------------------------------------------------------------------------------------------


def test_a_new_run_keeps_the_recipe_as_given(folder: RunFolder) -> None:
    assert folder.given_recipe() == "seed = 1\n"
    assert (folder.read_status(), list(folder.read_events())) == ({}, [])


def test_a_folder_in_use_is_refused(folder: RunFolder, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is not empty") as caught:
        folder.create("")
    assert "--resume" in caught.value.faults[0].hint
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="is not empty"):
        RunFolder(tmp_path / "file").create("")
    with pytest.raises(InputError, match="can't be written"):
        RunFolder(tmp_path / "file" / "run").create("")
    with pytest.raises(InputError, match="can't be written"):
        RunFolder(tmp_path / ("x" * 300)).create("")


def test_an_empty_folder_will_do(tmp_path: Path) -> None:
    RunFolder(tmp_path).create("a", needed_bytes=1)
    assert (tmp_path / "recipe.original.toml").read_text() == "a"


def test_a_full_disk_is_told_before_anything_is_done(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="MB on disk"):
        RunFolder(tmp_path / "run").create("a", needed_bytes=10**18)


def test_what_is_no_run_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no run in"):
        RunFolder(tmp_path).given_recipe()
    with pytest.raises(InputError, match="no results yet"):
        RunFolder(tmp_path).read_results()


def test_a_folder_that_cannot_be_looked_into_holds_no_results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path, **others: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(Path, "stat", refuse)
    with pytest.raises(InputError, match="no results yet"):
        RunFolder(tmp_path).read_results()


@pytest.mark.parametrize("text", ["", "[1]", "3", "{", "null"])
def test_broken_files_read_as_absent(folder: RunFolder, text: str) -> None:
    folder.status.write_text(text)
    folder.results.write_text(text)
    assert folder.read_status() == {}
    with pytest.raises(InputError, match="can't be read"):
        folder.read_results()


@pytest.mark.parametrize("number", ["NaN", "-Infinity", "1e400", "9" * 401])
def test_a_file_with_a_number_that_is_none_is_broken(folder: RunFolder, number: str) -> None:
    for path in (folder.results, folder.origin):
        path.write_text(f'{{"teacher": {{"parameters": {number}}}}}')
    assert folder.read_origin() == {}
    with pytest.raises(InputError, match="no number to count with"):
        folder.read_results()


def test_settling_clears_what_a_killed_process_left(folder: RunFolder) -> None:
    def fill(path: Path) -> None:
        (path / "report.json").write_text("{}")

    folder.stages.mkdir()
    replace_folder(folder.stages / "01-layers", fill, seal=True)
    os.replace(folder.stages / "01-layers", folder.stages / ".01-layers.new")
    (folder.stages / ".02-hidden.new").mkdir()
    (folder.path / ".status.json.new").write_text("{")
    settle_folder(folder)
    assert [path.name for path in folder.stages.iterdir()] == ["01-layers"]
    assert sealed(folder.stages / "01-layers")
    assert not (folder.path / ".status.json.new").exists()


# -- the lock --------------------------------------------------------------------------------------------------------

HOLD = """
import sys
from pathlib import Path
from core.run import RunFolder
with RunFolder(Path(sys.argv[1])).locked():
    print("locked", flush=True)
    sys.stdin.read()
"""


@pytest.mark.skipif(os.name == "nt", reason="Windows knows no signals")
def test_a_run_can_be_stopped_where_no_wish_can_be_written(folder: RunFolder) -> None:
    folder.interrupt()  # nobody runs it: nobody is asked
    script = f"import signal\nsignal.signal(signal.SIGTERM, lambda *_: sys.exit(7))\n{HOLD}"
    with subprocess.Popen(
        [sys.executable, "-c", f"import sys\n{script}", str(folder.path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parent.parent,
        text=True,
    ) as holder:
        assert holder.stdout is not None and holder.stdout.readline() == "locked\n"
        folder.interrupt()
        assert holder.wait(timeout=20) == 7


def test_two_processes_never_run_the_same_run(folder: RunFolder) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder.path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parent.parent,
        text=True,
    )
    assert holder.stdin is not None and holder.stdout is not None
    try:
        assert holder.stdout.readline() == "locked\n"
        assert folder.running()
        assert json.loads(folder.lock.read_text())["pid"] == holder.pid
        with pytest.raises(InputError, match="Another process runs"), folder.locked():
            raise AssertionError("locked twice")
        assert json.loads(folder.lock.read_text())["pid"] == holder.pid
    finally:
        holder.kill()
        holder.wait()
        holder.stdin.close()
        holder.stdout.close()
    assert not folder.running()
    with folder.locked():
        assert folder.running()
        assert json.loads(folder.lock.read_text())["pid"] == os.getpid()
    assert not folder.running()


def test_looking_whether_a_run_runs_does_not_keep_it_from_running(
    folder: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    look = folder.lock.open("a+b")
    assert runs.try_lock(look)
    monkeypatch.setattr(runs.time, "sleep", lambda seconds: look.close())
    with folder.locked():
        assert look.closed


def test_a_disk_without_locks_is_told_and_nobody_seems_to_run_the_run(
    folder: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.lock.touch()

    def no_locks(file: object) -> bool:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(runs, "try_lock", no_locks)
    assert not folder.running()
    with pytest.raises(InputError, match=r"can't keep two processes from .*No locks available"), folder.locked():
        raise AssertionError("locked")


def test_a_folder_that_went_away_cannot_be_locked(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="can't be written"), RunFolder(tmp_path / "gone").locked():
        raise AssertionError("locked")


# -- events ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.type)
def test_an_event_comes_back_from_its_line(event: Event) -> None:
    record = json.loads(json.dumps(to_record(event, 1.23456)))
    assert (record["t"], record["type"]) == (1.235, event.type)
    assert from_record(record) == event


def test_events_are_read_in_order_with_their_times(folder: RunFolder) -> None:
    heard: list[Event] = []
    ctx = RunContext(folder, heard.append)
    for event in EVENTS:
        ctx.emit(event)
    ctx.finish("finished")
    read = list(folder.read_events())
    assert tuple(event for _, event in read) == EVENTS == tuple(heard)
    times = [t for t, _ in read]
    assert times == sorted(times)


@pytest.mark.parametrize(
    "line", [b"{", b"3", b"[]", b'{"t": 1}', b'{"t": 1, "type": "later"}', b'{"t": 1, "type": []}', b"\xc5"]
)
def test_a_line_that_is_no_event_is_passed_over(folder: RunFolder, line: bytes) -> None:
    log = EventLog(folder.events)
    log.append(EVENTS[0], 1)
    log.close()
    with open(folder.events, "ab") as file:
        file.write(line + b"\n")
    log = EventLog(folder.events)
    log.append(EVENTS[1], 2)
    log.close()
    assert [event for _, event in folder.read_events()] == list(EVENTS[:2])


def test_a_message_may_name_a_file_of_any_bytes(folder: RunFolder) -> None:
    log = EventLog(folder.events)
    log.append(Message(level="info", text=os.fsdecode(b"\xff.txt")), 0)
    log.close()
    assert [event for _, event in folder.read_events()] == [Message(level="info", text="\udcff.txt")]


def test_a_wait_before_the_run_was_taken_up_is_no_part_of_its_time(folder: RunFolder) -> None:
    ctx = RunContext(folder)
    ctx._paused = 100.0
    ctx.resume_at(0, 7.0)
    assert 7 <= ctx.seconds < 100
    ctx.finish("stopped")


def test_resuming_forgets_what_came_after_the_checkpoint(folder: RunFolder) -> None:
    ctx = RunContext(folder)
    ctx.emit(EVENTS[0])
    mark = ctx.mark()
    ctx.emit(EVENTS[1])
    with open(folder.events, "ab") as file:
        file.write(b'{"t": 3, "ty')
    ctx.finish("stopped")

    ctx = RunContext(folder)
    ctx.resume_at(mark["events_length"], mark["seconds"] + 1000)
    ctx.emit(EVENTS[5])
    ctx.finish("finished")
    (before, first), (after, second) = folder.read_events()
    assert (first, second) == (EVENTS[0], EVENTS[5])
    assert after >= before + 1000


# -- status and progress ---------------------------------------------------------------------------------------------


def test_status_tells_where_the_run_stands(folder: RunFolder, ctx: RunContext) -> None:
    ctx.begin("layers")
    ctx.progress(4, 4)
    status = folder.read_status()
    assert (status["state"], status["pid"], status["stage"]) == ("running", os.getpid(), "layers")
    assert (status["done"], status["total"], status["error"]) == (4, 4, None)
    ctx.begin("hidden")
    assert (folder.read_status()["stage"], folder.read_status()["done"]) == ("hidden", 0)


def test_the_last_status_tells_what_went_wrong(folder: RunFolder) -> None:
    RunContext(folder).finish("failed", error="It broke.", hint="Mend it.")
    status = folder.read_status()
    assert (status["state"], status["error"], status["hint"]) == ("failed", "It broke.", "Mend it.")


def test_progress_is_told_twice_a_second_at_most(folder: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(runs.time, "monotonic", lambda: now[0])
    heard: list[Event] = []
    ctx = RunContext(folder, heard.append)
    ctx.begin("layers")
    for done in range(101):
        ctx.progress(done, 100)
        now[0] += 0.1
    ctx.finish("finished")
    told = [event for event in heard if isinstance(event, Progress)]
    assert 18 <= len(told) <= 22
    assert told[-1].done == 100
    assert told[0].eta_seconds is None
    assert all(event.eta_seconds == pytest.approx((100 - event.done) * 0.1, abs=0.06) for event in told[1:])


def test_the_eta_after_a_resume_is_from_this_process_alone(folder: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(runs.time, "monotonic", lambda: now[0])
    ctx = RunContext(folder)
    ctx.begin("layers")
    ctx.progress(90, 100)
    now[0] += 5
    ctx.progress(95, 100)
    assert folder.read_status()["eta_seconds"] == 5.0
    ctx.finish("stopped")


# -- wishes ----------------------------------------------------------------------------------------------------------


def checking(ctx: RunContext) -> tuple[threading.Thread, list[BaseException | None]]:
    """A thread that checks again and again, as a stage does, until it is stopped or has seen "enough"."""
    ended: list[BaseException | None] = []

    def work() -> None:
        try:
            while not (ctx.folder.path / "enough").exists():
                ctx.check()
                time.sleep(0.01)
        except Stopped as stopped:
            ended.append(stopped)
        else:
            ended.append(None)

    thread = threading.Thread(target=work)
    thread.start()
    return thread, ended


def until(condition: object) -> None:
    assert callable(condition)
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end, "it never came to be"
        time.sleep(0.01)


def state(ctx: RunContext) -> object:
    return ctx.folder.read_status().get("state")


def messages(ctx: RunContext) -> list[str]:
    return [event.text for _, event in ctx.folder.read_events() if isinstance(event, Message)]


def test_a_run_pauses_and_goes_on(ctx: RunContext) -> None:
    ctx.begin("layers")
    thread, ended = checking(ctx)
    ctx.folder.ask("pause")
    until(lambda: state(ctx) == "paused")
    assert not ctx.folder.control.exists()
    ctx.folder.ask("resume")
    until(lambda: state(ctx) == "running")
    (ctx.folder.path / "enough").write_text("")
    thread.join()
    assert ended == [None]
    assert messages(ctx) == ["Paused.", "Going on."]


@pytest.mark.parametrize(("word", "keep_best"), [("stop", False), ("stop_keep_best", True)])
@pytest.mark.parametrize("paused", [False, True])
def test_a_run_stops(ctx: RunContext, word: str, keep_best: bool, paused: bool) -> None:
    thread, ended = checking(ctx)
    if paused:
        ctx.folder.ask("pause")
        until(lambda: state(ctx) == "paused")
    ctx.folder.ask(word)
    thread.join()
    assert isinstance(ended[0], Stopped)
    assert ended[0].keep_best == keep_best
    assert "Going on." not in messages(ctx)


def test_a_signal_stops_a_paused_run(ctx: RunContext) -> None:
    thread, ended = checking(ctx)
    ctx.folder.ask("pause")
    until(lambda: state(ctx) == "paused")
    ctx.stop_signal = True
    thread.join()
    assert isinstance(ended[0], Stopped)


def test_pausing_is_no_work(ctx: RunContext, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    monkeypatch.setattr(runs.time, "monotonic", lambda: now[0])
    ctx._started = 1000.0

    def sleep(seconds: float) -> None:
        now[0] += 3600
        ctx.folder.ask("resume")

    monkeypatch.setattr(runs.time, "sleep", sleep)
    ctx.folder.ask("pause")
    ctx.check()
    assert ctx.seconds == 0


def test_a_word_that_is_no_wish_is_passed_over(ctx: RunContext) -> None:
    ctx.folder.control.write_bytes(b"\xff")
    ctx.check()
    ctx._asked = 0
    ctx.folder.control.write_text("dance")
    ctx.check()
    assert not ctx.folder.control.exists()
    with pytest.raises(ValueError, match="dance"):
        ctx.folder.ask("dance")


def test_an_earlier_process_has_its_wish_to_itself(folder: RunFolder) -> None:
    folder.ask("stop")
    os.utime(folder.control, ns=(0, time.time_ns() - 1_000_000_000))
    with folder.locked():
        assert not folder.control.exists()


def test_a_wish_that_is_younger_than_the_lock_is_kept(folder: RunFolder) -> None:
    with folder.locked():
        folder.ask("stop")
        ctx = RunContext(folder)
        with pytest.raises(Stopped):
            ctx.check()
        ctx.finish("stopped")


def test_a_wish_written_while_another_is_taken_is_not_lost(ctx: RunContext, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, original = ctx.folder, os.replace
    folder.ask("pause")

    def interrupted(source: Path, target: Path) -> None:
        original(source, target)
        if source == folder.control:
            monkeypatch.setattr(runs.os, "replace", original)
            folder.ask("stop")

    monkeypatch.setattr(runs.os, "replace", interrupted)
    with pytest.raises(Stopped):
        ctx.check()
