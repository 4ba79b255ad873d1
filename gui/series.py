"""A curve that grows: numpy arrays with room to spare, and a smoothed companion computed as it grows."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]

DECAY = 0.95
"""Of the moving average: about the last 20 values count."""
_ROOM = 256


class Series:
    """Points in ascending x, in pieces: what was measured of different things is not joined by a line."""

    def __init__(self) -> None:
        self._table = np.empty((3, _ROOM))
        self._length = 0
        self._breaks: list[int] = []
        self._new_piece = False
        self._mean = 0.0
        self._weight = 0.0

    def __len__(self) -> int:
        return self._length

    @property
    def x(self) -> Values:
        """The places, shape (n,)."""
        return self._table[0, : self._length]

    @property
    def y(self) -> Values:
        """The values, shape (n,)."""
        return self._table[1, : self._length]

    @property
    def smoothed(self) -> Values:
        """The exponential moving average within each piece, without its bias to 0 at the start; shape (n,)."""
        return self._table[2, : self._length]

    @property
    def breaks(self) -> tuple[int, ...]:
        """Index of the first point of every piece but the first."""
        return tuple(self._breaks)

    def append(self, x: float, y: float | None) -> None:
        """Add a point; one at a place that its piece has already replaces that and all behind it.

        A value that is missing or not finite is left out.
        """
        if y is None or not math.isfinite(y):
            return
        if self._new_piece:
            self._new_piece = False
            self._mean = self._weight = 0.0
            if self._length:
                self._breaks.append(self._length)
        elif self._length and x <= self._table[0, self._length - 1]:
            self._cut(x)
        self._mean = DECAY * self._mean + (1 - DECAY) * y
        self._weight = DECAY * self._weight + (1 - DECAY)
        self._put(x, y, self._mean / self._weight)

    def begin_piece(self) -> None:
        """Part what follows from what is there."""
        self._new_piece = True

    def _cut(self, x: float) -> None:
        """Forget the last piece's points from this place on."""
        start = self._breaks[-1] if self._breaks else 0
        kept = int(np.searchsorted(self.x[start:], x))
        self._length = start + kept
        self._weight = 1 - DECAY**kept
        self._mean = float(self._table[2, self._length - 1]) * self._weight if kept else 0.0

    def _put(self, x: float, y: float, smooth: float) -> None:
        if self._length == self._table.shape[1]:
            self._table = np.concatenate([self._table, np.empty_like(self._table)], axis=1)
        table, at = self._table, self._length
        table[0, at], table[1, at], table[2, at] = x, y, smooth
        self._length = at + 1
