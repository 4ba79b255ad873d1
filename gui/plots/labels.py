"""Texts inside a plot: names of bands, labels at the lines' ends, values above points."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise

import pyqtgraph as pg
from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QPen, QPolygonF
from PySide6.QtWidgets import QGraphicsPolygonItem

from gui.plots.curve import Area, Curve, Note, Span
from gui.theme import SIZE, theme

_LINE = SIZE.small + 3
"""Height of a line of text, in pixels."""
_LONGEST_NAME = 150
"""Of a point, in pixels; the whole of it is told at the cross-hair."""
_NAME_MARGIN = 4
"""That a text item leaves on both sides, in pixels."""
_Box = tuple[float, float, float, float]
"""Left, lower, right and upper edge, in pixels."""
_LEAST_WIDTH = 430
"""Of a plot that has room for labels at its lines' ends, in pixels."""


def small_font() -> QFont:
    """The font of what stands inside and around a plot."""
    font = QFont()
    font.setPixelSize(SIZE.small)
    return font


def _width(text: str) -> float:
    return QFontMetricsF(small_font()).horizontalAdvance(text)


class _Texts:
    """A pool of text items, as many as are asked for."""

    def __init__(self, plot: pg.PlotItem, anchor: tuple[float, float], color: str) -> None:
        self._plot, self._anchor, self._color = plot, anchor, color
        self._items: list[pg.TextItem] = []

    def show(self, texts: Sequence[tuple[str, float, float]]) -> None:
        """Show each text at its place in the view's coordinates."""
        while len(self._items) < len(texts):
            item = pg.TextItem(anchor=self._anchor)
            item.setFont(small_font())
            item.setZValue(10)
            self._plot.addItem(item, ignoreBounds=True)
            self._items.append(item)
        for item, (text, x, y) in zip(self._items, texts, strict=False):
            if item.toPlainText() != text:
                item.setPlainText(text)
                item.setColor(QColor(getattr(theme().colors, self._color)))
            item.setPos(x, y)
        for index, item in enumerate(self._items):
            item.setVisible(index < len(texts))

    def recolor(self) -> None:
        """Take the theme's colours."""
        for item in self._items:
            item.setColor(QColor(getattr(theme().colors, self._color)))


class Spans:
    """Stages as faint bands, every second one darker, with their names on top."""

    def __init__(self, plot: pg.PlotItem) -> None:
        self._plot = plot
        self._spans: Sequence[Span] = ()
        self._regions: list[pg.LinearRegionItem] = []
        self._texts = _Texts(plot, (0.5, 0.0), "grey")

    def show(self, spans: Sequence[Span]) -> None:
        """Draw these bands; `place` puts their names."""
        self._spans = spans
        while len(self._regions) < len(spans):
            region = pg.LinearRegionItem(movable=False)
            region.setZValue(-20)
            self._plot.addItem(region, ignoreBounds=True)
            self._regions.append(region)
            self.recolor()
        for index, region in enumerate(self._regions):
            region.setVisible(index < len(spans))
            if index < len(spans):
                region.setRegion((spans[index].start, spans[index].end))

    def share(self, height: float) -> float:
        """Of the plot's height, that the names need on top."""
        return min(0.2, _LINE / max(1.0, height - _LINE))

    def place(self) -> None:
        """Put each name in the middle of what is seen of its band; one that doesn't fit is left out."""
        box = self._plot.getViewBox()
        (low, high), (_, top) = box.viewRange()
        pixel = (high - low) / max(1.0, box.width())
        texts = []
        for span in self._spans:
            start, end = max(span.start, low), min(span.end, high)
            text = QFontMetricsF(small_font()).elidedText(span.text, Qt.TextElideMode.ElideRight, (end - start) / pixel)
            if len(text) > 2:
                texts.append((text, (start + end) / 2, top))
        self._texts.show(texts)

    def recolor(self) -> None:
        """Take the theme's colours."""
        for index, region in enumerate(self._regions):
            color = QColor(theme().colors.grey)
            color.setAlphaF(0.10 if index % 2 == 0 else 0.03)
            region.setBrush(color)
            color.setAlphaF(0.35)
            for line in region.lines:
                line.setPen(pg.mkPen(color, width=1))
        self._texts.recolor()


class EndLabels:
    """The curves' names at their ends, pushed apart where they would overlap."""

    def __init__(self, plot: pg.PlotItem) -> None:
        self._plot = plot
        self._texts = _Texts(plot, (0.0, 0.5), "text")
        self.always = False
        """Also where there is little room: in a picture there is no legend."""

    def share(self, curves: Sequence[Curve], width: float) -> float:
        """Of the axis' length, that the labels need on its right."""
        widest = max((_width(curve.label) for curve in curves if _is_labelled(curve) and len(curve.x)), default=0.0)
        if not widest or not self._fits(width):
            return 0.02
        taken = min(widest + 14, width * 0.4)
        return taken / (width - taken)

    def place(self, curves: Sequence[Curve], y_at: Callable[[float], float]) -> None:
        """Put the labels of these curves."""
        box = self._plot.getViewBox()
        ends = [(curve.label, *end) for curve in curves if _is_labelled(curve) and (end := _end(curve)) is not None]
        if not ends or not self._fits(box.width()):
            self._texts.show([])
            return
        (left, right), (low, high) = box.viewRange()
        pixel_x, pixel_y = (right - left) / max(1.0, box.width()), (high - low) / max(1.0, box.height())
        seen = sorted(
            ((y_at(y), x, text) for text, x, y in ends if left <= x < right and low <= y_at(y) <= high),
            key=lambda entry: entry[0],
        )
        heights = _apart([y for y, _, _ in seen], _LINE * pixel_y, low + _LINE / 2 * pixel_y, high)
        furthest = [end[0] for curve in curves if (end := _end(curve)) is not None and end[0] < right]
        x = max(furthest, default=left) + 6 * pixel_x
        self._texts.show([(text, x, y) for (_, _, text), y in zip(seen, heights, strict=True)])

    def recolor(self) -> None:
        """Take the theme's colours."""
        self._texts.recolor()

    def _fits(self, width: float) -> bool:
        return self.always or width >= _LEAST_WIDTH


class Areas:
    """Bands behind the curves."""

    def __init__(self, plot: pg.PlotItem) -> None:
        self._plot = plot
        self._areas: Sequence[Area] = ()
        self._items: list[QGraphicsPolygonItem] = []

    def show(self, areas: Sequence[Area]) -> None:
        """Draw these."""
        if not areas and not self._areas:
            return
        self._areas = tuple(areas)
        while self._items:
            self._plot.removeItem(self._items.pop())
        for area in areas:
            above = zip(area.x.tolist(), area.high.tolist(), strict=True)
            below = zip(area.x[::-1].tolist(), area.low[::-1].tolist(), strict=True)
            item = QGraphicsPolygonItem(QPolygonF([QPointF(*place) for place in (*above, *below)]))
            item.setPen(QPen(Qt.PenStyle.NoPen))
            item.setZValue(-15)
            self._plot.addItem(item, ignoreBounds=True)
            self._items.append(item)
        self.recolor()

    def recolor(self) -> None:
        """Take the theme's colours."""
        for item, area in zip(self._items, self._areas, strict=True):
            color = QColor(getattr(theme().colors, area.color))
            color.setAlphaF(0.18)
            item.setBrush(color)


class PointNames:
    """The names of points, each at the first side of it where it covers no point and no other name; else none."""

    def __init__(self, plot: pg.PlotItem) -> None:
        self._plot = plot
        self._texts = _Texts(plot, (0.0, 0.5), "text")

    def place(self, curves: Sequence[Curve], y_at: Callable[[float], float]) -> None:
        """Put the names of these curves' points."""
        box = self._plot.getViewBox()
        (left, right), (low, high) = box.viewRange()
        pixel_x, pixel_y = (right - left) / max(1.0, box.width()), (high - low) / max(1.0, box.height())
        points = [
            (curve.label, (x - left) / pixel_x, (y_at(y) - low) / pixel_y, curve.symbol_size / 2)
            for curve in curves
            if not curve.line
            for x, y in zip(curve.x.tolist(), curve.y.tolist(), strict=True)
        ]
        taken = [(x - size, y - size, x + size, y + size) for _, x, y, size in points]
        lines = []
        if any(label for label, *_ in points):
            for curve in curves:
                places = zip(curve.x.tolist(), map(y_at, curve.y.tolist()), strict=True) if curve.line else ()
                lines += _along([((x - left) / pixel_x, (y - low) / pixel_y) for x, y in places])
        texts = []
        for label, x, y, size in points:
            words = QFontMetricsF(small_font()).elidedText(label, Qt.TextElideMode.ElideRight, _LONGEST_NAME)
            sides = _sides(x, y, size, _width(words) + 2 * _NAME_MARGIN) if words else ()
            inside = [
                side
                for side in sides
                if side[0] >= 0 and side[2] <= box.width() and 0 <= side[1] < side[3] <= box.height()
            ]
            free = [side for side in inside if not any(_overlap(side, other) for other in taken)]
            # Over a line it can be read, if need be.
            name = next((side for side in free if not any(_overlap(side, dot) for dot in lines)), (*free, None)[0])
            if name is not None:
                taken.append(name)
                texts.append((words, left + name[0] * pixel_x, low + (name[1] + name[3]) / 2 * pixel_y))
        self._texts.show(texts)

    def recolor(self) -> None:
        """Take the theme's colours."""
        self._texts.recolor()


class Notes:
    """Values written above points."""

    def __init__(self, plot: pg.PlotItem) -> None:
        self._texts = _Texts(plot, (0.5, 1.0), "text")

    def place(self, notes: Sequence[Note], y_at: Callable[[float], float]) -> None:
        """Put these."""
        self._texts.show([(note.text, note.x, y_at(note.y)) for note in notes])

    def recolor(self) -> None:
        """Take the theme's colours."""
        self._texts.recolor()


def _is_labelled(curve: Curve) -> bool:
    """Whether a label stands at its end."""
    return bool(curve.label) and curve.line


def _sides(x: float, y: float, size: float, width: float) -> tuple[_Box, ...]:
    """Where a name may stand at a point: above it, as lines through it leave room there, right, left, below."""
    half = _LINE / 2
    return (
        (x - width / 2, y + size, x + width / 2, y + size + _LINE),
        (x + size, y - half, x + size + width, y + half),
        (x - size - width, y - half, x - size, y + half),
        (x - width / 2, y - size - _LINE, x + width / 2, y - size),
    )


def _along(points: Sequence[tuple[float, float]]) -> list[_Box]:
    """Dots along a line, near enough that no name fits between two of them."""
    dots = []
    for (x, y), (next_x, next_y) in pairwise(points):
        parts = max(1, math.ceil(math.hypot(next_x - x, next_y - y) / _LINE))
        for part in range(parts + 1):
            at_x, at_y = x + (next_x - x) * part / parts, y + (next_y - y) * part / parts
            dots.append((at_x, at_y, at_x, at_y))
    return dots


def _overlap(one: _Box, other: _Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def _end(curve: Curve) -> tuple[float, float] | None:
    return (float(curve.x[-1]), float(curve.y[-1])) if len(curve.x) else None


def _apart(heights: Sequence[float], least: float, low: float, high: float) -> list[float]:
    """Ascending heights, each at least so far above the last; as a whole moved down where they'd leave the plot."""
    placed: list[float] = []
    below = -math.inf
    for height in heights:
        below = max(height, below + least, low)
        placed.append(below)
    ceiling = high - least / 2
    for index in range(len(placed) - 1, -1, -1):
        placed[index] = min(placed[index], ceiling)
        ceiling = placed[index] - least
    return placed
