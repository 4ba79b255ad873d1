"""Cells of tables that people open in a spreadsheet, which takes what begins like a formula for one."""

from __future__ import annotations

import re

from core.wording import clean

_STARTS = tuple("=+-@|＝＋－＠")
_NUMBER = re.compile(r"[+-]?\d[\d.,\u00a0\u202f ]*( ?(%|[a-zA-Z]{1,2}))?( ± [\d.,]+)?")


def computes(text: str) -> bool:
    """Whether a spreadsheet might compute a text, instead of showing it; a number with its sign is none."""
    return text.startswith(_STARTS) and len(text) > 1 and not _NUMBER.fullmatch(text)


def cell(words: object) -> str:
    """Words as a cell on one line, with an apostrophe before what would be computed."""
    text = clean(words)
    return f"'{text}" if computes(text) else text
