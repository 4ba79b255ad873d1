"""The run folder: where a run's recipe, events, status, wishes and results live on disk."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from core import recipe as recipes
from core.errors import InputError
from core.event_log import from_line, lines_of
from core.events import Event
from core.free_space import MEGABYTE, require_space
from core.locking import try_lock
from core.recipe import Recipe
from core.run_manifest import RunManifest
from core.sealing import settle, write_atomic
from core.small_files import open_file, open_own, read_numbers, read_text
from core.status import known_status

CONTROL_WORDS = ("pause", "resume", "stop", "stop_keep_best")
_LOCK_TRIES = 3
_LOCK_SECONDS = 0.05
_NOT_EMPTY = "Add --resume to go on with the run in it, or choose another folder with --out."
RESULTS_HINT = "Restore it, or run the recipe again."
"""What to do where results.json can't be used."""
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
    def error_log(self) -> Path:
        """Tracebacks of faults of ours."""
        return self.path / "error.log"

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
            text = read_text(self.original_recipe, recipes.MOST_BYTES)
        except (OSError, ValueError):
            if self.recipe.exists():
                hint = "Give the recipe that the run was started with: monoglot run RECIPE --resume --out FOLDER."
                raise InputError(f"{self.original_recipe} can't be read.", hint=hint) from None
            raise InputError(f"There is no run in {self.path}.", hint="Check the folder given with --out.") from None
        if not text:
            hint = "Delete the folder, and start the run anew: nothing had been made."
            raise InputError(f"The run in {self.path} was cut off as it began.", hint=hint)
        return text

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
        if not os.path.isfile(self.results):  # where Path.is_file raises: a folder that can't be read
            raise InputError(f"{self.path} holds no results yet.", hint="Finish the run first: --resume.")
        if self.manifest.found(self.results) == "changed":
            hint = "Resume the run, with its teacher in place: what it found is still there and is written again."
            raise InputError(f"{self.results} is not as the run wrote it.", hint=hint)
        try:
            return read_numbers(self.results)
        except (OSError, ValueError) as error:
            raise InputError(f"{self.results} can't be read: {error}", hint=RESULTS_HINT) from error

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
            return not try_lock(file)
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
            file = open_own(self.lock)  # closed below, also on Windows before the folder can be moved
        except OSError as error:
            raise InputError(
                f"The run folder {self.path} can't be written: {error.strerror}.", hint="Check it, or choose another."
            ) from error
        try:
            if not _lock_soon(file, self.path):
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
        return read_numbers(path)
    return {}


def _identity(path: Path) -> tuple[int, int, int] | None:
    """What tells a file from another one in its place; None where there is none."""
    try:
        about = path.stat()
    except OSError:
        return None
    return about.st_ino, about.st_mtime_ns, about.st_size


def _lock_soon(file: IO[bytes], path: Path) -> bool:
    """Lock, though somebody may be looking just now whether the run is running (see `RunFolder.running`)."""
    try:
        for _ in range(_LOCK_TRIES):
            if try_lock(file):
                return True
            time.sleep(_LOCK_SECONDS)
        return try_lock(file)
    except OSError as error:
        raise InputError(
            f"The disk of {path} can't keep two processes from running one run: {error.strerror}.",
            hint="Move the run's folder to a disk of this machine, or choose one there with --out.",
        ) from error


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
