"""The window as a whole: what its process holds, every text translatable, every control reachable by key."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QProcess, Qt, QTranslator
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractSlider,
    QApplication,
    QComboBox,
    QLabel,
    QLineEdit,
    QScrollBar,
    QWidget,
)
from pytestqt.qtbot import QtBot
from window_driver import Driver

import resources
from core.errors import Fault, InputError
from core.recipe import load, settings
from gui import app as gui_app
from gui.hook import Hook
from gui.settings import SettingsFile
from gui.theme import DARK, LIGHT, theme
from tests.no_network import block_network

SAMPLE = Path(resources.__file__).parent / "sample"
PAGES = ("start", "setup", "run", "results", "library")


@pytest.fixture
def driver(qtbot: QtBot, tmp_path: Path) -> Iterator[Driver]:
    driver = Driver(qtbot, tmp_path)
    yield driver
    driver.close()
    theme().choose("system")


def test_nobody_asks_for_a_network_before_the_user_does(
    qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = block_network(monkeypatch, tmp_path)
    driver = Driver(qtbot, tmp_path)
    for name in PAGES:
        driver.window.show_page(name)
    draft = driver.window.draft
    draft.set("language.code", "mlt")
    draft.set("corpus.sources", ["sample"])
    draft.choose_teacher("sample")
    driver.wait(lambda: draft.sizes is not None and not draft.looking)
    driver.wait(lambda: not driver.window.findChildren(QProcess))
    driver.close()
    assert asked() == ""


def test_a_closed_window_starts_nothing(driver: Driver, qtbot: QtBot) -> None:
    driver.window.open_recipe(SAMPLE / "recipe-tiny.toml")
    driver.window.page("setup")
    assert driver.window.draft.sizes is None  # what is known of the teacher comes after the end
    assert driver.window.close()
    driver.wait(lambda: driver.window.draft.sizes is not None)
    qtbot.wait(1000)  # longer than questions wait for others
    assert not driver.window.findChildren(QProcess)


def test_the_windows_process_holds_nothing_heavy(tmp_path: Path) -> None:
    code = """
import sys, pathlib
from PySide6.QtWidgets import QApplication
app = QApplication([])
from gui.hook import Hook
from gui.settings import SettingsFile
from gui.window import MainWindow
from gui.controller import RunController
window = MainWindow(SettingsFile(pathlib.Path(sys.argv[1]) / "s.json"), RunController(runs=pathlib.Path(sys.argv[1])))
window.show()
for name in ("start", "setup", "run", "results", "library"):
    window.show_page(name)
window.open_recipe(pathlib.Path(sys.argv[2]))
window.close()
heavy = ("torch", "transformers", "datasets", "tokenizers", "pandas", "sklearn")
print([name for name in heavy if name in sys.modules])
"""
    arguments = [sys.executable, "-c", code, str(tmp_path), str(SAMPLE / "recipe.toml")]
    environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen"}
    done = subprocess.run(arguments, capture_output=True, text=True, check=True, env=environment)
    assert done.stdout.strip() == "[]"


def test_the_program_brings_no_qt_with_a_word() -> None:
    code = "import sys\nfrom gui.entry import main\nsys.argv = ['monoglot', '--version']\nmain()\n"
    code += "print([name for name in sys.modules if name.startswith('PySide6')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_without_a_screen_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(sys, "platform", "linux")
    with pytest.raises(InputError, match="no screen"):
        gui_app.main()


class _Brackets(QTranslator):
    """A language in which every text stands in brackets: one that doesn't was never asked to be translated."""

    def translate(self, context: str, text: str, *_: object) -> str:
        return f"⟦{text}⟧"


def _own_texts(window: QWidget) -> dict[str, str]:
    """Every text of a widget that is ours: object or class name → text."""
    texts: dict[str, str] = {}
    for widget in window.findChildren(QWidget):
        words = [widget.toolTip(), widget.accessibleName()]
        if isinstance(widget, QLabel | QAbstractButton):
            words.append(widget.text())
        if isinstance(widget, QLineEdit):
            words.append(widget.placeholderText())
        for text in words:
            if any(letter.isalpha() for letter in text):
                texts[f"{type(widget).__name__} {widget.objectName()}: {text}"] = text
    return texts


def test_every_text_can_be_translated(qapp: QApplication, qtbot: QtBot, tmp_path: Path) -> None:
    translator = _Brackets()
    qapp.installTranslator(translator)
    try:
        driver = Driver(qtbot, tmp_path)
        for name in PAGES:
            driver.window.show_page(name)
        for section in driver.window.page("setup").sections.values():
            section.open()
        bare = [key for key, text in _own_texts(driver.window).items() if "⟦" not in text]
        driver.close()
    finally:
        qapp.removeTranslator(translator)
    # The recipe's keys stand beside their plain words, and are the same in every language.
    keys = {key.rpartition(".")[2].replace("_", " ") for key in settings(load(SAMPLE / "recipe.toml"))}
    assert [where for where in bare if where.partition(": ")[2] not in keys and " qt_" not in where] == []


def test_every_control_can_be_reached_and_read_out(driver: Driver) -> None:
    kinds = QAbstractButton | QAbstractSlider | QComboBox | QLineEdit
    for name in PAGES:
        driver.window.show_page(name)
    driver.window.open_recipe(SAMPLE / "recipe-tiny.toml")
    for section in driver.window.page("setup").sections.values():
        section.open()
    nameless, unreachable = [], []
    for widget in driver.window.findChildren(QWidget):
        # Qt's own inside of its widgets.
        inside = isinstance(widget.parent(), QLineEdit | QComboBox) or widget.objectName().startswith("qt_")
        if not isinstance(widget, kinds) or isinstance(widget, QScrollBar) or inside:
            continue
        text = widget.text() if isinstance(widget, QAbstractButton) else ""
        where = f"{type(widget).__name__} {widget.objectName() or text} in {widget.parent().objectName()}"
        if not (widget.accessibleName() or text):
            nameless.append(where)
        # Of an exclusive group the chosen one is reached by Tab, the others by the arrows.
        grouped = isinstance(widget, QAbstractButton) and widget.group() is not None
        if widget.focusPolicy() == Qt.FocusPolicy.NoFocus and not grouped:
            unreachable.append(where)
    assert (nameless, unreachable) == ([], [])


def _contrast(one: str, other: str) -> float:
    """Contrast of two colours as WCAG 2 counts it."""

    def light(color: str) -> float:
        parts = [int(color[place : place + 2], 16) / 255 for place in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    bright, dark = sorted((light(one), light(other)), reverse=True)
    return (bright + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("colors", [LIGHT, DARK], ids=["light", "dark"])
def test_text_stands_out_from_its_ground(colors: object) -> None:
    pairs = [(ink, ground) for ink in ("text", "grey", "accent", "good") for ground in ("page", "card", "field")]
    pairs += [("warn_text", "warn_page"), ("bad_text", "bad_page"), ("bad_text", "card"), ("on_accent", "accent")]
    low = {pair: _contrast(getattr(colors, pair[0]), getattr(colors, pair[1])) for pair in pairs}
    assert {pair: ratio for pair, ratio in low.items() if ratio < 4.5} == {}


def test_light_and_dark_are_chosen_and_remembered(driver: Driver, tmp_path: Path) -> None:
    menu = driver.find("button-looks").menu()
    for action in menu.actions():
        if action.data() == "dark":
            action.trigger()
    assert theme().colors is DARK
    assert json.loads(driver.settings.read_text(encoding="utf-8"))["theme"] == "dark"
    assert SettingsFile(driver.settings).value.theme == "dark"


def test_the_pages_come_by_key(driver: Driver, qtbot: QtBot) -> None:
    driver.window.activateWindow()
    qtbot.waitUntil(driver.window.isActiveWindow)
    for number, name in enumerate(PAGES, start=1):
        qtbot.keyClick(driver.window, getattr(Qt.Key, f"Key_{number}"), Qt.KeyboardModifier.ControlModifier)
        driver.wait(lambda name=name: driver.window.page(name).isVisible())


def test_a_fault_of_ours_is_told_and_logged(driver: Driver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("appdirs.user_log_dir", lambda *_: str(tmp_path / "logs"))
    hook = Hook(driver.window)
    hook.told.connect(driver.window.show_fault, Qt.ConnectionType.QueuedConnection)
    hook(ValueError, ValueError("unforeseen"), None)
    driver.wait(lambda: "inside Monoglot" in driver.window.fault_text)
    assert "unforeseen" in (tmp_path / "logs" / "error.log").read_text(encoding="utf-8")


def test_a_name_that_looks_like_rich_text_is_shown_as_it_is(driver: Driver) -> None:
    driver.window.show_fault(Fault("<b>bold</b> is no model.", "Take <i>another</i>."))
    shown = [label for label in driver.window.findChildren(QLabel) if "<b>bold" in label.text()]
    assert shown and all(label.textFormat() == Qt.TextFormat.PlainText for label in shown)


def test_runs_are_listed_and_opened(driver: Driver, tmp_path: Path) -> None:
    assert not driver.find("list-runs").isVisible() and not driver.find("button-open-run").isVisible()
    folder = driver.runs / "old"
    folder.mkdir(parents=True)
    (folder / "status.json").write_text('{"state": "stopped", "stage": "layers"}', encoding="utf-8")
    (folder / "recipe.toml").write_text((SAMPLE / "recipe.toml").read_text(encoding="utf-8"), encoding="utf-8")
    driver.window.page("start").look()
    assert driver.find("list-runs").topLevelItemCount() == 1
    driver.click("button-open-run")
    driver.wait(lambda: driver.state.phase == "stopped")
    assert driver.find("page-run").isVisible() and driver.find("button-resume").isEnabled()
