"""The library: which runs it lists, and what it says of those that are checked."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from finished_run import finished_run, started_run
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QAbstractButton, QLabel, QPushButton
from pytestqt.qtbot import QtBot
from several_runs import run_of
from test_results_page import FakeJob

from gui.pages.library import LibraryPage
from gui.theme import theme

pytestmark = pytest.mark.qt_log_ignore("propagateSizeHints")  # what the offscreen platform says of windows that grow


@pytest.fixture
def page(qtbot: QtBot, tmp_path: Path) -> LibraryPage:
    theme()  # whose style sheet has its own measures
    made = LibraryPage(tmp_path / "runs", ())
    qtbot.addWidget(made, before_close_func=LibraryPage.end)
    made.resize(1204, 690)
    made.show()
    return made


@pytest.fixture
def compared(page: LibraryPage, qtbot: QtBot, tmp_path: Path) -> Callable[..., None]:
    """Checks runs by their folders' names, or all, and waits until they are compared."""

    def compared(*names: str) -> None:
        page.look()
        with qtbot.waitSignal(page.compared, timeout=20_000):
            if names:
                page.check([tmp_path / "runs" / name for name in names])
            else:
                page._way_on.click()

    return compared


def _turn_to(page: LibraryPage, name: str) -> None:
    button = page.findChild(QAbstractButton, f"button-view-{name}")
    assert button is not None
    button.click()


def _words(page: LibraryPage) -> str:
    return "\n".join(label.text() for label in page.findChildren(QLabel) if label.isVisible())


def test_without_a_finished_run_it_leads_to_the_start(page: LibraryPage, qtbot: QtBot, tmp_path: Path) -> None:
    buttons = [button for button in page.findChildren(QPushButton) if button.isVisible()]
    assert [button.text() for button in buttons] == ["Go to the start"] and not page._list.isVisible()
    with qtbot.waitSignal(page.go_to_start):
        buttons[0].click()
    started_run(tmp_path / "runs" / "stopped")
    page.look()
    item = page._list.tree.topLevelItem(0)
    assert (item.text(0), item.text(2), item.data(0, Qt.ItemDataRole.CheckStateRole)) == (
        "maltese-small",
        "stopped",
        None,
    )
    assert page._way_on.text() == "Go to the start" and not page._list._all.isEnabled()


def test_checked_runs_stand_side_by_side(page: LibraryPage, tmp_path: Path, compared: Callable[..., None]) -> None:
    run_of(tmp_path / "runs" / "small", "slk", 8.0, seed=1)
    run_of(tmp_path / "runs" / "large", "slk", 2.0, parameters=60_000_000, seed=2)
    started_run(tmp_path / "runs" / "stopped")
    compared("small", "large")
    lines = page._table.as_text().splitlines()
    assert sorted(lines[0].split("\t")) == ["", "large", "small"]
    by_title = {line.split("\t")[0]: line.split("\t")[1:] for line in lines[1:]}
    order = lines[0].split("\t")[1:].index("small")
    assert by_title["Random seed"][order] == "1" and by_title["Parameters"][order] == "22.8 M"
    assert by_title["Topics (macro F1)"][order] == "72.0 ± 0.5" and by_title["Drop: Topics"][order] == "8.0"
    assert "Language" not in " ".join(by_title)  # the same in both
    page.findChild(QPushButton, "button-copy-table").click()
    assert QGuiApplication.clipboard().text() == page._table.as_text() and "Copied" in _words(page)
    page._list.check_all()
    assert not page._side.isVisible() and page._way_on.text() == "Compare all of them"


def test_certainty_and_other_versions_are_shown_where_they_are(
    page: LibraryPage, tmp_path: Path, compared: Callable[..., None]
) -> None:
    from whole_run import whole_run

    finished_run(tmp_path / "runs" / "old")
    whole_run(tmp_path / "runs" / "new")
    compared()
    text = page._table.as_text()
    assert "maltese-small (old)" in text and "maltese-small (new)" in text
    assert "80.2 ± 0.6 [76.3, 83.4]" in text and "3.4* [1.2, 5.6]" in text and "1.0 [−0.5, 2.5]" in text
    assert "None: the recipes are the same." in text
    assert "paired test" in page._legend.text()
    (row,) = [line for line in text.splitlines() if line.startswith("Pieces a word is read in")]
    assert set(row.split("\t")[1:]) == {"–", "1.50"}


def test_a_score_on_other_test_data_is_marked(page: LibraryPage, tmp_path: Path, compared: Callable[..., None]) -> None:
    for name, data in {"a": "same", "b": "same", "other": "another", "older": None}.items():
        folder = run_of(tmp_path / "runs" / name)
        results = folder.read_results()
        results["tasks"]["topic"] |= {"test_sha256": data} if data else {}
        folder.results.write_text(json.dumps(results))
    compared()
    lines = [line.split("\t") for line in page._table.as_text().splitlines()]
    (row,) = [line for line in lines if line[0] == "Scored on"]
    told = dict(zip(lines[0], row, strict=True))
    assert {name: told[name] for name in ("a", "b", "other", "older")} == {
        "a": "", "b": "", "other": "other test data", "older": "data not known"
    }  # fmt: skip


def test_curves_fronts_and_laws_come_when_they_are_asked_for(
    page: LibraryPage, tmp_path: Path, compared: Callable[..., None]
) -> None:
    for code, drop in (("slk", 3.0), ("swh", 7.0)):
        run_of(tmp_path / "runs" / code, code, drop)
    finished_run(tmp_path / "runs" / "unknown")
    compared()
    assert page._fronts.plots == []
    _turn_to(page, "curves")
    assert len(page._curves.plots) == 1 and "how high one's loss is says nothing" in _words(page)
    _turn_to(page, "fronts")
    assert len(page._fronts.plots) == 3 and "nobody's front" in _words(page) and "Slovak" in _words(page)
    _turn_to(page, "laws")
    (plot,) = page._laws.plots
    assert {curve.name for curve in plot.canvas.drawing.curves} == {"slk (slk)", "swh (swh)"}
    assert "A law is fitted from 5 runs on" in _words(page) and "maltese-small is left out" in _words(page)
    page._list.check_all()
    compared("slk")
    assert [curve.name for curve in plot.canvas.drawing.curves] == ["slk (slk)"] and "left out" not in _words(page)


def test_a_plot_can_have_the_page_for_itself(page: LibraryPage, tmp_path: Path, compared: Callable[..., None]) -> None:
    for code in ("slk", "swh"):
        run_of(tmp_path / "runs" / code, code)
    compared()
    _turn_to(page, "fronts")
    first, second = page._fronts.plots
    second.enlarge_asked.emit()
    assert not page._list.isVisible() and not first.isVisible() and second.isVisible()
    page.look()
    assert not page._list.isVisible()
    second.enlarge_asked.emit()
    assert page._list.isVisible() and first.isVisible()


def test_results_that_are_not_whole_are_told_of(
    page: LibraryPage, tmp_path: Path, compared: Callable[..., None]
) -> None:
    folder = finished_run(tmp_path / "runs" / "broken")
    results = json.loads(folder.results.read_text())
    folder.results.write_text(json.dumps({**results, "tasks": {"pos": {}}}))
    compared()
    assert "not whole" in page._problem.accessibleName() and not page._side.isVisible()
    page._list.check_all()
    page._ask()
    assert page._problem.isHidden()


def test_the_page_of_what_is_checked_is_written_by_a_job(
    page: LibraryPage, tmp_path: Path, compared: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, dict[str, object]]] = []
    made: list[FakeJob] = []

    def make(name: str, arguments: dict[str, object], parent: object) -> FakeJob:
        asked.append((name, arguments))
        made.append(FakeJob(parent))  # type: ignore[arg-type]
        return made[-1]

    monkeypatch.setattr("gui.widgets.exporting.Job", make)
    folder = run_of(tmp_path / "runs" / "slk")
    compared()
    page.write_page(tmp_path / "page.html")
    assert asked == [("comparison", {"runs": [str(folder.path)], "out": str(tmp_path / "page.html")})]
    made[0].done.emit({"page": str(tmp_path / "page.html")})
    assert "page.html" in page._save_bar._where.text() and page._save_bar._done.isVisible()
    page._list.check_all()  # what is shown is no longer what was written
    assert not page._save_bar._done.isVisible()


def test_a_run_is_opened_by_key_and_button(page: LibraryPage, qtbot: QtBot, tmp_path: Path) -> None:
    folder = started_run(tmp_path / "runs" / "stopped")
    page.look()
    with qtbot.waitSignal(page.run_chosen) as told:
        qtbot.keyClick(page._list.tree, Qt.Key.Key_Return)
    assert told.args == [folder.path]
    with qtbot.waitSignal(page.run_chosen):
        page._list._open.click()


def test_what_is_checked_stays_so_while_runs_come(page: LibraryPage, qtbot: QtBot, tmp_path: Path) -> None:
    run_of(tmp_path / "runs" / "one")
    page.look()
    page._list.tree.topLevelItem(0).setCheckState(0, Qt.CheckState.Checked)
    run_of(tmp_path / "runs" / "two")
    page.look()
    assert [folder.name for folder in page._list.checked] == ["one"] and page._list._all.text() == "Check all"


def test_every_control_can_be_heard_reached_and_hit(
    page: LibraryPage, tmp_path: Path, compared: Callable[..., None]
) -> None:
    run_of(tmp_path / "runs" / "slk")
    compared()
    for name in ("numbers", "curves", "fronts", "laws"):
        _turn_to(page, name)
        for button in page.findChildren(QAbstractButton):
            if button.isVisible() and not button.objectName().startswith("qt_"):  # Qt's own inside of its widgets
                assert button.accessibleName() and button.toolTip(), button.objectName()
                assert button.height() >= 28, f"{button.accessibleName()} is {button.height()} high"
    assert page.minimumSizeHint().width() <= 924  # of the smallest window
