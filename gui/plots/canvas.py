"""The drawing area of a plot: curves, bands and labels in the theme's colours, a cross-hair, zoom by mouse and keys."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QEvent, QPointF, Qt, Signal
from PySide6.QtGui import QColor, QFocusEvent, QKeyEvent, QMouseEvent, QResizeEvent
from PySide6.QtWidgets import QWidget

from gui.plots.axes import NumberAxis, SecondAxis
from gui.plots.curve import Curve, Drawing
from gui.plots.labels import Areas, EndLabels, Notes, PointNames, Spans, small_font
from gui.theme import SIZE, theme

_ROOM = 0.06
"""Free space above and below the curves, as a share of their height."""
_KEY_ZOOM = 0.8
_POINTS_A_PIXEL = 1.5
"""Of a long curve, its peaks kept; more can't be seen and take their time."""
_RAW, _SMOOTH, _POINTS = 0, 1, 2
"""What is drawn over what."""


class Canvas(pg.PlotWidget):
    """Shows a `Drawing`; keeps what the user zoomed to."""

    pointed = Signal(object)
    """The cross-hair's place on the x axis; None: it is gone."""
    zoomed = Signal(bool)
    log_asked = Signal()
    enlarge_asked = Signal()

    def __init__(
        self, x_axis: NumberAxis, y_axis: NumberAxis, parent: QWidget | None = None, second: SecondAxis | None = None
    ) -> None:
        axes = {"bottom": x_axis, "left": y_axis} | ({} if second is None else {"right": second})
        super().__init__(parent, axisItems=axes, enableMenu=False)
        self._x_axis, self._second = x_axis, second
        self._drawing = Drawing()
        self._items: dict[str, pg.PlotDataItem] = {}
        self._hidden: frozenset[str] = frozenset()
        self._log = False
        self._zoomed = False
        self._at: float | None = None
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMouseTracking(True)
        item, box = self.getPlotItem(), self.getViewBox()
        item.hideButtons()
        item.setDownsampling(auto=True, mode="peak")
        item.setClipToView(True)
        item.layout.setContentsMargins(2, 4, 6, 6)
        box.disableAutoRange()
        box.setMouseMode(pg.ViewBox.RectMode)
        box.sigRangeChangedManually.connect(self._note_zoom)
        box.sigRangeChanged.connect(self._place_texts)
        self._line = pg.InfiniteLine(angle=90, movable=False)
        self._line.hide()
        self.addItem(self._line, ignoreBounds=True)
        self._spans, self._areas = Spans(item), Areas(item)
        self._ends, self._points, self._notes = EndLabels(item), PointNames(item), Notes(item)
        theme().changed.connect(self._recolor)
        self._recolor()
        if second is not None:
            self.showAxis("right", False)

    @property
    def drawing(self) -> Drawing:
        """What is shown."""
        return self._drawing

    @property
    def log_y(self) -> bool:
        """Whether the y axis is logarithmic."""
        return self._log

    @property
    def visible_curves(self) -> list[Curve]:
        """The curves that the legend doesn't hide."""
        return [curve for curve in self._drawing.curves if not curve.groups & self._hidden]

    def draw(self, drawing: Drawing) -> None:
        """Show this; the range follows it unless the user zoomed."""
        looks = {curve.name: curve.look for curve in drawing.curves}
        for curve in self._drawing.curves:
            if looks.get(curve.name) != curve.look:
                self.removeItem(self._items.pop(curve.name))
        self._drawing = drawing
        for curve in drawing.curves:
            self._draw_curve(curve)
        self._spans.show(drawing.spans)
        self._areas.show(drawing.areas)
        if self._second is not None:
            self._second.set_factor(drawing.second or 1.0)
            self.showAxis("right", drawing.second is not None)
        self.getAxis("bottom").setTicks(None if drawing.ticks is None else [list(drawing.ticks)])
        self._fit_unless_zoomed()
        self._place_texts()
        if self._at is not None:
            self.pointed.emit(self._at)

    def hide_groups(self, groups: Iterable[str]) -> None:
        """Hide the curves of these groups, and no others."""
        self._hidden = frozenset(groups)
        for curve in self._drawing.curves:
            self._items[curve.name].setVisible(not curve.groups & self._hidden)
        self._fit_unless_zoomed()
        self._place_texts()

    def set_log_y(self, on: bool) -> None:
        """Make the y axis logarithmic, or not."""
        self._log = on
        self.getPlotItem().setLogMode(y=on)
        self.reset_zoom()

    def reset_zoom(self) -> None:
        """Show everything again."""
        self._zoomed = False
        self.zoomed.emit(False)
        self._fit_unless_zoomed()
        self._place_texts()

    def point_at(self, x: float | None) -> None:
        """Put the cross-hair there; None takes it away."""
        self._at = x
        self._line.setVisible(x is not None)
        if x is not None:
            self._line.setPos(x)
        self.pointed.emit(x)

    def without_cross_hair(self, act: Callable[[], None]) -> None:
        """Do something while the cross-hair is hidden and every label shows: take a picture."""
        shown = self._line.isVisible()
        self._line.hide()
        self._ends.always = True
        self._fit_unless_zoomed()
        self._place_texts()
        try:
            act()
        finally:
            self._line.setVisible(shown)
            self._ends.always = False
            self._fit_unless_zoomed()
            self._place_texts()

    def y_at(self, value: float) -> float:
        """A value's place on the axis as drawn."""
        return math.log10(value) if self._log and value > 0 else value

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Arrows move the cross-hair; + and - zoom, 0 resets; L is the logarithm, F fills the page."""
        act = self._keys().get(Qt.Key(event.key()))
        if act is None or event.modifiers() & (Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.AltModifier):
            event.ignore()  # not the base class: it would scroll the scene
            return
        act()
        event.accept()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """Show everything again."""
        self.reset_zoom()
        event.accept()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """The cross-hair follows the mouse."""
        super().mouseMoveEvent(event)
        box = self.getViewBox()
        place = self.mapToScene(event.position().toPoint())
        inside = box.sceneBoundingRect().contains(place)
        self.point_at(box.mapSceneToView(QPointF(place)).x() if inside else None)

    def leaveEvent(self, event: QEvent) -> None:
        """Without the mouse, no cross-hair."""
        super().leaveEvent(event)
        if not self.hasFocus():
            self.point_at(None)

    def focusInEvent(self, event: QFocusEvent) -> None:
        """Show where the keys go."""
        super().focusInEvent(event)
        self._frame()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        """The keys go elsewhere."""
        super().focusOutEvent(event)
        self._frame()
        self.point_at(None)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """The labels' room changes with the size."""
        super().resizeEvent(event)
        if hasattr(self, "_ends"):  # the base class resizes before it is built
            self._fit_unless_zoomed()
            self._place_texts()

    def _keys(self) -> Mapping[Qt.Key, Callable[[], None]]:
        keys = Qt.Key
        return {
            keys.Key_Left: lambda: self._move_cross_hair(-1),
            keys.Key_Right: lambda: self._move_cross_hair(1),
            keys.Key_Home: lambda: self.point_at(self._view()[0][0]),
            keys.Key_End: lambda: self.point_at(self._last_x()),
            keys.Key_Plus: lambda: self._zoom(_KEY_ZOOM),
            keys.Key_Equal: lambda: self._zoom(_KEY_ZOOM),
            keys.Key_Minus: lambda: self._zoom(1 / _KEY_ZOOM),
            keys.Key_0: self.reset_zoom,
            keys.Key_L: self.log_asked.emit,
            keys.Key_F: self.enlarge_asked.emit,
        }

    def _move_cross_hair(self, direction: int) -> None:
        """To the next point of any visible curve, at least two pixels on."""
        low, high = self._view()[0]
        if self._at is None:
            self.point_at(self._last_x() if direction < 0 else low)
            return
        least = (high - low) / max(1, self.width()) * 2 * direction
        target = self._at + least
        places = [curve.x for curve in self.visible_curves if curve.told and len(curve.x)]
        beyond = [
            float(x[at])
            for x in places
            for at in [int(np.searchsorted(x, target)) - (direction < 0)]
            if 0 <= at < len(x)
        ]
        ahead = [x for x in beyond if (x - self._at) * direction > 0]
        if ahead:
            self.point_at(min(ahead) if direction > 0 else max(ahead))

    def _last_x(self) -> float:
        return max((float(curve.x[-1]) for curve in self.visible_curves if len(curve.x)), default=0.0)

    def _zoom(self, factor: float) -> None:
        center = None if self._at is None else (self._at, sum(self._view()[1]) / 2)
        self.getViewBox().scaleBy((factor, factor), center=center)
        self._note_zoom()

    def _note_zoom(self, _: object = None) -> None:
        self._zoomed = True
        self.zoomed.emit(True)

    def _view(self) -> list[list[float]]:
        return self.getViewBox().viewRange()  # type: ignore[no-any-return]

    def _draw_curve(self, curve: Curve) -> None:
        item = self._items.get(curve.name)
        if item is None:
            item = pg.PlotDataItem(name=curve.name)
            item.opts["autoDownsampleFactor"] = _POINTS_A_PIXEL
            item.setZValue(_RAW if not curve.told or curve.filled else _SMOOTH)
            if curve.opacity < 1:
                item.setZValue(-1)
            if not curve.line:
                item.setZValue(_POINTS)
            self._items[curve.name] = item
            self.addItem(item)
            if curve.steps:  # thinning out would take an edge away
                item.setDownsampling(ds=1, auto=False)
                item.setClipToView(False)
            self._style(item, curve)
            item.setVisible(not curve.groups & self._hidden)
        x, y = curve.x, curve.y
        if curve.steps:
            x = np.append(x - 0.5, x[-1:] + 0.5)
            item.setData(x, y)
            return
        joined = np.ones(len(x), dtype=np.int32)
        joined[[first - 1 for first in curve.breaks]] = 0
        if self._log:  # what has no logarithm is no point
            shown = y > 0
            x, y, joined = x[shown], y[shown], joined[shown]
        item.setData(x, y, connect=joined)

    def _style(self, item: pg.PlotDataItem, curve: Curve) -> None:
        colors = theme().colors
        color = QColor(getattr(colors, curve.color))
        color.setAlphaF(curve.opacity)
        style = Qt.PenStyle.DashLine if curve.dashed else Qt.PenStyle.SolidLine
        item.setPen(pg.mkPen(color, width=curve.width, style=style) if curve.line else None)
        if curve.steps:
            item.opts["stepMode"] = "center"
        if curve.filled:
            item.setFillLevel(0.0)
            item.setFillBrush(color)
        if curve.symbol is not None:
            item.setSymbol(curve.symbol)
            item.setSymbolSize(curve.symbol_size)
            item.setSymbolBrush(QColor(colors.card) if curve.hollow else color)
            item.setSymbolPen(pg.mkPen(color, width=2) if curve.hollow else pg.mkPen(colors.page, width=1))

    def _fit_unless_zoomed(self) -> None:
        if self._zoomed:
            return
        curves = self.visible_curves
        x_range = self._drawing.x_range or _extent(curve.x for curve in curves)
        values = [curve.y for curve in curves]
        if self._log:
            values = [np.log10(y[y > 0]) for y in values]
        low, high = _extent(values)
        room = (high - low) * _ROOM or max(abs(high), 1.0) * 0.1
        if self._drawing.from_zero and not self._log:
            low, high = 0.0, high + room * (2.5 if self._drawing.notes else 1)
        else:
            low, high = low - room, high + room
        if self._drawing.spans:
            high += (high - low) * self._spans.share(self.getViewBox().height())
        start, end = x_range if x_range[1] > x_range[0] else (x_range[0] - 0.5, x_range[0] + 0.5)
        self._x_axis.end = end if self._drawing.numbered_to is None else self._drawing.numbered_to
        end += (end - start) * self._ends.share(curves, self.getViewBox().width())
        if self._differs((start, end), (low, high)):
            self.getViewBox().setRange(xRange=(start, end), yRange=(low, high), padding=0, disableAutoRange=True)

    def _differs(self, *ranges: tuple[float, float]) -> bool:
        """Whether these ranges would move anything by a pixel: to set them thins every curve anew."""
        box = self.getViewBox()
        return any(
            abs(new - old) * size > abs(wanted[1] - wanted[0])
            for wanted, seen, size in zip(ranges, self._view(), (box.width(), box.height()), strict=True)
            for new, old in zip(wanted, seen, strict=True)
        )

    def _place_texts(self, _: object = None) -> None:
        self._spans.place()
        self._ends.place(self.visible_curves, self.y_at)
        self._points.place(self.visible_curves, self.y_at)
        self._notes.place(self._drawing.notes, self.y_at)

    def _recolor(self) -> None:
        colors = theme().colors
        self.setBackground(colors.card)
        for axis in [self.getAxis("bottom"), self.getAxis("left"), *([self._second] if self._second else [])]:
            axis.setPen(pg.mkPen(colors.grey))
            axis.setTextPen(pg.mkPen(colors.grey))
            axis.setStyle(tickFont=small_font())
            axis.setLabel(axis.labelText, color=colors.grey, **{"font-size": f"{SIZE.small}px"})
        self.getPlotItem().showGrid(x=True, y=True, alpha=0.12)
        if self._second is not None:
            self._second.setGrid(False)  # it has the left one's ticks
        self._line.setPen(pg.mkPen(colors.grey, width=1))
        for curve in self._drawing.curves:
            self._style(self._items[curve.name], curve)
        for parts in (self._spans, self._areas, self._ends, self._points, self._notes):
            parts.recolor()
        self._frame()

    def _frame(self) -> None:
        edge = theme().colors.accent if self.hasFocus() else "transparent"
        self.setStyleSheet(f"Canvas {{ border: 2px solid {edge}; border-radius: {SIZE.radius}px; }}")


def _extent(arrays: Iterable[np.ndarray]) -> tuple[float, float]:
    """The least and the greatest of all numbers, which are finite; 0 to 1 where there is none."""
    some = [array for array in arrays if len(array)]
    if not some:
        return 0.0, 1.0
    return float(min(array.min() for array in some)), float(max(array.max() for array in some))
