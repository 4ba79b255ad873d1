"""The user's wishes while torch is imported, which takes seconds and asks nobody whether to go on."""

from __future__ import annotations

import _thread
import contextlib
import threading
from collections.abc import Iterator
from dataclasses import replace

from core.errors import Stopped
from core.run import RunFolder
from core.run_context import RunContext

_LOOK_SECONDS = 0.1


@contextlib.contextmanager
def heeding(ctx: RunContext) -> Iterator[None]:
    """Honour wishes while the body runs: stopping ends it where it is, pausing is for `hold` and only shown so far.

    Works in the main thread, the one that can be interrupted; in another the first `check` must do.

    Raises:
        Stopped: the user wants the run to end.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    over = threading.Event()

    def look() -> None:
        while not over.wait(_LOOK_SECONDS):
            with contextlib.suppress(OSError):
                if _is_to_end(ctx):
                    _thread.interrupt_main()  # what Ctrl-C does too, on every system
                    return

    thread = threading.Thread(target=look, name="wishes", daemon=True)
    ctx.loading = True
    try:
        thread.start()
        try:
            yield
        finally:
            ctx.loading = False
    except KeyboardInterrupt:
        raise Stopped from None
    finally:
        over.set()
        thread.join()


def hold(ctx: RunContext) -> None:
    """Wait where the user has paused the run while it was loading.

    Raises:
        Stopped: the wish is to stop.
    """
    if ctx.status.state != "paused":
        return
    word = ctx.wait()
    if word == "stop_keep_best" and _has_something(ctx.folder):
        ctx.folder.ask(word)  # for the first `check` that has the student at hand
    elif word != "resume":
        raise Stopped


def _is_to_end(ctx: RunContext) -> bool:
    """Take up a wish; whether it is to end the run now."""
    try:
        word = ctx.folder.control.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return False
    if word == "stop_keep_best" and _has_something(ctx.folder):
        return False  # keeping takes torch: left for the first `check` that has the student at hand
    word = ctx.take_wish()
    if word == "pause":
        ctx.set_status(replace(ctx.status, state="paused"))
    elif word == "resume":
        ctx.set_status(replace(ctx.status, state="queued"))
    return word in ("stop", "stop_keep_best")


def _has_something(folder: RunFolder) -> bool:
    """Whether an earlier process of this run has made something that can be kept."""
    return folder.stages.exists() or folder.checkpoint.exists()
