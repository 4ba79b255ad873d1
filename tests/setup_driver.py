"""What tests of the set-up page share."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QObject, QProcess
from pytestqt.qtbot import QtBot
from window_driver import PATIENCE

from gui.draft import Draft
from gui.pages.setup import SetupPage
from gui.settings import SettingsFile

XLM_R = "xlm-roberta-base"


def opened(qtbot: QtBot, tmp_path: Path) -> SetupPage:
    """A set-up page on a screen, with settings of its own; its child processes end before it does."""

    def end(made: SetupPage) -> None:
        made.end()
        qtbot.waitUntil(lambda: not made.findChildren(QProcess), timeout=PATIENCE)

    settings = SettingsFile(tmp_path / "settings" / "settings.json")
    draft = Draft(settings)
    made = SetupPage(draft, settings)
    qtbot.addWidget(made, before_close_func=end)
    made.resize(1192, 664)
    made.show()
    return made


def find(page: SetupPage, kind: type[QObject], name: str) -> QObject:
    found = page.findChildren(kind, name)
    assert len(found) == 1, f"{len(found)} are called {name}"
    return found[0]


def checked(page: SetupPage, qtbot: QtBot) -> None:
    qtbot.waitUntil(lambda: not page._check.busy, timeout=PATIENCE)


def fill_in_the_sample(page: SetupPage, qtbot: QtBot) -> None:
    page.teacher.choose("sample")
    page.language.choose("mlt")
    page.corpus.button_sample.click()
    qtbot.waitUntil(lambda: page.draft.estimate is not None, timeout=PATIENCE)
