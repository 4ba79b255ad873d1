"""The run that the window shows: starts it, follows it, asks things of it. The only way from pages to runs."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import appdirs
from PySide6.QtCore import QCoreApplication, QObject, Qt, QThread, Signal, Slot

from core.errors import Fault, InputError
from core.recipe import Recipe, absolute, parse
from core.recipe_text import to_toml
from core.run import RunFolder
from gui.child import Launch
from gui.text import count, stage_name
from gui.worker import LIVE, Phase, RunFollower, Seen


@dataclass(frozen=True, slots=True, kw_only=True)
class RunState:
    """Where the run stands."""

    folder: Path | None = None
    phase: Phase = "none"
    wish: str = ""
    """What was asked and isn't heeded yet: pause, resume, stop or stop_keep_best."""
    stage: str = ""
    done: int = 0
    total: int = 0
    eta_seconds: float | None = None
    faults: tuple[Fault, ...] = ()
    """Why it failed, or what it waits for that it paused for by itself."""
    kind: str | None = None
    """Of failure, where the run says so itself: see `core.failures`."""
    said: str = ""
    """What the last wish did."""
    kept_best: bool = False
    """Whether a run that was stopped left its best model so far."""

    @property
    def live(self) -> bool:
        """Whether a process works on it."""
        return self.phase in LIVE


class RunController(QObject):
    """Owns the background thread; lives in the window's own."""

    state_changed = Signal(object)
    """`RunState`."""
    batch = Signal(object)
    """Events with their times in seconds of work, in order."""
    restarted = Signal()
    """Forget all events: they are told anew."""
    finished = Signal()
    """The background thread has ended (see `close`)."""
    _launch = Signal(object)
    _follow = Signal(object)
    _ask = Signal(str)
    _end = Signal()

    def __init__(self, parent: QObject | None = None, runs: Path | None = None) -> None:
        """`runs`: where new runs go; None: the user's data folder, as headless."""
        super().__init__(parent)
        self.runs = runs or Path(appdirs.user_data_dir("monoglot", False)) / "runs"
        self.state = RunState()
        self._recipe: tuple[Path, Recipe] | None = None
        self._thread = QThread(self)
        self._worker = RunFollower()
        self._worker.moveToThread(self._thread)
        self._thread.started.connect(self._worker.begin)
        self._launch.connect(self._worker.launch)
        self._follow.connect(self._worker.follow)
        self._ask.connect(self._worker.ask)
        self._end.connect(self._worker.end)
        # At once, from the worker's thread: the window's own may be waiting for the end.
        self._worker.finished.connect(self._thread.quit, Qt.ConnectionType.DirectConnection)
        self._worker.seen.connect(self._on_seen)
        self._worker.batch.connect(self.batch)
        self._worker.restarted.connect(self.restarted)
        self._thread.finished.connect(self.finished)
        self._thread.start()

    # What pages ask for

    def start(self, recipe: str, base: Path) -> None:
        """Start a new run.

        Args:
            recipe: its TOML text.
            base: the folder that its relative paths start from.

        Raises:
            InputError: the text is no recipe; all faults at once.
        """
        whole = absolute(parse(recipe), base)
        folder = self._new_folder(whole.name)
        self._go(Launch(("run",), folder, to_toml(whole)), whole)

    def start_sample(self, tiny: bool = False) -> None:
        """Start the built-in sample; `tiny`: a few steps a stage."""
        self._go(Launch(("sample", "--tiny") if tiny else ("sample",), self._new_folder("sample")))

    def attach(self, folder: Path) -> None:
        """Show a run that is there, whoever runs it; one that is shown already is told of from its beginning."""
        self._recipe = None
        if folder != self.state.folder:
            self._set(RunState(folder=folder))
        self._follow.emit(folder)

    def pause(self) -> None:
        """Ask the run to wait."""
        self._want("pause")

    def resume(self) -> None:
        """Go on: a paused run wakes up, one that ended early is started again from its last safe point."""
        folder = self.state.folder
        if folder is None:
            return
        if self.state.live:
            self._want("resume")
        else:
            self._go(Launch(("run", "--resume"), folder))

    def stop(self, keep_best: bool = False) -> None:
        """Ask the run to end; it can be resumed. `keep_best`: leave the best model so far in `student/`."""
        self._want("stop_keep_best" if keep_best else "stop")

    def close(self) -> None:
        """End the background thread; a run that is going on goes on. `finished` follows."""
        self._end.emit()

    def wait(self) -> None:
        """After `close`: until the thread has ended."""
        self._thread.wait()

    @property
    def recipe(self) -> Recipe | None:
        """The recipe as run (as given, where this window started it); None until it is known."""
        folder = self.state.folder
        if folder is None:
            return None
        if self._recipe is None or self._recipe[0] != folder:
            try:
                self._recipe = (folder, RunFolder(folder).read_recipe())
            except InputError:
                return None
        return self._recipe[1]

    # How

    def _new_folder(self, name: str) -> Path:
        stamp = f"{name}-{time.strftime('%Y%m%d-%H%M%S')}"
        numbered = (stamp if number == 1 else f"{stamp}-{number}" for number in range(1, 1000))
        return next(path for path in map(self.runs.__truediv__, numbered) if not path.exists())

    def _go(self, launch: Launch, recipe: Recipe | None = None) -> None:
        self._recipe = None if recipe is None else (launch.folder, recipe)
        self._set(RunState(folder=launch.folder, phase="starting"))
        self._launch.emit(launch)

    def _want(self, word: str) -> None:
        if self.state.live and self.state.wish != word:
            self._set(replace(self.state, wish=word, said=""))
            self._ask.emit(word)

    @Slot(object)
    def _on_seen(self, seen: Seen) -> None:
        if seen.folder != self.state.folder:
            return  # news of a run that was left meanwhile
        status, before = seen.status, self.state
        if seen.phase == "running" and before.phase != "running":
            self._recipe = None  # every "auto" of it is decided now
        faults = seen.faults
        kind = status.get("kind")
        if faults:
            kind = None  # of a process that had no run yet
        elif status.get("error") and (seen.phase == "failed" or (seen.phase == "paused" and kind)):
            faults = (Fault(status["error"], status.get("hint") or ""),)
        state = replace(
            before,
            phase=seen.phase,
            stage=status.get("stage", ""),
            done=status.get("done", 0),
            total=status.get("total", 0),
            eta_seconds=status.get("eta_seconds"),
            faults=faults,
            kind=kind,
            kept_best=seen.phase == "stopped" and seen.folder is not None and (seen.folder / "student").exists(),
        )
        if before.wish and _heeded(before.wish, seen.phase):
            state = replace(state, wish="", said=self._what_it_did(before, state, seen))
        elif seen.phase == "none" and before.phase != "none":
            state = replace(state, said=self.tr("The folder {} is gone.").format(seen.folder))
        elif (state.phase, state.stage) != (before.phase, before.stage):
            state = replace(state, said="")  # what was said of the past is no news any more
        self._set(state)

    def _what_it_did(self, before: RunState, now: RunState, seen: Seen) -> str:
        place = _place(seen.status, before)
        match before.wish, now.phase:
            case "pause", "paused":
                return self.tr("Paused{place}. Nothing is lost; Resume goes on right here.").format(place=place)
            case "resume", _:
                return self.tr("Going on{place}.").format(place=place)
            case _, "stopped" if before.wish == "stop_keep_best" and now.kept_best:
                return self.tr(
                    "Stopped{place}. The best model so far is in the run's folder; Resume goes on to the end."
                ).format(place=place)
            case _, "stopped":
                return self.tr("Stopped{place}. Nothing finished is lost; Resume goes on from here.").format(
                    place=place
                )
            case _, "none":
                return self.tr("Stopped before anything was made.")
            case _, "finished":
                return self.tr("The run had just finished.")
        return ""

    def _set(self, state: RunState) -> None:
        if state != self.state:
            self.state = state
            self.state_changed.emit(state)


def _heeded(wish: str, phase: Phase) -> bool:
    """Whether what holds now is an answer to the wish."""
    return phase == {"pause": "paused", "resume": "running"}.get(wish) or phase not in LIVE


def _place(status: Mapping[str, Any], before: RunState) -> str:
    """Where in the run: " in “Drop layers”, 120 of 250"."""
    stage = status.get("stage") or before.stage
    if not stage:
        return ""
    done, total = status.get("done") or before.done, status.get("total") or before.total
    translate = QCoreApplication.translate
    place = translate("RunController", " in “{stage}”").format(stage=stage_name(stage))
    counted = translate("RunController", ", {done} of {total}").format(done=count(done), total=count(total))
    return place + (counted if total else "")
