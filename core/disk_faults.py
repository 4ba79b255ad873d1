"""What a disk can do to a run, in words: full, not writable, gone."""

from __future__ import annotations

import contextlib
import errno
import os
import re
from collections.abc import Iterator
from pathlib import Path

from core.errors import InputError

_FULL = {errno.ENOSPC, errno.EDQUOT}
_NOT_WRITABLE = {errno.EROFS, errno.EACCES, errno.EPERM}
_BROKEN = {errno.EIO, errno.ENXIO, errno.ENODEV, errno.ESTALE}
_WINDOWS_FULL = 112
_TOLD = re.compile(r"\(os error (\d+)\)")
"""How safetensors and tokenizers spell out the system's number: theirs are no OSErrors."""

_SAFE = "nothing finished is lost"


@contextlib.contextmanager
def in_words(folder: Path) -> Iterator[None]:
    """A fault of the disk that a run's folder is on is an `InputError`."""
    try:
        yield
    except Exception as error:
        told = disk_fault(error, folder)
        if told is None:
            raise
        raise told from error


def disk_fault(error: Exception, folder: Path) -> InputError | None:
    """What to tell of an error that the disk is the reason of; None where it isn't, or is told already.

    Args:
        error: any.
        folder: the run's.
    """
    if isinstance(error, InputError):
        return None
    number = error.errno if isinstance(error, OSError) else _spelt_out(error)
    if number is None:
        return None
    if number in _FULL or (os.name == "nt" and number == _WINDOWS_FULL):
        return InputError("The disk is full.", hint=f"Free some space and resume: {_SAFE}.")
    if number == errno.EFBIG:
        hint = f"Raise the limit, or move {folder} to another kind of disk, and resume: {_SAFE}."
        return InputError("The disk takes no file as large as one that the run needs.", hint=hint)
    if not folder.is_dir():
        return InputError(f"The run folder {folder} is gone.", hint="Bring it back and resume, or start a new run.")
    place = _named(error, folder)
    if number in _NOT_WRITABLE:
        hint = f"Make it writable and resume: {_SAFE}."
        return InputError(f"{place} can't be written or read: {os.strerror(number)}.", hint=hint)
    if number in _BROKEN:
        hint = f"Check the disk and its cable, then resume: {_SAFE}."
        return InputError(f"The disk failed at {place}: {os.strerror(number)}.", hint=hint)
    return None


def _spelt_out(error: Exception) -> int | None:
    found = _TOLD.search(str(error))
    return int(found[1]) if found else None


def _named(error: Exception, folder: Path) -> Path:
    named = error.filename if isinstance(error, OSError) else None
    return Path(os.fsdecode(named)) if isinstance(named, (str, bytes)) else folder
