"""Runs killed with SIGKILL at random moments, resumed until they are finished, and compared. No torch."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.torture.bench import Bench, nothing_redone, stages_done
from benchmarks.torture.comparing import leftovers
from benchmarks.torture.worker import Worker, Wrong
from core.run import RunFolder

KINDS = ("tiny", "rounds")
_KILLS_A_RUN = 5
_LOADING = "loading"
_WRITE_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Kill:
    """One kill of a process that was alive."""

    moment: str
    """What it waited for: a time, a number of bytes, or a write under way."""
    stage: str
    """The stage that it hit; "loading" before the first."""
    half_written: tuple[str, ...]
    """What it left under a temporary name."""
    group: bool
    """Whether the process's children were killed with it."""

    def to_json(self) -> dict[str, Any]:
        """As it stands in the results."""
        written = list(self.half_written)
        return {"moment": self.moment, "stage": self.stage, "half_written": written, "group": self.group}


@dataclass(frozen=True, slots=True)
class Victim:
    """A run that was killed again and again."""

    kind: str
    seed: int
    kills: tuple[Kill, ...]
    failure: str
    """Empty where it ended as an undisturbed run."""

    def to_json(self) -> dict[str, Any]:
        """As it stands in the results."""
        kills = [kill.to_json() for kill in self.kills]
        return {"recipe": self.kind, "seed": self.seed, "kills": kills, "failure": self.failure}


def victims(kills: int, seed: int) -> list[tuple[str, int, int]]:
    """The recipe, the seed and the number of kills of each run that is killed."""
    shares = [_KILLS_A_RUN] * (kills // _KILLS_A_RUN) + ([kills % _KILLS_A_RUN] if kills % _KILLS_A_RUN else [])
    return [(KINDS[number % len(KINDS)], seed + number, share) for number, share in enumerate(shares)]


def torture(bench: Bench, kind: str, seed: int, kills: int) -> Victim:
    """Kill one run so often, at moments that follow from the seed, and let it finish."""
    done: list[Kill] = []
    place = bench.place(f"kills {kind} {seed}")
    try:
        _torture(bench, kind, random.Random(seed), kills, place, done)
    except Wrong as wrong:
        return Victim(kind, seed, tuple(done), str(wrong))
    return Victim(kind, seed, tuple(done), "")


def _torture(bench: Bench, kind: str, chance: random.Random, kills: int, place: Path, done: list[Kill]) -> None:
    whole = bench.whole(kind)
    seconds = [time for time, _ in whole.read_events()][-1]
    folder, number = RunFolder(place / "run"), 0
    before: dict[str, bytes] = {}
    while len(done) < kills:
        if number and folder.read_status().get("state") == "finished":  # too fast for the moment: another run
            bench.right(folder, kind)
            folder, number, before = RunFolder(place / f"run{len(done)}-{number}"), 0, {}
        worker = bench.start(folder, kind, resume=number > 0 and folder.original_recipe.is_file())
        number += 1
        # Each kill gets a part of the run of its own, so that they are spread over it.
        part = seconds / kills
        moment = _wait(worker, chance, part, folder, whole)
        group = chance.random() < 0.5
        if worker.kill(group=group):
            stage = str(folder.read_status().get("stage") or _LOADING)
            done.append(Kill(moment, stage, tuple(leftovers(folder.path)) if folder.path.exists() else (), group))
            orphans = worker.orphans()
            if orphans:
                raise Wrong(f"processes of a killed run go on: {orphans}")
        else:
            worker.end()
        nothing_redone(before, folder)
        before = stages_done(folder)
    if folder.read_status().get("state") != "finished":
        ended = bench.resume(folder, kind)
        if ended.code != 0:
            raise Wrong(f"resumed after {len(done)} kills: exit status {ended.code}, {ended.complaint}")
    nothing_redone(before, folder)
    bench.right(folder, kind)


def _wait(worker: Worker, chance: random.Random, seconds: float, folder: RunFolder, whole: RunFolder) -> str:
    """Wait for a random moment; says what for."""
    kind = chance.choice(("time", "time", "bytes", "write", "write", "loading"))
    if kind == "loading":
        delay = chance.uniform(0, 3)
        worker.wait_until(_after(delay))
        return f"{delay:.2f} s after its start"
    worker.wait_state("running")
    if kind == "time":
        delay = chance.uniform(0, 2 * seconds)
        worker.wait_until(_after(delay))
        return f"{delay:.2f} s after it began to work"
    if kind == "bytes":
        there = folder.events.stat().st_size if folder.events.exists() else 0
        wanted = there + chance.randrange(1, max(2, whole.events.stat().st_size // 4))
        worker.wait_until(lambda: folder.events.exists() and folder.events.stat().st_size >= wanted)
        return f"at {wanted:,} bytes of events"
    names = chance.choice(((folder.stages, ".new"), (folder.path, ".new"), (folder.path, ".old")))
    worker.wait_until(_after(chance.uniform(0, 2 * seconds)))
    in_time = _after(_WRITE_SECONDS)
    worker.wait_until(lambda: is_writing(*names) or in_time())
    return f"while a {names[1]} stood in {'stages' if names[0] == folder.stages else 'the run folder'}"


def _after(seconds: float) -> Callable[[], bool]:
    end = time.monotonic() + seconds
    return lambda: time.monotonic() >= end


def is_writing(folder: Path, suffix: str) -> bool:
    """Whether something in a folder stands under a temporary name just now."""
    try:
        return any(path.name.startswith(".") and path.suffix == suffix for path in folder.iterdir())
    except OSError:
        return False


def counted(victims: Sequence[Victim]) -> dict[str, Any]:
    """The numbers of kills: in all, by stage, with something half-written, of groups, and runs that ended wrong."""
    kills = [kill for victim in victims for kill in victim.kills]
    return {
        "kills": len(kills),
        "runs": len(victims),
        "by_stage": dict(Counter(kill.stage for kill in kills)),
        "half_written": sum(bool(kill.half_written) for kill in kills),
        "with_children": sum(kill.group for kill in kills),
        "failed_runs": sum(bool(victim.failure) for victim in victims),
    }
