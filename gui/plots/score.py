"""The plot of the tasks' scores: quick probes while the model trains, and the final tests."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from html import escape

import numpy as np
from PySide6.QtCore import QCoreApplication
from PySide6.QtWidgets import QWidget

from core.wording import clean
from gui.plots.axes import NumberAxis, plain, steps
from gui.plots.curve import Curve, Drawing, Key, Span
from gui.plots.panel import PlotPanel
from gui.run_model import RunModel
from gui.text import count, metric_name, number, stage_name

translate = QCoreApplication.translate

_SYMBOLS = ("o", "s", "t", "d", "p", "h", "t1", "t2", "t3", "+")
_TEST_SHARE = 0.16
"""Of the width, for the final scores."""


class ScorePlot(PlotPanel):
    """The student's live scores against the teacher's, on validation examples; final test scores apart at the right."""

    def __init__(self, parent: QWidget | None = None) -> None:
        self._steps = 0
        self._y = NumberAxis("left", translate("ScorePlot", "score (0-100)"), plain)
        super().__init__(
            "plot-score",
            translate("ScorePlot", "Score"),
            translate(
                "ScorePlot",
                "How well tasks can be done with the model: quick probes on validation examples while it trains, "
                "real tests at the end.",
            ),
            NumberAxis("bottom", translate("ScorePlot", "training steps"), steps),
            self._y,
            parent,
            place=self._at,
            value=number,
        )

    def show_model(self, model: RunModel) -> None:
        """Show what the model holds."""
        self._steps = model.steps
        marks = {task: _SYMBOLS[index % len(_SYMBOLS)] for index, task in enumerate(model.tasks)}
        lines = [curve for task, symbol in marks.items() for curve in _lines(model, task, symbol)]
        length = max(1, model.steps)
        finals = list(_finals(model, marks, length, length * (1 + _TEST_SHARE)))
        spans = [Span(stage_name(band.stage), band.start, band.end) for band in model.bands]
        if finals:
            spans.append(Span(translate("ScorePlot", "test"), length, length * (1 + _TEST_SHARE)))
        metrics = dict.fromkeys(clean(metric_name(model.metric(task))) for task in marks)
        self._y.setLabel(  # read as HTML
            translate("ScorePlot", "{} (0-100)").format(escape(" · ".join(metrics)))
            if metrics
            else translate("ScorePlot", "score (0-100)")
        )
        self.show_drawing(
            Drawing(
                curves=[*lines, *finals],
                keys=_keys(marks, [*lines, *finals]),
                spans=spans,
                x_range=(0, length * (1 + _TEST_SHARE) if finals else length),
                numbered_to=length,
            )
        )

    def _at(self, x: float) -> str:
        if x > self._steps:
            return translate("ScorePlot", "final test, mean over seeds")
        return translate("ScorePlot", "step {}, quick probe").format(count(max(0, round(x))))


def _lines(model: RunModel, task: str, symbol: str) -> Iterable[Curve]:
    name = clean(task)
    teacher, student = model.teacher_scores(task), model.student_scores(task)
    if len(teacher.x):
        groups = frozenset((f"task {task}", "teacher"))
        yield Curve(f"teacher {name}", teacher.x, teacher.y, "teacher", groups, teacher.breaks, dashed=True)
    if len(student.x):
        groups = frozenset((f"task {task}", "student"))
        look = Curve(f"student {name}", student.x, student.y, "student", groups, student.breaks, name)
        yield replace(look, symbol=symbol, symbol_size=9)


def _finals(model: RunModel, marks: dict[str, str], start: float, end: float) -> Iterable[Curve]:
    """Teacher and student side by side: they may be equally good."""
    for score in model.final_scores():
        x = start + (end - start) * (0.3 if score.who == "teacher" else 0.7)
        yield Curve(
            f"{score.who} {clean(score.task)} (final test)",
            np.array([x]),
            np.array([score.mean]),
            score.who,
            frozenset((f"task {score.task}", score.who, "final")),
            line=False,
            symbol=marks[score.task],
            symbol_size=13,
        )


def _keys(marks: dict[str, str], curves: list[Curve]) -> list[Key]:
    there = {group for curve in curves for group in curve.groups}
    keys = [
        Key("student", translate("ScorePlot", "student"), "student"),
        Key("teacher", translate("ScorePlot", "teacher"), "teacher", dashed=True),
        *(Key(f"task {task}", clean(task), "text", symbol, line=False) for task, symbol in marks.items()),
        Key("final", translate("ScorePlot", "final test"), "text", "o", line=False),
    ]
    return [key for key in keys if key.group in there]
