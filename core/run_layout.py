"""Whether what stands in a run's folder can be what a run put there; asked before a resumed one changes anything."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from core.errors import InputError
from core.run import RunFolder
from core.sealing import MANIFEST

_KINDS = {stat.S_IFREG: "a file", stat.S_IFDIR: "a folder"}


def check_layout(folder: RunFolder) -> None:
    """Refuse a run's folder in which a link would lead elsewhere, or something stands where another thing belongs.

    The folder itself may be a link, and what is in a student or in a stage's model is only read.

    Raises:
        InputError: naming the first of them.
        OSError: the folder can't be looked into.
    """
    for path, wanted in _places(folder):
        try:
            kind = stat.S_IFMT(os.lstat(path).st_mode)
        except FileNotFoundError:
            continue
        if kind == stat.S_IFLNK:
            hint = "Put what it leads to in its place, or move the run's folder as a whole, then resume."
            raise InputError(f"{path} is a link, and a run changes nothing outside its folder.", hint=hint)
        if wanted and kind != wanted:
            found = _KINDS.get(kind, "no file")
            hint = "Move it out of the run's folder, then resume."
            raise InputError(f"{path} is {found}, and a run keeps {_KINDS[wanted]} there.", hint=hint)


def _places(folder: RunFolder) -> Iterator[tuple[Path, int]]:
    """What a run writes, replaces or deletes: the path, and its kind as `stat` tells it; 0 where both will do."""
    own = (folder.recipe, folder.original_recipe, folder.events, folder.status, folder.control, folder.lock)
    made = (folder.results, folder.estimate, folder.origin, folder.report, folder.error_log, folder.path / MANIFEST)
    for path in (*own, *made):
        yield path, stat.S_IFREG
    yield folder.student, stat.S_IFDIR
    yield folder.checkpoint, stat.S_IFDIR
    for parent in (folder.stages, folder.cache):
        yield parent, stat.S_IFDIR
        for path in sorted(parent.iterdir()) if parent.is_dir() else ():
            yield path, stat.S_IFDIR if path.match("[0-9][0-9]-*") else 0
