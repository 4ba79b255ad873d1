"""The file that a run's events are appended to, and its lines read back."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from core.events import Event, from_record, to_record
from core.secrets import without_secrets
from core.small_files import open_own, parse_json

LONGEST_LINE = 2**20
"""Bytes; a longer one is no event of ours, and is passed over piece by piece."""


class EventLog:
    """Appends to events.jsonl and cuts it back to a known point."""

    def __init__(self, path: Path) -> None:
        self._file = open_own(path)

    def append(self, event: Event, t: float) -> None:
        """Write one line, or nothing of it.

        Raises:
            OSError: it can't be written.
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

    def cut(self, length: int) -> bool:
        """Forget every event after the first `length` bytes; whether so many were there.

        A log that lost its end goes on behind what is left of it, in a line of its own.
        """
        there = self._file.seek(0, os.SEEK_END)
        left = max(0, min(length, there))  # a longer one would be filled up with zeros
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


def lines_of(file: BinaryIO) -> Iterator[bytes]:
    """The lines of a log, but for those that are too long; the last may be cut off."""
    within = False
    while line := file.readline(LONGEST_LINE):
        ended = line.endswith(b"\n") or len(line) < LONGEST_LINE
        if ended and not within:
            yield line
        within = not ended


def from_line(line: bytes) -> tuple[float, Event] | None:
    """A line's event with its time, in seconds of work; None where it holds none that this version knows.

    Bytes, as a line that a full disk cut off may end inside a letter.
    """
    try:
        record = parse_json(line)
        event = from_record(record)
        return None if event is None else (float(record["t"]), event)
    except (ValueError, LookupError, TypeError, AttributeError, OverflowError):
        return None


def _line(record: Mapping[str, Any]) -> bytes:
    # A file's name may hold bytes that are no UTF-8; JSON can spell out what stands for them.
    return (without_secrets(json.dumps(record, ensure_ascii=False)) + "\n").encode(errors="backslashreplace")
