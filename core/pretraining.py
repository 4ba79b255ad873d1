"""How much text of a language a teacher saw in pretraining. No torch."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import resources
from core.languages import macrolanguages
from core.teachers import known_teacher


@dataclass(frozen=True, slots=True)
class Volume:
    """The text of a language in what a teacher was pretrained on; all zero where there was none."""

    code: str
    """The language that the figures are of: the one asked for, its macrolanguage ("swa" for "swh"), or another name."""
    size_gib: float
    """Uncompressed, GiB."""
    tokens_millions: float
    """As the source counts them: stretches between spaces for CC-100."""
    corpus: str
    """What it was pretrained on, such as "CC-100"."""
    source: str
    """Who counted."""
    note: str = ""
    """What else there is to know, such as a share in another script."""


def pretraining_volume(teacher: str, code: str) -> Volume | None:
    """How much text of a language a teacher saw.

    A language that isn't listed itself gets the figures of its macrolanguage, and a macrolanguage that isn't those of
    its members, added up.

    Args:
        teacher: `teacher.model` of a recipe.
        code: the language's code of ISO 639-3.

    Returns:
        None where it isn't known: for a teacher that isn't, such as a folder (an architecture says nothing of what a
        model has read), and for the few languages that sources leave out.
    """
    known = known_teacher(teacher)
    if known is None:
        return None
    corpus = _corpora()[known.pretraining]
    listed: dict[str, dict[str, Any]] = corpus["languages"]
    macro = macrolanguages()
    code = corpus["same"].get(code, code)
    if code in listed:
        of, entries = code, [listed[code]]
    elif members := [member for member in sorted(listed) if macro.get(member) == code]:
        of, entries = code, [listed[member] for member in members]
    elif macro.get(code) in listed:
        of, entries = macro[code], [listed[macro[code]]]
    elif {code, macro.get(code)} & set(corpus["unmeasured"]):
        return None
    else:
        of, entries = code, []
    return Volume(
        of,
        round(sum((entry["gib"] for entry in entries), 0.0), 4),
        round(sum((entry["tokens"] for entry in entries), 0.0), 3),
        corpus["title"],
        corpus["source"],
        "; ".join(entry["note"] for entry in entries if "note" in entry),
    )


@cache
def _corpora() -> dict[str, dict[str, Any]]:
    return tomllib.loads((Path(resources.__file__).parent / "pretraining.toml").read_text(encoding="utf-8"))
