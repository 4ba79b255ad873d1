"""A folder that a command makes for the user: never on top of something, and whole or not there."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from core.errors import InputError
from core.sealing import replace_folder, settle


def free_place(out: Path) -> Path:
    """Where a folder that is new or empty lies: "." has no name, and a link can't be replaced.

    Raises:
        InputError: there is something in `out`, it is a link to nothing, or it can't be read.
    """
    try:
        if out.is_symlink() and not out.exists():
            raise InputError(f"{out} is a link that leads nowhere.", hint="Choose a new folder, or remove the link.")
        place = Path(os.path.realpath(out))  # Path's own raises where links lead in a circle
        if place.exists() and (not place.is_dir() or any(place.iterdir())):
            raise InputError(
                f"{out} is there already and is not an empty folder.", hint="Choose a new folder, or empty this one."
            )
    except OSError as error:
        raise InputError(f"{out} can't be read: {error.strerror}.", hint="Choose another folder.") from error
    return place


def make_folder(out: Path, fill: Callable[[Path], None]) -> None:
    """Fill a folder that takes the place of `out` when it is whole; nothing stays behind where that fails.

    Args:
        out: new or empty.
        fill: writes the content into the empty folder that it is given.

    Raises:
        InputError: there is something in `out`, or it can't be written.
    """
    out = free_place(out)
    try:
        try:
            replace_folder(out, fill)
        except BaseException:
            settle(out)
            raise
    except OSError as error:
        raise InputError(f"{out} can't be written: {error.strerror}.", hint="Choose another folder.") from error
