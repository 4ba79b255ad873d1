"""The background thread: starts the run as a child process, then turns the lines of its folder into signals.

The child is the command that a person would type, detached: the window can't stall it, and can't take it down.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Literal

from PySide6.QtCore import QObject, QTimer, Signal, Slot

import core
from core.errors import Fault
from core.events import Event, from_record
from core.run import RunFolder
from core.sealing import write_atomic

Phase = Literal["none", "starting", "queued", "running", "paused", "stopped", "failed", "finished", "lost"]
LIVE: tuple[Phase, ...] = ("starting", "queued", "running", "paused")

_POLL_MILLISECONDS = 100
_STATUS_SECONDS = 0.3
_SOON_MILLISECONDS = 20
_MOST_EVENTS = 1000
"""In one signal: a long log arrives in several, so that the window breathes between them."""
_REFUSED = 2
_ASK_AGAIN_SECONDS = 1.0
_LOWER_PRIORITY = 5


@dataclass(frozen=True, slots=True)
class Launch:
    """A run to start: `monoglot WORDS… --out FOLDER`."""

    words: tuple[str, ...]
    folder: Path
    recipe: str | None = None
    """A recipe's text, which goes after the first word; its paths are absolute."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What a folder says of its run at one moment."""

    folder: Path | None
    phase: Phase
    status: dict[str, Any]
    faults: tuple[Fault, ...] = ()
    """Why a child ended before it had a folder."""


class RunFollower(QObject):
    """Lives in a thread of its own; touches no widget. The wishes are called through queued connections."""

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
        self._child: subprocess.Popen[bytes] | None = None
        self._has_run = False
        """Whether the child has held the run's lock."""
        self._former: list[subprocess.Popen[bytes]] = []
        """Children that go on while another run is looked at."""
        self._scratch: tuple[Path, ...] = ()
        """What was written beside the folder for the child's start."""
        self._wish = ""
        self._asked = 0.0
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
        """Look no more. A run that is going on goes on."""
        if self._timer is not None:
            self._timer.stop()
        if self._wish.startswith("stop"):
            self._stop_unborn()
        self._let_go()
        for child in self._former:
            child.returncode = 0  # it goes on by itself: no warning that nobody waits for it
        self.finished.emit()

    @Slot(object)
    def follow(self, path: Path | None) -> None:
        """Tell of the run in this folder from its beginning; None: of no run."""
        self._folder = RunFolder(path) if path is not None else None
        self._log = LogReader()
        self._wish, self._last, self._looked = "", None, 0.0
        self.restarted.emit()
        self._poll()

    @Slot(object)
    def launch(self, launch: Launch) -> None:
        """Start a run, and follow it."""
        self._let_go()
        self._has_run = False
        path = launch.folder
        errors, recipe = (path.parent / f".{path.name}.start{suffix}" for suffix in (".log", ".toml"))
        self._scratch = (errors, recipe)
        words = list(launch.words)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            if launch.recipe is not None:
                write_atomic(recipe, launch.recipe.encode())
                words.insert(1, str(recipe))
            with open(errors, "wb") as file:
                self._child = _detached([sys.executable, "-m", "core.cli", *words, "--out", str(path)], file)
        except OSError as error:
            fault = Fault(f"The run can't be started: {error.strerror or error}.", "Choose another folder for it.")
            self._folder = RunFolder(path)
            self._tell(Seen(path, "failed", {}, (fault,)))
            return
        self.follow(path)

    @Slot(str)
    def ask(self, word: str) -> None:
        """Write a wish, and write it again until it is heeded: a run that is just beginning may not hear the first."""
        self._wish = word
        self._asked = 0.0
        self._press()

    def _poll(self) -> None:
        """One look at the folder."""
        if self._folder is None:
            return
        self._former = [child for child in self._former if child.poll() is None]
        now = time.monotonic()
        if now - self._looked >= _STATUS_SECONDS:
            self._looked = now
            self._tell(self._look(self._folder))
            self._press()
        cut, events = self._log.read(self._folder.events, _MOST_EVENTS)
        if cut:
            self.restarted.emit()
        if events:
            self.batch.emit(tuple(events))
        if len(events) == _MOST_EVENTS:
            QTimer.singleShot(_SOON_MILLISECONDS, self._poll)

    def _tell(self, seen: Seen) -> None:
        if seen == self._last:
            return
        self._last = seen
        self.seen.emit(seen)

    def _look(self, folder: RunFolder) -> Seen:
        """What holds now: what status.json says, held against whether anybody runs the run."""
        code = self._child.poll() if self._child is not None else None
        if code is not None:
            return self._after_the_child(folder, code)
        status = folder.read_status()
        phase: Phase = status.get("state", "none")
        if folder.running():
            self._has_run = True
            # Until the process that holds the lock has said so itself, the status is an earlier one's.
            return Seen(folder.path, phase if phase in LIVE else "starting", status)
        if self._child is not None and not self._has_run:
            return Seen(folder.path, "starting", {})
        if phase in LIVE and self._child is None:
            # Nobody runs it, yet it said so: killed, unless it ended between the two looks.
            status = folder.read_status()
            phase = status.get("state", "none")
            return Seen(folder.path, "lost" if phase in LIVE else phase, status)
        if phase == "none" and folder.original_recipe.exists():
            return Seen(folder.path, "lost", status)
        return Seen(folder.path, phase, status)

    def _after_the_child(self, folder: RunFolder, code: int) -> Seen:
        """The child has ended: by what its folder says, or, where it never got one, by what it printed."""
        self._child = None
        status = folder.read_status()
        phase: Phase = status.get("state", "none")
        faults = _complaints(self._scratch) if code else ()
        self._tidy()
        if phase in LIVE or (phase == "none" and folder.original_recipe.exists()):
            return Seen(folder.path, "lost", status)
        # A refusal to begin, or to resume, leaves the folder as it was; the refusal is the news.
        if code == _REFUSED and phase != "failed":
            phase = "failed"
        return Seen(folder.path, phase, status, faults)

    def _press(self) -> None:
        """Write the wish where it isn't heeded yet."""
        if not self._wish or self._folder is None or self._last is None:
            return
        phase = self._last.phase
        if phase not in LIVE or (self._wish, phase) in (("pause", "paused"), ("resume", "running")):
            self._wish = ""
            return
        now = time.monotonic()
        if now - self._asked < _ASK_AGAIN_SECONDS:
            return
        if phase == "starting":
            if self._wish.startswith("stop"):
                self._stop_unborn()
            return
        self._asked = now
        with contextlib.suppress(OSError):  # a full disk, say: it is asked again
            self._folder.ask(self._wish)

    def _stop_unborn(self) -> None:
        """End a child that is still checking its input, or fetching it: it has made nothing, and reads no wishes."""
        if self._child is not None and self._folder is not None and not self._folder.running():
            self._child.terminate()

    def _let_go(self) -> None:
        """Leave the child to itself."""
        if self._child is not None:
            self._former.append(self._child)
            self._child = None
        self._tidy()

    def _tidy(self) -> None:
        for path in self._scratch:
            with contextlib.suppress(OSError):
                path.unlink()
        self._scratch = ()


class LogReader:
    """Reads what was appended to events.jsonl since the last look, and notices when the log was cut back."""

    def __init__(self) -> None:
        self._offset = 0
        self._tail = b""
        """The last line read: after a cut something else stands in its place."""

    def read(self, path: Path, most: int) -> tuple[bool, list[tuple[float, Event]]]:
        """Whether the log was cut back, and the next whole events (after a cut: from the beginning)."""
        try:
            with open(path, "rb") as file:
                cut = self._cut(file)
                if cut:
                    self._offset, self._tail = 0, b""
                file.seek(self._offset)
                return cut, self._lines(file, most)
        except OSError:
            return False, []

    def _cut(self, file: IO[bytes]) -> bool:
        if not self._tail:
            return False
        file.seek(self._offset - len(self._tail))
        return file.read(len(self._tail)) != self._tail

    def _lines(self, file: IO[bytes], most: int) -> list[tuple[float, Event]]:
        events: list[tuple[float, Event]] = []
        while len(events) < most:
            line = file.readline()
            if not line.endswith(b"\n"):
                break
            self._offset += len(line)
            self._tail = line
            with contextlib.suppress(ValueError, KeyError, TypeError, AttributeError):
                record = json.loads(line)
                event = from_record(record)
                if event is not None:
                    events.append((float(record["t"]), event))
        return events


def _detached(command: Sequence[str], errors: IO[bytes]) -> subprocess.Popen[bytes]:
    """Start a process that outlives this one, and that leaves the machine usable: at a lower priority."""
    options: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": errors}
    options["cwd"] = Path(core.__file__).parent.parent
    options["env"] = {**os.environ, "PYTHONUTF8": "1"}
    if sys.platform == "win32":
        flags = subprocess.DETACHED_PROCESS | subprocess.CREATE_NEW_PROCESS_GROUP
        return subprocess.Popen(command, creationflags=flags | subprocess.BELOW_NORMAL_PRIORITY_CLASS, **options)
    child = subprocess.Popen(command, start_new_session=True, **options)
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, child.pid, _LOWER_PRIORITY)
    return child


def _complaints(scratch: Sequence[Path]) -> tuple[Fault, ...]:
    """What a child that refused its input said of it: its lines "error: …" and "hint: …"."""
    lines: list[str] = []
    for path in scratch[:1]:
        with contextlib.suppress(OSError):
            lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    faults: list[Fault] = []
    for line in lines:
        word, _, text = line.partition(": ")
        if word == "error":
            faults.append(Fault(text, ""))
        elif word == "hint" and faults:
            faults[-1] = Fault(faults[-1].problem, text)
    return tuple(faults)
