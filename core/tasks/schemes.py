"""Tag schemes of named entities, and their way to IOB2. No torch."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from core.errors import InputError
from core.tasks.examples import Placed, TokenExample

_TAG = re.compile(r"O|[BIESLU]-\S+")
_SENTENCE_END = "the end of the sentence"


@dataclass(frozen=True, slots=True)
class Scheme:
    """How entities are marked, by the letter before a tag's type."""

    name: str
    end: str = ""
    """What an entity of several tokens ends with; empty where the end isn't marked."""
    single: str = ""
    """What an entity of one token has; empty where it is not told apart."""


IOB1 = Scheme("IOB1")
"""Ramshaw and Marcus 1995 (W95-0107): B- only where an entity follows another one of its type."""
IOB2 = Scheme("IOB2")
"""B- at every entity's first token."""
BIOES = Scheme("BIOES", end="E", single="S")
BILOU = Scheme("BILOU", end="L", single="U")
"""Ratinov and Roth 2009 (W09-1119)."""


def to_iob2(name: str, examples: Sequence[Placed[Any]], *, mend: bool) -> tuple[list[Placed[Any]], list[str]]:
    """A split's tags in IOB2, from the one scheme that all of them are in; tags in IOB2 stay as they are.

    Args:
        name: what to call the split in a message.
        examples: its sentences, `TokenExample`s.
        mend: what becomes of tags that their scheme doesn't allow. They are read as seqeval reads them (a tag whose
            type isn't that of the one before begins an entity), and told; or else refused.

    Returns:
        The sentences, and what there is to tell, in words.

    Raises:
        InputError: something is no entity tag, schemes are mixed, or `mend` is off and a tag is not allowed where it
            stands.
    """
    for tag, line in _tags(examples):
        if not _TAG.fullmatch(tag):
            raise _bad(
                name,
                line,
                f"{tag!r} is no entity tag.",
                "Use O, B-TYPE for an entity's first token and I-TYPE for its others (IOB2); IOB1, BIOES and BILOU are "
                "read too.",
            )
    scheme = _scheme(name, examples)
    notes = [] if scheme is IOB2 else [f"{name} is tagged in {scheme.name}; it is read as IOB2."]
    faults = [fault for placed in examples for fault in _faults(placed, scheme)]
    if faults:
        line, problem = faults[0]
        if not mend:
            raise _bad(name, line, problem, f"Most of the tags here are {scheme.name}; all of them must be.")
        notes.append(
            f"Tags of {name} that {scheme.name} doesn't allow where they stand: {len(faults):,}. The first is in line "
            f"{line}: {problem} A tag of another type than the one before was taken to begin an entity, as in seqeval."
        )
    if not notes:
        return list(examples), notes
    return [_converted(placed) for placed in examples], notes


def _scheme(name: str, examples: Sequence[Placed[Any]]) -> Scheme:
    """The scheme of a split: by the marks that only one has, else by what most entities begin with.

    Raises:
        InputError: there are marks of two schemes.
    """
    first: dict[str, tuple[str, int]] = {}
    for tag, line in _tags(examples):
        first.setdefault(tag[0], (tag, line))
    marked: dict[Scheme, tuple[str, int]] = {}
    for letter, place in first.items():
        for scheme in (BIOES, BILOU):
            if letter in (scheme.end, scheme.single):
                marked.setdefault(scheme, place)
    if len(marked) == 2:
        (earlier, _), (tag, line) = marked.values()
        raise _bad(
            name,
            line,
            f"{tag} stands beside {earlier}, a tag of another scheme.",
            "BIOES marks an entity's end with E- and a lone token with S-, BILOU with L- and U-; use one of them.",
        )
    if marked:
        return next(iter(marked))
    begins = Counter(
        tag[0]
        for placed in examples
        for previous, tag in _pairs(placed.example.tags)
        if tag != "O" and previous[2:] != tag[2:]
    )
    return IOB1 if begins["I"] > begins["B"] else IOB2


def _faults(placed: Placed[TokenExample], scheme: Scheme) -> Iterator[tuple[int, str]]:
    """The line of each tag that the scheme doesn't allow after the one before, and what is wrong with it."""
    tags = placed.example.tags
    for (previous, tag), line in zip(_pairs(tags), placed.lines, strict=True):
        problem = _fault(previous, tag, scheme)
        if problem:
            yield line, problem
    if scheme.end and tags[-1][0] in "BI":
        yield placed.lines[-1], _unended(tags[-1], _SENTENCE_END, scheme)


def _fault(previous: str, tag: str, scheme: Scheme) -> str | None:
    """What is wrong with a tag that follows `previous` (O at the start); None where nothing is."""
    same = previous[2:] == tag[2:]
    begins, continues, is_open = tag[0] == "B", tag[0] in ("I", scheme.end), previous[0] in "BI"
    wanted = None
    if scheme.end:
        if is_open and not (continues and same):
            return _unended(previous, tag, scheme)
        if continues and not is_open:
            wanted = f"B-{tag[2:]} or {scheme.single}-{tag[2:]}"
    elif tag[0] in ("B" if scheme is IOB1 else "I") and not same:
        # In IOB1, B- tells an entity from one of its type right before it, and has no other place.
        wanted = f"{'I' if begins else 'B'}-{tag[2:]}"
    return f"{tag} follows {previous}, but in {scheme.name} an entity begins with {wanted}." if wanted else None


def _unended(previous: str, after: str, scheme: Scheme) -> str:
    return f"{after} follows {previous}, but {scheme.name} ends an entity with {scheme.end}-{previous[2:]}."


def _converted(placed: Placed[TokenExample]) -> Placed[TokenExample]:
    """The sentence in IOB2; what begins no entity by its mark does so where the type before is another."""
    tags = tuple(
        tag if tag == "O" else ("B" if tag[0] in "BSU" or previous[2:] != tag[2:] else "I") + tag[1:]
        for previous, tag in _pairs(placed.example.tags)
    )
    return Placed(TokenExample(placed.example.tokens, tags), placed.lines)


def _pairs(tags: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Each tag and the one before it; O before the first."""
    return zip(("O", *tags), tags, strict=False)


def _tags(examples: Sequence[Placed[Any]]) -> Iterator[tuple[str, int]]:
    for placed in examples:
        yield from zip(placed.example.tags, placed.lines, strict=True)


def _bad(name: str, line: int, problem: str, hint: str) -> InputError:
    return InputError(f"{name}, line {line}: {problem}", hint=hint)
