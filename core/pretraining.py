"""How much text of a language a teacher saw in pretraining. No torch."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import resources
from core.errors import InputError
from core.languages import macrolanguages
from core.small_files import read_object
from core.sources import local_folder
from core.teachers import KnownTeacher, copy_of, known_teacher
from core.wording import clean, number, parameters

FOLDER_FILE = "pretraining.json"
"""What a teacher's folder may say itself: a JSON object whose `tokens` is an object of tokens by ISO 639-3 code."""

_MOST_BYTES = 2**20

PAPER_SAYS = (
    "The paper (arXiv 2505.16956) reports, for mBERT and XLM-R in Maltese, Slovak and Swahili, that the drop shrinks "
    "with the volume of the language's text in the teacher's pretraining, as a power law."
)


@dataclass(frozen=True, slots=True)
class Volume:
    """The text of a language in what a teacher was pretrained on; all zero where there was none."""

    code: str
    """The language that the figures are of: the one asked for, its macrolanguage ("swa" for "swh"), or another name."""
    size_gib: float | None
    """Uncompressed, GiB; None where only tokens were counted."""
    tokens_millions: float
    """As the source counts them: stretches between spaces for CC-100."""
    corpus: str
    """What it was pretrained on, such as "CC-100"."""
    source: str
    """Who counted."""
    note: str = ""
    """What else there is to know, such as a share in another script."""
    doubt: str = ""
    """Why the figures may be another teacher's; a part of a sentence."""

    @property
    def unseen(self) -> bool:
        """Whether the teacher never saw the language."""
        return not self.size_gib and not self.tokens_millions

    @property
    def measure(self) -> tuple[float, str]:
        """The volume as a number and its unit: the size, as tokens of different scripts don't compare, if known."""
        return (self.tokens_millions, "million tokens") if self.size_gib is None else (self.size_gib, "GiB")


def pretraining_volume(teacher: str, code: str, base: Path = Path()) -> Volume | None:
    """How much text of a language a teacher saw.

    A language that isn't listed itself gets the figures of its macrolanguage, and a macrolanguage that isn't those of
    its members, added up. A folder's own `pretraining.json` counts before what is known of the teacher whose name and
    sizes it has.

    Args:
        teacher: `teacher.model` of a recipe.
        code: the language's code of ISO 639-3.
        base: what a relative folder starts from.

    Returns:
        None where it isn't known: for a teacher that isn't, such as most folders (an architecture says nothing of what
        a model has read), and for the few languages that sources leave out.
    """
    folder = _folder(teacher, base)
    if folder is None:
        known = known_teacher(teacher)
        return None if known is None else _known_volume(known, code)
    tokens = _told_tokens(folder)
    if tokens:
        return _told_volume(tokens, code, folder.name)
    original = copy_of(folder)
    return None if original is None else _known_volume(original, code, f"taken for {original.title} by name and sizes")


def amount(volume: Volume) -> str:
    """How much there was, as people read it: 23.2 GiB, 6 MiB, 122.2 k tokens."""
    if volume.size_gib is None:
        return f"{parameters(volume.tokens_millions * 1e6)} tokens"
    if volume.size_gib >= 0.095:
        return f"{number(volume.size_gib)} GiB"
    return f"{number(volume.size_gib * 1024, 0 if volume.size_gib * 1024 >= 1 else 2)} MiB"


def volume_words(volume: Volume | None, language: str) -> str:
    """What a teacher saw of a language, as a part of a sentence: saw 23.2 GiB of Slovak in CC-100.

    Args:
        volume: what `pretraining_volume` gives.
        language: the language's name.
    """
    if volume is None:
        return f"how much {language} it saw isn't known"
    if volume.unseen:
        return f"never saw {language} ({'; '.join(filter(None, (volume.corpus, volume.doubt)))})"
    note = "; ".join(filter(None, (volume.note, volume.doubt)))
    return f"saw {amount(volume)} of {language} in {volume.corpus}" + (f" ({note})" if note else "")


def _folder(teacher: str, base: Path) -> Path | None:
    """The folder that a teacher is in; None where it is a name of the hub, or the folder is gone."""
    try:
        return local_folder(teacher, base)
    except InputError:
        return None


def _known_volume(known: KnownTeacher, code: str, doubt: str = "") -> Volume | None:
    corpus = _corpora()[known.pretraining]
    of, listed = _entries(corpus["languages"], corpus["same"].get(code, code))
    if not listed and {code, macrolanguages().get(code)} & set(corpus["unmeasured"]):
        return None
    entries: list[dict[str, Any]] = [corpus["languages"][one] for one in listed]
    return Volume(
        of,
        round(sum((entry["gib"] for entry in entries), 0.0), 4),
        round(sum((entry["tokens"] for entry in entries), 0.0), 3),
        corpus["title"],
        corpus["source"],
        "; ".join(entry["note"] for entry in entries if "note" in entry),
        doubt,
    )


def _told_volume(tokens: Mapping[str, float], code: str, name: str) -> Volume | None:
    """What a folder's own file says of a language."""
    of, listed = _entries(tokens, code)
    if not listed and any(len(key) != 3 for key in tokens):
        return None  # it also read languages that it doesn't name
    of_all = sum(tokens[one] for one in listed) / 1e6
    return Volume(of, None, round(of_all, 6), f"the text that {clean(name)} lists", f"{FOLDER_FILE} in its folder")


def _entries(listed: Collection[str], code: str) -> tuple[str, list[str]]:
    """Under which code a list has the figures of a language, and which entries add up to them; none: not listed."""
    macro = macrolanguages()
    if code in listed:
        return code, [code]
    members = [member for member in sorted(listed) if macro.get(member) == code]
    if members:
        return code, members
    return (macro[code], [macro[code]]) if macro.get(code) in listed else (code, [])


def _told_tokens(folder: Path) -> dict[str, float]:
    """Tokens by language from a folder's own file; empty where it has none that can be read."""
    try:
        tokens = read_object(folder / FOLDER_FILE, _MOST_BYTES)["tokens"]
        return {str(code): float(count) for code, count in tokens.items() if 0 <= float(count) < math.inf}
    except (OSError, ValueError, LookupError, TypeError, AttributeError, OverflowError):
        return {}


@cache
def _corpora() -> dict[str, dict[str, Any]]:
    return tomllib.loads((Path(resources.__file__).parent / "pretraining.toml").read_text(encoding="utf-8"))
