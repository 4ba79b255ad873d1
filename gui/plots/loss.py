"""The plot of the losses over the training steps of all stages."""

from __future__ import annotations

from PySide6.QtCore import QCoreApplication
from PySide6.QtWidgets import QWidget

from gui.plots.axes import NumberAxis, plain, steps
from gui.plots.curve import Curve, Drawing, Key, Span
from gui.plots.panel import PlotPanel
from gui.run_model import LOSSES, SPLITS, RunModel
from gui.text import count, number, stage_name

translate = QCoreApplication.translate

_SYMBOLS = {"total": "o", "mlm": "s", "kd": "t"}


class LossPlot(PlotPanel):
    """Raw and smoothed training losses, and the losses on validation text."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(
            "plot-loss",
            translate("LossPlot", "Loss"),
            translate(
                "LossPlot",
                "How wrong the model is in training and on text that it does not learn from; lower is better.",
            ),
            NumberAxis("bottom", translate("LossPlot", "training steps"), steps),
            NumberAxis("left", translate("LossPlot", "loss (nats)"), plain),
            parent,
            place=_at_step,
            value=_loss,
            log_y=True,
        )

    def show_model(self, model: RunModel) -> None:
        """Show what the model holds."""
        curves = [curve for kind in LOSSES for split in SPLITS for curve in _curves(model, split, kind)]
        self.show_drawing(
            Drawing(
                curves=curves,
                keys=_keys(curves),
                spans=[Span(stage_name(band.stage), band.start, band.end) for band in model.bands],
                x_range=(0, max(1, model.steps)),
            )
        )


def _curves(model: RunModel, split: str, kind: str) -> list[Curve]:
    series = model.loss(split, kind)
    if not len(series):
        return []
    name, groups, breaks = f"{split} {kind}", frozenset((kind, split)), series.breaks
    if split == "validation":
        label = translate("LossPlot", "validation {}").format(_short(kind))
        return [
            Curve(name, series.x, series.y, "validation", groups, breaks, label, symbol=_SYMBOLS[kind], symbol_size=8)
        ]
    return [
        Curve(name, series.x, series.y, kind, groups, breaks, width=1, opacity=0.35),
        Curve(f"{name} (smoothed)", series.x, series.smoothed, kind, groups, breaks, _short(kind), told=False),
    ]


def _keys(curves: list[Curve]) -> list[Key]:
    there = {group for curve in curves for group in curve.groups}
    keys = [
        Key("total", translate("LossPlot", "total"), "total", _SYMBOLS["total"]),
        Key("mlm", translate("LossPlot", "words (MLM)"), "mlm", _SYMBOLS["mlm"]),
        Key("kd", translate("LossPlot", "teacher (KD)"), "kd", _SYMBOLS["kd"]),
        Key("train", translate("LossPlot", "training"), "total"),
        Key("validation", translate("LossPlot", "validation"), "validation", "o"),
    ]
    return [key for key in keys if key.group in there]


def _short(kind: str) -> str:
    return translate("LossPlot", "total") if kind == "total" else kind.upper()


def _at_step(x: float) -> str:
    return translate("LossPlot", "step {}").format(count(max(0, round(x))))


def _loss(value: float) -> str:
    return number(value, 3)
