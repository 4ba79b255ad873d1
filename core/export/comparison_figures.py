"""The plots of several runs: validation curves, size against score, drop against volume of text."""

from __future__ import annotations

import math
from collections.abc import Sequence

from core.analysis.curves import Curve
from core.analysis.pareto import FrontGroup, FrontPoint
from core.analysis.published import published_for
from core.analysis.volume_law import VolumeLaw, VolumePoint
from core.export.plots import Line, line_plot
from core.export.point_plot import Area, Mark, Trace, point_plot
from core.pretraining import amount
from core.wording import clean, number, parameters, shortened

RUN_COLOURS = ("student", "mlm", "kd", "validation", "attention", "embeddings", "hidden", "head")
"""Of runs side by side; when they are used up, they come again dashed."""
_NAME_LETTERS = 14


def curve_plot(named: Sequence[tuple[str, Sequence[Curve]]]) -> str:
    """Validation loss over the tokens learnt from, a colour a run.

    Args:
        named: runs' names and curves, in order.

    Returns:
        An <svg> element; empty text where no run has a curve.
    """
    lines = []
    for place, (name, curves) in enumerate(named):
        colour, dashed = f"--{RUN_COLOURS[place % len(RUN_COLOURS)]}", place >= len(RUN_COLOURS)
        for curve in curves:
            label = shortened(clean(name), _NAME_LETTERS)
            lines.append(Line(label, curve.points, colour, dashed=dashed, labelled=curve is curves[-1]))
    return line_plot("Validation loss of every run", "tokens learnt from", "masked-language loss (nats)", lines)


def front_plot(group: FrontGroup) -> str:
    """Size against score, the Pareto front as a line, the paper's points behind."""
    behind = [
        Mark(
            math.sqrt(math.prod(point.parameters)),  # the middle of a logarithmic axis
            point.score,
            "",
            f"Paper: {point.label}, {point.score:.1f}, {_sizes(point.parameters)} parameters",
            "--grey",
            hollow=True,
            x_ends=point.parameters if point.parameters[0] < point.parameters[1] else None,
        )
        for point in published_for(group.kinds, group.language).points
    ]
    own = [
        Mark(
            point.parameters,
            point.score,
            point.name,
            f"{clean(point.name)}: {point.score:.1f}, {parameters(point.parameters)} parameters",
            "--teacher" if point.run is None else "--student",
            hollow=not point.on_front,
        )
        for point in group.points
    ]
    front = Trace("Pareto front", staircase(group.points), "--accent", dashed=True)
    title = f"Size against score, {group.language_name}"
    score = "score (0-100)" if len(group.kinds) == 1 else "mean score (0-100)"
    return point_plot(title, "parameters", score, [*behind, *own], traces=[front], log_x=True)


def staircase(points: Sequence[FrontPoint]) -> list[tuple[float, float]]:
    """The front as a line, size and score: up to the next larger model on it, the best is the one before."""
    steps: list[tuple[float, float]] = []
    for point in (point for point in points if point.on_front):
        if steps:
            steps.append((point.parameters, steps[-1][1]))
        steps.append((point.parameters, point.score))
    return steps


def _sizes(ends: tuple[int, int]) -> str:
    low, high = map(parameters, ends)
    return low if low == high else f"{low} to {high}"


def volume_plot(law: VolumeLaw) -> str:
    """Drop against the volume of the language's text in the teacher's pretraining, both logarithmic, with the fit.

    A drop of nothing or below stands at the lower edge, a language that the teacher never saw at the left one.
    """
    marks = [
        Mark(point.size, point.drop, f"{point.name} ({point.language})", _told(point), "--student")
        for point in law.points
    ]
    traces, areas = [], []
    if law.fit is not None:
        seen = [point.size for point in law.points if point.size > 0]
        line = [(place.volume, place.drop) for place in law.fit.band]
        line = line or [(size, law.fit.at(size)) for size in (min(seen), max(seen))]
        traces.append(Trace("The fitted law", line, "--accent"))
        areas.append(Area("95 % interval of the law", [(p.volume, p.low, p.high) for p in law.fit.band], "--accent"))
    title = "Drop against the volume of text that the teacher had seen"
    return point_plot(
        title, f"text of the language in {law.source}, {law.unit}", "drop (points)", marks,
        traces=traces, areas=areas, log_x=True, log_y=True,
    )  # fmt: skip


def _told(point: VolumePoint) -> str:
    volume = "never seen" if point.size == 0 else amount(point.volume)
    return f"{clean(point.name)}, {point.language_name}: drop {number(point.drop)}, {volume}"
