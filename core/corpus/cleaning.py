"""What a run takes of the texts that it reads, and what it drops: empty, too short, repeated, in another script.

No torch.
"""

from __future__ import annotations

import hashlib
import itertools
import re
import unicodedata
from array import array

# Control characters that are not whitespace, the byte-order mark, and halves of surrogate pairs (from JSON escapes).
_DROPPED = re.compile("[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\ufeff\ud800-\udfff]")


def clean(text: str) -> str:
    """A text in Unicode NFC, on one line, whitespace runs as one space, without control characters."""
    if _DROPPED.search(text):
        text = _DROPPED.sub("", text)
    return unicodedata.normalize("NFC", " ".join(text.split()))


def has_letters(text: str, least: int) -> bool:
    """Whether a text has so many letters (Unicode category L) at least."""
    return sum(1 for _ in itertools.islice(filter(str.isalpha, text), least)) == least


def text_hash(text: str, seed: int) -> int:
    """Eight bytes that stand for the text: its identity, and its place on one side of the split."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8, key=str(seed).encode()).digest(), "little")


class HashSet:
    """A set of hashes below 2**64 in 12 to 24 bytes each, where Python's own takes 60 to 100.

    Open addressing in 256 tables, each small enough to grow without a pause.
    """

    def __init__(self) -> None:
        self._tables = [array("Q", bytes(8 * 16)) for _ in range(256)]
        self._counts = [0] * 256

    def add(self, value: int) -> bool:
        """Put a hash in; whether it wasn't there."""
        value = value or 1  # 0 marks a free slot
        number = value & 0xFF
        table = self._tables[number]
        slot = self._slot(table, value)
        if table[slot]:
            return False
        table[slot] = value
        self._counts[number] += 1
        if 3 * self._counts[number] >= 2 * len(table):
            larger = array("Q", bytes(2 * 8 * len(table)))
            for old in filter(None, table):
                larger[self._slot(larger, old)] = old
            self._tables[number] = larger
        return True

    @staticmethod
    def _slot(table: array[int], value: int) -> int:
        """Where the hash is, or the free slot where it would go."""
        last = len(table) - 1
        slot = (value >> 8) & last
        while table[slot] not in (0, value):
            slot = (slot + 1) & last
        return slot
