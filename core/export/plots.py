"""Plots as inline SVG: no scripts, no files beside the page; colours come from the page's CSS variables."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape

from core.wording import clean

WIDTH, HEIGHT = 640, 300
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 112, 28, 44
_MOST_POINTS = 400
_LABEL_HEIGHT = 15
_NAMES, _VALUES, _DOT_ROW = 170, 130, 48
"""Of a plot of dots: room for names at the left and for values at the right, and the height of a row."""
_LABEL_LETTERS = 24

Point = tuple[float, float]


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


@dataclass(frozen=True, slots=True)
class Dot:
    """A measured value; `colour` is a CSS variable's name."""

    label: str
    value: float
    colour: str
    low: float | None = None
    high: float | None = None
    """The ends of its interval, where one is known."""
    hollow: bool = False
    """Told apart by more than its colour."""

    @property
    def ends(self) -> tuple[float, float]:
        """From where to where it is drawn."""
        known = (end for end in (self.low, self.value, self.high) if end is not None and math.isfinite(end))
        first, *others = sorted(known)
        return first, others[-1] if others else first

    @property
    def words(self) -> str:
        """The value, and the interval in brackets."""
        low, high = self.ends
        return f"{self.value:.1f}" + (f" [{low:.1f}, {high:.1f}]" if low < high else "")


@dataclass(frozen=True, slots=True)
class DotRow:
    """Values of one thing, under each other."""

    label: str
    note: str
    """What they are of, in small type under the label."""
    dots: Sequence[Dot]


def line_plot(title: str, x_label: str, y_label: str, lines: Sequence[Line], bands: Sequence[Band] = ()) -> str:
    """A plot of lines, each labelled at its end; a point that is no finite number breaks its line.

    Returns:
        An <svg> element; empty text where no line has a point.
    """
    finite = [point for line in lines for point in line.points if _finite(point)]
    if not finite:
        return ""
    x = _Axis(
        min([p[0] for p in finite] + [b.start for b in bands]),
        max([p[0] for p in finite] + [b.end for b in bands]),
        _LEFT,
        WIDTH - _RIGHT,
    )
    low, high = _widened(min(p[1] for p in finite), max(p[1] for p in finite))
    y = _Axis(low, high, HEIGHT - _BOTTOM, _TOP)
    parts = [*_bands(bands, x), *_grid(x, y, x_label, y_label)]
    parts += [_path(line, x, y) for line in lines]
    labelled = [(line, _last_finite(line.points)) for line in lines if line.labelled]
    ends = [(line, end) for line, end in labelled if end is not None]
    parts += _end_labels([(line.label, line.colour, y(end[1])) for line, end in ends])
    told = (f"{line.label} ends at {end[1]:.4g} ({x_label}: {end[0]:,.0f})" for line, end in ends)
    return _svg(title, parts, description=f"{y_label}: {', '.join(told)}")


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
    y = _Axis(0.0, max(sum(parts.values()) for parts in bars.values()) or 1.0, HEIGHT - _BOTTOM, _TOP)
    slot = (WIDTH - _LEFT - _RIGHT) / len(bars)
    out = [*_y_grid(y, y_label)]
    for index, (label, parts) in enumerate(bars.items()):
        left, below = _LEFT + slot * (index + 0.15), 0.0
        for part, (name, colour) in colours.items():
            value = parts.get(part, 0.0)
            if value > 0:
                top = y(below + value)
                out.append(
                    f'<rect x="{left:.1f}" y="{top:.1f}" width="{slot * 0.7:.1f}" height="{y(below) - top:.1f}" '
                    f'fill="var({colour})"><title>{_shown(f"{label}, {name}: {value:,.0f}")}</title></rect>'
                )
                below += value
        middle = left + slot * 0.35
        out.append(_text(middle, y(below) - 5, si(below), anchor="middle"))
        out.append(_text(middle, HEIGHT - _BOTTOM + 16, label, anchor="middle", css="small"))
    present = [(name, colour) for part, (name, colour) in colours.items() if any(part in bar for bar in bars.values())]
    for index, (name, colour) in enumerate(reversed(present)):
        top = _TOP + 6 + index * 20
        out.append(f'<rect x="{WIDTH - _RIGHT + 8}" y="{top}" width="11" height="11" fill="var({colour})"/>')
        out.append(_text(WIDTH - _RIGHT + 24, top + 10, name))
    told = (f"{label} {sum(parts.values()):,.0f}" for label, parts in bars.items())
    return _svg(title, out, description=f"{y_label}: {', '.join(told)}")


def dot_plot(title: str, x_label: str, rows: Sequence[DotRow]) -> str:
    """Values side by side, each a dot with its interval as a line through it.

    Returns:
        An <svg> element; empty text where no dot has a finite value.
    """
    drawn = [dot for row in rows for dot in row.dots if math.isfinite(dot.value)]
    if not drawn:
        return ""
    x = _Axis(*_widened(min(dot.ends[0] for dot in drawn), max(dot.ends[1] for dot in drawn)), _NAMES, WIDTH - _VALUES)
    height = _TOP + _BOTTOM + _DOT_ROW * len(rows)
    parts = []
    for tick in x.ticks():
        parts.append(f'<path class="grid" d="M{x(tick):.1f} {_TOP} V{height - _BOTTOM}"/>')
        parts.append(_text(x(tick), height - _BOTTOM + 16, si(tick), anchor="middle", css="small"))
    parts.append(_text((_NAMES + WIDTH - _VALUES) / 2, height - 8, x_label, anchor="middle", css="small"))
    for place, dot in enumerate({dot.label: dot for dot in drawn}.values()):
        left = _NAMES + 8 + 90 * place
        parts.append(_dot(left, _TOP - 14, dot) + _text(left + 10, _TOP - 10, dot.label))
    told = []
    for index, row in enumerate(rows):
        middle, dots = _TOP + _DOT_ROW * (index + 0.5), [dot for dot in row.dots if math.isfinite(dot.value)]
        parts += [_text(8, middle - 2, _short(row.label)), _text(8, middle + 13, row.note, css="small")]
        for place, dot in enumerate(dots):
            parts += _measured(x, middle + 16 * (place - (len(dots) - 1) / 2), dot)
        told.append(f"{row.label}: " + ", ".join(f"{dot.label} {dot.words}" for dot in dots))
    return _svg(title, parts, height=height, description="; ".join(told))


def _measured(x: _Axis, y: float, dot: Dot) -> Iterable[str]:
    low, high = dot.ends
    if low < high:
        yield f'<path class="line" d="M{x(low):.1f} {y:.1f} H{x(high):.1f}" stroke="var({dot.colour})"/>'
    yield _dot(x(dot.value), y, dot)
    yield _text(WIDTH - _VALUES + 10, y + 4, dot.words, css="small")


def _dot(x: float, y: float, dot: Dot) -> str:
    fill = "var(--card)" if dot.hollow else f"var({dot.colour})"
    return (
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4.5" fill="{fill}" stroke="var({dot.colour})" stroke-width="2">'
        f"<title>{_shown(f'{dot.label}: {dot.words}')}</title></circle>"
    )


def _short(label: str) -> str:
    """A label that fits beside its row; marks that turn the direction are gone before it is cut."""
    label = clean(label)
    return label if len(label) <= _LABEL_LETTERS else label[: _LABEL_LETTERS - 1] + "…"


def smoothed(points: Sequence[Point], window: int | None = None) -> list[Point]:
    """A centred moving mean over `window` points (default: a fifteenth of them), cut off at both ends.

    Points that are no finite numbers are left out.
    """
    kept = [point for point in points if _finite(point)]
    half = (window if window is not None else max(3, len(kept) // 15)) // 2
    sums = [0.0]
    for _, value in kept:
        sums.append(sums[-1] + value)
    out = []
    for index, (place, _) in enumerate(kept):
        first, after = max(0, index - half), min(len(kept), index + half + 1)
        out.append((place, (sums[after] - sums[first]) / (after - first)))
    return out


def si(value: float) -> str:
    """A number with an SI prefix and at most three digits: 22.8M."""
    for size, prefix in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:.3g}{prefix}"
    return f"{value:.3g}"


class _Axis:
    """Where a value stands on the drawing."""

    def __init__(self, low: float, high: float, start: float, end: float) -> None:
        self.low, self.high = low, high if high > low else low + 1
        self._start, self._end = start, end

    def __call__(self, value: float) -> float:
        return self._start + (value - self.low) / (self.high - self.low) * (self._end - self._start)

    def ticks(self, wanted: int = 5) -> list[float]:
        """Round values inside the axis, about as many as wanted."""
        rough = (self.high - self.low) / wanted
        power = 10.0 ** math.floor(math.log10(rough))
        step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough * 0.999)
        first, last = math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9)
        return [number * step for number in range(first, last + 1)]


def _widened(low: float, high: float) -> tuple[float, float]:
    room = (high - low) * 0.06 or max(abs(high), 1.0) * 0.1
    return (max(0.0, low - room) if low >= 0 else low - room), high + room


def _finite(point: Point) -> bool:
    return math.isfinite(point[0]) and math.isfinite(point[1])


def _last_finite(points: Sequence[Point]) -> Point | None:
    return next((point for point in reversed(points) if _finite(point)), None)


def _path(line: Line, x: _Axis, y: _Axis) -> str:
    moves, pen_down = [], False
    for point in _thinned(line.points):
        if _finite(point):
            moves.append(f"{'L' if pen_down else 'M'}{x(point[0]):.1f} {y(point[1]):.1f}")
        pen_down = _finite(point)
    dots = ""
    if len(moves) == 1:  # a line of one point has no length
        only = _last_finite(line.points)
        if only is not None:
            dots = f'<circle cx="{x(only[0]):.1f}" cy="{y(only[1]):.1f}" r="2.5" fill="var({line.colour})"/>'
    css = "raw" if line.faint else "line"
    dash = ' stroke-dasharray="6 4"' if line.dashed else ""
    return (
        f'<path class="{css}" d="{" ".join(moves)}" stroke="var({line.colour})"{dash}>'
        f"<title>{_shown(line.label)}</title></path>{dots}"
    )


def _thinned(points: Sequence[Point]) -> list[Point]:
    """At most `_MOST_POINTS`: of each bucket the lowest and the highest, so that no peak is lost."""
    if len(points) <= _MOST_POINTS:
        return list(points)
    size = math.ceil(2 * len(points) / _MOST_POINTS)
    thin: list[Point] = []
    for start in range(0, len(points), size):
        bucket = [point for point in points[start : start + size] if _finite(point)]
        if bucket:
            thin += sorted({min(bucket, key=lambda p: p[1]), max(bucket, key=lambda p: p[1])})
    return thin


def _bands(bands: Sequence[Band], x: _Axis) -> Iterable[str]:
    for index, band in enumerate(bands):
        left, right = x(band.start), x(band.end)
        if index % 2 == 0:
            size = f'width="{right - left:.1f}" height="{HEIGHT - _TOP - _BOTTOM}"'
            yield f'<rect class="band" x="{left:.1f}" y="{_TOP}" {size}/>'
        yield _text((left + right) / 2, _TOP - 8, band.label, anchor="middle", css="small")


def _grid(x: _Axis, y: _Axis, x_label: str, y_label: str) -> Iterable[str]:
    yield from _y_grid(y, y_label)
    for tick in x.ticks():
        yield _text(x(tick), HEIGHT - _BOTTOM + 16, si(tick), anchor="middle", css="small")
    yield _text((_LEFT + WIDTH - _RIGHT) / 2, HEIGHT - 8, x_label, anchor="middle", css="small")


def _y_grid(y: _Axis, label: str) -> Iterable[str]:
    for tick in y.ticks():
        yield f'<path class="grid" d="M{_LEFT} {y(tick):.1f} H{WIDTH - _RIGHT}"/>'
        yield _text(_LEFT - 8, y(tick) + 4, si(tick), anchor="end", css="small")
    middle = (HEIGHT - _BOTTOM + _TOP) / 2
    yield (
        f'<text class="small" text-anchor="middle" transform="translate(14 {middle:.0f}) rotate(-90)">'
        f"{_shown(label)}</text>"
    )


def _end_labels(labels: Iterable[tuple[str, str, float]]) -> Iterable[str]:
    """Labels at the right edge, pushed apart where their lines end close to each other."""
    lowest = float(_TOP - _LABEL_HEIGHT)
    for name, colour, height in sorted(labels, key=lambda entry: entry[2]):
        lowest = max(height, lowest + _LABEL_HEIGHT)
        square = f'<rect x="{WIDTH - _RIGHT + 6}" y="{lowest - 2:.1f}" width="9" height="4" fill="var({colour})"/>'
        yield square + _text(WIDTH - _RIGHT + 20, lowest + 4, name)


def _text(x: float, y: float, words: str, *, anchor: str = "start", css: str = "label") -> str:
    return f'<text class="{css}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{_shown(words)}</text>'


def _svg(title: str, parts: Iterable[str], *, height: float = HEIGHT, description: str = "") -> str:
    name = _shown(title)
    head = f'<svg viewBox="0 0 {WIDTH} {height:.0f}" role="img" aria-label="{name}"><title>{name}</title>'
    described = f"<desc>{_shown(description)}</desc>" if description else ""
    return f"{head}{described}{''.join(parts)}</svg>"


def _shown(words: str) -> str:
    return escape(clean(words))
