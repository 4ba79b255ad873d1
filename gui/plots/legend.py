"""A plot's legend: a button for each group of curves, with its look as a swatch; off hides them."""

from __future__ import annotations

from collections.abc import Sequence

from pyqtgraph.graphicsItems.ScatterPlotItem import drawSymbol
from PySide6.QtCore import QPointF, QSize, Qt, Signal
from PySide6.QtGui import QBrush, QColor, QIcon, QPainter, QPen, QPixmap
from PySide6.QtWidgets import QToolButton, QWidget

from gui.plots.curve import Key
from gui.text import plain_tip
from gui.theme import SIZE, theme
from gui.widgets.flow import FlowLayout

_SWATCH = QSize(22, 12)


class Legend(QWidget):
    """Says which groups are hidden; what was hidden stays so when entries come and go."""

    hidden_changed = Signal(object)
    """A frozenset of the groups that are hidden."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._keys: Sequence[Key] = ()
        self._buttons: dict[str, QToolButton] = {}
        self._hidden: frozenset[str] = frozenset()
        self._row = FlowLayout(self)
        theme().changed.connect(self._recolor)

    @property
    def buttons(self) -> dict[str, QToolButton]:
        """Group → its button."""
        return self._buttons

    def set_keys(self, keys: Sequence[Key]) -> None:
        """Have these entries."""
        if list(keys) == list(self._keys):
            return
        self._keys = tuple(keys)
        self._row.clear()
        self._buttons = {}
        for key in keys:
            button = QToolButton(self)
            button.setText(key.text.replace("&", "&&"))  # a single one would mark a shortcut
            button.setIconSize(_SWATCH)
            button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
            button.setCheckable(True)
            button.setChecked(key.group not in self._hidden)
            button.setToolTip(plain_tip(self.tr("Show or hide: {}.").format(key.text)))
            button.setAccessibleName(self.tr("Show {}").format(key.text))
            button.toggled.connect(self._tell)
            self._row.addWidget(button)
            self._buttons[key.group] = button
        self._recolor()

    def _tell(self) -> None:
        self._recolor()
        off = frozenset(group for group, button in self._buttons.items() if not button.isChecked())
        # What isn't there now may come again: it keeps its state.
        self._hidden = (self._hidden - self._buttons.keys()) | off
        self.hidden_changed.emit(self._hidden)

    def _recolor(self) -> None:
        colors = theme().colors
        self.setStyleSheet(
            # On is the ordinary state here: it must not look pressed.
            f"QToolButton, QToolButton:checked {{ border: 1px solid transparent; background: transparent;"
            f" padding: 3px 4px; font-size: {SIZE.small}px; }}"
            f"QToolButton:hover {{ border-color: {colors.edge}; border-radius: {SIZE.radius}px; }}"
            f"QToolButton:focus {{ border: 2px solid {colors.accent}; border-radius: {SIZE.radius}px; }}"
        )
        for key in self._keys:
            button = self._buttons[key.group]
            button.setIcon(_swatch(key, shown=button.isChecked()))
            font = button.font()
            font.setStrikeOut(not button.isChecked())  # not by colour alone
            button.setFont(font)


def _swatch(key: Key, *, shown: bool) -> QIcon:
    pixels = QPixmap(_SWATCH * 2)
    pixels.setDevicePixelRatio(2)
    pixels.fill(Qt.GlobalColor.transparent)
    color = QColor(getattr(theme().colors, key.color if shown else "grey"))
    painter = QPainter(pixels)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    middle = _SWATCH.height() / 2
    if key.line:
        painter.setPen(QPen(color, 2, Qt.PenStyle.DashLine if key.dashed else Qt.PenStyle.SolidLine))
        painter.drawLine(QPointF(1, middle), QPointF(_SWATCH.width() - 1, middle))
    if key.symbol is not None:
        painter.translate(_SWATCH.width() / 2, middle)
        drawSymbol(painter, key.symbol, 9, QPen(Qt.PenStyle.NoPen), QBrush(color))
    painter.end()
    return QIcon(pixels)
