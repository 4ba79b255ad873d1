"""How a BPE tokenizer puts its tokens together. No torch."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import cache
from itertools import pairwise
from typing import Any


class MergeTree:
    """The merges of a BPE model; says which tokens a token is built from.

    Where a text ends up with a token, the merges inside that token are those of the token's own characters alone: no
    merge crossed its borders, and among the others the order of ranks is the same. So what `parts` gives, together
    with the token, is all that a smaller tokenizer needs to end up there as well.

    Args:
        model: the `model` of a tokenizer.json.
    """

    def __init__(self, model: Mapping[str, Any]) -> None:
        self._ids: Mapping[str, int] = model["vocab"]
        self._prefix: str = model.get("continuing_subword_prefix") or ""
        self._suffix: str = model.get("end_of_word_suffix") or ""
        self._ranks = {_pair(merge): rank for rank, merge in enumerate(model["merges"])}

    def parts(self, piece: str) -> tuple[int, ...]:
        """Ids of the tokens that come and go while a piece is built, each once; none where no merges lead to it."""
        symbols = self._symbols(piece)
        passed = dict.fromkeys(symbols)
        while len(symbols) > 1:
            ranks = [self._ranks.get(pair, -1) for pair in pairwise(symbols)]
            possible = [rank for rank in ranks if rank >= 0]
            if not possible:
                return ()
            place = ranks.index(min(possible))  # of equal pairs the leftmost
            symbols[place : place + 2] = [self.merged(symbols[place], symbols[place + 1])]
            passed[symbols[place]] = None
        if symbols != [piece] or any(symbol not in self._ids for symbol in passed):
            return ()
        return tuple(self._ids[symbol] for symbol in passed if symbol != piece)

    def merged(self, left: str, right: str) -> str:
        """The piece that two neighbours become."""
        return left + right.removeprefix(self._prefix)

    def among(self, pieces: Collection[str]) -> list[list[str]]:
        """The merges of two of these pieces into a third, in the order of their ranks."""
        kept = set(pieces)
        return [
            [left, right]
            for left, right in sorted(self._ranks, key=self._ranks.__getitem__)  # of one listed twice the last counts
            if left in kept and right in kept and self.merged(left, right) in kept
        ]

    def _symbols(self, piece: str) -> list[str]:
        """What the piece consists of before the first merge."""
        bare = piece.removesuffix(self._suffix) if self._suffix else piece
        inside = bool(self._prefix) and bare.startswith(self._prefix) and len(bare) > len(self._prefix)
        symbols = list(bare.removeprefix(self._prefix) if inside else bare)
        symbols = [self._prefix + symbol if index or inside else symbol for index, symbol in enumerate(symbols)]
        if symbols and bare != piece:
            symbols[-1] += self._suffix
        return symbols


def _pair(merge: Any) -> tuple[str, str]:
    """A merge in either of the forms that tokenizer.json has had: ["a", "b"] or "a b"."""
    left, right = merge.split(" ") if isinstance(merge, str) else merge
    return left, right


@cache
def byte_characters() -> dict[str, int]:
    """The characters that stand for bytes in a byte-level vocabulary (GPT-2's table): printable ones for themselves."""
    printable = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    others = [byte for byte in range(256) if byte not in printable]
    return {chr(byte): byte for byte in printable} | {chr(256 + place): byte for place, byte in enumerate(others)}
