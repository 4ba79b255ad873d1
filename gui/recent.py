"""The runs that are on this machine: read from their folders, never from memory of them."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.errors import InputError
from core.languages import check_language
from core.recipe import MOST_BYTES, read_toml
from core.run import RunFolder
from core.small_files import read_text
from core.wording import shortened
from gui.worker import LIVE, Phase

_LONGEST = 100
"""Characters of a name: more than a recipe may have, but a folder can be anybody's."""


@dataclass(frozen=True, slots=True)
class RecentRun:
    """A run as the start page tells of it."""

    folder: Path
    name: str
    language: str
    phase: Phase
    stage: str
    changed: float
    """Seconds since the epoch of its last sign of life."""
    before: int | None = None
    """The teacher's parameters, where the run has results."""
    after: int | None = None
    """The student's."""

    @property
    def live(self) -> bool:
        """Whether a process works on it."""
        return self.phase in LIVE


class RecentRuns:
    """Looks again and again; recipes and results, which hardly change, are read once."""

    def __init__(self) -> None:
        self._read: dict[Path, tuple[float, tuple[str, str]]] = {}
        self._measured: dict[Path, tuple[float, tuple[int | None, int | None]]] = {}

    def look(self, runs: Path, others: Sequence[str], most: int = 30) -> list[RecentRun]:
        """The last runs, newest first.

        Args:
            runs: the folder that holds new runs.
            others: run folders elsewhere.
            most: how many to tell of.
        """
        folders = {Path(other) for other in others}
        with contextlib.suppress(OSError):  # there is none yet, or it can't be read
            folders |= {path for path in runs.iterdir() if not path.name.startswith(".")}
        dated = sorted(((_changed(folder), folder) for folder in folders), reverse=True)
        return [self._one(folder, changed) for changed, folder in dated[:most] if changed]

    def _one(self, path: Path, changed: float) -> RecentRun:
        folder = RunFolder(path)
        status = folder.read_status()
        phase: Phase = status.get("state", "lost")
        if phase in LIVE and not folder.running():
            phase = "lost"
        before = after = None
        if phase == "finished":
            before, after = self._sizes(folder)
        name, language = self._title(folder)
        return RecentRun(path, name, language, phase, status.get("stage", ""), changed, before, after)

    def _title(self, folder: RunFolder) -> tuple[str, str]:
        """Name and language, from the recipe."""
        path = folder.recipe if folder.recipe.exists() else folder.original_recipe
        try:
            written = path.stat().st_mtime
            if path not in self._read or self._read[path][0] != written:
                self._read[path] = (written, _title(read_toml(read_text(path, MOST_BYTES)), folder.path.name))
            return self._read[path][1]
        except (OSError, ValueError):
            return folder.path.name, ""

    def _sizes(self, folder: RunFolder) -> tuple[int | None, int | None]:
        """The teacher's and the student's parameters, from the results."""
        try:
            written = folder.results.stat().st_mtime
            if folder.path not in self._measured or self._measured[folder.path][0] != written:
                self._measured[folder.path] = (written, _sizes(folder))
            return self._measured[folder.path][1]
        except OSError:
            return None, None


def _title(recipe: dict[str, Any], otherwise: str) -> tuple[str, str]:
    language = recipe.get("language")
    code, name = language.get("code") if isinstance(language, dict) else None, recipe.get("name")
    spoken = shortened(code, _LONGEST) if isinstance(code, str) else ""
    with contextlib.suppress(InputError):
        spoken = check_language(spoken)
    return shortened(name, _LONGEST) if isinstance(name, str) and name else otherwise, spoken


def _changed(path: Path) -> float:
    """When the run was last heard of; 0 where there is no run."""
    folder = RunFolder(path)
    for file in (folder.status, folder.original_recipe):
        try:
            return file.stat().st_mtime
        except OSError:
            continue
    return 0.0


def _sizes(folder: RunFolder) -> tuple[int | None, int | None]:
    try:
        results = folder.read_results()
        return int(results["teacher"]["parameters"]), int(results["student"]["parameters"])
    except (InputError, KeyError, TypeError, ValueError, OverflowError):
        return None, None
