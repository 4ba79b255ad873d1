"""The plot of the losses over the training steps of all stages.

Its terms are of different kinds: a squared distance averaged over a vocabulary is tiny beside a cross-entropy in nats.
So what measures the distance from the teacher has an axis of its own, on the right.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial

from PySide6.QtCore import QCoreApplication
from PySide6.QtWidgets import QWidget

from gui.plots.axes import NumberAxis, SecondAxis, plain, steps
from gui.plots.curve import Curve, Drawing, Key, Span
from gui.plots.panel import PlotPanel
from gui.run_model import LOSSES, SPLITS, RunModel
from gui.text import count, number, stage_name

translate = QCoreApplication.translate

_SYMBOLS = {"total": "o", "mlm": "s", "kd": "t", "hidden": "d"}
_SECOND = ("kd", "hidden")
"""The losses on the right axis."""


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
            second=SecondAxis(translate("LossPlot", "distance from the teacher"), plain),
        )

    def show_model(self, model: RunModel) -> None:
        """Show what the model holds."""
        factor = _factor(model)
        curves = [curve for kind in LOSSES for split in SPLITS for curve in _curves(model, split, kind, factor)]
        self.show_drawing(
            Drawing(
                curves=curves,
                keys=_keys(curves),
                spans=[Span(stage_name(band.stage), band.start, band.end) for band in model.bands],
                x_range=(0, max(1, model.steps)),
                second=factor,
            )
        )


def _factor(model: RunModel) -> float | None:
    """How many times larger the right axis' losses are drawn: as high as the left one's, at most; None: there are none.

    One of 1, 2 and 5 times a power of ten, so that both axes have round numbers at the same lines.
    """
    left = _highest(model, [kind for kind in LOSSES if kind not in _SECOND])
    right = _highest(model, _SECOND)
    if right is None:
        return None
    if left is None or left <= 0 or right <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(left / right))
    return max(power * times for times in (1, 2, 5) if times == 1 or power * times <= left / right)


def _highest(model: RunModel, kinds: Sequence[str]) -> float | None:
    found = (model.loss(split, kind).y for kind in kinds for split in SPLITS)
    return max((float(values.max()) for values in found if len(values)), default=None)


def _curves(model: RunModel, split: str, kind: str, factor: float | None) -> list[Curve]:
    series = model.loss(split, kind)
    if not len(series):
        return []
    name, groups, breaks, times = f"{split} {kind}", frozenset((kind, split)), series.breaks, 1.0
    short = _short(kind)
    if kind in _SECOND and factor is not None:
        times, short = factor, translate("LossPlot", "{} (right)").format(short)
    made = partial(Curve, x=series.x, groups=groups, breaks=breaks, measured=series.y)
    if split == "validation":
        label = translate("LossPlot", "validation {}").format(short)
        return [made(name, y=times * series.y, color="validation", label=label, symbol=_SYMBOLS[kind], symbol_size=8)]
    return [
        made(name, y=times * series.y, color=kind, width=1, opacity=0.35),
        made(f"{name} (smoothed)", y=times * series.smoothed, color=kind, label=short, told=False),
    ]


def _keys(curves: list[Curve]) -> list[Key]:
    there = {group for curve in curves for group in curve.groups}
    keys = [
        Key("total", translate("LossPlot", "total"), "total", _SYMBOLS["total"]),
        Key("mlm", translate("LossPlot", "words (MLM)"), "mlm", _SYMBOLS["mlm"]),
        Key("kd", translate("LossPlot", "teacher (KD, right)"), "kd", _SYMBOLS["kd"]),
        Key("hidden", translate("LossPlot", "inner states (right)"), "hidden", _SYMBOLS["hidden"]),
        Key("train", translate("LossPlot", "training"), "total"),
        Key("validation", translate("LossPlot", "validation"), "validation", "o"),
    ]
    return [key for key in keys if key.group in there]


def _short(kind: str) -> str:
    words = {"total": translate("LossPlot", "total"), "hidden": translate("LossPlot", "inner states")}
    return words.get(kind, kind.upper())


def _at_step(x: float) -> str:
    return translate("LossPlot", "step {}").format(count(max(0, round(x))))


def _loss(value: float) -> str:
    return number(value, 3)
