"""Short jobs in a child process: what needs torch, or reads files that may be long, never runs in the window's own."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from PySide6.QtCore import QDeadlineTimer, QObject, QProcess, QProcessEnvironment, Signal

import core
from core.errors import Fault

_CANCEL_MILLISECONDS = 2000


class Job(QObject):
    """One job of `core.jobs`; deletes itself when it has ended."""

    progress = Signal(object, object)
    """Units done, units in all."""
    done = Signal(object)
    """What the job found: a dict."""
    failed = Signal(object)
    """What is wrong: a tuple of `Fault`."""

    def __init__(self, name: str, arguments: Mapping[str, Any], parent: QObject) -> None:
        """`name` and `arguments` are those of `core.jobs`."""
        super().__init__(parent)
        self._request = json.dumps({"job": name, **arguments}).encode("ascii")
        self._cancelled = False
        self._deadline = QDeadlineTimer(QDeadlineTimer.ForeverConstant.Forever)
        self._outcome: dict[str, Any] = {}
        self._process = QProcess(self)
        environment = QProcessEnvironment.systemEnvironment()
        environment.insert("PYTHONUTF8", "1")
        self._process.setProcessEnvironment(environment)
        self._process.setWorkingDirectory(str(Path(core.__file__).parent.parent))
        self._process.started.connect(self._hand_over)
        self._process.readyReadStandardOutput.connect(self._read)
        self._process.finished.connect(self._finished)
        self._process.errorOccurred.connect(self._broken)

    def start(self) -> None:
        """Begin."""
        self._process.start(sys.executable, ["-m", "core.jobs"])

    def cancel(self) -> None:
        """End it soon; nothing more is told."""
        former, self._cancelled = self._cancelled, True
        if former or not self._running:
            return
        # The job cleans up after itself; a job that can't is ended by the process's end.
        self._process.terminate()
        self._deadline.setRemainingTime(_CANCEL_MILLISECONDS)
        self.startTimer(_CANCEL_MILLISECONDS)

    def end(self) -> None:
        """End it and wait until it has ended, for the window closes; nothing more is told."""
        self.cancel()
        if self._running and not self._process.waitForFinished(max(0, self._deadline.remainingTime())):
            self._process.kill()
            self._process.waitForFinished(_CANCEL_MILLISECONDS)

    def timerEvent(self, event: object) -> None:
        """The job didn't end by itself."""
        self._process.kill()

    @property
    def _running(self) -> bool:
        return self._process.state() != QProcess.ProcessState.NotRunning

    def _hand_over(self) -> None:
        # Not as an argument, which may be no longer than 128 KiB (32 Ki characters on Windows).
        self._process.write(self._request)
        self._process.closeWriteChannel()

    def _read(self) -> None:
        while self._process.canReadLine():
            line = bytes(self._process.readLine().data())
            try:
                record = json.loads(line)
            except ValueError:
                continue  # a library's chatter
            if not isinstance(record, dict) or self._cancelled:
                continue
            if "progress" in record:
                self.progress.emit(*record["progress"])
            else:
                self._outcome = record

    def _finished(self) -> None:
        self._read()
        if not self._cancelled:
            if "done" in self._outcome:
                self.done.emit(self._outcome["done"])
            else:
                self.failed.emit(self._faults())
        self.deleteLater()

    def _broken(self, error: QProcess.ProcessError) -> None:
        if error == QProcess.ProcessError.FailedToStart:
            self._finished()

    def _faults(self) -> tuple[Fault, ...]:
        if "faults" in self._outcome:
            return tuple(Fault(**fault) for fault in self._outcome["faults"])
        problem = self.tr("This step ended without an answer.")
        hint = self.tr("Try it again; if it happens again, the machine may be short of memory.")
        return (Fault(problem, hint),)
