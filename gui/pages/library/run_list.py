"""The list of the library: every run of this machine, those that have finished with a box to check."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import QEvent, QObject, Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QHeaderView, QPushButton, QTreeWidget, QTreeWidgetItem, QVBoxLayout, QWidget

from gui.recent import RecentRun
from gui.text import parameters, plain_tip
from gui.theme import SPACE
from gui.widgets.phases import phase_icon, phase_name

_FOLDER = Qt.ItemDataRole.UserRole


class RunList(QWidget):
    """Says which runs are checked; what was checked stays so while runs come and go."""

    checked_changed = Signal()
    opened = Signal(object)
    """A run's folder."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._shown: list[RecentRun] = []
        self._checked: set[Path] = set()
        self.tree = self._make_tree()
        self._all = QPushButton(self)
        self._all.setObjectName("button-check-all")
        self._all.clicked.connect(self.check_all)
        self._open = QPushButton(self.tr("Open the run"), self)
        self._open.setObjectName("button-open-checked")
        self._open.setAccessibleName(self._open.text())
        self._open.setToolTip(self.tr("Shows the chosen run by itself: what came out of it, or how it goes."))
        self._open.clicked.connect(self._open_chosen)
        buttons = QHBoxLayout()
        buttons.setSpacing(SPACE.s)
        buttons.addWidget(self._all)
        buttons.addWidget(self._open)
        buttons.addStretch()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(SPACE.s)
        column.addWidget(self.tree, 1)
        column.addLayout(buttons)
        self._name_all()

    @property
    def checked(self) -> tuple[Path, ...]:
        """The folders of the runs that are checked, in the list's order."""
        return tuple(run.folder for run in self._shown if run.folder in self._checked)

    @property
    def has_finished(self) -> bool:
        """Whether there is a run that can be checked."""
        return bool(self._finished)

    def show_runs(self, runs: Sequence[RecentRun]) -> None:
        """Show these."""
        if list(runs) == self._shown:
            return
        before, self._shown = self.checked, list(runs)
        self._checked &= {run.folder for run in self._finished}
        self._fill()
        self._name_all()
        if self.checked != before:
            self.checked_changed.emit()

    def check(self, folders: Sequence[Path]) -> None:
        """Check these runs too, as far as they can be."""
        self._set_checked(self._checked | {run.folder for run in self._finished if run.folder in folders})

    def check_all(self) -> None:
        """Check every run that has finished; where all of them are, none."""
        finished = {run.folder for run in self._finished}
        self._set_checked(set() if self._checked == finished else finished)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Enter opens the chosen run, on every platform; Space checks it."""
        if event.type() == QEvent.Type.KeyPress and event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self._open_chosen()
            return True
        return False

    def _make_tree(self) -> QTreeWidget:
        tree = QTreeWidget(self)
        tree.setObjectName("list-library")
        tree.setAccessibleName(self.tr("Runs to compare"))
        tree.setToolTip(self.tr("Check what is to be compared; a double click opens a run."))
        tree.setHeaderLabels([self.tr("Run"), self.tr("Language"), self.tr("Size")])
        tree.headerItem().setTextAlignment(2, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        tree.setRootIsDecorated(False)
        tree.setAllColumnsShowFocus(True)
        tree.setUniformRowHeights(True)
        header = tree.header()
        header.setStretchLastSection(False)
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        tree.itemChanged.connect(self._on_changed)
        tree.itemDoubleClicked.connect(self._open_chosen)
        tree.installEventFilter(self)
        return tree

    def _fill(self) -> None:
        current = self.tree.currentItem()
        chosen = current.data(0, _FOLDER) if current is not None else None
        self.tree.blockSignals(True)
        self.tree.clear()
        for run in self._shown:
            item = QTreeWidgetItem(self.tree, [run.name, _language(run), _size(run)])
            item.setData(0, _FOLDER, str(run.folder))
            item.setTextAlignment(2, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
            item.setToolTip(0, plain_tip(f"{run.name} ({run.folder})"))
            item.setToolTip(1, plain_tip(run.language) if run.language else "")
            if _can_be_checked(run):
                item.setCheckState(0, _state(run.folder in self._checked))
            else:
                item.setIcon(2, phase_icon(run.phase))
            if str(run.folder) == chosen or self.tree.currentItem() is None:
                self.tree.setCurrentItem(item)
        self.tree.blockSignals(False)
        self._open.setEnabled(bool(self._shown))

    @property
    def _finished(self) -> list[RecentRun]:
        return list(filter(_can_be_checked, self._shown))

    def _set_checked(self, folders: set[Path]) -> None:
        self._checked = folders
        self.tree.blockSignals(True)
        for row, run in enumerate(self._shown):
            if _can_be_checked(run):
                self.tree.topLevelItem(row).setCheckState(0, _state(run.folder in folders))
        self.tree.blockSignals(False)
        self._name_all()
        self.checked_changed.emit()

    def _on_changed(self, item: QTreeWidgetItem) -> None:
        folder = Path(item.data(0, _FOLDER))
        if (item.checkState(0) == Qt.CheckState.Checked) != (folder in self._checked):
            self._checked ^= {folder}
            self._name_all()
            self.checked_changed.emit()

    def _name_all(self) -> None:
        """What the button does next."""
        finished = {run.folder for run in self._finished}
        text = self.tr("Check none") if finished and self._checked == finished else self.tr("Check all")
        self._all.setText(text)
        self._all.setAccessibleName(text)
        self._all.setToolTip(self.tr("Checks every run that has finished, or none of them."))
        self._all.setEnabled(bool(finished))

    def _open_chosen(self) -> None:
        item = self.tree.currentItem()
        if item is not None:
            self.opened.emit(Path(item.data(0, _FOLDER)))


def _can_be_checked(run: RecentRun) -> bool:
    """Whether it has results that can be read."""
    return run.phase == "finished" and run.after is not None


def _state(checked: bool) -> Qt.CheckState:
    return Qt.CheckState.Checked if checked else Qt.CheckState.Unchecked


def _language(run: RecentRun) -> str:
    """Its name in short: "Swahili" for "Swahili (individual language)"."""
    return run.language.partition(" (")[0]


def _size(run: RecentRun) -> str:
    return parameters(run.after) if _can_be_checked(run) else phase_name(run.phase)
