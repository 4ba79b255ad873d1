"""What every plot is drawn of: axes, their grid, labels and the <svg> itself."""

from __future__ import annotations

import math
from collections.abc import Iterable
from html import escape

from core.wording import clean

WIDTH, HEIGHT = 640, 300
LEFT, RIGHT, TOP, BOTTOM = 64, 112, 28, 44
"""Margins around what is plotted."""
_LABEL_HEIGHT = 15

Point = tuple[float, float]


class Axis:
    """Where a value stands on the drawing."""

    def __init__(self, low: float, high: float, start: float, end: float) -> None:
        self.low, self.high = low, high if high > low else low + 1
        self._start, self._end = start, end

    def __call__(self, value: float) -> float:
        """The place of a value."""
        return self._start + (value - self.low) / (self.high - self.low) * (self._end - self._start)

    def shows(self, value: float) -> bool:
        """Whether a value has a place at all."""
        return math.isfinite(value)

    def ticks(self, wanted: int = 5) -> list[float]:
        """Round values inside the axis, about as many as wanted."""
        rough = (self.high - self.low) / wanted
        power = 10.0 ** math.floor(math.log10(rough))
        step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough * 0.999)
        first, last = math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9)
        return [number * step for number in range(first, last + 1)]


class LogAxis(Axis):
    """An axis on which a factor is a length; only what is above 0 has a place on it."""

    def __init__(self, low: float, high: float, start: float, end: float) -> None:
        super().__init__(low, high if high > low else 10 * low, start, end)
        self._logs = Axis(math.log10(self.low), math.log10(self.high), start, end)

    def __call__(self, value: float) -> float:
        """The place of a value above 0."""
        return self._logs(math.log10(value))

    def shows(self, value: float) -> bool:
        """Whether a value has a place at all."""
        return math.isfinite(value) and value > 0

    def ticks(self, wanted: int = 5) -> list[float]:
        """Powers of ten inside the axis; 2 and 5 times them, too, where that is not too many."""
        first, last = math.floor(math.log10(self.low)), math.ceil(math.log10(self.high))
        found: list[float] = []
        for factors in ((1, 2, 3, 4, 5, 6, 7, 8, 9), (1, 2, 5), (1,)):
            all_of_them = (factor * 10.0**power for power in range(first, last + 1) for factor in factors)
            found = [tick for tick in all_of_them if self.low * 0.999 <= tick <= self.high * 1.001]
            if len(found) <= 1.6 * wanted:
                return found
        return found[:: math.ceil(len(found) / (1.6 * wanted))]


def axis_for(values: Iterable[float], start: float, end: float, *, log: bool) -> Axis:
    """An axis with room for all of these values that it can show.

    Args:
        values: what is to be shown; on a logarithmic axis, what isn't above 0 finds no place.
        start, end: places of its low and its high end.
        log: whether it is logarithmic.
    """
    shown_at_all = [value for value in values if math.isfinite(value) and (value > 0 or not log)] or [1.0]
    low, high = min(shown_at_all), max(shown_at_all)
    if not log:
        return Axis(*widened(low, high), start, end)
    room = (high / low) ** 0.08 if high > low else 1.5
    return LogAxis(low / room, high * room, start, end)


def widened(low: float, high: float) -> tuple[float, float]:
    """A little more than from low to high, but not across 0."""
    room = (high - low) * 0.06 or max(abs(high), 1.0) * 0.1
    return (max(0.0, low - room) if low >= 0 else low - room), high + room


def is_finite(point: Point) -> bool:
    """Whether both coordinates are numbers."""
    return math.isfinite(point[0]) and math.isfinite(point[1])


def grid(x: Axis, y: Axis, x_label: str, y_label: str) -> Iterable[str]:
    """Both axes' ticks and labels, and the lines behind a plot."""
    yield from y_grid(y, y_label)
    for tick in x.ticks():
        yield label_at(x(tick), HEIGHT - BOTTOM + 16, si(tick), anchor="middle", css="small")
    yield label_at((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 8, x_label, anchor="middle", css="small")


def y_grid(y: Axis, label: str) -> Iterable[str]:
    """The upright axis' ticks and label, and the lines behind a plot."""
    for tick in y.ticks():
        yield f'<path class="grid" d="M{LEFT} {y(tick):.1f} H{WIDTH - RIGHT}"/>'
        yield label_at(LEFT - 8, y(tick) + 4, si(tick), anchor="end", css="small")
    middle = (HEIGHT - BOTTOM + TOP) / 2
    yield (
        f'<text class="small" text-anchor="middle" transform="translate(14 {middle:.0f}) rotate(-90)">'
        f"{shown(label)}</text>"
    )


def end_labels(labels: Iterable[tuple[str, str, float]]) -> Iterable[str]:
    """Labels at the right edge, pushed apart where their lines end close to each other.

    Args:
        labels: name, CSS variable of its colour, and the height that its line ends at.
    """
    ordered = sorted(labels, key=lambda entry: entry[2])
    places: list[float] = []
    for _, _, height in ordered:
        places.append(max(height, places[-1] + _LABEL_HEIGHT if places else float(TOP)))
    # Back up from the lower edge, where too many of them end near it.
    lowest = float(HEIGHT - _LABEL_HEIGHT)
    for index in reversed(range(len(places))):
        places[index] = min(places[index], lowest)
        lowest = places[index] - _LABEL_HEIGHT
    for (name, colour, _), place in zip(ordered, places, strict=True):
        square = f'<rect x="{WIDTH - RIGHT + 6}" y="{place - 2:.1f}" width="9" height="4" fill="var({colour})"/>'
        yield square + label_at(WIDTH - RIGHT + 20, place + 4, name)


def label_at(x: float, y: float, words: str, *, anchor: str = "start", css: str = "label") -> str:
    """Words at a place; all of what they hold is escaped."""
    return f'<text class="{css}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{shown(words)}</text>'


def drawing(title: str, parts: Iterable[str], *, height: float = HEIGHT, description: str = "") -> str:
    """The <svg> of all its parts, with a title and, for those who don't see it, a description."""
    name = shown(title)
    head = f'<svg viewBox="0 0 {WIDTH} {height:.0f}" role="img" aria-label="{name}"><title>{name}</title>'
    described = f"<desc>{shown(description)}</desc>" if description else ""
    return f"{head}{described}{''.join(parts)}</svg>"


def shown(words: str) -> str:
    """Words, escaped."""
    return escape(clean(words))


def si(value: float) -> str:
    """A number with an SI prefix and at most three digits: 22.8M."""
    for size, prefix in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:.3g}{prefix}"
    return f"{value:.3g}"
