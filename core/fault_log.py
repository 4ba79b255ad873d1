"""Where the traceback of a fault of ours goes: nobody reads one on a terminal or in a window."""

from __future__ import annotations

import contextlib
import os
import shlex
import sys
import time
import traceback
from pathlib import Path

from core.errors import Fault
from core.secrets import without_secrets
from core.small_files import open_own


def log_own_fault(folder: Path | None = None) -> Fault:
    """Append the traceback of the exception being handled to a log; returns what to tell the user.

    Args:
        folder: the run's, which then holds the log; otherwise, or where it can't, it is among the user's logs.
    """
    import appdirs

    trace = f"{time.strftime('%Y-%m-%d %H:%M:%S')} monoglot {shlex.join(sys.argv[1:])}\n{traceback.format_exc()}\n"
    trace = without_secrets(trace)
    places = [Path(appdirs.user_log_dir("monoglot", False)) / "error.log"]
    if folder is not None and os.path.isfile(folder / "recipe.original.toml"):
        places.insert(0, folder / "error.log")
    for place in places:
        with contextlib.suppress(OSError):
            place.parent.mkdir(parents=True, exist_ok=True)
            with open_own(place) as file:
                file.write(trace.encode(errors="backslashreplace"))
            return Fault(
                "Something went wrong inside Monoglot; this is not your fault.", f"The details are in {place}."
            )
    return Fault("Something went wrong inside Monoglot, and no log can be written.", trace)
