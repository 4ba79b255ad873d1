"""The file that a run's events are appended to."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from core.events import Event, to_record


class EventLog:
    """Appends to events.jsonl and cuts it back to a known point."""

    def __init__(self, path: Path) -> None:
        self._file = open(path, "ab", buffering=0)  # noqa: SIM115 (closed by `close`)

    def append(self, event: Event, t: float) -> None:
        """Write one line.

        Raises:
            OSError: there is no room for it; nothing of it is left.
        """
        line, end = _line(to_record(event, t)), self._file.seek(0, os.SEEK_END)
        try:
            written = self._file.write(line)
        except OSError:
            self._file.truncate(end)
            raise
        if written != len(line):  # what fits on a disk that is full now
            self._file.truncate(end)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def flush(self) -> int:
        """Make sure everything is on disk; returns the log's length in bytes."""
        os.fsync(self._file.fileno())
        return self._file.seek(0, os.SEEK_END)

    def cut(self, length: int) -> None:
        """Forget every event after the first `length` bytes."""
        self._file.truncate(length)

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _line(record: Mapping[str, Any]) -> bytes:
    # A file's name may hold bytes that are no UTF-8; JSON can spell out what stands for them.
    return (json.dumps(record, ensure_ascii=False) + "\n").encode(errors="backslashreplace")
