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
    """Points in ascending x; a gap (y = NaN) parts what doesn't belong together."""

    def __init__(self) -> None:
        self._table = np.empty((3, _ROOM))
        self._length = 0
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
        """The values, shape (n,); NaN is a gap."""
        return self._table[1, : self._length]

    @property
    def smoothed(self) -> Values:
        """The values' exponential moving average since the last gap, without its bias to 0 at the start; shape (n,)."""
        return self._table[2, : self._length]

    def append(self, x: float, y: float | None) -> None:
        """Add a point; one at a place that is there already replaces it and all behind it.

        A value that is missing or not finite is left out.
        """
        if y is None or not math.isfinite(y):
            return
        if self._length and x <= self._table[0, self._length - 1] and not self._ends_with_gap():
            self.cut(x)
        self._mean = DECAY * self._mean + (1 - DECAY) * y
        self._weight = DECAY * self._weight + (1 - DECAY)
        self._put(x, y, self._mean / self._weight)

    def gap(self) -> None:
        """Part what follows from what is there."""
        if self._length and not self._ends_with_gap():
            self._mean = self._weight = 0.0
            self._put(float(self._table[0, self._length - 1]), math.nan, math.nan)

    def cut(self, x: float) -> None:
        """Forget the points from this place on."""
        self._length = int(np.searchsorted(self.x, x))
        gaps = np.flatnonzero(np.isnan(self.y))
        since = self._length - (int(gaps[-1]) + 1 if len(gaps) else 0)
        self._weight = 1 - DECAY**since
        self._mean = float(self._table[2, self._length - 1]) * self._weight if since else 0.0

    def _ends_with_gap(self) -> bool:
        return math.isnan(self._table[1, self._length - 1])

    def _put(self, x: float, y: float, smooth: float) -> None:
        if self._length == self._table.shape[1]:
            self._table = np.concatenate([self._table, np.empty_like(self._table)], axis=1)
        table, at = self._table, self._length
        table[0, at], table[1, at], table[2, at] = x, y, smooth
        self._length = at + 1
