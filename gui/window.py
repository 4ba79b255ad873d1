"""The window: rail, pages, status line. It only assembles, and decides which page is seen."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import QByteArray, QTimer
from PySide6.QtGui import QCloseEvent, QKeySequence, QShortcut
from PySide6.QtWidgets import (
    QApplication,
    QHBoxLayout,
    QMainWindow,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from core.errors import Fault, InputError
from core.run import RunFolder
from gui import text
from gui.closing import end_export, what_of_the_run
from gui.controller import RunController, RunState
from gui.draft import Draft
from gui.draft_content import movable_recipe
from gui.icons import icon
from gui.pages.results import ResultsPage
from gui.pages.start import StartPage
from gui.recent import RecentRuns
from gui.settings import SettingsFile
from gui.theme import SPACE, theme
from gui.widgets.label import Label
from gui.widgets.phases import phase_name
from gui.widgets.problem import ProblemCard
from gui.widgets.rail import Rail

_DISK_MILLISECONDS = 5000


@dataclass(frozen=True, slots=True)
class _Place:
    """One entry of the rail."""

    name: str
    title: str
    icon: str
    make: Callable[[], QWidget]
    """Called when the page is first seen, or when the window has time: a page may be slow to make."""


class MainWindow(QMainWindow):
    """The application's only window."""

    def __init__(self, settings: SettingsFile, controller: RunController | None = None) -> None:
        super().__init__()
        self._settings = settings
        self.controller = controller or RunController(self)
        self.draft = Draft(settings, self)
        self._recent = RecentRuns()
        self._closing = False
        self._was_live = False
        self.setWindowTitle("Monoglot")
        self.setWindowIcon(icon("run"))
        self.setMinimumSize(1000, 640)
        self.resize(1280, 720)
        self.restoreGeometry(QByteArray.fromBase64(settings.value.geometry.encode()))
        theme().choose(settings.value.theme)  # type: ignore[arg-type]

        self._places = (
            _Place("start", self.tr("Start"), "start", self._make_start),
            _Place("setup", self.tr("Set up"), "setup", self._make_setup),
            _Place("run", self.tr("Run"), "run", self._make_run),
            _Place("results", self.tr("Results"), "results", self._make_results),
            _Place("library", self.tr("Library"), "library", self._make_library),
        )
        self._pages: dict[str, QWidget] = {}
        self._stack = QStackedWidget(self)
        self._trouble = ProblemCard(self)
        self._rail = Rail([(place.name, place.title, place.icon) for place in self._places], self)
        self._rail.chosen.connect(self.show_page)
        self._rail.looks_chosen.connect(self._choose_looks)
        self._rail.show_looks(settings.value.theme)
        self.setCentralWidget(self._assemble())
        self._make_status_line()
        self.controller.state_changed.connect(self._on_state)
        self._make_shortcuts()
        self.show_page("start")
        QTimer.singleShot(0, self._find_live_run)

    # What others ask for

    def show_page(self, name: str) -> None:
        """Bring a page to the front."""
        page = self.page(name)
        self._stack.setCurrentWidget(page)
        page.setFocus()
        self._rail.show_chosen(name)

    def page(self, name: str) -> QWidget:
        """A page, made if it isn't there yet."""
        if name not in self._pages:
            place = next(place for place in self._places if place.name == name)
            self._pages[name] = place.make()
            self._stack.addWidget(self._pages[name])
        return self._pages[name]

    def start_sample(self, tiny: bool = False) -> None:
        """Start the built-in sample and show it."""
        if self._another_runs():
            return
        self.controller.start_sample(tiny)
        self.show_page("run")

    def show_fault(self, fault: Fault) -> None:
        """Tell of something that belongs to no page."""
        self._trouble.show_trouble(
            fault.problem, fault.hint, (self.tr("Close"), self._trouble.hide, self.tr("Hides this."))
        )

    @property
    def fault_text(self) -> str:
        """What `show_fault` tells of now; empty where it doesn't."""
        return self._trouble.accessibleName() if not self._trouble.isHidden() else ""

    # The parts

    def _assemble(self) -> QWidget:
        whole = QWidget(self)
        row = QHBoxLayout(whole)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(0)
        row.addWidget(self._rail)
        column = QVBoxLayout()
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self._trouble)
        column.addWidget(self._stack, 1)
        row.addLayout(column, 1)
        return whole

    def _make_shortcuts(self) -> None:
        keys = QKeySequence.StandardKey
        for standard, act in ((keys.Quit, self.close), (keys.New, self._new_draft)):
            QShortcut(QKeySequence(standard), self, act)

    def _make_status_line(self) -> None:
        line = self.statusBar()
        line.setSizeGripEnabled(False)
        self._status = Label(parent=line)
        self._status.setObjectName("status-run")
        self._status.setContentsMargins(SPACE.s, 0, 0, 0)
        self._machine = Label(parent=line)
        self._machine.setObjectName("status-machine")
        self._machine.setContentsMargins(0, 0, SPACE.s, 0)
        line.addWidget(self._status, 1)
        line.addPermanentWidget(self._machine)
        self._on_state(self.controller.state)
        self._tell_machine()
        self.startTimer(_DISK_MILLISECONDS)

    def _make_start(self) -> QWidget:
        page = StartPage(self.controller.runs, self._settings.value.runs, self)
        page.sample_wanted.connect(self.start_sample)
        page.new_wanted.connect(self._new_draft)
        page.recipe_chosen.connect(self.open_recipe)
        page.run_chosen.connect(self.open_run)
        return page

    def _make_setup(self) -> QWidget:
        from gui.pages.setup.page import SetupPage

        page = SetupPage(self.draft, self._settings, self)
        page.compress_requested.connect(self._compress)
        return page

    def _make_run(self) -> QWidget:
        from gui.pages.run import RunPage  # brings pyqtgraph and numpy

        page = RunPage(self.controller, self)
        page.go_to_setup.connect(self._show_setup)
        page.resume_wanted.connect(self._resume)
        page.mending_wanted.connect(self._mend)
        page.start_sample.connect(self.start_sample)
        page.show_results.connect(self._show_results)
        return page

    def _make_results(self) -> QWidget:
        page = ResultsPage(self.controller, self)
        page.go_to_run.connect(self._show_run)
        page.go_to_start.connect(self._show_start)
        return page

    def _make_library(self) -> QWidget:
        from gui.pages.library import LibraryPage  # brings pyqtgraph and numpy

        page = LibraryPage(self.controller.runs, self._settings.value.runs, self)
        page.run_chosen.connect(self.open_run)
        page.go_to_start.connect(self._show_start)
        return page

    # What happens

    def _show_results(self) -> None:
        self.show_page("results")

    def _show_run(self) -> None:
        self.show_page("run")

    def _show_start(self) -> None:
        self.show_page("start")

    def _show_setup(self) -> None:
        self.show_page("setup")

    def _new_draft(self) -> None:
        """An empty set-up; undo brings the last one back."""
        self.draft.clear()
        self.show_page("setup")

    def _resume(self) -> None:
        if not self._another_runs():
            self.controller.resume()

    def open_recipe(self, path: Path) -> None:
        """Take a recipe file into the set-up."""
        self.show_page("setup")
        self.page("setup").open_recipe(path)  # type: ignore[attr-defined]

    def _mend(self, folder: Path, key: str) -> None:
        """Take a copy of a run's recipe into the set-up, and show what is to be changed in it."""
        self.open_recipe(movable_recipe(RunFolder(folder)))
        self.page("setup").show_key(key)  # type: ignore[attr-defined]

    def open_run(self, folder: Path) -> None:
        """Show a run: as it goes, or what came out of it."""
        self._settings.remember_run(folder)
        for name in ("start", "library"):
            if name in self._pages:
                self._pages[name].others = self._settings.value.runs  # type: ignore[attr-defined]
        self.controller.attach(folder)
        finished = RunFolder(folder).read_status().get("state") == "finished"
        self.show_page("results" if finished else "run")

    def _compress(self, recipe: str, base: Path) -> None:
        if self._another_runs():
            return
        try:
            self.controller.start(recipe, base)
        except InputError as error:
            self.show_fault(error.faults[0])
            return
        self.show_page("run")

    def _another_runs(self) -> bool:
        """Two trainings at once would take more than twice as long each; says so."""
        live = next((run for run in self._look() if run.live), None)
        if live is None and not self.controller.state.live:
            return False
        name = live.name if live is not None else ""
        self.show_fault(
            Fault(
                self.tr("Another run is going on: {name}.").format(name=name),
                self.tr("Wait until it has finished, or stop it on its page; a stopped run can go on later."),
            )
        )
        return True

    def _look(self) -> list:
        return self._recent.look(self.controller.runs, self._settings.value.runs)

    def _find_live_run(self) -> None:
        """A run that goes on from an earlier window is shown again; then the pages that take time are made."""
        if self.controller.state.folder is None:
            live = next((run for run in self._look() if run.live), None)
            if live is not None:
                self.controller.attach(live.folder)
                self.show_page("run")
        QTimer.singleShot(200, self._make_the_rest)

    def _make_the_rest(self) -> None:
        if self._closing:
            return
        waiting = [place.name for place in self._places if place.name not in self._pages]
        if waiting:
            self.page(waiting[0])
            QTimer.singleShot(50, self._make_the_rest)

    def _on_state(self, state: RunState) -> None:
        if state.folder is not None and state.live and not self._was_live:
            self._settings.remember_run(state.folder)
        if self._was_live and not state.live and not self.isActiveWindow():
            QApplication.alert(self)
        self._was_live = state.live
        self._status.setText(self._status_text(state))

    def _status_text(self, state: RunState) -> str:
        if state.folder is None or state.phase == "none":
            return self.tr("No run")
        recipe = self.controller.recipe
        words = [recipe.name if recipe is not None else state.folder.name, phase_name(state.phase)]
        if state.live and state.stage:
            share = f" {text.percent(state.done / state.total, 0)}" if state.total else ""
            words.append(text.stage_name(state.stage) + share)
        if state.phase == "running" and state.eta_seconds is not None:
            words.append(self.tr("{} left in this stage").format(text.roughly(state.eta_seconds)))
        return " · ".join(words)

    def timerEvent(self, event: object) -> None:
        """The disk fills while a run goes on."""
        self._tell_machine()

    def _tell_machine(self) -> None:
        folder = self.controller.runs
        while not folder.exists() and folder != folder.parent:
            folder = folder.parent
        try:
            free = text.number(shutil.disk_usage(folder).free / 1e9, 0)
        except OSError:  # a share that is gone
            free = text.MISSING
        recipe = self.controller.recipe
        device = recipe.schedule.device.upper() if recipe is not None and recipe.schedule.device != "auto" else ""
        cores = self.tr("{} cores").format(os.cpu_count() or 1)
        words = (device, cores, self.tr("{} GB free").format(free))
        self._machine.setText(" · ".join(filter(None, words)))

    def _choose_looks(self, choice: str) -> None:
        theme().choose(choice)  # type: ignore[arg-type]
        self._settings.change(theme=choice)

    # The end

    def closeEvent(self, event: QCloseEvent) -> None:
        """Ask what is to become of a run; the thread that follows it ends before the window does."""
        if self._closing:
            event.accept()
            return
        if not self._may_close():
            event.ignore()
            return
        self._closing = True
        self._settings.change(geometry=bytes(self.saveGeometry().toBase64().data()).decode())
        for name in ("setup", "results", "library"):  # what they have under way ends with them
            if name in self._pages:
                self._pages[name].end()  # type: ignore[attr-defined]
        self.draft.keep()
        self.controller.close()
        self.controller.wait()
        event.accept()

    def _may_close(self) -> bool:
        """Ask about what is under way; where the user wants the run stopped, it is asked to."""
        results = self._pages.get("results")
        if isinstance(results, ResultsPage) and results.exporting and not end_export(self):
            return False
        if not self.controller.state.live:
            return True
        answer = what_of_the_run(self)
        if answer == "stop":
            self.controller.stop()
        return answer != "stay"
