"""The set-up's line on time and memory: what is known, what is measured, and that it follows the sliders."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from PySide6.QtCore import QProcess
from PySide6.QtWidgets import QLabel, QPushButton
from pytestqt.qtbot import QtBot
from test_calibration import kept
from window_driver import PATIENCE

from core.analysis.duration import Interval
from gui.draft import Draft
from gui.pages.setup.target import TargetSection
from gui.settings import SettingsFile
from gui.text import memory, span

RECIPE = """
[teacher]
model = "sample"
[language]
code = "mlt"
[corpus]
sources = ["sample"]
max_length = 32
[targets]
layers = 2
hidden_size = 64
vocabulary_size = 900
[schedule]
distil_steps = 4
batch_tokens = 512
device = "cpu"
precision = "float32"
threads = 1
"""
pytestmark = pytest.mark.qt_log_ignore("propagateSizeHints")


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    if sys.platform in ("win32", "darwin"):
        monkeypatch.setattr("appdirs.user_cache_dir", lambda name, author: str(tmp_path / "cache" / name))


@pytest.fixture
def section(qtbot: QtBot, tmp_path: Path) -> TargetSection:
    settings = SettingsFile(tmp_path / "settings.json")
    draft = Draft(settings)
    made = TargetSection(draft, settings)

    def end(section: TargetSection) -> None:
        section.end()
        qtbot.waitUntil(lambda: not section.findChildren(QProcess), timeout=PATIENCE)

    qtbot.addWidget(made, before_close_func=end)
    draft.changed.connect(made.refresh)
    made.show()
    return made


def fill_in(section: TargetSection, qtbot: QtBot, text: str = RECIPE) -> None:
    assert section.draft.load_text(text, Path()) == ()
    qtbot.waitUntil(section.time.isVisible, timeout=PATIENCE)


def words(section: TargetSection) -> str:
    (label,) = section.findChildren(QLabel, "label-time")
    return label.text()


def button(section: TargetSection) -> QPushButton:
    (found,) = section.findChildren(QPushButton, "button-measure")
    return found


def test_it_is_hidden_until_there_is_something_to_say(section: TargetSection, qtbot: QtBot) -> None:
    section.refresh()
    assert not section.time.isVisible()
    fill_in(section, qtbot)
    assert "isn't known yet" in words(section) and button(section).isVisible()
    section.draft.set("targets.layers", None)
    section.draft.set("targets.hidden_size", None)
    qtbot.waitUntil(lambda: not section.time.isVisible(), timeout=PATIENCE)  # nothing is distilled


def test_it_tells_what_is_known_and_follows_the_sliders(section: TargetSection, qtbot: QtBot) -> None:
    kept(RECIPE)
    fill_in(section, qtbot)
    assert words(section).startswith("About ") and words(section).endswith("of memory on this machine")
    assert not button(section).isVisible()
    section.draft.set("targets.layers", 3)
    qtbot.waitUntil(lambda: words(section).endswith("measured with other settings"), timeout=PATIENCE)
    assert button(section).isVisible()
    section.draft.undo()
    qtbot.waitUntil(lambda: not button(section).isVisible(), timeout=PATIENCE)


def test_the_button_measures(section: TargetSection, qtbot: QtBot) -> None:
    fill_in(section, qtbot)
    with qtbot.waitSignal(section.time.measured, timeout=PATIENCE):
        button(section).click()
        assert button(section).text() == button(section).accessibleName() == "Cancel"
        assert words(section).startswith("Measuring")
    qtbot.waitUntil(lambda: words(section).startswith("About"), timeout=PATIENCE)
    assert not button(section).isVisible()


def test_a_measurement_can_be_cancelled(section: TargetSection, qtbot: QtBot) -> None:
    fill_in(section, qtbot)
    button(section).click()
    button(section).click()
    assert not section.time.measuring
    qtbot.waitUntil(lambda: "isn't known yet" in words(section), timeout=PATIENCE)
    assert button(section).text() == "Measure how long…"


def test_why_it_cannot_be_measured_is_said(section: TargetSection, qtbot: QtBot) -> None:
    fill_in(section, qtbot, RECIPE.replace('["sample"]', '["no-such-text.txt"]'))
    with qtbot.waitSignal(section.time.measured, timeout=PATIENCE):
        button(section).click()
    assert "no-such-text.txt" in words(section)
    assert button(section).text() == "Measure how long…" and button(section).isEnabled()


def test_times_are_told_in_their_unit() -> None:
    assert span(Interval(30 * 60, 40 * 60, 55 * 60)) == "40 minutes (30 to 55)"
    assert span(Interval(7 * 3600, 9 * 3600, 12 * 3600)) == "9 hours (7 to 12)"
    assert span(Interval(5, 8.61, 15)) == "8.6 seconds (5 to 15)"
    assert span(Interval(86400, 3 * 86400, 8.3 * 86400)) == "3 days (1 to 8.3)"
    assert (memory(850e6), memory(3.24e9)) == ("850 MB", "3.2 GB")
