"""Disks that are full or can't be written. What needs a disk of its own is tried by whoever may mount one."""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

from benchmarks.torture import runs
from benchmarks.torture.bench import Bench, Outcome
from benchmarks.torture.damages import Fault
from core.run import RunFolder

_ROOM = 200_000_000


def may_mount() -> bool:
    """Whether this process may mount a disk in memory."""
    return os.name == "posix" and os.geteuid() == 0 and shutil.which("mount") is not None


@contextlib.contextmanager
def _disk(place: Path, size: int) -> Iterator[Path]:
    """A disk of so many bytes."""
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(place)], check=True)
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


def _remount(place: Path, options: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{options}", str(place)], check=True)


def full(megabytes: float) -> Fault:
    """A disk that is full after so many megabytes; then there is room, and the run goes on or is resumed."""

    def fault(bench: Bench) -> Outcome:
        with _disk(bench.folder().parent / "disk", _ROOM) as disk:
            folder, filler = disk / "run", disk / "filler"
            process = runs.start(folder, bench.text)
            runs.until(process, lambda: RunFolder(folder).read_status().get("state") == "running")
            _leave(filler, disk, round(megabytes * 1e6))
            paused = runs.until(process, lambda: RunFolder(folder).read_status().get("state") == "paused", seconds=60)
            status = RunFolder(folder).read_status().get("state")
            filler.unlink()
            ended = runs.end(process)
            first = "it paused until there was room" if paused else runs.words(ended)
            if ended.status:
                if not ended.is_clear:
                    return Outcome(f"{first} ({status})", ok=False)
                ended = runs.run(folder, resume=True)
            found = bench.judged(folder, ended)
            return Outcome(f"{first}; then {found.happened}", found.ok)

    return fault


def _leave(filler: Path, disk: Path, left: int) -> None:
    """Fill a disk but for so many bytes."""
    found = os.statvfs(disk)
    with open(filler, "wb") as file:
        os.posix_fallocate(file.fileno(), 0, max(1, found.f_bavail * found.f_frsize - left))


def no_room_at_all(bench: Bench) -> Outcome:
    """A disk that never has room for a run."""
    with _disk(bench.folder().parent / "disk", 3_000_000) as disk:
        ended = runs.run(disk / "run", bench.text)
        return Outcome(runs.words(ended), ended.is_clear and ended.status == 2)


def read_only_at_the_start(bench: Bench) -> Outcome:
    """A disk that can't be written."""
    with _disk(bench.folder().parent / "disk", _ROOM) as disk:
        _remount(disk, "ro")
        ended = runs.run(disk / "run", bench.text)
        return Outcome(runs.words(ended), ended.is_clear and ended.status == 2)


def read_only_in_the_middle(bench: Bench) -> Outcome:
    """A disk that can't be written any more, as one with errors; then it can."""
    with _disk(bench.folder().parent / "disk", _ROOM) as disk:
        folder = disk / "run"
        process = runs.start(folder, bench.text)
        runs.until(process, lambda: runs.steps(folder, "layers") >= 2)
        # Files that are open for writing keep a disk from becoming read-only: the run is held while it is done.
        os.kill(process.pid, signal.SIGSTOP)
        remounted = subprocess.run(["mount", "-o", "remount,ro", str(disk)], capture_output=True).returncode == 0
        if not remounted:
            for path in (folder, folder / "stages"):
                subprocess.run(["chattr", "+i", str(path)], capture_output=True)
        os.kill(process.pid, signal.SIGCONT)
        ended = runs.end(process)
        with contextlib.suppress(subprocess.CalledProcessError):
            _remount(disk, "rw")
        told = runs.words(ended)
        if ended.status == 0:
            return Outcome("it could be written all the same", ok=True)
        if not ended.is_clear:
            return Outcome(told, ok=False)
        found = bench.judged(folder, runs.run(folder, resume=True))
        return Outcome(f"{told}; then {found.happened}", found.ok)


def small_files_only(bench: Bench) -> Outcome:
    """A file system, or a limit of the user's, that knows no file of more than half a megabyte."""

    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (500_000, 500_000))

    folder = bench.folder()
    ended = runs.run(folder, bench.text, before=limit)
    if not ended.is_clear or ended.status == 0:
        return Outcome(runs.words(ended), ok=False)
    found = bench.judged(folder, runs.run(folder, bench.text, resume=folder.exists()))
    return Outcome(f"{runs.words(ended)}; then {found.happened}", found.ok)


def folder_of_somebody_else(bench: Bench) -> Outcome:
    """A run folder that the user may read and not write."""

    def nobody() -> None:
        os.setgid(65534)
        os.setuid(65534)

    folder = bench.folder(bench.middle)
    for path in (bench.scratch, *folder.parents):
        if bench.scratch in (path, *path.parents):
            path.chmod(0o755)
    ended = runs.run(folder, resume=True, before=nobody if os.geteuid() == 0 else None)
    return Outcome(runs.words(ended), ended.is_clear and ended.status == 2)


DISKS: dict[str, Fault] = {
    "no file above half a megabyte": small_files_only,
    **(
        {
            **{f"disk full: {size:g} MB left while the run goes on": full(size) for size in (0.001, 0.5, 3, 8, 20)},
            "disk too small from the start": no_room_at_all,
            "read-only disk at the start": read_only_at_the_start,
            "read-only disk in the middle": read_only_in_the_middle,
            "folder of another user": folder_of_somebody_else,
        }
        if may_mount()
        else {}
    ),
}
