"""Which tokens of a vocabulary one language needs, and the tokenizer that is left. No torch.

Trimming keeps the segmentation: both WordPiece (greedy longest match) and Unigram (best path) cut a text whose tokens
are all kept exactly as before, since dropping other tokens only takes rivals away.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer

from core.compression.alphabet import needed_characters
from core.context import Context
from core.errors import InputError
from core.families import family_of

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_CHUNK_TEXTS = 2000
_CHUNK_CHARACTERS = 250_000
_TOKENIZER_FILES = {"tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"}
_WORD_START = "▁"
_BYTES = {f"<0x{byte:02X}>" for byte in range(256)}


@dataclass(frozen=True, slots=True)
class TokenCounts:
    """What a corpus is made of, in a tokenizer's tokens; counts of two parts of it add up."""

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


@dataclass(frozen=True, slots=True)
class Selection:
    """The tokens to keep, and why."""

    kept: tuple[int, ...]
    """Old ids, ascending; a token's new id is its place here."""
    special: int
    """Tokens kept because the tokenizer or its rules name them."""
    alphabet: int
    """Tokens kept so that every character of the language can be spelt."""
    frequency: int
    """Tokens kept because the corpus uses them most."""
    distinct: int
    """Different tokens in the corpus."""
    coverage: float
    """Share of the corpus' tokens (each occurrence counts) that are kept, 0-1."""


def count_tokens(texts: Iterable[str], total: int, tokenizer: Tokenizer, ctx: Context) -> TokenCounts:
    """Count the tokens of a corpus, without special tokens, truncation or padding.

    Args:
        texts: the corpus.
        total: number of texts, for the progress report.
        tokenizer: what cuts the texts; it stays as it is.
        ctx: asked between chunks of texts.
    """
    tokenizer = _without_limits(tokenizer)
    ids = max(tokenizer.get_vocab(with_added_tokens=True).values()) + 1
    documents = np.zeros(ids, dtype=np.int64)
    occurrences = np.zeros(ids, dtype=np.int64)
    characters: Counter[str] = Counter()
    done = 0
    for chunk in _chunks(texts):
        ctx.check()
        encodings = tokenizer.encode_batch_fast(chunk, add_special_tokens=False)
        found = np.fromiter((token for encoding in encodings for token in encoding.ids), dtype=np.int64)
        text = np.repeat(np.arange(len(chunk)), [len(encoding) for encoding in encodings])
        occurrences += np.bincount(found, minlength=ids)
        documents += np.bincount(np.unique(text * ids + found) % ids, minlength=ids)
        for line in chunk:
            characters.update(tokenizer.normalizer.normalize_str(line) if tokenizer.normalizer else line)
        done += len(chunk)
        ctx.progress(done, total)
    return TokenCounts(documents, occurrences, done, characters)


def _without_limits(tokenizer: Tokenizer) -> Tokenizer:
    if tokenizer.truncation is None and tokenizer.padding is None:
        return tokenizer
    tokenizer = Tokenizer.from_str(tokenizer.to_str())
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def _chunks(texts: Iterable[str]) -> Iterator[list[str]]:
    chunk: list[str] = []
    characters = 0
    for text in texts:
        chunk.append(text)
        characters += len(text)
        if len(chunk) == _CHUNK_TEXTS or characters >= _CHUNK_CHARACTERS:
            yield chunk
            chunk, characters = [], 0
    if chunk:
        yield chunk


def choose_tokens(tokenizer_json: Mapping[str, Any], counts: TokenCounts, size: int) -> Selection:
    """The tokens of a vocabulary of `size`: special ones, the language's alphabet, then the most frequent.

    Frequency is document frequency (paper); of equally frequent tokens the lower id goes first. Tokens that the corpus
    doesn't hold are kept for the alphabet only, so the selection can be smaller than `size`.

    Args:
        tokenizer_json: content of the tokenizer.json that `counts` was made with.
        counts: what the language's corpus is made of.
        size: number of tokens to keep, special ones and alphabet included.

    Raises:
        InputError: `size` is too small for special tokens and alphabet, or the tokenizer is of an unsupported kind.
    """
    pieces = pieces_of(tokenizer_json)
    if len(counts.documents) <= max(pieces):
        raise ValueError(f"counts of {len(counts.documents)} ids don't belong to a vocabulary up to id {max(pieces)}")
    special = _special_ids(tokenizer_json)
    alphabet = _alphabet_ids(tokenizer_json["model"], pieces, counts.characters) - special
    must = special | alphabet
    if len(must) > size:
        raise InputError(
            f"A vocabulary of {size:,} is too small: {len(must):,} tokens are always kept "
            f"({len(special):,} special ones and {len(alphabet):,} for the alphabet of the corpus).",
            hint=f"The nearest allowed value is {len(must)}.",
        )
    order = np.lexsort((np.arange(len(counts.documents)), -counts.documents))
    wanted = (int(token) for token in order[: counts.distinct] if int(token) not in must)
    frequent = [token for token, _ in zip(wanted, range(size - len(must)), strict=False)]
    kept = tuple(sorted(must | set(frequent)))
    coverage = int(counts.occurrences[list(kept)].sum()) / max(counts.tokens, 1)
    return Selection(kept, len(special), len(alphabet), len(frequent), counts.distinct, coverage)


def pieces_of(tokenizer_json: Mapping[str, Any]) -> dict[int, str]:
    """Every token by id, added ones included.

    Raises:
        InputError: the tokenizer is neither WordPiece nor Unigram.
    """
    model = tokenizer_json["model"]
    if _kind(model) == "Unigram":
        pieces = {token: piece for token, (piece, _) in enumerate(model["vocab"])}
    else:
        pieces = {token: piece for piece, token in model["vocab"].items()}
    return pieces | {added["id"]: added["content"] for added in tokenizer_json.get("added_tokens", [])}


def unknown_id(tokenizer_json: Mapping[str, Any]) -> int | None:
    """The id that stands for text that can't be spelt; None if the tokenizer has none."""
    model = tokenizer_json["model"]
    unigram = _kind(model) == "Unigram"
    token: int | None = model.get("unk_id") if unigram else model["vocab"].get(model["unk_token"])
    return token


def _kind(model: Mapping[str, Any]) -> str:
    kind = model.get("type")
    if kind not in ("WordPiece", "Unigram"):
        raise InputError(
            f"The vocabulary of a {kind} tokenizer can't be trimmed: not supported yet.",
            hint="Choose a teacher with a WordPiece (BERT, DistilBERT) or Unigram (XLM-R) tokenizer.",
        )
    return str(kind)


def _special_ids(tokenizer_json: Mapping[str, Any]) -> set[int]:
    special = {int(added["id"]) for added in tokenizer_json.get("added_tokens", [])}
    for processor in _processors(tokenizer_json.get("post_processor") or {}):
        special |= {token for entry in processor.get("special_tokens", {}).values() for token in entry["ids"]}
        special |= {processor[name][1] for name in ("sep", "cls") if name in processor}
    if tokenizer_json.get("padding"):
        special.add(tokenizer_json["padding"]["pad_id"])
    unknown = unknown_id(tokenizer_json)
    return special if unknown is None else special | {unknown}


def _alphabet_ids(model: Mapping[str, Any], pieces: Mapping[int, str], characters: Mapping[str, int]) -> set[int]:
    prefix = model.get("continuing_subword_prefix") or ""
    single = {token: piece.removeprefix(prefix) for token, piece in pieces.items()}
    single = {token: piece for token, piece in single.items() if len(piece) == 1}
    needed = needed_characters(set(single.values()), characters)
    alphabet = {token for token, character in single.items() if character in needed}
    if model.get("type") == "Unigram":
        alphabet |= {token for token, piece in pieces.items() if piece == _WORD_START}
        # Text that can't be spelt costs the smallest score minus 10, so that score stays what it is.
        scores = [score for _, score in model["vocab"]]
        lowest = min(scores)
        if all(scores[token] > lowest for token in alphabet):
            alphabet.add(scores.index(lowest))
    if model.get("byte_fallback"):
        alphabet |= {token for token, piece in pieces.items() if piece in _BYTES}
    return alphabet


def rewrite_tokenizer(tokenizer_json: Mapping[str, Any], kept: Sequence[int]) -> dict[str, Any]:
    """tokenizer.json with the kept tokens only, numbered 0, 1, … in their order; all else stays as it is.

    Args:
        tokenizer_json: content of the original's tokenizer.json; it stays as it is.
        kept: old ids, ascending, every special token among them (`choose_tokens` gives such).

    Raises:
        InputError: the tokenizer is neither WordPiece nor Unigram.
        ValueError: `kept` isn't ascending, lacks a special token, or holds an id that the vocabulary lacks.
    """
    new_id = _numbering(kept)
    if lost := _special_ids(tokenizer_json) - new_id.keys():
        raise ValueError(f"the kept ids lack the special tokens {sorted(lost)}")
    if strange := new_id.keys() - pieces_of(tokenizer_json).keys():
        raise ValueError(f"the vocabulary has no tokens of the ids {sorted(strange)[:10]}")
    model = dict(tokenizer_json["model"])
    if model["type"] == "Unigram":
        model["vocab"] = [model["vocab"][token] for token in kept if token < len(model["vocab"])]
        if model["unk_id"] is not None:
            model["unk_id"] = new_id[model["unk_id"]]
    else:
        by_id = {token: piece for piece, token in model["vocab"].items()}
        model["vocab"] = {by_id[token]: new_id[token] for token in kept if token in by_id}
    added = [entry | {"id": new_id[entry["id"]]} for entry in tokenizer_json.get("added_tokens", [])]
    rewritten = dict(tokenizer_json) | {"added_tokens": added, "model": model}
    if tokenizer_json.get("post_processor"):
        rewritten["post_processor"] = _renumbered(tokenizer_json["post_processor"], new_id)
    if tokenizer_json.get("padding"):
        rewritten["padding"] = tokenizer_json["padding"] | {"pad_id": new_id[tokenizer_json["padding"]["pad_id"]]}
    return rewritten


def _numbering(kept: Sequence[int]) -> dict[int, int]:
    if any(after <= before for before, after in pairwise(kept)):
        raise ValueError("the kept ids must ascend")
    return {old: new for new, old in enumerate(kept)}


def _processors(processor: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield processor
    for part in processor.get("processors", []):
        yield from _processors(part)


def _renumbered(processor: Mapping[str, Any], new_id: Mapping[int, int]) -> dict[str, Any]:
    changed = dict(processor)
    if "processors" in processor:
        changed["processors"] = [_renumbered(part, new_id) for part in processor["processors"]]
    if "special_tokens" in processor:
        changed["special_tokens"] = {
            name: entry | {"ids": [new_id[token] for token in entry["ids"]]}
            for name, entry in processor["special_tokens"].items()
        }
    for name in ("sep", "cls"):
        if name in processor:
            piece, token = processor[name]
            changed[name] = [piece, new_id[token]]
    return changed


def trim_tokenizer(tokenizer: PreTrainedTokenizerBase, kept: Sequence[int]) -> PreTrainedTokenizerBase:
    """The tokenizer with the kept tokens only, of the same class where that class rebuilds it faithfully.

    Args:
        tokenizer: a fast tokenizer; it stays as it is.
        kept: old ids, ascending, every special token among them.

    Raises:
        InputError: the tokenizer is neither WordPiece nor Unigram.
    """
    from transformers import TokenizersBackend

    rewritten = json.dumps(rewrite_tokenizer(backend_json(tokenizer), kept), ensure_ascii=False)
    backend = Tokenizer.from_str(rewritten)
    for kind in (type(tokenizer), TokenizersBackend):
        with TemporaryDirectory() as name:
            folder = Path(name)
            tokenizer.save_pretrained(folder)
            for stale in [path for path in folder.iterdir() if path.name not in _TOKENIZER_FILES]:
                stale.unlink()
            (folder / "tokenizer.json").write_text(rewritten, encoding="utf-8")
            _set_class(folder / "tokenizer_config.json", kind.__name__)
            trimmed = kind.from_pretrained(folder, local_files_only=True)
        if backend_json(trimmed) == json.loads(backend.to_str()):
            return trimmed  # type: ignore[no-any-return]
    raise RuntimeError("the trimmed tokenizer differs from what was written, after loading it")


def _set_class(path: Path, name: str) -> None:
    config = json.loads(path.read_text(encoding="utf-8"))
    config.pop("added_tokens_decoder", None)  # old ids; tokenizer.json holds the new ones
    config["tokenizer_class"] = name
    path.write_text(json.dumps(config, ensure_ascii=False, indent=2), encoding="utf-8")


def backend_json(tokenizer: PreTrainedTokenizerBase) -> dict[str, Any]:
    """Content of the tokenizer.json that a fast tokenizer would save."""
    return dict(json.loads(tokenizer.backend_tokenizer.to_str()))


def check_vocabulary(length: int, rows: int) -> None:
    """Refuse a tokenizer that names tokens which the model has no embedding for.

    Args:
        length: number of the tokenizer's tokens, added ones included.
        rows: number of the embedding's rows; rows beyond the tokenizer's are no fault.

    Raises:
        InputError: the tokenizer is longer than the embedding.
    """
    if length > rows:
        raise InputError(
            f"The tokenizer has {length:,} tokens, the model only {rows:,} embeddings.",
            hint="Take the tokenizer and the weights from the same model.",
        )


def remap_config(config: Mapping[str, Any], kept: Sequence[int]) -> dict[str, Any]:
    """config.json with its token ids renumbered; an id that isn't kept becomes null.

    The size of the vocabulary is left to the family's table.

    Raises:
        InputError: the padding id of a RoBERTa would move, where its positions start.
    """
    new_id = _numbering(kept)
    changed = dict(config)
    for key, value in config.items():
        if key.endswith("_token_id") and isinstance(value, list):
            changed[key] = [new_id[token] for token in value if token in new_id]
        elif key.endswith("_token_id") and value is not None:
            changed[key] = new_id.get(value)
    family = family_of(config)
    if family.position_offset < 0 and changed["pad_token_id"] != config["pad_token_id"]:
        raise InputError(
            f"The padding token would move from id {config['pad_token_id']} to {changed['pad_token_id']}, "
            f"and {family.name} counts positions from there.",
            hint="Choose a teacher whose first tokens are special ones, such as xlm-roberta-base.",
        )
    return changed


def check_segmentation(
    before: Tokenizer, after: Tokenizer, kept: Sequence[int], texts: Iterable[str], ctx: Context
) -> tuple[int, int]:
    """Compare both tokenizers on every text whose tokens are all kept, special tokens included.

    Returns:
        Number of texts, and of those among them whose tokens are all kept.

    Raises:
        RuntimeError: one of those is cut in another way (a fault of ours).
    """
    before, after = _without_limits(before), _without_limits(after)
    new_id = _numbering(kept)
    seen = comparable = 0
    for chunk in _chunks(texts):
        ctx.check()
        pairs = zip(chunk, before.encode_batch_fast(chunk), after.encode_batch_fast(chunk), strict=True)
        for text, old, new in pairs:
            seen += 1
            if all(token in new_id for token in old.ids):
                comparable += 1
                if [new_id[token] for token in old.ids] != new.ids:
                    raise RuntimeError(f"trimming changed the segmentation of {text[:200]!r}")
    return seen, comparable
