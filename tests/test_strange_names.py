"""What strangers call things is shown as it is, everywhere in the window, and leads nowhere when it is saved."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from finished_run import RESULTS, finished_run, recipe
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QAbstractItemView, QFileDialog, QLabel, QWidget
from pytestqt.qtbot import QtBot
from several_runs import run_of
from window_driver import Driver

from gui.pages.setup import SetupPage
from gui.plots.panel import _Values

pytestmark = [
    pytest.mark.qt_log_ignore("propagateSizeHints"),  # what the offscreen platform says of windows that grow
    pytest.mark.skipif(sys.platform == "win32", reason="Windows allows no such names"),
]
EVIL = "<img src=x><b>evil"


@pytest.fixture
def driver(qtbot: QtBot, tmp_path: Path) -> Iterator[Driver]:
    driver = Driver(qtbot, tmp_path)
    yield driver
    driver.close()


def _tips(window: QWidget) -> Iterator[str]:
    for widget in window.findChildren(QWidget):
        yield widget.toolTip()
        if isinstance(widget, QAbstractItemView) and (model := widget.model()) is not None:
            for row in range(model.rowCount()):
                for column in itertools.takewhile(lambda at, row=row: model.hasIndex(row, at), itertools.count()):
                    yield str(model.index(row, column).data(Qt.ItemDataRole.ToolTipRole) or "")


def _markup(window: QWidget) -> list[str]:
    """What would be shown as something else than it is."""
    labels = [label for label in window.findChildren(QLabel) if type(label) is not _Values]
    found = [label.text() for label in labels if label.textFormat() != Qt.TextFormat.PlainText]
    return found + [tip for tip in _tips(window) if "<img" in tip]


def test_names_in_a_recipe(driver: Driver, tmp_path: Path) -> None:
    (tmp_path / EVIL).mkdir()
    draft, page = driver.window.draft, driver.window.page("setup")
    driver.window.show_page("setup")
    draft.set("name", EVIL)
    draft.set("language.code", EVIL)
    draft.set("corpus.sources", [f"{EVIL}.txt", str(tmp_path / EVIL)])
    draft.add_tasks({"kind": "topic", "source": f"{EVIL}/topic", "name": EVIL}, {"kind": EVIL, "source": EVIL})
    draft.choose_teacher(str(tmp_path / EVIL))
    driver.wait(lambda: not draft.looking)
    assert isinstance(page, SetupPage)
    words = "\n".join(label.text() for label in page.findChildren(QLabel))
    assert "<img src=x>" in words and _markup(driver.window) == []


def test_names_in_runs(driver: Driver, qtbot: QtBot) -> None:
    scores = RESULTS["tasks"]["names"]
    odd = RESULTS | {"tasks": {EVIL: scores}, "warnings": [EVIL]}
    made = replace(recipe(), teacher=replace(recipe().teacher, model=f"/models/{EVIL}"))
    folder = finished_run(driver.runs / EVIL, made_from=made, results=odd)
    run_of(driver.runs / f"{EVIL} too", teacher=f"/models/{EVIL}")
    driver.window.open_run(folder.path)
    for name in ("start", "run", "results", "library"):
        driver.window.show_page(name)
    with qtbot.waitSignal(driver.window.page("library").compared, timeout=20_000):
        driver.window.page("library")._way_on.click()
    words = "\n".join(label.text() for label in driver.window.findChildren(QLabel))
    assert "<img src=x>" in words and _markup(driver.window) == []


@pytest.mark.parametrize("name", ["../../evil", "/etc/evil", "..", "a/b"])
def test_a_name_is_proposed_as_a_file_in_the_folder(
    driver: Driver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    proposed = list[Path]()
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *asked: (proposed.append(Path(asked[2])), ("", ""))[1])
    driver.window.draft.set("name", name)
    page = driver.window.page("setup")
    assert isinstance(page, SetupPage)
    page._save_recipe()
    assert [path.parent for path in proposed] == [driver.window.draft.base] and proposed[0].suffix == ".toml"
