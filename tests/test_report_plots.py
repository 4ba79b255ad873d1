"""The report's plots: points, bars and dots stand where their values say."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from itertools import pairwise
from xml.etree import ElementTree

import pytest
from finished_run import RESULTS, events

from core.events import Loss, Score
from core.export.dot_plot import Dot, DotRow, dot_plot
from core.export.drawing import si
from core.export.figures import figures
from core.export.plots import Band, Line, line_plot, smoothed, stacked_bars


def test_each_plot_is_well_formed_and_named() -> None:
    drawn = figures(events(), RESULTS)
    assert [caption for caption, _ in drawn][3:] == ["Live score: names", "Live score: pos"]
    for _, svg in drawn:
        root = ElementTree.fromstring(svg)
        assert root.get("role") == "img" and root.get("aria-label")


def test_one_meaning_has_one_colour() -> None:
    mlm, kd, sizes, score, _ = (svg for _, svg in figures(events(), RESULTS))
    assert set(re.findall(r"var\((--[\w-]+)\)", mlm)) == {"--mlm", "--validation"}
    assert set(re.findall(r"var\((--[\w-]+)\)", kd)) == {"--kd", "--validation"}
    assert set(re.findall(r"var\((--[\w-]+)\)", score)) == {"--student", "--teacher"}
    assert set(re.findall(r"var\((--[\w-]+)\)", sizes)) == {"--embeddings", "--attention", "--feed-forward", "--head"}


def test_each_term_of_the_loss_has_a_plot_of_its_own() -> None:
    learnt = [replace(event, hidden=0.25) if isinstance(event, Loss) else event for event in events()]
    assert "hidden" not in " ".join(caption for caption, _ in figures(events(), RESULTS))
    caption, svg = figures(learnt, RESULTS)[2]
    assert caption == "Distance of the hidden states"
    assert set(re.findall(r"var\((--[\w-]+)\)", svg)) == {"--hidden", "--validation"}


def test_the_teachers_score_is_a_line_over_every_stage() -> None:
    scored_once = [e for e in events() if not (isinstance(e, Score) and e.who == "teacher" and e.stage == "hidden")]
    svg = figures(scored_once, RESULTS)[3][1]
    assert len(re.findall(r'stroke="var\(--teacher\)" stroke-dasharray', svg)) == 2
    nobody = [e for e in events() if not (isinstance(e, Score) and e.who == "teacher")]
    assert "--teacher" not in figures(nobody, RESULTS)[3][1]


def test_points_stand_where_their_values_say() -> None:
    svg = line_plot("t", "x", "y", [Line("a", [(0, 0.0), (5, 1.0), (10, 2.0)], "--mlm")])
    path = ElementTree.fromstring(svg).find("path[@class='line']")
    assert path is not None
    (x0, y0), (x1, y1), (x2, y2) = (map(float, xy.split()) for xy in re.split("[ML]", path.get("d", ""))[1:])
    assert x0 < x1 < x2 and y0 > y1 > y2
    assert x1 - x0 == pytest.approx(x2 - x1, abs=0.2) and y0 - y1 == pytest.approx(y1 - y2, abs=0.2)


def test_a_gap_breaks_a_line_and_a_lonely_point_is_seen() -> None:
    svg = line_plot("t", "x", "y", [Line("a", [(0, 1.0), (1, 2.0), (2, math.nan), (3, 1.0), (4, 2.0)], "--mlm")])
    assert len(re.findall("M", re.findall(r'class="line" d="([^"]*)"', svg)[0])) == 2
    assert "<circle" in line_plot("t", "x", "y", [Line("a", [(0, 1.0)], "--mlm")], [Band("s", 0, 1)])
    assert line_plot("t", "x", "y", [Line("a", [(0, math.nan)], "--mlm")]) == ""
    assert line_plot("t", "x", "y", []) == ""


def test_a_long_line_is_thinned_without_losing_its_peak() -> None:
    points = [(float(i), 100.0 if i == 12_345 else 1.0) for i in range(20_000)]
    svg = line_plot("t", "x", "y", [Line("a", points, "--mlm")])
    heights = [float(xy.split()[1]) for xy in re.split("[ML]", re.findall(r' d="(M[^"]*)"', svg)[-1])[1:]]
    assert len(heights) <= 400
    assert min(heights) < 60


def test_labels_of_lines_that_end_together_do_not_cover_each_other() -> None:
    svg = line_plot("t", "x", "y", [Line(name, [(0, 0.0), (1, 1.0)], "--mlm") for name in ("a", "b", "c")])
    heights = sorted(float(y) for y, name in re.findall(r'y="([\d.]+)" text-anchor="start">(\w)<', svg))
    assert len(heights) == 3
    assert all(b - a >= 15 for a, b in pairwise(heights))


def test_bars_are_as_high_as_their_parts() -> None:
    svg = stacked_bars(
        "t", "y", {"one": {"a": 30.0, "b": 10.0}, "two": {"a": 20.0}}, {"a": ("A", "--x"), "b": ("B", "--y")}
    )
    bars = re.findall(r'height="([\d.]+)" fill="var\(--(\w)\)"><title>(\w+), (\w): (\d+)', svg)
    assert [(name, part, value) for _, _, name, part, value in bars] == [
        ("one", "A", "30"),
        ("one", "B", "10"),
        ("two", "A", "20"),
    ]
    heights = [float(height) for height, *_ in bars]
    assert heights[0] / heights[1] == pytest.approx(3, rel=0.02) and heights[0] / heights[2] == pytest.approx(
        1.5, rel=0.02
    )
    assert stacked_bars("t", "y", {}, {}) == ""


def test_smoothing_keeps_a_straight_line_and_the_mean() -> None:
    assert smoothed([(i, 3.0) for i in range(20)]) == [(i, pytest.approx(3.0)) for i in range(20)]
    assert smoothed([(0, 1.0), (1, 4.0), (2, 1.0)], window=3)[1] == (1, pytest.approx(2.0))
    assert smoothed([(0, math.nan)]) == []


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (0.05, "0.05"), (999, "999"), (1000, "1k"), (22_812_688, "22.8M"), (3e9, "3G"), (-2500, "-2.5k")],
)
def test_axis_numbers_have_prefixes(value: float, text: str) -> None:
    assert si(value) == text


# -- dots ------------------------------------------------------------------------------------------------------------


def test_dots_stand_where_their_values_say_and_lines_reach_as_far_as_their_intervals() -> None:
    teacher, student = Dot("t", 80.0, "--teacher", 78.0, 84.0, hollow=True), Dot("s", 70.0, "--student", 68.0, 72.0)
    rows = [
        DotRow("a", "F1", [teacher, student]),
        DotRow("b", "F1", [Dot("t", 75.0, "--teacher"), Dot("s", 76.0, "--student")]),
    ]
    root = ElementTree.fromstring(dot_plot("t", "x", rows))
    legend, dots = root.findall("circle")[:2], root.findall("circle")[2:]
    assert [dot.get("stroke") for dot in legend] == ["var(--teacher)", "var(--student)"]
    x = {dot.findtext("title"): float(dot.get("cx", "")) for dot in dots}
    assert list(x) == ["t: 80.0 [78.0, 84.0]", "s: 70.0 [68.0, 72.0]", "t: 75.0", "s: 76.0"]
    high, low, middle, _ = x.values()
    assert middle - low == pytest.approx(high - middle, abs=0.2) and low < middle
    scale = (high - low) / 10
    paths = (re.findall(r"[\d.]+", line.get("d", "")) for line in root.findall("path[@class='line']"))
    assert [(float(left), float(right)) for left, _, right in paths] == [
        (pytest.approx(high - 2 * scale, abs=0.2), pytest.approx(high + 4 * scale, abs=0.2)),
        (pytest.approx(low - 2 * scale, abs=0.2), pytest.approx(low + 2 * scale, abs=0.2)),
    ]
    assert len({dot.get("cy") for dot in dots}) == 4
    assert root.findtext("desc") == "a: t 80.0 [78.0, 84.0], s 70.0 [68.0, 72.0]; b: t 75.0, s 76.0"


def test_dots_that_are_no_numbers_are_left_out_and_long_names_are_cut() -> None:
    odd = [Dot("t", math.nan, "--teacher"), Dot("s", 50.0, "--student", math.nan, math.inf)]
    svg = dot_plot("t", "x", [DotRow("\u202e<b>" + 40 * "a", "F1", odd)])
    assert svg.count("<circle") == 2 and "nan" not in svg and "inf" not in svg
    assert "&lt;b&gt;" + 20 * "a" + "…" in svg and "\u202e" not in svg
    assert dot_plot("t", "x", [DotRow("a", "", [odd[0]])]) == "" == dot_plot("t", "x", [])
