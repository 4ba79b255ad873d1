"""The background thread: starts runs as processes of their own, and turns the lines of a run's folder into signals."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from PySide6.QtCore import QObject, QTimer, Signal, Slot

from core.errors import Fault
from core.fault_log import log_own_fault
from core.run import RunFolder
from gui.child import Child, Launch
from gui.log_reader import LogReader

Phase = Literal["none", "starting", "queued", "running", "paused", "stopped", "failed", "finished", "lost"]
LIVE: tuple[Phase, ...] = ("starting", "queued", "running", "paused")

_POLL_MILLISECONDS = 100
_STATUS_SECONDS = 0.3
_SOON_MILLISECONDS = 20
_MOST_EVENTS = 1000
"""In one signal: a long log arrives in several, so that the window breathes between them."""
_REFUSED = 2
_ASK_AGAIN_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Seen:
    """What a folder says of its run at one moment."""

    folder: Path | None
    phase: Phase
    status: dict[str, Any]
    faults: tuple[Fault, ...] = ()
    """Why a process ended before it had a folder, or refused to resume."""


class RunFollower(QObject):
    """Lives in a thread of its own; touches no widget. What is asked of it comes through queued connections."""

    seen = Signal(object)
    """`Seen`, when it changed."""
    batch = Signal(object)
    """Events with their times, in order: a tuple of (seconds of work, event)."""
    restarted = Signal()
    """The log was cut back: what was told of it before no longer holds."""
    finished = Signal()
    """`end` was heeded: nothing more is told."""

    def __init__(self) -> None:
        super().__init__()
        self._folder: RunFolder | None = None
        self._log = LogReader()
        self._children: list[Child] = []
        """Every process that was started here and hasn't ended, whichever run is looked at."""
        self._verdict: Seen | None = None
        """How a process ended that left nothing in the folder to tell it by."""
        self._wish = ""
        self._asked = 0.0
        self._interrupted = False
        """Whether the run was asked to stop in the way that needs no room on the disk: twice would cut it off."""
        self._looked = 0.0
        self._last: Seen | None = None
        self._timer: QTimer | None = None

    @Slot()
    def begin(self) -> None:
        """Start to look; runs in the follower's own thread."""
        self._timer = QTimer(self)
        self._timer.setInterval(_POLL_MILLISECONDS)
        self._timer.timeout.connect(self._poll)
        self._timer.start()

    @Slot()
    def end(self) -> None:
        """Look no more. A run that is going on goes on, unless it was just asked to stop."""
        if self._timer is not None:
            self._timer.stop()
        if self._wish.startswith("stop"):
            self._write_wish()
        for child in self._children:
            child.leave()
        self.finished.emit()

    @Slot(object)
    def follow(self, path: Path | None) -> None:
        """Tell of the run in this folder from its beginning; None: of no run."""
        self._folder = RunFolder(path) if path is not None else None
        self._log = LogReader()
        self._wish, self._last, self._looked, self._verdict = "", None, 0.0, None
        self.restarted.emit()
        self._poll()

    @Slot(object)
    def launch(self, launch: Launch) -> None:
        """Start a run, and follow it."""
        fault: Fault | None = None
        try:
            self._children.append(Child(launch))
        except OSError as error:
            fault = Fault(f"The run can't be started: {error.strerror or error}.", "Make room on the disk, try again.")
        except Exception:
            fault = log_own_fault()
        self.follow(launch.folder)
        if fault is not None:
            self._verdict = Seen(launch.folder, "failed", {}, (fault,))
            self._tell(self._verdict)

    @Slot(str)
    def ask(self, word: str) -> None:
        """Write a wish, and write it again until it is heeded: a run that is just beginning may not hear the first."""
        self._wish = word
        self._asked, self._interrupted = 0.0, False
        self._press()

    def _poll(self) -> None:
        """One look at the folder."""
        self._reap()
        if self._folder is None:
            return
        now = time.monotonic()
        if now - self._looked >= _STATUS_SECONDS:
            self._looked = now
            try:
                self._tell(self._look(self._folder))
            except OSError:  # a folder that can't be read any more
                self._tell(Seen(self._folder.path, "none", {}))
            self._press()
        cut, events = self._log.read(self._folder.events, _MOST_EVENTS)
        if cut:
            self.restarted.emit()
        if events:
            self.batch.emit(tuple(events))
        if len(events) == _MOST_EVENTS:
            QTimer.singleShot(_SOON_MILLISECONDS, self._poll)

    def _reap(self) -> None:
        """Let go of processes that have ended and that nobody looks at."""
        shown = self._child_of(self._folder) if self._folder is not None else None
        for child in [child for child in self._children if child is not shown and child.ended() is not None]:
            self._children.remove(child)
            child.tidy()

    def _tell(self, seen: Seen) -> None:
        if seen == self._last:
            return
        self._last = seen
        self.seen.emit(seen)

    def _child_of(self, folder: RunFolder) -> Child | None:
        """The last one: the one before it may have let go of the run and not be gone yet."""
        return next((child for child in reversed(self._children) if child.folder == folder.path), None)

    def _look(self, folder: RunFolder) -> Seen:
        """What holds now: what status.json says, held against whether anybody runs the run."""
        child = self._child_of(folder)
        code = child.ended() if child is not None else None
        if child is not None and code is not None:
            return self._after_the_child(folder, child, code)
        status = folder.read_status()
        phase: Phase = status.get("state", "none")
        if folder.running():
            self._verdict = None
            if child is not None:
                child.has_run = True
            # Until the process that holds the lock has said so itself, the status is an earlier one's.
            return Seen(folder.path, phase if phase in LIVE else "starting", status)
        if child is not None and not child.has_run:
            return Seen(folder.path, "starting", {})
        if self._verdict is not None:
            return self._verdict
        if phase in LIVE and child is None:
            # Nobody runs it, yet it said so: killed, unless it ended between the two looks.
            status = folder.read_status()
            phase = status.get("state", "none")
            return Seen(folder.path, "lost" if phase in LIVE else phase, status)
        if phase == "none" and folder.original_recipe.exists():
            return Seen(folder.path, "lost", status)
        return Seen(folder.path, phase, status)

    def _after_the_child(self, folder: RunFolder, child: Child, code: int) -> Seen:
        """The child has ended: by what its folder says, or, where it never got one, by what it printed."""
        self._children.remove(child)
        status = folder.read_status()
        phase: Phase = status.get("state", "none")
        faults = child.complaints() if code else ()
        child.tidy()
        if phase in LIVE or (phase == "none" and folder.original_recipe.exists()):
            return Seen(folder.path, "lost", status)
        # A refusal to begin, or to resume, leaves the folder as it was, as does a death before there is one.
        died = phase == "none" and code != 0 and not self._wish.startswith("stop")
        earlier = phase != "failed" or (status.get("pid") != child.pid and faults)  # the status isn't this process's
        if (code == _REFUSED and earlier) or died:
            self._verdict = Seen(folder.path, "failed", status, faults)
            return self._verdict
        return Seen(folder.path, phase, status)

    def _press(self) -> None:
        """Write the wish where it isn't heeded yet."""
        if not self._wish or self._last is None:
            return
        phase = self._last.phase
        if phase not in LIVE or (self._wish, phase) in (("pause", "paused"), ("resume", "running")):
            self._wish = ""
            return
        now = time.monotonic()
        if now - self._asked >= _ASK_AGAIN_SECONDS:
            self._asked = now
            self._write_wish()

    def _write_wish(self) -> None:
        """Into the folder, where a process runs the run; one that is still checking its input can only be ended."""
        if self._folder is None:
            return
        child = self._child_of(self._folder)
        stops = self._wish.startswith("stop")
        try:
            if self._folder.running():
                self._folder.ask(self._wish)
            elif child is not None and not child.has_run and stops:
                child.terminate()
        except OSError:  # a full disk, say: it is asked again, but for a stop, which must be heeded
            if stops and not self._interrupted:
                self._interrupted = True
                self._folder.interrupt()
