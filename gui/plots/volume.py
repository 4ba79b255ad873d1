"""The plot of drop against the volume of the language's text in the teacher's pretraining, with the fitted law."""

from __future__ import annotations

import math
from functools import partial
from html import escape

import numpy as np
from PySide6.QtCore import QCoreApplication
from PySide6.QtWidgets import QWidget

from core.analysis.power_law import PowerLaw
from core.analysis.volume_law import VolumeLaw, VolumePoint
from core.wording import clean
from gui.plots.axes import PowersAxis, beyond, log_or, plain, power, with_room
from gui.plots.curve import Area, Curve, Drawing, Key, told_apart
from gui.plots.panel import PlotPanel
from gui.series import Values
from gui.text import number

translate = QCoreApplication.translate

_POINT = 11
_LINE_POINTS = 30


class VolumePlot(PlotPanel):
    """Both scales are logarithmic; what has no logarithm stands as a triangle at the edge that it lies beyond."""

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        self._unit = ""
        self._never = -math.inf
        """Up to this place the teacher never read the language."""
        self._x = PowersAxis("bottom", translate("VolumePlot", "text that the teacher has read"), plain)
        super().__init__(
            name,
            translate("VolumePlot", "Drop against text that the teacher has read"),
            translate(
                "VolumePlot",
                "How much each student lost, and how much text of its language its teacher had read. A triangle at the "
                "left was never read, one at the bottom lost nothing.",
            ),
            self._x,
            PowersAxis("left", translate("VolumePlot", "drop (points)"), plain),
            parent,
            place=self._volume_at,
            value=number,
        )

    def show_law(self, law: VolumeLaw) -> None:
        """Show a law's runs, and its line and interval where there are any."""
        self._unit = law.unit
        title = translate("VolumePlot", "text of the language in {source} ({unit})")
        self._x.setLabel(title.format(source=escape(clean(law.source)), unit=law.unit))  # read as HTML
        edges = beyond(point.size for point in law.points), beyond(point.drop for point in law.points)
        self._never = edges[0] if any(point.size <= 0 for point in law.points) else -math.inf
        curves, areas = [_point(point, *edges) for point in law.points], []
        keys = [Key("student", translate("VolumePlot", "students"), "student", "o", line=False)]
        if law.fit is not None:
            sizes = _sizes(law, law.fit)
            curves.append(_line(law.fit, sizes))
            keys.append(Key("law", translate("VolumePlot", "fitted law, 95 % interval"), "accent"))
            if law.fit.band:
                low = np.array([log_or(place.low, edges[1]) for place in law.fit.band])
                high = np.array([log_or(place.high, edges[1]) for place in law.fit.band])
                areas.append(Area(np.log10(sizes), low, high, "accent"))
        places = with_room(place for curve in curves for place in curve.x.tolist())
        self.show_drawing(Drawing(curves=told_apart(curves), keys=keys, areas=areas, x_range=places))

    def _volume_at(self, x: float) -> str:
        if x <= self._never + 1e-9:
            return translate("VolumePlot", "never read")
        return f"{number(power(x), 1 if x >= 0 else 3)} {self._unit}"


def _sizes(law: VolumeLaw, fit: PowerLaw) -> Values:
    """The volumes at which the law's line is drawn."""
    if fit.band:
        return np.array([place.volume for place in fit.band])
    seen = [point.size for point in law.points if point.size > 0]
    return np.geomspace(min(seen), max(seen), _LINE_POINTS)


def _line(fit: PowerLaw, sizes: Values) -> Curve:
    drops = np.array([fit.at(size) for size in sizes.tolist()])
    made = partial(Curve, "fitted law", np.log10(sizes), np.log10(drops), "accent", frozenset(("law",)))
    return made(measured=drops, measured_x=sizes)


def _point(point: VolumePoint, x_edge: float, y_edge: float) -> Curve:
    name = f"{clean(point.name)} ({clean(point.language)})"
    return Curve(
        name,
        np.array([log_or(point.size, x_edge)]),
        np.array([log_or(point.drop, y_edge)]),
        "student",
        frozenset(("student",)),
        label=name,
        line=False,
        symbol="t3" if point.size <= 0 else "t" if point.drop <= 0 else "o",
        symbol_size=_POINT,
        measured=np.array([point.drop]),
        measured_x=np.array([point.size]),
    )
