"""Drives the real window in tests: clicks what a user clicks, waits for what a user waits for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QCoreApplication, QEvent, Qt
from PySide6.QtWidgets import QAbstractButton, QWidget
from pytestqt.exceptions import TimeoutError as Timeout
from pytestqt.qtbot import QtBot

from core.wording import STAGES
from gui.controller import RunController, RunState
from gui.settings import SettingsFile
from gui.window import MainWindow

_STAGES = list(STAGES)
PATIENCE = 180_000
"""Milliseconds that a step of a real run may take on a busy machine."""


class Driver:
    """One window with its own settings and runs."""

    def __init__(self, qtbot: QtBot, folder: Path) -> None:
        self._qtbot = qtbot
        self.runs = folder / "runs"
        self.settings = folder / "settings.json"
        self.window = self.open()

    def open(self) -> MainWindow:
        """Open the window (again)."""
        self.window = MainWindow(SettingsFile(self.settings), RunController(runs=self.runs))
        self.window.show()
        return self.window

    @property
    def controller(self) -> RunController:
        """The window's."""
        return self.window.controller

    @property
    def state(self) -> RunState:
        """Where the run stands."""
        return self.controller.state

    def find(self, name: str) -> QWidget:
        """A widget by its object name."""
        found = self.window.findChild(QWidget, name)
        assert found is not None, name
        return found

    def click(self, name: str) -> None:
        """Click a button that can be seen and clicked."""
        button = self.find(name)
        assert isinstance(button, QAbstractButton)
        assert button.isVisible() and button.isEnabled(), name
        self._qtbot.mouseClick(button, Qt.MouseButton.LeftButton)

    def wait(self, holds: Callable[[], bool]) -> None:
        """Until it holds."""
        try:
            self._qtbot.waitUntil(holds, timeout=PATIENCE)
        except Timeout as error:
            error.add_note(f"Where the run stands: {self.state}")
            raise

    def wait_phase(self, *phases: str) -> None:
        """Until the run stands so."""
        self.wait(lambda: self.state.phase in phases)

    def wait_stage(self, stage: str) -> None:
        """Until the run works on a stage or a later one: the window looks now and then, and may miss a short one."""
        reached = _STAGES[_STAGES.index(stage) :]
        ended = ("stopped", "failed", "finished", "lost")
        self.wait(lambda: self.state.phase in ended or (self.state.phase == "running" and self.state.stage in reached))
        assert self.state.phase == "running", self.state

    def close(self) -> None:
        """Close the window; nothing may be running, or the question must be answered by the test."""
        self.window.close()
        self.window.deleteLater()
        # At once, so that what it leaves behind fails this test and no later one.
        QCoreApplication.sendPostedEvents(self.window, QEvent.Type.DeferredDelete)
