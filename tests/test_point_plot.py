"""Axes and plots of points."""

from __future__ import annotations

import math
from xml.etree import ElementTree

import pytest

from core.export.drawing import HEIGHT, WIDTH, LogAxis, axis_for
from core.export.point_plot import Area, Mark, Trace, point_plot


def marks(*places: tuple[float, float], **more: object) -> list[Mark]:
    return [Mark(x, y, f"run {n}", f"run {n} told", "--student", **more) for n, (x, y) in enumerate(places)]  # type: ignore[arg-type]


def test_on_a_logarithmic_axis_factors_are_lengths() -> None:
    axis = LogAxis(0.1, 1000, 0, 400)
    assert [axis(value) for value in (0.1, 1, 10, 1000)] == pytest.approx([0, 100, 200, 400])
    assert axis.ticks() == pytest.approx([0.1, 1, 10, 100, 1000])
    assert axis.shows(0.5) and not axis.shows(0) and not axis.shows(-1) and not axis.shows(math.nan)


@pytest.mark.parametrize(("low", "high"), [(20e6, 300e6), (1.5, 2.5), (1e-9, 1e9), (3, 3), (95, 105)])
def test_ticks_are_inside_and_neither_none_nor_too_many(low: float, high: float) -> None:
    axis = axis_for([low, high], 0, 400, log=True)
    ticks = axis.ticks()
    assert 1 <= len(ticks) <= 10 and ticks == sorted(ticks)
    assert all(-1 <= axis(tick) <= 401 for tick in ticks)


def test_every_point_is_drawn_inside_and_told() -> None:
    svg = point_plot("Title <b>", "x", "y", marks((0.5, 12), (23.2, 3), (300, 0.5)), log_x=True, log_y=True)
    root = ElementTree.fromstring(svg)
    circles = [element for element in root.iter() if element.tag == "circle"]
    assert len(circles) == 3
    assert all(0 < float(c.attrib["cx"]) < WIDTH and 0 < float(c.attrib["cy"]) < HEIGHT for c in circles)
    x, y = ([float(circle.attrib[key]) for circle in circles] for key in ("cx", "cy"))
    assert x == sorted(x) and y == sorted(y)  # y grows downwards
    assert "Title &lt;b&gt;" in svg and "run 2 told" in svg and ">run 1<" in svg


def test_what_a_logarithm_cannot_show_stands_at_the_edge() -> None:
    svg = point_plot("t", "x", "y", marks((0, 12), (1, -2), (10, 4)), log_x=True, log_y=True)
    assert svg.count("<polygon") == 2 and svg.count("<circle") == 1
    assert svg.count("nan") == svg.count("inf") == 0
    linear = point_plot("t", "x", "y", marks((0, 12), (1, -2), (10, 4)))
    assert linear.count("<circle") == 3


def test_lines_and_bands_that_leave_the_plot_are_cut_off() -> None:
    trace = Trace("law", [(1, 10), (10, 3), (100, 1)], "--accent")
    area = Area("band", [(1, 5, 20), (10, -1, 8), (100, -4, 4000)], "--accent")
    svg = point_plot("t", "x", "y", marks((1, 10), (100, 1)), traces=[trace], areas=[area], log_x=True, log_y=True)
    root = ElementTree.fromstring(svg)
    (polygon,) = [element for element in root.iter() if element.tag == "polygon"]
    corners = [tuple(map(float, corner.split(","))) for corner in polygon.attrib["points"].split()]
    assert len(corners) == 6 and all(0 <= y <= HEIGHT for _, y in corners)
    assert "<title>band</title>" in svg and "<title>law</title>" in svg


def test_labels_that_would_cover_each_other_are_left_to_the_tooltips() -> None:
    crowded = point_plot("t", "x", "y", marks(*((5, 5 + n / 1000) for n in range(9)), (6, 9)))
    shown = crowded.count(">run ")
    assert 1 < shown < 2 * 10 and crowded.count(" told</title>") == 10
    labels = [n for n in range(10) if f">run {n}<" in crowded]
    assert 9 in labels and len(labels) < 9


def test_a_range_of_sizes_is_a_line() -> None:
    svg = point_plot("t", "x", "y", marks((20, 1), x_ends=(10.0, 40.0)), log_x=True)
    assert svg.count('class="raw"') == 1


def test_no_points_no_plot() -> None:
    assert point_plot("t", "x", "y", []) == ""
