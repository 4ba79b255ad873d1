"""What a job makes of runs, an exported model or a page: where to, how far, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from PySide6.QtCore import QUrl
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import (
    QFileDialog,
    QHBoxLayout,
    QProgressBar,
    QPushButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from gui.jobs import Job
from gui.theme import SPACE, set_role
from gui.widgets.elided import ElidedLabel
from gui.widgets.label import Label
from gui.widgets.problem import ProblemCard


class MakingBar(QWidget):
    """Runs a job that makes a file or folder: how far it is, and then where it is. Hidden until something is made."""

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
        self._text = Label(parent=self._busy)
        self._bar = QProgressBar(self._busy)
        self._bar.setAccessibleName(self.tr("Progress"))
        cancel = QPushButton(self.tr("Cancel"), self._busy)
        cancel.setAccessibleName(self.tr("Cancel it"))
        cancel.setToolTip(self.tr("Ends it; nothing of it stays behind."))
        cancel.clicked.connect(self._cancel)
        row.addWidget(self._text)
        row.addWidget(self._bar, 1)
        row.addWidget(cancel)
        self._busy.hide()
        column.addWidget(self._busy)
        self._card = ProblemCard(self)
        column.addWidget(self._card)
        self._done = QWidget(self)
        row = QHBoxLayout(self._done)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(SPACE.s)
        self._where = ElidedLabel(parent=self._done)
        self._where.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Preferred)
        set_role(self._where, "good")
        look = QPushButton(self.tr("Open it"), self._done)
        look.setAccessibleName(look.text())
        look.setToolTip(self.tr("Shows it with whatever opens such a thing on this machine."))
        look.clicked.connect(self._look)
        row.addWidget(self._where)
        row.addWidget(look)
        row.addStretch()
        self._done.hide()
        column.addWidget(self._done)

    @property
    def making(self) -> bool:
        """Whether a job is going on."""
        return self._job is not None

    def clear(self) -> None:
        """Forget what was made; what is being made goes on."""
        self._card.show_faults([])
        self._done.hide()

    def end(self) -> None:
        """End a job that is going on, before the window goes; nothing of it stays behind."""
        if self._job is not None:
            self._job.end()
            self._finish()

    def _start(self, name: str, arguments: Mapping[str, Any], words: str) -> None:
        """Have a job done, if none is."""
        if self._job is not None:
            return
        self.clear()
        self._text.setText(words)
        self._bar.setRange(0, 0)
        self._busy.show()
        self._job = Job(name, arguments, self)
        self._job.progress.connect(self._on_progress)
        self._job.done.connect(self._on_done)
        self._job.failed.connect(self._on_failed)
        self._job.start()

    def _made_words(self, found: dict[str, Any]) -> tuple[Path, str]:
        """Where the thing is that a job made, and that in words."""
        raise NotImplementedError

    def _on_progress(self, done: int, total: int) -> None:
        self._bar.setRange(0, 1000)
        self._bar.setValue(1000 * done // max(1, total))

    def _on_done(self, found: dict[str, Any]) -> None:
        self._finish()
        self._made, words = self._made_words(found)
        self._where.setText(words)
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


class ExportBar(MakingBar):
    """Exports a run's model to a new folder."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._done.setObjectName("export-done")

    def choose(self, run: Path) -> None:
        """Ask where to, then export."""
        folder = QFileDialog.getExistingDirectory(
            self, self.tr("Export: choose a folder; the model gets a new one of its own in it"), str(Path.home())
        )
        if folder:
            self.export(run, free_name(Path(folder) / run.name))

    def export(self, run: Path, out: Path) -> None:
        """Export a run's student to a new folder."""
        self._start("export", {"run": str(run), "out": str(out)}, self.tr("Copying and checking the model…"))

    def _made_words(self, found: dict[str, Any]) -> tuple[Path, str]:
        folder = Path(found["folder"])
        return folder, self.tr("Exported and checked: {folder}").format(folder=folder)


class PageBar(MakingBar):
    """Writes the page that sets runs side by side."""

    def choose(self, runs: Sequence[Path]) -> None:
        """Ask where to, then write."""
        proposed = str(Path.home() / "comparison.html")
        path, _ = QFileDialog.getSaveFileName(
            self, self.tr("Save the comparison as a page"), proposed, self.tr("Pages") + " (*.html)"
        )
        if path:
            self.write(runs, Path(path))

    def write(self, runs: Sequence[Path], page: Path) -> None:
        """Write the page; one that is there already is replaced."""
        asked = {"runs": [str(run) for run in runs], "out": str(page)}
        self._start("comparison", asked, self.tr("Writing the page…"))

    def _made_words(self, found: dict[str, Any]) -> tuple[Path, str]:
        page = Path(found["page"])
        return page, self.tr("Written: {page}").format(page=page)


def free_name(path: Path) -> Path:
    """The path, numbered where it is taken."""
    numbered = (path if number == 1 else path.with_name(f"{path.name}-{number}") for number in range(1, 10_000))
    return next(candidate for candidate in numbered if not candidate.exists())
