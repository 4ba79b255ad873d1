"""A power law through measured drops, y = a · x^(−b), and how sure it is. numpy, no torch.

Least squares on the drops themselves, not on their logarithms: a drop is measured with an error in points that is about
as large for small drops as for large ones, and a drop of nothing or below has no logarithm but counts as much.

Intervals are profile intervals: every law counts whose sum of squares exceeds the least one by no more than the share
t²/(n − 2), with t the 97.5 % point of Student's t for n − 2 degrees of freedom (Bates and Watts 1988, *Nonlinear
Regression Analysis and Its Applications*, chapter 6). Resampling five runs would say less: most resamples hold three
or four different ones, and their intervals are too narrow.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from core.analysis.student_t import student_t

_STEEPEST = 12.0
"""Within the runs' volumes no law is looked at that rises or falls by more than a factor of e^12 either way of the
middle: an interval that reaches so far is open."""
_SCAN, _ZOOMS, _HALVINGS = 2001, 5, 40
_BAND_POINTS = 61
_Array = npt.NDArray[np.float64]
Interval = tuple[float, float]


@dataclass(frozen=True, slots=True)
class BandPoint:
    """The law at one volume."""

    volume: float
    drop: float
    low: float
    high: float
    """95 % interval of the law (not of a further run, which also has the spread of single runs about it)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PowerLaw:
    """A fitted law, drop = a · volume^(−b)."""

    a: float
    """The drop at a volume of 1, in points."""
    b: float
    """Above 0: more text, less drop."""
    a_interval: Interval | None
    b_interval: Interval | None
    """None, both of them, where the runs leave it open on a side: they don't settle the law."""
    spread: float
    """Of single runs about the law, in points: the root of the sum of squares over n − 2."""
    band: tuple[BandPoint, ...]
    """From the smallest volume to the largest, evenly on a logarithmic scale; empty where the intervals are open."""

    def at(self, volume: float) -> float:
        """The law's drop at a volume."""
        return float(self.a * volume**-self.b)


def fit_power_law(volumes: Sequence[float], drops: Sequence[float]) -> PowerLaw:
    """Fit the law.

    Args:
        volumes: above 0, in any unit; at least two different ones.
        drops: in points, as many; at least three.

    Raises:
        ValueError: too few of them.
    """
    if len(drops) < 3 or len(set(volumes)) < 2 or min(volumes) <= 0:
        raise ValueError("a law needs three drops, at two different volumes above 0")
    logs = np.log(np.asarray(volumes, dtype=np.float64))
    middle = float(logs.mean())
    scale = float(np.abs(logs - middle).max())
    runs = _Runs((logs - middle) / scale, np.asarray(drops, dtype=np.float64))
    best = runs.best()
    least = float(runs.squares(np.array([best]))[0])
    free = len(drops) - 2
    most = least * (1 + student_t(free) ** 2 / free)
    low, high = runs.edge(best, -1, most), runs.edge(best, 1, most)
    a = float(runs.heights(np.array([best]))[0]) * math.exp(best * middle / scale)
    found = PowerLaw(a=a, b=best / scale, a_interval=None, b_interval=None, spread=math.sqrt(least / free), band=())
    if low is None or high is None:
        return found
    slopes = np.linspace(low, high, _SCAN)
    slopes = np.append(slopes[runs.squares(slopes) <= most], best)
    heights, rooms = runs.heights(slopes), runs.rooms(slopes, most)

    def between(place: float) -> tuple[float, float]:
        """The lowest and the highest law that counts, at a place of the scaled logarithms."""
        rise = np.exp(-slopes * place)
        return float(((heights - rooms) * rise).min()), float(((heights + rooms) * rise).max())

    band = tuple(
        BandPoint(math.exp(log), found.at(math.exp(log)), *between((log - middle) / scale))
        for log in np.linspace(logs.min(), logs.max(), _BAND_POINTS).tolist()
    )
    return replace(found, a_interval=between(-middle / scale), b_interval=(low / scale, high / scale), band=band)


@dataclass(frozen=True, slots=True)
class _Runs:
    """Drops at places: y = height · exp(−slope · place), least squares in the height for every slope."""

    places: _Array
    """Logarithms of the volumes, centred and scaled to at most 1."""
    drops: _Array

    def shapes(self, slopes: _Array) -> _Array:
        """What a height is multiplied by at each place; shape (slopes, runs)."""
        return np.asarray(np.exp(-np.outer(slopes, self.places)))

    def heights(self, slopes: _Array) -> _Array:
        """The height that fits best for each slope."""
        shapes = self.shapes(slopes)
        return np.asarray(shapes @ self.drops / (shapes**2).sum(1))

    def squares(self, slopes: _Array) -> _Array:
        """The sum of squares for each slope, its height the best."""
        left = self.drops - self.heights(slopes)[:, None] * self.shapes(slopes)
        return np.asarray((left**2).sum(1))

    def rooms(self, slopes: _Array, most: float) -> _Array:
        """How far each slope's height may be from its best without exceeding a sum of squares."""
        free = np.maximum(most - self.squares(slopes), 0)
        return np.asarray(np.sqrt(free / (self.shapes(slopes) ** 2).sum(1)))

    def best(self) -> float:
        """The slope with the least sum of squares."""
        centre, reach = 0.0, _STEEPEST
        for _ in range(_ZOOMS):
            slopes = np.linspace(max(-_STEEPEST, centre - reach), min(_STEEPEST, centre + reach), _SCAN)
            centre = float(slopes[self.squares(slopes).argmin()])
            reach *= 4 / _SCAN
        return centre

    def edge(self, best: float, side: int, most: float) -> float | None:
        """The farthest slope on one side whose sum of squares is at most so large; None where there is no end."""
        slopes = np.linspace(best, side * _STEEPEST, _SCAN)
        within = np.flatnonzero(self.squares(slopes) <= most)
        last = int(within[-1]) if len(within) else 0
        if last == len(slopes) - 1:
            return None
        inside, outside = float(slopes[last]), float(slopes[last + 1])
        for _ in range(_HALVINGS):
            half = (inside + outside) / 2
            if float(self.squares(np.array([half]))[0]) <= most:
                inside = half
            else:
                outside = half
        return inside
