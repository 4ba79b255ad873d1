"""Wishes before the work begins."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from core import session
from core.errors import Stopped
from core.events import Done, Message
from core.loading import heeding, hold
from core.run import RunFolder
from core.run_context import RunContext
from core.status import Status

ROOT = Path(__file__).parent.parent
_PATIENCE_SECONDS = 60


@pytest.fixture
def ctx(tmp_path: Path) -> Iterator[RunContext]:
    folder = RunFolder(tmp_path / "run")
    folder.create("seed = 1\n", needed_bytes=1)
    ctx = RunContext(folder)
    ctx.set_status(Status(state="queued"))
    with session._signals(ctx):
        yield ctx
    ctx.finish("stopped")
    assert not any(thread.name == "wishes" for thread in threading.enumerate())


def load() -> None:
    """Takes long, and asks nobody."""
    for _ in range(_PATIENCE_SECONDS * 100):
        time.sleep(0.01)
    raise AssertionError("nothing ended it")


def until_state(ctx: RunContext, state: str) -> None:
    for _ in range(_PATIENCE_SECONDS * 100):
        if ctx.folder.read_status().get("state") == state:
            return
        time.sleep(0.01)
    raise AssertionError(f"it never was {state}")


@pytest.mark.parametrize("word", ["stop", "stop_keep_best"])
def test_stopping_ends_the_loading(ctx: RunContext, word: str) -> None:
    with pytest.raises(Stopped) as caught, heeding(ctx):
        ctx.folder.ask(word)
        load()
    assert not caught.value.keep_best
    assert not ctx.folder.control.exists()


def test_a_signal_ends_the_loading(ctx: RunContext) -> None:
    with pytest.raises(Stopped), heeding(ctx):
        signal.raise_signal(signal.SIGTERM)
        load()


def test_a_wish_that_loading_swallows_is_honoured_by_the_first_check(ctx: RunContext) -> None:
    # The interrupt may come while the wish is still being written.
    with heeding(ctx), contextlib.suppress(KeyboardInterrupt):
        ctx.folder.ask("stop")
        load()
    with pytest.raises(Stopped):
        ctx.check()


def test_what_was_learnt_before_is_kept_by_the_work(ctx: RunContext) -> None:
    ctx.folder.stages.mkdir()
    with heeding(ctx):
        ctx.folder.ask("stop_keep_best")
        time.sleep(0.3)
    hold(ctx)
    with pytest.raises(Stopped) as caught:
        ctx.check()
    assert caught.value.keep_best


def test_pausing_shows_at_once_and_holds_the_work(ctx: RunContext) -> None:
    with heeding(ctx):
        ctx.folder.ask("pause")
        until_state(ctx, "paused")
    timer = threading.Timer(0.3, ctx.folder.ask, ["resume"])
    timer.start()
    hold(ctx)
    timer.join()
    assert ctx.folder.read_status()["state"] == "running"
    assert [event.text for _, event in ctx.folder.read_events() if isinstance(event, Message)] == [
        "Paused.",
        "Going on.",
    ]


def test_a_pause_may_end_before_the_work_begins(ctx: RunContext) -> None:
    with heeding(ctx):
        ctx.folder.ask("pause")
        until_state(ctx, "paused")
        ctx.folder.ask("resume")
        until_state(ctx, "queued")
    hold(ctx)
    ctx.check()


@pytest.mark.parametrize("word", ["stop", "stop_keep_best"])
def test_a_held_run_can_be_stopped(ctx: RunContext, word: str) -> None:
    with heeding(ctx):
        ctx.folder.ask("pause")
        until_state(ctx, "paused")
    ctx.folder.ask(word)
    with pytest.raises(Stopped):
        hold(ctx)


def test_a_held_run_keeps_what_was_learnt_before(ctx: RunContext) -> None:
    ctx.folder.checkpoint.mkdir()
    with heeding(ctx):
        ctx.folder.ask("pause")
        until_state(ctx, "paused")
    ctx.folder.ask("stop_keep_best")
    hold(ctx)
    with pytest.raises(Stopped) as caught:
        ctx.check()
    assert caught.value.keep_best


def test_loading_goes_its_way_where_nobody_wishes_anything(ctx: RunContext) -> None:
    with heeding(ctx):
        assert ctx.loading
    hold(ctx)
    assert not ctx.loading
    assert ctx.folder.read_status()["state"] == "queued"


def test_in_another_thread_nobody_is_interrupted(ctx: RunContext) -> None:
    names: list[str] = []

    def work() -> None:
        with heeding(ctx):
            names.extend(thread.name for thread in threading.enumerate())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert names and "wishes" not in names


def test_a_run_that_is_stopped_as_soon_as_it_is_queued(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    recipe = ROOT / "resources" / "sample" / "recipe-tiny.toml"
    command = [sys.executable, "-m", "core.cli", "run", str(recipe), "--out", str(folder.path)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while process.poll() is None and folder.read_status().get("state") != "queued":
        time.sleep(0.005)
    folder.ask("stop")
    said, errors = process.communicate(timeout=_PATIENCE_SECONDS)
    assert (process.returncode, said) == (130, "")
    assert "monoglot run --resume" in errors and "Traceback" not in errors
    assert (folder.read_status()["state"], folder.read_status()["pid"]) == ("stopped", process.pid)
    assert [event for _, event in folder.read_events()][-1] == Done(state="stopped")
    assert not folder.student.exists() and not folder.stages.exists() and not folder.running()
