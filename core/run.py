"""The run folder: where a run's recipe, events, status, wishes and results live on disk."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any

from core import recipe as recipes
from core.errors import InputError, Stopped
from core.event_log import EventLog, from_line, lines_of
from core.events import Done, Event, Message, Progress, State
from core.failures import Failure, is_full
from core.free_space import MEGABYTE, RESERVE, SpaceWatch, require_space
from core.locking import try_lock
from core.recipe import Recipe
from core.run_manifest import RunManifest
from core.sealing import settle, write_atomic, write_json
from core.secrets import without_secrets
from core.small_files import open_file, read_object, read_text
from core.status import Status, known_status

CONTROL_WORDS = ("pause", "resume", "stop", "stop_keep_best")
_CONTROL_SECONDS = 0.2
_STATUS_SECONDS = 0.5
_LOCK_TRIES = 3
_LOCK_SECONDS = 0.05
_LONGEST_WISH = 100
_NOT_EMPTY = "Add --resume to go on with the run in it, or choose another folder with --out."
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

    @property
    def manifest(self) -> RunManifest:
        """What the run's own files were when they were written."""
        return RunManifest(self.path)

    def create(self, original: str, needed_bytes: int = 100 * MEGABYTE) -> None:
        """Make the folder and keep the recipe as given.

        Raises:
            InputError: it exists and isn't empty, can't be written, or the disk is too full.
        """
        began = False
        try:
            if self.path.exists() and (not self.path.is_dir() or any(self.path.iterdir())):
                raise InputError(f"{self.path} is not empty.", hint=_NOT_EMPTY)
            self.path.mkdir(parents=True, exist_ok=True)
            require_space(self.path, needed_bytes, "The run")
            self.original_recipe.open("xb").close()  # of two who begin at once, one finds it there
            began = True
            self.manifest.write(self.original_recipe, original.encode())
        except FileExistsError:
            raise InputError(f"{self.path} is not empty.", hint=_NOT_EMPTY) from None
        except OSError as error:
            for leftover in self.path.iterdir() if began else ():  # so that another attempt finds it empty
                with contextlib.suppress(OSError):
                    leftover.unlink()
            raise InputError(
                f"The run folder {self.path} can't be written: {error.strerror}.", hint="Choose another with --out."
            ) from error

    def given_recipe(self) -> str:
        """The recipe as given, of a run to resume.

        Raises:
            InputError: there is no run here.
        """
        try:
            return read_text(self.original_recipe, recipes.MOST_BYTES)
        except (OSError, ValueError):
            if self.recipe.exists():
                hint = "Give the recipe that the run was started with: monoglot run RECIPE --resume --out FOLDER."
                raise InputError(f"{self.original_recipe} can't be read.", hint=hint) from None
            raise InputError(f"There is no run in {self.path}.", hint="Check the folder given with --out.") from None

    def read_recipe(self) -> Recipe:
        """The recipe as run."""
        return recipes.load(self.recipe)

    def read_status(self) -> dict[str, Any]:
        """status.json, what is as it should be of it; empty where there is none yet."""
        return known_status(_read_mapping(self.status))

    def read_results(self) -> dict[str, Any]:
        """results.json of a run that has one.

        Raises:
            InputError: there is none yet, or it isn't as the run wrote it.
        """
        try:
            results = read_object(self.results)
        except (OSError, ValueError):
            raise InputError(f"{self.path} holds no results yet.", hint="Finish the run first: --resume.") from None
        if self.manifest.found(self.results) == "changed":
            hint = "Resume the run: what it found is still there and is written again."
            raise InputError(f"{self.results} is not as the run wrote it.", hint=hint)
        return results

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
        if not self.events.is_file():
            return
        with open_file(self.events) as file:
            for line in lines_of(file):
                event = from_line(line) if holding in line else None
                if event is not None:
                    yield event

    def ask(self, word: str) -> None:
        """Write a wish to `control`: one of `CONTROL_WORDS`."""
        if word not in CONTROL_WORDS:
            raise ValueError(f"{word!r} is none of {CONTROL_WORDS}")
        write_atomic(self.control, word.encode())

    def interrupt(self) -> None:
        """Have the process that runs the run stop in order, where no wish can be written; not on Windows.

        As Ctrl-C does: a second time it stops at once.
        """
        with contextlib.suppress(OSError, ValueError, TypeError, KeyError):
            if self.running() and os.name != "nt":
                os.kill(int(json.loads(self.lock.read_text(encoding="utf-8"))["pid"]), signal.SIGTERM)

    def running(self) -> bool:
        """Whether a process holds the run's lock now."""
        with contextlib.suppress(OSError), open_file(self.lock) as file:
            return not _try_lock(file)
        return False

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the run's lock; the system frees it however the process ends.

        What an earlier process was asked is forgotten, a wish that comes after that is kept.

        Raises:
            InputError: another process holds it.
        """
        before = _identity(self.control)  # no times are compared: clocks jump
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
            if before is not None and _identity(self.control) == before:
                with contextlib.suppress(FileNotFoundError):
                    self.control.unlink()
            yield
        finally:
            file.close()


def _read_mapping(path: Path) -> dict[str, Any]:
    """A file's JSON object; empty where there is none, or it is broken."""
    with contextlib.suppress(OSError, ValueError):
        return read_object(path)
    return {}


def _identity(path: Path) -> tuple[int, int, int] | None:
    """What tells a file from another one in its place; None where there is none."""
    try:
        about = path.stat()
    except OSError:
        return None
    return about.st_ino, about.st_mtime_ns, about.st_size


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
        self._waits = False
        """Whether it waits for room: what can't be written meanwhile is let go."""
        self.space = SpaceWatch(folder.path)
        """Whether the disk has room for what is written next."""
        self.status = Status(state="running", pid=os.getpid())
        """As it was last written."""
        self.warnings: list[str] = []
        """What makes the run's numbers other than they seem, in the order in which it was told, over all resumes."""

    def resume_at(self, events_length: int, seconds: float, warnings: Sequence[str] = ()) -> None:
        """Take up a run whose last safe point was at this length of the log, after these seconds of work.

        Args:
            events_length: in bytes; what was logged after it is forgotten.
            seconds: of work.
            warnings: what had been told by then that makes numbers doubtful.
        """
        whole = self._log.cut(events_length)
        self._work_before = seconds
        self._started = time.monotonic()
        self.warnings = list(warnings)
        if not whole:
            text = f"Part of {self.folder.events.name} was lost: curves lack what it told. The results don't need it."
            self.emit(Message(level="warning", text=text))

    def mark(self) -> dict[str, Any]:
        """What `resume_at` needs to come back to now."""
        return {"events_length": self.log_length(), "seconds": self.seconds, "warnings": list(self.warnings)}

    def log_length(self) -> int:
        """Bytes of the event log, all of them on disk."""
        return self._log.flush()

    @property
    def seconds(self) -> float:
        """Seconds of work since the run's start, pauses left out, over all resumes."""
        return self._work_before + time.monotonic() - self._started - self._paused

    def emit(self, event: Event) -> None:
        """Record an event; where the disk is full, once there is room.

        What makes numbers doubtful is told once, however often it is found.

        Raises:
            Stopped: there is none, and the user wants the run to stop.
        """
        if isinstance(event, Message) and event.doubt:
            if event.text in self.warnings:
                return
            self.warnings.append(event.text)
        try:
            self._write(lambda: self._log.append(event, self.seconds), waits=not isinstance(event, Done))
        finally:
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
        # Twice a second, and read by the living only: not worth a wait for the disk.
        self.set_status(replace(self.status, done=done, total=total, eta_seconds=eta), durable=False)
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
            with contextlib.suppress(OSError):
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

    def wait(self, reason: Failure | None = None, over: Callable[[], bool] = lambda: False) -> str:
        """Stay paused until another wish; returns it.

        Args:
            reason: why the run waits by itself; None: the user wants it to.
            over: whether it may go on by itself; asked until the user wants it to be paused.
        """
        start = time.monotonic()
        text = f"{reason.what_happened} {reason.next_step}" if reason is not None else "Paused."
        self._waits = reason is not None
        with contextlib.suppress(OSError) if self._waits else contextlib.nullcontext():
            self.emit(Message(level="info", text=text))
        shown = self._pause(reason)
        word = ""
        while word not in ("resume", "stop", "stop_keep_best"):
            time.sleep(_CONTROL_SECONDS / 2)
            word = "stop" if self.stop_signal else self.take_wish()
            if word == "pause" and reason is not None:
                reason = None
                shown = False
            if not word and reason is not None and over():
                break
            shown = shown or self._pause(reason)
        self._waits = False
        self._paused += time.monotonic() - start
        if word in ("", "resume"):
            self.set_status(replace(self.status, state="running", error=None, hint=None, kind=None))
            self.emit(Message(level="info", text="Going on."))
        return word

    def _pause(self, reason: Failure | None) -> bool:
        """Show that the run waits; whether that could be done: the disk may be so full that it can't."""
        kind, error, hint = (reason.kind, reason.what_happened, reason.next_step) if reason else (None, None, None)
        try:
            self.set_status(replace(self.status, state="paused", error=error, hint=hint, kind=kind))
        except OSError as fault:
            if not is_full(fault):
                raise
            return False
        return True

    def _write(self, act: Callable[[], None], *, waits: bool = True) -> None:
        """Write something small; where the disk is full, wait for room and write it then."""
        while True:
            try:
                act()
                return
            except OSError as error:
                waits = waits and not self._waits and self._stopped is None and is_full(error)
                lack = self.space.lack(self.status.stage, now=True, least=RESERVE) if waits else None
                if lack is None:
                    raise
            self._obey(self._wait_for_space(lack, RESERVE))

    def take_wish(self) -> str:
        """The user's wish, which is then no longer in `control`; empty where there is none."""
        # Moved away first: a wish that is written between reading and deleting would be lost.
        taken = self.folder.path / ".control.taken"
        try:
            os.replace(self.folder.control, taken)
            with open(taken, "rb") as file:
                return file.read(_LONGEST_WISH).decode().strip()
        except (OSError, UnicodeDecodeError):
            return ""
        finally:
            with contextlib.suppress(OSError):  # what isn't a file stays, and is no wish
                taken.unlink()

    def finish(
        self,
        state: State,
        error: str | None = None,
        hint: str | None = None,
        kind: str | None = None,
        safe: str | None = None,
    ) -> None:
        """Write how the process ended: its state, and of a failure what `Status` has to tell.

        What a library said of it may hold a secret.
        """
        error, hint = error and without_secrets(error), hint and without_secrets(hint)
        ended = replace(self.status, state=state, eta_seconds=None, error=error, hint=hint, kind=kind, safe=safe)
        self._waits = True
        try:
            self.set_status(ended)
        finally:
            self._log.close()

    def set_status(self, status: Status, *, durable: bool = True) -> None:
        """Write status.json, as `emit` writes; `durable` as in `core.sealing.write_atomic`."""
        content = {name: getattr(status, name) for name in Status.__dataclass_fields__}
        self._write(lambda: write_json(self.folder.status, content, durable=durable))
        self.status = status


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
