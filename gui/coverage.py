"""How much of a text a vocabulary of each size covers, as measured at some sizes. No Qt."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gui.series import Values

_DIGITS = 2
"""Of a size that is pointed at: a pixel is no more exact."""
_MANTISSAS = (1, 2, 5)


class CoverageCurve:
    """Coverage against size, joined by straight lines over the size's logarithm."""

    def __init__(self, points: Sequence[Sequence[float]]) -> None:
        """`points`: size and covered share, 0-1, ascending."""
        self.sizes: Values = np.array([size for size, _ in points], dtype=float)
        self.shares: Values = np.array([share for _, share in points], dtype=float)
        self.places: Values = np.log10(self.sizes)
        """The sizes' logarithms, which the plot is drawn over."""

    @property
    def smallest(self) -> int:
        """The fewest tokens that a vocabulary can have."""
        return int(self.sizes[0])

    @property
    def largest(self) -> int:
        """Every token that occurs: more cover nothing more."""
        return int(self.sizes[-1])

    def share_at(self, size: float) -> float:
        """The share that so many tokens cover; outside the curve, that of its end."""
        return float(np.interp(np.log10(max(size, 1)), self.places, self.shares))

    def size_at(self, place: float) -> int:
        """The size at a place of the logarithmic axis: a round number, or an end of the curve."""
        if place <= self.places[0]:
            return self.smallest
        if place >= self.places[-1]:
            return self.largest
        size = 10.0**place
        unit = int(10 ** max(0, np.floor(np.log10(size)) - _DIGITS + 1))
        return min(max(round(size / unit) * unit, self.smallest), self.largest)

    def round_sizes(self) -> list[int]:
        """1, 2 and 5 times the powers of ten that lie on the curve."""
        powers = range(int(self.places[0]), int(self.places[-1]) + 1)
        sizes = [mantissa * 10**power for power in powers for mantissa in _MANTISSAS]
        return [size for size in sizes if self.smallest <= size <= self.largest]
