"""Languages by their ISO 639-3 code."""

from __future__ import annotations

import difflib
from importlib.util import find_spec
from pathlib import Path

from core.errors import InputError


def check_language(code: str) -> str:
    """The English name of a language.

    Args:
        code: three letters of ISO 639-3, such as "mlt".

    Raises:
        InputError: it is no such code; the hint names the code that is probably meant.
    """
    name = _quick_name(code)
    if name is not None:
        return name

    import iso639

    try:
        language = iso639.Language.match(code, strict_case=False)
    except iso639.LanguageNotFoundError:
        raise InputError(f"language.code is {code!r}, which no language has.", hint=_nearest(code)) from None
    if language.status == "R":
        successor = language.retire_change_to
        hint = f'Write "{successor}".' if successor else "Look the language up at https://iso639-3.sil.org."
        raise InputError(f"language.code is {code!r} ({language.name}), which ISO 639-3 has withdrawn.", hint=hint)
    if language.part3 == code:
        return language.name
    raise InputError(
        f"language.code is {code!r}, not a code of ISO 639-3.", hint=f'Write "{language.part3}" ({language.name}).'
    )


def _quick_name(code: str) -> str | None:
    """The name, from one look through the table that comes with iso639; None where that doesn't settle it.

    Importing iso639 builds an object for each of 8,000 languages, which takes longer than all else a command does
    before it can say whether a recipe is right.
    """
    package = find_spec("iso639")
    if package is None or package.origin is None:
        return None
    try:
        with open(Path(package.origin).parent / "_data" / "iso-639-3.tab", encoding="utf-8") as table:
            header = next(table).rstrip("\r\n").split("\t")
            row = next((line for line in table if line.partition("\t")[0] == code), None)
        return None if row is None else row.split("\t")[header.index("Ref_Name")]
    except (OSError, ValueError, IndexError, StopIteration):
        return None


def _nearest(text: str) -> str:
    import iso639

    names = {language.name: language.part3 for language in iso639.ALL_LANGUAGES if language.status == "A"}
    folded = {name.casefold(): name for name in sorted(names)}
    close = [folded[name] for name in difflib.get_close_matches(text.strip().casefold(), folded, n=3)]
    listed = ", ".join(f'"{names[name]}" ({name})' for name in close)
    general = 'Write the three letters of ISO 639-3, such as "mlt" (Maltese).'
    return f"{general} Near to it: {listed}." if listed else general
