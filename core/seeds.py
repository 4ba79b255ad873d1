"""Seeds for every purpose from the recipe's one."""

from __future__ import annotations

import hashlib


def derive(seed: int, *purpose: object) -> int:
    """A seed for a purpose, in [0, 2**32): the same for the same words, unrelated for others."""
    text = "\0".join(str(word) for word in (seed, *purpose))
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=4).digest(), "big")
