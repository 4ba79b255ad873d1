"""The page of a run in each of its states, with a controller that only remembers what it was asked."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from threading import current_thread, main_thread
from typing import Any

import pytest
from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtWidgets import QLabel, QPlainTextEdit, QPushButton, QWidget
from pytestqt.qtbot import QtBot
from test_plots import EVENTS
from test_run_model import begun, ended, loss

from core.errors import Fault
from core.events import Message, Progress
from core.recipe import Recipe, from_mapping
from core.teachers import known_teachers
from gui.controller import RunState
from gui.pages.run import RunPage
from gui.widgets.strip import StageSegment

pytestmark = pytest.mark.qt_log_ignore("propagateSizeHints")  # what the offscreen platform says of windows that grow

FOLDER = Path("runs") / "maltese-small"


class FakeController(QObject):
    state_changed = Signal(object)
    batch = Signal(object)
    restarted = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.state = RunState()
        self.recipe: Recipe | None = None
        self.asked: list[Any] = []

    def set(self, **values: Any) -> None:
        self.state = replace(self.state, **{"folder": FOLDER, **values})
        self.state_changed.emit(self.state)

    def attach(self, folder: Path) -> None:
        self.asked.append(folder)

    def pause(self) -> None:
        self.asked.append("pause")

    def resume(self) -> None:
        self.asked.append("resume")

    def stop(self, keep_best: bool = False) -> None:
        self.asked.append("stop_keep_best" if keep_best else "stop")


@pytest.fixture
def controller(qapp: object) -> FakeController:
    return FakeController()


@pytest.fixture
def page(controller: FakeController, qtbot: QtBot) -> RunPage:
    page = RunPage(controller)  # type: ignore[arg-type]
    qtbot.addWidget(page)
    page.resize(1200, 650)
    page.show()
    return page


def _can_be_clicked(page: RunPage) -> set[str]:
    """The buttons that a user can click now."""
    names = ("pause", "resume", "stop", "stop-keep", "results")
    buttons = {name: page.findChild(QPushButton, f"button-{name}") for name in names}
    return {
        name for name, button in buttons.items() if button is not None and button.isVisible() and button.isEnabled()
    }


def _words(page: RunPage) -> str:
    return page._said.text()


def _segments(page: RunPage) -> list[str]:
    return [segment.accessibleName() for segment in page.findChildren(StageSegment)]


def test_without_a_run_it_says_what_to_do(page: RunPage, qtbot: QtBot) -> None:
    assert _can_be_clicked(page) == set()
    assert not any(plot.isVisible() for plot in page.plots)
    setup, sample = (button for button in page.findChildren(QPushButton) if button.isVisible())
    assert all(button.accessibleName() and button.toolTip() for button in (setup, sample))
    with qtbot.waitSignal(page.go_to_setup):
        setup.click()
    with qtbot.waitSignal(page.start_sample):
        sample.click()


@pytest.mark.parametrize(
    ("phase", "buttons"),
    [
        ("queued", {"pause", "stop"}),
        ("running", {"pause", "stop", "stop-keep"}),
        ("paused", {"resume", "stop", "stop-keep"}),
        ("stopped", {"resume"}),
        ("failed", {"resume"}),
        ("lost", {"resume"}),
        ("finished", {"results"}),
    ],
)
def test_what_can_be_asked_in_each_state(
    page: RunPage, controller: FakeController, phase: str, buttons: set[str]
) -> None:
    controller.set(phase=phase)
    assert _can_be_clicked(page) == buttons
    assert _words(page)


def test_the_buttons_ask_the_controller(page: RunPage, controller: FakeController) -> None:
    controller.set(phase="running")
    for name in ("button-pause", "button-stop", "button-stop-keep"):
        page.findChild(QPushButton, name).click()
    controller.set(phase="paused")
    page.findChild(QPushButton, "button-resume").click()
    assert controller.asked == ["pause", "stop", "stop_keep_best", "resume"]


def test_a_wish_that_waits_shows_and_then_what_it_did(page: RunPage, controller: FakeController) -> None:
    controller.set(phase="running", wish="pause")
    assert _words(page) == "Pausing…" and _can_be_clicked(page) == {"stop", "stop-keep"}
    controller.set(wish="stop")
    assert _words(page) == "Stopping…" and _can_be_clicked(page) == set()
    controller.set(phase="stopped", wish="", said="Stopped in “Drop layers”.")
    assert _words(page) == "Stopped in “Drop layers”." and _can_be_clicked(page) == {"resume"}


@pytest.mark.parametrize("phase", ["stopped", "failed", "lost"])
def test_to_go_on_with_a_run_that_is_not_live_is_for_the_window_to_allow(
    page: RunPage, controller: FakeController, phase: str, qtbot: QtBot
) -> None:
    controller.set(phase=phase)
    with qtbot.waitSignal(page.resume_wanted):
        page.findChild(QPushButton, "button-resume").click()
    assert controller.asked == []


def test_what_was_said_of_a_run_that_is_gone_is_seen(page: RunPage, controller: FakeController) -> None:
    controller.set(folder=None, said="Stopped before anything was made.")
    assert page._said.isVisible() and _words(page) == "Stopped before anything was made."


def test_the_stages_to_come_are_looked_up_in_another_thread(
    page: RunPage, controller: FakeController, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads = []

    def config(model: str, base: Path) -> dict[str, Any]:
        threads.append(current_thread())
        return dict(known_teachers()[0].config)

    monkeypatch.setattr("gui.pages.run.config_here", config)
    given = {"teacher": {"model": "some/teacher"}, "language": {"code": "mlt"}, "corpus": {"sources": ["a.txt"]}}
    controller.recipe = from_mapping({**given, "targets": {"layers": 6}})
    controller.set(phase="running")
    qtbot.waitUntil(lambda: "layers" in [stage.name for stage in page.model.stages])
    controller.recipe = from_mapping({**given, "targets": {"layers": 6}})  # read again: the same, and not asked again
    controller.set(phase="paused")
    assert "layers" in [stage.name for stage in page.model.stages]
    assert len(threads) == 1 and threads[0] is not main_thread()


def test_the_log_of_another_run_takes_the_place_of_the_former(
    page: RunPage, controller: FakeController, qtbot: QtBot
) -> None:
    controller.set(phase="running")
    controller.batch.emit(((1.0, Message(level="info", text="of the first run")),))
    lines = page.findChild(QPlainTextEdit, "log-lines")
    qtbot.waitUntil(lambda: "first" in lines.toPlainText())
    controller.restarted.emit()
    texts = ("of the second run", "and longer")
    controller.batch.emit(tuple((1.0, Message(level="info", text=text)) for text in texts))
    qtbot.waitUntil(lambda: "longer" in lines.toPlainText())
    assert "second" in lines.toPlainText() and "first" not in lines.toPlainText()


def test_another_versions_events_do_no_harm(page: RunPage, controller: FakeController, qtbot: QtBot) -> None:
    controller.set(phase="running")
    controller.batch.emit(((1.0, Message(level="debug", text="a word")), (2.0, begun("<b>new</b>"))))  # type: ignore[arg-type]
    lines = page.findChild(QPlainTextEdit, "log-lines")
    qtbot.waitUntil(lambda: "a word" in lines.toPlainText())
    (segment,) = page.findChildren(StageSegment)
    words = [label for label in segment.findChildren(QLabel) if label.text()]
    assert [label.text() for label in words] == ["<b>new</b>", "preparing"]
    assert all(label.textFormat() == Qt.TextFormat.PlainText for label in words)


def test_a_run_that_was_cut_off_says_what_is_safe(page: RunPage, controller: FakeController, qtbot: QtBot) -> None:
    controller.set(phase="lost")
    assert page._card.isVisible() and "safe" in page._card.accessibleName()
    resume = next(button for button in page._card.findChildren(QPushButton) if button.text() == "Resume")
    with qtbot.waitSignal(page.resume_wanted):
        resume.click()
    assert controller.asked == []  # the window asks first whether another run goes on
    controller.set(phase="running")
    assert not page._card.isVisible()


def test_a_failure_tells_its_fault_also_where_there_is_none(page: RunPage, controller: FakeController) -> None:
    controller.set(phase="failed", faults=(Fault("The disk is full.", "Free some space and resume."),))
    assert "disk is full" in page._card.accessibleName() and "Free some space" in page._card.accessibleName()
    controller.set(phase="failed", faults=())
    assert page._card.isVisible() and "resume" in page._card.accessibleName()
    buttons = [button for button in page._card.findChildren(QPushButton) if button.isVisible()]
    assert buttons and all(button.accessibleName() and button.toolTip() for button in buttons)


def test_events_reach_the_strip_the_plots_and_the_log(page: RunPage, controller: FakeController, qtbot: QtBot) -> None:
    controller.set(phase="running")
    page.model.set_planned(["layers", "hidden", "evaluate"])
    events = [begun("layers"), *EVENTS[:-2], ended("layers"), begun("hidden")]
    progress = Progress(stage="hidden", done=5, total=10, eta_seconds=180.0)
    controller.batch.emit(tuple((60.0, event) for event in [*events, progress]))
    qtbot.waitUntil(lambda: bool(page.plots[0].canvas.getPlotItem().listDataItems()))
    layers, hidden, evaluate = _segments(page)
    assert "done" in layers and "waiting" in evaluate
    assert "50 %" in hidden and "about 3 min left" in hidden
    lines = page.findChild(QPlainTextEdit, "log-lines")
    assert not lines.isVisible() and "Drop layers: done." in lines.toPlainText()
    page.findChild(QWidget, "button-log").click()
    assert lines.isVisible() and lines.isReadOnly()
    controller.restarted.emit()
    qtbot.waitUntil(lambda: not page.plots[0].canvas.getPlotItem().listDataItems())
    assert lines.toPlainText() == ""


def test_warnings_stay(page: RunPage, controller: FakeController, qtbot: QtBot) -> None:
    controller.set(phase="running")
    texts = ["Few texts.", "Few tokens.", "Little memory.", "An old driver."]
    controller.batch.emit(tuple((1.0, Message(level="warning", text=text)) for text in texts))
    qtbot.waitUntil(page._warnings.isVisible)
    spoken = page._warnings.accessibleName()
    assert "Few texts." in spoken and "An old driver." not in spoken and "2" in spoken
    controller.batch.emit(((2.0, loss("layers", 1, 3.0)),))
    with qtbot.waitSignal(page.model.changed):
        pass
    assert page._warnings.isVisible()
    controller.set(phase="finished")
    assert page._warnings.isVisible()  # it still says something of the model that came out


def test_a_plot_fills_the_page_and_goes_back(page: RunPage, controller: FakeController) -> None:
    controller.set(phase="running")
    first, second, third = page.plots
    second.enlarge_asked.emit()
    assert [plot.isVisible() for plot in page.plots] == [False, True, False]
    second.enlarge_asked.emit()
    assert first.isVisible() and second.isVisible() and third.isVisible()


def test_a_page_that_comes_later_than_the_run_asks_for_its_events(controller: FakeController, qtbot: QtBot) -> None:
    controller.set(phase="running")
    qtbot.addWidget(RunPage(controller))  # type: ignore[arg-type]
    assert controller.asked == [FOLDER]


def test_everything_has_a_name_and_room_to_be_hit(page: RunPage, controller: FakeController, qtbot: QtBot) -> None:
    controller.set(phase="running")
    controller.batch.emit(tuple((1.0, event) for event in EVENTS))
    qtbot.waitUntil(lambda: bool(page.plots[2].legend.buttons))
    qtbot.wait(50)
    buttons = [
        button for button in page.findChildren(QWidget) if button.inherits("QAbstractButton") and button.isVisible()
    ]
    assert len(buttons) > 15
    for button in buttons:
        assert button.accessibleName() and button.toolTip() and button.height() >= 28, button.objectName()
    assert page.minimumSizeHint().height() <= 600 and page.minimumSizeHint().width() <= 1180


def test_the_focus_of_a_button_that_goes_is_never_handed_to_stop(
    page: RunPage, controller: FakeController, qtbot: QtBot
) -> None:
    page.activateWindow()
    qtbot.waitUntil(page.isActiveWindow)
    controller.set(phase="running")
    page._pause.setFocus()
    controller.set(phase="running", wish="pause")
    assert not page._stop.hasFocus() and not page._keep.hasFocus()
    controller.set(phase="paused", wish="")
    assert page._resume.hasFocus()
    controller.set(phase="running")
    assert page._pause.hasFocus()
