"""Room on the disk: what a run writes next, and whether there is as much. No torch."""

from __future__ import annotations

import math
import shutil
import time
from collections.abc import Mapping
from pathlib import Path

from core.analysis.size import EVALUATE, Estimate
from core.errors import InputError
from core.failures import Failure, told
from core.recipe import Recipe

MEGABYTE = 1_000_000
RESERVE = 32 * MEGABYTE
"""Beside models: events, status, results, the report, and what others write between two looks."""
_LOOK_SECONDS = 3.0
_ELSEWHERE = "Free some space, or choose a folder on another disk with --out."
_SPARE = 1.1
"""What files take on a disk, against what is in them."""
_FLOAT = 4
_TRAINED = 4
"""Numbers a parameter in a checkpoint: its value, the optimiser's two moments, and its best value so far."""


def free_bytes(path: Path) -> int | None:
    """Bytes that may still be written to the disk that holds a path, whether or not it exists; None: it can't be told.

    A quota of the user's own isn't seen.
    """
    place = path.absolute()
    while not place.exists() and place != place.parent:
        place = place.parent
    try:
        return shutil.disk_usage(place).free
    except OSError:
        return None


def next_writes(sizes: Estimate, recipe: Recipe) -> dict[str, int]:
    """Bytes that must be free while each stage of a run is at work, so that its next write fits on the disk.

    A stage may write a checkpoint of the largest model that it can train, which is the one that it was given, and at
    last its own model, which is no larger; the previous checkpoint stays meanwhile. Cutting the vocabulary trains
    nothing. The last stage writes the student; only where tasks train whole models do its checkpoints hold one, the
    teacher at most.
    """
    given, numbers = sizes.teacher.parameters, dict[str, int]()
    for stage in sizes.stages:
        numbers[stage.name] = stage.size.parameters if stage.name == "vocabulary" else _TRAINED * given
        given = stage.size.parameters
    whole = any(task.method == "full" for task in recipe.tasks)
    numbers[EVALUATE] = _TRAINED * sizes.teacher.parameters if whole else sizes.student.parameters
    return {name: round(_SPARE * _FLOAT * count) + RESERVE for name, count in numbers.items()}


class SpaceWatch:
    """Looks now and then whether the disk that holds a run still has room for its next write."""

    def __init__(self, path: Path) -> None:
        """`path`: the run's folder."""
        self._path = path
        self.needs: Mapping[str, int] = {}
        """Bytes that must be free, by stage (see `next_writes`); of others nothing is asked."""
        self._looked = -math.inf
        self._insisted = False

    def lack(self, stage: str, *, now: bool = False, least: int = 0) -> Failure | None:
        """What to tell where the disk lacks room; None: it has enough, or it isn't time yet to look again.

        Args:
            stage: the one at work.
            now: look, whenever the last look was.
            least: bytes that must be free, whatever the stage needs.
        """
        moment = time.monotonic()
        if not now and moment - self._looked < _LOOK_SECONDS:
            return None
        self._looked = moment
        needed, free = max(least, self.needs.get(stage, 0)), free_bytes(self._path)
        if free is None or free >= needed:
            self._insisted = False
            return None
        if self._insisted:
            return None
        words = f"Only {in_megabytes(free)} are left on the disk of {self._path}: the run is paused."
        free_it = f"Free {in_megabytes(needed - free)}"
        # As it begins, what its next stage needs isn't known yet.
        goes_on = ": the run goes on by itself" if self.needs else ", or more: it looks again by itself"
        return told("disk_nearly_full", words, f"{free_it}{goes_on}.")

    def insist(self) -> None:
        """The user wants to go on all the same: not asked again until there was enough once."""
        self._insisted = True


def require_space(path: Path, needed: int, what: str, hint: str = _ELSEWHERE) -> None:
    """See that something will fit on the disk.

    Args:
        path: where it will be written.
        needed: bytes of it.
        what: what needs the room, as the beginning of a sentence, such as "The export".
        hint: what to do where it won't.

    Raises:
        InputError: the disk is too full.
    """
    free = free_bytes(path)
    if free is not None and free < needed:
        problem = f"{what} needs about {in_megabytes(needed)} on disk, {path} has {in_megabytes(free)}."
        raise InputError(problem, hint=hint, kind="disk_full")


def in_megabytes(size: int) -> str:
    """Bytes in words: 120 MB."""
    return f"{size / MEGABYTE:,.0f} MB"
