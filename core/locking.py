"""Locks on open files, which the system frees however their process ends."""

from __future__ import annotations

import errno
import sys
from typing import IO, Any

_HELD = (errno.EACCES, errno.EAGAIN, errno.EDEADLK)


def try_lock(file: IO[Any], *, shared: bool = False) -> bool:
    """Lock a file without waiting, until it is closed; whether nobody else holds it.

    Another opening of the same file counts as somebody else, in the same process too. Only who takes part is kept
    out: the content can be read and written regardless.

    Args:
        file: open for reading and writing.
        shared: let others have it shared too. Windows' own open files have no such lock: nothing is done there, as
            an open file can't be moved or deleted anyway.

    Raises:
        OSError: the file system has no locks.
    """
    try:
        if sys.platform == "win32":
            import msvcrt

            if not shared:
                file.seek(1 << 20)  # a byte far behind the content, which stays readable
                msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno not in _HELD:
            raise
        return False
    return True
