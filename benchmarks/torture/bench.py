"""Where torture takes place: undisturbed runs to compare with, and copies of half-done ones to hurt. No torch."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.torture.comparing import differences, finished_stages, redone
from benchmarks.torture.recipes import rounds, tiny
from benchmarks.torture.worker import Ended, Worker, Wrong
from core.run import RunFolder
from core.sealing import sealed

RIGHT = "the same student and results, to the byte"


@dataclass(frozen=True, slots=True)
class Record:
    """What one case did and how it ended."""

    name: str
    done: str
    expected: str
    happened: str
    ok: bool
    skipped: bool = False
    """Not possible on this machine."""

    def to_json(self) -> dict[str, Any]:
        """As it stands in the results."""
        return asdict(self)


class Impossible(Exception):
    """A case can't be tried on this machine; the text says why."""


@dataclass(frozen=True, slots=True)
class Case:
    """Something that is done to a run."""

    name: str
    done: str
    """In words."""
    expected: str
    """The end that is right, in words."""
    run: Callable[[Bench, Path], str]
    """Does it in a folder of its own and says what happened.

    Raises:
        Wrong: it didn't end as expected.
        Impossible: it can't be done here.
    """

    def record(self, bench: Bench) -> Record:
        """Do it; what comes out of it, whatever that is."""
        place = bench.place(self.name)
        try:
            happened, ok, skipped = self.run(bench, place), True, False
        except Impossible as reason:
            happened, ok, skipped = str(reason), True, True
        except Wrong as wrong:
            happened, ok, skipped = str(wrong), False, False
        except Exception as error:  # a case that breaks is told of like one that fails, and stops no other
            happened, ok, skipped = f"{type(error).__name__}: {error}", False, False
        happened = happened.replace(str(place), "…")
        if ok:
            shutil.rmtree(place, ignore_errors=True)
        return Record(self.name, self.done, self.expected, happened, ok, skipped)


@dataclass
class Bench:
    """A folder to work in, with the undisturbed runs in it."""

    folder: Path
    _locks: dict[str, threading.Lock] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def recipe(self, kind: str) -> Path:
        """The file of a recipe: "tiny", "rounds"."""
        path = self.folder / f"{kind}.toml"
        with self._once(f"recipe {kind}"):
            if not path.exists():
                path.write_text({"tiny": tiny, "rounds": rounds}[kind](), encoding="utf-8")
        return path

    def place(self, name: str) -> Path:
        """An empty folder for a case."""
        path = self.folder / "cases" / "".join(letter if letter.isalnum() else "-" for letter in name)
        shutil.rmtree(path, ignore_errors=True)
        path.mkdir(parents=True)
        return path

    def environment(self, cache: Path | None = None) -> Mapping[str, str]:
        """Variables for every process: what runs share stays in this folder, or in one of the case's own."""
        return {"XDG_CACHE_HOME": str(cache or self.folder / "cache"), "XDG_DATA_HOME": str(self.folder / "data")}

    def start(self, folder: RunFolder, kind: str = "tiny", **options: Any) -> Worker:
        """Start or resume a run of a recipe."""
        options.setdefault("environment", self.environment())
        return Worker(folder, self.recipe(kind), **options)

    def whole(self, kind: str = "tiny") -> RunFolder:
        """A finished run that nobody touched."""
        folder = RunFolder(self.folder / "whole" / kind)
        with self._once(f"whole {kind}"):
            if not folder.path.exists():
                ended = self.start(folder, kind).end()
                if ended.code != 0:
                    raise Wrong(f"the undisturbed run failed: {ended.said[-500:]}")
        return folder

    def killed(self, stage: str, place: Path, kind: str = "tiny") -> RunFolder:
        """A copy of a run that was killed in a stage, with a checkpoint of it."""
        template = RunFolder(self.folder / "killed" / f"{kind}-{stage}")
        with self._once(f"killed {kind} {stage}"):
            if not template.path.exists():
                worker = self.start(template, kind)
                reached = worker.wait_until(lambda: _checkpointed(template, stage))
                if not (worker.kill() and reached):
                    raise Wrong(f"it ended before {stage}: {worker.end().said[-500:]}")
        return _copy(template, place)

    def finished(self, place: Path, kind: str = "tiny") -> RunFolder:
        """A copy of a finished run."""
        return _copy(self.whole(kind), place)

    def resume(self, folder: RunFolder, kind: str = "tiny", **options: Any) -> Ended:
        """Go on with a run to its end."""
        return self.start(folder, kind, resume=True, **options).end()

    def right(
        self, folder: RunFolder, kind: str = "tiny", *, events: bool = True, without: Collection[str] = ()
    ) -> str:
        """Check that a run ended as an undisturbed one.

        Raises:
            Wrong: it didn't.
        """
        found = differences(folder, self.whole(kind), events=events, without=without)
        if found:
            raise Wrong(f"not as the undisturbed run: {', '.join(found)}")
        return RIGHT

    def resumed_right(self, folder: RunFolder, kind: str = "tiny", *, events: bool = True, **options: Any) -> str:
        """Go on with a run, and check that it ends as an undisturbed one."""
        ended = self.resume(folder, kind, **options)
        if ended.code != 0:
            raise Wrong(f"exit status {ended.code}: {ended.complaint}")
        return self.right(folder, kind, events=events)

    def _once(self, name: str) -> threading.Lock:
        with self._lock:
            return self._locks.setdefault(name, threading.Lock())


def refused(ended: Ended, *words: str) -> str:
    """Check that a process ended with a clear message that holds these words.

    Raises:
        Wrong: it didn't.
    """
    if ended.code != 2 or not all(word in ended.complaint for word in words) or "hint: " not in ended.said:
        raise Wrong(f"exit status {ended.code}, said {ended.complaint!r}, not {' … '.join(words)!r}")
    return ended.complaint


def nothing_redone(before: dict[str, bytes], folder: RunFolder) -> None:
    """Check that what was finished is finished still.

    Raises:
        Wrong: it was lost, or done again.
    """
    lost = redone(before, folder)
    if lost:
        raise Wrong(f"finished stages were lost or done again: {', '.join(lost)}")


def stages_done(folder: RunFolder) -> dict[str, bytes]:
    """The reports of stages that are done and whole, see `finished_stages`."""
    return {name: report for name, report in finished_stages(folder).items() if sealed(folder.stages / name)}


def _checkpointed(folder: RunFolder, stage: str) -> bool:
    try:
        state = json.loads((folder.checkpoint / "state.json").read_text(encoding="utf-8"))
        return bool(state["about"]["stage"] == stage and "counters" in state and sealed(folder.checkpoint))
    except (OSError, ValueError, LookupError):
        return False


def _copy(source: RunFolder, place: Path) -> RunFolder:
    target = RunFolder(place / "run")
    shutil.copytree(source.path, target.path)
    return target
