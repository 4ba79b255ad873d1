"""The file that a run's events are appended to."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from core.events import Event, to_record


class EventLog:
    """Appends to events.jsonl and cuts it back to a known point."""

    def __init__(self, path: Path) -> None:
        self._file = open(path, "a+b", buffering=0)  # noqa: SIM115 (closed by `close`)

    def append(self, event: Event, t: float) -> None:
        """Write one line."""
        self._file.write(_line(to_record(event, t)))

    def flush(self) -> int:
        """Make sure everything is on disk; returns the log's length in bytes."""
        os.fsync(self._file.fileno())
        return self._file.seek(0, os.SEEK_END)

    def cut(self, length: int) -> bool:
        """Forget every event after the first `length` bytes; whether so many were there.

        A log that lost its end goes on behind what is left of it, in a line of its own.
        """
        there = self._file.seek(0, os.SEEK_END)
        left = min(length, there)  # a longer one would be filled up with zeros
        self._file.truncate(left)
        if left and self._last_byte(left) != b"\n":
            self._file.write(b"\n")
        return there >= length

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _last_byte(self, length: int) -> bytes:
        self._file.seek(length - 1)
        return self._file.read(1)


def _line(record: Mapping[str, Any]) -> bytes:
    # A file's name may hold bytes that are no UTF-8; JSON can spell out what stands for them.
    return (json.dumps(record, ensure_ascii=False) + "\n").encode(errors="backslashreplace")
