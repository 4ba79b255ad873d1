"""What a run's own files were when they were written, and where its recipe's paths start: RUN/manifest.json.

Stages and checkpoints have manifests of their own.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

from core.sealing import MANIFEST, write_atomic, write_json
from core.small_files import read_object

_FILES = "files"
_RECIPE = "recipe"

Found = Literal["whole", "changed", "unknown"]
"""Unknown: nothing was noted, by an older version or as the manifest itself is lost."""


class RunManifest:
    """The hashes of a run's recipe, results and student, by path within its folder."""

    def __init__(self, run: Path) -> None:
        self._run = run

    def write(self, path: Path, data: bytes) -> None:
        """Replace a file of the run by what is noted first: whenever the power goes, the note is of what was wanted."""
        self._note({self._name(path): hashlib.sha256(data).hexdigest()})
        write_atomic(path, data)

    def note(self, *paths: Path) -> None:
        """Note files, and all files of folders, as they are now; what such a folder held before is forgotten."""
        inside = tuple(f"{self._name(path)}/" for path in paths if path.is_dir())
        self._note({self._name(path): file_hash(path) for path in _all_files(paths)}, without=inside)

    def found(self, *paths: Path) -> Found:
        """Whether files, and all files of folders, are as they were noted; unknown where one of them never was."""
        noted = self._read().get(_FILES, {})
        here = {self._name(path) for path in _all_files(paths)}
        wanted: set[str] = set()
        for name in map(self._name, paths):
            under = {other for other in noted if other == name or other.startswith(f"{name}/")}
            if not under:
                return "unknown"
            wanted |= under
        try:
            whole = here == wanted and all(file_hash(self._run / name) == noted[name] for name in wanted)
        except OSError:
            whole = False
        return "whole" if whole else "changed"

    def is_noted_as(self, path: Path, data: bytes) -> bool:
        """Whether a file was noted to hold just this."""
        return bool(self._read().get(_FILES, {}).get(self._name(path)) == hashlib.sha256(data).hexdigest())

    def note_base(self, base: Path) -> None:
        """Note the folder that the relative paths of the recipe as given start from."""
        self._write({**self._read(), _RECIPE: {"base": str(base.absolute())}})

    def base(self) -> Path | None:
        """That folder; None where it wasn't noted, as by an older version."""
        noted = self._read().get(_RECIPE, {}).get("base")
        return Path(noted) if isinstance(noted, str) else None

    def _note(self, hashes: dict[str, str], without: tuple[str, ...] = ()) -> None:
        content = self._read()
        kept = {name: noted for name, noted in content.get(_FILES, {}).items() if not name.startswith(without)}
        self._write({**content, _FILES: {**kept, **hashes}})

    def _read(self) -> dict[str, Any]:
        try:
            content = read_object(self._run / MANIFEST)
            return content if all(isinstance(entry, dict) for entry in content.values()) else {}
        except (OSError, ValueError):
            return {}

    def _write(self, content: dict[str, Any]) -> None:
        write_json(self._run / MANIFEST, content)

    def _name(self, path: Path) -> str:
        return path.relative_to(self._run).as_posix()


def file_hash(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _all_files(paths: Iterable[Path]) -> list[Path]:
    found = (path.rglob("*") if path.is_dir() else [path] for path in paths)
    return sorted(path for several in found for path in several if path.is_file())
