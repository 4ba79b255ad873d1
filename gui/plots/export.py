"""What a plot shows, as a picture or as a table."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from PySide6.QtCore import QRect, QRectF
from PySide6.QtGui import QImage, QPainter
from PySide6.QtSvg import QSvgGenerator

from core.spreadsheet import cell
from gui.plots.canvas import Canvas
from gui.plots.curve import Drawing

_SHARPNESS = 2
"""Pixels of a saved picture for one on the screen."""


def save_png(canvas: Canvas, path: Path) -> None:
    """Save what the canvas shows, twice as sharp.

    Raises:
        OSError: it can't be written there.
    """
    image = QImage(canvas.size() * _SHARPNESS, QImage.Format.Format_RGB32)
    painter = QPainter(image)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    canvas.without_cross_hair(lambda: canvas.render(painter, QRectF(image.rect()), canvas.rect()))
    painter.end()
    if not image.save(str(path), "PNG"):
        raise OSError(f"{path} can't be written.")


def save_svg(canvas: Canvas, path: Path, title: str) -> None:
    """Save what the canvas shows as a drawing.

    Raises:
        OSError: it can't be written there.
    """
    generator = QSvgGenerator()
    generator.setFileName(str(path))
    generator.setTitle(title)
    generator.setSize(canvas.size())
    generator.setViewBox(QRect(canvas.rect()))
    path.write_bytes(b"")  # tells why it can't be written; the generator doesn't
    painter = QPainter(generator)
    canvas.without_cross_hair(lambda: canvas.render(painter, QRectF(canvas.rect()), canvas.rect()))
    painter.end()


def save_csv(drawing: Drawing, path: Path) -> None:
    """Save the values of every curve as a table: curve, x, value.

    Raises:
        OSError: it can't be written there.
    """
    path.write_text(table(drawing), encoding="utf-8", newline="")


def table(drawing: Drawing) -> str:
    """The values of every curve as CSV; a place with a name has it in the column "place"."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(["curve", "x", "place", "value"])
    for curve in drawing.curves:
        if curve.told:
            for x, at, value in zip(curve.x, curve.places, curve.values, strict=True):
                shown = f"{at:g}" if at % 1 else int(at)
                writer.writerow([cell(curve.name), shown, cell(_place(drawing, x)), float(value)])
    return out.getvalue()


def _place(drawing: Drawing, x: float) -> str:
    named = next((text for at, text in drawing.ticks or () if at == x), None)
    if named is not None:
        return named
    return next((span.text for span in drawing.spans if span.start < x <= span.end or span.start == x), "")
