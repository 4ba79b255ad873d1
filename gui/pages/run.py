"""The page of a run: its stages, three live plots, its log, and what can be asked of it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtGui import QPalette
from PySide6.QtWidgets import QApplication, QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from core.analysis.preview import recipe_sizes
from core.errors import InputError
from core.events import Event
from core.failures import Failure, failure_of_fault, told
from core.recipe import Recipe
from core.run import RunFolder
from core.run_end import cut_off, failure_told
from core.teachers import config_here, on_this_machine
from gui import text
from gui.controller import RunController, RunState
from gui.icons import icon
from gui.lookup import Lookup
from gui.plots.loss import LossPlot
from gui.plots.panel import PlotPanel
from gui.plots.parameters import ParametersPlot
from gui.plots.score import ScorePlot
from gui.run_model import RunModel
from gui.theme import SPACE, set_role
from gui.widgets.failure_card import FailureCard
from gui.widgets.label import Label
from gui.widgets.log import LogPanel
from gui.widgets.phases import phase_name
from gui.widgets.problem import ProblemCard
from gui.widgets.strip import StageStrip
from gui.worker import Phase

_MOST_WARNINGS = 2
_DRAW_MILLISECONDS = 200


class RunPage(QWidget):
    """Shows the controller's run."""

    go_to_setup = Signal()
    start_sample = Signal()
    show_results = Signal()
    resume_wanted = Signal()
    """A run that no process works on is to go on: whether one may start now is for the window to say."""
    mending_wanted = Signal(object, str)
    """The recipe of the run in this folder is to be mended, at this key where it isn't empty, for a new run."""

    def __init__(self, controller: RunController, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("page-run")
        self.setAccessibleName(self.tr("Run"))
        self._controller = controller
        self._carded: tuple[object, ...] = ()
        self._warned: list[str] = []
        self._planned_for: Recipe | None = None
        self._held = False
        """Whether the page keeps the focus for a button that is not there yet."""
        self.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        self._lookup = Lookup(self)
        self.model = RunModel(self)
        self.plots: tuple[LossPlot, ParametersPlot, ScorePlot] = (
            LossPlot(self),
            ParametersPlot(self),
            ScorePlot(self),
        )
        self._title, self._said = Label(parent=self), Label(parent=self)
        self._strip = StageStrip(self)
        self._card, self._warnings = FailureCard(self), ProblemCard(self)
        self._card.resume_wanted.connect(self._go_on)
        self._card.settings_wanted.connect(self._mend)
        self._log = LogPanel(self)
        self._stale: list[LossPlot | ParametersPlot | ScorePlot] = []
        """Plots that don't show the newest yet, the one that waits longest first."""
        self._drawing = QTimer(self, interval=_DRAW_MILLISECONDS, singleShot=True)
        self._drawing.timeout.connect(self._draw_next)
        self._empty = self._make_empty()
        self._build()
        self.model.changed.connect(self._redraw)
        self._lookup.found.connect(self.model.set_planned)
        controller.batch.connect(self._on_batch)
        controller.restarted.connect(self.model.reset)
        controller.state_changed.connect(self._on_state)
        self._on_state(controller.state)
        if controller.state.folder is not None:
            controller.attach(controller.state.folder)  # the page came later than the run: its events are told again

    # -- the parts -----------------------------------------------------------------------------------------------

    def _build(self) -> None:
        for label, role in ((self._title, "title"), (self._said, "note")):
            set_role(label, role)
        self._said.setWordWrap(True)
        head = QHBoxLayout()
        head.setSpacing(SPACE.s)
        head.addWidget(self._title)
        head.addSpacing(SPACE.s)
        head.addWidget(self._said, 1)
        for button in self._make_buttons():
            head.addWidget(button)
        self._plots = QWidget(self)
        row = QHBoxLayout(self._plots)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(SPACE.s)
        for plot in self.plots:
            plot.enlarge_asked.connect(self._on_enlarge)
            row.addWidget(plot, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(SPACE.l, SPACE.m, SPACE.l, SPACE.s)
        column.setSpacing(SPACE.s)
        column.addLayout(head)
        for part in (self._card, self._warnings, self._strip, self._empty):
            column.addWidget(part)
        column.addWidget(self._plots, 1)
        column.addWidget(self._log)
        column.addStretch()

    def _make_buttons(self) -> tuple[QPushButton, ...]:
        self._pause = self._button("button-pause", "pause", self.tr("Pause"), "Ctrl+P", self._controller.pause)
        self._pause.setToolTip(self.tr("Waits at once and keeps everything in memory (Ctrl+P)."))
        self._resume = self._button("button-resume", "play", self.tr("Resume"), "Ctrl+R", self._go_on)
        self._resume.setToolTip(self.tr("Goes on from where the run stands (Ctrl+R)."))
        self._stop = self._button("button-stop", "stop", self.tr("Stop"), "Ctrl+.", self._controller.stop)
        self._stop.setToolTip(self.tr("Ends the run in order; it can be resumed later (Ctrl+.)."))
        self._keep = self._button("button-stop-keep", "check", self.tr("Stop, keep the best"), "", self._stop_keep)
        self._keep.setToolTip(self.tr("Ends the run and leaves its best model so far, ready to use."))
        self._results = self._button(
            "button-results", "results", self.tr("See the results"), "", self.show_results.emit
        )
        self._results.setToolTip(self.tr("Teacher against student, and the export."))
        self._results.setIcon(icon("results", QPalette.ColorRole.HighlightedText))
        set_role(self._results, "primary")
        return self._pause, self._resume, self._stop, self._keep, self._results

    def _button(self, name: str, drawing: str, title: str, keys: str, act: Callable[[], object]) -> QPushButton:
        button = QPushButton(icon(drawing), title, self)
        button.setObjectName(name)
        button.setAccessibleName(title)
        if keys:
            button.setShortcut(keys)
        button.clicked.connect(lambda: act())  # without the button's own state
        return button

    def _make_empty(self) -> QWidget:
        """What stands here while there is no run."""
        empty = QWidget(self)
        column = QVBoxLayout(empty)
        column.setContentsMargins(0, 0, 0, 0)
        words = Label(self.tr("No run is open. Start one in the set-up, or try the sample."), empty)
        set_role(words, "note")
        column.addWidget(words)
        row = QHBoxLayout()
        row.setSpacing(SPACE.s)
        for title, tooltip, signal in (
            (self.tr("Go to the set-up"), self.tr("Shows the page where a new run is set up."), self.go_to_setup),
            (self.tr("Try the sample"), self.tr("Starts the built-in sample, which takes minutes."), self.start_sample),
        ):
            button = QPushButton(title, empty)
            button.setAccessibleName(title)
            button.setToolTip(tooltip)
            button.clicked.connect(signal)
            row.addWidget(button)
        row.addStretch()
        column.addLayout(row)
        return empty

    # -- what is shown -------------------------------------------------------------------------------------------

    def _on_batch(self, batch: tuple[tuple[float, Event], ...]) -> None:
        self.model.apply(batch)

    def _on_state(self, state: RunState) -> None:
        there = state.folder is not None and state.phase != "none"
        self._empty.setVisible(not there)
        for part in (self._strip, self._plots, self._log):
            part.setVisible(there)
        recipe = self._controller.recipe
        self._title.setText(recipe.name if there and recipe is not None else self.tr("Run"))
        self._said.setText(self._words(state) if there else state.said)
        self._show_buttons(state)
        self._show_card(state)
        self._plan()
        self._show_stages()
        self._show_warnings()

    def _redraw(self) -> None:
        self._show_stages()
        self._log.show_log(self.model)
        self._show_warnings()
        self._stale = [*self._stale, *(plot for plot in self.plots if plot not in self._stale)]
        if not self._drawing.isActive():
            self._draw_next()

    def _draw_next(self) -> None:
        """Draw one plot and rest: keys and clicks get their turn between two of them."""
        self._stale = [plot for plot in self._stale if plot.isVisible()]
        if self._stale:
            self._stale.pop(0).show_model(self.model)
            self._drawing.start()

    def showEvent(self, event: object) -> None:
        """Draw what came while nobody looked."""
        super().showEvent(event)  # type: ignore[arg-type]
        self._redraw()

    def _show_stages(self) -> None:
        self._strip.show_stages(self.model.stages, self._controller.state.phase)

    def _show_warnings(self) -> None:
        """The first of them: they all are in the log."""
        texts = list(self.model.warnings)
        if texts == self._warned:
            return
        self._warned = texts
        shown = texts[:_MOST_WARNINGS]
        if len(texts) > len(shown):
            shown.append(self.tr("More warnings in the log: {}.").format(text.count(len(texts) - len(shown))))
        self._warnings.show_warnings(shown)

    def _words(self, state: RunState) -> str:
        """The state in words: what was asked, or what it did, or how it stands."""
        waiting = {
            "pause": self.tr("Pausing…"),
            "resume": self.tr("Going on…"),
            "stop": self.tr("Stopping…"),
            "stop_keep_best": self.tr("Stopping and keeping the best…"),
        }
        if state.wish:
            return waiting[state.wish]
        if state.said:
            return state.said
        if state.phase == "starting" and self._fetches():
            return self.tr("Fetching the teacher from the hub: its size and the net decide how long. Stop ends it.")
        if state.phase in ("starting", "queued"):
            return self.tr("Getting ready: reading the recipe, loading the libraries. This takes some seconds.")
        left = self.model.eta_seconds
        if state.phase == "running" and left is not None:
            return self.tr("running · {} left").format(text.roughly(left))
        return phase_name(state.phase)

    def _fetches(self) -> bool:
        """Whether the run begins with a download."""
        recipe = self._controller.recipe
        model = recipe.teacher.model if recipe is not None else "sample"
        return model != "sample" and not os.path.isabs(model) and not on_this_machine(model)

    def _show_buttons(self, state: RunState) -> None:
        buttons = (self._pause, self._resume, self._stop, self._keep)
        self._held = QApplication.focusWidget() in (buttons if not self._held else (*buttons, self))
        self._enable_buttons(state)
        if self._held:
            # Qt would hand the focus of a button that goes to the next one: Space after a pause must never be a stop.
            heirs = [button for button in (self._resume, self._pause) if not button.isHidden() and button.isEnabled()]
            (heirs[0] if heirs else self).setFocus()
            self._held = not heirs

    def _enable_buttons(self, state: RunState) -> None:
        asked = bool(state.wish)
        resumable: tuple[Phase, ...] = ("paused", "stopped", "failed", "lost")
        self._pause.setVisible(state.phase in ("starting", "queued", "running"))
        self._pause.setEnabled(state.phase in ("queued", "running") and not asked)
        self._resume.setVisible(state.phase in resumable)
        self._resume.setEnabled(state.phase in resumable and (not asked or state.phase == "paused"))
        for button in (self._stop, self._keep):
            button.setVisible(state.live)
            button.setEnabled(state.live and not state.wish.startswith("stop"))
        self._keep.setEnabled(self._keep.isEnabled() and state.phase in ("running", "paused"))
        self._results.setVisible(state.phase == "finished" or state.kept_best)

    def _show_card(self, state: RunState) -> None:
        """A card for what needs a word: it stays until the run goes on."""
        carded = (state.folder, state.phase, state.faults, state.kind)
        if carded == self._carded:
            return
        self._carded = carded
        failure = _failure_of(state)
        if failure is None:
            self._card.clear()
            return
        folder = RunFolder(state.folder) if state.folder is not None else None
        begun = state.phase == "lost" or (folder is not None and folder.original_recipe.exists())
        others = [f"{fault.problem} {fault.hint}" for fault in state.faults[1:]]
        self._card.show_failure(folder, failure, others, begun=begun)

    def _plan(self) -> None:
        """The stages that the recipe will have, once it is known."""
        recipe = self._controller.recipe
        if recipe == self._planned_for:
            return
        self._planned_for = recipe
        self._lookup.forget()
        self.model.set_planned(())
        if recipe is not None:
            self._lookup.ask(partial(_stages_of, recipe))

    # -- what the user does --------------------------------------------------------------------------------------

    def _go_on(self) -> None:
        if self._controller.state.live:
            self._controller.resume()
        else:
            self.resume_wanted.emit()

    def _stop_keep(self) -> None:
        self._controller.stop(keep_best=True)

    def _mend(self, key: str) -> None:
        """To the recipe: a run that has begun stays as it is, and a copy of its recipe is taken up."""
        folder = self._controller.state.folder
        if folder is not None and RunFolder(folder).original_recipe.exists():
            self.mending_wanted.emit(folder, key)
        else:
            self.go_to_setup.emit()

    def _on_enlarge(self) -> None:
        """One plot fills the page, or all are there again."""
        plot = self.sender()
        assert isinstance(plot, PlotPanel)
        alone = any(other is not plot and other.isVisible() for other in self.plots)
        for other in self.plots:
            other.setVisible(other is plot or not alone)
        plot.set_enlarged(alone)
        self._redraw()


def _failure_of(state: RunState) -> Failure | None:
    """What to tell of a run that failed, was cut off or waits by itself; None of any other."""
    first = state.faults[0] if state.faults else None
    if state.phase == "lost" and state.folder is not None:
        return cut_off(RunFolder(state.folder))
    if state.phase == "failed":
        if first is not None and state.kind is None:
            return failure_of_fault(first)
        return failure_told(state.kind, first.problem if first else None, first.hint if first else None)
    if state.phase == "paused" and first is not None and state.kind is not None:
        return told(state.kind, first.problem, first.hint)
    return None


def _stages_of(recipe: Recipe) -> list[str]:
    """The stages that a recipe will have; none where this machine can't tell: they show as they begin."""
    with contextlib.suppress(InputError):
        config = config_here(recipe.teacher.model, Path())
        if config is not None:
            return [stage.name for stage in recipe_sizes(config, recipe, recipe.targets.vocabulary_size).stages]
    return []
