"""The page of results: what it shows of a run, also of one whose results are broken."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from finished_run import RESULTS, finished_run
from PySide6.QtCore import QLocale, QObject, Qt, Signal
from PySide6.QtWidgets import QLabel, QPushButton
from pytestqt.qtbot import QtBot
from test_measures import measured
from test_run_page import FakeController
from test_verdict import a_task
from whole_run import whole_run

from core.run import RunFolder
from core.wording import verdict
from gui import text
from gui.pages.results import ResultsPage
from gui.widgets.score_table import NumberTable

pytestmark = pytest.mark.qt_log_ignore("propagateSizeHints")  # what the offscreen platform says of windows that grow


class FakeJob(QObject):
    """A job that goes on until it is told to end."""

    progress = Signal(object, object)
    done = Signal(object)
    failed = Signal(object)

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self.ended = False

    def start(self) -> None:
        pass

    def end(self) -> None:
        self.ended = True


@pytest.fixture(autouse=True)
def english() -> Iterator[None]:
    """Digits are grouped, wherever the tests run."""
    before = QLocale()
    QLocale.setDefault(QLocale(QLocale.Language.English))
    yield
    QLocale.setDefault(before)


@pytest.fixture
def controller(qapp: object) -> FakeController:
    return FakeController()


@pytest.fixture
def page(controller: FakeController, qtbot: QtBot) -> ResultsPage:
    page = ResultsPage(controller)  # type: ignore[arg-type]
    qtbot.addWidget(page)
    page.resize(1200, 650)
    page.show()
    return page


@pytest.fixture
def show(controller: FakeController, tmp_path: Path) -> Callable[[str], None]:
    """Shows a finished run with such a results.json."""

    def show(results: str) -> None:
        folder = finished_run(tmp_path / "run")
        folder.results.write_text(results)
        controller.recipe = folder.read_recipe()
        controller.set(folder=folder.path, phase="finished")

    return show


@pytest.fixture
def jobs(monkeypatch: pytest.MonkeyPatch) -> list[FakeJob]:
    """The jobs that were made."""
    made: list[FakeJob] = []

    def make(name: str, arguments: dict[str, Any], parent: QObject) -> FakeJob:
        made.append(FakeJob(parent))
        return made[-1]

    monkeypatch.setattr("gui.widgets.exporting.Job", make)
    return made


def _buttons(page: ResultsPage) -> list[str]:
    return [button.text() for button in page.findChildren(QPushButton) if button.isVisible()]


def test_a_finished_run_shows_its_results(page: ResultsPage, show: Callable[[str], None]) -> None:
    show(json.dumps(RESULTS))
    assert page._content.isVisible() and "87.2 %" in page._sentence.text()
    assert "80.2 ± 0.6 (3 seeds)" in page._scores.as_text()
    assert _buttons(page) == ["Where it fails", "Export…", "Open the report", "Open the folder"]


def test_what_makes_numbers_doubtful_stands_above_them(page: ResultsPage, show: Callable[[str], None]) -> None:
    show(json.dumps({**RESULTS, "warnings": ["Stage layers: <b>never fell</b>."]}))
    assert page._doubts.isVisible() and page._doubts.accessibleName() == "Stage layers: <b>never fell</b>."
    (label,) = page._doubts.findChildren(QLabel)
    assert label.textFormat() == Qt.TextFormat.PlainText
    page._show(RESULTS, RunFolder(page._folder or Path()))
    assert not page._doubts.isVisible()


def test_a_run_that_measured_no_speed_shows_none(page: ResultsPage, show: Callable[[str], None]) -> None:
    show(json.dumps(RESULTS))
    assert not page._speed.isVisible() and not page._speed_heading.isVisible()


def test_speed_memory_and_surprise_are_told_of_both_models(page: ResultsPage, show: Callable[[str], None]) -> None:
    show(json.dumps(measured()))
    assert page._speed.isVisible() and page._speed_heading.isVisible()
    assert page._speed.accessibleName() == page._speed_heading.text() == "Speed and memory here"
    assert "One text\t12.3 ms (12.0 to 14.0)\t2.00 ms (0.12 to 10.0)" in page._speed.as_text()
    assert "32 texts at once\t404 ms (400 to 410)\t–" in page._speed.as_text()
    assert "Working memory\t1.3 GB\t480 MB" in page._speed.as_text()
    assert "2 threads" in page._speed.toolTip() and "17 tokens" in page._speed.toolTip()
    assert "111.1\t222.2\t+111.1" in page._scores.as_text()


def test_scores_tell_how_sure_they_are_and_what_is_noise(page: ResultsPage, show: Callable[[str], None]) -> None:
    tasks = {"names": a_task(folds=5), "pos": a_task(p=0.2)}
    show(json.dumps({**RESULTS, "tasks": tasks}))
    told = page._scores.as_text()
    assert "80.2 ± 0.6 (3 seeds), 95 % 78.0 to 83.0" in told
    # As in the terminal, here in English and with its digits.
    assert all(verdict(task) in told for task in tasks.values())
    rows = [page._scores.item(row, 0).text() for row in range(page._scores.rowCount())]
    place = rows.index(verdict(tasks["names"]))
    assert page._scores.columnSpan(place, 0) == page._scores.columnCount()


@pytest.mark.parametrize(
    ("changes", "words"),
    [({"seeds": None}, "one seed tells nothing"), ({"seeds": (-1.0, 7.0)}, "but not from that of the seeds"),
     ({"drop": -3.0, "seeds": (-5.0, -1.0)}, "This gain"), ({"drop": 0.0, "p": 1.0}, "This difference")],
)  # fmt: skip
def test_every_verdict_is_the_terminals(changes: dict[str, Any], words: str) -> None:
    task = a_task(**changes)
    assert words in text.verdict(task) and text.verdict(task) == verdict(task)


def test_where_it_fails_is_told_when_it_is_asked_for(
    page: ResultsPage, controller: FakeController, tmp_path: Path
) -> None:
    run = whole_run(tmp_path / "run")
    controller.recipe = run.read_recipe()
    controller.set(folder=run.path, phase="finished")
    panel = page._failures
    assert panel.button.isVisible() and not panel.content.isVisible() and panel.findChildren(QLabel) == []
    panel.button.click()
    (labels,) = panel.findChildren(NumberTable)
    assert labels.as_text().splitlines() == [
        "Label\tTest examples\tTeacher\tStudent\tChange", "PER\t60\t85.0\t60.5\t−24.5", "LOC\t40\t90.0\t88.0\t−2.0",
    ]  # fmt: skip
    shown = [label.text().translate(dict.fromkeys((0x2068, 0x2069))) for label in panel.findChildren(QLabel)]
    assert "Ġanni mar Għawdex" in shown
    assert "Right: Ġanni/PER, Għawdex/LOC · Student: – · Teacher: Ġanni/PER" in shown
    assert "Right: x · Student: y" in shown and "Names: names" in shown
    assert all(label.textFormat() == Qt.TextFormat.PlainText for label in panel.findChildren(QLabel))
    assert "Test examples that stand elsewhere too: 3 in train, 2 in the corpus." in page._scores.as_text()


@pytest.mark.parametrize(
    ("details", "words"),
    [({}, "has left no details"), ({"names": {"labels": {"x": {}}}}, "can't be shown"),
     ({"names": {"worst": [{"text": "שלום <b>x"}]}}, "can't be shown"), ({"pos": []}, "has left no details")],
)  # fmt: skip
def test_details_that_are_not_as_they_should_be(
    page: ResultsPage, controller: FakeController, tmp_path: Path, details: Any, words: str
) -> None:
    run = whole_run(tmp_path / "run", details=details)
    controller.set(folder=run.path, phase="finished")
    page._failures.button.click()
    assert any(words in label.text() for label in page._failures.findChildren(QLabel))


def test_a_text_stands_on_the_side_where_its_script_begins(
    page: ResultsPage, controller: FakeController, tmp_path: Path
) -> None:
    worst = [{"text": text, "gold": "a", "teacher": "a", "student": "b"} for text in ("שלום <b>x", "a שלום")]
    run = whole_run(tmp_path / "run", details={"pos": {"worst": worst}})
    controller.set(folder=run.path, phase="finished")
    page._failures.button.click()
    sides = {label.text(): label.layoutDirection() for label in page._failures.findChildren(QLabel)}
    assert sides["שלום <b>x"] == Qt.LayoutDirection.RightToLeft
    assert sides["a שלום"] == Qt.LayoutDirection.LeftToRight


def _without(*keys: str) -> str:
    return json.dumps({key: value for key, value in RESULTS.items() if key not in keys})


@pytest.mark.parametrize(
    "results",
    [
        '{"teacher": {',
        "[]",
        "{}",
        "[1, 2]",
        _without("student"),
        _without("stages"),
        json.dumps({**RESULTS, "student": [1]}),
        json.dumps({**RESULTS, "tasks": ["names"]}),
        json.dumps({**RESULTS, "teacher": {**RESULTS["teacher"], "parameters": "many"}}),
        json.dumps({**RESULTS, "stages": [{**RESULTS["stages"][0], "seconds": float("inf")}]}),
        json.dumps({**RESULTS, "throughput": {"inference": [1]}}),
        json.dumps({**RESULTS, "teacher": {**RESULTS["teacher"], "mlm_loss": float("nan")}}),
    ],
)
def test_results_that_can_not_be_read_are_told_of(page: ResultsPage, show: Callable[[str], None], results: str) -> None:
    show(results)
    assert "can't be read by this version" in page._sentence.text() and page._title.text() == "Results"
    assert not page._content.isVisible()
    assert _buttons(page) == ["Watch the run", "Open the folder"]


def test_after_broken_results_good_ones_show(
    page: ResultsPage, controller: FakeController, show: Callable[[str], None]
) -> None:
    show("{}")
    folder = controller.state.folder
    assert folder is not None
    controller.set(folder=folder, phase="running")
    assert "still going on" in page._sentence.text() and _buttons(page) == ["Watch the run"]
    (folder / "results.json").write_text(json.dumps(RESULTS))
    controller.set(folder=folder, phase="finished")
    assert page._content.isVisible()


def test_a_model_that_was_kept_can_be_exported(page: ResultsPage, controller: FakeController) -> None:
    controller.set(phase="stopped", kept_best=True)
    assert _buttons(page) == ["Watch the run", "Export…", "Open the folder"]


def test_without_a_run_it_leads_to_the_start(page: ResultsPage, controller: FakeController, qtbot: QtBot) -> None:
    with qtbot.waitSignal(page.go_to_start):
        page._way_on.click()
    controller.set(phase="running")
    with qtbot.waitSignal(page.go_to_run):
        page._way_on.click()


def test_every_button_has_a_name_and_a_tooltip(page: ResultsPage, show: Callable[[str], None]) -> None:
    buttons = page.findChildren(QPushButton)
    assert len(buttons) > 5
    assert all(button.accessibleName() and button.toolTip() for button in buttons)
    before = page._way_on.toolTip()
    show("{}")
    assert page._way_on.toolTip() != before


def test_the_end_of_the_page_ends_an_export(
    page: ResultsPage, show: Callable[[str], None], tmp_path: Path, jobs: list[FakeJob]
) -> None:
    show(json.dumps(RESULTS))
    page.end()  # nothing is going on
    assert not page.exporting
    page.export_to(tmp_path / "out")
    assert page.exporting
    page.end()
    assert jobs[-1].ended and not page.exporting and not page._export._busy.isVisible()


def test_where_the_export_went_is_plain_text(
    page: ResultsPage, show: Callable[[str], None], tmp_path: Path, jobs: list[FakeJob]
) -> None:
    show(json.dumps(RESULTS))
    page.export_to(tmp_path / "<b>out")
    jobs[-1].done.emit({"folder": str(tmp_path / "<b>out")})
    assert "<b>out" in page._export._where.text() and not page.exporting
    assert page._export._where.textFormat() == Qt.TextFormat.PlainText
