"""A folder that a command makes for the user: never on top of something, and whole or not there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from core.errors import InputError
from core.sealing import replace_folder, settle


def make_folder(out: Path, fill: Callable[[Path], None]) -> None:
    """Fill a folder that takes the place of `out` when it is whole; nothing stays behind where that fails.

    Args:
        out: new or empty.
        fill: writes the content into the empty folder that it is given.

    Raises:
        InputError: there is something in `out`, or it can't be written.
    """
    out = out.resolve()  # "." has no name, and a link can't be replaced
    try:
        if out.exists() and (not out.is_dir() or any(out.iterdir())):
            raise InputError(
                f"{out} is there already and is not an empty folder.", hint="Choose a new folder, or empty this one."
            )
        try:
            replace_folder(out, fill)
        except BaseException:
            settle(out)
            raise
    except OSError as error:
        raise InputError(f"{out} can't be written: {error.strerror}.", hint="Choose another folder.") from error
