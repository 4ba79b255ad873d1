"""Processes that are told to end: as Ctrl-C ends them, which clears what is half made."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from typing import Any


def as_interrupt(number: int, frame: Any) -> None:
    """A signal's handler: end as on Ctrl-C; asking again doesn't interrupt what that clears."""
    for name in _signals():
        signal.signal(name, signal.SIG_IGN)
    raise KeyboardInterrupt


@contextlib.contextmanager
def ending_as_interrupted() -> Iterator[None]:
    """Work that SIGTERM and a hang-up end as Ctrl-C does; signals reach the main thread only."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {name: signal.signal(name, as_interrupt) for name in _signals()}
    try:
        yield
    finally:
        for name, handler in before.items():
            signal.signal(name, handler)


def _signals() -> list[signal.Signals]:
    hang_up: signal.Signals | None = getattr(signal, "SIGHUP", None)
    # Under nohup it is ignored, and stays so.
    heard = hang_up is not None and signal.getsignal(hang_up) != signal.SIG_IGN
    return [signal.SIGTERM, hang_up] if hang_up is not None and heard else [signal.SIGTERM]
