"""What a corpus is made of, in a tokenizer's tokens. No torch."""

from __future__ import annotations

import json
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, count, islice
from pathlib import Path

import numpy as np
import numpy.typing as npt
from tokenizers import AddedToken, Tokenizer
from tokenizers.models import Unigram

from core.arrays import save_array
from core.context import Context
from core.errors import Stopped
from core.sealing import replace_folder, sealed, settle
from core.shared_cache import SAVE_SECONDS
from core.vocabulary.soundness import cutting
from core.vocabulary.splitting import splitter

_CHUNK_TEXTS, _CHUNK_CHARACTERS = 50_000, 8_000_000
"""Of which different words are cut once."""
_CUT_TEXTS, _CUT_CHARACTERS = 20_000, 250_000
"""Cut between two questions whether to go on."""
_TOGETHER, _TOGETHER_CHARACTERS = 64, 1000
"""Cut as one text."""
_Ids = npt.NDArray[np.int64]
_ARRAYS, _REST = "tokens.npy", "counts.json"
_SO_FAR = "counts"


@dataclass(frozen=True, slots=True)
class TokenCounts:
    """What a corpus is made of; counts of two parts of it add up."""

    documents: npt.NDArray[np.int64]
    """Number of texts that hold a token, by id; shape (ids)."""
    occurrences: npt.NDArray[np.int64]
    """Number of times a token occurs, by id; shape (ids)."""
    texts: int
    characters: Counter[str]
    """How often each character occurs, as the tokenizer's normalizer leaves it."""

    @property
    def tokens(self) -> int:
        """Number of tokens in the corpus."""
        return int(self.occurrences.sum())

    @property
    def distinct(self) -> int:
        """Number of different tokens in the corpus."""
        return int(np.count_nonzero(self.documents))

    def __add__(self, other: TokenCounts) -> TokenCounts:
        return TokenCounts(
            self.documents + other.documents,
            self.occurrences + other.occurrences,
            self.texts + other.texts,
            self.characters + other.characters,
        )

    def save(self, folder: Path) -> None:
        """Write two files into a folder."""
        save_array(folder / _ARRAYS, np.stack([self.documents, self.occurrences]))
        rest = {"texts": self.texts, "characters": self.characters}
        (folder / _REST).write_text(json.dumps(rest), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> TokenCounts:
        """What `save` wrote."""
        documents, occurrences = np.load(folder / _ARRAYS, allow_pickle=False)
        rest = json.loads((folder / _REST).read_text(encoding="utf-8"))
        return cls(documents, occurrences, rest["texts"], Counter(rest["characters"]))


def count_tokens(
    texts: Iterable[str], total: int, tokenizer: Tokenizer, ctx: Context, part: Path | None = None
) -> TokenCounts:
    """Count the tokens of a corpus, without special tokens, truncation or padding.

    Where the tokenizer cuts each word by itself, each different word of some megabytes is cut only once.

    Args:
        texts: the corpus.
        total: number of texts, for the progress report.
        tokenizer: what cuts the texts; it stays as it is.
        ctx: asked between chunks of texts.
        part: keeps what is counted so far, and has it where the count of the very same was stopped or killed; a folder
            of the caller's alone. None: it begins anew.
    """
    tokenizer = without_limits(tokenizer)
    ids = _end_of_ids(tokenizer)
    split = splitter(tokenizer)
    counts = _counted(part) or TokenCounts(np.zeros(ids, dtype=np.int64), np.zeros(ids, dtype=np.int64), 0, Counter())
    saved, then = counts.texts, time.monotonic()
    try:
        for chunk in chunks(islice(texts, counts.texts, None), _CHUNK_TEXTS, _CHUNK_CHARACTERS):
            ctx.check()
            ctx.progress(counts.texts, total)
            counts += _count(chunk, split, tokenizer, ids, ctx)
            if part is not None and time.monotonic() - then >= SAVE_SECONDS:
                replace_folder(part / _SO_FAR, counts.save, seal=True)
                saved, then = counts.texts, time.monotonic()
    except Stopped:
        if part is not None and counts.texts > saved:
            replace_folder(part / _SO_FAR, counts.save, seal=True)
        raise
    ctx.progress(counts.texts, total)
    return counts


def _counted(part: Path | None) -> TokenCounts | None:
    """What was counted before a stop or a kill; None where nothing whole is left of it."""
    if part is None:
        return None
    settle(part / _SO_FAR)
    return TokenCounts.load(part / _SO_FAR) if sealed(part / _SO_FAR) else None


def _end_of_ids(tokenizer: Tokenizer) -> int:
    """One more than the largest id."""
    if isinstance(tokenizer.model, Unigram):  # numbers its pieces 0, 1, …; listing 250,002 of them takes long
        return max(tokenizer.get_vocab_size(False), *(token + 1 for token in tokenizer.get_added_tokens_decoder()), 0)
    return max(tokenizer.get_vocab(with_added_tokens=True).values()) + 1


def _count(
    texts: Sequence[str], split: Callable[[str], list[str]], tokenizer: Tokenizer, ids: int, ctx: Context
) -> TokenCounts:
    index: dict[str, int] = defaultdict(count().__next__)  # a new part gets the next number
    parts_in: list[int] = []
    places: list[int] = []
    for text in texts:
        parts = split(text)
        parts_in.append(len(parts))
        places += map(index.__getitem__, parts)
    found: list[tuple[_Ids, _Ids]] = []
    normal: list[str] = []
    for some in chunks(index, _CUT_TEXTS, _CUT_CHARACTERS):
        ctx.check()
        with cutting(some, tokenizer):
            found.append(_cut(some, tokenizer))
            normal += map(tokenizer.normalizer.normalize_str, some) if tokenizer.normalizer else some
    tokens, lengths = map(np.concatenate, zip(*found, strict=True))
    uses = np.bincount(places, minlength=len(index))
    occurrences = np.bincount(tokens, weights=np.repeat(uses, lengths), minlength=ids).astype(np.int64)
    # Every text's different parts, then their tokens: text and token as one number, each pair once.
    places_in = np.repeat(np.arange(len(texts)), parts_in)
    holder, part = np.divmod(_distinct(places_in * len(index) + places), len(index))
    within = np.arange(int(lengths[part].sum())) - np.repeat(np.cumsum(lengths[part]) - lengths[part], lengths[part])
    held = tokens[np.repeat((np.cumsum(lengths) - lengths)[part], lengths[part]) + within]
    documents = np.bincount(_distinct(np.repeat(holder, lengths[part]) * ids + held) % ids, minlength=ids)
    return TokenCounts(documents, occurrences, len(texts), _characters(normal, uses))


def _cut(parts: Sequence[str], tokenizer: Tokenizer) -> tuple[_Ids, _Ids]:
    """The tokens of all parts, one after the other, and how many each part has.

    Many short parts are cut at once, with a special token behind each: a tokenizer cuts what stands between such
    tokens by itself, and a call costs as much as a short part.
    """
    mark = next((token for token in tokenizer.get_added_tokens_decoder().items() if _parts_texts(token[1])), None)
    if mark is not None:
        text = mark[1].content
        joined = [text.join([*group, ""]) for group in chunks(parts, _TOGETHER, _TOGETHER_CHARACTERS)]
        tokens, _ = _encoded(joined, tokenizer)
        ends = np.flatnonzero(tokens == mark[0])
        # More where a part holds the mark itself, fewer where the tokenizer is set to read it as text.
        if len(ends) == len(parts) and not any(text in part for part in parts):
            return np.delete(tokens, ends), np.diff(ends, prepend=-1) - 1
    return _encoded(parts, tokenizer)


def _parts_texts(token: AddedToken) -> bool:
    return token.special and not (token.normalized or token.lstrip or token.rstrip or token.single_word)


def _encoded(texts: Sequence[str], tokenizer: Tokenizer) -> tuple[_Ids, _Ids]:
    found = [encoding.ids for encoding in tokenizer.encode_batch_fast(texts, add_special_tokens=False)]
    lengths = np.array([len(tokens) for tokens in found], dtype=np.int64)
    return np.fromiter(chain.from_iterable(found), dtype=np.int64, count=int(lengths.sum())), lengths


def _distinct(numbers: _Ids) -> _Ids:
    """Each number once, ascending; numpy's own takes ten times as long for so many different ones."""
    ordered = np.sort(numbers)
    return ordered[np.flatnonzero(np.diff(ordered, prepend=-1))]


def _characters(parts: Sequence[str], uses: npt.NDArray[np.int64]) -> Counter[str]:
    """How often each character occurs, each part as often as it is used."""
    codes = np.frombuffer("".join(parts).encode("utf-32-le"), dtype="<u4")
    totals = np.bincount(codes, weights=np.repeat(uses, [len(part) for part in parts]))
    return Counter({chr(code): int(totals[code]) for code in np.flatnonzero(totals)})


def without_limits(tokenizer: Tokenizer) -> Tokenizer:
    """The tokenizer, or a copy of it where it truncates or pads."""
    if tokenizer.truncation is None and tokenizer.padding is None:
        return tokenizer
    tokenizer = Tokenizer.from_str(tokenizer.to_str())
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def chunks(texts: Iterable[str], most: int = _CUT_TEXTS, characters: int = _CUT_CHARACTERS) -> Iterator[list[str]]:
    """The texts in lists of so many texts and about so many characters; as it is, each takes a fraction of a second."""
    chunk: list[str] = []
    held = 0
    for text in texts:
        chunk.append(text)
        held += len(text)
        if len(chunk) == most or held >= characters:
            yield chunk
            chunk, held = [], 0
    if chunk:
        yield chunk
