"""What came out of a run: teacher against student, and the way out of the run's folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from PySide6.QtCore import QUrl, Signal
from PySide6.QtGui import QDesktopServices, QPalette
from PySide6.QtWidgets import QFrame, QHBoxLayout, QPushButton, QScrollArea, QVBoxLayout, QWidget

from core.errors import Fault, InputError
from core.run import RunFolder
from core.wording import clean
from gui import text
from gui.controller import RunController, RunState
from gui.icons import icon
from gui.theme import SPACE, set_role
from gui.widgets.exporting import ExportBar
from gui.widgets.failures import FailurePanel
from gui.widgets.label import Label
from gui.widgets.problem import ProblemCard
from gui.widgets.score_table import ScoreTable, SpeedTable, StageTable


class ResultsPage(QWidget):
    """Shows the controller's run, once it has something to show."""

    go_to_run = Signal()
    go_to_start = Signal()

    def __init__(self, controller: RunController, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("page-results")
        self.setAccessibleName(self.tr("Results"))
        self._controller = controller
        self._folder: Path | None = None
        self._shown: tuple[Path | None, str, bool] | None = None

        page = QVBoxLayout(self)
        page.setContentsMargins(SPACE.xl, SPACE.l, SPACE.xl, SPACE.l)
        page.setSpacing(SPACE.m)
        self._title = _label("title")
        self._sentence = _label("note")
        page.addWidget(self._title)
        page.addWidget(self._sentence)
        page.addWidget(self._nothing())
        self._content = self._tables()
        page.addWidget(self._content, 1)
        self._actions = self._buttons()
        page.addWidget(self._actions)
        self._problem = ProblemCard(self)
        page.addWidget(self._problem)
        self._export = ExportBar(self)
        page.addWidget(self._export)
        page.addStretch()
        controller.state_changed.connect(self._on_state)
        self._on_state(controller.state)

    def export_to(self, out: Path) -> None:
        """Export the shown run's model to a new folder."""
        if self._folder is not None:
            self._export.export(self._folder, out)

    @property
    def exporting(self) -> bool:
        """Whether an export is going on."""
        return self._export.making

    def end(self) -> None:
        """End what is going on here: the window closes."""
        self._export.end()

    def _nothing(self) -> QWidget:
        """What stands here while there are no results."""
        self._empty = QWidget(self)
        row = QHBoxLayout(self._empty)
        row.setContentsMargins(0, 0, 0, 0)
        self._way_on = QPushButton(self._empty)
        self._way_on.clicked.connect(self._go_on)
        row.addWidget(self._way_on)
        row.addStretch()
        return self._empty

    def _tables(self) -> QWidget:
        inside = QWidget()
        inside.setProperty("role", "page")
        column = QVBoxLayout(inside)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(SPACE.m)
        self._doubts = ProblemCard(inside)
        self._doubts.setObjectName("card-doubts")
        column.addWidget(self._doubts)
        self._numbers = QHBoxLayout()
        self._numbers.setSpacing(SPACE.m)
        column.addLayout(self._numbers)
        self._scores = ScoreTable(inside)
        self._scores.setObjectName("table-scores")
        column.addWidget(self._scores)
        self._failures = FailurePanel(inside)
        column.addWidget(self._failures)
        self._speed_heading = _label("heading")
        self._speed_heading.setText(self.tr("Speed and memory here"))
        column.addWidget(self._speed_heading)
        self._speed = SpeedTable(inside)
        self._speed.setObjectName("table-speed")
        column.addWidget(self._speed)
        heading = _label("heading")
        heading.setText(self.tr("Stage by stage"))
        column.addWidget(heading)
        self._stages = StageTable(inside)
        column.addWidget(self._stages)
        column.addStretch()
        area = QScrollArea(self)
        area.setWidgetResizable(True)
        area.setFrameShape(QFrame.Shape.NoFrame)
        area.setWidget(inside)
        return area

    def _buttons(self) -> QWidget:
        actions = QWidget(self)
        row = QHBoxLayout(actions)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(SPACE.s)
        drawing = icon("export", QPalette.ColorRole.HighlightedText)
        export = self._export_button = QPushButton(drawing, self.tr("Export…"), actions)
        export.setObjectName("button-export")
        export.setShortcut("Ctrl+E")
        export.setToolTip(self.tr("Copies the model to a folder that transformers can load, and checks it."))
        set_role(export, "primary")
        export.clicked.connect(self._start_export)
        self.setFocusProxy(export)
        self._report = QPushButton(icon("file"), self.tr("Open the report"), actions)
        self._report.setToolTip(self.tr("One page with every number and plot and how it was made."))
        self._report.clicked.connect(self._open_report)
        folder = QPushButton(icon("folder"), self.tr("Open the folder"), actions)
        folder.setToolTip(self.tr("Everything that the run left on disk."))
        folder.clicked.connect(self._open_folder)
        for button in (export, self._report, folder):
            button.setAccessibleName(button.text())
            row.addWidget(button)
        row.addStretch()
        return actions

    def _on_state(self, state: RunState) -> None:
        shown = (state.folder, state.phase if not state.live else "live", state.kept_best)
        if shown == self._shown:
            return
        self._shown = shown
        if state.folder != self._folder:
            self._export.clear()
        self._folder = state.folder
        finished = state.folder is not None and state.phase == "finished"
        shown = finished and self._show_results(RunFolder(state.folder))
        if not shown:
            self._show_nothing(state)
        self._empty.setVisible(not shown)
        self._content.setVisible(shown)
        self._actions.setVisible(finished or state.kept_best)
        self._export_button.setVisible(shown or state.kept_best)
        self._report.setVisible(shown)

    def _show_results(self, folder: RunFolder) -> bool:
        """Show results.json; False: it is broken, or another version's."""
        try:
            self._show(folder.read_results(), folder)
        except (InputError, LookupError, TypeError, ValueError, AttributeError, ArithmeticError):
            return False
        return True

    def _show(self, results: dict[str, Any], folder: RunFolder) -> None:
        teacher, student = results["teacher"], results["student"]
        recipe = self._controller.recipe
        self._title.setText(recipe.name if recipe is not None else "")
        sentence = self.tr("{small} parameters instead of {large}: {percent} smaller.").format(
            small=text.parameters(student["parameters"]),
            large=text.parameters(teacher["parameters"]),
            percent=text.percent(student["compression"]),
        )
        if recipe is not None and recipe.teacher.model == "sample":
            sentence += " " + self.tr("This is the built-in sample: it shows that everything works, not how well.")
        self._sentence.setText(sentence)
        self._doubts.show_warnings([clean(doubt) for doubt in results.get("warnings") or ()])
        self._fill_numbers(results)
        self._scores.fill(results)
        self._failures.show_run(results["tasks"], folder.read_details)
        self._fill_speed(results)
        self._stages.fill(results)

    def _fill_numbers(self, results: dict[str, Any]) -> None:
        while self._numbers.count():
            item = self._numbers.takeAt(0)
            if item.widget() is not None:
                item.widget().deleteLater()
        teacher, student = results["teacher"], results["student"]
        of = self.tr("of {}")
        cards = (
            (text.parameters, "parameters", self.tr("parameters")),
            (text.megabytes, "megabytes", self.tr("on disk")),
            (_guessed, "mlm_accuracy", self.tr("hidden words guessed")),
        )
        self._numbers.addWidget(_number_card(text.percent(student["compression"]), self.tr("smaller")))
        for words, key, caption in cards:
            self._numbers.addWidget(_number_card(words(student[key]), f"{caption}, {of.format(words(teacher[key]))}"))
        self._numbers.addStretch()

    def _fill_speed(self, results: dict[str, Any]) -> None:
        """Runs of older versions, and those of a few steps, have none."""
        inference = results.get("throughput", {}).get("inference")
        self._speed_heading.setVisible(bool(inference))
        self._speed.setVisible(bool(inference))
        if inference:
            self._speed.fill(inference)

    def _show_nothing(self, state: RunState) -> None:
        recipe = self._controller.recipe
        self._title.setText(recipe.name if recipe is not None and state.kept_best else self.tr("Results"))
        if state.kept_best:
            self._sentence.setText(
                self.tr("The run was stopped; its best model so far is kept, without scores. Resume the run for them.")
            )
        elif state.live:
            self._sentence.setText(self.tr("The run is still going on; its results appear here when it ends."))
        elif state.phase == "finished":
            self._sentence.setText(
                self.tr(
                    "The run has finished, but its results.json can't be read by this version. It is in the folder."
                )
            )
        else:
            self._sentence.setText(self.tr("A finished run shows here what it made and what that cost."))
        if state.folder is not None:
            title, tooltip = self.tr("Watch the run"), self.tr("Shows the page of this run.")
        else:
            title, tooltip = self.tr("Start one, or open one"), self.tr("Shows the page where every run begins.")
        self._way_on.setText(title)
        self._way_on.setAccessibleName(title)
        self._way_on.setToolTip(tooltip)

    def _go_on(self) -> None:
        (self.go_to_run if self._controller.state.folder is not None else self.go_to_start).emit()

    def _start_export(self) -> None:
        if self._folder is not None:
            self._export.choose(self._folder)

    def _open_report(self) -> None:
        if self._folder is not None:
            self._open(RunFolder(self._folder).report)

    def _open_folder(self) -> None:
        if self._folder is not None:
            self._open(self._folder)

    def _open(self, path: Path) -> None:
        opened = QDesktopServices.openUrl(QUrl.fromLocalFile(str(path)))
        problem = self.tr("Nothing on this machine opens {}.").format(path)
        hint = self.tr("Open it by hand, in a browser or a file manager.")
        self._problem.show_faults([] if opened else [Fault(problem, hint)])


def _guessed(accuracy: float | None) -> str:
    return f"{text.number(accuracy)} %"


def _label(role: str) -> Label:
    label = Label()
    label.setWordWrap(role == "note")
    set_role(label, role)
    return label


def _number_card(value: str, caption: str) -> QFrame:
    card = QFrame()
    set_role(card, "card")
    card.setAccessibleName(f"{value} {caption}")
    column = QVBoxLayout(card)
    column.setContentsMargins(SPACE.l, SPACE.s, SPACE.l, SPACE.s)
    column.setSpacing(0)
    for words, role in ((value, "number"), (caption, "note")):
        label = _label(role)
        label.setWordWrap(False)
        label.setText(words)
        column.addWidget(label)
    return card
