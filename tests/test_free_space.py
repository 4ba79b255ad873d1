"""Room on the disk: asked for before something begins, and watched while a run goes on."""

from __future__ import annotations

import errno
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import IO

import pytest
from test_run import checking, messages, state, until

from core import free_space
from core.analysis.preview import recipe_sizes
from core.errors import InputError, Stopped
from core.event_log import EventLog
from core.events import Done, Event, Message
from core.free_space import free_bytes, next_writes, require_space
from core.recipe import from_mapping
from core.run import RunFolder
from core.run_context import RunContext
from core.teachers import known_teachers

NEEDED = 100_000_000


class Disk:
    """A disk of which a test says how full it is."""

    def __init__(self) -> None:
        self.free = 10 * NEEDED

    def __call__(self, path: Path) -> SimpleNamespace:
        return SimpleNamespace(free=self.free)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    disk = Disk()
    monkeypatch.setattr(free_space.shutil, "disk_usage", disk)
    monkeypatch.setattr(free_space, "_LOOK_SECONDS", 0.0)
    return disk


@pytest.fixture
def ctx(tmp_path: Path, disk: Disk) -> Iterator[RunContext]:
    folder = RunFolder(tmp_path / "run")
    folder.create("seed = 1\n", needed_bytes=1)
    ctx = RunContext(folder)
    ctx.space.needs = {"layers": NEEDED}
    ctx.begin("layers")
    yield ctx
    ctx.finish("stopped")


def _paused(ctx: RunContext, disk: Disk) -> tuple[threading.Thread, list[BaseException | None]]:
    """A run at work whose disk has just filled up, and which is waiting now."""
    thread, ended = checking(ctx)
    disk.free = NEEDED // 2
    until(lambda: state(ctx) == "paused")
    return thread, ended


def test_a_run_waits_before_the_disk_is_full_and_goes_on_by_itself(ctx: RunContext, disk: Disk) -> None:
    thread, ended = _paused(ctx, disk)
    status = ctx.folder.read_status()
    assert status["kind"] == "disk_nearly_full" and "Only 50 MB" in status["error"] and "50 MB" in status["hint"]
    before, moment = ctx.seconds, time.monotonic()
    time.sleep(0.3)
    disk.free = NEEDED
    until(lambda: state(ctx) == "running")
    assert ctx.folder.read_status()["error"] is None and ctx.folder.read_status()["kind"] is None
    worked = ctx.seconds - before
    assert worked <= time.monotonic() - moment - 0.3  # the wait doesn't count
    (ctx.folder.path / "enough").touch()
    thread.join()
    assert ended == [None]
    assert ["Only 50 MB" in text for text in messages(ctx)] == [True, False] and messages(ctx)[-1] == "Going on."


def test_a_run_that_waits_for_room_can_be_stopped(ctx: RunContext, disk: Disk) -> None:
    thread, ended = _paused(ctx, disk)
    ctx.folder.ask("stop_keep_best")
    thread.join(timeout=60)
    assert isinstance(ended[0], Stopped) and ended[0].keep_best


def test_a_user_who_wants_to_go_on_all_the_same_is_not_asked_again(ctx: RunContext, disk: Disk) -> None:
    thread, _ = _paused(ctx, disk)
    ctx.folder.ask("resume")
    until(lambda: state(ctx) == "running")
    ctx.make_room()
    ctx.make_room()
    disk.free = NEEDED
    ctx.make_room()
    disk.free = 0
    until(lambda: state(ctx) == "paused")  # it had been enough meanwhile
    ctx.folder.ask("stop")
    thread.join(timeout=60)


def test_a_user_who_pauses_a_run_that_waits_resumes_it(ctx: RunContext, disk: Disk) -> None:
    thread, _ = _paused(ctx, disk)
    ctx.folder.ask("pause")
    until(lambda: ctx.folder.read_status()["kind"] is None)
    disk.free = NEEDED
    time.sleep(0.3)
    assert state(ctx) == "paused"
    ctx.folder.ask("resume")
    until(lambda: state(ctx) == "running")
    ctx.folder.ask("stop")
    thread.join(timeout=60)


def test_nothing_is_written_by_a_stop_that_has_no_room(ctx: RunContext, disk: Disk) -> None:
    ctx.make_room()
    ctx.stop_signal = True
    with pytest.raises(Stopped):
        ctx.check()
    ctx.make_room()  # there is room: what was done is kept
    disk.free = 0
    with pytest.raises(Stopped):
        ctx.make_room()
    assert "no room" in messages(ctx)[-1]


def test_a_disk_that_cannot_be_asked_holds_nothing_up(ctx: RunContext, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path) -> None:
        raise OSError("gone")

    monkeypatch.setattr(free_space.shutil, "disk_usage", refuse)
    ctx.check()
    require_space(ctx.folder.path, 10**18, "The export")
    assert state(ctx) == "running"


def test_what_lacks_room_is_refused_before_it_begins(tmp_path: Path, disk: Disk) -> None:
    assert free_bytes(tmp_path / "not" / "there" / "yet") == disk.free
    disk.free = 20_000_000
    with pytest.raises(InputError, match=r"The export needs about 91 MB on disk, .* has 20 MB") as caught:
        require_space(tmp_path / "out", 91_000_000, "The export")
    assert caught.value.faults[0].kind == "disk_full"


def test_what_a_stage_needs_follows_from_the_sizes() -> None:
    teacher = known_teachers()[0]
    given = {
        "teacher": {"model": "some/teacher"},
        "language": {"code": "mlt"},
        "corpus": {"sources": ["a.txt"]},
        "targets": {"layers": 6, "hidden_size": 384, "vocabulary_size": 20_000},
    }
    recipe = from_mapping(given)
    sizes = recipe_sizes(teacher.config, recipe, 20_000)
    needs = next_writes(sizes, recipe)
    assert list(needs) == [stage.name for stage in sizes.stages]
    smaller = {stage.name: stage.size.parameters for stage in sizes.stages}
    # Weights, two moments and the best weights in float32 of the model that the stage before left, and some.
    assert 16 * smaller["vocabulary"] < needs["layers"] < 20 * smaller["vocabulary"] + 50_000_000
    assert needs["evaluate"] < needs["vocabulary"] < needs["layers"] and needs["hidden"] < needs["layers"]
    full = from_mapping({**given, "tasks": [{"kind": "ner", "source": "sample", "method": "full"}]})
    assert next_writes(sizes, full)["evaluate"] > needs["layers"]


class FullLog:
    """An event log on a disk that has no room for so many lines."""

    def __init__(self, ctx: RunContext, lines: int) -> None:
        self._append, self._lines = ctx._log.append, lines

    def __call__(self, event: Event, t: float) -> None:
        self._lines -= 1
        if self._lines >= 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        self._append(event, t)


def test_what_a_full_disk_has_no_room_for_is_written_once_it_has(
    ctx: RunContext, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk.free = 0
    heard: list[Event] = []
    ctx._listen = heard.append
    # Neither the event nor that the run waits; then there is room again.
    monkeypatch.setattr(ctx._log, "append", FullLog(ctx, lines=2))
    thread = threading.Thread(target=ctx.emit, args=[Message(level="info", text="a step")])
    thread.start()
    until(lambda: state(ctx) == "paused")
    disk.free = NEEDED
    thread.join(timeout=60)
    assert messages(ctx) == ["Going on.", "a step"] and state(ctx) == "running"
    told = [event.text for event in heard if isinstance(event, Message)]
    assert "Only 0 MB" in told[0] and told[1:] == ["Going on.", "a step"]


def test_a_run_that_ends_on_a_full_disk_doesnt_wait(
    ctx: RunContext, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk.free = 0
    monkeypatch.setattr(ctx._log, "append", FullLog(ctx, lines=9))
    with pytest.raises(OSError, match="No space"):
        ctx.emit(Done(state="failed"))
    disk.free = 10 * NEEDED  # and yet it was refused: a quota, which can't be asked
    with pytest.raises(OSError, match="No space"):
        ctx.emit(Message(level="info", text="a step"))


class Narrow:
    """A file whose disk takes half of what is written."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.seek, self.truncate = file.seek, file.truncate

    def write(self, line: bytes) -> int:
        return self._file.write(line[: len(line) // 2])


def test_a_line_of_the_log_is_written_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = EventLog(tmp_path / "events.jsonl")
    log.append(Message(level="info", text="whole"), 1.0)
    before = log.flush()
    file = log._file
    log._file = Narrow(file)  # type: ignore[assignment]
    with pytest.raises(OSError, match="No space"):
        log.append(Message(level="info", text="half"), 2.0)
    log._file = file
    assert log.flush() == before
    log.close()
