"""What can befall the files of a run that was killed or finished, and must not befall its results."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

from benchmarks.torture.bench import Bench, Outcome

Fault = Callable[[Bench], Outcome]


def flip(name: str, folder: Path, *, share: float = 0.5) -> None:
    """Turn one bit of a file."""
    path = _found(name, folder)
    content = bytearray(path.read_bytes())
    content[int(share * (len(content) - 1))] ^= 0x10
    path.write_bytes(content)


def cut(name: str, folder: Path, *, share: float = 0.5) -> None:
    """Leave only a share of a file."""
    path = _found(name, folder)
    os.truncate(path, int(share * path.stat().st_size))


def garbage(name: str, folder: Path) -> None:
    """Put something else into a file's place."""
    _found(name, folder).write_bytes(b"\x00\xff{]" * 50)


def append(name: str, folder: Path) -> None:
    """Put something behind a file's end."""
    with open(_found(name, folder), "ab") as file:
        file.write(b'{"t": 1.0, "type": "los\x00\xff\n\n\n')


def spoil(folder: Path) -> None:
    """Overwrite the first line about progress, which says nothing that isn't told again."""
    path = folder / "events.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    place = next(place for place, line in enumerate(lines) if b'"progress"' in line)
    lines[place] = b"\xff" * (len(lines[place]) - 1) + b"\n"
    path.write_bytes(b"".join(lines))


def remove(name: str, folder: Path) -> None:
    """Take a file or folder away."""
    path = _found(name, folder)
    shutil.rmtree(path) if path.is_dir() else path.unlink()


def say(content: object, folder: Path) -> None:
    """Let status.json say something that isn't so."""
    status = json.loads((folder / "status.json").read_text(encoding="utf-8"))
    (folder / "status.json").write_text(json.dumps({**status, **content}), encoding="utf-8")  # type: ignore[dict-item]


def leftovers(folder: Path) -> None:
    """Half-made things of a process that died while it wrote."""
    shutil.copytree(folder / "checkpoint", folder / ".checkpoint.new")
    os.truncate(folder / ".checkpoint.new" / "tensors.safetensors", 100)
    shutil.copytree(next((folder / "stages").iterdir()), folder / "stages" / ".05-hidden.new")
    (folder / ".status.json.new").write_bytes(b'{"state": "fin')
    (folder / "lock").write_bytes(b'{"pid": 1, "started": 0}')
    (folder / "control").write_bytes(b"\xff\x00 nonsense")


def times(seconds: float, folder: Path) -> None:
    """Files from another age, as after a clock that was wrong."""
    for path in folder.rglob("*"):
        moment = path.stat().st_mtime + seconds
        os.utime(path, (moment, moment))


def _found(name: str, folder: Path) -> Path:
    return next(iter(sorted(folder.glob(name))))


def _resumed(damage: Callable[[Path], None], *, told_is_fine: bool = False, log: bool = True) -> Fault:
    return lambda bench: bench.resumed(damage, told_is_fine=told_is_fine, log=log)


def _finished(damage: Callable[[Path], None], *, told_is_fine: bool = False) -> Fault:
    return lambda bench: bench.resumed(damage, before=bench.whole, told_is_fine=told_is_fine)


_YEARS = 20 * 365 * 86400.0

DAMAGES: dict[str, Fault] = {
    "checkpoint: a bit flipped in its tensors": _resumed(partial(flip, "checkpoint/tensors.safetensors")),
    "checkpoint: a bit flipped in its state": _resumed(partial(flip, "checkpoint/state.json")),
    "checkpoint: truncated": _resumed(partial(cut, "checkpoint/tensors.safetensors")),
    "checkpoint: emptied": _resumed(partial(cut, "checkpoint/tensors.safetensors", share=0)),
    "checkpoint: its manifest garbage": _resumed(partial(garbage, "checkpoint/manifest.json")),
    "checkpoint: a file missing": _resumed(partial(remove, "checkpoint/state.json")),
    "checkpoint: removed": _resumed(partial(remove, "checkpoint")),
    "finished stage: a bit flipped in its model": _resumed(partial(flip, "stages/01-*/model/model.safetensors")),
    "finished stage: its model truncated": _resumed(partial(cut, "stages/02-*/model/model.safetensors")),
    "finished stage: its report garbage": _resumed(partial(garbage, "stages/01-*/report.json")),
    "finished stage: removed": _resumed(partial(remove, "stages/03-*")),
    "event log: truncated": _resumed(partial(cut, "events.jsonl"), log=False),
    "event log: emptied": _resumed(partial(cut, "events.jsonl", share=0), log=False),
    "event log: a line overwritten": _resumed(spoil),
    "event log: garbage behind its end": _resumed(partial(append, "events.jsonl")),
    "event log: removed": _resumed(partial(remove, "events.jsonl"), log=False),
    "status: garbage": _resumed(partial(garbage, "status.json")),
    "status: truncated": _resumed(partial(cut, "status.json")),
    "status: removed": _resumed(partial(remove, "status.json")),
    "status: says that the run is finished": _resumed(partial(say, {"state": "finished"})),
    "status: another process's number": _resumed(partial(say, {"pid": 1})),
    "recipe as run: garbage": _resumed(partial(garbage, "recipe.toml"), told_is_fine=True),
    "recipe as run: removed": _resumed(partial(remove, "recipe.toml")),
    "recipe as given: garbage": _resumed(partial(garbage, "recipe.original.toml"), told_is_fine=True),
    "numbers of what was read: garbage": _resumed(partial(garbage, "origin.json"), told_is_fine=True),
    "numbers of what was read: removed": _resumed(partial(remove, "origin.json"), told_is_fine=True),
    "the run's cache: removed": _resumed(lambda folder: shutil.rmtree(folder / "cache", ignore_errors=True)),
    "leftovers of a process that died": _resumed(leftovers),
    "clock: files twenty years old": _resumed(partial(times, -_YEARS)),
    "clock: files from in twenty years": _resumed(partial(times, _YEARS)),
    "finished run: a bit flipped in the student": _finished(partial(flip, "student/model.safetensors")),
    "finished run: the student's weights truncated": _finished(partial(cut, "student/model.safetensors")),
    "finished run: the student removed": _finished(partial(remove, "student")),
    "finished run: its results garbage": _finished(partial(garbage, "results.json")),
    "finished run: its results removed": _finished(partial(remove, "results.json")),
    "finished run: its report removed": _finished(partial(remove, "report.html")),
}
"""Each must end in the same bytes; where a message may stand in for that, it says so."""
