"""Files of a run that were damaged between its end, by a kill or its own, and its resume. No torch."""

from __future__ import annotations

import json
from collections.abc import Callable
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


def _damaged(name: str, file: str, injury: Injury, *, events: bool = True, redone: bool = False) -> Case:
    """A run killed in the middle, one of whose files is damaged.

    Args:
        name: the case's.
        file: within the run folder, may be a pattern.
        injury: what happens to it.
        events: whether the log must tell the same as an undisturbed run's.
        redone: whether finished stages may be made anew.
    """

    def run(bench: Bench, place: Path) -> str:
        folder = bench.killed(_MIDDLE, place)
        before = stages_done(folder)
        for path in _files(folder, file):
            injury(path)
        happened = bench.resumed_right(folder, events=events)
        if not redone:
            nothing_redone(before, folder)
        return happened

    how = (injury.__doc__ or "").strip().rstrip(".")
    return Case(name, f"killed in {_MIDDLE}; {file}: {how[:1].lower()}{how[1:]}; resumed", RIGHT, run)


def _files(folder: RunFolder, pattern: str) -> list[Path]:
    found = sorted(folder.path.glob(pattern))
    if not found:
        raise Wrong(f"the run has no {pattern}")
    return found


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


def _status(**content: Any) -> Callable[[RunFolder], None]:
    def write(folder: RunFolder) -> None:
        whole = {name: getattr(Status(), name) for name in Status.__dataclass_fields__}
        folder.status.write_text(json.dumps({**whole, **content}), encoding="utf-8")

    return write


def _half_written(folder: RunFolder) -> None:
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


def cases() -> list[Case]:
    """All of them."""
    tensors, state = "checkpoint/tensors.safetensors", "checkpoint/state.json"
    model = "stages/0{}-*/model/model.safetensors"
    cut, flip, gone, garbage = (
        injuries.cut_in_half, injuries.flip_a_bit, injuries.remove, injuries.fill_with_garbage,
    )  # fmt: skip
    return [
        _damaged("checkpoint cut short", tensors, cut),
        _damaged("checkpoint with a flipped bit", tensors, flip),
        _damaged("checkpoint zeroed at its end", tensors, injuries.zero_the_end),
        _damaged("state with a flipped bit", state, flip),
        _damaged("checkpoint without its weights", tensors, gone),
        _damaged("checkpoint with a broken manifest", "checkpoint/manifest.json", garbage),
        _damaged("checkpoint gone", "checkpoint", gone),
        _damaged("first stage with a flipped bit", model.format(1), flip, redone=True),
        _damaged("second stage cut short", model.format(2), cut, redone=True),
        _damaged("stage without its report", "stages/03-*/report.json", gone, redone=True),
        _damaged("stage gone", "stages/01-*", gone, redone=True),
        _damaged("events cut short", "events.jsonl", cut, events=False),
        _damaged("events with a flipped bit", "events.jsonl", flip, events=False),
        _damaged("events zeroed at their end", "events.jsonl", injuries.zero_the_end, events=False),
        _damaged("events with garbage behind", "events.jsonl", injuries.append_garbage),
        _damaged("events emptied", "events.jsonl", injuries.empty, events=False),
        _damaged("events gone", "events.jsonl", gone, events=False),
        _damaged("status cut short", "status.json", cut),
        _damaged("status of garbage", "status.json", garbage),
        _damaged("status gone", "status.json", gone),
        _prepared("status claims the end", "status.json claims that it is finished", _status(state="finished")),
        _prepared("status claims another process", "status.json names process 1", _status(state="running", pid=1)),
        _damaged("recipe as run cut short", "recipe.toml", cut),
        _damaged("recipe as run with a flipped bit", "recipe.toml", flip),
        _damaged("recipe as run gone", "recipe.toml", gone),
        Case(
            "recipe as given cut short",
            f"killed in {_MIDDLE}; recipe.original.toml cut short; resumed without the recipe, then with it",
            f"a clear message; then {RIGHT}",
            _lost_recipe,
        ),
        _damaged("origin of garbage", "origin.json", garbage),
        _damaged("manifest of the run of garbage", "manifest.json", garbage),
        _damaged("manifest of the run gone", "manifest.json", gone),
        _damaged("lock left behind, of garbage", "lock", garbage),
        _prepared("a wish of garbage", "control holds garbage", lambda run: garbage(run.control)),
        _prepared("an old wish, the clock set back", "control says stop, from ten years ahead", _old_wish),
        _damaged("the run's cache gone", "cache", gone),
        _damaged("the cleaned texts with a flipped bit", "cache/corpus/train.txt", flip),
        _prepared("half-written files and folders", "what a kill leaves half-written, of garbage", _half_written),
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
