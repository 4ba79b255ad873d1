"""Batches by token budget: which texts a step takes, how they are split, which places are masked.

Every random choice is a hash of what it is for (seed, epoch or key, text, place), never the next number of a
stream. So any step can be had without those before it, and nothing depends on how a step was split for memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

VALIDATION_KEY = 2**63
"""The key of the masks for validation; a training step's key is its own and never reaches it."""

MASKED_SHARE = 0.15
"""Of the tokens of a text."""

_Ids = npt.NDArray[np.int64]
_Hashes = npt.NDArray[np.uint64]


class Texts(Protocol):
    """Tokenised texts, such as a `TokenCache`; text `i` is `texts[i]`, special tokens included."""

    @property
    def lengths(self) -> npt.NDArray[np.integer]:
        """Tokens of each text."""

    def __getitem__(self, index: int) -> npt.NDArray[np.integer]: ...


@dataclass(frozen=True, slots=True, eq=False)
class MaskedBatch:
    """Texts of similar length, padded on the right, with places to predict.

    Attributes:
        input_ids: what the model reads, masked; shape (batch, seq), int64.
        attention_mask: 1 for tokens, 0 for padding; shape (batch, seq), int64.
        positions: places to predict, as ascending indices into batch * seq; shape (masked,), int64.
        labels: the original tokens at `positions`; shape (masked,), int64.
    """

    input_ids: Tensor
    attention_mask: Tensor
    positions: Tensor
    labels: Tensor

    def to(self, device: torch.device | str) -> MaskedBatch:
        """The same batch on a device."""
        return MaskedBatch(
            self.input_ids.to(device),
            self.attention_mask.to(device),
            self.positions.to(device),
            self.labels.to(device),
        )

    def halves(self) -> list[MaskedBatch]:
        """The batch as two of half the texts each; alone where it is a single text."""
        texts, width = self.input_ids.shape
        if texts == 1:
            return [self]
        middle = texts // 2
        before = int((self.positions < middle * width).sum())
        return [
            MaskedBatch(
                self.input_ids[rows], self.attention_mask[rows], self.positions[places] - first, self.labels[places]
            )
            for rows, places, first in (
                (slice(None, middle), slice(None, before), 0),
                (slice(middle, None), slice(before, None), middle * width),
            )
        ]

    def renumbered(self, ids: npt.NDArray[np.integer]) -> MaskedBatch:
        """The same batch with token i written as `ids[i]`; padding too, which the attention mask hides."""
        table = torch.from_numpy(np.asarray(ids, dtype=np.int64))
        return MaskedBatch(table[self.input_ids], self.attention_mask, self.positions, table[self.labels])

    @property
    def tokens(self) -> int:
        """Number of tokens, padding left out."""
        return int(self.attention_mask.sum())


def bundles(lengths: npt.NDArray[np.integer], most_tokens: int, seed: int) -> list[_Ids]:
    """Part texts once and for all into bundles of like lengths, which padding to the longest costs next to nothing.

    Whatever is computed of a bundle can be kept for the next epoch, as it comes again as it is.

    Args:
        lengths: tokens of each text, shape (texts,).
        most_tokens: largest padded size of a bundle; a text that is longer is alone.
        seed: gives the order of texts of the same length; at least 0.

    Returns:
        The numbers of each bundle's texts; every text is in one, the longest in the first.
    """
    lengths = np.asarray(lengths, dtype=np.int64)
    order = np.lexsort((_hashes(seed, 0, np.arange(len(lengths))), -lengths))
    found, begin = [], 0
    while begin < len(order):
        end = begin + max(1, most_tokens // int(lengths[order[begin]]))
        found.append(order[begin:end])
        begin = end
    return found


class StepPlan:
    """Which texts each optimiser step takes: a pure function of lengths, budget and seed.

    An epoch is a seeded order of all texts, cut into a whole number of steps of as equal a number of tokens as
    texts allow: the number that brings a step nearest to `batch_tokens`. So every epoch takes every text once, no
    step is empty or a remainder, and a corpus smaller than a step is one step. Over an epoch of n steps the mean
    step differs from `batch_tokens` by a share of at most 1/(2n), for n > 1.

    Args:
        lengths: tokens of each text, shape (texts,); at least one text.
        batch_tokens: non-padding tokens that a step should hold.
        seed: gives the order of every epoch; at least 0.
    """

    def __init__(self, lengths: npt.NDArray[np.integer], batch_tokens: int, seed: int) -> None:
        if len(lengths) == 0 or batch_tokens < 1:
            raise ValueError("a plan needs at least one text and a budget of at least one token")
        self._lengths = np.asarray(lengths, dtype=np.int64)
        self._seed = seed
        self._total = int(self._lengths.sum())
        self._cut: tuple[int, list[_Ids]] = (-1, [])
        self.steps_per_epoch = min(len(lengths), max(1, round(self._total / batch_tokens)))

    def texts(self, step: int) -> _Ids:
        """The texts of a step, counted from 0 over all epochs."""
        epoch, within = divmod(step, self.steps_per_epoch)
        if self._cut[0] != epoch:
            self._cut = (epoch, self._cut_epoch(epoch))
        return self._cut[1][within]

    def _cut_epoch(self, epoch: int) -> list[_Ids]:
        hashes = _hashes(self._seed, epoch, np.arange(len(self._lengths)))
        order = np.argsort(hashes, kind="stable")
        starts = np.cumsum(self._lengths[order]) - self._lengths[order]
        steps = np.arange(1, self.steps_per_epoch)
        bounds = np.searchsorted(starts, steps * (self._total / self.steps_per_epoch))
        # A text longer than a step would leave the next one empty: every step keeps at least one text.
        bounds = np.maximum.accumulate(np.maximum(bounds - steps, 0)) + steps
        bounds = np.minimum(bounds, len(order) - self.steps_per_epoch + steps)
        return np.split(order, bounds)


def split(lengths: npt.NDArray[np.integer], micro_tokens: int) -> list[_Ids]:
    """Split the texts of a step into micro-batches of similar length, the longest first.

    Of all ways to cut the texts, sorted by length, the one with the smallest cost is taken: the padded tokens, and
    for each micro-batch a thirty-second of `micro_tokens` more, for what a pass costs however little it holds.

    Args:
        lengths: tokens of each text of the step, shape (texts,), each at least 1.
        micro_tokens: largest padded size of a micro-batch, its number of texts times its longest; a text that is
            longer is alone.

    Returns:
        For each micro-batch the places of its texts in `lengths`.
    """
    order = np.argsort(-np.asarray(lengths, dtype=np.int64), kind="stable")
    widths = np.asarray(lengths, dtype=np.int64)[order]
    cost = np.zeros(len(order) + 1, dtype=np.int64)  # of the best cut of the first so many texts
    begin = np.zeros(len(order) + 1, dtype=np.int64)  # where the last micro-batch of that cut begins
    for stop in range(1, len(order) + 1):
        first = stop - min(stop, max(1, micro_tokens // int(widths[stop - 1])))
        padded = np.arange(stop - first, 0, -1) * widths[first:stop]
        total = np.where(padded <= micro_tokens, cost[first:stop] + padded, np.iinfo(np.int64).max)
        total[-1] = cost[stop - 1] + padded[-1]  # a text alone is always allowed
        best = int(total.argmin())
        begin[stop] = first + best
        cost[stop] = total[best] + micro_tokens // 32
    batches = []
    stop = len(order)
    while stop > 0:
        batches.append(order[begin[stop] : stop])
        stop = int(begin[stop])
    return batches[::-1]


class Masker:
    """BERT's masking (Devlin et al. 2019, arXiv:1810.04805, section 3.1): 15 % of the tokens of every text, or more.

    Of a text with n ordinary tokens exactly max(1, round(share · n)) are chosen (halves up), none where n is 0. A
    chosen token becomes the mask token (80 %), a random ordinary token (10 %) or stays as it is (10 %).

    Args:
        vocabulary: number of tokens.
        mask_id: the mask token.
        special_ids: tokens that are never chosen and never stand in for others; `mask_id` need not be among them.
        seed: at least 0.
        share: of the ordinary tokens, in whole hundredths.
    """

    def __init__(
        self, vocabulary: int, mask_id: int, special_ids: Sequence[int], seed: int, share: float = MASKED_SHARE
    ) -> None:
        self._hundredths = round(100 * share)
        self._mask_id = mask_id
        self._seed = seed
        self._is_ordinary = np.ones(vocabulary, dtype=np.bool_)
        self._is_ordinary[[mask_id, *special_ids]] = False
        self._ordinary = np.flatnonzero(self._is_ordinary)
        if len(self._ordinary) == 0:
            raise ValueError("every token of the vocabulary is special")

    def mask(self, cache: Texts, texts: npt.NDArray[np.integer], key: int, pad_id: int) -> MaskedBatch:
        """Put texts into one padded batch and mask them.

        Args:
            cache: the tokenised texts.
            texts: which of them, in the order of the batch's rows; at least one.
            key: what sets these masks apart from others, such as the step; at least 0. A text's masks depend on
                seed, key and its own number alone, not on the texts beside it.
            pad_id: the padding token.
        """
        numbers = np.asarray(texts, dtype=np.int64)
        rows = [cache[int(text)] for text in numbers]
        lengths = np.array([len(row) for row in rows], dtype=np.int64)
        original = np.concatenate(rows).astype(np.int64)
        row = np.repeat(np.arange(len(rows)), lengths)
        column = np.arange(len(original)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        width = int(lengths.max())
        place = row * width + column

        hashes = _mix(np.repeat(_hashes(self._seed, key, numbers), lengths) + _step(column))
        chosen = self._choose(original, row, hashes, len(rows))
        masked = original.copy()
        masked[chosen] = self._replace(original[chosen], hashes[chosen])

        input_ids = np.full(len(rows) * width, pad_id, dtype=np.int64)
        input_ids[place] = masked
        attention_mask = np.zeros(len(rows) * width, dtype=np.int64)
        attention_mask[place] = 1
        shape = (len(rows), width)
        return MaskedBatch(
            torch.from_numpy(input_ids.reshape(shape)),
            torch.from_numpy(attention_mask.reshape(shape)),
            torch.from_numpy(place[chosen]),
            torch.from_numpy(original[chosen]),
        )

    def _choose(self, tokens: _Ids, row: _Ids, hashes: _Hashes, rows: int) -> _Ids:
        """Ascending indices of the chosen tokens: in each row those ordinary ones whose hashes are smallest."""
        candidates = np.flatnonzero(self._is_ordinary[tokens])
        row = row[candidates]
        ordinary = np.bincount(row, minlength=rows)
        wanted = np.where(ordinary > 0, np.maximum(1, (self._hundredths * ordinary + 50) // 100), 0)
        by_hash = np.lexsort((hashes[candidates], row))
        rank = np.arange(len(candidates)) - (np.cumsum(ordinary) - ordinary)[row]
        return np.sort(candidates[by_hash[rank < wanted[row]]])

    def _replace(self, tokens: _Ids, hashes: _Hashes) -> _Ids:
        """What the model reads in place of the chosen tokens."""
        # A token was chosen for its small hash: what happens to it takes fresh ones.
        fate = _mix(hashes + _step(1)) % np.uint64(10)
        stand_in = self._ordinary[_mix(hashes + _step(2)) % np.uint64(len(self._ordinary))]
        return np.where(fate < 8, self._mask_id, np.where(fate == 8, stand_in, tokens))


def validation_batches(
    cache: Texts, masker: Masker, micro_tokens: int, pad_id: int, limit_tokens: int | None = None
) -> list[MaskedBatch]:
    """The texts of a validation set with masks that never change, the longest first.

    Args:
        cache: the tokenised validation texts.
        masker: its seed gives the masks.
        micro_tokens: largest padded size of a batch, as for `split`.
        pad_id: the padding token.
        limit_tokens: take a fixed random part of the texts that holds at most so many tokens (one text at least).
    """
    lengths = np.asarray(cache.lengths, dtype=np.int64)
    texts = np.arange(len(lengths))
    if limit_tokens is not None:
        order = np.argsort(_hashes(0, VALIDATION_KEY, texts), kind="stable")
        fitting = int(np.searchsorted(np.cumsum(lengths[order]), limit_tokens, side="right"))
        texts = np.sort(order[: max(1, fitting)])
    return [
        masker.mask(cache, texts[part], key=VALIDATION_KEY, pad_id=pad_id)
        for part in split(lengths[texts], micro_tokens)
    ]


def _hashes(seed: int, key: int, numbers: _Ids) -> _Hashes:
    """A hash of (seed, key, number) for each number, as good as random."""
    base = np.random.SeedSequence(seed, spawn_key=(key,)).generate_state(1, np.uint64)
    return _mix(base + _step(numbers))


def _step(count: _Ids | int) -> _Hashes:
    """Where SplitMix64's counter is after `count` + 1 steps; shape of `count`, at least (1,)."""
    return (np.atleast_1d(count).astype(np.uint64) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)


def _mix(counter: _Hashes) -> _Hashes:
    """SplitMix64's output for a counter (Steele, Lea and Flood 2014, "Fast splittable pseudorandom generators")."""
    mixed = (counter ^ (counter >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))
