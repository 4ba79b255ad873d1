"""The plot of size against score: runs, their teachers, the Pareto front, and the paper's points behind them."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

import numpy as np
from PySide6.QtCore import QCoreApplication
from PySide6.QtWidgets import QWidget

from core.analysis.pareto import FrontGroup, FrontPoint
from core.analysis.published import PublishedPoint, published_for
from core.export.comparison_figures import staircase
from core.wording import clean
from gui.plots.axes import NumberAxis, PowersAxis, plain, power, short, with_room
from gui.plots.curve import Curve, Drawing, Key, told_apart
from gui.plots.panel import PlotPanel
from gui.text import number, parameters

translate = QCoreApplication.translate

_POINT, _PAPER_POINT = 11, 8


class FrontPlot(PlotPanel):
    """What is on the front is filled, what another model beats is hollow."""

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        self._y = NumberAxis("left", translate("FrontPlot", "score (0-100)"), plain)
        super().__init__(
            name,
            translate("FrontPlot", "Size against score"),
            translate(
                "FrontPlot", "How good models of which size are; what is small and good stands at the upper left."
            ),
            PowersAxis("bottom", translate("FrontPlot", "parameters"), short),
            self._y,
            parent,
            place=_at_size,
            value=number,
        )

    def show_group(self, group: FrontGroup) -> None:
        """Show a group of comparable models."""
        score = translate("FrontPlot", "score (0-100)"), translate("FrontPlot", "mean score (0-100)")
        self._y.setLabel(score[len(group.kinds) > 1])
        published = published_for(group.kinds, group.language).points
        curves = [curve for point in published for curve in _published(point)]
        curves += [_front(group), *map(_model, group.points)]
        keys = [
            Key("student", translate("FrontPlot", "students"), "student", "o", line=False),
            Key("teacher", translate("FrontPlot", "teachers"), "teacher", "s", line=False),
            Key("front", translate("FrontPlot", "Pareto front"), "accent", dashed=True),
            Key("paper", translate("FrontPlot", "the paper's models"), "grey", "d", line=False),
        ]
        places = with_room(place for curve in curves for place in curve.x.tolist())
        self.show_drawing(Drawing(curves=told_apart(curves), keys=keys, x_range=places))


def _front(group: FrontGroup) -> Curve:
    steps = np.array(staircase(group.points))
    look = {"dashed": True, "told": False}
    return Curve("Pareto front", np.log10(steps[:, 0]), steps[:, 1], "accent", frozenset(("front",)), **look)  # type: ignore[arg-type]


def _model(point: FrontPoint) -> Curve:
    who, symbol = ("teacher", "s") if point.run is None else ("student", "o")
    name, size = clean(point.name), np.array([float(point.parameters)])
    return Curve(
        name,
        np.log10(size),
        np.array([point.score]),
        who,
        frozenset((who,)),
        label=name,
        line=False,
        symbol=symbol,
        symbol_size=_POINT,
        hollow=not point.on_front,
        measured_x=size,
    )


def _published(point: PublishedPoint) -> Iterable[Curve]:
    """A point of the paper's; where its size isn't told, in the middle of the sizes that it may have had."""
    name, score = translate("FrontPlot", "paper: {}").format(point.label), point.score
    made = partial(Curve, color="grey", groups=frozenset(("paper",)))
    ends = np.array(point.parameters, dtype=float)
    if ends[0] < ends[1]:
        yield made(f"{name} (sizes)", np.log10(ends), np.array([score, score]), width=1, opacity=0.35, told=False)
    middle = np.array([ends.mean()])
    look = {"line": False, "symbol": "d", "symbol_size": _PAPER_POINT, "hollow": True}
    yield made(name, np.log10(middle), np.array([score]), measured_x=middle, **look)


def _at_size(x: float) -> str:
    return translate("FrontPlot", "{} parameters").format(parameters(power(x)))
