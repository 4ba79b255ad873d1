"""The plots of a run: what they show, and how they answer to mouse and keys."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from PySide6.QtCore import QPoint, QPointF, Qt, QTimer
from PySide6.QtGui import QImage, QWheelEvent
from PySide6.QtWidgets import QApplication, QFileDialog, QLineEdit, QMessageBox
from pytestqt.qtbot import QtBot
from test_run_model import loss, score

from core.events import Event, Size
from gui.plots.export import table
from gui.plots.loss import LossPlot
from gui.plots.panel import PlotPanel
from gui.plots.parameters import ParametersPlot
from gui.plots.score import ScorePlot
from gui.run_model import RunModel
from gui.theme import theme

pytestmark = pytest.mark.qt_log_ignore("propagateSizeHints")  # what the offscreen platform says of windows that grow


def _size(stage: str, words: int, rest: int) -> Size:
    parts = {"embeddings": words, "attention": rest, "feed_forward": rest, "head": 1}
    return Size(stage=stage, parameters=sum(parts.values()), megabytes=1.0, parts=parts)


EVENTS: list[Event] = [
    _size("teacher", 14_000_000, 400_000),
    *(loss("layers", step, 8.0 / step) for step in range(1, 41)),
    loss("layers", 40, 2.0, split="validation"),
    score("layers", 0, "teacher", 60.0),
    score("layers", 0, "student", 20.0),
    score("layers", 40, "student", 50.0),
    _size("layers", 14_000_000, 200_000),
    *(loss("hidden", step, 4.0) for step in range(1, 11)),
    score("evaluate", 0, "teacher", 70.0, how="final", seed=1),
    score("evaluate", 1, "student", 55.0, how="final", seed=1),
]


@pytest.fixture
def model(qapp: object, monkeypatch: pytest.MonkeyPatch) -> RunModel:
    monkeypatch.setattr("gui.run_model._SLICE_SECONDS", 60.0)  # all events in one go
    model = RunModel()
    model.apply([(0.0, event) for event in EVENTS])
    return model


def _shown(plot: PlotPanel, model: RunModel, qtbot: QtBot) -> None:
    # Held until it is closed: Python would destroy what only a test knew, even while it is painted.
    qtbot.addWidget(plot, before_close_func=lambda _, held=plot: None)
    plot.resize(700, 400)
    plot.show()
    plot.show_model(model)  # type: ignore[attr-defined]
    QApplication.processEvents()


@pytest.fixture
def losses(model: RunModel, qtbot: QtBot) -> LossPlot:
    plot = LossPlot()
    _shown(plot, model, qtbot)
    return plot


@pytest.fixture
def dark(qapp: object) -> Iterator[None]:
    theme().choose("dark")
    yield
    theme().choose("light")


def _data(plot: PlotPanel) -> dict[str, tuple[list[float], list[float]]]:
    items = plot.canvas.getPlotItem().listDataItems()
    return {item.name(): tuple(map(list, item.getOriginalDataset())) for item in items}  # type: ignore[misc]


def _read_out(plot: PlotPanel) -> str:
    return plot._values.accessibleName() if plot._values.isVisible() else ""


def test_the_losses_have_their_names_and_points(losses: LossPlot) -> None:
    data = _data(losses)
    assert {"train total", "train total (smoothed)", "train mlm", "train kd", "validation total"} <= set(data)
    assert data["train total"][0] == list(range(1, 51)) and data["train total"][1][0] == 4.0
    assert data["validation total"] == ([40.0], [1.0])
    assert losses.canvas.objectName() == "plot-loss" and losses.canvas.accessibleName()


def _tick_words(plot: PlotPanel, side: str, values: list[float]) -> list[str]:
    axis = plot.canvas.getAxis(side)
    return axis.tickStrings(values, axis.scale, values[1] - values[0])  # type: ignore[no-any-return]


def test_what_measures_the_distance_from_the_teacher_has_its_own_axis(qtbot: QtBot, qapp: object) -> None:
    model = RunModel()
    model.apply(
        [(0.0, loss("layers", step, 8.0 / step, kd=0.3 / step, hidden=0.2)) for step in range(1, 5)]
        + [(0.0, loss("layers", 4, 8.0, kd=0.02, hidden=0.1, split="validation"))]
    )
    plot = LossPlot()
    _shown(plot, model, qtbot)
    axis, data = plot.canvas.getAxis("right"), _data(plot)
    assert axis.isVisible() and plot.canvas.drawing.second == 20.0  # 8 / 0.3, rounded down
    assert data["train kd"][1] == pytest.approx([6.0, 3.0, 2.0, 1.5])
    assert data["train hidden"][1] == pytest.approx([4.0] * 4) and data["validation hidden"][1] == [2.0]
    assert data["train mlm"][1] == [8.0, 4.0, 8 / 3, 2.0]
    assert _tick_words(plot, "left", [2.0, 4.0, 6.0]) == ["2", "4", "6"]
    assert _tick_words(plot, "right", [2.0, 4.0, 6.0]) == ["0.1", "0.2", "0.3"]
    plot.canvas.point_at(1.0)
    assert "train kd 0.300" in _read_out(plot) and "train hidden 0.200" in _read_out(plot)
    written = list(csv.reader(table(plot.canvas.drawing).splitlines()))
    assert ["train kd", "1", "Drop layers", "0.3"] in written
    labels = {curve.name: curve.label for curve in plot.canvas.drawing.curves}
    assert labels["train kd (smoothed)"] == "KD (right)" and labels["train mlm (smoothed)"] == "MLM"
    plot.canvas.set_log_y(True)
    assert _tick_words(plot, "right", [0.0, 1.0]) == ["0.05", "0.5"]


@pytest.mark.parametrize(
    ("mlm", "kd", "factor"), [(6.0, None, None), (6.0, 0.0, 1.0), (6.0, 5.0, 1.0), (6.0, 3.0, 2.0), (6.0, 40.0, 0.1)]
)
def test_the_second_axis_follows_the_losses(
    qtbot: QtBot, qapp: object, mlm: float, kd: float | None, factor: float | None
) -> None:
    model = RunModel()
    model.apply([(0.0, loss("layers", step, mlm, kd=kd)) for step in range(1, 4)])
    plot = LossPlot()
    _shown(plot, model, qtbot)
    assert plot.canvas.drawing.second == pytest.approx(factor)
    assert plot.canvas.getAxis("right").isVisible() is (factor is not None)


def test_without_a_teacher_there_is_one_axis_again(losses: LossPlot, model: RunModel) -> None:
    assert losses.canvas.getAxis("right").isVisible()
    model.reset()
    model.apply([(0.0, loss("adapt", 1, 5.0, kd=None))])
    losses.show_model(model)
    assert not losses.canvas.getAxis("right").isVisible()


def test_stages_are_not_joined_by_a_line(losses: LossPlot) -> None:
    (item,) = [item for item in losses.canvas.getPlotItem().listDataItems() if item.name() == "train total"]
    joined = item.opts["connect"]
    assert np.flatnonzero(joined == 0).tolist() == [39]  # the last of the first stage


def test_sizes_are_stacked_and_told_as_they_are(model: RunModel, qtbot: QtBot) -> None:
    plot = ParametersPlot()
    _shown(plot, model, qtbot)
    data = _data(plot)
    assert data["total"][1] == [14_800_001, 14_400_001]
    assert data["head"][1] == data["total"][1]  # the highest edge
    assert data["embeddings"][1] == [14_000_000, 14_000_000]
    assert [note.text for note in plot.canvas.drawing.notes] == ["14.8 M", "14.4 M"]
    assert [text for _, text in plot.canvas.drawing.ticks or ()] == ["Teacher", "Layers"]
    plot.canvas.point_at(0.2)
    assert "feed_forward 400 k" in _read_out(plot) and "total 14.8 M" in _read_out(plot)


def test_probes_and_final_tests_are_apart(model: RunModel, qtbot: QtBot) -> None:
    plot = ScorePlot()
    _shown(plot, model, qtbot)
    data = _data(plot)
    assert data["student ner"] == ([0.0, 40.0], [20.0, 50.0])
    assert set(data["teacher ner"][1]) == {60.0}
    assert data["student ner (final test)"][1] == [55.0] and data["student ner (final test)"][0][0] > 50
    plot.canvas.point_at(40.0)
    assert "probe" in _read_out(plot) and "student ner 50.0" in _read_out(plot) and "55.0" not in _read_out(plot)
    plot.canvas.point_at(data["student ner (final test)"][0][0])
    assert "final" in _read_out(plot) and "55.0" in _read_out(plot) and "50.0" not in _read_out(plot)


def test_nothing_and_one_point_can_be_shown(qtbot: QtBot, qapp: object) -> None:
    model = RunModel()
    plots = [LossPlot(), ParametersPlot(), ScorePlot()]
    for plot in plots:
        _shown(plot, model, qtbot)
        assert _data(plot) == {} and plot._empty.isVisible()
    model.apply([(0.0, loss("layers", 0, 7.0, split="validation", kd=None)), (0.0, score("layers", 0, "student", 0.0))])
    for plot in plots:
        plot.show_model(model)
        plot.grab()
    assert _data(plots[0])["validation total"] == ([0.0], [3.5])
    model.reset()
    plots[0].show_model(model)
    assert _data(plots[0]) == {}


def test_names_are_read_as_plain_text(qtbot: QtBot, qapp: object) -> None:
    model = RunModel()
    model.apply([(0.0, score("layers", 1, "student", 5.0, task="<img src=x>\u202e"))])
    plot = ScorePlot()
    _shown(plot, model, qtbot)
    plot.canvas.point_at(1.0)
    assert "student <img src=x>" in _data(plot)
    assert "&lt;img" in plot._values.text() and "<img" not in plot._values.text()
    tooltip = plot.legend.buttons["task <img src=x>\u202e"].toolTip()
    assert "&lt;img" in tooltip and "<img" not in tooltip


def test_a_metrics_name_is_no_html(qtbot: QtBot, qapp: object) -> None:
    model = RunModel()
    model.apply([(0.0, score("layers", 1, "student", 5.0, metric="<b>a</b> & b"))])
    plot = ScorePlot()
    _shown(plot, model, qtbot)
    assert "<b>a</b> & b" in plot.canvas.getAxis("left").label.toPlainText()


def test_the_arrows_walk_over_the_points(losses: LossPlot, qtbot: QtBot) -> None:
    canvas = losses.canvas
    canvas.setFocus()
    qtbot.keyClick(canvas, Qt.Key.Key_End)
    assert "step 50" in _read_out(losses) and "train total 2.000" in _read_out(losses)
    qtbot.keyClick(canvas, Qt.Key.Key_Left)
    assert "step 49" in _read_out(losses)
    qtbot.keyClick(canvas, Qt.Key.Key_Home)
    qtbot.keyClick(canvas, Qt.Key.Key_Right)
    assert "step 1" in _read_out(losses) and "train total 4.000" in _read_out(losses)
    assert "validation total" not in _read_out(losses)


def test_the_mouse_moves_the_cross_hair_and_takes_it_away(losses: LossPlot, qtbot: QtBot) -> None:
    canvas = losses.canvas
    qtbot.mouseMove(canvas.viewport(), canvas.viewport().rect().center())
    qtbot.waitUntil(lambda: "step" in _read_out(losses))
    qtbot.mouseMove(canvas.viewport(), QPoint(3, 3))  # beside the axes
    qtbot.waitUntil(lambda: _read_out(losses) == "")


def test_a_zoom_stays_until_it_is_reset(losses: LossPlot, model: RunModel, qtbot: QtBot) -> None:
    canvas = losses.canvas
    whole = canvas.viewRange()
    place = QPointF(canvas.rect().center())
    wheel = QWheelEvent(
        place, canvas.mapToGlobal(place), QPoint(), QPoint(0, 240), Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier, Qt.ScrollPhase.NoScrollPhase, False,
    )  # fmt: skip
    QApplication.sendEvent(canvas.viewport(), wheel)
    zoomed = canvas.viewRange()
    assert zoomed[0][1] - zoomed[0][0] < whole[0][1] - whole[0][0]
    model.apply([(0.0, loss("hidden", 200, 9.0))])
    losses.show_model(model)
    assert canvas.viewRange() == zoomed
    qtbot.keyClick(canvas, Qt.Key.Key_0)
    assert canvas.viewRange()[0][1] >= 240  # follows again, the new step in sight
    qtbot.keyClick(canvas, Qt.Key.Key_Plus)
    assert losses._reset.isEnabled()
    qtbot.mouseDClick(canvas.viewport(), Qt.MouseButton.LeftButton, pos=canvas.rect().center())
    assert not losses._reset.isEnabled()


def test_the_legend_hides_curves_by_key_and_they_stay_hidden(losses: LossPlot, model: RunModel, qtbot: QtBot) -> None:
    button = losses.legend.buttons["kd"]
    assert button.focusPolicy() & Qt.FocusPolicy.TabFocus and button.accessibleName()
    qtbot.keyClick(button, Qt.Key.Key_Space)
    items = {item.name(): item for item in losses.canvas.getPlotItem().listDataItems()}
    assert not items["train kd"].isVisible() and not items["train kd (smoothed)"].isVisible()
    assert items["train total"].isVisible()
    losses.canvas.point_at(20.0)
    assert "train kd" not in _read_out(losses) and "train total" in _read_out(losses)
    model.reset()
    losses.show_model(model)
    assert losses.legend.buttons == {}
    model.apply([(0.0, event) for event in EVENTS])
    losses.show_model(model)  # another run: as before
    items = {item.name(): item for item in losses.canvas.getPlotItem().listDataItems()}
    assert not items["train kd"].isVisible() and items["train total"].isVisible()
    losses.legend.buttons["kd"].click()
    assert items["train kd"].isVisible()


def test_a_logarithmic_axis_leaves_out_what_has_no_logarithm(losses: LossPlot, model: RunModel, qtbot: QtBot) -> None:
    model.apply([(0.0, loss("hidden", 11, 0.0))])
    qtbot.keyClick(losses.canvas, Qt.Key.Key_L)
    assert losses.canvas.log_y
    losses.show_model(model)
    losses.grab()
    assert 51.0 not in _data(losses)["train total"][0]
    low, high = losses.canvas.viewRange()[1]
    assert low < np.log10(0.1) and np.log10(8.0) < high
    qtbot.keyClick(losses.canvas, Qt.Key.Key_L)
    losses.show_model(model)
    assert 51.0 in _data(losses)["train total"][0]


def test_the_values_as_a_table(losses: LossPlot, tmp_path: Path) -> None:
    losses.save_table(tmp_path / "loss.csv")
    with (tmp_path / "loss.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    train = [row for row in rows if row["curve"] == "train total"]
    assert [int(row["x"]) for row in train] == list(range(1, 51))
    assert float(train[0]["value"]) == 4.0 and train[0]["place"] == "Drop layers"
    assert not any("smoothed" in row["curve"] for row in rows)


def test_the_picture_and_the_drawing(losses: LossPlot, tmp_path: Path) -> None:
    losses.save_image(tmp_path / "loss.png")
    image = QImage(str(tmp_path / "loss.png"))
    assert image.size() == losses.canvas.size() * 2
    colors = {image.pixelColor(x, y).name() for x in range(0, image.width(), 3) for y in range(0, image.height(), 3)}
    assert theme().colors.mlm in colors
    losses.save_image(tmp_path / "loss.svg")
    root = ElementTree.parse(tmp_path / "loss.svg").getroot()
    assert root.tag.endswith("svg") and "validation total" in "".join(root.itertext())


def test_a_place_that_can_not_be_written_is_an_error(losses: LossPlot, tmp_path: Path) -> None:
    for save, name in ((losses.save_image, "a.png"), (losses.save_image, "a.svg"), (losses.save_table, "a.csv")):
        with pytest.raises(OSError):
            save(tmp_path / "nowhere" / name)


@pytest.mark.parametrize("answer", [QMessageBox.StandardButton.No, QMessageBox.StandardButton.Yes])
def test_a_file_is_replaced_only_when_that_is_wanted(
    losses: LossPlot, tmp_path: Path, answer: QMessageBox.StandardButton
) -> None:
    there = tmp_path / "loss.csv"
    there.write_text("before")

    def choose() -> None:
        dialog = QApplication.activeModalWidget()
        assert isinstance(dialog, QFileDialog)
        dialog.findChild(QLineEdit).setText(str(tmp_path / "loss"))  # without its ending
        QTimer.singleShot(0, decide)
        dialog.accept()
        if dialog.isVisible():
            dialog.reject()

    def decide() -> None:
        question = QApplication.activeModalWidget()
        assert isinstance(question, QMessageBox)
        question.button(answer).click()

    QTimer.singleShot(0, choose)
    losses._ask_csv()
    assert (there.read_text() == "before") is (answer == QMessageBox.StandardButton.No)


def test_the_theme_recolours_what_is_there(losses: LossPlot, dark: None) -> None:
    items = {item.name(): item for item in losses.canvas.getPlotItem().listDataItems()}
    assert items["train mlm (smoothed)"].opts["pen"].color().name() == theme().colors.mlm
    assert losses.canvas.backgroundBrush().color().name() == theme().colors.card


def test_many_points_are_thinned_out_on_the_screen_only(qtbot: QtBot, qapp: object) -> None:
    model = RunModel()
    model.apply([(0.0, loss("layers", step, 3.0 if step != 7777 else 9.0)) for step in range(1, 20_001)])
    qtbot.waitUntil(lambda: not model.busy)
    plot = LossPlot()
    _shown(plot, model, qtbot)
    (item,) = [item for item in plot.canvas.getPlotItem().listDataItems() if item.name() == "train mlm"]
    assert len(item.getOriginalDataset()[0]) == 20_000
    drawn = item.getData()
    assert len(drawn[0]) < 4000 and max(drawn[1]) == 9.0  # the peak is kept


def test_enlarging_is_asked_for_by_button_and_key(losses: LossPlot, qtbot: QtBot) -> None:
    with qtbot.waitSignal(losses.enlarge_asked):
        qtbot.keyClick(losses.canvas, Qt.Key.Key_F)
    with qtbot.waitSignal(losses.enlarge_asked):
        losses._enlarge.click()
