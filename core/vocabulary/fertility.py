"""How many tokens words take: of one tokenizer, and what a smaller vocabulary does to it. No torch."""

from __future__ import annotations

import bisect
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import regex
from tokenizers import Encoding, Tokenizer

from core.context import Context
from core.vocabulary.counting import chunks, without_limits
from core.vocabulary.soundness import cutting

_WORST = 12
_EXAMPLE_CHARACTERS = (40, 160)
_PART_OF_A_CHARACTER = "·"
_WORD_START = "▁"
_WORD_STARTS = (_WORD_START, "Ġ")
"""SentencePiece's mark, and the byte-level space."""
_LETTERS = regex.compile(r"[\p{L}\p{M}'’ʼ-]+")
"""A word, rather than an address, a number, or one with its full stop."""


@dataclass(frozen=True, slots=True)
class Pieces:
    """A text, cut by both tokenizers."""

    text: str
    before: tuple[str, ...]
    after: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """As the job and the report say it."""
        return {"text": self.text, "before": list(self.before), "after": list(self.after)}


@dataclass(frozen=True, slots=True)
class BrokenWord:
    """A word that takes more tokens than before."""

    pieces: Pieces
    count: int
    """How often it occurs."""

    def to_json(self) -> dict[str, Any]:
        """As the job and the report say it."""
        pieces = self.pieces.to_json()
        return {"word": pieces.pop("text"), "count": self.count, **pieces}


@dataclass(frozen=True, slots=True, kw_only=True)
class Fertility:
    """Words (what stands between spaces) and their tokens, before and after trimming."""

    texts: int
    words: int
    """Running words."""
    before: float
    """Tokens a word."""
    after: float
    unknown_before: int
    """Unknown tokens."""
    unknown_after: int
    split: float
    """Share of the running words that take more tokens than before, 0-1."""
    worst: tuple[BrokenWord, ...]
    """The words (of letters only) that cost the most tokens more, all their occurrences together."""
    example: Pieces | None
    """A text of ordinary length that grows about as much as all of them together."""

    def to_json(self) -> dict[str, Any]:
        """As the job and the reports say it."""
        return {
            "held_out": self.texts,
            "fertility": {"before": self.before, "after": self.after},
            "unknown": {"before": self.unknown_before, "after": self.unknown_after},
            "split": self.split,
            "worst": [word.to_json() for word in self.worst],
            "example": self.example.to_json() if self.example else None,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class WordCuts:
    """How one tokenizer cuts the words (what stands between spaces) of some texts."""

    words: int
    """Running words."""
    tokens: int
    unknown: int
    """Unknown tokens."""
    letters: int
    """Running words of letters only: others are cut at their punctuation by most tokenizers."""
    split: int
    """Of these, those that take several tokens or are unknown."""

    @property
    def tokens_a_word(self) -> float:
        """Tokens of a word on average."""
        return self.tokens / max(self.words, 1)

    @property
    def unknown_share(self) -> float:
        """Of the tokens, 0-1."""
        return self.unknown / max(self.tokens, 1)

    @property
    def split_share(self) -> float:
        """Of the words of letters only, 0-1."""
        return self.split / max(self.letters, 1)


@dataclass(slots=True)
class _Word:
    pieces: Pieces
    count: int = 0
    extra: int = 0


@dataclass(slots=True)
class _Tally:
    texts: int = 0
    words: int = 0
    tokens: list[int] = field(default_factory=lambda: [0, 0])
    unknown: list[int] = field(default_factory=lambda: [0, 0])
    split: int = 0
    broken: dict[str, _Word] = field(default_factory=dict)
    examples: list[tuple[float, Pieces]] = field(default_factory=list)
    """How many times as many tokens a text takes, and its pieces."""


def fertility(
    before: Tokenizer, after: Tokenizer, unknown: tuple[int | None, int | None], texts: Iterable[str], ctx: Context
) -> Fertility:
    """Compare how two tokenizers cut the words of a text.

    Args:
        before: the original.
        after: its trimmed self.
        unknown: the id of the unknown token in each; None where there is none.
        texts: text that had no part in choosing the tokens.
        ctx: asked between chunks of texts.
    """
    pair = without_limits(before), without_limits(after)
    tally = _Tally()
    for chunk in chunks(texts):
        ctx.check()
        with cutting(chunk, pair[0]):
            old, new = (tokenizer.encode_batch(chunk, add_special_tokens=False) for tokenizer in pair)
        for text, *cut in zip(chunk, old, new, strict=True):
            _add(tally, text, cut, unknown)
    words = max(tally.words, 1)
    grown = tally.tokens[1] / max(tally.tokens[0], 1)
    worst = sorted(tally.broken.values(), key=lambda word: (-word.extra, word.pieces.text))[:_WORST]
    return Fertility(
        texts=tally.texts,
        words=tally.words,
        before=tally.tokens[0] / words,
        after=tally.tokens[1] / words,
        unknown_before=tally.unknown[0],
        unknown_after=tally.unknown[1],
        split=tally.split / words,
        worst=tuple(BrokenWord(word.pieces, word.count) for word in worst),
        example=min(tally.examples, key=lambda one: abs(one[0] - grown))[1] if tally.examples else None,
    )


def word_cuts(tokenizer: Tokenizer, unknown: int | None, texts: Iterable[str], ctx: Context) -> WordCuts:
    """See how a tokenizer cuts the words of a text.

    Args:
        tokenizer: as it is; its own truncation and padding don't count.
        unknown: the id of its unknown token; None where there is none.
        texts: the text.
        ctx: asked between chunks of texts.
    """
    tokenizer = without_limits(tokenizer)
    words = tokens = unknowns = letters = split = 0
    for chunk in chunks(texts):
        ctx.check()
        with cutting(chunk, tokenizer):
            encodings = tokenizer.encode_batch(chunk, add_special_tokens=False)
        for text, encoding in zip(chunk, encodings, strict=True):
            spans = _words(text)
            if not spans:
                continue
            words += len(spans)
            tokens += len(encoding)
            unknowns += encoding.ids.count(unknown) if unknown is not None else 0
            ids = iter(encoding.ids)
            for (start, end), pieces in zip(spans, _by_word(encoding, [end for _, end in spans]), strict=True):
                own = [next(ids) for _ in pieces]
                if _LETTERS.fullmatch(text, start, end):
                    letters += 1
                    split += len(own) > 1 or unknown in own
    return WordCuts(words=words, tokens=tokens, unknown=unknowns, letters=letters, split=split)


def _add(tally: _Tally, text: str, cut: list[Encoding], unknown: tuple[int | None, int | None]) -> None:
    """Count one text."""
    words = _words(text)
    if not words:
        return
    ends = [end for _, end in words]
    tokens = [_by_word(encoding, ends) for encoding in cut]
    tally.texts += 1
    tally.words += len(words)
    for side, encoding in enumerate(cut):
        tally.tokens[side] += len(encoding)
        tally.unknown[side] += sum(token == unknown[side] for token in encoding.ids)
    for (start, end), old, new in zip(words, *tokens, strict=True):
        if len(new) > len(old):
            tally.split += 1
            if _LETTERS.fullmatch(text, start, end):
                word = text[start:end]
                if word not in tally.broken:
                    tally.broken[word] = _Word(Pieces(word, _shown(text, old), _shown(text, new)))
                tally.broken[word].count += 1
                tally.broken[word].extra += len(new) - len(old)
    low, high = _EXAMPLE_CHARACTERS
    if low <= len(text) <= high and len(cut[0]):
        old, new = ([span for word in side for span in word] for side in tokens)
        tally.examples.append((len(new) / len(old), Pieces(text, _shown(text, old), _shown(text, new))))


def _words(text: str) -> list[tuple[int, int]]:
    """Where the words of a text start and end."""
    spans, place = [], 0
    for word in text.split():
        start = text.index(word, place)
        place = start + len(word)
        spans.append((start, place))
    return spans


def _by_word(encoding: Encoding, ends: list[int]) -> list[list[tuple[int, int]]]:
    """The spans of each word's tokens, empty for a mark of a word's start that stands alone.

    A token belongs to the word that its last character stands in.
    """
    found: list[list[tuple[int, int]]] = [[] for _ in ends]
    for token, (start, end) in zip(encoding.tokens, encoding.offsets, strict=True):
        word = min(bisect.bisect_right(ends, max(end - 1, start)), len(ends) - 1)
        found[word].append((start, start) if token in _WORD_STARTS else (start, end))
    return found


def _shown(text: str, spans: list[tuple[int, int]]) -> tuple[str, ...]:
    """What stands at the tokens' places; for the rest of a character that a token before began with stands a dot."""
    shown, done = [], -1
    for start, end in spans:
        if start == end:
            shown.append(_WORD_START)
        elif start >= done:
            shown.append(text[start:end].strip())
        else:
            shown.append(_PART_OF_A_CHARACTER + text[done:end])
        done = max(done, end)
    return tuple(shown)
