"""Examples as sub-tokens: one window a text, as many as it takes a sentence, so that every token is seen."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from core.context import Context
from core.models import LanguageModel
from core.tasks.examples import Example, TextExample, TokenExample


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch of sub-tokens that fits into the model, and the labelled units that are read off it."""

    ids: tuple[int, ...]
    units: tuple[int, ...]
    """Their numbers, counted through the whole split: texts, or tokens."""
    positions: tuple[int, ...]
    """Where in `ids` each unit's first sub-token stands; empty for a text, which is read off all of it."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Windows side by side, padded to the longest."""

    input_ids: Tensor
    """(batch, seq)"""
    attention_mask: Tensor
    """(batch, seq); 1 for a token, 0 for padding."""
    units: Tensor
    """(units,)"""
    rows: Tensor
    """(units,); the window of each unit."""
    columns: Tensor | None
    """(units,); the position of each unit; None for texts."""

    def features(self, hidden: Tensor) -> Tensor:
        """A vector a unit, shape (units, hidden), from hidden states of shape (batch, seq, hidden).

        A token's is its first sub-token's. A text's is the mean over all of it: the first position, which classifiers
        on BERT read, has never been trained for anything in a masked language model without next-sentence prediction.
        """
        if self.columns is not None:
            return hidden[self.rows, self.columns]
        mask = self.attention_mask.unsqueeze(-1).to(hidden.dtype)
        return (hidden * mask).sum(1) / mask.sum(1)


@dataclass(frozen=True, slots=True)
class Encoded:
    """A split's examples, ready for the model."""

    windows: tuple[Window, ...]
    lengths: tuple[int, ...]
    """Units of each example, in order: 1 for a text, its tokens for a sentence."""
    pad_id: int

    @property
    def sizes(self) -> tuple[int, ...]:
        """Length of each window, in sub-tokens."""
        return tuple(len(window.ids) for window in self.windows)

    def batches(self, chosen: Iterable[int], max_tokens: int, device: str) -> Iterator[Batch]:
        """The chosen windows, longest first, padded, at most `max_tokens` a batch (but at least one window)."""
        pending = sorted((self.windows[index] for index in chosen), key=lambda window: -len(window.ids))
        while pending:
            count = max(1, max_tokens // len(pending[0].ids))
            yield self._batch(pending[:count], device)
            pending = pending[count:]

    def _batch(self, windows: Sequence[Window], device: str) -> Batch:
        ids = torch.full((len(windows), len(windows[0].ids)), self.pad_id)
        mask = torch.zeros_like(ids)
        for row, window in enumerate(windows):
            ids[row, : len(window.ids)] = torch.tensor(window.ids)
            mask[row, : len(window.ids)] = 1
        units = torch.tensor([unit for window in windows for unit in window.units])
        rows = torch.tensor([row for row, window in enumerate(windows) for _ in window.units])
        positions = [position for window in windows for position in window.positions]
        return Batch(
            ids.to(device),
            mask.to(device),
            units.to(device),
            rows.to(device),
            torch.tensor(positions).to(device) if positions else None,
        )


def encode(examples: Sequence[Example], tokenizer: PreTrainedTokenizerBase, max_length: int) -> Encoded:
    """Tokenise a split.

    Args:
        examples: all texts or all sentences.
        tokenizer: the model's.
        max_length: sub-tokens a window at most, special ones included; longer texts are cut, longer sentences
            continue in further windows.
    """
    before, after = special_ids(tokenizer)
    capacity = max_length - len(before) - len(after)
    pieces: list[tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]] = []
    texts = [example.text for example in examples if isinstance(example, TextExample)]
    if texts:
        pieces = [(ids[:capacity], (unit,), ()) for unit, ids in enumerate(_sub_tokens(texts, tokenizer))]
    else:
        pieces = list(_token_pieces([e for e in examples if isinstance(e, TokenExample)], tokenizer, capacity))
    windows = tuple(
        Window(before + ids + after, units, tuple(len(before) + position for position in positions))
        for ids, units, positions in pieces
    )
    return Encoded(windows, tuple(len(example.labels) for example in examples), int(tokenizer.pad_token_id or 0))


def _token_pieces(
    examples: Sequence[TokenExample], tokenizer: PreTrainedTokenizerBase, capacity: int
) -> Iterator[tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]]:
    """Sub-tokens, units and positions of each window of each sentence."""
    words = sorted({token for example in examples for token in example.tokens})
    # Tokenizers treat the words of a split text one by one, so each distinct word needs to be looked at once. The space
    # tells those that mark a word's beginning (byte-level ones) that this is one; the others drop or expect it.
    pieces = dict(zip(words, _sub_tokens([f" {word}" for word in words], tokenizer), strict=True))
    unknown = (int(tokenizer.unk_token_id if tokenizer.unk_token_id is not None else tokenizer.pad_token_id or 0),)
    first = 0
    for example in examples:
        # A token of nothing but control characters has no sub-token, and yet wants a prediction.
        sentence = [pieces[token] or unknown for token in example.tokens]
        for start, stop, context in _spans([len(piece) for piece in sentence], capacity):
            ids: list[int] = []
            positions = []
            for index in range(context, stop):
                if index >= start:
                    positions.append(len(ids))
                ids.extend(sentence[index])
            yield tuple(ids[:capacity]), tuple(range(first + start, first + stop)), tuple(positions)
        first += len(sentence)


def _spans(lengths: Sequence[int], capacity: int) -> Iterator[tuple[int, int, int]]:
    """Parts a sentence into windows: (first token read, end, first token shown).

    All in one window where that fits. Else each window shows up to a quarter of tokens that were read before, as
    context. The first sub-token of every token that is read lies within `capacity`; of a token that is longer than
    the window the rest is cut.
    """
    start = 0
    while start < len(lengths):
        context, shown = start, 0
        while context > 0 and shown + lengths[context - 1] <= capacity // 4:
            context -= 1
            shown += lengths[context]
        stop = start
        while stop < len(lengths) and (stop == start or shown + lengths[stop] <= capacity):
            shown += lengths[stop]
            stop += 1
        yield start, stop, context
        start = stop


def _sub_tokens(texts: Sequence[str], tokenizer: PreTrainedTokenizerBase) -> list[tuple[int, ...]]:
    encoding = tokenizer(list(texts), add_special_tokens=False, return_attention_mask=False, verbose=False)
    return [tuple(ids) for ids in encoding["input_ids"]]


def special_ids(tokenizer: PreTrainedTokenizerBase) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """What the tokenizer puts before and after a text."""
    ids = tokenizer(tokenizer.mask_token)["input_ids"]
    middle = ids.index(tokenizer.mask_token_id)
    return tuple(ids[:middle]), tuple(ids[middle + 1 :])


def window_length(lm: LanguageModel) -> int:
    """Sub-tokens a window: what positions there are for, and what the tokenizer says the model was trained for."""
    return min(lm.max_length, int(min(lm.tokenizer.model_max_length, 2**31)))


def micro_batch_tokens(lm: LanguageModel) -> int:
    """Sub-tokens, padding included, that go through a model at once: bounds memory and the time until a stop.

    By the size of the layers, so that forward and backward take about a second on two cores; never by a clock, as
    what is added up in which order shapes the last bits of a result.
    """
    if lm.model.device.type != "cpu":
        return 16384
    sizes = lm.sizes
    weights = sizes.layers * sizes.hidden * (4 * sizes.hidden + 2 * sizes.feed_forward)
    return max(256, min(4096, 10**10 // weights))


def unit_features(lm: LanguageModel, encoded: Encoded, max_tokens: int, ctx: Context) -> Tensor:
    """The frozen model's vector of every unit, shape (units, hidden), float32; the model's mode stays as it was."""
    training = lm.model.training
    device = str(lm.model.device)
    result = torch.empty(sum(encoded.lengths), lm.sizes.hidden, device=device)
    lm.model.train(False)
    try:
        with torch.no_grad():
            for batch in encoded.batches(range(len(encoded.windows)), max_tokens, device):
                ctx.check()
                hidden = lm.hidden_states(batch.input_ids, batch.attention_mask)
                result[batch.units] = batch.features(hidden).float()
    finally:
        lm.model.train(training)
    return result
