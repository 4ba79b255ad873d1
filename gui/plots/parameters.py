"""The plot of the model's size after each stage, by part."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QCoreApplication
from PySide6.QtWidgets import QWidget

from core.events import Size
from gui.plots.axes import NumberAxis, millions
from gui.plots.curve import Curve, Drawing, Key, Note
from gui.plots.panel import PlotPanel
from gui.run_model import RunModel
from gui.text import parameters, part_name, stage_name

translate = QCoreApplication.translate

_PARTS = ("embeddings", "attention", "feed_forward", "head")
"""From the bottom up."""


class ParametersPlot(PlotPanel):
    """The parts stacked on each other, as they are after each stage."""

    def __init__(self, parent: QWidget | None = None) -> None:
        self._names: list[str] = []
        self._drawn: list[Size] | None = None
        super().__init__(
            "plot-parameters",
            translate("ParametersPlot", "Size"),
            translate(
                "ParametersPlot", "How many parameters the model has after each stage, and in which of its parts."
            ),
            NumberAxis("bottom", translate("ParametersPlot", "after the stage"), millions),
            NumberAxis("left", translate("ParametersPlot", "parameters"), millions),
            parent,
            place=self._stage_at,
            value=parameters,
        )

    def show_model(self, model: RunModel) -> None:
        """Show what the model holds."""
        sizes = list(model.sizes.values())
        if sizes == self._drawn:
            return  # it changes only at the end of a stage
        self._drawn = sizes
        self._names = [
            translate("ParametersPlot", "Teacher") if size.stage == "teacher" else stage_name(size.stage)
            for size in sizes
        ]
        short = [_short(size.stage) for size in sizes]
        self.show_drawing(
            Drawing(
                curves=_curves(sizes),
                keys=[Key(part, part_name(part), part, "s", line=False) for part in _PARTS if _has(sizes, part)],
                notes=[Note(parameters(size.parameters), index, size.parameters) for index, size in enumerate(sizes)],
                ticks=list(enumerate(short)),
                x_range=(-0.6, max(1, len(sizes)) - 0.4),
                from_zero=True,
            )
        )

    def _stage_at(self, x: float) -> str:
        at = round(x)
        return self._names[at] if 0 <= at < len(self._names) else ""


def _curves(sizes: list[Size]) -> list[Curve]:
    """The highest edge first, so that what is below is drawn over it."""
    if not sizes:
        return []
    x = np.arange(len(sizes), dtype=float)
    curves, below = [], np.zeros(len(sizes))
    for part in _PARTS:
        if _has(sizes, part):
            own = np.array([size.parts.get(part, 0) for size in sizes], dtype=float)
            below = below + own
            look = {"width": 1, "steps": True, "filled": True, "measured": own}
            curves.append(Curve(part, x, below, part, frozenset((part,)), **look))  # type: ignore[arg-type]
    total = np.array([size.parameters for size in sizes], dtype=float)
    return [*reversed(curves), Curve("total", x, total, "total", frozenset(("total",)), steps=True)]


def _has(sizes: list[Size], part: str) -> bool:
    return any(size.parts.get(part) for size in sizes)


def _short(stage: str) -> str:
    names = {
        "teacher": translate("ParametersPlot", "Teacher"),
        "adapt": translate("ParametersPlot", "Adapted"),
        "vocabulary": translate("ParametersPlot", "Words"),
        "layers": translate("ParametersPlot", "Layers"),
        "feed_forward": translate("ParametersPlot", "Units"),
        "hidden": translate("ParametersPlot", "Width"),
    }
    return names.get(stage) or stage_name(stage)
