"""The runs of this machine, and those that are checked held against each other: numbers, curves, fronts, the law."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from PySide6.QtCore import QEvent, Qt, QTimer, Signal
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import (
    QButtonGroup,
    QHBoxLayout,
    QPushButton,
    QStackedWidget,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from core.analysis.compare import Comparison, compare
from core.analysis.pareto import FrontGroup
from core.analysis.volume_law import VolumeLaw
from core.errors import Fault, InputError
from core.export.comparison_text import curve_words, front_words, legend, names, point_words
from core.run import RunFolder
from core.wording import clean
from gui.icons import icon
from gui.lookup import Lookup
from gui.pages.library.plots import Entry, PlotPages
from gui.pages.library.rows import outcome_rows, settings_rows
from gui.pages.library.run_list import RunList
from gui.pages.library.table import RunTable
from gui.plots.front import FrontPlot
from gui.plots.validation import ValidationPlot
from gui.plots.volume import VolumePlot
from gui.recent import RecentRuns
from gui.theme import SPACE, set_role
from gui.widgets.exporting import PageBar
from gui.widgets.label import Label
from gui.widgets.problem import ProblemCard

_LOOK_MILLISECONDS = 3000
_ASK_MILLISECONDS = 120
"""After a box is checked: several are often checked in a row."""
_MOST_RUNS = 200
_LIST_WIDTH = 336


class LibraryPage(QWidget):
    """Compares whatever finished runs are checked."""

    run_chosen = Signal(object)
    """A run's folder."""
    go_to_start = Signal()
    compared = Signal()
    """What is checked is shown."""

    def __init__(self, runs: Path, others: Sequence[str], parent: QWidget | None = None) -> None:
        """`runs`: where new runs go; `others`: folders of runs elsewhere."""
        super().__init__(parent)
        self.setObjectName("page-library")
        self.setAccessibleName(self.tr("Library"))
        self._runs, self.others = runs, tuple(others)
        self._recent = RecentRuns()
        self._comparison: Comparison | None = None
        self._alone = False
        """Whether a plot has the page for itself."""
        self._stale: set[PlotPages] = set()
        """Views that don't show the comparison yet: each is filled when it is seen."""
        self._looking = QTimer(self, interval=_LOOK_MILLISECONDS)
        self._looking.timeout.connect(self.look)
        self._asking = QTimer(self, singleShot=True, interval=_ASK_MILLISECONDS)
        self._asking.timeout.connect(self._ask)
        self._lookup = Lookup(self)
        self._lookup.found.connect(self._on_found)
        self._build()
        self.look()

    # -- the parts -----------------------------------------------------------------------------------------------

    def _build(self) -> None:
        page = QVBoxLayout(self)
        page.setContentsMargins(SPACE.l, SPACE.m, SPACE.l, SPACE.m)
        page.setSpacing(SPACE.s)
        title = Label(self.tr("Library"), self)
        set_role(title, "title")
        head = QHBoxLayout()
        head.addWidget(title, 1)
        self._actions = self._make_actions()
        head.addWidget(self._actions)
        page.addLayout(head)
        self._says = Label(parent=self)
        self._says.setWordWrap(True)
        set_role(self._says, "note")
        page.addWidget(self._says)
        self._way_on = QPushButton(self)
        self._way_on.setObjectName("button-library-way-on")
        self._way_on.clicked.connect(self._go_on)
        row = QHBoxLayout()
        row.addWidget(self._way_on)
        row.addStretch()
        page.addLayout(row)
        self._problem = ProblemCard(self)
        page.addWidget(self._problem)
        self._list = RunList(self)
        self._list.setFixedWidth(_LIST_WIDTH)
        self._list.checked_changed.connect(self._on_checked)
        self._list.opened.connect(self.run_chosen)
        self.setFocusProxy(self._list.tree)
        self._side = self._make_side()
        both = QHBoxLayout()
        both.setSpacing(SPACE.m)
        both.addWidget(self._list, 0, Qt.AlignmentFlag.AlignLeft)
        both.addWidget(self._side, 1)
        page.addLayout(both, 1)
        self._save_bar = PageBar(self)
        page.addWidget(self._save_bar)
        page.addStretch()

    def _make_side(self) -> QWidget:
        side = QWidget(self)
        self._table = RunTable(side)
        self._numbers = QWidget(side)
        self._legend = Label(parent=self._numbers)
        self._legend.setWordWrap(True)
        set_role(self._legend, "note")
        column = QVBoxLayout(self._numbers)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(SPACE.s)
        column.addWidget(self._table, 1)
        column.addWidget(self._legend)
        self._curves = PlotPages(lambda number, parent: ValidationPlot("plot-validation", parent), side)
        self._fronts = PlotPages(lambda number, parent: FrontPlot(f"plot-front-{number}", parent), side)
        self._laws = PlotPages(lambda number, parent: VolumePlot(f"plot-volume-{number}", parent), side)
        self._views = QStackedWidget(side)
        column = QVBoxLayout(side)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(SPACE.s)
        column.addLayout(self._make_choice(side))
        column.addWidget(self._views, 1)
        for plots in (self._curves, self._fronts, self._laws):
            plots.enlarged.connect(self._on_enlarged)
        return side

    def _make_choice(self, side: QWidget) -> QHBoxLayout:
        """Which view is seen."""
        row = QHBoxLayout()
        row.setSpacing(SPACE.xs)
        self._group = QButtonGroup(self)
        tips = (
            self.tr("What was set differently, and what came of it."),
            self.tr("Validation loss over the text that each learnt from."),
            self.tr("Which models no other one beats at both."),
            self.tr("How much text of the language the teachers had read, and what was lost."),
        )
        views = (
            (self._numbers, "numbers", self.tr("Side by side")),
            (self._curves, "curves", self.tr("Curves")),
            (self._fronts, "fronts", self.tr("Size and score")),
            (self._laws, "laws", self.tr("Drop and text read")),
        )
        for (view, name, title), tooltip in zip(views, tips, strict=True):
            button = QToolButton(side)
            button.setObjectName(f"button-view-{name}")
            button.setText(title)
            button.setAccessibleName(title)
            button.setToolTip(tooltip)
            button.setCheckable(True)
            set_role(button, "flat")
            self._group.addButton(button, self._views.addWidget(view))
            row.addWidget(button)
        self._group.button(0).setChecked(True)
        self._group.idClicked.connect(self._show_view)
        row.addStretch()
        return row

    def _make_actions(self) -> QWidget:
        """What can be done with what is shown."""
        actions = QWidget(self)
        row = QHBoxLayout(actions)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(SPACE.s)
        self._copied = Label(parent=actions)
        set_role(self._copied, "good")
        row.addWidget(self._copied)
        copy = QPushButton(self.tr("Copy the table"), actions)
        copy.setObjectName("button-copy-table")
        copy.setToolTip(self.tr("Copies the numbers, ready for a spreadsheet."))
        copy.clicked.connect(self._copy)
        save = QPushButton(icon("export"), self.tr("Save as a page…"), actions)
        save.setObjectName("button-save-page")
        save.setToolTip(self.tr("Writes all of this, plots too, as one page for a browser."))
        save.clicked.connect(self._save)
        for button in (copy, save):
            button.setAccessibleName(button.text())
            row.addWidget(button)
        return actions

    # -- what is asked of it -------------------------------------------------------------------------------------

    def look(self) -> None:
        """Read the runs' folders again."""
        runs = self._recent.look(self._runs, self.others, _MOST_RUNS)
        self._list.show_runs(runs)
        self._list.setVisible(bool(runs) and not self._alone)
        self._tell()

    def check(self, folders: Sequence[Path]) -> None:
        """Check these runs too, as far as they are listed and finished."""
        self._list.check(folders)

    def write_page(self, page: Path) -> None:
        """Write the comparison of what is checked as a page."""
        self._save_bar.write(self._list.checked, page)

    def end(self) -> None:
        """End what is under way: the window closes."""
        self._asking.stop()
        self._lookup.forget()
        self._save_bar.end()

    def showEvent(self, event: QEvent) -> None:
        """While it is seen, the page keeps looking."""
        self.look()
        self._looking.start()

    def hideEvent(self, event: QEvent) -> None:
        """Nobody looks, so it needn't either."""
        self._looking.stop()

    # -- what is shown -------------------------------------------------------------------------------------------

    def _tell(self) -> None:
        """What to do next, with the button that does it, as long as nothing is compared."""
        checked = bool(self._list.checked)
        if self._list.has_finished:
            words = self.tr("Check finished runs to hold them against each other.")
            way_on = self.tr("Compare all of them"), self.tr("Checks every run that has finished.")
        else:
            words = self.tr("No run has finished yet. The sample takes minutes; what it made can be compared here.")
            way_on = self.tr("Go to the start"), self.tr("Shows the page where every run begins.")
        self._says.setText(words)
        self._says.setVisible(not checked)
        self._way_on.setText(way_on[0])
        self._way_on.setAccessibleName(way_on[0])
        self._way_on.setToolTip(way_on[1])
        self._way_on.setVisible(not checked)
        for part in (self._side, self._actions):
            part.setVisible(checked and self._comparison is not None)

    def _on_checked(self) -> None:
        self._copied.clear()
        self._save_bar.clear()
        self._asking.start()
        self._tell()

    def _ask(self) -> None:
        checked = self._list.checked
        if checked:
            self._lookup.ask(partial(_compared, checked))
        else:
            self._lookup.forget()
            self._show(None)

    def _on_found(self, found: Comparison | InputError) -> None:
        if isinstance(found, InputError):
            self._show(None, found.faults)
        else:
            self._show(found)
        self.compared.emit()

    def _show(self, comparison: Comparison | None, faults: Sequence[Fault] = ()) -> None:
        self._comparison = comparison
        self._problem.show_faults(faults)
        if comparison is not None:
            rows = [*settings_rows(comparison), *outcome_rows(comparison)]
            self._table.show_rows(names(comparison.runs), rows)
            self._legend.setText(legend(comparison))
            self._stale = {self._curves, self._fronts, self._laws}
            self._fill_view()
        self._tell()

    def _show_view(self, number: int) -> None:
        self._views.setCurrentIndex(number)
        self._fill_view()

    def _fill_view(self) -> None:
        """Show the comparison in the view that is seen."""
        view = self._views.currentWidget()
        if self._comparison is None or view not in self._stale:
            return
        self._stale.discard(view)
        entries = {
            self._curves: self._curve_entries,
            self._fronts: self._front_entries,
            self._laws: self._law_entries,
        }[view]
        view.show_entries(entries(self._comparison))

    def _curve_entries(self, comparison: Comparison) -> list[Entry]:
        named = list(zip(names(comparison.runs), comparison.curves, strict=True))
        return [Entry("", lambda plot: plot.show_runs(named), [curve_words(comparison)])]

    def _front_entries(self, comparison: Comparison) -> list[Entry]:
        def entry(group: FrontGroup) -> Entry:
            return Entry(clean(group.language_name), lambda plot: plot.show_group(group), front_words(group))

        return list(map(entry, comparison.fronts)) or [
            Entry("", None, [self.tr("None of these runs was scored on a task.")])
        ]

    def _law_entries(self, comparison: Comparison) -> list[Entry]:
        def entry(law: VolumeLaw) -> Entry:
            return Entry(
                clean(law.source), lambda plot: plot.show_law(law), [*law.words, *map(point_words, law.points)]
            )

        left_out = [
            self.tr("{run} is left out: {why}").format(run=clean(left.name), why=left.why)
            for left in comparison.volumes.left_out
        ]
        return [*map(entry, comparison.volumes.laws), *([Entry("", None, left_out)] if left_out else [])]

    # -- what the user does --------------------------------------------------------------------------------------

    def _on_enlarged(self, on: bool) -> None:
        self._alone = on
        self._list.setVisible(not on)

    def _go_on(self) -> None:
        if self._list.has_finished:
            self._list.check_all()
        else:
            self.go_to_start.emit()

    def _copy(self) -> None:
        QGuiApplication.clipboard().setText(self._table.as_text())
        self._copied.setText(self.tr("Copied"))

    def _save(self) -> None:
        self._save_bar.choose(self._list.checked)


def _compared(folders: Sequence[Path]) -> Comparison | InputError:
    """The comparison of these runs, or why there is none."""
    try:
        return compare([RunFolder(folder) for folder in folders])
    except InputError as error:
        return error
