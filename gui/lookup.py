"""Small questions answered off the window's thread: what takes tens of milliseconds, but no process of its own."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache
from typing import Any

from PySide6.QtCore import QObject, QTimer, Signal

_POLL_MILLISECONDS = 10


@cache
def _threads() -> ThreadPoolExecutor:
    # One: what is looked up shares caches, which two threads would fill twice.
    return ThreadPoolExecutor(max_workers=1, thread_name_prefix="lookup")


@cache
def _slow_threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(max_workers=1, thread_name_prefix="slow-lookup")


class Lookup(QObject):
    """Asks one question at a time; asking again makes the former answer void."""

    found = Signal(object)
    """What the latest question's function gave."""

    def __init__(self, parent: QObject, *, slow: bool = False) -> None:
        """`slow`: an answer may take seconds, for which no quick question should have to wait."""
        super().__init__(parent)
        self._threads = _slow_threads if slow else _threads
        self._future: Future[Any] | None = None
        # Looked at from here: a thread that emits a signal could meet an object that is gone.
        self._timer = QTimer(self, interval=_POLL_MILLISECONDS)
        self._timer.timeout.connect(self._look)

    def ask(self, question: Callable[[], Any]) -> None:
        """Have a function called in another thread; it touches nothing of Qt's."""
        self.forget()
        self._future = self._threads().submit(question)
        self._timer.start()

    def forget(self) -> None:
        """Let the answer go."""
        if self._future is not None:
            self._future.cancel()
        self._future = None
        self._timer.stop()

    def _look(self) -> None:
        if self._future is not None and self._future.done():
            future, self._future = self._future, None
            self._timer.stop()
            self.found.emit(future.result())
