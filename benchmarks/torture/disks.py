"""Disks that are full, or can't be written, while a run goes on. No torch."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks.torture.bench import RIGHT, Bench, Case, Impossible, refused
from benchmarks.torture.injuries import remove
from benchmarks.torture.worker import Worker, Wrong
from core.run import RunFolder

_DISK_MEGABYTES = 200
_STAGES = ("vocabulary", "layers", "hidden", "evaluate")
_LEAVE = (0, 3_000, 1_000_000)
"""Bytes that are free when the disk is filled."""
_LIMITS = (100, 3_000, 30_000, 1_000_000, 3_000_000)
"""Bytes that a file may have at most."""


@contextlib.contextmanager
def _disk(folder: Path) -> Iterator[Path]:
    """A small disk of its own, in memory."""
    folder.mkdir()
    if not sys.platform.startswith("linux") or os.geteuid() != 0:
        raise Impossible("mounting a disk takes root on Linux")
    mounted = _quietly("mount", "-t", "tmpfs", "-o", f"size={_DISK_MEGABYTES}m", "torture", str(folder))
    if not mounted:
        raise Impossible("this system mounts no disk")
    try:
        yield folder
    finally:
        _quietly("umount", "-l", str(folder))


@contextlib.contextmanager
def _read_only_folder(folder: Path) -> Iterator[None]:
    """Nothing in a folder can be opened for writing; what is open already can be written."""
    if os.geteuid() != 0:
        folders = [folder, *(path for path in folder.rglob("*") if path.is_dir())]
        for path in folders:
            path.chmod(0o500)
        try:
            yield
        finally:
            for path in folders:
                path.chmod(0o700)
        return
    # Permissions keep root from nothing, but a mount does.
    if not _quietly("mount", "--bind", str(folder), str(folder)):
        raise Impossible("this system mounts no folder read-only")
    try:
        if not _quietly("mount", "-o", "remount,ro,bind", str(folder)):
            raise Impossible("this system mounts no folder read-only")
        yield
    finally:
        _quietly("umount", "-l", str(folder))


def _quietly(*command: str) -> bool:
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def _fill(disk: Path, leave: int) -> Path:
    """Fill a disk but for some bytes; returns the file that does."""
    ballast = disk / "ballast"
    with open(ballast, "wb", buffering=0) as file, contextlib.suppress(OSError):
        os.posix_fallocate(file.fileno(), 0, max(1, shutil.disk_usage(disk).free - leave))
        while leave == 0:
            file.seek(0, os.SEEK_END)
            file.write(bytes(4096))
    return ballast


def _filled(stage: str, leave: int) -> Case:
    """The disk is full from some moment of a stage on; then there is room again."""

    def run(bench: Bench, place: Path) -> str:
        with _disk(place / "disk") as disk:
            folder = RunFolder(disk / "run")
            worker = _beside(bench, folder, place)
            if not worker.wait_stage(stage):
                raise Wrong(f"it ended before {stage}: {worker.end().complaint}")
            return f"{_until_room(worker, _fill(disk, leave))}; {_resumed(bench, folder, place)}"

    name = f"disk full in {stage}, {leave:,} bytes left"
    done = f"the disk has {leave:,} bytes left from {stage} on; room is made, then resumed"
    return Case(name, done, f"a clear message, or paused in time; then {RIGHT}", run)


def _beside(bench: Bench, folder: RunFolder, place: Path, **options: object) -> Worker:
    """A run whose output goes to another disk than its folder's."""
    return bench.start(folder, errors=place / "stderr", **options)


def _until_room(worker: Worker, ballast: Path) -> str:
    """Wait until the run can't go on, make room; what it said."""

    def waits() -> bool:
        # Where nothing at all can be written, only the terminal can tell.
        return worker.folder.read_status().get("state") == "paused" or "the run is paused" in worker.said

    paused = worker.wait_until(waits)
    remove(ballast)
    if paused:
        worker.folder.ask("resume")
    ended = worker.end()
    if ended.code == 0:
        return "paused in time, went on when there was room" if paused else "it needed no more room"
    return refused(ended, "full")


def _resumed(bench: Bench, folder: RunFolder, place: Path) -> str:
    ended = _beside(bench, folder, place, resume=True).end()
    if ended.code != 0:
        raise Wrong(f"resumed: exit status {ended.code}, {ended.complaint}")
    return bench.right(folder)


def _still_full(bench: Bench, place: Path) -> str:
    """Resumed before there is room."""
    with _disk(place / "disk") as disk:
        folder = RunFolder(disk / "run")
        shutil.copytree(bench.killed("hidden", place).path, folder.path)
        ballast = _fill(disk, 0)
        said = _until_room(_beside(bench, folder, place, resume=True), ballast)
        return f"{said}; {_resumed(bench, folder, place)}"


def _begun_full(bench: Bench, place: Path) -> str:
    with _disk(place / "disk") as disk:
        ballast = _fill(disk, 1_000_000)
        said = refused(_beside(bench, RunFolder(disk / "run"), place).end(), "disk")
        remove(ballast)
        ended = _beside(bench, RunFolder(disk / "run"), place).end()
        if ended.code != 0:
            raise Wrong(f"with room: exit status {ended.code}, {ended.complaint}")
        return f"{said}; {bench.right(RunFolder(disk / 'run'))}"


def _limited(most: int) -> Case:
    """No file may be larger than a limit, as on some disks and for some users."""

    def limit() -> None:
        import resource

        resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))

    def run(bench: Bench, place: Path) -> str:
        # A cache of its own: what it can't hold must not be there already.
        folder, environment = RunFolder(place / "run"), bench.environment(place / "cache")
        ended = bench.start(folder, before=limit, environment=environment).end()
        # What it says goes to a file, too, and is cut there.
        cut = ended.code == 2 and len(ended.said.encode()) >= most
        said = f"{ended.complaint} (cut)" if cut else refused(ended)
        resume = folder.original_recipe.exists()
        ended = bench.start(folder, resume=resume, environment=environment).end()
        if ended.code != 0:
            raise Wrong(f"without the limit: exit status {ended.code}, {ended.complaint}")
        return f"{said}; {bench.right(folder)}"

    done = f"no file may have more than {most:,} bytes; then without the limit, resumed"
    return Case(f"files of {most:,} bytes at most", done, f"a clear message; then {RIGHT}", run)


def _read_only(name: str, done: str, begin: Callable[[Bench, RunFolder, Path], Worker | None], *words: str) -> Case:
    """A disk that can't be written any more, then can."""

    def run(bench: Bench, place: Path) -> str:
        disk = place / "disk"
        disk.mkdir()
        folder = RunFolder(disk / "run")
        worker = begin(bench, folder, place)
        with _read_only_folder(disk):
            worker = worker or _beside(bench, folder, place, resume=folder.original_recipe.exists())
            said = refused(worker.end(), *words)
        ended = _beside(bench, folder, place, resume=folder.original_recipe.exists()).end()
        if ended.code != 0:
            raise Wrong(f"writable again: exit status {ended.code}, {ended.complaint}")
        return f"{said}; {bench.right(folder)}"

    return Case(name, f"{done}; then writable, resumed", f"a clear message; then {RIGHT}", run)


def _not_begun(bench: Bench, folder: RunFolder, place: Path) -> None:
    return None


def _killed(bench: Bench, folder: RunFolder, place: Path) -> None:
    shutil.copytree(bench.killed("hidden", place).path, folder.path)


def _at_work(bench: Bench, folder: RunFolder, place: Path) -> Worker:
    worker = _beside(bench, folder, place)
    if not worker.wait_stage("layers"):
        raise Wrong(f"it ended before layers: {worker.end().complaint}")
    return worker


def cases() -> list[Case]:
    """All of them."""
    return [
        *(_filled(stage, leave) for stage in _STAGES for leave in _LEAVE),
        Case("resumed on a full disk", "killed in hidden; resumed on a full disk, then with room",
             f"a clear message, or paused until there is room; then {RIGHT}", _still_full),
        Case("begun on a full disk", "begun with 1 MB of disk, then with room",
             f"a clear message; then {RIGHT}", _begun_full),
        *(_limited(most) for most in _LIMITS),
        _read_only("read-only at the start", "the disk is read-only", _not_begun, "can't be written"),
        _read_only("read-only at a resume", "killed in hidden; the disk is read-only", _killed, "can't be written"),
        _read_only("read-only in the middle", "the disk becomes read-only in layers", _at_work, "read-only"),
    ]  # fmt: skip
