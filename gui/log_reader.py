"""Reads a run's growing log, line by line."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import IO

from core.events import Event, from_record


class LogReader:
    """Reads what was appended to events.jsonl since the last look, and notices when the log was cut back."""

    def __init__(self) -> None:
        self._offset = 0
        self._tail = b""
        """The last line read: after a cut something else stands in its place."""

    def read(self, path: Path, most: int) -> tuple[bool, list[tuple[float, Event]]]:
        """Whether the log was cut back, and the next whole events (after a cut: from the beginning)."""
        try:
            with open(path, "rb") as file:
                cut = self._cut(file)
                if cut:
                    self._offset, self._tail = 0, b""
                file.seek(self._offset)
                return cut, self._lines(file, most)
        except OSError:
            return False, []

    def _cut(self, file: IO[bytes]) -> bool:
        if not self._tail:
            return False
        file.seek(self._offset - len(self._tail))
        return file.read(len(self._tail)) != self._tail

    def _lines(self, file: IO[bytes], most: int) -> list[tuple[float, Event]]:
        events: list[tuple[float, Event]] = []
        while len(events) < most:
            line = file.readline()
            if not line.endswith(b"\n"):
                break
            self._offset += len(line)
            self._tail = line
            with contextlib.suppress(ValueError, KeyError, TypeError, AttributeError, RecursionError):
                record = json.loads(line)
                event = from_record(record)
                if event is not None:
                    events.append((float(record["t"]), event))
        return events
