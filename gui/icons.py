"""The icons: line drawings of ours as SVG, tinted with the theme's text colour."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QByteArray, QRectF, QSize, Qt
from PySide6.QtGui import QIcon, QIconEngine, QImage, QPainter, QPalette, QPixmap
from PySide6.QtSvg import QSvgRenderer
from PySide6.QtWidgets import QApplication

import resources

_FOLDER = Path(resources.__file__).parent / "icons"
_INK = "#000000"


def icon(name: str, role: QPalette.ColorRole = QPalette.ColorRole.ButtonText) -> QIcon:
    """The icon of `resources/icons/NAME.svg`, always in the palette's colour of this role."""
    return QIcon(_Tinted((_FOLDER / f"{name}.svg").read_text(encoding="utf-8"), role))


class _Tinted(QIconEngine):
    """Draws an SVG in the colour that the palette has now, so that a change of theme needs no new icons."""

    def __init__(self, svg: str, role: QPalette.ColorRole) -> None:
        super().__init__()
        self._svg = svg
        self._role = role

    def paint(self, painter: QPainter, rect: object, mode: QIcon.Mode, state: QIcon.State) -> None:
        """Draw into a rectangle."""
        group = QPalette.ColorGroup.Disabled if mode == QIcon.Mode.Disabled else QPalette.ColorGroup.Active
        role = QPalette.ColorRole.HighlightedText if mode == QIcon.Mode.Selected else self._role
        color = QApplication.palette().color(group, role).name()
        renderer = QSvgRenderer(QByteArray(self._svg.replace(_INK, color).encode()))
        renderer.render(painter, QRectF(rect))  # type: ignore[call-overload]

    def pixmap(self, size: QSize, mode: QIcon.Mode, state: QIcon.State) -> QPixmap:
        """The icon on a transparent ground."""
        image = QImage(size, QImage.Format.Format_ARGB32_Premultiplied)
        image.fill(Qt.GlobalColor.transparent)
        painter = QPainter(image)
        self.paint(painter, image.rect(), mode, state)
        painter.end()
        return QPixmap.fromImage(image)

    def clone(self) -> QIconEngine:
        """A copy."""
        return _Tinted(self._svg, self._role)
