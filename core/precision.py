"""Whether a processor multiplies faster in bfloat16: some do by a factor of three, others are sixty times slower."""

from __future__ import annotations

import time
from functools import cache

import torch

_PAYS = 1.5
"""Least factor at which it pays: casting weights and all that isn't a matrix product takes its share."""
_SIZES = (16, 512, 768)
"""Tokens of a first look, tokens of the measurement, and the width of the matrix."""
_REPEATS = 5


@cache
def bfloat16_gain() -> float:
    """How many times as fast the processor's matrix products are in bfloat16 as in float32; a moment's measurement."""
    few, many, width = _SIZES
    # Where bfloat16 is emulated the measurement itself would take seconds.
    return gain if (gain := _gain(few, width)) < 0.2 else _gain(many, width)


def bfloat16_pays() -> bool:
    """Whether a training step is faster in bfloat16 on this machine's processor."""
    return bfloat16_gain() >= _PAYS


def _gain(tokens: int, width: int) -> float:
    return _seconds(tokens, width, torch.float32) / _seconds(tokens, width, torch.bfloat16)


def _seconds(tokens: int, width: int, dtype: torch.dtype) -> float:
    """The fastest of a few products, so that what else runs on the machine hardly counts."""
    left, right = torch.ones(tokens, width, dtype=dtype), torch.ones(width, width, dtype=dtype)
    found = []
    for _ in range(_REPEATS + 1):
        begin = time.perf_counter()
        torch.nn.functional.linear(left, right)
        found.append(time.perf_counter() - begin)
    return min(found[1:])
