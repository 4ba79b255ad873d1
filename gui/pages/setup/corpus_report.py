"""What a run makes of the text: what it keeps, what it leaves out and why, and which lines to look at."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from PySide6.QtCore import QT_TRANSLATE_NOOP, QCoreApplication, Qt
from PySide6.QtWidgets import QHeaderView, QToolButton, QTreeWidget, QTreeWidgetItem, QVBoxLayout, QWidget

from gui.icons import icon
from gui.pages.setup.section import plain_label
from gui.text import count, percent, plain_tip
from gui.theme import SPACE, set_role

_REASONS = {
    "empty": QT_TRANSLATE_NOOP("CorpusReport", "{} empty"),
    "repeated": QT_TRANSLATE_NOOP("CorpusReport", "{} repeated"),
    "short": QT_TRANSLATE_NOOP("CorpusReport", "{} too short"),
    "other_script": QT_TRANSLATE_NOOP("CorpusReport", "{} in another script"),
}
_MOST_SCRIPTS = 4
_LIST_HEIGHT = 150


class CorpusReport(QWidget):
    """Shows what the job "corpus" found; nothing where it found nothing to tell."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._found: Mapping[str, Any] | None = None
        self.kept = plain_label("note", self)
        self.fold = QToolButton(self)
        self.fold.setObjectName("button-complaints")
        self.fold.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        set_role(self.fold, "flat")
        self.fold.clicked.connect(self._on_fold)
        self.list = QTreeWidget(self)
        self.list.setObjectName("list-complaints")
        self.list.setAccessibleName(self.tr("Texts to look at"))
        self.list.setToolTip(self.tr("Single texts that a run leaves out or that are likely not meant to be so."))
        self.list.setRootIsDecorated(False)
        self.list.setHeaderLabels([self.tr("File"), self.tr("Line"), self.tr("What is odd")])
        header = self.list.header()
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setStretchLastSection(True)
        self.list.setFixedHeight(_LIST_HEIGHT)
        self.list.hide()
        rows = QVBoxLayout(self)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.setSpacing(SPACE.xs)
        rows.addWidget(self.kept)
        rows.addWidget(self.fold, 0, Qt.AlignmentFlag.AlignLeft)
        rows.addWidget(self.list)
        self.show_found({})

    def show_found(self, found: Mapping[str, Any]) -> None:
        """Show what was found; what it doesn't hold isn't shown."""
        if found == self._found:
            return
        self._found = found
        words = kept_words(found)
        self.kept.setText(words)
        self.kept.setVisible(bool(words))
        complaints = found.get("complaints", ())
        self.list.clear()
        for complaint in complaints:
            line = count(complaint["line"]) if complaint["line"] else ""
            item = QTreeWidgetItem([Path(complaint["file"]).name, line, complaint["problem"]])
            item.setTextAlignment(1, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
            item.setToolTip(0, plain_tip(complaint["file"]))
            item.setToolTip(2, plain_tip(complaint["problem"]))
            self.list.addTopLevelItem(item)
        number = found.get("complaint_count", len(complaints))
        if number > len(complaints):
            self.list.addTopLevelItem(
                QTreeWidgetItem(["", "", self.tr("… and {} more").format(count(number - len(complaints)))])
            )
        self.fold.setText(
            self.tr("1 text to look at") if number == 1 else self.tr("{} texts to look at").format(count(number))
        )
        self.fold.setVisible(bool(complaints))
        self._unfold(bool(complaints) and not self.list.isHidden())
        self.setVisible(bool(words or complaints))

    def _on_fold(self) -> None:
        self._unfold(self.list.isHidden())

    def _unfold(self, shown: bool) -> None:
        self.list.setVisible(shown)
        self.fold.setIcon(icon("more" if shown else "less"))
        self.fold.setToolTip(self.tr("Hide the list.") if shown else self.tr("Show them with file and line."))


def kept_words(found: Mapping[str, Any]) -> str:
    """How many texts a run takes, what it leaves out and why, and what the letters are; empty: it isn't known."""
    translate = QCoreApplication.translate
    if "kept" not in found or not found.get("files"):
        return ""
    dropped = found.get("dropped", {})
    reasons = [
        translate("CorpusReport", words).format(count(dropped[reason]))
        for reason, words in _REASONS.items()
        if dropped.get(reason)
    ]
    words = translate("CorpusReport", "A run keeps {} texts.").format(count(found["kept"]))
    if reasons:
        words = translate("CorpusReport", "A run keeps {} texts and leaves out {}.").format(
            count(found["kept"]), ", ".join(reasons)
        )
    scripts = list(found.get("scripts", {}).items())[:_MOST_SCRIPTS]
    shares = [f"{name} {percent(share)}" for name, share in scripts if share >= 0.0005]
    return words + (" " + translate("CorpusReport", "Letters: {}.").format(", ".join(shares)) if shares else "")
