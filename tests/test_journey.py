"""The journey through the window, with real runs of the sample: clicked as a user clicks it."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from journeys import recipe
from pyqtgraph import PlotWidget
from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QAbstractButton, QApplication, QMessageBox
from pytestqt.qtbot import QtBot
from window_driver import Driver

import resources
from core.run import RunFolder

SAMPLE = Path(resources.__file__).parent / "sample"


@pytest.fixture
def driver(qtbot: QtBot, tmp_path: Path) -> Iterator[Driver]:
    driver = Driver(qtbot, tmp_path)
    yield driver
    if driver.state.live:
        driver.controller.stop()
        driver.wait(lambda: not driver.state.live)
    driver.close()


def _points(driver: Driver, plot: str) -> dict[str, int]:
    """Curve → number of its points; a NaN parts the stages."""
    widget = driver.find(plot)
    assert isinstance(widget, PlotWidget)
    data = {item.name(): item.getOriginalDataset()[1] for item in widget.getPlotItem().listDataItems()}
    return {name: 0 if y is None else int(np.isfinite(y).sum()) for name, y in data.items()}


def _kill(driver: Driver) -> None:
    assert driver.state.folder is not None
    os.kill(RunFolder(driver.state.folder).read_status()["pid"], signal.SIGTERM if os.name == "nt" else signal.SIGKILL)


def _answer(button: str, driver: Driver) -> None:
    """Answer the question that closing the window asks, once it is asked."""

    def press() -> None:
        asked = [box for box in driver.window.findChildren(QMessageBox, "question-close") if box.isVisible()]
        if not asked:
            QTimer.singleShot(50, press)
            return
        found = asked[0].findChild(QAbstractButton, button)
        assert found is not None
        found.click()

    QTimer.singleShot(50, press)


def test_from_a_recipe_to_an_exported_model(driver: Driver, tmp_path: Path) -> None:
    # Set up: a recipe is opened, a slider moved, the size follows.
    driver.window.open_recipe(SAMPLE / "recipe-tiny.toml")
    estimate = driver.find("label-estimate")
    driver.wait(lambda: driver.window.draft.estimate is not None)
    before = estimate.text()
    driver.find("slider-layers").setValue(driver.find("slider-layers").value() - 1)
    driver.wait(lambda: estimate.text() != before)
    driver.find("slider-layers").setValue(driver.find("slider-layers").value() + 1)
    driver.wait(lambda: estimate.text() == before)
    driver.click("button-compress")

    # Run: to the end, paused once on the way; all three plots hold points.
    driver.wait_stage("layers")
    driver.click("button-pause")
    driver.wait_phase("paused")
    assert "Paused" in driver.state.said
    events = RunFolder(driver.state.folder).events.stat().st_size
    driver.wait(lambda: driver.find("button-resume").isEnabled())
    assert RunFolder(driver.state.folder).events.stat().st_size == events
    driver.click("button-resume")
    driver.wait_phase("running")
    assert "Going on" in driver.state.said
    driver.wait_phase("finished")
    driver.wait(lambda: _points(driver, "plot-score").get("student topic", 0) > 0)
    losses = _points(driver, "plot-loss")
    assert losses["train total"] == 8 and losses["validation total"] == 6
    sizes = _points(driver, "plot-parameters")
    assert sizes["total"] > 2 and sizes["embeddings"] > 2

    # Results: what results.json says; then out of the folder.
    results = RunFolder(driver.state.folder).read_results()
    driver.window.show_page("results")
    table = driver.find("table-scores").as_text()
    assert f"{results['tasks']['topic']['student']['mean']:.1f} (1 seed)" in table
    assert driver.find("button-export").isEnabled()
    out = tmp_path / "exported"
    driver.window.page("results").export_to(out)
    driver.wait(lambda: driver.find("export-done").isVisible())
    assert (out / "model.safetensors").read_bytes() == (
        driver.state.folder / "student" / "model.safetensors"
    ).read_bytes()


def test_stopped_killed_and_resumed(driver: Driver, tmp_path: Path) -> None:
    # test_pipeline stops in every stage, test_torture kills. Here it is about what the window makes of it.
    path = tmp_path / "journey.toml"
    quick = 'layer_selection = "stride"\nhidden_reduction = "truncate"'
    path.write_text(recipe(quick), encoding="utf-8")
    driver.window.open_recipe(path)
    driver.wait(lambda: driver.find("button-compress").isEnabled())
    driver.click("button-compress")
    driver.wait_stage("adapt")
    driver.click("button-stop")
    driver.wait(lambda: not driver.state.live)
    assert driver.state.phase == "stopped" and "Stopped" in driver.state.said
    # The process that stopped has let go of the run before it is gone: its end is no news of the one that goes on.
    phases: set[str] = set()
    driver.controller.state_changed.connect(lambda state: phases.add(state.phase))
    driver.click("button-resume")
    driver.wait_stage("layers")
    assert phases <= {"starting", "queued", "running"}
    _kill(driver)
    driver.wait_phase("lost")
    driver.click("button-resume")
    driver.wait_stage("evaluate")
    driver.click("button-stop")
    driver.wait_phase("stopped")
    driver.click("button-resume")
    driver.wait_phase("finished")
    assert RunFolder(driver.state.folder).read_results()["tasks"]["pos"]["student"]["mean"] is not None
    # What the plots show of a run with such breaks is what the log says of it.
    logged = [json.loads(line) for line in RunFolder(driver.state.folder).events.read_text("utf-8").splitlines()]
    steps = [event for event in logged if event["type"] == "loss" and event["split"] == "train"]
    driver.wait(lambda: _points(driver, "plot-loss")["train total"] >= len(steps))


def test_closed_while_it_runs_and_found_again(driver: Driver) -> None:
    driver.window.start_sample(tiny=True)
    driver.wait_stage("vocabulary")
    folder = driver.state.folder
    _answer("button-close-stay", driver)
    assert not driver.window.close()
    _answer("button-close-go-on", driver)
    assert driver.window.close()
    driver.open()
    driver.wait(lambda: driver.state.folder == folder)
    driver.wait_phase("running", "finished")
    # Nothing is lost of what happened meanwhile.
    driver.window.show_page("run")
    driver.wait_phase("finished")
    driver.wait(lambda: _points(driver, "plot-loss").get("train total", 0) == 8)
    # A second one can be started now, and stopped with its best model.
    driver.window.start_sample(tiny=True)
    driver.wait_stage("hidden")
    driver.controller.stop(keep_best=True)
    driver.wait(lambda: not driver.state.live)
    assert driver.state.kept_best and driver.state.folder != folder
    driver.window.show_page("results")
    assert driver.find("button-export").isVisible()


def test_a_second_run_beside_a_live_one_is_refused(driver: Driver) -> None:
    driver.window.start_sample(tiny=True)
    driver.wait(lambda: driver.state.phase in ("queued", "running"))
    folder = driver.state.folder
    driver.window.start_sample(tiny=True)
    assert driver.state.folder == folder
    assert "Another run" in driver.window.fault_text
    driver.click("button-stop")
    driver.wait(lambda: not driver.state.live)


def test_closing_can_stop_the_run(driver: Driver) -> None:
    driver.window.start_sample(tiny=True)
    driver.wait_phase("running")
    folder = driver.state.folder
    _answer("button-close-stop", driver)
    assert driver.window.close()
    driver.wait(lambda: not RunFolder(folder).running())
    assert RunFolder(folder).read_status()["state"] == "stopped"
    driver.open()
    QApplication.processEvents()


def test_bad_input_is_told_where_it_is_and_starts_nothing(driver: Driver, tmp_path: Path) -> None:
    broken = tmp_path / "broken.toml"
    broken.write_text('name = "x"\n[teacher]\nmodel = 3\n[corpus]\nsources = []\n', encoding="utf-8")
    driver.window.open_recipe(broken)
    assert driver.window.page("setup").file_problems.isVisible()
    recipe = tmp_path / "recipe.toml"
    text = (
        (SAMPLE / "recipe-tiny.toml")
        .read_text(encoding="utf-8")
        .replace('sources = ["sample"]', 'sources = ["no.txt"]')
    )
    recipe.write_text(text.replace('source = "sample"', 'source = "nowhere"'), encoding="utf-8")
    driver.window.open_recipe(recipe)
    sections = driver.window.page("setup").sections
    driver.wait(lambda: sections["corpus"].has_faults and sections["tasks"].has_faults)
    driver.click("button-compress")
    assert driver.state.folder is None
    assert "no.txt" in sections["corpus"].problems.accessibleName()
