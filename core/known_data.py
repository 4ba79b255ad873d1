"""Public corpora and labelled data sets by language, as sources that a recipe can name. No torch, no network."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import resources
from core.languages import macrolanguages
from core.tasks.kinds import KINDS

CORPUS = "corpus"
"""The kind of what is text alone."""


@dataclass(frozen=True, slots=True)
class KnownData:
    """A corpus or labelled data set in one language."""

    title: str
    kind: str
    """"corpus", or the kind of task."""
    code: str
    """The language that it is listed under: the one asked for, its macrolanguage or a member."""
    source: str
    """What a recipe writes: "hub:…"."""
    licence: str
    """As its page has it; "unknown" where that says nothing."""


def known_corpora(code: str) -> list[KnownData]:
    """Public texts in a language.

    Args:
        code: ISO 639-3. What isn't there under it is looked for under its macrolanguage, or its members.
    """
    return [data for data in _known(code) if data.kind == CORPUS]


def known_tasks(code: str) -> list[KnownData]:
    """Public labelled data sets in a language, in the order of the kinds of task.

    Args:
        code: ISO 639-3, see `known_corpora`.
    """
    kinds = list(KINDS)
    return sorted((data for data in _known(code) if data.kind != CORPUS), key=lambda data: kinds.index(data.kind))


def licence_of(source: str) -> str | None:
    """The licence of a hub set, as its page has it ("unknown" where that says nothing); None where it isn't known here.

    Args:
        source: "hub:NAME" or "hub:NAME:CONFIGURATION…" of a recipe; names are told apart as the hub does, by letters
            alone and not by their case.
    """
    named = _parts(source)
    everything = (data for by_language in _by_language() for listed in by_language.values() for data in listed)
    of_name = [data for data in everything if _parts(data.source)[:1] == named[:1]]
    # Some sets have a licence for each configuration.
    of_configuration = [data for data in of_name if _parts(data.source)[:2] == named[:2]]
    return next((data.licence for data in [*of_configuration, *of_name]), None)


def _parts(source: str) -> list[str]:
    return source.removeprefix("hub:").casefold().split(":")


def _known(code: str) -> list[KnownData]:
    macro = macrolanguages()
    members = [member for member in sorted(macro) if macro[member] == code]
    found = []
    for by_language in _by_language():
        own = by_language.get(code) or by_language.get(macro.get(code, ""))
        found += own or [data for member in members for data in by_language.get(member, ())]
    return found


@cache
def _by_language() -> tuple[dict[str, list[KnownData]], ...]:
    """For each set of `resources/datasets.toml`, what it has of each language."""
    content = tomllib.loads((Path(resources.__file__).parent / "datasets.toml").read_text(encoding="utf-8"))
    sets = []
    for entry in content["data"]:
        named: dict[str, list[str]] = {}
        for item in entry["configurations"]:
            code, _, configuration = item.rpartition(":") if ":" in item else (item[:3], "", item)
            named.setdefault(code, []).append(configuration)
        sets.append(
            {
                code: [
                    KnownData(
                        # Which is which has to be told only where a language is written in several scripts.
                        entry["title"] if len(configurations) == 1 else f"{entry['title']}, {configuration}",
                        entry["kind"],
                        code,
                        entry["source"].format(configuration),
                        entry["licence"],
                    )
                    for configuration in configurations
                ]
                for code, configurations in named.items()
            }
        )
    return tuple(sets)
