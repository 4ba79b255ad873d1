"""The plot of what a vocabulary's size brings and costs: covered text above, megabytes below, and the chosen size."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QEvent, QPointF, Qt, Signal
from PySide6.QtGui import QFocusEvent, QKeyEvent, QMouseEvent, QWheelEvent
from PySide6.QtWidgets import QWidget

from gui.coverage import CoverageCurve
from gui.plots.axes import NumberAxis, plain
from gui.plots.labels import small_font
from gui.text import count, megabytes, percent
from gui.theme import SIZE, SPACE, set_role, theme
from gui.widgets.label import Label

_HEIGHT = 236
_AXIS_WIDTH = 58
_ROOM = 0.08
"""Above and below a curve, as a share of its height."""
_DIM = 0.35
_POINT = 9


class VocabularyPlot(pg.GraphicsView):
    """Shows a curve and where the student stands on it; a click, a drag or a key asks for another size."""

    size_asked = Signal(int)
    stepped = Signal(int)
    """So many of the slider's steps on, or back."""
    settled = Signal()
    """The mouse let go."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("plot-vocabulary")
        self.setAccessibleName(self.tr("What each vocabulary size covers and costs"))
        self.setToolTip("")
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMouseTracking(True)
        self.setMinimumWidth(320)
        self.setFixedHeight(_HEIGHT)
        self.setCursor(Qt.CursorShape.CrossCursor)
        self._curve: CoverageCurve | None = None
        self._cost = (0.0, 0.0)
        self._size: int | None = None
        self._told = Label(parent=self)
        self._told.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self._told.setAutoFillBackground(True)
        self._told.setMargin(SPACE.xs)
        set_role(self._told, "small")
        self._told.hide()
        layout = pg.GraphicsLayout()
        layout.setContentsMargins(2, 4, 8, 4)
        layout.setSpacing(2)
        self.setCentralItem(layout)
        self._shares = _Panel(self.tr("text covered (%)"), plain, "total")
        self._costs = _Panel(self.tr("student (MB)"), plain, "student", title=self.tr("words kept (vocabulary size)"))
        for row, panel in enumerate(self._panels):
            layout.addItem(panel, row, 0)
        layout.layout.setRowStretchFactor(0, 3)
        layout.layout.setRowStretchFactor(1, 2)
        theme().changed.connect(self._recolor)
        self._recolor()

    @property
    def chosen(self) -> tuple[int, float, float] | None:
        """The size that is marked, with its coverage and megabytes; None: it is not on the curve."""
        return None if self._size is None else self._values(self._size)

    def show_curve(self, curve: CoverageCurve) -> None:
        """Show another curve."""
        self._curve = curve
        ticks = [(math.log10(size), count(size)) for size in curve.round_sizes()]
        for panel in self._panels:
            panel.getAxis("bottom").setTicks([ticks])
            panel.set_places(float(curve.places[0]), float(curve.places[-1]))
        self._shares.show_values(curve.places, 100 * curve.shares, from_zero=False)
        self._show_costs()

    def show_cost(self, fixed: float, each: float) -> None:
        """The student's megabytes without any token, and those of each token."""
        if (fixed, each) != self._cost:
            self._cost = fixed, each
            self._show_costs()

    def mark(self, size: int | None) -> None:
        """Put the chosen point; None: every token of the teacher's is kept, which is on no curve."""
        self._size = size
        found = self.chosen
        if found is None or self._curve is None:
            for panel in self._panels:
                panel.mark(None)
            self.setAccessibleDescription("")
            return
        # A size beyond the curve's end stands at the end: a text has no more tokens to keep.
        place = math.log10(min(max(found[0], self._curve.smallest), self._curve.largest))
        self._shares.mark((place, 100 * found[1]), percent(found[1]))
        self._costs.mark((place, found[2]), megabytes(found[2]))
        self.setAccessibleDescription(self._words(*found))

    def dim(self, on: bool) -> None:
        """Show that what is drawn belongs to other settings."""
        for panel in self._panels:
            panel.setOpacity(_DIM if on else 1)

    # -- mouse and keys ------------------------------------------------------------------------------------------

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Take the size under the mouse: a change of its own, with the drag that may follow."""
        if event.button() == Qt.MouseButton.LeftButton:
            self.settled.emit()
            self.setFocus(Qt.FocusReason.MouseFocusReason)
            self._ask(event.position())
        event.accept()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Tell what is under the mouse; with its button down, take it."""
        if event.buttons() & Qt.MouseButton.LeftButton:
            self._ask(event.position())
        self._tell(event.position())
        event.accept()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """The size is chosen."""
        self.settled.emit()
        event.accept()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """Two clicks."""
        self.mousePressEvent(event)

    def wheelEvent(self, event: QWheelEvent) -> None:
        """The page scrolls."""
        event.ignore()

    def leaveEvent(self, event: QEvent) -> None:
        """Nothing is pointed at."""
        super().leaveEvent(event)
        self._tell(None)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Arrows go from step to step, Home and End to the curve's ends."""
        steps = self._keys().get(Qt.Key(event.key()))
        if self._curve is not None and event.key() in (Qt.Key.Key_Home, Qt.Key.Key_End):
            ends = self._curve.smallest, self._curve.largest
            self.size_asked.emit(ends[event.key() == Qt.Key.Key_End])
        elif self._curve is not None and steps is not None:
            self.stepped.emit(steps)
        else:
            event.ignore()
            return
        event.accept()

    def focusInEvent(self, event: QFocusEvent) -> None:
        """Show where the keys go."""
        super().focusInEvent(event)
        self._frame()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        """The keys go elsewhere; a change is finished."""
        super().focusOutEvent(event)
        self._frame()
        self.settled.emit()

    # -- inside --------------------------------------------------------------------------------------------------

    @property
    def _panels(self) -> tuple[_Panel, _Panel]:
        return self._shares, self._costs

    def _keys(self) -> Mapping[Qt.Key, int]:
        keys = Qt.Key
        return {
            keys.Key_Left: -1,
            keys.Key_Down: -1,
            keys.Key_Right: 1,
            keys.Key_Up: 1,
            keys.Key_PageDown: -5,
            keys.Key_PageUp: 5,
        }

    def _values(self, size: int) -> tuple[int, float, float] | None:
        if self._curve is None:
            return None
        return size, self._curve.share_at(size), self._cost[0] + self._cost[1] * min(size, self._curve.largest)

    def _words(self, size: int, share: float, cost: float) -> str:
        return self.tr("{} tokens · {} of the text's tokens · {}").format(count(size), percent(share), megabytes(cost))

    def _size_at(self, place: QPointF) -> int | None:
        if self._curve is None:
            return None
        return self._curve.size_at(self._shares.getViewBox().mapSceneToView(self.mapToScene(place.toPoint())).x())

    def _ask(self, place: QPointF) -> None:
        size = self._size_at(place)
        if size is not None and size != self._size:
            self.size_asked.emit(size)

    def _tell(self, place: QPointF | None) -> None:
        size = self._size_at(place) if place is not None else None
        values = self._values(size) if size is not None else None
        for panel in self._panels:
            panel.point_at(math.log10(size) if values is not None and size is not None else None)
        self._told.setVisible(values is not None)
        if values is None or place is None:
            return
        self._told.setText(self._words(*values))
        self._told.adjustSize()
        left = place.x() + SPACE.m
        if left + self._told.width() > self.width() - SPACE.s:
            left = place.x() - SPACE.m - self._told.width()
        self._told.move(round(max(_AXIS_WIDTH, left)), round(min(place.y() + SPACE.m, self.height() - 28)))

    def _show_costs(self) -> None:
        if self._curve is not None:
            fixed, each = self._cost
            # Not straight over a logarithmic axis: more points than the curve has.
            places = np.linspace(self._curve.places[0], self._curve.places[-1], 100)
            self._costs.show_values(places, fixed + each * 10**places, from_zero=True)
        self.mark(self._size)

    def _recolor(self) -> None:
        self.setBackground(theme().colors.card)
        for panel in self._panels:
            panel.recolor()
        self._frame()

    def _frame(self) -> None:
        edge = theme().colors.accent if self.hasFocus() else "transparent"
        self.setStyleSheet(f"VocabularyPlot {{ border: 2px solid {edge}; border-radius: {SIZE.radius}px; }}")


class _Panel(pg.PlotItem):
    """One of the two curves, with the chosen point on it."""

    def __init__(self, y_title: str, write: Callable[[float, float], str], color: str, title: str = "") -> None:
        super().__init__(axisItems={"left": NumberAxis("left", y_title, write)}, enableMenu=False)
        self._color = color
        self.hideButtons()
        self.setMouseEnabled(False, False)
        self.getViewBox().disableAutoRange()
        self.getAxis("left").setWidth(_AXIS_WIDTH)
        bottom = self.getAxis("bottom")
        bottom.setStyle(showValues=bool(title), hideOverlappingLabels=True)
        if title:
            bottom.setLabel(title)
        self._line = pg.PlotDataItem()
        self._pointed = pg.InfiniteLine(angle=90, movable=False)
        self._chosen = pg.InfiniteLine(angle=90, movable=False)
        self._point = pg.ScatterPlotItem(size=_POINT)
        self._text = pg.TextItem(anchor=(0, 1))
        self._text.setFont(small_font())
        for item in (self._line, self._pointed, self._chosen, self._point, self._text):
            self.addItem(item, ignoreBounds=True)
        self._pointed.hide()
        self.mark(None)

    def set_places(self, low: float, high: float) -> None:
        """The ends of the x axis."""
        room = (high - low) * 0.03 or 0.1
        self.getViewBox().setXRange(low - room, high + room, padding=0)

    def show_values(self, places: np.ndarray, values: np.ndarray, *, from_zero: bool) -> None:
        """Draw a curve."""
        self._line.setData(places, values)
        low, high = (0.0 if from_zero else float(values.min())), float(values.max())
        room = (high - low) * _ROOM or 1.0
        self.getViewBox().setYRange(low if from_zero else low - room, high + 2 * room, padding=0)

    def mark(self, at: tuple[float, float] | None, words: str = "") -> None:
        """Put the chosen point, with its value in words."""
        for item in (self._chosen, self._point, self._text):
            item.setVisible(at is not None)
        if at is None:
            return
        self._chosen.setPos(at[0])
        self._point.setData([at[0]], [at[1]])
        self._text.setText(words)
        (left, right), (low, high) = self.getViewBox().viewRange()
        # Where the curve leaves room: below it on its right half, above it on its left.
        on_right, above = at[0] < (left + right) / 2, at[1] < (low + high) / 2
        self._text.setAnchor((0 if on_right else 1, 1 if above else 0))
        self._text.setPos(*at)

    def point_at(self, place: float | None) -> None:
        """Put the line that follows the mouse; None takes it away."""
        self._pointed.setVisible(place is not None)
        if place is not None:
            self._pointed.setPos(place)

    def recolor(self) -> None:
        """Take the theme's colours."""
        colors = theme().colors
        for side in ("bottom", "left"):
            axis = self.getAxis(side)
            axis.setPen(pg.mkPen(colors.grey))
            axis.setTextPen(pg.mkPen(colors.grey))
            axis.setStyle(tickFont=small_font())
            if axis.labelText:
                axis.setLabel(axis.labelText, color=colors.grey, **{"font-size": f"{SIZE.small}px"})
        self.showGrid(x=True, y=True, alpha=0.12)
        self._line.setPen(pg.mkPen(getattr(colors, self._color), width=2))
        self._pointed.setPen(pg.mkPen(colors.grey, width=1))
        self._chosen.setPen(pg.mkPen(colors.accent, width=1, style=Qt.PenStyle.DashLine))
        self._point.setBrush(pg.mkBrush(colors.accent))
        self._point.setPen(pg.mkPen(colors.card, width=1))
        self._text.setColor(colors.text)
