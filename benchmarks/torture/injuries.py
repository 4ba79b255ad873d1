"""What happens to files: cut short, a bit flipped, filled with garbage, gone, from another time. No torch."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

Injury = Callable[[Path], None]

_YEAR = 365.25 * 86_400
GARBAGE = b'\x00\xff{"t": 1, "type": \xc5 [[[ \r\n\x1b[2J not what was written \x00'


def cut_in_half(path: Path) -> None:
    """Only the first half of a file is left."""
    os.truncate(path, path.stat().st_size // 2)


def empty(path: Path) -> None:
    """Nothing of a file's content is left."""
    os.truncate(path, 0)


def flip_a_bit(path: Path) -> None:
    """One bit behind the middle of the file is another one."""
    with open(path, "r+b") as file:
        where = int(0.6 * (path.stat().st_size - 1))
        file.seek(where)
        byte = file.read(1)[0]
        file.seek(where)
        file.write(bytes([byte ^ 0b100]))


def fill_with_garbage(path: Path) -> None:
    """Something else stands in the file."""
    path.write_bytes(GARBAGE)


def append_garbage(path: Path) -> None:
    """Something stands behind what was written, without an end of its line."""
    with open(path, "ab") as file:
        file.write(GARBAGE)


def zero_the_end(path: Path) -> None:
    """The second half is zeros, as some file systems leave it when the power goes."""
    size = path.stat().st_size
    os.truncate(path, size // 2)
    os.truncate(path, size)


def remove(path: Path) -> None:
    """The file, or the folder with all that is in it, is gone."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()


def move_away(path: Path, outside: Path) -> None:
    """The file or folder (an empty one where there is none) lies outside, and a link to it stands in its place."""
    path.parent.mkdir(exist_ok=True)
    if path.exists():
        path.rename(outside)
    else:
        outside.mkdir()
    path.symlink_to(outside)


def date(folder: Path, years: float) -> None:
    """Every file was last changed so many years from now."""
    when = max(0.0, time.time() + years * _YEAR)
    for path in (folder, *folder.rglob("*")):
        os.utime(path, (when, when))
