"""The run folder: where a run's recipe, events, status, wishes and results live on disk."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any

from core import recipe as recipes
from core.errors import InputError, Stopped
from core.event_log import EventLog
from core.events import Done, Event, Message, Progress, State, from_record
from core.failures import Failure, failure_of
from core.free_space import MEGABYTE, RESERVE, SpaceWatch, require_space
from core.locking import try_lock
from core.recipe import Recipe
from core.sealing import settle, write_atomic, write_json
from core.status import Status, known_status

CONTROL_WORDS = ("pause", "resume", "stop", "stop_keep_best")
_CONTROL_SECONDS = 0.2
_STATUS_SECONDS = 0.5
_LOCK_TRIES = 3
_LOCK_SECONDS = 0.05
DETAILS = "tasks.json"
"""Beside the report of the stage that scores: where the scores come from, see `core.tasks.details`."""


@dataclass(frozen=True, slots=True)
class RunFolder:
    """The paths of one run."""

    path: Path

    @property
    def recipe(self) -> Path:
        """The recipe as run."""
        return self.path / "recipe.toml"

    @property
    def original_recipe(self) -> Path:
        """The recipe as given."""
        return self.path / "recipe.original.toml"

    @property
    def events(self) -> Path:
        """Every event, one JSON object a line."""
        return self.path / "events.jsonl"

    @property
    def status(self) -> Path:
        """Where the run stands."""
        return self.path / "status.json"

    @property
    def control(self) -> Path:
        """The user's wish: one of `CONTROL_WORDS`."""
        return self.path / "control"

    @property
    def lock(self) -> Path:
        """Held by the process that runs the run."""
        return self.path / "lock"

    @property
    def stages(self) -> Path:
        """One sealed folder a finished stage."""
        return self.path / "stages"

    @property
    def checkpoint(self) -> Path:
        """What resuming inside a stage needs."""
        return self.path / "checkpoint"

    @property
    def cache(self) -> Path:
        """Cleaned and tokenised text; can be remade."""
        return self.path / "cache"

    @property
    def results(self) -> Path:
        """The summary."""
        return self.path / "results.json"

    @property
    def estimate(self) -> Path:
        """What was known of its time and memory before it ran; not there where that was nothing."""
        return self.path / "estimate.json"

    @property
    def origin(self) -> Path:
        """What was read, in numbers."""
        return self.path / "origin.json"

    @property
    def report(self) -> Path:
        """The page."""
        return self.path / "report.html"

    @property
    def student(self) -> Path:
        """The finished model."""
        return self.path / "student"

    def create(self, original: str, needed_bytes: int = 100 * MEGABYTE) -> None:
        """Make the folder and keep the recipe as given.

        Raises:
            InputError: it exists and isn't empty, can't be written, or the disk is too full.
        """
        try:
            if self.path.exists() and (not self.path.is_dir() or any(self.path.iterdir())):
                hint = "Add --resume to go on with the run in it, or choose another folder with --out."
                raise InputError(f"{self.path} is not empty.", hint=hint)
            self.path.mkdir(parents=True, exist_ok=True)
            require_space(self.path, needed_bytes, "The run")
            write_atomic(self.original_recipe, original.encode())
        except OSError as error:
            raise InputError(
                f"The run folder {self.path} can't be written: {error.strerror}.", hint="Choose another with --out."
            ) from error

    def given_recipe(self) -> str:
        """The recipe as given, of a run to resume.

        Raises:
            InputError: there is no run here.
        """
        try:
            return self.original_recipe.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            raise InputError(f"There is no run in {self.path}.", hint="Check the folder given with --out.") from None

    def read_recipe(self) -> Recipe:
        """The recipe as run."""
        return recipes.load(self.recipe)

    def read_status(self) -> dict[str, Any]:
        """status.json, what is as it should be of it; empty where there is none yet."""
        with contextlib.suppress(OSError, ValueError, TypeError):
            return known_status(json.loads(self.status.read_text(encoding="utf-8")))
        return {}

    def read_results(self) -> dict[str, Any]:
        """results.json of a run that has one.

        Raises:
            InputError: there is none yet.
        """
        try:
            return dict(json.loads(self.results.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            raise InputError(f"{self.path} holds no results yet.", hint="Finish the run first: --resume.") from None

    def read_estimate(self) -> dict[str, Any]:
        """estimate.json; empty where there is none."""
        return _read_mapping(self.estimate)

    def read_origin(self) -> dict[str, Any]:
        """origin.json; empty where there is none."""
        return _read_mapping(self.origin)

    def read_stage(self, name: str, file: str = "report.json") -> dict[str, Any]:
        """The report, or another of its JSON files, of a stage that is done; empty where there is none."""
        found = (_read_mapping(path) for path in sorted(self.stages.glob(f"[0-9][0-9]-{name}/{file}")))
        return next((content for content in found if content), {})

    def read_details(self) -> dict[str, Any]:
        """tasks.json: by task, scores a label, confusion and the worst kept examples; empty where there is none."""
        return self.read_stage("evaluate", DETAILS)

    def read_events(self, holding: bytes = b"") -> Iterator[tuple[float, Event]]:
        """Every whole event so far with its time, in seconds of work; of lines that hold these bytes only."""
        if not self.events.exists():
            return
        # As bytes: a line that a full disk cut off may end inside a letter.
        with open(self.events, "rb") as file:
            for line in (line for line in file if holding in line):
                with contextlib.suppress(ValueError, KeyError, TypeError, AttributeError):
                    record = json.loads(line)
                    event = from_record(record)
                    if event is not None:
                        yield float(record["t"]), event

    def ask(self, word: str) -> None:
        """Write a wish to `control`: one of `CONTROL_WORDS`."""
        if word not in CONTROL_WORDS:
            raise ValueError(f"{word!r} is none of {CONTROL_WORDS}")
        write_atomic(self.control, word.encode())

    def running(self) -> bool:
        """Whether a process holds the run's lock now."""
        with contextlib.suppress(OSError), open(self.lock, "rb") as file:
            return not _try_lock(file)
        return False

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the run's lock; the system frees it however the process ends.

        What an earlier process was asked is forgotten, a wish that is younger than the lock is kept.

        Raises:
            InputError: another process holds it.
        """
        try:
            file = open(self.lock, "a+b")  # noqa: SIM115 (closed below, also on Windows before the folder can be moved)
        except OSError as error:
            raise InputError(
                f"The run folder {self.path} can't be written: {error.strerror}.", hint="Check it, or choose another."
            ) from error
        try:
            if not _lock_soon(file):
                raise InputError(
                    f"Another process runs {self.path}.", hint="Wait for it, or stop it first.", kind="busy"
                )
            file.truncate(0)
            file.write(json.dumps({"pid": os.getpid(), "started": time.time()}).encode())
            file.flush()
            with contextlib.suppress(FileNotFoundError):
                if self.control.stat().st_mtime_ns < os.fstat(file.fileno()).st_mtime_ns:
                    self.control.unlink()
            yield
        finally:
            file.close()


def _read_mapping(path: Path) -> dict[str, Any]:
    """A file's JSON object; empty where there is none, or it is broken."""
    with contextlib.suppress(OSError, ValueError, TypeError):
        return dict(json.loads(path.read_text(encoding="utf-8")))
    return {}


def _lock_soon(file: IO[bytes]) -> bool:
    """Lock, though somebody may be looking just now whether the run is running (see `RunFolder.running`)."""
    for _ in range(_LOCK_TRIES):
        if _try_lock(file):
            return True
        time.sleep(_LOCK_SECONDS)
    return _try_lock(file)


def _try_lock(file: IO[bytes]) -> bool:
    """Lock without waiting; where there are no locks, as if another process held it."""
    try:
        return try_lock(file)
    except OSError:
        return False


class RunContext:
    """The context of a run with a folder: events and status go to disk, wishes come from `control`."""

    def __init__(self, folder: RunFolder, on_event: Callable[[Event], None] | None = None) -> None:
        """`on_event(event)` also gets every event, for a terminal's progress."""
        self.folder = folder
        self.stop_signal = False
        self.loading = False
        """Whether nothing has begun yet, so that the run can end at any point."""
        self._log = EventLog(folder.events)
        self._listen = on_event or (lambda event: None)
        self._work_before = 0.0
        self._started = time.monotonic()
        self._paused = 0.0
        self._asked = 0.0
        self._reported = 0.0
        self._stage_start: tuple[float, int] | None = None
        self._stopped: Stopped | None = None
        self._over = False
        self.space = SpaceWatch(folder.path)
        """Whether the disk has room for what is written next."""
        self.status = Status(state="running", pid=os.getpid())
        """As it was last written."""

    def resume_at(self, events_length: int, seconds: float) -> None:
        """Take up a run whose last safe point was at this length of the log, after these seconds of work."""
        self._log.cut(events_length)
        self._work_before = seconds
        self._started = time.monotonic()

    def mark(self) -> dict[str, Any]:
        """What `resume_at` needs to come back to now."""
        return {"events_length": self._log.flush(), "seconds": self.seconds}

    @property
    def seconds(self) -> float:
        """Seconds of work since the run's start, pauses left out, over all resumes."""
        return self._work_before + time.monotonic() - self._started - self._paused

    def emit(self, event: Event) -> None:
        """Record an event."""
        self._over = self._over or isinstance(event, Done)
        self._in_room(lambda: self._log.append(event, self.seconds))
        self._listen(event)

    def begin(self, stage: str) -> None:
        """The stage that progress is about from now on."""
        self._stage_start = None
        self.set_status(replace(self.status, state="running", stage=stage, done=0, total=0, eta_seconds=None))

    def progress(self, done: int, total: int) -> None:
        """Report how far the stage is; written at most twice a second. The ETA is from this process's own pace."""
        now = time.monotonic() - self._paused
        if self._stage_start is None or done < self._stage_start[1]:
            self._stage_start = (now, done)
        if now - self._reported < _STATUS_SECONDS and done < total:
            return
        self._reported = now
        since, first = self._stage_start
        eta = (now - since) / (done - first) * (total - done) if done > first else None
        eta = None if eta is None else round(eta, 1)
        self.set_status(replace(self.status, done=done, total=total, eta_seconds=eta))
        self.emit(Progress(stage=self.status.stage, done=done, total=total, eta_seconds=eta))

    def check(self) -> None:
        """Honour the user's wish, if there is one; wait where the disk is nearly full.

        Raises:
            Stopped: the wish is to stop.
        """
        now = time.monotonic()
        if self.stop_signal:
            self._obey("stop")
        if now - self._asked < _CONTROL_SECONDS:
            return
        self._asked = now
        word = self.take_wish()
        if word == "pause":
            word = self.wait()
        self._obey(word)
        self._obey(self._wait_for_space(self.space.lack(self.status.stage)))

    def make_room(self) -> None:
        """Before something large is written: wait where the disk lacks room for it.

        Raises:
            Stopped: the user wants the run to stop, and there is no room to write before that.
        """
        lack = self.space.lack(self.status.stage, now=True)
        if lack is not None and self._stopped is not None:
            text = "There is no room to keep the last steps: they are done again when the run goes on."
            self.emit(Message(level="info", text=text))
            raise Stopped(keep_best=self._stopped.keep_best)
        self._obey(self._wait_for_space(lack))

    def _obey(self, word: str) -> None:
        if word in ("stop", "stop_keep_best"):
            self._stopped = Stopped(keep_best=word == "stop_keep_best")
            raise self._stopped

    def _wait_for_space(self, lack: Failure | None, least: int = 0) -> str:
        """Stay paused until there is room, or the user wants something else; returns that wish."""
        if lack is None:
            return ""
        word = self.wait(lack, lambda: self.space.lack(self.status.stage, now=True, least=least) is None)
        if word == "resume":
            self.space.insist()
        return word

    def _in_room(self, write: Callable[[], None]) -> None:
        """Write something small; where others have filled the disk between two looks, wait for room and write then."""
        while True:
            try:
                return write()
            except OSError as error:
                lack = self.space.lack(self.status.stage, now=True, least=RESERVE)
                ends = self._over or self._stopped is not None
                if ends or lack is None or failure_of(error).kind != "disk_full":
                    raise
            self._obey(self._wait_for_space(lack, RESERVE))

    def wait(self, reason: Failure | None = None, over: Callable[[], bool] = lambda: False) -> str:
        """Stay paused until another wish; returns it.

        Args:
            reason: why the run waits by itself; None: the user wants it to.
            over: whether it may go on by itself; asked until the user wants it to be paused.
        """
        start = time.monotonic()
        text = f"{reason.what_happened} {reason.next_step}" if reason is not None else "Paused."
        with contextlib.suppress(OSError):  # there may be no room even for this
            self._log.append(Message(level="info", text=text), self.seconds)
        self._listen(Message(level="info", text=text))
        self._pause(reason)
        word = ""
        while word not in ("resume", "stop", "stop_keep_best"):
            time.sleep(_CONTROL_SECONDS / 2)
            word = "stop" if self.stop_signal else self.take_wish()
            if word == "pause" and reason is not None:
                reason = None
                self._pause(None)
            if not word and reason is not None and over():
                break
        self._paused += time.monotonic() - start
        if word in ("", "resume"):
            self.set_status(replace(self.status, state="running", error=None, hint=None, kind=None))
            self.emit(Message(level="info", text="Going on."))
        return word

    def _pause(self, reason: Failure | None) -> None:
        kind, error, hint = (reason.kind, reason.what_happened, reason.next_step) if reason else (None, None, None)
        self.status = replace(self.status, state="paused", error=error, hint=hint, kind=kind)
        with contextlib.suppress(OSError):
            self._write_status()

    def take_wish(self) -> str:
        """The user's wish, which is then no longer in `control`; empty where there is none."""
        # Moved away first: a wish that is written between reading and deleting would be lost.
        taken = self.folder.path / ".control.taken"
        try:
            os.replace(self.folder.control, taken)
            return taken.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError):
            return ""
        finally:
            taken.unlink(missing_ok=True)

    def finish(
        self,
        state: State,
        error: str | None = None,
        hint: str | None = None,
        kind: str | None = None,
        safe: str | None = None,
    ) -> None:
        """Write how the process ended: its state, and of a failure what `Status` has to tell."""
        self._over = True
        ended = replace(self.status, state=state, eta_seconds=None, error=error, hint=hint, kind=kind, safe=safe)
        self.set_status(ended)
        self._log.close()

    def set_status(self, status: Status) -> None:
        """Write status.json."""
        self.status = status
        self._in_room(self._write_status)

    def _write_status(self) -> None:
        status = {name: getattr(self.status, name) for name in Status.__dataclass_fields__}
        write_json(self.folder.status, status)


def settle_folder(folder: RunFolder) -> None:
    """Clear what a killed process left half-written."""
    settle(folder.checkpoint)
    if folder.stages.exists():
        names = {
            path.name.removeprefix(".").removesuffix(".new").removesuffix(".old") for path in folder.stages.iterdir()
        }
        for name in sorted(names):
            settle(folder.stages / name)
    for leftover in folder.path.glob(".*.new"):
        if leftover.is_file():
            leftover.unlink()
