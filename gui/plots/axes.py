"""Axes whose numbers are written in the user's locale, with their unit in the title."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from itertools import pairwise

import pyqtgraph as pg

from core.export.drawing import Axis, LogAxis
from gui.text import count, number, parameters

_APART = (52, 26)
"""Pixels between two ticks at least, where their words stand beside each other and where under each other."""
_ROOM, _BEYOND = 0.08, 0.12
"""Shares of an extent: around points, and from the least of them to one that has no logarithm."""
_PREFIXES = ((1e9, "G"), (1e6, "M"), (1e3, "k"))
_SMALLEST, _LARGEST = -12.0, 15.0
"""Powers of ten that an axis goes to, however far it is zoomed out."""


class NumberAxis(pg.AxisItem):
    """An axis that writes its ticks with a function of ours, never with a factor in its title."""

    def __init__(self, side: str, title: str, write: Callable[[float, float], str]) -> None:
        """`write` turns a value and the distance of two ticks into words."""
        super().__init__(side)
        self._write = write
        self.end = math.inf
        """Beyond it there is nothing but labels: no ticks' words."""
        self.enableAutoSIPrefix(False)
        self.setLabel(title)
        self.setStyle(hideOverlappingLabels=True, autoExpandTextSpace=True, maxTickLevel=0)

    def resizeEvent(self, event: object = None) -> None:
        """Place the title whole: the base class lets some pixels of it hang out of the plot."""
        super().resizeEvent(event)
        if self.orientation == "bottom" and self.label is not None:
            self.label.setY(self.size().height() - self.label.boundingRect().height())

    def tickStrings(self, values: list[float], scale: float, spacing: float) -> list[str]:
        """The ticks' words; on a logarithmic axis the values are exponents."""
        if self.logMode:
            return [self._write(10.0**value, 10.0**value) for value in values]
        return [self._write(value * scale, spacing * scale) if value <= self.end else "" for value in values]


class PowersAxis(NumberAxis):
    """An axis whose places are powers of ten; it writes what they stand for, at round numbers."""

    def tickValues(self, low: float, high: float, size: float) -> list[tuple[float, list[float]]]:
        """The places of round numbers, of one level."""
        ends = [power(place) for place in sorted((low, high))]
        apart = _APART[self.orientation in ("left", "right")]
        wanted = max(2, round(size / apart))
        axis = LogAxis(*ends, 0, size)
        ticks = axis.ticks(wanted)
        while wanted > 2 and any(axis(after) - axis(tick) < apart for tick, after in pairwise(ticks)):
            wanted -= 1
            ticks = axis.ticks(wanted)
        if len(ticks) < 2:  # within a decade, and between its round numbers
            ticks = Axis(*ends, 0, size).ticks(wanted)
        return [(1.0, [math.log10(tick) for tick in ticks])]

    def tickStrings(self, values: list[float], scale: float, spacing: float) -> list[str]:
        """What the places stand for."""
        numbers = [(place, round(power(place), 9)) for place in values]
        return [self._write(number, number) if place <= self.end else "" for place, number in numbers]


class SecondAxis(NumberAxis):
    """An axis on the right for curves that are drawn larger or smaller than they are: it writes what they are."""

    def __init__(self, title: str, write: Callable[[float, float], str]) -> None:
        super().__init__("right", title, self._unscaled)
        self._plain = write
        self.factor = 1.0
        """How many times larger than they are its curves are drawn."""

    def set_factor(self, factor: float) -> None:
        """Say how many times larger than they are the curves are drawn."""
        if factor != self.factor:
            self.factor = factor
            self.picture = None  # the ticks stay where they are, only their words change
            self.update()

    def _unscaled(self, value: float, spacing: float) -> str:
        return self._plain(value / self.factor, spacing / self.factor)


def power(place: float) -> float:
    """What a place of such an axis stands for."""
    return 10.0 ** min(max(place, _SMALLEST), _LARGEST)


def log_or(value: float, otherwise: float) -> float:
    """The place of a value on such an axis; `otherwise` where it has none."""
    return math.log10(value) if value > 0 else otherwise


def beyond(values: Iterable[float]) -> float:
    """The place for values that have none on such an axis: a little below the least of those that have one."""
    logs = [math.log10(value) for value in values if value > 0] or [0.0]
    return min(logs) - max(_BEYOND * (max(logs) - min(logs)), _BEYOND)


def with_room(places: Iterable[float]) -> tuple[float, float]:
    """From where to where an axis goes that has room around these places."""
    found = list(places)
    room = (max(found) - min(found)) * _ROOM or 0.1
    return min(found) - room, max(found) + room


def steps(value: float, _: float) -> str:
    """Training steps: 20,000."""
    return count(round(value)) if abs(value - round(value)) < 1e-6 and value >= 0 else ""


def plain(value: float, spacing: float) -> str:
    """A number with as many decimals as its distance to the next needs."""
    digits = next((digits for digits in range(4) if abs(spacing * 10**digits - round(spacing * 10**digits)) < 1e-6), 4)
    return number(value, digits)


def short(value: float, spacing: float) -> str:
    """A large number with its SI prefix and as many decimals as its distance to the next needs: 20 M."""
    unit, prefix = next(((unit, prefix) for unit, prefix in _PREFIXES if abs(value) >= unit * 0.99995), (1.0, ""))
    return f"{plain(value / unit, spacing / unit)} {prefix}".rstrip()


def millions(value: float, _: float) -> str:
    """Parameters: 15.0 M."""
    return parameters(value) if value >= 0 else ""
