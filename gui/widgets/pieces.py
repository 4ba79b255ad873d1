"""A text whose pieces (tokens) can be seen: every second one stands on another ground."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QPointF, QSize, Qt
from PySide6.QtGui import QBrush, QColor, QPainter, QPaintEvent, QTextCharFormat, QTextLayout, QTextOption
from PySide6.QtWidgets import QSizePolicy, QWidget

from gui.text import plain_tip, reads_to_left
from gui.theme import SPACE, theme

_BETWEEN_LINES = SPACE.xs
_WIDEST = 1 << 16


def lay_out(text: str, pieces: Sequence[str]) -> tuple[str, list[tuple[int, int]]]:
    """The text with its pieces' places in it: start and length.

    A piece that isn't the text's next one, such as a dot for a part of a character, is put in where it comes.
    """
    shown, spans, done = "", [], 0
    for piece in pieces:
        at = text.find(piece, done)
        if at >= 0 and not text[done:at].strip():
            shown += text[done:at]
            done = at + len(piece)
        spans.append((len(shown), len(piece)))
        shown += piece
    return shown, spans


class PiecesText(QWidget):
    """Never reads a text as rich text; its letters join as they would in one piece, in any script."""

    def __init__(self, parent: QWidget | None = None, *, wrapped: bool = False) -> None:
        """`wrapped`: several lines, else one."""
        super().__init__(parent)
        self.pieces: tuple[str, ...] = ()
        """What is shown as a piece each."""
        self._wrapped = wrapped
        self._spans: list[tuple[int, int]] = []
        self._layout = QTextLayout()
        policy = QSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        policy.setHeightForWidth(wrapped)
        self.setSizePolicy(policy)
        theme().changed.connect(self._take_font)

    @property
    def text(self) -> str:
        """What is shown."""
        return self._layout.text()

    def show_pieces(self, text: str, pieces: Sequence[str]) -> None:
        """Show a text in these pieces."""
        self.pieces = tuple(pieces)
        shown, spans = lay_out(text, pieces)
        # Qt counts in UTF-16: a letter beyond its first plane is two.
        places = [0]
        for letter in shown:
            places.append(places[-1] + (2 if ord(letter) > 0xFFFF else 1))
        self._spans = [(places[start], places[start + length] - places[start]) for start, length in spans]
        self._layout.setText(shown)
        option = QTextOption()
        option.setTextDirection(
            Qt.LayoutDirection.RightToLeft if reads_to_left(shown) else Qt.LayoutDirection.LeftToRight
        )
        wrap = QTextOption.WrapMode.WrapAtWordBoundaryOrAnywhere if self._wrapped else QTextOption.WrapMode.NoWrap
        option.setWrapMode(wrap)
        if not self._wrapped:  # in a column: at its left, whatever the script
            option.setAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignAbsolute)
        self._layout.setTextOption(option)
        spoken = " · ".join(pieces)
        self.setAccessibleName(spoken)
        self.setToolTip(plain_tip(spoken))
        self._take_font()

    def hasHeightForWidth(self) -> bool:
        """Whether its lines depend on its width."""
        return self._wrapped

    def heightForWidth(self, width: int) -> int:
        """What its lines need."""
        return self._set_lines(width)

    def sizeHint(self) -> QSize:
        """One line, as long as it is."""
        height = self._set_lines(self.width() if self._wrapped else _WIDEST)
        return QSize(min(400, int(self._layout.maximumWidth()) + 1), height)

    def minimumSizeHint(self) -> QSize:
        """It can be as narrow as need be."""
        return QSize(40, self.sizeHint().height())

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint the text over its pieces' grounds."""
        self._set_lines(self.width() if self._wrapped else _WIDEST)
        painter = QPainter(self)
        painter.setPen(self.palette().color(self.foregroundRole()))
        self._layout.draw(painter, QPointF(0, 0), self._grounds())

    def _grounds(self) -> list[QTextLayout.FormatRange]:
        """As selections: other formats would be shaped one by one, and joined letters would come apart."""
        colors = theme().colors
        found = []
        for index, (start, length) in enumerate(self._spans):
            ground = QColor(colors.accent if index % 2 else colors.grey)
            ground.setAlphaF((0.3 if index % 2 else 0.18) * (1 if self.isEnabled() else 0.5))
            piece = QTextLayout.FormatRange()
            piece.start, piece.length = start, length
            look = QTextCharFormat()
            look.setBackground(QBrush(ground))
            piece.format = look
            found.append(piece)
        return found

    def _set_lines(self, width: int) -> int:
        """Break the text into lines; returns their height."""
        self._layout.beginLayout()
        height = 0.0
        while (line := self._layout.createLine()).isValid():
            line.setLineWidth(max(1, width))
            line.setPosition(QPointF(0, height + _BETWEEN_LINES / 2))
            height += line.height() + _BETWEEN_LINES
        self._layout.endLayout()
        return round(height)

    def _take_font(self) -> None:
        self._layout.setFont(self.font())
        self.updateGeometry()
        self.update()
