"""The plots of several models: what they show, beside the points too, and what has no place on a logarithmic axis."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot
from several_runs import run_of

from core.analysis.compare import Comparison, compare
from core.analysis.published import published_topic
from gui.plots.axes import PowersAxis, beyond, power, with_room
from gui.plots.canvas import Canvas
from gui.plots.curve import Curve, Drawing, told_apart
from gui.plots.export import table
from gui.plots.front import FrontPlot
from gui.plots.panel import PlotPanel
from gui.plots.validation import ValidationPlot
from gui.plots.volume import VolumePlot
from gui.text import parameters
from gui.theme import theme

pytestmark = pytest.mark.qt_log_ignore("propagateSizeHints")  # what the offscreen platform says of windows that grow
GIB = {"swh": 1.6, "slv": 10.3, "slk": 23.2, "hun": 58.4, "gle": 0.5}


@pytest.fixture(scope="module")
def comparison(tmp_path_factory: pytest.TempPathFactory) -> Comparison:
    folder = tmp_path_factory.mktemp("runs")
    runs = [run_of(folder / code, code, 9 * size**-0.25) for code, size in GIB.items()]
    runs.append(run_of(folder / "maltese", "mlt", 20.0))
    runs.append(run_of(folder / "wide", "slk", 4.5, parameters=60_000_000))
    return compare(runs)


def _shown(plot: PlotPanel, qtbot: QtBot) -> None:
    # Held until it is closed: Python would destroy what only a test knew, even while it is painted.
    qtbot.addWidget(plot, before_close_func=lambda _, held=plot: None)
    plot.resize(800, 440)
    plot.show()
    QApplication.processEvents()


@pytest.fixture
def front(comparison: Comparison, qtbot: QtBot) -> FrontPlot:
    plot = FrontPlot("plot-front-1")
    _shown(plot, qtbot)
    plot.show_group(next(group for group in comparison.fronts if group.language == "slk"))
    return plot


@pytest.fixture
def law(comparison: Comparison, qtbot: QtBot) -> VolumePlot:
    plot = VolumePlot("plot-volume-1")
    _shown(plot, qtbot)
    plot.show_law(comparison.volumes.laws[0])
    return plot


@pytest.fixture
def dark(qapp: object) -> Iterator[None]:
    theme().choose("dark")
    yield
    theme().choose("light")


def _curves(plot: PlotPanel) -> dict[str, Curve]:
    return {curve.name: curve for curve in plot.canvas.drawing.curves}


def _read_out(plot: PlotPanel) -> str:
    return plot._values.accessibleName() if plot._values.isVisible() else ""


def _names(canvas: Canvas) -> set[str]:
    return {item.toPlainText() for item in canvas._points._texts._items if item.isVisible()}


def test_sizes_stand_in_powers_of_ten_and_are_told_as_they_are(front: FrontPlot) -> None:
    curves = _curves(front)
    assert curves["slk"].x.tolist() == [pytest.approx(math.log10(22_812_688))]
    assert (curves["xlm-roberta-base"].color, curves["slk"].color) == ("teacher", "student")
    front.canvas.point_at(float(curves["slk"].x[0]))
    assert _read_out(front).startswith("22.8 M parameters; ") and "slk 75.9" in _read_out(front)
    rows = list(csv.reader(table(front.canvas.drawing).splitlines()))
    assert ["slk", "22812688", "", str(float(curves["slk"].y[0]))] in rows


def test_what_is_beaten_is_hollow_and_the_papers_points_lie_behind(front: FrontPlot) -> None:
    curves = _curves(front)
    assert curves["wide"].hollow and not curves["slk"].hollow  # larger and worse
    paper = [curve for name, curve in curves.items() if name.startswith("paper: ") and curve.told]
    assert len(paper) == len(published_topic().points) and {curve.color for curve in paper} == {"grey"}
    assert list(curves)[-3:] == ["slk", "wide", "xlm-roberta-base"]  # drawn over them
    steps = curves["Pareto front"]
    assert len(steps.x) == 3 and np.all(np.diff(steps.x) >= 0) and np.all(np.diff(steps.y) >= 0)


def test_points_bear_their_names_where_there_is_room(front: FrontPlot) -> None:
    assert _names(front.canvas) == {"slk", "wide", "xlm-roberta-base"}
    front.legend.buttons["student"].click()
    assert _names(front.canvas) == {"xlm-roberta-base"}
    crowd = [Curve(f"{n}", np.array([1.0]), np.array([2.0]), "student", frozenset(), label=f"{n}", line=False)
             for n in range(9)]  # fmt: skip
    front.canvas.draw(Drawing(curves=crowd, x_range=(0.0, 2.0)))
    assert 0 < len(_names(front.canvas)) < 9


def test_the_law_has_its_line_and_its_interval(law: VolumePlot, comparison: Comparison) -> None:
    curves, fit = _curves(law), comparison.volumes.laws[0].fit
    assert fit is not None and len(law.canvas.drawing.areas) == 1 and len(law.canvas._areas._items) == 1
    fitted = curves["fitted law"]
    assert fitted.values.tolist() == pytest.approx([fit.at(size) for size in fitted.places.tolist()])
    law.canvas.point_at(math.log10(23.2))
    assert _read_out(law).startswith("23.2 GiB; ") and "slk (slk) 4.1" in _read_out(law)


def test_what_has_no_logarithm_stands_at_the_edge_and_is_told_as_it_is(tmp_path: Path, qtbot: QtBot) -> None:
    drops = {"slk": 3.0, "swh": 5.0, "mlt": 20.0, "afr": -1.0}
    law = VolumePlot("plot-volume-1")
    _shown(law, qtbot)
    law.show_law(compare([run_of(tmp_path / code, code, drop) for code, drop in drops.items()]).volumes.laws[0])
    curves = _curves(law)
    unseen, gain = curves["mlt (mlt)"], curves["afr (afr)"]
    others = [curve for curve in curves.values() if curve not in (unseen, gain)]
    assert all(unseen.x[0] < curve.x.min() for curve in (*others, gain))
    assert all(gain.y[0] < curve.y.min() for curve in (*others, unseen))
    assert (unseen.symbol, gain.symbol) == ("t3", "t")
    law.canvas.point_at(float(unseen.x[0]))
    assert _read_out(law) == "never read; mlt (mlt) 20.0"
    told = table(law.canvas.drawing)
    assert "mlt (mlt),0,,20.0" in told and ",-1.0" in told


def test_too_few_runs_are_points_without_a_line(tmp_path: Path, qtbot: QtBot) -> None:
    (found,) = compare([run_of(tmp_path / "one", "slk", 3.0)]).volumes.laws
    plot = VolumePlot("plot-volume-1")
    _shown(plot, qtbot)
    plot.show_law(found)
    assert list(_curves(plot)) == ["one (slk)"] and plot.canvas.drawing.areas == []
    plot.grab()


def test_every_run_has_a_curve_of_its_own_colour(comparison: Comparison, qtbot: QtBot) -> None:
    plot = ValidationPlot("plot-validation")
    _shown(plot, qtbot)
    named = [(f"run {n}", comparison.curves[0]) for n in range(9)]
    plot.show_runs([*named, ("without", ())])
    curves = _curves(plot)
    assert len({curve.color for curve in curves.values()}) == 8 and [c.dashed for c in curves.values()] == [
        False
    ] * 8 + [True]
    assert curves["run 0"].breaks == (5,) and len(curves["run 0"].x) == 10 and "without" not in curves
    pen = plot.canvas._items["run 8"].opts["pen"].color().name()
    plot.show_runs(named[8:])
    assert plot.canvas._items["run 8"].opts["pen"].color().name() == pen  # the first colour again
    plot.show_runs(named[4:])
    assert plot.canvas._items["run 8"].opts["pen"].color().name() != pen
    plot.canvas.point_at(20 * 8192.0)
    assert _read_out(plot).startswith("164 k tokens")
    plot.show_runs([])
    assert plot._empty.isVisible()


def test_dark_plots_take_their_colours(law: VolumePlot, front: FrontPlot, dark: None) -> None:
    for plot in (law, front):
        assert not plot.grab().isNull()


@pytest.mark.parametrize(
    ("ends", "words"),
    [((6.9, 8.6), ["10.0 M", "20.0 M", "50.0 M", "100 M", "200 M"]), ((7.4, 7.45), ["26.0 M", "28.0 M"]),
     ((-400.0, 400.0), [])],
)  # fmt: skip
def test_ticks_stand_at_round_numbers(qapp: object, ends: tuple[float, float], words: list[str]) -> None:
    axis = PowersAxis("bottom", "parameters", lambda value, _: parameters(value))
    ((_, places),) = axis.tickValues(*ends, 400)
    written = axis.tickStrings(places, 1, 1)
    assert set(words) <= set(written) and 1 < len(written) < 12


def test_places_of_axes() -> None:
    assert beyond([0.0, -1.0]) < 0 and beyond([10.0, 1000.0, 0.0]) == pytest.approx(1 - 0.24)
    assert power(400) == 1e15
    assert with_room([1.0, 2.0]) == (pytest.approx(0.92), pytest.approx(2.08)) and with_room([1.0]) == (0.9, 1.1)


def test_curves_of_one_name_are_told_apart() -> None:
    one = Curve("a", np.array([1.0]), np.array([1.0]), "student", frozenset())
    assert [curve.name for curve in told_apart([one, one, one])] == ["a", "a (2)", "a (3)"]


def test_what_a_teacher_is_called_is_plain_text(tmp_path: Path, qtbot: QtBot) -> None:
    found = compare([run_of(tmp_path / "run", "slk", teacher="/models/<img src=x>")])
    plot = FrontPlot("plot-front-1")
    _shown(plot, qtbot)
    plot.show_group(found.fronts[0])
    plot.canvas.point_at(float(_curves(plot)["<img src=x>"].x[0]))
    assert "&lt;img" in plot._values.text() and "<img" not in plot._values.text()
