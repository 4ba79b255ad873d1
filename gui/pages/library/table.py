"""The table of runs side by side: a column a run; its headings stay in sight, and all of it can be copied."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt
from PySide6.QtGui import QFont
from PySide6.QtWidgets import QHeaderView, QTableWidgetItem, QWidget

from core.spreadsheet import cell
from gui.pages.library.rows import Row
from gui.text import plain_tip
from gui.widgets.score_table import NumberTable

_WIDEST = 240
"""Pixels of a column; the whole of a longer cell is its tooltip."""


class RunTable(NumberTable):
    """Scrolls in both directions where there are many runs."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("table-runs")
        self.setAccessibleName(self.tr("Runs side by side"))
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAsNeeded)
        self.setHorizontalScrollMode(NumberTable.ScrollMode.ScrollPerPixel)
        self.verticalHeader().show()
        self.verticalHeader().setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        self.verticalHeader().setHighlightSections(False)
        head = self.horizontalHeader()
        head.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        head.setMaximumSectionSize(_WIDEST)
        head.setHighlightSections(False)

    def show_rows(self, names: Sequence[str], rows: Sequence[Row]) -> None:
        """Show runs of these names."""
        self.setColumnCount(len(names))
        self.setRowCount(len(rows))
        for column, name in enumerate(names):
            self.setHorizontalHeaderItem(column, _item(name, Qt.AlignmentFlag.AlignRight))
        for number, row in enumerate(rows):
            self.setVerticalHeaderItem(number, _title(row))
            for column in range(len(names)):
                words = row.cells[column] if row.cells else ""
                self.setItem(number, column, _item(words, Qt.AlignmentFlag.AlignRight))

    def as_text(self) -> str:
        """The table as tab-separated lines."""
        columns = range(self.columnCount())
        lines = ["\t".join(["", *(cell(self.horizontalHeaderItem(column).text()) for column in columns)])]
        for row in range(self.rowCount()):
            cells = [self.verticalHeaderItem(row).text(), *(self.item(row, column).text() for column in columns)]
            lines.append("\t".join(map(cell, cells)))
        return "\n".join(lines)


def _item(words: str, side: Qt.AlignmentFlag) -> QTableWidgetItem:
    item = QTableWidgetItem(words)
    item.setTextAlignment(side | Qt.AlignmentFlag.AlignVCenter)
    item.setToolTip(plain_tip(words) if words else "")
    return item


def _title(row: Row) -> QTableWidgetItem:
    item = _item(row.title, Qt.AlignmentFlag.AlignLeft)
    item.setToolTip(plain_tip(row.whole) if row.whole else "")
    if not row.cells:
        font = QFont()
        font.setBold(True)
        item.setFont(font)
    return item
