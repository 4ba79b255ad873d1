"""A job that is asked again and again while the user changes things: only the latest answer counts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from PySide6.QtCore import QObject, QTimer, Signal

from gui.jobs import Job

_WAIT_MILLISECONDS = 350


class LatestJob(QObject):
    """Waits until the questions pause, then asks the last of them."""

    started = Signal()
    progress = Signal(object, object)
    """Units done, units in all: whole numbers that may be too large for Qt's own."""
    done = Signal(object)
    """What the job found."""
    failed = Signal(object)
    """What is wrong: a tuple of `Fault`."""

    def __init__(self, name: str, parent: QObject, wait: int = _WAIT_MILLISECONDS) -> None:
        """`name` is that of a job of `core.jobs`; questions pause when none has come for `wait` milliseconds."""
        super().__init__(parent)
        self._name = name
        self._asked: Mapping[str, Any] | None = None
        self._job: Job | None = None
        self._timer = QTimer(self, singleShot=True, interval=wait)
        self._timer.timeout.connect(self._start)

    @property
    def busy(self) -> bool:
        """Whether an answer is still to come."""
        return self._job is not None or self._timer.isActive()

    def ask(self, arguments: Mapping[str, Any], *, again: bool = False) -> bool:
        """Ask, if it isn't what was asked last or `again` is said; returns whether."""
        if arguments == self._asked and not again:
            return False
        self.forget()
        self._asked = arguments
        self._timer.start()
        return True

    def forget(self) -> None:
        """Let the question go."""
        self._asked = None
        self._timer.stop()
        if self._job is not None:
            self._job.cancel()
            self._job = None

    def leave_to(self, heir: QObject) -> None:
        """Let the question go for good; a process that takes a while to end does so with `heir`."""
        self.forget()
        for job in self.findChildren(Job):
            job.setParent(heir)

    def _start(self) -> None:
        assert self._asked is not None
        self._job = Job(self._name, self._asked, self)
        self._job.progress.connect(self._on_progress)
        self._job.done.connect(self._on_done)
        self._job.failed.connect(self._on_failed)
        self._job.start()
        self.started.emit()

    def _on_progress(self, done: int, total: int) -> None:
        self.progress.emit(done, total)

    def _on_done(self, result: object) -> None:
        self._job = None
        self.done.emit(result)

    def _on_failed(self, faults: object) -> None:
        self._job = None
        self.failed.emit(faults)
