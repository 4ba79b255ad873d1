"""Plots as inline SVG: no scripts, no files beside the page; colours come from the page's CSS variables."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from core.export.drawing import (
    BOTTOM,
    HEIGHT,
    LEFT,
    RIGHT,
    TOP,
    WIDTH,
    Axis,
    Point,
    drawing,
    end_labels,
    grid,
    is_finite,
    label_at,
    shown,
    si,
    widened,
    y_grid,
)

_MOST_POINTS = 400


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a plot; `colour` is a CSS variable's name."""

    label: str
    points: Sequence[Point]
    colour: str
    faint: bool = False
    """Raw data behind a smoothed line: thin."""
    dashed: bool = False
    labelled: bool = True
    """Whether the label stands at the line's end."""


@dataclass(frozen=True, slots=True)
class Band:
    """A stretch of the x axis with a name: a stage."""

    label: str
    start: float
    end: float


def line_plot(title: str, x_label: str, y_label: str, lines: Sequence[Line], bands: Sequence[Band] = ()) -> str:
    """A plot of lines, each labelled at its end; a point that is no finite number breaks its line.

    Returns:
        An <svg> element; empty text where no line has a point.
    """
    finite = [point for line in lines for point in line.points if is_finite(point)]
    if not finite:
        return ""
    x = Axis(
        min([p[0] for p in finite] + [b.start for b in bands]),
        max([p[0] for p in finite] + [b.end for b in bands]),
        LEFT,
        WIDTH - RIGHT,
    )
    low, high = widened(min(p[1] for p in finite), max(p[1] for p in finite))
    y = Axis(low, high, HEIGHT - BOTTOM, TOP)
    parts = [*_bands(bands, x), *grid(x, y, x_label, y_label)]
    parts += [_path(line, x, y) for line in lines]
    labelled = [(line, _last_finite(line.points)) for line in lines if line.labelled]
    ends = [(line, end) for line, end in labelled if end is not None]
    parts += end_labels([(line.label, line.colour, y(end[1])) for line, end in ends])
    told = (f"{line.label} ends at {end[1]:.4g} ({x_label}: {end[0]:,.0f})" for line, end in ends)
    return drawing(title, parts, description=f"{y_label}: {', '.join(told)}")


def stacked_bars(
    title: str, y_label: str, bars: Mapping[str, Mapping[str, float]], colours: Mapping[str, tuple[str, str]]
) -> str:
    """One bar an entry, its parts stacked.

    Args:
        title, y_label: words for the plot and its axis.
        bars: bar's label → part → value.
        colours: part → its label and the CSS variable of its colour, from the bottom up.

    Returns:
        An <svg> element; empty text where there is no bar.
    """
    if not bars:
        return ""
    y = Axis(0.0, max(sum(parts.values()) for parts in bars.values()) or 1.0, HEIGHT - BOTTOM, TOP)
    slot = (WIDTH - LEFT - RIGHT) / len(bars)
    out = [*y_grid(y, y_label)]
    for index, (label, parts) in enumerate(bars.items()):
        left, below = LEFT + slot * (index + 0.15), 0.0
        for part, (name, colour) in colours.items():
            value = parts.get(part, 0.0)
            if value > 0:
                top = y(below + value)
                out.append(
                    f'<rect x="{left:.1f}" y="{top:.1f}" width="{slot * 0.7:.1f}" height="{y(below) - top:.1f}" '
                    f'fill="var({colour})"><title>{shown(f"{label}, {name}: {value:,.0f}")}</title></rect>'
                )
                below += value
        middle = left + slot * 0.35
        out.append(label_at(middle, y(below) - 5, si(below), anchor="middle"))
        out.append(label_at(middle, HEIGHT - BOTTOM + 16, label, anchor="middle", css="small"))
    present = [(name, colour) for part, (name, colour) in colours.items() if any(part in bar for bar in bars.values())]
    for index, (name, colour) in enumerate(reversed(present)):
        top = TOP + 6 + index * 20
        out.append(f'<rect x="{WIDTH - RIGHT + 8}" y="{top}" width="11" height="11" fill="var({colour})"/>')
        out.append(label_at(WIDTH - RIGHT + 24, top + 10, name))
    told = (f"{label} {sum(parts.values()):,.0f}" for label, parts in bars.items())
    return drawing(title, out, description=f"{y_label}: {', '.join(told)}")


def smoothed(points: Sequence[Point], window: int | None = None) -> list[Point]:
    """A centred moving mean over `window` points (default: a fifteenth of them), cut off at both ends.

    Points that are no finite numbers are left out.
    """
    kept = [point for point in points if is_finite(point)]
    half = (window if window is not None else max(3, len(kept) // 15)) // 2
    sums = [0.0]
    for _, value in kept:
        sums.append(sums[-1] + value)
    out = []
    for index, (place, _) in enumerate(kept):
        first, after = max(0, index - half), min(len(kept), index + half + 1)
        out.append((place, (sums[after] - sums[first]) / (after - first)))
    return out


def _last_finite(points: Sequence[Point]) -> Point | None:
    return next((point for point in reversed(points) if is_finite(point)), None)


def _path(line: Line, x: Axis, y: Axis) -> str:
    moves, pen_down = [], False
    for point in _thinned(line.points):
        if is_finite(point):
            moves.append(f"{'L' if pen_down else 'M'}{x(point[0]):.1f} {y(point[1]):.1f}")
        pen_down = is_finite(point)
    dots = ""
    if len(moves) == 1:  # a line of one point has no length
        only = _last_finite(line.points)
        if only is not None:
            dots = f'<circle cx="{x(only[0]):.1f}" cy="{y(only[1]):.1f}" r="2.5" fill="var({line.colour})"/>'
    css = "raw" if line.faint else "line"
    dash = ' stroke-dasharray="6 4"' if line.dashed else ""
    return (
        f'<path class="{css}" d="{" ".join(moves)}" stroke="var({line.colour})"{dash}>'
        f"<title>{shown(line.label)}</title></path>{dots}"
    )


def _thinned(points: Sequence[Point]) -> list[Point]:
    """At most `_MOST_POINTS`: of each bucket the lowest and the highest, so that no peak is lost."""
    if len(points) <= _MOST_POINTS:
        return list(points)
    size = math.ceil(2 * len(points) / _MOST_POINTS)
    thin: list[Point] = []
    for start in range(0, len(points), size):
        bucket = [point for point in points[start : start + size] if is_finite(point)]
        if bucket:
            thin += sorted({min(bucket, key=lambda p: p[1]), max(bucket, key=lambda p: p[1])})
    return thin


def _bands(bands: Sequence[Band], x: Axis) -> Iterable[str]:
    for index, band in enumerate(bands):
        left, right = x(band.start), x(band.end)
        if index % 2 == 0:
            size = f'width="{right - left:.1f}" height="{HEIGHT - TOP - BOTTOM}"'
            yield f'<rect class="band" x="{left:.1f}" y="{TOP}" {size}/>'
        yield label_at((left + right) / 2, TOP - 8, band.label, anchor="middle", css="small")
