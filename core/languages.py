"""Languages by their ISO 639-3 code, and the search for them by any of their names. No torch."""

from __future__ import annotations

import difflib
import heapq
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import resources
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


@dataclass(frozen=True, slots=True)
class LanguageEntry:
    """A language as a list shows it."""

    code: str
    """ISO 639-3."""
    name: str
    """In English."""
    own_name: str
    """In the language itself and its script; empty where it isn't known here."""
    other_names: tuple[str, ...]
    """Its further English names."""


@cache
def all_languages() -> tuple[LanguageEntry, ...]:
    """Every language of ISO 639-3, by code: living, extinct, ancient and constructed ones, none of the withdrawn."""
    return tuple(found.entry for found in _searchable())


def find_languages(text: str, limit: int = 50) -> list[LanguageEntry]:
    """The languages that a text may mean, the likeliest first.

    Upper case and accents make no difference. Best are codes (639-3, 639-2 and two letters) and whole names, then names
    that begin so, names with a word that begins so, and names with the text somewhere in them. Within each come
    languages that have a code of two letters first, as they are looked for most. A language that has its name from a
    macrolanguage counts with that one's code, and comes before it.

    Args:
        text: a code, or a part of a name: the English one, another English one, or the language's own.
        limit: how many to give at most.
    """
    wanted = _folded(text)
    if not wanted:
        return []
    ranked = []
    for found in _searchable():
        fit = _fit(wanted, found)
        if fit is not None:
            kind, length = fit
            ranked.append((kind, found.rare, length, found.entry.name, found.entry.code, found.entry))
    return [entry for *_, entry in heapq.nsmallest(limit, ranked)]


@cache
def macrolanguages() -> dict[str, str]:
    """The macrolanguage that a language counts to: "swh" to "swa", "nob" to "nor"."""
    return {row["I_Id"]: row["M_Id"] for row in _rows("iso-639-3-macrolanguages.tab") if row["I_Status"] == "A"}


@dataclass(frozen=True, slots=True)
class _Searchable:
    entry: LanguageEntry
    codes: frozenset[str]
    names: tuple[str, ...]
    """Folded, each with a space before it, so that a space and a text find the beginnings of words."""
    rare: bool
    """Whether neither it nor the macrolanguage of the same name has a code of two letters."""


def _fit(wanted: str, found: _Searchable) -> tuple[int, int] | None:
    """How well a folded text fits: kind of fit, length of the name that fits; None where it doesn't."""
    if wanted in found.codes:
        return 0, 0
    best = None
    for name in found.names:
        place = name.find(wanted)
        if place < 0:
            continue
        if name == f" {wanted}":
            kind = 1
        elif place == 1:
            kind = 2
        else:
            kind = 3 if f" {wanted}" in name else 4
        if best is None or (kind, len(name)) < best:
            best = kind, len(name)
    return best


@cache
def _searchable() -> tuple[_Searchable, ...]:
    ours = _our_names()
    printed: dict[str, list[str]] = {}
    inverted: dict[str, list[str]] = {}
    for row in _rows("iso-639-3_Name_Index.tab"):
        printed.setdefault(row["Id"], []).append(row["Print_Name"])
        inverted.setdefault(row["Id"], []).append(row["Inverted_Name"])
    table = {row["Id"]: row for row in _rows("iso-639-3.tab")}
    macro = macrolanguages()
    found = []
    for row in table.values():
        if row["Scope"] == "S":  # undetermined, several, no language at all
            continue
        code, name = row["Id"], row["Ref_Name"]
        # "Swahili (individual language)" then comes before "Swahili (macrolanguage)" by its name.
        whole = table.get(macro.get(code, ""), row)
        namesake = whole if _plain(whole["Ref_Name"]) == _plain(name) else row
        own_name, more = ours.get(code, ("", ()))
        others = tuple(dict.fromkeys(other for other in (*printed.get(code, ()), *more) if other != name))
        names = {name, own_name, *others, *inverted.get(code, ())}  # "Upper Sorbian" is also "Sorbian, Upper"
        names |= set(map(_plain, names))  # and "Swahili (macrolanguage)" is just "Swahili"
        found.append(
            _Searchable(
                LanguageEntry(code, name, own_name, others),
                frozenset(row[column] for column in ("Id", "Part2b", "Part2t", "Part1") if row[column]),
                tuple(f" {folded}" for folded in sorted(set(map(_folded, names))) if folded),
                not (row["Part1"] or namesake["Part1"]),
            )
        )
    return tuple(found)


def _plain(name: str) -> str:
    """A name without what tells it from its like."""
    return name.partition(" (")[0]


def _our_names() -> dict[str, tuple[str, tuple[str, ...]]]:
    """Own name and further English names by code, from `resources/languages.tsv`."""
    text = (Path(resources.__file__).parent / "languages.tsv").read_text(encoding="utf-8")
    rows = (line.split("\t") for line in text.splitlines() if not line.startswith("#"))
    return {code: (own_name, tuple(more[0].split(", ")) if more else ()) for code, own_name, *more in rows}


def _rows(table: str) -> Iterator[dict[str, str]]:
    """The rows of a table that comes with iso639, see `_quick_name`."""
    package = find_spec("iso639")
    if package is None or package.origin is None:
        raise ModuleNotFoundError("No module named 'iso639'", name="iso639")
    with open(Path(package.origin).parent / "_data" / table, encoding="utf-8") as lines:
        header = next(lines).rstrip("\r\n").split("\t")
        for line in lines:
            yield dict(zip(header, line.rstrip("\r\n").split("\t"), strict=True))


_LETTERS = str.maketrans(
    {"ł": "l", "ø": "o", "đ": "d", "ð": "d", "ħ": "h", "ı": "i", "ŋ": "n", "ɓ": "b", "ɗ": "d", "ƙ": "k", "ɛ": "e",
     "ɔ": "o", "ə": "e", "æ": "ae", "œ": "oe", "þ": "th", "ی": "ي", "ک": "ك", "ى": "ي"}
    | dict.fromkeys("ʻʼʽʾʿˈ'’‘`ǀǁǂǃ!=\u200c")
)  # fmt: skip
"""Letters that Unicode doesn't take apart; apostrophes, clicks and joiners, which many leave out, go."""
_BETWEEN = re.compile(r"[\s!-/:-@\[-`{-\u00bf\u2010-\u2015]+")
"""Spaces and punctuation; not all that is no letter, as vowel signs of Indic scripts are none."""


def _folded(text: str) -> str:
    """Without upper case, accents, apostrophes and punctuation; words separated by single spaces."""
    if text.isascii():
        plain = text.casefold()
    else:
        apart = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())
        plain = "".join(char for char in apart if not unicodedata.combining(char))
    return _BETWEEN.sub(" ", plain.translate(_LETTERS)).strip()
