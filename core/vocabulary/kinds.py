"""What a tokenizer.json is made of: one small class a kind of tokenizer, and what they share. No torch."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any

from core.errors import InputError
from core.vocabulary.merges import MergeTree, byte_characters

_PREFIX, _SUFFIX = "continuing_subword_prefix", "end_of_word_suffix"
_WORD_START = "▁"
_BYTES = frozenset(f"<0x{byte:02X}>" for byte in range(256))


class Kind(ABC):
    """One tokenizer's vocabulary, as its kind keeps it.

    Args:
        tokenizer_json: content of a tokenizer.json; it stays as it is.
    """

    def __init__(self, tokenizer_json: Mapping[str, Any]) -> None:
        self._json = tokenizer_json
        self._model: Mapping[str, Any] = tokenizer_json["model"]

    @cached_property
    def own(self) -> dict[int, str]:
        """The model's pieces by id."""
        return {token: piece for piece, token in self._model["vocab"].items()}

    @cached_property
    def pieces(self) -> dict[int, str]:
        """Every token by id, added ones included."""
        return self.own | {added["id"]: added["content"] for added in self._json.get("added_tokens", [])}

    @property
    def unknown(self) -> int | None:
        """The id that stands for text that can't be spelt; None if the tokenizer has none."""
        token: int | None = self._model["vocab"].get(self._model.get("unk_token"))
        return token

    @cached_property
    def special(self) -> frozenset[int]:
        """Ids that the tokenizer names itself: added tokens, those of its post-processor, padding and unknown."""
        special = {int(added["id"]) for added in self._json.get("added_tokens", [])}
        for processor in processors(self._json.get("post_processor") or {}):
            special |= {token for entry in processor.get("special_tokens", {}).values() for token in entry["ids"]}
            special |= {processor[name][1] for name in ("sep", "cls") if name in processor}
        if self._json.get("padding"):
            special.add(self._json["padding"]["pad_id"])
        return frozenset(special if self.unknown is None else special | {self.unknown})

    @cached_property
    def characters(self) -> frozenset[str]:
        """The single characters that there is a token for."""
        return frozenset(text for piece in self.own.values() if len(text := self.spelt(piece)) == 1)

    def spelt(self, piece: str) -> str:
        """The text that a piece stands for; empty where that is only a part of a character."""
        return piece

    @property
    def spells_everything(self) -> bool:
        """Whether every character of every piece is a piece itself, in the form of its place: then no text is lost."""
        return True

    @cached_property
    def spells_bytes(self) -> bool:
        """Whether it has a token for every byte, so that any text can be spelt."""
        return bool(self._model.get("byte_fallback")) and set(self.own.values()) >= _BYTES

    @abstractmethod
    def always(self) -> set[int]:
        """Pieces that the segmentation of all text rests on, whatever the language."""

    def parts(self, token: int) -> tuple[int, ...]:
        """Ids that a token can't be put together without."""
        return ()

    @abstractmethod
    def trimmed(self, new_id: Mapping[int, int]) -> dict[str, Any]:
        """The `model` of the tokenizer.json with the tokens of `new_id` only.

        Args:
            new_id: old id → new id, ascending in both.
        """


class WordPiece(Kind):
    """Greedy longest match (BERT, DistilBERT); pieces inside a word carry a prefix."""

    @property
    def _prefix(self) -> str:
        return str(self._model[_PREFIX])

    def spelt(self, piece: str) -> str:
        """The piece without its prefix."""
        return piece.removeprefix(self._prefix)

    @cached_property
    def spells_everything(self) -> bool:
        """Whether a word is unknown only for a character of its own, never for its neighbours."""
        vocabulary = self._model["vocab"]
        for token, piece in self.own.items():
            if token in self.special:
                continue
            inside = piece.startswith(self._prefix) and piece != self._prefix
            for place, character in enumerate(self.spelt(piece) if inside else piece):
                if (self._prefix if inside or place else "") + character not in vocabulary:
                    return False
        return True

    def always(self) -> set[int]:
        """None: a word is matched by itself."""
        return set()

    def trimmed(self, new_id: Mapping[int, int]) -> dict[str, Any]:
        """The vocabulary with the new ids."""
        return {**self._model, "vocab": {self.own[old]: new for old, new in new_id.items() if old in self.own}}


class Unigram(Kind):
    """The path of the highest score (XLM-R); an id is a place in the list of pieces."""

    @cached_property
    def own(self) -> dict[int, str]:
        """The model's pieces by id."""
        return {token: piece for token, (piece, _) in enumerate(self._model["vocab"])}

    @property
    def unknown(self) -> int | None:
        """The model's `unk_id`."""
        token: int | None = self._model.get("unk_id")
        return token

    @cached_property
    def spells_everything(self) -> bool:
        """Whether every character of every piece is a piece."""
        pieces = set(self.own.values())
        return all(set(piece) <= pieces for token, piece in self.own.items() if token not in self.special)

    def always(self) -> set[int]:
        """The mark of a word's start, bytes where they are fallen back to, and the smallest score.

        Text that can't be spelt costs the smallest score minus 10, so a piece that has it stays.
        """
        scores = [score for _, score in self._model["vocab"]]
        wanted = {_WORD_START} | (_BYTES if self.spells_bytes else set())
        return {token for token, piece in self.own.items() if piece in wanted} | {scores.index(min(scores))}

    def trimmed(self, new_id: Mapping[int, int]) -> dict[str, Any]:
        """The kept places of the list."""
        kept = [self._model["vocab"][old] for old in new_id if old in self.own]
        return {**self._model, "vocab": kept, "unk_id": None if self.unknown is None else new_id[self.unknown]}


class BPE(Kind):
    """Merges by rank, over bytes (RoBERTa, ModernBERT) or characters (SentencePiece's, mmBERT)."""

    @cached_property
    def _is_byte_level(self) -> bool:
        steps = [*processors(self._json.get("pre_tokenizer") or {}), *processors(self._json.get("normalizer") or {})]
        return any(step.get("type") == "ByteLevel" for step in steps)

    @cached_property
    def spells_bytes(self) -> bool:
        """Whether it has a token for every byte, so that any text can be spelt."""
        return self._is_byte_level or super().spells_bytes

    @cached_property
    def _tree(self) -> MergeTree:
        return MergeTree(self._model)

    def spelt(self, piece: str) -> str:
        """The piece without prefix and suffix; where characters stand for bytes, the text that these are."""
        bare = piece.removeprefix(self._model.get(_PREFIX) or "").removesuffix(self._model.get(_SUFFIX) or "")
        if not self._is_byte_level:
            return bare
        try:
            return bytes(byte_characters()[character] for character in bare).decode()
        except (KeyError, UnicodeDecodeError):
            return ""

    def always(self) -> set[int]:
        """The mark of a word's start, and the bytes."""
        wanted = {_WORD_START}
        if self._is_byte_level:
            before, after = (("", self._model.get(name) or "") for name in (_PREFIX, _SUFFIX))
            wanted |= {f"{one}{byte}{two}" for byte in byte_characters() for one in before for two in after}
        elif self.spells_bytes:
            wanted |= _BYTES
        return {token for token, piece in self.own.items() if piece in wanted}

    def parts(self, token: int) -> tuple[int, ...]:
        """The tokens that merges pass on the way to this one."""
        return self._tree.parts(self.own[token]) if token in self.own else ()

    def trimmed(self, new_id: Mapping[int, int]) -> dict[str, Any]:
        """The vocabulary with the new ids, and every merge among it, in the order of the ranks."""
        vocabulary = {self.own[old]: new for old, new in new_id.items() if old in self.own}
        return {**self._model, "vocab": vocabulary, "merges": self._tree.among(vocabulary)}


KINDS: dict[str, type[Kind]] = {"WordPiece": WordPiece, "Unigram": Unigram, "BPE": BPE}


def kind_of(tokenizer_json: Mapping[str, Any]) -> Kind:
    """The vocabulary of a tokenizer.json.

    Raises:
        InputError: the tokenizer is of another kind, or cuts the same text in another way each time.
    """
    model = tokenizer_json["model"]
    if model.get("type") not in KINDS:
        raise InputError(
            f"The vocabulary of a {model.get('type')} tokenizer can't be trimmed.",
            hint="Choose a teacher with a WordPiece (BERT), Unigram (XLM-R) or BPE (RoBERTa, ModernBERT) tokenizer.",
        )
    if model.get("dropout"):
        raise InputError(
            f"The tokenizer drops merges by chance ({model['dropout']}), so nothing can be proved of it.",
            hint='Set "dropout" to null in its tokenizer.json.',
        )
    kind = KINDS[model["type"]](tokenizer_json)
    if len(kind.own) != len(model["vocab"]):
        raise InputError(
            "The tokenizer has the same id for several tokens.",
            hint="Take its tokenizer.json from where the model was published, or choose another teacher.",
        )
    if unnamed := sorted(kind.special - kind.pieces.keys()):
        raise InputError(
            f"The tokenizer puts the id {unnamed[0]} into every text, and has no token of this id.",
            hint="Take its tokenizer.json from where the model was published, or choose another teacher.",
        )
    # The library gives an added token that the model lacks the id after the model's last, whatever is written.
    misplaced = [token for token in kind.pieces.keys() - kind.own.keys() if token < max(kind.own, default=0)]
    if misplaced:
        raise InputError(
            f"The tokenizer's added token {kind.pieces[misplaced[0]]!r} has the id {misplaced[0]}, among those of the "
            "vocabulary: such a tokenizer numbers its tokens otherwise than its file says.",
            hint="Save the tokenizer anew with a current version of transformers, or choose another teacher.",
        )
    return kind


def processors(step: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """A step of a tokenizer.json, and those that it consists of."""
    yield step
    for name in ("processors", "pretokenizers", "normalizers"):
        for part in step.get(name, []):
            yield from processors(part)
