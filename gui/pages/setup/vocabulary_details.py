"""What a vocabulary of the chosen size keeps and breaks: a sentence, the worst words, an example."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from PySide6.QtCore import QT_TRANSLATE_NOOP, QCoreApplication, Qt
from PySide6.QtWidgets import QGridLayout, QVBoxLayout, QWidget

from gui.pages.setup.section import plain_label
from gui.text import count, number, percent
from gui.theme import SPACE, set_role
from gui.widgets.label import Label
from gui.widgets.pieces import PiecesText

_MOST_WORDS = 8
_REASONS = {
    "special": QT_TRANSLATE_NOOP("VocabularyDetails", "{} special"),
    "words": QT_TRANSLATE_NOOP("VocabularyDetails", "{} of your list"),
    "alphabet": QT_TRANSLATE_NOOP("VocabularyDetails", "{} alphabet"),
    "count": QT_TRANSLATE_NOOP("VocabularyDetails", "{} by frequency"),
    "merge": QT_TRANSLATE_NOOP("VocabularyDetails", "{} that others are built from"),
}
_RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter


def kept_words(found: Mapping[str, Any]) -> str:
    """What is kept and why, and what that does to the text, in a sentence."""
    translate = QCoreApplication.translate
    reasons = [
        translate("VocabularyDetails", words).format(count(found["kept"][reason]))
        for reason, words in _REASONS.items()
        if found["kept"].get(reason)
    ]
    fertility, unknown = found["fertility"], found["unknown"]
    new = unknown["after"] - unknown["before"]
    return "; ".join(
        [
            translate("VocabularyDetails", "{} tokens: {}").format(count(found["chosen"]["size"]), ", ".join(reasons)),
            translate("VocabularyDetails", "{} of the text's tokens").format(percent(found["chosen"]["coverage"])),
            translate("VocabularyDetails", "{} → {} tokens a word").format(
                number(fertility["before"], 2), number(fertility["after"], 2)
            ),
            translate("VocabularyDetails", "no new unknown tokens")
            if new <= 0
            else translate("VocabularyDetails", "{} new unknown tokens").format(count(new)),
        ]
    )


class BrokenWords(QWidget):
    """The words that break worst, a row each, with their pieces before and after."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setAccessibleName(self.tr("Words that break worst"))
        title = Label(self.tr("Words that break worst"), self)
        set_role(title, "strong")
        self.note = plain_label("note", self)
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setHorizontalSpacing(SPACE.m)
        self._grid.setVerticalSpacing(0)
        self._grid.addWidget(title, 0, 0, 1, 3)
        self._grid.addWidget(self.note, 1, 0, 1, 3)
        self._heads = [Label(text, self) for text in (self.tr("Before"), self.tr("After"), self.tr("Times"))]
        for column, head in enumerate(self._heads):
            set_role(head, "small")
            self._grid.addWidget(head, 2, column)
        self._heads[2].setAlignment(_RIGHT)
        self.rows = [self._add_row(row) for row in range(3, 3 + _MOST_WORDS)]
        self._grid.setRowStretch(3 + _MOST_WORDS, 1)
        self._grid.setColumnStretch(0, 2)
        self._grid.setColumnStretch(1, 3)

    def show_words(self, words: Sequence[Mapping[str, Any]], split: float, texts: int) -> None:
        """Show the first of these words; `split` is the share of running words of so many texts that break."""
        if words:
            said = self.tr("{} of the words in {} held-out texts take more tokens than before.")
            self.note.setText(said.format(percent(split), count(texts)))
        else:
            self.note.setText(
                self.tr("No word in {} held-out texts takes more tokens than before.").format(count(texts))
            )
        for head in self._heads:
            head.setVisible(bool(words))
        for index, (before, after, times) in enumerate(self.rows):
            there = index < len(words)
            for widget in (before, after, times):
                widget.setVisible(there)
            if there:
                word = words[index]
                before.show_pieces(word["word"], word["before"])
                after.show_pieces(word["word"], word["after"])
                times.setText(count(word["count"]))

    def _add_row(self, row: int) -> tuple[PiecesText, PiecesText, Label]:
        before, after, times = PiecesText(self), PiecesText(self), Label(parent=self)
        set_role(times, "note")
        times.setAlignment(_RIGHT)
        times.setToolTip(self.tr("How often the word occurs in the held-out texts."))
        for column, widget in enumerate((before, after, times)):
            self._grid.addWidget(widget, row, column)
        return before, after, times


class Example(QWidget):
    """A text in its pieces before, and after."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(SPACE.m)
        grid.setVerticalSpacing(SPACE.xs)
        self.before, self.after = PiecesText(self, wrapped=True), PiecesText(self, wrapped=True)
        self._counts = (Label(parent=self), Label(parent=self))
        for row, (label, pieces) in enumerate(zip(self._counts, (self.before, self.after), strict=True)):
            set_role(label, "small")
            column = QVBoxLayout()
            column.setContentsMargins(0, SPACE.xs, 0, 0)
            column.addWidget(label)
            column.addStretch()
            grid.addLayout(column, row, 0)
            grid.addWidget(pieces, row, 1, Qt.AlignmentFlag.AlignTop)
        grid.setColumnStretch(1, 1)

    def show_text(self, example: Mapping[str, Any] | None) -> None:
        """Show a text; None hides everything."""
        self.setVisible(example is not None)
        if example is None:
            return
        words = (self.tr("Before, {} tokens"), self.tr("After, {} tokens"))
        for side, said, label, pieces in zip(
            ("before", "after"), words, self._counts, (self.before, self.after), strict=True
        ):
            label.setText(said.format(count(len(example[side]))))
            pieces.show_pieces(example["text"], example[side])
