"""Two bars on one scale: how many parameters teacher and student have, by part of the model."""

from __future__ import annotations

from collections.abc import Mapping

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFont, QFontMetrics, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from gui.text import parameters, part_name
from gui.theme import SIZE, SPACE, theme

_BAR = 16
_SWATCH = 10


class SizeBar(QWidget):
    """Empty until it is given sizes; every number that it paints is in its accessible description too."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._teacher: Mapping[str, int] = {}
        self._student: Mapping[str, int] = {}
        self.setAccessibleName(self.tr("Parameters by part, before and after"))
        self.setToolTip(self.tr("Parameters by part of the model: above the teacher's, below the student's."))
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        theme().changed.connect(self.update)

    def show_sizes(self, teacher: Mapping[str, int], student: Mapping[str, int]) -> None:
        """Parameters by part; none empties the bars."""
        self._teacher, self._student = teacher, student
        self.setAccessibleDescription("; ".join(self.words()))
        self.update()

    def words(self) -> list[str]:
        """What the bars say, a text a part: "words 192.4 M → 12.5 M"."""
        return [
            f"{part_name(part)} {parameters(before)} → {parameters(self._student.get(part, 0))}"
            for part, before in self._teacher.items()
        ]

    def sizeHint(self) -> QSize:
        """Two bars and a line of text."""
        line = QFontMetrics(self._small()).height()
        return QSize(400, 2 * _BAR + 2 * SPACE.xs + line + SPACE.xs)

    def minimumSizeHint(self) -> QSize:
        """As high as it wants to be."""
        return QSize(200, self.sizeHint().height())

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint both bars and what the colours mean."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setFont(self._small())
        colors = theme().colors
        names = (self.tr("teacher"), self.tr("student"))
        room = max(painter.fontMetrics().horizontalAdvance(name) for name in names) + SPACE.s
        width = self.width() - room
        total = sum(self._teacher.values())
        for row, (name, parts) in enumerate(zip(names, (self._teacher, self._student), strict=True)):
            top = row * (_BAR + SPACE.xs)
            painter.setPen(QColor(colors.grey))
            painter.drawText(QRectF(0, top, room, _BAR), Qt.AlignmentFlag.AlignVCenter, name)
            painter.fillRect(QRectF(room, top, width, _BAR), QColor(colors.rule))
            left = float(room)
            for part, number in parts.items():
                length = width * number / total if total else 0.0
                painter.fillRect(QRectF(left, top, length, _BAR), QColor(getattr(colors, part)))
                left += length
        self._paint_legend(painter, 2 * (_BAR + SPACE.xs) + SPACE.xs, room)

    def _paint_legend(self, painter: QPainter, top: int, left: float) -> None:
        colors = theme().colors
        metrics = painter.fontMetrics()
        for part, words in zip(self._teacher, self.words(), strict=True):
            swatch = QRectF(left, top + (metrics.height() - _SWATCH) / 2, _SWATCH, _SWATCH)
            painter.fillRect(swatch, QColor(getattr(colors, part)))
            painter.setPen(QPen(QColor(colors.edge), 1))
            painter.drawRect(swatch)
            painter.setPen(QColor(colors.text))
            left += _SWATCH + SPACE.xs
            painter.drawText(QRectF(left, top, self.width() - left, metrics.height()), 0, words)
            left += metrics.horizontalAdvance(words) + SPACE.l

    def _small(self) -> QFont:
        font = QFont(self.font())
        font.setPixelSize(SIZE.small)
        return font
