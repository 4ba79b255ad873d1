"""The log of a run: its last line, and all of them unfolded."""

from __future__ import annotations

from itertools import islice

from PySide6.QtCore import QCoreApplication, Qt
from PySide6.QtWidgets import QHBoxLayout, QPlainTextEdit, QToolButton, QVBoxLayout, QWidget

from gui import text
from gui.icons import icon
from gui.run_model import LOG_LENGTH, LogLine, RunModel
from gui.theme import SPACE, set_role
from gui.widgets.elided import ElidedLabel

_HEIGHT = 150


class LogPanel(QWidget):
    """Folded until it is wanted."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._generation = 0
        self._told = 0
        self._button = QToolButton(self)
        self._button.setObjectName("button-log")
        self._button.setCheckable(True)
        self._button.setShortcut("Ctrl+L")
        self._button.setText(self.tr("Log"))
        self._button.setAccessibleName(self.tr("Log"))
        self._button.setToolTip(self.tr("Everything that the run has said (Ctrl+L)."))
        self._button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        set_role(self._button, "flat")
        self._button.toggled.connect(self._fold)
        self._last = ElidedLabel(parent=self)
        set_role(self._last, "note")
        self._lines = QPlainTextEdit(self)
        self._lines.setObjectName("log-lines")
        self._lines.setAccessibleName(self.tr("Log"))
        self._lines.setReadOnly(True)
        self._lines.setMaximumBlockCount(LOG_LENGTH)
        self._lines.setFixedHeight(_HEIGHT)
        head = QHBoxLayout()
        head.setSpacing(SPACE.s)
        head.addWidget(self._button)
        head.addWidget(self._last, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(SPACE.xs)
        column.addLayout(head)
        column.addWidget(self._lines)
        self._fold(False)

    def show_log(self, model: RunModel) -> None:
        """Show what the model's log holds."""
        if model.generation != self._generation:
            self._generation = model.generation
            self._lines.clear()
            self._told = 0
        new = min(model.log_total - self._told, len(model.log))
        if new:
            lines = islice(model.log, len(model.log) - new, None)
            self._lines.appendPlainText("\n".join(map(_line, lines)))
            self._told = model.log_total
        self._last.setText(model.log[-1].text if model.log else "")

    def _fold(self, shown: bool) -> None:
        self._button.setIcon(icon("more" if shown else "less"))
        self._lines.setVisible(shown)


def _line(line: LogLine) -> str:
    # A level that only another version knows is as good as none.
    level = {
        "warning": QCoreApplication.translate("LogPanel", "warning: "),
        "error": QCoreApplication.translate("LogPanel", "error: "),
    }.get(line.level, "")
    return f"{text.duration(line.t):>12}  {level}{line.text}"
