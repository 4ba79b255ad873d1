"""Which tokens one language keeps, and why. No torch."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from core.errors import InputError
from core.vocabulary.alphabet import needed_characters
from core.vocabulary.counting import TokenCounts
from core.vocabulary.kinds import Kind

Reason = Literal["special", "words", "alphabet", "count", "merge", "rounding"]
REASONS: tuple[Reason, ...] = (
    "special",  # the tokenizer or its rules name it
    "words",  # a word of the user's list needs it
    "alphabet",  # a character of the language is spelt with it, or all text rests on it
    "count",  # the corpus uses it the most
    "merge",  # another kept token is put together from it
    "rounding",  # the size was rounded up
)
"""Why a token is kept: the first that holds."""
_CURVE_POINTS = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """How many tokens to keep, and which first."""

    size: int | None = None
    """Number of tokens, special ones and alphabet included."""
    coverage: float | None = None
    """Instead of a size: share of the corpus' tokens (each occurrence counts) that are to be kept, 0-1."""
    multiple: int = 1
    """The number of tokens is rounded up to a multiple of it."""
    frequency: str = "document"
    """Which tokens go first: those in the most texts (document; paper), or those that occur the most (token)."""


@dataclass(frozen=True, slots=True)
class Selection:
    """The tokens to keep."""

    kept: tuple[int, ...]
    """Old ids, ascending; a token's new id is its place here."""
    reasons: tuple[Reason, ...]
    """Why, a token each."""
    distinct: int
    """Different tokens in the corpus."""
    coverage: float
    """Share of the corpus' tokens (each occurrence counts) that are kept, 0-1."""

    def counted(self) -> dict[str, int]:
        """Number of tokens by reason."""
        return {reason: self.reasons.count(reason) for reason in REASONS}


def choose_tokens(kind: Kind, counts: TokenCounts, wanted: Wanted, words: Iterable[int] = ()) -> Selection:
    """The tokens of a smaller vocabulary: special ones, the user's, the language's alphabet, then the most frequent.

    Of equally frequent tokens the lower id goes first. A token takes along what it is put together from; where that no
    longer fits, the next one that fits is taken. Tokens that the corpus doesn't hold are kept for other reasons only,
    so the vocabulary can be smaller than wanted.

    Args:
        kind: the vocabulary that `counts` was made with.
        counts: what the language's corpus is made of.
        wanted: how many.
        words: ids of tokens to keep whatever the corpus says.

    Raises:
        InputError: the size is too small for what must be kept.
    """
    _check_ids(counts, kind)
    kept = _must(kind, counts, words)
    size = _rounded(wanted.size if wanted.size is not None else len(kind.pieces), wanted.multiple, kind)
    _check_size(kept, size)
    enough = counts.tokens if wanted.coverage is None else wanted.coverage * counts.tokens
    covered = int(counts.occurrences[list(kept)].sum())
    for group in _walk(kind, counts, wanted.frequency, kept):
        if covered >= enough:
            size = _rounded(len(kept), wanted.multiple, kind)
        if len(kept) == size:
            break
        if len(kept) + len(group) <= size:
            kept |= group
            covered += int(counts.occurrences[list(group)].sum())
    _fill(kind, kept, _rounded(len(kept), wanted.multiple, kind))
    ids = tuple(sorted(kept))
    return Selection(ids, tuple(kept[token] for token in ids), counts.distinct, covered / max(counts.tokens, 1))


def everything(kind: Kind, counts: TokenCounts) -> Selection:
    """All tokens, as they are kept where the vocabulary is not cut."""
    ids = tuple(sorted(kind.pieces))
    return Selection(ids, tuple("special" if token in kind.special else "count" for token in ids), counts.distinct, 1.0)


def coverage_curve(
    kind: Kind, counts: TokenCounts, frequency: str = "document", words: Iterable[int] = ()
) -> list[tuple[int, float]]:
    """Sizes of a vocabulary and the share of the corpus' tokens that each covers.

    Args:
        kind, counts, words: as for `choose_tokens`.
        frequency: as in `Wanted`.

    Returns:
        Sizes, ascending, from the smallest that is possible to that of every token that occurs, at most 120, at about
        the same ratio to each other; coverage 0-1.
    """
    _check_ids(counts, kind)
    kept = _must(kind, counts, words)
    sizes, covered = [len(kept)], [int(counts.occurrences[list(kept)].sum())]
    for group in _walk(kind, counts, frequency, kept):
        kept |= group
        sizes.append(len(kept))
        covered.append(covered[-1] + int(counts.occurrences[list(group)].sum()))
    wanted = np.geomspace(sizes[0], sizes[-1], _CURVE_POINTS)
    places = np.unique(np.clip(np.searchsorted(sizes, wanted), 0, len(sizes) - 1))
    return [(sizes[place], covered[place] / max(counts.tokens, 1)) for place in places]


def _must(kind: Kind, counts: TokenCounts, words: Iterable[int]) -> dict[int, Reason]:
    """The tokens that stay whatever the size, each with its reason."""
    kept: dict[int, Reason] = dict.fromkeys(sorted(kind.special), "special")
    _add(kind, kept, words, "words")
    _add(kind, kept, sorted(kind.always() | _alphabet(kind, counts)), "alphabet")
    return kept


def language_alphabet(kind: Kind, counts: TokenCounts) -> set[str]:
    """The characters that text of the language is promised to be spelt with: the corpus', and its scripts'."""
    return needed_characters(kind.characters, counts.characters) | counts.characters.keys()


def _alphabet(kind: Kind, counts: TokenCounts) -> set[int]:
    """The tokens that spell a single character that text of the language may hold."""
    needed = needed_characters(kind.characters, counts.characters)
    return {token for token, piece in kind.own.items() if kind.spelt(piece) in needed}


def _add(kind: Kind, kept: dict[int, Reason], tokens: Iterable[int], reason: Reason) -> None:
    """Keep tokens and what they are put together from."""
    parts: list[int] = []
    for token in tokens:
        if token not in kept:
            kept[token] = reason
            parts += kind.parts(token)
    for part in parts:
        kept.setdefault(part, "merge")


def _walk(kind: Kind, counts: TokenCounts, frequency: str, kept: Mapping[int, Reason]) -> Iterator[dict[int, Reason]]:
    """The corpus' tokens by frequency, each with the parts that aren't kept by the time that it's its turn."""
    by: npt.NDArray[np.int64] = counts.occurrences if frequency == "token" else counts.documents
    order = np.lexsort((np.arange(len(by)), -by))
    for token in map(int, order[: counts.distinct]):
        if token not in kept:
            group: dict[int, Reason] = {token: "count"}
            for part in kind.parts(token):
                if part not in kept:
                    group.setdefault(part, "merge")
            yield group


def _fill(kind: Kind, kept: dict[int, Reason], size: int) -> None:
    """Bring the vocabulary to a size with tokens that the corpus doesn't hold, those of the lowest ids."""
    for token in sorted(kind.pieces):
        if len(kept) == size:
            return
        group = [part for part in (*kind.parts(token), token) if part not in kept]
        if token not in kept and len(kept) + len(group) <= size:
            kept |= dict.fromkeys(group, "rounding")


def _rounded(size: int, multiple: int, kind: Kind) -> int:
    """The next multiple, unless the teacher has fewer tokens."""
    return min(-(-size // multiple) * multiple, len(kind.pieces))


def _check_ids(counts: TokenCounts, kind: Kind) -> None:
    if len(counts.documents) <= max(kind.pieces):
        raise ValueError(f"counts of {len(counts.documents)} ids don't fit a vocabulary up to id {max(kind.pieces)}")


def _check_size(must: Mapping[int, Reason], size: int) -> None:
    if len(must) <= size:
        return
    reasons: Sequence[Reason] = tuple(must.values())
    words = reasons.count("words")
    raise InputError(
        f"A vocabulary of {size:,} is too small: {len(must):,} tokens are always kept "
        f"({reasons.count('special'):,} special ones, {f'{words:,} for the words of the list, ' if words else ''}"
        f"and {len(must) - words - reasons.count('special'):,} for the alphabet of the corpus).",
        hint=f"The nearest allowed value is {len(must)}.",
        key="targets.vocabulary_size",
    )
