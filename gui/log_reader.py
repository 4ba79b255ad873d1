"""Reads a run's growing log, line by line."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

from core.event_log import LONGEST_LINE, from_line
from core.events import Event
from core.small_files import open_file


class LogReader:
    """Reads what was appended to events.jsonl since the last look, and notices when the log was cut back."""

    def __init__(self) -> None:
        self._offset = 0
        self._tail = b""
        """The last line read: after a cut something else stands in its place."""
        self._within = False
        """Whether what comes next is the rest of a line that is too long."""

    def read(self, path: Path, most: int) -> tuple[bool, list[tuple[float, Event]]]:
        """Whether the log was cut back, and the next whole events (after a cut: from the beginning)."""
        try:
            with open_file(path) as file:
                cut = self._cut(file)
                if cut:
                    self._offset, self._tail, self._within = 0, b"", False
                file.seek(self._offset)
                return cut, self._lines(file, most)
        except OSError:
            return False, []

    def _cut(self, file: BinaryIO) -> bool:
        if not self._tail:
            return False
        file.seek(self._offset - len(self._tail))
        return file.read(len(self._tail)) != self._tail

    def _lines(self, file: BinaryIO, most: int) -> list[tuple[float, Event]]:
        events: list[tuple[float, Event]] = []
        while len(events) < most:
            line = file.readline(LONGEST_LINE)
            ended = line.endswith(b"\n")
            if not ended and len(line) < LONGEST_LINE:
                break
            self._offset += len(line)
            self._tail = line
            event = from_line(line) if ended and not self._within else None
            self._within = not ended
            if event is not None:
                events.append(event)
        return events
