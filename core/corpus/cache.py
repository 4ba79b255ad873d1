"""Texts tokenised once on a machine, kept on disk and mapped into memory. No torch."""

from __future__ import annotations

import hashlib
import itertools
import json
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import tokenizers
from tokenizers import Tokenizer

from core.arrays import save_array
from core.context import Context
from core.corpus.prepare import TextFile
from core.corpus.token_file import TokenFile
from core.errors import InputError, Stopped
from core.events import Message
from core.sealing import write_json
from core.shared_cache import SAVE_SECONDS, kept, part_of, shared_folder
from core.vocabulary.soundness import cutting

_IDS = "ids"
_OFFSETS = "offsets.npy"
_COUNTS = "counts.json"
_KIND = "tokens"
_CHUNK_TEXTS = 512
_CHUNK_CHARACTERS = 200_000
_VERSION = 2
"""Part of what a reused cache must agree in: count up when what `_write` writes changes."""


class TokenCache:
    """Tokenised texts; text `i` is `cache[i]`, special tokens included.

    On disk: `ids.uint16` or `ids.uint32`, all tokens one after the other (little-endian), and `offsets.npy`, where
    each text begins, with the end of the last; int64, shape (texts + 1,). `counts.json` is for `tokenise` to tell.

    Args:
        folder: what `tokenise` made.
    """

    def __init__(self, folder: Path) -> None:
        (path,) = folder.glob(f"{_IDS}.*")
        mapped = np.memmap(path, dtype=_on_disk(path.suffix[1:]), mode="r")
        self._ids = mapped.view(np.ndarray)  # slices of a memmap object cost ten times as much
        self._offsets: npt.NDArray[np.int64] = np.load(folder / _OFFSETS, allow_pickle=False)

    def __len__(self) -> int:
        return len(self._offsets) - 1

    def __getitem__(self, index: int) -> npt.NDArray[np.unsignedinteger]:
        return self._ids[self._offsets[index] : self._offsets[index + 1]]

    @property
    def lengths(self) -> npt.NDArray[np.int64]:
        """Tokens of each text, shape (texts,)."""
        return np.diff(self._offsets)

    @property
    def tokens(self) -> int:
        """Tokens of all texts together."""
        return int(self._offsets[-1])

    def counts(self, vocabulary: int) -> npt.NDArray[np.int64]:
        """How often each token occurs, shape (vocabulary,)."""
        total = np.zeros(vocabulary, dtype=np.int64)
        for start in range(0, len(self._ids), 1 << 20):
            total += np.bincount(self._ids[start : start + (1 << 20)], minlength=vocabulary)
        return total


def tokenise(texts: TextFile, tokenizer: Tokenizer, max_length: int, folder: Path, ctx: Context) -> TokenCache:
    """Tokenise a file of texts, or find what an earlier run on this machine made of it.

    A text longer than `max_length` becomes several that follow each other without overlap, each with special tokens
    of its own. Texts in which the tokenizer finds nothing are left out.

    Args:
        texts: the file.
        tokenizer: as it is, but for its own padding and truncation; it is not changed.
        max_length: tokens of a text at most, special ones included.
        folder: the run's own. Notes what was told already, and holds the tokens where the machine's cache can't.
        ctx: told how many tokens there are, once a folder.

    Raises:
        InputError: the tokenizer finds no tokens at all, or its special tokens alone fill `max_length`.
    """
    special = tokenizer.num_special_tokens_to_add(is_pair=False)
    if max_length <= special:
        raise InputError(
            f"A length of {max_length} tokens leaves no place for text beside {special} special tokens.",
            hint="Raise corpus.max_length.",
        )
    plain = json.dumps(json.loads(tokenizer.to_str()) | {"padding": None, "truncation": None})
    # The library too: a cache outlives it, and another release may cut texts differently.
    content = json.dumps([_VERSION, tokenizers.__version__, plain, texts.sha256, max_length])
    key = hashlib.sha256(content.encode()).hexdigest()[:32]

    def fill(new: Path) -> None:
        own = Tokenizer.from_str(plain)
        own.enable_truncation(max_length)
        _write(texts, own, special, new, ctx)

    made = kept(shared_folder(), _KIND, key, fill, ctx, folder)
    cache = TokenCache(made)
    _tell(made, folder / f"{key}.told", ctx)
    return cache


def _tell(made: Path, told: Path, ctx: Context) -> None:
    """Say what the texts became, in the same words whoever tokenised them; not again for every stage of a run."""
    if told.exists():
        return
    counts = json.loads((made / _COUNTS).read_text(encoding="utf-8"))
    text = "Tokenised {texts:,} texts into {sequences:,} sequences with {tokens:,} tokens".format_map(counts)
    text += "; {without:,} without any token left out.".format_map(counts) if counts["without"] else "."
    ctx.emit(Message(level="info", text=text))
    told.parent.mkdir(parents=True, exist_ok=True)
    told.touch()


def _write(texts: TextFile, tokenizer: Tokenizer, special: int, folder: Path, ctx: Context) -> None:
    kind = "uint16" if tokenizer.get_vocab_size(with_added_tokens=True) <= 1 << 16 else "uint32"
    with TokenFile(part_of(folder), _on_disk(kind)) as made:
        _tokenise(texts, tokenizer, special, made, ctx)
        if made.offsets[-1] == 0:
            raise InputError(
                f"The tokenizer finds no tokens in the {len(texts)} texts of {texts.path}.",
                hint="Check that the texts are in the script of the language, and that the tokenizer is whole.",
            )
        made.move(folder / f"{_IDS}.{kind}")
    save_array(folder / _OFFSETS, np.frombuffer(made.offsets, dtype=np.int64))
    counts = {"sequences": len(made.offsets) - 1, "tokens": made.offsets[-1], "without": made.without}
    write_json(folder / _COUNTS, {"texts": len(texts), **counts})


def _tokenise(texts: TextFile, tokenizer: Tokenizer, special: int, made: TokenFile, ctx: Context) -> None:
    """Add the tokens of all texts that aren't done yet."""
    saved = time.monotonic()
    try:
        for chunk in _chunks(itertools.islice(texts, made.texts, None)):
            ctx.check()
            with cutting(chunk, tokenizer):
                encodings = tokenizer.encode_batch_fast(chunk)
            for encoding in encodings:
                if len(encoding.ids) == special:
                    made.without += 1
                    continue
                for window in (encoding, *encoding.overflowing):
                    made.add(window.ids)
            made.texts_done(len(chunk))
            ctx.progress(made.texts, len(texts))
            if time.monotonic() - saved >= SAVE_SECONDS:
                made.save()
                saved = time.monotonic()
    except Stopped:
        made.save()
        raise


def _chunks(texts: Iterable[str]) -> Iterator[list[str]]:
    """The texts in lists that are short enough to be tokenised between two questions whether to go on."""
    rest = iter(texts)
    while chunk := list(itertools.islice(rest, 1)):
        characters = len(chunk[0])
        while characters < _CHUNK_CHARACTERS and len(chunk) < _CHUNK_TEXTS:
            following = next(rest, None)
            if following is None:
                break
            chunk.append(following)
            characters += len(following)
        yield chunk


def _on_disk(kind: str) -> np.dtype[np.unsignedinteger]:
    return np.dtype(kind).newbyteorder("<")
