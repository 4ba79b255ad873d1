"""Runs killed with SIGKILL at random moments, again and again, and resumed to their end."""

from __future__ import annotations

import random
import shutil
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.torture import runs
from core.run import RunFolder

_MOST_KILLS = 12
"""Of one run; after that it may end."""
_EARLY, _WRITING = 0.1, 0.35
"""Shares of kills: before anything runs, and while a checkpoint or stage is being put in its place."""


@dataclass(slots=True)
class Kills:
    """What came of them."""

    kills: int = 0
    runs: int = 0
    stages: Counter[str] = field(default_factory=Counter)
    """Kills by the stage that was under way."""
    moments: Counter[str] = field(default_factory=Counter)
    """Kills by how their moment was chosen."""
    failures: list[str] = field(default_factory=list)

    def __add__(self, other: Kills) -> Kills:
        return Kills(
            self.kills + other.kills,
            self.runs + other.runs,
            self.stages + other.stages,
            self.moments + other.moments,
            self.failures + other.failures,
        )

    def to_json(self) -> dict[str, Any]:
        """As the results say it."""
        return {
            "kills": self.kills,
            "runs": self.runs,
            "stages": dict(self.stages),
            "moments": dict(self.moments),
            "failures": self.failures,
        }


def kill_runs(kind: str, count: int, whole: Path, scratch: Path, seed: int) -> Kills:
    """Kill runs of one kind so many times.

    Args:
        kind: one of `runs.KINDS`.
        count: of kills.
        whole: a run of the kind that nobody touched.
        scratch: an empty folder.
        seed: of the moments.
    """
    found, draw = Kills(), random.Random(seed)
    text = scratch / "recipe.toml"
    text.write_text(runs.KINDS[kind], encoding="utf-8")
    while found.kills < count:
        folder = scratch / f"run-{found.runs}"
        found.failures += _one_run(folder, text, whole, found, draw, min(_MOST_KILLS, count - found.kills))
        found.runs += 1
        shutil.rmtree(folder, ignore_errors=True)
    return found


def _one_run(folder: Path, text: Path, whole: Path, found: Kills, draw: random.Random, most: int) -> list[str]:
    """Kill and resume one run until it has ended; what was wrong with it."""
    failures: list[str] = []
    done: dict[str, int] = {}
    for _ in range(most):
        process = runs.start(folder, text, resume=folder.exists())
        moment = _moment(process, folder, draw)
        if process.poll() is not None:
            ended = runs.end(process)
            if ended.status:
                failures.append(f"resumed, it ended with {runs.words(ended)}")
            break
        stage = RunFolder(folder).read_status().get("stage") or "before the first stage"
        group = draw.random() < 0.5
        runs.kill(process, group=group)
        if not group and not runs.is_alone(process):
            failures.append(f"what it had started outlived it in {stage}")
        found.kills += 1
        found.stages[stage] += 1
        found.moments[moment] += 1
        now = runs.finished_stages(folder) if folder.exists() else {}
        failures += [f"{name} was done and is done anew" for name in done if now.get(name) != done[name]]
        done = now
    if RunFolder(folder).read_status().get("state") != "finished":
        ended = runs.run(folder, text, resume=folder.exists())
        if ended.status:
            failures.append(f"at last, it ended with {runs.words(ended)}")
    differing = runs.differences(folder, whole)
    return failures + ([f"it differs in {runs.names(differing)}"] if differing else [])


def _moment(process: Any, folder: Path, draw: random.Random) -> str:
    """Wait for the moment at which to kill, and name what it is."""
    chosen = draw.random()
    if chosen < _EARLY:
        time.sleep(draw.uniform(0, 2))
        return "while it loads"
    runs.until(process, lambda: RunFolder(folder).read_status().get("state") == "running")
    if chosen < _EARLY + _WRITING:
        skipped = draw.randrange(8)

        def writes() -> bool:
            nonlocal skipped
            if any(folder.glob(".checkpoint.*")) or any(folder.glob("stages/.*")) or any(folder.glob(".student.*")):
                skipped -= 1
            return skipped < 0

        runs.until(process, writes, seconds=10)
        return "while it writes"
    time.sleep(draw.expovariate(1 / 2.0))
    return "while it works"
