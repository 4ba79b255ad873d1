"""The plot of the validation losses of several runs over the tokens that each has learnt from."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
from PySide6.QtCore import QCoreApplication
from PySide6.QtWidgets import QWidget

from core.analysis.curves import Curve as StageCurve
from core.export.comparison_figures import RUN_COLOURS
from core.wording import shortened
from gui.plots.axes import NumberAxis, plain, short
from gui.plots.curve import Curve, Drawing, Key
from gui.plots.panel import PlotPanel
from gui.text import number, parameters

translate = QCoreApplication.translate

_NAME_LETTERS = 28


class ValidationPlot(PlotPanel):
    """A curve a run, in as many pieces as it had stages that train."""

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(
            name,
            translate("ValidationPlot", "Validation loss"),
            translate(
                "ValidationPlot", "How wrong each model is on text that it does not learn from; lower is better."
            ),
            NumberAxis("bottom", translate("ValidationPlot", "text learnt from (tokens)"), short),
            NumberAxis("left", translate("ValidationPlot", "masked-language loss (nats)"), plain),
            parent,
            place=_at_tokens,
            value=partial(number, digits=3),
            log_y=True,
        )

    def show_runs(self, named: Sequence[tuple[str, Sequence[StageCurve]]]) -> None:
        """Show runs by their names, which differ, and curves; when the colours are used up they come again dashed."""
        curves = [
            _curve(name, stages, RUN_COLOURS[place % len(RUN_COLOURS)], dashed=place >= len(RUN_COLOURS))
            for place, (name, stages) in enumerate(named)
            if stages
        ]
        keys = [Key(curve.name, curve.label, curve.color, curve.symbol, curve.dashed) for curve in curves]
        self.show_drawing(Drawing(curves=curves, keys=keys))


def _curve(name: str, stages: Sequence[StageCurve], color: str, *, dashed: bool) -> Curve:
    points = np.array([point for stage in stages for point in stage.points], dtype=float)
    starts = np.cumsum([len(stage.points) for stage in stages])[:-1]
    return Curve(
        name,
        points[:, 0],
        points[:, 1],
        color,
        frozenset((name,)),
        tuple(starts.tolist()),
        label=shortened(name, _NAME_LETTERS),
        dashed=dashed,
        symbol="o",
        symbol_size=5,
    )


def _at_tokens(x: float) -> str:
    return translate("ValidationPlot", "{} tokens").format(parameters(max(0.0, x)))
