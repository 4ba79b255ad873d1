"""Exports a run's model: where to, how far, and what came of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from PySide6.QtCore import Qt, QUrl
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QFileDialog, QHBoxLayout, QLabel, QProgressBar, QPushButton, QVBoxLayout, QWidget

from gui.jobs import Job
from gui.theme import SPACE, set_role
from gui.widgets.problem import ProblemCard


class ExportBar(QWidget):
    """Hidden until something is exported."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._job: Job | None = None
        self._made: Path | None = None
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        self._busy = QWidget(self)
        row = QHBoxLayout(self._busy)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(SPACE.s)
        self._text = QLabel(self._busy)
        self._bar = QProgressBar(self._busy)
        self._bar.setAccessibleName(self.tr("Progress of the export"))
        cancel = QPushButton(self.tr("Cancel"), self._busy)
        cancel.setAccessibleName(self.tr("Cancel the export"))
        cancel.setToolTip(self.tr("Ends the export; nothing of it stays behind."))
        cancel.clicked.connect(self._cancel)
        row.addWidget(self._text)
        row.addWidget(self._bar, 1)
        row.addWidget(cancel)
        self._busy.hide()
        column.addWidget(self._busy)
        self._card = ProblemCard(self)
        column.addWidget(self._card)
        self._done = QWidget(self)
        self._done.setObjectName("export-done")
        row = QHBoxLayout(self._done)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(SPACE.s)
        self._where = QLabel(self._done)
        self._where.setTextFormat(Qt.TextFormat.PlainText)
        set_role(self._where, "good")
        look = QPushButton(self.tr("Open it"), self._done)
        look.setAccessibleName(self.tr("Open the exported folder"))
        look.setToolTip(self.tr("Shows the exported folder."))
        look.clicked.connect(self._look)
        row.addWidget(self._where)
        row.addWidget(look)
        row.addStretch()
        self._done.hide()
        column.addWidget(self._done)

    @property
    def exporting(self) -> bool:
        """Whether an export is going on."""
        return self._job is not None

    def choose(self, run: Path) -> None:
        """Ask where to, then export."""
        folder = QFileDialog.getExistingDirectory(
            self, self.tr("Export: choose a folder; the model gets a new one of its own in it"), str(Path.home())
        )
        if folder:
            self.export(run, _free_name(Path(folder) / run.name))

    def export(self, run: Path, out: Path) -> None:
        """Export a run's student to a new folder."""
        if self._job is not None:
            return
        self.clear()
        self._text.setText(self.tr("Copying and checking the model…"))
        self._bar.setRange(0, 0)
        self._busy.show()
        self._job = Job("export", {"run": str(run), "out": str(out)}, self)
        self._job.progress.connect(self._on_progress)
        self._job.done.connect(self._on_done)
        self._job.failed.connect(self._on_failed)
        self._job.start()

    def clear(self) -> None:
        """Forget the last export; one that is going on goes on."""
        self._card.show_faults([])
        self._done.hide()

    def end(self) -> None:
        """End an export that is going on, before the window goes; nothing of it stays behind."""
        if self._job is not None:
            self._job.end()
            self._finish()

    def _on_progress(self, done: int, total: int) -> None:
        self._bar.setRange(0, 1000)
        self._bar.setValue(1000 * done // max(1, total))

    def _on_done(self, found: dict[str, Any]) -> None:
        self._finish()
        self._made = Path(found["folder"])
        self._where.setText(self.tr("Exported and checked: {folder}").format(folder=self._made))
        self._done.show()

    def _on_failed(self, faults: object) -> None:
        self._finish()
        self._card.show_faults(faults)  # type: ignore[arg-type]

    def _cancel(self) -> None:
        if self._job is not None:
            self._job.cancel()
            self._finish()

    def _finish(self) -> None:
        self._job = None
        self._busy.hide()

    def _look(self) -> None:
        if self._made is not None:
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(self._made)))


def _free_name(path: Path) -> Path:
    """The path, numbered where it is taken."""
    numbered = (path if number == 1 else path.with_name(f"{path.name}-{number}") for number in range(1, 10_000))
    return next(candidate for candidate in numbered if not candidate.exists())
