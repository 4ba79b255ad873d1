"""What a step multiplies, and how fast this machine multiplies matrices of the same shapes."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F

from benchmarks.speed.models import Pair
from core.analysis.operations import (
    BACKWARD,
    Reading,
    forward,
    gram_pays,
    gram_places,
    gram_products,
    training,
)
from core.families import Sizes

_LEAST_SECONDS, _LEAST_TIMES = 0.03, 2
"""A product is repeated until both are reached, after a first one that doesn't count."""

Products = Counter[tuple[int, int, int]]
"""(rows, inner, columns) of a forward product → how often a step multiplies so much, backward passes counted too."""


@dataclass(frozen=True, slots=True)
class Block:
    """What one pass through the models reads."""

    rows: int
    width: int
    """Tokens of the longest text, as long as the others are made by padding."""
    tokens: int
    """Without padding."""
    squares: int
    """Sum of the texts' squared lengths, without padding."""
    masked: int

    @property
    def padded(self) -> int:
        """Tokens, padding included."""
        return self.rows * self.width


@dataclass(frozen=True, slots=True)
class Way:
    """What is computed where, as far as its cost goes."""

    everywhere: bool
    """The distance from the teacher is taken at every token, not only at masked ones."""
    hidden_states: bool
    """Hidden states are compared, through a map that learns."""
    all_logits: bool = False
    """Logits are computed at every place (the reference)."""


def multiplications(pair: Pair, blocks: Sequence[Block], way: Way, *, padding: bool) -> float:
    """Multiplications of an optimiser step, whatever the implementation saves or wastes beyond its way.

    Args:
        pair: teacher and student.
        blocks: what the step reads.
        way: where it computes what.
        padding: count what is spent on padding.
    """
    teacher, student = pair.teacher, pair.student
    own, theirs, family = student.sizes, teacher.sizes, teacher.family
    tokens = sum(block.padded if padding else block.tokens for block in blocks)
    squares = sum(block.padded * block.width if padding else block.squares for block in blocks)
    masked = sum(block.masked for block in blocks)
    total = 0.0
    if way.all_logits:
        asked = said = Reading(tokens, squares, tokens, tokens)
    elif way.everywhere:
        places = sum(block.tokens for block in blocks)
        if gram_pays(own.hidden, theirs.hidden, own.vocabulary, places):
            asked, said = Reading(tokens, squares, masked, places), Reading(tokens, squares, 0, places)
            total += gram_products(own.hidden, theirs.hidden, own.vocabulary)
            total += gram_places(own.hidden, theirs.hidden, places)
        else:
            asked = said = Reading(tokens, squares, places, places)
    else:
        asked = said = Reading(tokens, squares, masked, masked)
    total += training(family, own, asked) + forward(family, theirs, said)
    if way.hidden_states:
        total += (1 + BACKWARD) * sum(block.tokens for block in blocks) * own.layers * own.hidden * theirs.hidden
    return total


def products(pair: Pair, blocks: Sequence[Block], way: Way) -> Products:
    """The matrix products of a step, but for attention's."""
    own, theirs = pair.student.sizes, pair.teacher.sizes
    vocabulary, backward = own.vocabulary, 1 + BACKWARD
    found: Products = Counter()
    places = sum(block.tokens for block in blocks)
    gram = way.everywhere and gram_pays(own.hidden, theirs.hidden, vocabulary, places)
    for block in blocks:
        _add_layers(found, own, block.padded, backward)
        _add_layers(found, theirs, block.padded, 1)
        at = block.padded if way.all_logits else block.tokens if way.everywhere else block.masked
        found[at, own.hidden, own.hidden] += backward
        found[at, theirs.hidden, theirs.hidden] += 1
        found[block.masked if gram else at, own.hidden, vocabulary] += backward
        if gram:
            found[at, own.hidden + 1, own.hidden + theirs.hidden + 2] += backward
            found[at, theirs.hidden + 1, theirs.hidden + 1] += 1
        else:
            found[at, theirs.hidden, vocabulary] += 1
        if way.hidden_states:
            found[block.tokens, own.hidden, theirs.hidden] += backward * own.layers
    if gram:
        found[own.hidden + 1, vocabulary, own.hidden + theirs.hidden + 2] += backward
    return found


def _add_layers(found: Products, sizes: Sizes, rows: int, times: int) -> None:
    hidden, units = sizes.hidden, sizes.feed_forward
    found[rows, hidden, hidden] += 4 * sizes.layers * times
    found[rows, hidden, units] += sizes.layers * times
    found[rows, units, hidden] += sizes.layers * times


def rate(found: Products, dtype: torch.dtype) -> float:
    """Multiplications a second of this machine at these shapes: each counts by its share of the multiplications."""
    total = seconds = 0.0
    for (rows, inner, columns), times in found.items():
        if rows:
            total += times * rows * inner * columns
            seconds += times * _fastest(rows, inner, columns, dtype)
    return total / seconds


@torch.no_grad()
def _fastest(rows: int, inner: int, columns: int, dtype: torch.dtype) -> float:
    """Seconds of a product, the shortest of several."""
    left, right = torch.randn(rows, inner, dtype=dtype), torch.randn(columns, inner, dtype=dtype)
    F.linear(left, right)
    seconds: list[float] = []
    while sum(seconds) < _LEAST_SECONDS or len(seconds) < _LEAST_TIMES:
        start = time.perf_counter()
        F.linear(left, right)
        seconds.append(time.perf_counter() - start)
    return min(seconds)
