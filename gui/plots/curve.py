"""How a curve of a plot looks and what it belongs to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from gui.series import Values


@dataclass(frozen=True, slots=True)
class Curve:
    """A curve and its points, for one redraw."""

    name: str
    """Its name on the plot and in an exported table."""
    x: Values
    y: Values
    color: str
    """The name of one of the theme's colours."""
    groups: frozenset[str]
    """What the legend can hide it by: it shows while all of them do."""
    breaks: tuple[int, ...] = ()
    """Index of the first point of every piece but the first: the line joins the points of one piece only."""
    label: str = ""
    """Stands at the line's end, without a line beside each point that has room for it; empty: none."""
    width: float = 2
    opacity: float = 1.0
    dashed: bool = False
    line: bool = True
    symbol: str | None = None
    symbol_size: int = 7
    hollow: bool = False
    """Its points have a rim only."""
    steps: bool = False
    """Each value holds from half a unit before its x to half a unit behind it."""
    filled: bool = False
    """Down to zero."""
    told: bool = True
    """Whether the cross-hair and the table tell its values; a smoothed line's own are not measured."""
    measured: Values | None = None
    """What to tell instead of y, where y is stacked on other values, drawn for the second axis or a power of ten."""
    measured_x: Values | None = None
    """What to tell instead of x, where x is a power of ten."""

    @property
    def look(self) -> tuple[object, ...]:
        """All that isn't its points or its label."""
        drawn = self.color, self.width, self.opacity, self.dashed, self.line, self.steps, self.filled, self.told
        return *drawn, self.symbol, self.symbol_size, self.hollow, self.groups

    @property
    def places(self) -> Values:
        """Where on the x axis they were measured."""
        return self.x if self.measured_x is None else self.measured_x

    @property
    def values(self) -> Values:
        """The values as measured."""
        return self.y if self.measured is None else self.measured

    def nearest(self, x: float, reach: float) -> int | None:
        """Index of the point that stands for this x: the nearest, if the curve is there; None: it isn't."""
        places = self.x
        if not len(places):
            return None
        at = int(np.searchsorted(places, x))
        near = min(range(max(0, at - 1), min(len(places), at + 1)), key=lambda index: abs(places[index] - x))
        inside = self.line and places[0] <= x <= places[-1]
        return near if inside or abs(places[near] - x) <= reach else None


def told_apart(curves: Iterable[Curve]) -> list[Curve]:
    """The curves, those whose name another one has numbered: a plot knows its curves by their names."""
    often: Counter[str] = Counter()
    found = []
    for curve in curves:
        often[curve.name] += 1
        again = often[curve.name]
        found.append(replace(curve, name=f"{curve.name} ({again})") if again > 1 else curve)
    return found


@dataclass(frozen=True, slots=True)
class Key:
    """An entry of the legend: shows and hides every curve of a group."""

    group: str
    text: str
    color: str
    symbol: str | None = None
    dashed: bool = False
    line: bool = True


@dataclass(frozen=True, slots=True)
class Span:
    """A faint band with a name."""

    text: str
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class Area:
    """A band between two lines, behind everything."""

    x: Values
    low: Values
    high: Values
    color: str
    """The name of one of the theme's colours."""


@dataclass(frozen=True, slots=True)
class Note:
    """A short text above a point."""

    text: str
    x: float
    y: float


@dataclass(frozen=True, slots=True)
class Drawing:
    """Everything that a plot shows at one moment."""

    curves: Sequence[Curve] = ()
    keys: Sequence[Key] = ()
    spans: Sequence[Span] = ()
    areas: Sequence[Area] = ()
    notes: Sequence[Note] = ()
    ticks: Sequence[tuple[float, str]] | None = field(default=None)
    """Named places of the x axis, instead of numbers."""
    x_range: tuple[float, float] | None = None
    """Instead of what the curves cover."""
    numbered_to: float | None = None
    """Beyond it the x axis has no numbers; None: to its end."""
    from_zero: bool = False
    """Whether the y axis starts at zero."""
    second: float | None = None
    """How many times larger than they are the second axis' curves are drawn; None: there are none."""
