"""When a checkpoint is due: by what writing costs, which is measured. Nothing that shapes a result follows from it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

_SHARE = 0.03
"""Of the time, that writing checkpoints may take."""
_TELLING = 1_000_000
"""Bytes from which on writing tells how fast the disk is; below, it takes what opening files takes."""


class Pace:
    """Spaces checkpoints out."""

    def __init__(self, minutes: float, clock: Callable[[], float]) -> None:
        """Begin to work now.

        Args:
            minutes: the least time between two checkpoints; 0: one is always due, whatever it costs.
            clock: seconds of work.
        """
        self._least = minutes * 60
        self._clock = clock
        self._began = self._saved = clock()
        self._spent = 0.0
        """Seconds that checkpoints have taken."""
        self._rate = 0.0
        """Seconds a byte that writing takes, as last measured."""

    def begin(self) -> None:
        """What is to be kept begins only now."""
        self._saved = self._clock()

    def due(self, size: int) -> bool:
        """Whether to write a checkpoint of so many bytes now."""
        now = self._clock()
        if now - self._saved < self._least:
            return False
        return not self._least or self._spent + size * self._rate <= _SHARE * (now - self._began)

    @contextlib.contextmanager
    def writing(self, size: int, *, checkpoint: bool = True) -> Iterator[None]:
        """Measure how long the body takes to put so many bytes on disk, as a checkpoint or something else."""
        began = self._clock()
        yield
        seconds = self._clock() - began
        if size >= _TELLING:
            self._rate = seconds / size
        if checkpoint:
            self._spent += seconds
            self._saved = self._clock()
