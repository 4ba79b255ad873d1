"""Public corpora and labelled data sets by language, as sources that a recipe can name. No torch, no network."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import resources
from core.languages import macrolanguages
from core.tasks.kinds import KINDS

CORPUS = "corpus"
"""The kind of what is text alone."""
HUB = "hub:"


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


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownSet:
    """A corpus or labelled data set with all its languages."""

    title: str
    kind: str
    """As `KnownData.kind`."""
    source: str
    """What a recipe writes; {} stands for a configuration."""
    licence: str
    """As `KnownData.licence`."""
    configurations: Mapping[str, tuple[str, ...]]
    """By ISO 639-3 code: one a language, or more where it is there in several scripts."""
    columns: tuple[str, str] | None = None
    """The input's and the labels', where they don't have the usual names."""
    files: Mapping[str, str] = field(default_factory=dict)
    """Where each split's plain file is, {} for a configuration, if its repository on the hub holds only a script."""
    script_only: tuple[str, ...] = ()
    """Other names on the hub of the same data, whose repositories hold only a script."""

    @property
    def name(self) -> str:
        """Its name on the hub; with {} where every language has a repository of its own."""
        return self.source.removeprefix(HUB).partition(":")[0]

    def in_language(self, code: str) -> list[KnownData]:
        """What there is of a language.

        Args:
            code: ISO 639-3, see `known_corpora`.
        """
        macro = macrolanguages()
        for own in (code, macro.get(code, "")):
            if own in self.configurations:
                return self._listed(own)
        return [data for member in sorted(macro) if macro[member] == code for data in self._listed(member)]

    def _listed(self, code: str) -> list[KnownData]:
        configurations = self.configurations.get(code, ())
        # Which is which has to be told only where a language is written in several scripts.
        titles = [self.title if len(configurations) == 1 else f"{self.title}, {each}" for each in configurations]
        return [
            KnownData(title, self.kind, code, self.source.format(configuration), self.licence)
            for title, configuration in zip(titles, configurations, strict=True)
        ]


def known_corpora(code: str) -> list[KnownData]:
    """Public texts in a language.

    Args:
        code: ISO 639-3. What isn't there under it is looked for under its macrolanguage, or its members.
    """
    return [data for known in known_sets() if known.kind == CORPUS for data in known.in_language(code)]


def known_tasks(code: str) -> list[KnownData]:
    """Public labelled data sets in a language, in the order of the kinds of task.

    Args:
        code: ISO 639-3, see `known_corpora`.
    """
    return [data for kind in KINDS for known in known_sets() if known.kind == kind for data in known.in_language(code)]


def known_set(name: str) -> KnownSet | None:
    """The set that a hub name belongs to, be it one of its `script_only`; None where it is none of these.

    The hub doesn't tell upper from lower case in names.
    """
    return _by_name().get(name.casefold())


@cache
def _by_name() -> dict[str, KnownSet]:
    found: dict[str, KnownSet] = {}
    for known in known_sets():
        languages = known.configurations.values() if "{}" in known.name else ()
        own = [known.name.format(configuration) for these in languages for configuration in these] or [known.name]
        found |= dict.fromkeys((each.casefold() for each in (*own, *known.script_only)), known)
    return found


@cache
def known_sets() -> tuple[KnownSet, ...]:
    """All of `resources/datasets.toml`, in its order."""
    content = tomllib.loads((Path(resources.__file__).parent / "datasets.toml").read_text(encoding="utf-8"))
    return tuple(
        KnownSet(
            title=entry["title"],
            kind=entry["kind"],
            source=entry["source"],
            licence=entry["licence"],
            configurations=_by_language(entry["configurations"]),
            columns=(entry["columns"][0], entry["columns"][1]) if "columns" in entry else None,
            files=entry.get("files", {}),
            script_only=tuple(entry.get("script_only", ())),
        )
        for entry in content["data"]
    )


def _by_language(items: Sequence[str]) -> dict[str, tuple[str, ...]]:
    named: dict[str, tuple[str, ...]] = {}
    for item in items:
        code, _, configuration = item.rpartition(":") if ":" in item else (item[:3], "", item)
        named[code] = (*named.get(code, ()), configuration)
    return named
