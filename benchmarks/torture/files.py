"""Files of a run that were damaged between its end, by a kill or its own, and its resume. No torch."""

from __future__ import annotations

import ctypes
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.torture import injuries
from benchmarks.torture.bench import RIGHT, Bench, Case, nothing_redone, refused, stages_done
from benchmarks.torture.injuries import Injury
from benchmarks.torture.worker import Worker, Wrong
from core.run import RunFolder
from core.status import Status

_MIDDLE = "hidden"
"""The stage in which runs are killed that are then damaged: most others are done by then."""
_DROP, _ANY_FILE = 24, (1, 2)
"""PR_CAPBSET_DROP, and CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH: what lets root read any file."""


@dataclass(frozen=True, slots=True)
class Damage:
    """What happens to a file of a run that was killed in the middle."""

    name: str
    file: str
    """Within the run folder, may be a pattern."""
    injury: Injury
    events: bool = True
    """Whether the log must tell the same as an undisturbed run's in the end."""
    redone: bool = False
    """Whether finished stages may be made anew."""

    def hurt(self, folder: RunFolder) -> None:
        """Do it."""
        found = sorted(folder.path.glob(self.file))
        if not found:
            raise Wrong(f"the run has no {self.file}")
        for path in found:
            self.injury(path)

    def case(self) -> Case:
        """It, and that the run ends right all the same."""

        def run(bench: Bench, place: Path) -> str:
            folder = bench.killed(_MIDDLE, place)
            before = stages_done(folder)
            self.hurt(folder)
            happened = bench.resumed_right(folder, events=self.events)
            if not self.redone:
                nothing_redone(before, folder)
            return happened

        how = (self.injury.__doc__ or "").strip().rstrip(".")
        done = f"killed in {_MIDDLE}; {self.file}: {how[:1].lower()}{how[1:]}; resumed"
        return Case(self.name, done, RIGHT, run)


def _damages() -> Iterator[Damage]:
    tensors, state, events = "checkpoint/tensors.safetensors", "checkpoint/state.json", "events.jsonl"
    model = "stages/0{}-*/model/model.safetensors"
    cut, flip, gone, garbage = (
        injuries.cut_in_half, injuries.flip_a_bit, injuries.remove, injuries.fill_with_garbage,
    )  # fmt: skip
    yield Damage("checkpoint cut short", tensors, cut)
    yield Damage("checkpoint with a flipped bit", tensors, flip)
    yield Damage("checkpoint zeroed at its end", tensors, injuries.zero_the_end)
    yield Damage("state with a flipped bit", state, flip)
    yield Damage("checkpoint without its weights", tensors, gone)
    yield Damage("checkpoint with a broken manifest", "checkpoint/manifest.json", garbage)
    yield Damage("checkpoint gone", "checkpoint", gone)
    yield Damage("first stage with a flipped bit", model.format(1), flip, redone=True)
    yield Damage("second stage cut short", model.format(2), cut, redone=True)
    yield Damage("stage without its report", "stages/03-*/report.json", gone, redone=True)
    yield Damage("stage gone", "stages/01-*", gone, redone=True)
    yield Damage("events cut short", events, cut, events=False)
    yield Damage("events with a flipped bit", events, flip, events=False)
    yield Damage("events zeroed at their end", events, injuries.zero_the_end, events=False)
    yield Damage("events with garbage behind", events, injuries.append_garbage)
    yield Damage("events emptied", events, injuries.empty, events=False)
    yield Damage("events gone", events, gone, events=False)
    yield Damage("status cut short", "status.json", cut)
    yield Damage("status of garbage", "status.json", garbage)
    yield Damage("status gone", "status.json", gone)
    yield Damage("recipe as run cut short", "recipe.toml", cut)
    yield Damage("recipe as run with a flipped bit", "recipe.toml", flip)
    yield Damage("recipe as run gone", "recipe.toml", gone)
    yield Damage("origin with a flipped bit", "origin.json", flip)
    yield Damage("origin gone", "origin.json", gone)
    yield Damage("manifest of the run of garbage", "manifest.json", garbage)
    yield Damage("manifest of the run gone", "manifest.json", gone)
    yield Damage("lock left behind, of garbage", "lock", garbage)
    yield Damage("the run's cache gone", "cache", gone)
    yield Damage("the cleaned texts with a flipped bit", "cache/corpus/train.txt", flip)


DAMAGES = {damage.name: damage for damage in _damages()}


def _finished(name: str, done: str, injure: Callable[[RunFolder], None]) -> Case:
    """A finished run that is damaged, then resumed: what it made is made again from what is whole."""

    def run(bench: Bench, place: Path) -> str:
        folder = bench.finished(place)
        before = stages_done(folder)
        injure(folder)
        happened = bench.resumed_right(folder)
        nothing_redone(before, folder)
        return happened

    return Case(name, f"finished; {done}; resumed", RIGHT, run)


def _prepared(name: str, done: str, prepare: Callable[[RunFolder], None], *, events: bool = True) -> Case:
    """A run killed in the middle, something about whose folder is changed."""

    def run(bench: Bench, place: Path) -> str:
        folder = bench.killed(_MIDDLE, place)
        before = stages_done(folder)
        prepare(folder)
        happened = bench.resumed_right(folder, events=events)
        nothing_redone(before, folder)
        return happened

    return Case(name, f"killed in {_MIDDLE}; {done}; resumed", RIGHT, run)


def claim(**content: Any) -> Callable[[RunFolder], None]:
    """Writes a status.json that says so."""

    def write(folder: RunFolder) -> None:
        whole = {name: getattr(Status(), name) for name in Status.__dataclass_fields__}
        folder.status.write_text(json.dumps({**whole, **content}), encoding="utf-8")

    return write


def half_write(folder: RunFolder) -> None:
    """Leave files and folders as a kill does that hits while they are written, none of them whole."""
    for path in (folder.path / ".checkpoint.new", folder.path / ".student.new", folder.stages / ".04-hidden.new"):
        path.mkdir()
        (path / "tensors.safetensors").write_bytes(injuries.GARBAGE)
    for name in (".status.json.new", ".results.json.new", ".recipe.toml.new", ".control.taken"):
        (folder.path / name).write_bytes(b'{"state": "fin')


def _old_wish(folder: RunFolder) -> None:
    folder.ask("stop")
    injuries.date(folder.path, 10)


def _left_alone(bench: Bench, place: Path) -> str:
    folder = bench.finished(place)
    before = {path: path.stat().st_mtime_ns for path in folder.path.rglob("*")}
    ended = bench.resume(folder)
    if ended.code != 0 or {path: path.stat().st_mtime_ns for path in folder.path.rglob("*")} != before:
        raise Wrong(f"exit status {ended.code}, or something in the folder was touched")
    return "exit status 0, nothing was touched"


def _lost_recipe(bench: Bench, place: Path) -> str:
    folder = bench.killed(_MIDDLE, place)
    injuries.cut_in_half(folder.original_recipe)
    ended = Worker(folder, None, resume=True, environment=bench.environment()).end()
    return f"{refused(ended, 'recipe.original.toml')}; with the recipe: {bench.resumed_right(folder)}"


def _linked(name: str) -> Case:
    """A run something of whose folder lies elsewhere, with a link in its place: nothing there may be touched."""

    def run(bench: Bench, place: Path) -> str:
        folder, outside = bench.killed(_MIDDLE, place), place / "outside"
        path = folder.path / name
        injuries.move_away(path, outside)
        before = _content(outside)
        said = refused(bench.resume(folder), "is a link")
        if _content(outside) != before:
            raise Wrong("what the link leads to was changed")
        path.unlink()
        outside.rename(path)
        return f"{said}; put back: {bench.resumed_right(folder)}"

    done = f"killed in {_MIDDLE}; {name} lies elsewhere, with a link to it; resumed"
    return Case(f"{name} is a link", done, f"a clear message; put back, {RIGHT}", run)


def _unreadable(pattern: str) -> Case:
    """A run one of whose files nobody may read just now: it is no damaged one, and nothing is made anew."""

    def run(bench: Bench, place: Path) -> str:
        folder = bench.killed(_MIDDLE, place)
        before = stages_done(folder)
        (path,) = folder.path.glob(pattern)
        path.chmod(0)
        said = refused(bench.resume(folder, before=_forgo_rights), "can't be read")
        path.chmod(0o644)
        nothing_redone(before, folder)
        return f"{said}; readable again: {bench.resumed_right(folder)}"

    done = f"killed in {_MIDDLE}; {pattern} can't be read; resumed"
    return Case(f"{pattern} can't be read", done, f"a clear message; readable again, {RIGHT}", run)


def _forgo_rights() -> None:
    """Even for root, what may not be read can't be, from the next program on (Linux)."""
    libc = ctypes.CDLL(None)
    for capability in _ANY_FILE:
        libc.prctl(_DROP, capability, 0, 0, 0)


def _content(path: Path) -> dict[Path, bytes]:
    return {file: file.read_bytes() for file in (path, *path.rglob("*")) if file.is_file()}


def _folder_for_a_file(bench: Bench, place: Path) -> str:
    folder = bench.killed(_MIDDLE, place)
    folder.status.unlink()
    folder.status.mkdir()
    said = refused(bench.resume(folder), "status.json is a folder")
    folder.status.rmdir()
    return f"{said}; removed: {bench.resumed_right(folder)}"


def cases() -> list[Case]:
    """All of them."""
    cut, flip, gone = injuries.cut_in_half, injuries.flip_a_bit, injuries.remove
    return [
        *(damage.case() for damage in DAMAGES.values()),
        _prepared("status claims the end", "status.json claims that it is finished", claim(state="finished")),
        _prepared("status claims another process", "status.json names process 1", claim(state="running", pid=1)),
        Case(
            "recipe as given cut short",
            f"killed in {_MIDDLE}; recipe.original.toml cut short; resumed without the recipe, then with it",
            f"a clear message; then {RIGHT}",
            _lost_recipe,
        ),
        _prepared("a wish of garbage", "control of garbage", lambda run: injuries.fill_with_garbage(run.control)),
        _prepared("an old wish, the clock set back", "control says stop, from ten years ahead", _old_wish),
        _prepared("half-written files and folders", "what a kill leaves half-written, of garbage", half_write),
        *map(_linked, ("cache", "stages", "checkpoint", "events.jsonl", "lock")),
        *map(_unreadable, ("stages/01-*/model/model.safetensors", "checkpoint/tensors.safetensors")),
        Case(
            "a folder in a file's place",
            f"killed in {_MIDDLE}; a folder in the place of status.json; resumed",
            f"a clear message; removed, {RIGHT}",
            _folder_for_a_file,
        ),
        _prepared(
            "a pipe in the way", "a named pipe where status.json is written first",
            lambda run: os.mkfifo(run.path / ".status.json.new"),
        ),
        _prepared("files of the future", "all files from ten years ahead", lambda run: injuries.date(run.path, 10)),
        _prepared("files of the past", "all files from 1970", lambda run: injuries.date(run.path, -100)),
        Case("finished and whole", "finished; resumed", "nothing is done, exit status 0", _left_alone),
        _finished("results gone", "results.json gone", lambda run: gone(run.results)),
        _finished("results cut short", "results.json cut short", lambda run: cut(run.results)),
        _finished("results with a flipped bit", "a bit of results.json flipped", lambda run: flip(run.results)),
        _finished("student gone", "student/ gone", lambda run: gone(run.student)),
        _finished("student cut short", "its weights cut short", lambda run: cut(run.student / "model.safetensors")),
        _finished(
            "student with a flipped bit", "a bit of its weights flipped",
            lambda run: flip(run.student / "model.safetensors"),
        ),
        _finished("student without its card", "student/README.md gone", lambda run: gone(run.student / "README.md")),
        _finished("status of a finished run gone", "status.json gone", lambda run: gone(run.status)),
    ]  # fmt: skip
