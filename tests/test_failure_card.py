"""The card of a run that failed, in the page of the run: its words, its button, what it puts on the clipboard."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication, QLabel, QPushButton
from pytestqt.qtbot import QtBot
from test_failures import RECIPE, _checkpoint, _stage
from test_run_page import FakeController
from window_driver import Driver

from core.errors import Fault
from core.failures import told
from core.recipe import absolute, parse
from core.recipe_text import to_toml
from core.run import RunFolder
from gui.draft_content import movable_recipe
from gui.pages.run import RunPage

pytestmark = pytest.mark.qt_log_ignore("propagateSizeHints")


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    folder = RunFolder(tmp_path / "runs" / "maltese-small")
    folder.create(RECIPE, needed_bytes=1)
    return folder


@pytest.fixture
def controller(qapp: object, folder: RunFolder) -> FakeController:
    return FakeController()


@pytest.fixture
def page(controller: FakeController, qtbot: QtBot) -> RunPage:
    page = RunPage(controller)  # type: ignore[arg-type]
    qtbot.addWidget(page)
    page.resize(1200, 650)
    page.show()
    return page


def _fail(controller: FakeController, folder: RunFolder, kind: str, phase: str = "failed") -> None:
    failure = told(kind)
    faults = (Fault(failure.what_happened, failure.next_step),)
    controller.set(folder=folder.path, phase=phase, kind=kind, faults=faults)


def _buttons(page: RunPage) -> dict[str, QPushButton]:
    """By object name, what can be clicked in the card."""
    found = {button.objectName(): button for button in page._card.findChildren(QPushButton) if button.isVisible()}
    assert all(button.accessibleName() and button.toolTip() and button.height() >= 28 for button in found.values())
    assert all(button.focusPolicy() & Qt.FocusPolicy.TabFocus for button in found.values())
    return found


def _primary(page: RunPage) -> list[str]:
    return [button.text() for button in _buttons(page).values() if button.property("role") == "primary"]


def _lines(page: RunPage) -> list[str]:
    labels = [label for label in page._card.findChildren(QLabel) if label.isVisible()]
    assert all(label.textFormat() == Qt.TextFormat.PlainText for label in labels)
    return [label.text() for label in labels]


def test_a_full_disk_tells_what_is_safe_and_offers_to_resume(
    page: RunPage, controller: FakeController, folder: RunFolder, qtbot: QtBot
) -> None:
    _stage(folder, "01-vocabulary")
    _checkpoint(folder, "layers", counters={"step": 812})
    folder.status.write_text(json.dumps({"state": "failed", "stage": "layers", "total": 2000}))
    _fail(controller, folder, "disk_full")
    safe = "Safe: “Keep the words” is finished; “Drop layers” goes on from step 812 of 2,000."
    assert _lines(page) == [told("disk_full").what_happened, safe, told("disk_full").next_step]
    assert safe[6:] in page._card.accessibleName() and _primary(page) == ["Resume"]
    with qtbot.waitSignal(page.resume_wanted):
        _buttons(page)["button-next-step"].click()


def test_what_only_looking_at_every_byte_tells_is_told_a_moment_later(
    page: RunPage, controller: FakeController, folder: RunFolder, qtbot: QtBot
) -> None:
    (_stage(folder, "01-vocabulary") / "report.json").write_text("[]")
    _fail(controller, folder, "power_loss", "lost")
    assert "is finished" in _lines(page)[1]
    qtbot.waitUntil(lambda: "finished nothing" in page._card.accessibleName())


def test_a_run_that_diverges_at_every_rate_leads_to_its_setting(
    page: RunPage, controller: FakeController, folder: RunFolder, qtbot: QtBot
) -> None:
    _fail(controller, folder, "given_up")
    assert _primary(page) == ["Change the settings"]
    with qtbot.waitSignal(page.mending_wanted) as asked:
        _buttons(page)["button-next-step"].click()
    assert asked.args == [folder.path, "schedule.learning_rate"]


def test_the_settings_of_a_run_are_taken_up_where_they_hold_anywhere(
    folder: RunFolder, tmp_path: Path, qtbot: QtBot
) -> None:
    assert movable_recipe(folder) == folder.original_recipe
    given = RECIPE.replace('["sample"]', '["texts.txt"]')
    folder.original_recipe.write_text(given)
    folder.recipe.write_text(to_toml(absolute(parse(given), tmp_path)))
    assert movable_recipe(folder) == folder.recipe
    driver = Driver(qtbot, tmp_path)
    driver.window._mend(folder.path, "schedule.learning_rate")
    more = driver.window.page("setup").sections["more"]
    assert str(tmp_path / "texts.txt") in driver.window.draft.to_toml() and more.content.isVisibleTo(more)
    assert more.field("schedule.learning_rate") is not None
    driver.close()


def test_what_never_began_leads_back_to_the_set_up(page: RunPage, controller: FakeController, qtbot: QtBot) -> None:
    controller.set(phase="failed", faults=(Fault("The hub can't be reached.", "Connect.", kind="no_network"),))
    assert _primary(page) == ["Back to the set-up"] and "Safe" not in "".join(_lines(page))
    with qtbot.waitSignal(page.go_to_setup):
        _buttons(page)["button-next-step"].click()


def test_a_run_that_waits_for_room_says_so_and_the_card_goes_with_the_wait(
    page: RunPage, controller: FakeController, folder: RunFolder
) -> None:
    _fail(controller, folder, "disk_nearly_full", "paused")
    assert page._card.isVisible() and page._card.property("role") == "warn" and _primary(page) == []
    controller.set(phase="running", faults=(), kind=None)
    assert not page._card.isVisible()
    controller.set(phase="paused")
    assert not page._card.isVisible()  # the user's own wish needs no card


def test_diagnostics_of_a_fault_of_ours_are_copied_without_secrets(
    page: RunPage,
    controller: FakeController,
    folder: RunFolder,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    monkeypatch.setenv("HF_TOKEN", "a-secret-of-mine")
    folder.recipe.write_text(f'name = "x"\nsources = ["{tmp_path}/texts/a.txt", "hub:a"]\n')
    lines = [json.dumps({"t": number, "type": "message", "text": f"number {number}."}) for number in range(60)]
    lines[-1] = json.dumps({"text": "hf_abcdefghijklmnop a-secret-of-mine https://me:pw@host/x?sig=abc \x1b[31m"})
    folder.events.write_text("\n".join(lines) + "\n")
    (folder.path / "error.log").write_text(
        "2026-01-01 10:00:00 monoglot run\nTraceback: old\n\n2026-01-02 10:00:00 monoglot run\nTraceback: new\n"
    )
    _fail(controller, folder, "bug")
    assert _primary(page) == ["Copy diagnostics"]
    _buttons(page)["button-diagnostics"].click()
    text = QApplication.clipboard().text()
    assert _buttons(page)["button-diagnostics"].text() == "Diagnostics copied"
    assert "monoglot " in text and "python " in text and "~/texts/a.txt" in text and "hub:a" in text
    assert "number 10." in text and "number 9." not in text
    assert "Traceback: new" in text and "Traceback: old" not in text
    for secret in (str(tmp_path), "hf_abc", "a-secret", "me:pw", "sig=abc", "\x1b"):
        assert secret not in text
