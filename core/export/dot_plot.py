"""Values with their intervals side by side, as an <svg>: a row of dots a thing."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from core.export.drawing import BOTTOM, TOP, WIDTH, Axis, drawing, label_at, shown, si, widened
from core.wording import clean, shortened

_NAMES, _VALUES, _ROW = 170, 130, 48
"""Room for names at the left and for values at the right, and the height of a row."""
_LABEL_LETTERS = 24


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


def dot_plot(title: str, x_label: str, rows: Sequence[DotRow]) -> str:
    """Values side by side, each a dot with its interval as a line through it.

    Returns:
        An <svg> element; empty text where no dot has a finite value.
    """
    drawn = [dot for row in rows for dot in row.dots if math.isfinite(dot.value)]
    if not drawn:
        return ""
    x = Axis(*widened(min(dot.ends[0] for dot in drawn), max(dot.ends[1] for dot in drawn)), _NAMES, WIDTH - _VALUES)
    height = TOP + BOTTOM + _ROW * len(rows)
    parts = []
    for tick in x.ticks():
        parts.append(f'<path class="grid" d="M{x(tick):.1f} {TOP} V{height - BOTTOM}"/>')
        parts.append(label_at(x(tick), height - BOTTOM + 16, si(tick), anchor="middle", css="small"))
    parts.append(label_at((_NAMES + WIDTH - _VALUES) / 2, height - 8, x_label, anchor="middle", css="small"))
    for place, dot in enumerate({dot.label: dot for dot in drawn}.values()):
        left = _NAMES + 8 + 90 * place
        parts.append(_dot(left, TOP - 14, dot, dot.label) + label_at(left + 10, TOP - 10, dot.label))
    told = []
    for index, row in enumerate(rows):
        middle, dots = TOP + _ROW * (index + 0.5), [dot for dot in row.dots if math.isfinite(dot.value)]
        parts += [
            label_at(8, middle - 2, shortened(clean(row.label), _LABEL_LETTERS)),
            label_at(8, middle + 13, row.note, css="small"),
        ]
        for place, dot in enumerate(dots):
            parts += _measured(x, middle + 16 * (place - (len(dots) - 1) / 2), dot)
        told.append(f"{row.label}: " + ", ".join(f"{dot.label} {dot.words}" for dot in dots))
    return drawing(title, parts, height=height, description="; ".join(told))


def _measured(x: Axis, y: float, dot: Dot) -> Iterable[str]:
    low, high = dot.ends
    if low < high:
        yield f'<path class="line" d="M{x(low):.1f} {y:.1f} H{x(high):.1f}" stroke="var({dot.colour})"/>'
    yield _dot(x(dot.value), y, dot, f"{dot.label}: {dot.words}")
    yield label_at(WIDTH - _VALUES + 10, y + 4, dot.words, css="small")


def _dot(x: float, y: float, dot: Dot, title: str) -> str:
    fill = "var(--card)" if dot.hollow else f"var({dot.colour})"
    return (
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4.5" fill="{fill}" stroke="var({dot.colour})" stroke-width="2">'
        f"<title>{shown(title)}</title></circle>"
    )
