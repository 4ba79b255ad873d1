"""The report's plots, from a run's events."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from core.events import Event, Loss, Score, Size
from core.export.drawing import Point
from core.export.plots import Band, Line, line_plot, smoothed, stacked_bars
from core.wording import clean, metric

_PARTS = {
    "embeddings": ("embeddings", "--embeddings"),
    "attention": ("attention", "--attention"),
    "feed_forward": ("feed-forward", "--feed-forward"),
    "head": ("head", "--head"),
    "all": ("teacher", "--teacher"),
}
_STEPS = "optimiser steps"


def figures(events: Iterable[Event], results: Mapping[str, Any] | None) -> list[tuple[str, str]]:
    """Each plot that the events have data for: its caption and its <svg>.

    Args:
        events: a run's events, in order.
        results: the content of results.json, where there is one.
    """
    events = list(events)
    losses = [event for event in events if isinstance(event, Loss)]
    scores = [event for event in events if isinstance(event, Score) and event.how == "probe"]
    place = _Steps([*losses, *scores])
    plots = [
        _loss_plot("Masked-language loss", "mlm", "--mlm", losses, place),
        _loss_plot("Distance from the teacher (distillation loss)", "kd", "--kd", losses, place),
        _loss_plot("Distance of the hidden states", "hidden", "--hidden", losses, place),
        _size_plot([event for event in events if isinstance(event, Size)], results),
    ]
    plots += [_score_plot(task, scores, place) for task in dict.fromkeys(score.task for score in scores)]
    return [(caption, svg) for caption, svg in plots if svg]


class _Steps:
    """Lays the steps of every stage one behind the other."""

    def __init__(self, events: Sequence[Loss | Score]) -> None:
        longest: dict[str, int] = {}
        for event in events:
            longest[event.stage] = max(longest.get(event.stage, 0), event.step)
        self._start: dict[str, int] = {}
        start = 0
        for stage, steps in longest.items():
            self._start[stage] = start
            start += steps
        self.spans = {
            stage: (self._start[stage], self._start[stage] + steps) for stage, steps in longest.items() if steps
        }
        """Stage → its first and last place, for stages that have steps."""

    @property
    def bands(self) -> list[Band]:
        """The stages, drawn."""
        return [Band(clean(stage).replace("_", " "), start, end) for stage, (start, end) in self.spans.items()]

    def __call__(self, event: Loss | Score) -> float:
        return self._start[event.stage] + event.step


def _loss_plot(caption: str, kind: str, colour: str, losses: Sequence[Loss], place: _Steps) -> tuple[str, str]:
    train = _by_stage((loss for loss in losses if loss.split == "train"), kind, place)
    validation = _by_stage((loss for loss in losses if loss.split == "validation"), kind, place)
    lines = [Line("train", points, colour, faint=True, labelled=False) for points in train]
    lines += _lines("train", [smoothed(points) for points in train], colour)
    lines += _lines("validation", validation, "--validation")
    return caption, line_plot(f"{caption} by step", _STEPS, "loss", lines, place.bands)


def _lines(label: str, pieces: Sequence[Sequence[Point]], colour: str, *, dashed: bool = False) -> list[Line]:
    """One meaning drawn in several pieces, of which the last bears the label."""
    return [Line(label, piece, colour, dashed=dashed, labelled=piece is pieces[-1]) for piece in pieces]


def _by_stage(losses: Iterable[Loss], kind: str, place: _Steps) -> list[list[Point]]:
    """One line a stage: what is trained changes between them."""
    points: dict[str, list[Point]] = {}
    for loss in losses:
        value = getattr(loss, kind)
        if value is not None:
            points.setdefault(loss.stage, []).append((place(loss), value))
    return list(points.values())


def _size_plot(sizes: Sequence[Size], results: Mapping[str, Any] | None) -> tuple[str, str]:
    bars: dict[str, Mapping[str, float]] = {}
    if results and sizes and sizes[0].stage != "teacher":
        bars["teacher"] = {"all": results["teacher"]["parameters"]}
    for size in sizes:
        bars[clean(size.stage).replace("_", " ")] = size.parts
    return "Parameters after each stage", stacked_bars(
        "Parameters after each stage, by part", "parameters", bars, _PARTS
    )


def _score_plot(task: str, scores: Sequence[Score], place: _Steps) -> tuple[str, str]:
    own = [score for score in scores if score.task == task]
    student: dict[str, list[Point]] = {}
    for score in own:
        if score.who == "student":
            student.setdefault(score.stage, []).append((place(score), score.value))
    teacher = _teacher_lines({score.stage: score.value for score in own if score.who == "teacher"}, place)
    lines = [
        *_lines("student", list(student.values()), "--student"),
        *_lines("teacher", teacher, "--teacher", dashed=True),
    ]
    title = f"Live score: {clean(task)}"
    return title, line_plot(title, _STEPS, f"{metric(own[0].metric)} (0-100), quick probe", lines, place.bands)


def _teacher_lines(values: Mapping[str, float], place: _Steps) -> list[list[Point]]:
    """The teacher's score over each stage; a stage that didn't measure its teacher has the one before it."""
    lines: list[list[Point]] = []
    current = next(iter(values.values()), None)
    for stage, ends in place.spans.items():
        current = values.get(stage, current)
        if current is not None:
            lines.append([(end, current) for end in ends])
    return lines
