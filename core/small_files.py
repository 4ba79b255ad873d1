"""Files that are read whole, whoever wrote them: within a bound, and never from what is no file. No torch."""

from __future__ import annotations

import errno
import json
import math
import os
import stat
from io import BufferedReader
from pathlib import Path
from typing import Any, BinaryIO

_NO_LINK, _NO_WAIT, _BINARY = (getattr(os, name, 0) for name in ("O_NOFOLLOW", "O_NONBLOCK", "O_BINARY"))
MOST_BYTES = 32 * 2**20
"""Of a file that is read whole, unless its reader knows better; in memory it may become thirty times as much."""


def open_file(path: Path) -> BufferedReader:
    """Open a file to read it.

    Raises:
        OSError: it can't be read, or is no file: a pipe would keep its reader waiting, a device has no end.
        ValueError: no file can have this name.
    """
    mode = os.stat(path).st_mode
    if not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, "it is a folder" if stat.S_ISDIR(mode) else "it is no file", str(path))
    return open(path, "rb")


def open_own(path: Path) -> BinaryIO:
    """Open a file of a run to add to it and read it; made where it isn't there.

    Raises:
        OSError: it can't be written, or it is a link, which could lead anywhere, or no file.
    """
    # Without waiting: a pipe has nobody at its other end.
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | _NO_LINK | _NO_WAIT | _BINARY, 0o666)
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise OSError(errno.EINVAL, "it is no file", str(path))
        return os.fdopen(handle, "a+b", buffering=0)
    except BaseException:
        os.close(handle)
        raise


def read_bytes(path: Path, most: int = MOST_BYTES) -> bytes:
    """A file's content.

    Raises:
        OSError, ValueError: as `open_file`, and where it holds more than `most` bytes.
    """
    with open_file(path) as file:
        content = file.read(most + 1)
    if len(content) > most:
        raise ValueError(f"it holds more than {most / 2**20:.0f} MB")
    return content


def read_text(path: Path, most: int = MOST_BYTES) -> str:
    """A file's content as text, with or without the byte-order mark that some editors begin a file with.

    Raises:
        OSError, ValueError: as `read_bytes`; UnicodeDecodeError, which is a ValueError, where it is no UTF-8.
    """
    return read_bytes(path, most).decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")


def read_json(path: Path, most: int = MOST_BYTES) -> Any:
    """A file's JSON.

    Raises:
        OSError, ValueError: as `read_text`, and as `parse_json`.
    """
    return parse_json(read_text(path, most))


def read_object(path: Path, most: int = MOST_BYTES) -> dict[str, Any]:
    """A file's JSON object.

    Raises:
        OSError, ValueError: as `read_json`, or it holds something else.
    """
    return _object(read_json(path, most))


def read_numbers(path: Path) -> dict[str, Any]:
    """A file's JSON object, as `core.sealing` writes it: every number in it can be counted with.

    Raises:
        OSError, ValueError: as `read_object`, or it holds NaN, Infinity or a number that is too large for a float.
    """
    return _object(parse_json(read_text(path), finite=True))


def parse_json(text: str | bytes, *, finite: bool = False) -> Any:
    """What a JSON text holds.

    Raises:
        ValueError: it is none, nests too deeply, or holds a number of thousands of digits; where it is to be `finite`,
            a number that isn't.
    """
    try:
        if finite:
            return json.loads(text, parse_int=_whole, parse_float=_finite, parse_constant=_finite)
        return json.loads(text)
    except RecursionError:
        raise ValueError("it nests too deeply") from None


def _object(content: Any) -> dict[str, Any]:
    if not isinstance(content, dict):
        raise ValueError("it is not a JSON object")
    return content


def _finite(written: str) -> float:
    number = float(written)
    if not math.isfinite(number):
        raise ValueError(f"it holds {written[:20]}, which is no number to count with")
    return number


def _whole(written: str) -> int:
    _finite(written)
    return int(written)
