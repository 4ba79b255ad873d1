"""Folders for what is half made, beside where it will be: what killed processes left goes with the next one there."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from core.errors import InputError
from core.locking import try_lock

_PREFIX = ".monoglot-"
_LOCK = "lock"
_MARK = b"Monoglot's; it can be deleted.\n"


@contextlib.contextmanager
def scratch_beside(target: Path) -> Iterator[Path]:
    """A new folder on the disk of `target`, whose parents are made; it goes, whatever happens.

    Raises:
        InputError: nothing can be written there.
    """
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        for left in target.parent.glob(f"{_PREFIX}*"):
            if _abandoned(left):
                shutil.rmtree(left, ignore_errors=True)
        scratch = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=target.parent))
    except OSError as error:
        raise InputError(f"{target} can't be written: {error.strerror}.", hint="Choose another folder.") from error
    try:
        with _marked(scratch):
            yield scratch
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


@contextlib.contextmanager
def _marked(scratch: Path) -> Iterator[None]:
    """Hold a folder's lock; where the disk knows no locks, the folder stays unmarked and nobody else clears it."""
    with contextlib.ExitStack() as held:
        with contextlib.suppress(OSError):
            lock = held.enter_context(open(scratch / _LOCK, "w+b", buffering=0))
            if try_lock(lock):
                lock.write(_MARK)
        yield


def _abandoned(scratch: Path) -> bool:
    """Whether a process made a folder that has ended since: the mark was written under the lock, which went with it."""
    lock = scratch / _LOCK
    with contextlib.suppress(OSError):
        if not scratch.is_symlink() and lock.is_file() and not lock.is_symlink():
            with open(lock, "r+b") as file:
                return file.read(len(_MARK) + 1) == _MARK and try_lock(file)
    return False
