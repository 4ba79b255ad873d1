"""Points, with lines and bands through them, on linear or logarithmic axes, as inline SVG (see `core.export.plots`)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from core.export.drawing import (
    BOTTOM,
    HEIGHT,
    LEFT,
    RIGHT,
    TOP,
    WIDTH,
    Axis,
    Point,
    axis_for,
    drawing,
    grid,
    label_at,
    shown,
)
from core.wording import clean, shortened

_LETTER, _LINE = 6.2, 13.0
"""Width and height of a label's letters, about."""
_LONGEST = 22
"""Letters of a label; the whole of it is in the point's tooltip."""
_RADIUS = 4.5
_SIDES = ((8, 0, 0), (-8, 0, 1), (0, -13, 0.5), (0, 13, 0.5), (5, -11, 0), (5, 11, 0), (-5, -11, 1), (-5, 11, 1))
"""Where a label may stand: how far from its point across and down, and which share of it lies to the left of there."""
_Box = tuple[float, float, float, float]
"""Left, top, right and bottom of what something covers."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A point; `colour` is a CSS variable's name."""

    x: float
    y: float
    label: str
    """Beside it, where there is room; empty: none."""
    told: str
    """Its tooltip."""
    colour: str
    hollow: bool = False
    """Told apart by more than its colour."""
    x_ends: tuple[float, float] | None = None
    """From where to where x may be, where it isn't known exactly."""


@dataclass(frozen=True, slots=True)
class Trace:
    """A line through the plot."""

    label: str
    points: Sequence[tuple[float, float]]
    colour: str
    dashed: bool = False


@dataclass(frozen=True, slots=True)
class Area:
    """A band: x, and from where to where it goes."""

    label: str
    points: Sequence[tuple[float, float, float]]
    colour: str


def point_plot(
    title: str,
    x_label: str,
    y_label: str,
    marks: Sequence[Mark],
    *,
    traces: Sequence[Trace] = (),
    areas: Sequence[Area] = (),
    log_x: bool = False,
    log_y: bool = False,
) -> str:
    """A plot of points.

    A value that a logarithmic axis can't show stands as a small triangle at the edge that it lies beyond.

    Args:
        title, x_label, y_label: words for the plot and its axes.
        marks: the points; they and the traces give the axes their extent.
        traces, areas: what is drawn behind the points.
        log_x, log_y: which axes are logarithmic.

    Returns:
        An <svg> element; empty text where there is no point.
    """
    if not marks:
        return ""
    x_values = [value for mark in marks for value in (mark.x, *(mark.x_ends or ()))]
    y_values = [mark.y for mark in marks]
    x = axis_for([*x_values, *(p[0] for t in traces for p in t.points)], LEFT, WIDTH - RIGHT, log=log_x)
    y = axis_for([*y_values, *(p[1] for t in traces for p in t.points)], HEIGHT - BOTTOM, TOP, log=log_y)
    parts = [*grid(x, y, x_label, y_label)]
    parts += [_area(area, x, y) for area in areas]
    parts += [_trace(trace, x, y) for trace in traces]
    places = [_place(mark, x, y) for mark in marks]
    parts += [_mark(mark, place, x) for mark, place in zip(marks, places, strict=True)]
    parts += _labels(marks, places, [box for trace in traces for box in _boxes(_path(trace, x, y))])
    return drawing(title, parts, description="; ".join(mark.told for mark in marks))


@dataclass(frozen=True, slots=True)
class _Place:
    x: float
    y: float
    beyond: str
    """Beyond which edge the point really lies: "left", "below", or empty."""


def _place(mark: Mark, x: Axis, y: Axis) -> _Place:
    if not x.shows(mark.x):
        return _Place(LEFT + _RADIUS, y(mark.y) if y.shows(mark.y) else HEIGHT - BOTTOM - _RADIUS, "left")
    if not y.shows(mark.y):
        return _Place(x(mark.x), HEIGHT - BOTTOM - _RADIUS, "below")
    return _Place(x(mark.x), y(mark.y), "")


def _mark(mark: Mark, place: _Place, x: Axis) -> str:
    fill = "var(--card)" if mark.hollow else f"var({mark.colour})"
    looks = f'fill="{fill}" stroke="var({mark.colour})" stroke-width="2"'
    told = f"<title>{shown(mark.told)}</title>"
    if place.beyond:
        tip, side = (-_RADIUS, 0.0) if place.beyond == "left" else (0.0, _RADIUS)
        corners = ((tip, side), (-tip + side, -side - tip), (-tip - side, -side + tip))
        points = " ".join(f"{place.x + across:.1f},{place.y + down:.1f}" for across, down in corners)
        return f'<polygon points="{points}" {looks}>{told}</polygon>'
    span = ""
    if mark.x_ends is not None:
        low, high = (x(end) for end in mark.x_ends)
        span = f'<path class="raw" d="M{low:.1f} {place.y:.1f} H{high:.1f}" stroke="var({mark.colour})"/>'
    return f'{span}<circle cx="{place.x:.1f}" cy="{place.y:.1f}" r="{_RADIUS}" {looks}>{told}</circle>'


def _trace(trace: Trace, x: Axis, y: Axis) -> str:
    path = _path(trace, x, y)
    line = " L".join(f"{across:.1f} {down:.1f}" for across, down in path)
    dash = ' stroke-dasharray="6 4"' if trace.dashed else ""
    told = f"<title>{shown(trace.label)}</title>"
    return f'<path class="line" d="M{line}" stroke="var({trace.colour})"{dash}>{told}</path>' if path else ""


def _path(trace: Trace, x: Axis, y: Axis) -> list[Point]:
    """Where a line goes on the drawing."""
    return [(x(p[0]), _inside(y(p[1]))) for p in trace.points if x.shows(p[0]) and y.shows(p[1])]


def _boxes(path: Sequence[Point]) -> Iterator[_Box]:
    """What a line covers, in pieces."""
    for (x0, y0), (x1, y1) in pairwise(path):
        pieces = max(1, math.ceil(math.hypot(x1 - x0, y1 - y0) / _RADIUS))
        for piece in range(pieces + 1):
            across, down = x0 + (x1 - x0) * piece / pieces, y0 + (y1 - y0) * piece / pieces
            yield across - 1, down - 1, across + 1, down + 1


def _area(area: Area, x: Axis, y: Axis) -> str:
    """A band, cut off where it leaves the plot: an end that the axis can't show lies below it."""

    def edge(value: float) -> float:
        return _inside(y(value)) if y.shows(value) else float(HEIGHT - BOTTOM)

    above = [(x(place), edge(high)) for place, _, high in area.points if x.shows(place)]
    below = [(x(place), edge(low)) for place, low, _ in area.points if x.shows(place)]
    corners = " ".join(f"{across:.1f},{down:.1f}" for across, down in [*above, *reversed(below)])
    told = f"<title>{shown(area.label)}</title>"
    return f'<polygon points="{corners}" fill="var({area.colour})" opacity="0.18">{told}</polygon>' if above else ""


def _inside(down: float) -> float:
    return min(max(down, float(TOP)), float(HEIGHT - BOTTOM))


def _labels(marks: Sequence[Mark], places: Sequence[_Place], lines: Sequence[_Box]) -> Iterable[str]:
    """Each mark's label at the first side of it where it covers nothing, or a line at most; else only its tooltip."""
    taken = [(place.x - _RADIUS, place.y - _RADIUS, place.x + _RADIUS, place.y + _RADIUS) for place in places]
    for mark, place in zip(marks, places, strict=True):
        words = shortened(clean(mark.label), _LONGEST)
        width = _LETTER * len(words)
        sides = [
            (place.x + across - width * share, place.y + down)
            for across, down, share in _SIDES
            if words and place.x + across - width * share > LEFT and place.x + across + width * (1 - share) < WIDTH
        ]
        boxes = [(left, middle - _LINE / 2, left + width, middle + _LINE / 2) for left, middle in sides]
        free = [box for box in boxes if not any(_overlap(box, other) for other in taken)]
        clear = [box for box in free if not any(_overlap(box, other) for other in lines)]
        for box in (clear or free)[:1]:
            taken.append(box)
            yield label_at((box[0] + box[2]) / 2, box[3] - 3, words, anchor="middle", css="small")


def _overlap(one: _Box, other: _Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
