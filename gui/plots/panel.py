"""A plot with what belongs to it: title, buttons, legend and the values at the cross-hair."""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from pathlib import Path

from PySide6.QtCore import QStandardPaths, Qt, Signal
from PySide6.QtGui import QAction
from PySide6.QtWidgets import (
    QFileDialog,
    QFrame,
    QHBoxLayout,
    QLabel,
    QMenu,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from gui.icons import icon
from gui.plots.axes import NumberAxis, SecondAxis
from gui.plots.canvas import Canvas
from gui.plots.curve import Curve, Drawing
from gui.plots.export import save_csv, save_png, save_svg
from gui.plots.legend import Legend
from gui.text import count
from gui.theme import SPACE, set_role, theme
from gui.widgets.label import Label


class PlotPanel(QFrame):
    """A plot in a card. Its canvas bears the object name that was given; `show_drawing` gives it something to show."""

    enlarge_asked = Signal()
    """The plot wants to fill the page, or to go back."""

    def __init__(
        self,
        name: str,
        title: str,
        description: str,
        x_axis: NumberAxis,
        y_axis: NumberAxis,
        parent: QWidget | None = None,
        *,
        place: Callable[[float], str],
        value: Callable[[float], str],
        log_y: bool = False,
        second: SecondAxis | None = None,
    ) -> None:
        """Make it.

        Args:
            name: object name of the canvas.
            title: short words above the plot.
            description: one sentence: what the plot shows.
            x_axis, y_axis: the axes.
            parent: Qt's.
            place, value: a place on the x axis and a value of a curve in words, for the cross-hair.
            log_y: whether a logarithmic y axis makes sense.
            second: the axis on the right, which shows where a drawing has curves of its own.
        """
        super().__init__(parent)
        set_role(self, "card")
        self._title, self._place, self._value = title, place, value
        self.canvas = Canvas(x_axis, y_axis, self, second)
        self.canvas.setObjectName(name)
        self.canvas.setAccessibleName(title)
        self.canvas.setAccessibleDescription(description)
        self.canvas.setMinimumSize(220, 150)
        self.canvas.setToolTip("")
        self.legend = Legend(self)
        self._values = _Values(self.canvas)
        self._problem = Label(parent=self)
        self._problem.setWordWrap(True)
        set_role(self._problem, "bad")
        self._problem.hide()
        self._empty = Label(self.tr("Nothing to show yet."), self.canvas)
        set_role(self._empty, "note")
        self._empty.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._empty.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)

        heading = Label(title, self)
        set_role(heading, "strong")
        heading.setToolTip(description)
        self._log = self._button("", self.tr("Logarithmic scale: small losses show as clearly as large ones (L)."))
        self._log.setText(self.tr("log"))
        self._log.setCheckable(True)
        self._log.setVisible(log_y)
        self._reset = self._button("search", self.tr("Show everything again (0, or a double click)."))
        self._reset.setEnabled(False)
        self._save = self._button("export", self.tr("Save the plot as a picture or its values as a table."))
        self._save.setMenu(self._save_menu())
        self._save.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self._enlarge = self._button("expand", "")
        self.set_enlarged(False)
        head = QHBoxLayout()
        head.setSpacing(SPACE.xs)
        head.addWidget(heading)
        head.addStretch()
        for button in (self._log, self._reset, self._save, self._enlarge):
            head.addWidget(button)
        rows = QVBoxLayout(self)
        rows.setContentsMargins(SPACE.s, SPACE.xs, SPACE.s, SPACE.xs)
        rows.setSpacing(SPACE.xs)
        rows.addLayout(head)
        rows.addWidget(self._problem)
        rows.addWidget(self.canvas, 1)
        rows.addWidget(self.legend)

        self._log.toggled.connect(self.canvas.set_log_y)
        self._reset.clicked.connect(self.canvas.reset_zoom)
        self._enlarge.clicked.connect(self.enlarge_asked)
        self.canvas.zoomed.connect(self._reset.setEnabled)
        self.canvas.log_asked.connect(self._toggle_log)
        self.canvas.enlarge_asked.connect(self.enlarge_asked)
        self.canvas.pointed.connect(self._tell_values)
        self.legend.hidden_changed.connect(self.canvas.hide_groups)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)

    def show_drawing(self, drawing: Drawing) -> None:
        """Show this."""
        self.legend.set_keys(drawing.keys)
        self.canvas.draw(drawing)
        self._empty.setVisible(not any(len(curve.x) for curve in drawing.curves))

    def set_enlarged(self, on: bool) -> None:
        """Say what the button does next: fill the page, or go back."""
        text = self.tr("Back to all plots (F).") if on else self.tr("Fill the page with this plot (F).")
        self._enlarge.setIcon(icon("collapse" if on else "expand"))
        self._enlarge.setToolTip(text)
        self._enlarge.setAccessibleName(text)

    def save_image(self, path: Path) -> None:
        """Save the plot as .svg or .png, by the path's ending; anything else becomes a PNG.

        Raises:
            OSError: it can't be written there.
        """
        if path.suffix.lower() == ".svg":
            save_svg(self.canvas, path, self._title)
        else:
            save_png(self.canvas, path)

    def save_table(self, path: Path) -> None:
        """Save the curves' values as CSV.

        Raises:
            OSError: it can't be written there.
        """
        save_csv(self.canvas.drawing, path)

    def resizeEvent(self, event: object) -> None:
        """Keep the empty plot's word in its middle."""
        super().resizeEvent(event)  # type: ignore[arg-type]
        self._empty.setGeometry(self.canvas.rect())

    def _button(self, name: str, tooltip: str) -> QToolButton:
        button = QToolButton(self)
        if name:
            button.setIcon(icon(name))
        button.setToolTip(tooltip)
        button.setAccessibleName(tooltip)
        set_role(button, "flat")
        return button

    def _save_menu(self) -> QMenu:
        menu = QMenu(self)
        for text, ask in (
            (self.tr("Picture (PNG)…"), self._ask_png),
            (self.tr("Drawing (SVG)…"), self._ask_svg),
            (self.tr("Table of the values (CSV)…"), self._ask_csv),
        ):
            action = QAction(text, menu)
            action.triggered.connect(ask)
            menu.addAction(action)
        return menu

    def _ask_png(self) -> None:
        self._save_as("png", self.tr("Picture (*.png)"), self.save_image)

    def _ask_svg(self) -> None:
        self._save_as("svg", self.tr("Drawing (*.svg)"), self.save_image)

    def _ask_csv(self) -> None:
        self._save_as("csv", self.tr("Table (*.csv)"), self.save_table)

    def _save_as(self, ending: str, kind: str, save: Callable[[Path], None]) -> None:
        folder = QStandardPaths.writableLocation(QStandardPaths.StandardLocation.DocumentsLocation)
        suggested = str(Path(folder) / f"{self.canvas.objectName().removeprefix('plot-')}.{ending}")
        dialog = QFileDialog(self, self.tr("Save the plot"), filter=kind)
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        dialog.setDefaultSuffix(ending)  # the dialog's: it asks before a file is replaced
        dialog.selectFile(suggested)
        chosen = dialog.selectedFiles() if dialog.exec() else []
        dialog.deleteLater()
        if not chosen:
            return
        try:
            save(Path(chosen[0]))
        except OSError as error:
            self._problem.setText(self.tr("The plot was not saved: {}").format(error.strerror or error))
            self._problem.show()
        else:
            self._problem.hide()

    def _toggle_log(self) -> None:
        if not self._log.isHidden():
            self._log.toggle()

    def _tell_values(self, x: float | None) -> None:
        curves = [] if x is None else [curve for curve in self.canvas.visible_curves if curve.told]
        if x is None or not curves:
            self._values.hide()
            return
        (left, right), _ = self.canvas.getViewBox().viewRange()
        lines = []
        for curve in curves:
            at = curve.nearest(x, (right - left) * 0.02)
            if at is not None:
                value = self._value(float(curve.values[at]))
                far = curve.line and curve.symbol is not None and abs(curve.x[at] - x) >= 1
                # Measured only now and then: say where.
                lines.append((curve, self.tr("{} at {}").format(value, count(round(curve.x[at]))) if far else value))
        self._values.tell(self._place(x), lines, on_left=x > (left + right) / 2)


class _Values(QLabel):
    """The values of the curves at the cross-hair, over the half of the plot where it isn't."""

    def __init__(self, canvas: Canvas) -> None:
        super().__init__(canvas)
        self._canvas = canvas
        self.setTextFormat(Qt.TextFormat.RichText)
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.setMargin(SPACE.xs)
        self.setAutoFillBackground(True)
        self.setFrameShape(QFrame.Shape.Box)
        self.hide()

    def tell(self, place: str, lines: list[tuple[Curve, str]], *, on_left: bool) -> None:
        """Show the place and each curve's value."""
        colors = theme().colors
        rows = "".join(
            f'<tr><td style="color:{getattr(colors, curve.color)}">■</td><td>{escape(curve.name)}&nbsp;</td>'
            f'<td align="right">{escape(value)}</td></tr>'
            for curve, value in lines
        )
        self.setText(f"<b>{escape(place)}</b><table>{rows}</table>")
        self.setAccessibleName("; ".join([place, *(f"{curve.name} {value}" for curve, value in lines)]))
        self.adjustSize()
        plot = self._canvas.getViewBox().sceneBoundingRect()
        left = plot.left() + SPACE.s if on_left else plot.right() - self.width() - SPACE.s
        self.move(round(max(0.0, left)), round(plot.top()) + 18)
        self.show()
