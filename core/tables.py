"""Tables in plain text."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

from core.wording import clean


def text_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table with aligned columns: the first to the left, the others, which hold numbers, to the right."""
    cells = [[clean(cell) for cell in row] for row in (head, *rows)]
    widths = [max(_width(row[column]) for row in cells) for column in range(len(head))]
    lines = []
    for row in cells:
        padding = [" " * (width - _width(cell)) for cell, width in zip(row, widths, strict=True)]
        rest = (space + cell for space, cell in zip(padding[1:], row[1:], strict=True))
        lines.append("  ".join([row[0] + padding[0], *rest]).rstrip())
    rule = "  ".join("-" * width for width in widths)
    return "\n".join([lines[0], rule, *lines[1:]])


def _width(text: str) -> int:
    """Cells that a terminal takes: two for wide letters, none for marks that sit on others."""
    wide = sum(unicodedata.east_asian_width(letter) in "WF" for letter in text)
    return len(text) + wide - sum(unicodedata.category(letter) in ("Mn", "Me", "Cf") for letter in text)
