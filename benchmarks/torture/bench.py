"""What faults start from: a whole run, and one that was killed in the middle; and how each fault's end is judged."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.torture import runs

Damage = Callable[[Path], None]
"""Does something to a run's folder."""
SAME = "it went on to the same bytes"


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a fault ended."""

    happened: str
    ok: bool

    def named(self, name: str) -> dict[str, Any]:
        """As the results say it."""
        return {"name": name, **asdict(self)}


@dataclass(frozen=True, slots=True)
class Bench:
    """Where faults are tried."""

    whole: Path
    """A finished run that nobody touched."""
    middle: Path
    """The same run, killed while the width is distilled, with a checkpoint."""
    scratch: Path
    text: Path
    """The recipe of both."""

    def folder(self, before: Path | None = None) -> Path:
        """A new folder, perhaps with a copy of a run in it."""
        folder = Path(tempfile.mkdtemp(dir=self.scratch)) / "run"
        if before is not None:
            shutil.copytree(before, folder, symlinks=True)
        return folder

    def resumed(
        self, damage: Damage, *, before: Path | None = None, told_is_fine: bool = False, log: bool = True
    ) -> Outcome:
        """Damage a copy of a run, resume it, and judge.

        Args:
            damage: what is done to it.
            before: the run; by default the one that was killed.
            told_is_fine: whether a clear message is as good an end as the same bytes.
            log: whether the event log must be the same, too.
        """
        folder = self.folder(before or self.middle)
        damage(folder)
        return self.judged(folder, runs.run(folder, resume=True), told_is_fine=told_is_fine, log=log)

    def judged(self, folder: Path, ended: runs.Ended, *, told_is_fine: bool = False, log: bool = True) -> Outcome:
        """What became of a run after its process ended."""
        if ended.status == 0:
            differing = runs.differences(folder, self.whole, log=log)
            same = SAME if log else f"{SAME}; what the log had lost is told"
            told = log or "was lost" in (folder / "events.jsonl").read_text(encoding="utf-8", errors="replace")
            return Outcome(f"it differs in {runs.names(differing)}" if differing else same, not differing and told)
        return Outcome(runs.words(ended), told_is_fine and ended.is_clear)


def make(scratch: Path) -> Bench:
    """Run the recipe twice, once to its end and once to the middle."""
    text = scratch / "recipe.toml"
    text.write_text(runs.KINDS["tiny"], encoding="utf-8")
    whole, middle = scratch / "whole", scratch / "middle"
    ended = runs.run(whole, text)
    if ended.status:
        raise RuntimeError(f"the run that nobody touches failed: {ended.said}")
    process = runs.start(middle, text)
    if not runs.until(process, lambda: runs.steps(middle, "hidden") >= 3):
        raise RuntimeError(f"the run to kill was over before: {runs.end(process).said}")
    runs.kill(process)
    return Bench(whole, middle, scratch, text)
