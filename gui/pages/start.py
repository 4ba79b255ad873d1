"""The first page: the sample in one click, a new compression, a recipe, and the runs that are there."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import QDateTime, QEvent, QLocale, QObject, Qt, QTimer, Signal
from PySide6.QtGui import QKeySequence, QPalette
from PySide6.QtWidgets import (
    QFileDialog,
    QHBoxLayout,
    QHeaderView,
    QPushButton,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from gui import text
from gui.icons import icon
from gui.recent import RecentRun, RecentRuns
from gui.theme import SPACE, set_role
from gui.widgets.label import Label
from gui.widgets.phases import phase_icon, phase_name

_LOOK_MILLISECONDS = 1500
_FOLDER = Qt.ItemDataRole.UserRole


class StartPage(QWidget):
    """Where everybody begins."""

    sample_wanted = Signal()
    new_wanted = Signal()
    recipe_chosen = Signal(object)
    """A recipe's path."""
    run_chosen = Signal(object)
    """A run's folder."""

    def __init__(self, runs: Path, others: Sequence[str], parent: QWidget | None = None) -> None:
        """`runs`: where new runs go; `others`: folders of runs elsewhere."""
        super().__init__(parent)
        self.setObjectName("page-start")
        self.setAccessibleName(self.tr("Start"))
        self._runs, self.others = runs, tuple(others)
        self._recent = RecentRuns()
        self._shown: list[RecentRun] | None = None
        self._timer = QTimer(self, interval=_LOOK_MILLISECONDS)
        self._timer.timeout.connect(self.look)

        page = QVBoxLayout(self)
        page.setContentsMargins(SPACE.xl, SPACE.xl, SPACE.xl, SPACE.l)
        page.setSpacing(SPACE.m)
        title = Label(self.tr("A small model of your language"), self)
        set_role(title, "title")
        page.addWidget(title)
        about = Label(
            self.tr(
                "Monoglot makes a small, fast model of one language out of a large multilingual one. "
                "Everything stays on this machine."
            ),
            self,
        )
        about.setWordWrap(True)
        set_role(about, "note")
        page.addWidget(about)
        page.addLayout(self._actions())
        page.addSpacing(SPACE.m)
        heading = Label(self.tr("Runs"), self)
        set_role(heading, "heading")
        page.addWidget(heading)
        self._empty = Label(
            self.tr(
                "No run yet. The sample takes about three minutes and shows everything; its numbers are a sample's."
            ),
            self,
        )
        self._empty.setWordWrap(True)
        set_role(self._empty, "note")
        page.addWidget(self._empty)
        self._list = self._table()
        page.addWidget(self._list, 1)
        page.addLayout(self._below())
        page.addStretch()
        self.look()

    def look(self) -> None:
        """Read the runs' folders again."""
        found = self._recent.look(self._runs, self.others)
        if found == self._shown:
            return
        if [run.folder for run in found] != [run.folder for run in self._shown or ()]:
            self._fill(found)
        self._shown = found
        for row, run in enumerate(found):
            item = self._list.topLevelItem(row)
            for column, words in enumerate(_columns(run)):
                item.setText(column, words)
            item.setIcon(2, phase_icon(run.phase))
        self._empty.setVisible(not found)
        self._list.setVisible(bool(found))
        self._open.setVisible(bool(found))

    def _fill(self, found: Sequence[RecentRun]) -> None:
        """New rows, one a run; the chosen one stays chosen."""
        current = self._list.currentItem()
        chosen = current.data(0, _FOLDER) if current is not None else None
        self._list.clear()
        for run in found:
            item = QTreeWidgetItem(self._list)
            item.setData(0, _FOLDER, str(run.folder))
            item.setToolTip(0, text.plain_tip(str(run.folder)))
            if str(run.folder) == chosen:
                self._list.setCurrentItem(item)
        if self._list.currentItem() is None and found:
            self._list.setCurrentItem(self._list.topLevelItem(0))

    def showEvent(self, event: QEvent) -> None:
        """While it is seen, the page keeps looking."""
        self.look()
        self._timer.start()

    def hideEvent(self, event: QEvent) -> None:
        """Nobody looks, so it needn't either."""
        self._timer.stop()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Enter opens the chosen run, on every platform."""
        if event.type() == QEvent.Type.KeyPress and event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self._open_chosen()
            return True
        return False

    def _actions(self) -> QHBoxLayout:
        sample = QPushButton(
            icon("play", QPalette.ColorRole.HighlightedText), self.tr("Try the sample (3 minutes)"), self
        )
        sample.setObjectName("button-sample")
        set_role(sample, "primary")
        sample.setToolTip(self.tr("Compresses a small teacher that comes with Monoglot; works without the internet."))
        sample.clicked.connect(self.sample_wanted)
        self.setFocusProxy(sample)
        new = QPushButton(icon("plus"), self.tr("New compression"), self)
        new.setObjectName("button-new")
        new.setToolTip(self.tr("Choose a teacher, a language, texts and how small the model is to be."))
        new.clicked.connect(self.new_wanted)
        recipe = QPushButton(icon("file"), self.tr("Open a recipe…"), self)
        recipe.setObjectName("button-open-recipe")
        recipe.setToolTip(self.tr("A recipe is a file that holds a whole set-up."))
        recipe.setShortcut(QKeySequence(QKeySequence.StandardKey.Open))
        recipe.clicked.connect(self._choose_recipe)
        return _row(sample, new, recipe)

    def _table(self) -> QTreeWidget:
        table = QTreeWidget(self)
        table.setObjectName("list-runs")
        table.setAccessibleName(self.tr("Runs on this machine"))
        table.setHeaderLabels(
            [self.tr("Name"), self.tr("Language"), self.tr("State"), self.tr("Result"), self.tr("Last change")]
        )
        table.setRootIsDecorated(False)
        table.setAllColumnsShowFocus(True)
        table.setUniformRowHeights(True)
        header = table.header()
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        header.setMinimumSectionSize(90)
        table.itemDoubleClicked.connect(self._open_chosen)
        table.installEventFilter(self)
        return table

    def _below(self) -> QHBoxLayout:
        self._open = QPushButton(self.tr("Open the run"), self)
        self._open.setObjectName("button-open-run")
        self._open.setToolTip(self.tr("Shows the chosen run: as it goes, or what came out of it."))
        self._open.clicked.connect(self._open_chosen)
        other = QPushButton(icon("folder"), self.tr("Open a run's folder…"), self)
        other.setToolTip(self.tr("For runs that lie elsewhere, such as those started from a terminal."))
        other.clicked.connect(self._choose_run)
        return _row(self._open, other)

    def _open_chosen(self) -> None:
        item = self._list.currentItem()
        if item is not None:
            self.run_chosen.emit(Path(item.data(0, _FOLDER)))

    def _choose_recipe(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self, self.tr("Open a recipe"), "", self.tr("Recipes (*.toml)"))
        if path:
            self.recipe_chosen.emit(Path(path))

    def _choose_run(self) -> None:
        path = QFileDialog.getExistingDirectory(self, self.tr("Open a run's folder"), str(self._runs))
        if path:
            self.run_chosen.emit(Path(path))


def _columns(run: RecentRun) -> list[str]:
    result = ""
    if run.before and run.after:
        change = text.percent(run.after / run.before - 1).replace("-", "−")
        result = f"{text.parameters(run.before)} → {text.parameters(run.after)} ({change})"
    state = phase_name(run.phase)
    if run.phase not in ("finished", "none") and run.stage:
        state += f" · {text.stage_name(run.stage)}"
    when = QDateTime.fromSecsSinceEpoch(int(run.changed))
    changed = QLocale().toString(when, QLocale.FormatType.ShortFormat)
    return [run.name, run.language, state, result, changed]


def _row(*widgets: QWidget) -> QHBoxLayout:
    row = QHBoxLayout()
    row.setSpacing(SPACE.s)
    for widget in widgets:
        row.addWidget(widget)
    row.addStretch()
    return row
