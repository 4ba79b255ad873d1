"""What happens around a run: signals, other processes, its text and teacher, the cache, the clock, the window."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from benchmarks.torture import injuries
from benchmarks.torture.bench import RIGHT, Bench, Case, Impossible, nothing_redone, refused, stages_done
from benchmarks.torture.comparing import differences
from benchmarks.torture.recipes import outside
from benchmarks.torture.worker import PATIENCE_SECONDS, ROOT, Ended, Worker, Wrong
from core.run import RunFolder

_TERMINATED = 130


# -- signals ---------------------------------------------------------------------------------------------------------


def _signalled(name: str, *numbers: int, stage: str = "layers") -> Case:
    """A run that is sent signals in a stage, one right after the other."""

    def run(bench: Bench, place: Path) -> str:
        folder = RunFolder(place / "run")
        worker = bench.start(folder)
        if not worker.wait_stage(stage):
            raise Wrong(f"it ended before {stage}")
        for number in numbers:
            worker.signal(number)
        ended = worker.end()
        state = folder.read_status().get("state")
        if ended.code != _TERMINATED or state != "stopped":
            raise Wrong(f"exit status {ended.code}, status {state}")
        before = stages_done(folder)
        happened = bench.resumed_right(folder)
        nothing_redone(before, folder)
        return f"exit status {_TERMINATED}, stopped; resumed: {happened}"

    sent = " and ".join(signal.Signals(number).name for number in numbers)
    return Case(name, f"{sent} in {stage}; resumed", f"stopped, exit status 130; then {RIGHT}", run)


# -- other processes -------------------------------------------------------------------------------------------------


def _two_at_once(bench: Bench, place: Path) -> str:
    folder = RunFolder(place / "run")
    first = bench.start(folder)
    first.wait_state("running")
    said = refused(bench.start(folder, resume=True).end(), "Another process runs")
    again = refused(bench.start(folder).end(), "not empty")
    if first.end().code != 0:
        raise Wrong("the first one was disturbed")
    return f"{said}; {again}; the first: {bench.right(folder)}"


def _begun_twice(bench: Bench, place: Path) -> str:
    """Two processes begin in the same new folder at the same moment."""
    folder = RunFolder(place / "run")
    ended = [worker.end() for worker in [bench.start(folder) for _ in range(2)]]
    codes = sorted(one.code for one in ended)
    if codes != [0, 2]:
        raise Wrong(f"exit statuses {codes}")
    return f"{max(ended, key=lambda one: one.code).complaint}; the other: {bench.right(folder)}"


def _folder_removed(bench: Bench, place: Path) -> str:
    folder = RunFolder(place / "run")
    worker = bench.start(folder)
    worker.wait_stage("layers")
    os.replace(folder.path, place / "moved")
    said = refused(worker.end(), "gone")
    os.replace(place / "moved", folder.path)
    return f"{said}; brought back: {bench.resumed_right(folder)}"


def _window_killed(bench: Bench, place: Path) -> str:
    options = {"cwd": ROOT, "stdout": subprocess.PIPE, "text": True}
    environment = {**os.environ, **bench.environment(), "QT_QPA_PLATFORM": "offscreen"}
    command = [sys.executable, "-m", "benchmarks.torture.window"]
    with subprocess.Popen([*command, "start", str(place)], env=environment, **options) as window:  # type: ignore[call-overload]
        run = Path(window.stdout.readline().strip())
        window.kill()
    folder = RunFolder(run)
    if not folder.original_recipe.is_file():
        raise Wrong("the window started no run")
    going_on = folder.running()
    with subprocess.Popen([*command, "watch", str(place)], env=environment, **options) as window:  # type: ignore[call-overload]
        said, _ = window.communicate(timeout=PATIENCE_SECONDS)
    lines = said.splitlines()
    if not going_on or len(lines) != 2 or not lines[0].startswith(f"{run} ") or lines[1] != "finished":
        raise Wrong(f"the run went on: {going_on}; the new window saw: {lines}")
    return f"the run went on; a new window found it {lines[0].rsplit(' ', 1)[1]}, then {lines[1]}"


# -- text, tasks, teacher --------------------------------------------------------------------------------------------


def _outside(name: str, done: str, injure: Callable[[Path], None], *words: str) -> Case:
    """A run with files of its own, killed once it has read them all, which are then changed.

    Args:
        name: the case's.
        done: in words.
        injure: changes something in the folder of the recipe.
        words: of the message, where it refuses; then what was there is put back, and it must end right. Where it
            doesn't refuse, it must end right as it is.
    """

    def run(bench: Bench, place: Path) -> str:
        recipe, environment = outside(place / "given"), bench.environment()
        whole, folder = RunFolder(place / "whole"), RunFolder(place / "run")
        _ended_well(Worker(whole, recipe, environment=environment).end())
        worker = Worker(folder, recipe, environment=environment)
        reached = worker.wait_stage("layers")
        if not (worker.kill() and reached):
            raise Wrong("it ended before layers")
        kept = shutil.copytree(recipe.parent, place / "kept")
        injure(recipe.parent)
        ended = Worker(folder, recipe, resume=True, environment=environment).end()
        said = ""
        if ended.code != 0:
            said = refused(ended, *words) + "; put back: "
            shutil.rmtree(recipe.parent)
            shutil.copytree(kept, recipe.parent)
            _ended_well(Worker(folder, recipe, resume=True, environment=environment).end())
        elif words:
            raise Wrong("it went on with what was changed")
        found = differences(folder, whole)
        if found:
            raise Wrong(f"{said}not as the undisturbed run: {', '.join(found)}")
        return said + RIGHT

    expected = f"a clear message; put back, {RIGHT}" if words else f"{RIGHT}, or a clear message and then that"
    return Case(name, f"killed in layers; {done}; resumed", expected, run)


def _teacher_swapped(bench: Bench, place: Path) -> str:
    recipe, environment = outside(place / "given"), bench.environment()
    whole, folder = RunFolder(place / "whole"), RunFolder(place / "run")
    _ended_well(Worker(whole, recipe, environment=environment).end())
    worker = Worker(folder, recipe, environment=environment)
    if not worker.wait_stage("layers"):
        raise Wrong("it ended before layers")
    weights = recipe.parent / "teacher" / "model.safetensors"
    os.replace(weights, place / "kept")
    shutil.copyfile(place / "kept", weights)
    injuries.flip_a_bit(weights)
    said = refused(worker.end(), "teacher", "have changed")
    os.replace(place / "kept", weights)
    _ended_well(Worker(folder, recipe, resume=True, environment=environment).end())
    found = differences(folder, whole)
    if found:
        raise Wrong(f"{said}; not as the undisturbed run: {', '.join(found)}")
    return f"{said}; put back: {RIGHT}"


def _ended_well(ended: Ended) -> None:
    if ended.code != 0:
        raise Wrong(f"exit status {ended.code}: {ended.complaint}")


def _change_texts(folder: Path) -> None:
    texts = folder / "texts.txt"
    texts.write_text("".join(reversed(texts.read_text(encoding="utf-8").splitlines(keepends=True))), encoding="utf-8")


def _change_task(folder: Path) -> None:
    for path in (folder / "topic").glob("train.*"):
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
        path.write_text("".join(lines[: len(lines) // 2]), encoding="utf-8")


# -- cache and clock -------------------------------------------------------------------------------------------------


def _cache(name: str, done: str, injure: Callable[[Path], None], *, while_it_runs: bool) -> Case:
    """The machine's cache, of this case alone, is hurt."""

    def run(bench: Bench, place: Path) -> str:
        cache, folder = place / "cache", RunFolder(place / "run")
        environment = bench.environment(cache)
        worker = bench.start(folder, environment=environment)
        if not worker.wait_stage("layers"):
            raise Wrong("it ended before layers")
        shared = cache / "monoglot" / "shared"
        if not shared.is_dir():
            raise Impossible("the cache is elsewhere on this system")
        if while_it_runs:
            injure(shared)
            _ended_well(worker.end())
            return bench.right(folder)
        worker.kill()
        injure(shared)
        return bench.resumed_right(folder, environment=environment)

    return Case(name, done, RIGHT, run)


def _every_file(injury: injuries.Injury) -> Callable[[Path], None]:
    def injure(shared: Path) -> None:
        for path in [path for path in shared.rglob("*") if path.is_file() and path.stat().st_size > 1]:
            injury(path)

    return injure


def _jumping_clock(bench: Bench, place: Path) -> str:
    folder = RunFolder(place / "run")
    worker = bench.start(folder, module=("benchmarks.torture.clock",))
    worker.wait_stage("layers")
    worker.kill()
    injuries.date(folder.path, -3)
    return bench.resumed_right(folder, module=("benchmarks.torture.clock",))


def cases() -> list[Case]:
    """All of them."""
    return [
        _signalled("SIGTERM", signal.SIGTERM),
        _signalled("SIGINT", signal.SIGINT),
        _signalled("SIGINT twice", signal.SIGINT, signal.SIGINT),
        _signalled("SIGTERM in evaluation", signal.SIGTERM, stage="evaluate"),
        _signalled("SIGHUP", signal.SIGHUP),
        Case("two processes", "a second and a third process on the folder of a run at work",
             f"both are refused; the first: {RIGHT}", _two_at_once),
        Case("begun twice at once", "two processes begin in the same new folder",
             f"one is refused; the other: {RIGHT}", _begun_twice),
        Case("folder moved away", "the run folder is moved away in layers, and back; resumed",
             f"a clear message; then {RIGHT}", _folder_removed),
        Case("window killed", "the window is killed while its run goes on; another one opened",
             "the run goes on, the new window finds it and sees it finish", _window_killed),
        _outside("text removed", "the text is gone", lambda given: injuries.remove(given / "texts.txt")),
        _outside("text changed", "the text is in another order", _change_texts),
        _outside("task removed", "the task's folder is gone", lambda given: injuries.remove(given / "topic")),
        _outside("task changed", "half of the task's training examples are gone", _change_task),
        _outside("teacher removed", "the teacher is gone", lambda given: injuries.remove(given / "teacher"), "teacher"),
        _outside("teacher changed", "a bit of the teacher's weights is another one",
                 lambda given: injuries.flip_a_bit(given / "teacher" / "model.safetensors"), "teacher", "have changed"),
        _outside("teacher cut short", "half of the teacher's weights is gone",
                 lambda given: injuries.cut_in_half(given / "teacher" / "model.safetensors"), "safetensors"),
        Case("teacher changed while it runs", "a bit of the teacher's weights becomes another one in layers; resumed",
             f"a clear message; put back, {RIGHT}", _teacher_swapped),
        _cache("cache removed while it is used", "the machine's cache removed in layers", shutil.rmtree,
               while_it_runs=True),
        _cache("cache removed", "killed in layers; the machine's cache removed; resumed", shutil.rmtree,
               while_it_runs=False),
        _cache("cache with flipped bits", "killed in layers; a bit of each file of the cache flipped; resumed",
               _every_file(injuries.flip_a_bit), while_it_runs=False),
        _cache("cache cut short", "killed in layers; each file of the machine's cache cut short; resumed",
               _every_file(injuries.cut_in_half), while_it_runs=False),
        Case("a clock that jumps", "a clock that jumps by years at every look; killed in layers, files dated back, "
             "resumed", RIGHT, _jumping_clock),
    ]  # fmt: skip
