"""Examples as sub-tokens, in as many windows as it takes, so that every token is seen."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint
from transformers import PreTrainedTokenizerBase

from core.context import Context
from core.models import LanguageModel
from core.tasks.examples import Example, TextExample, TokenExample
from core.vocabulary.soundness import cutting


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
    """Windows side by side, padded to the longest; all windows of a text are in one batch."""

    input_ids: Tensor
    """(batch, seq)"""
    attention_mask: Tensor
    """(batch, seq); 1 for a token, 0 for padding."""
    units: Tensor
    """(units,)"""
    places: tuple[Tensor, Tensor] | None
    """Window and position of each unit's first sub-token, (units,) both; None for texts."""
    owners: Tensor
    """(batch,); the place in `units` of the text that a window is of."""

    def features(self, hidden: Tensor) -> Tensor:
        """A vector a unit, shape (units, hidden), from hidden states of shape (batch, seq, hidden).

        A token's is its first sub-token's. A text's is the mean over all of it, in however many windows: the first
        position, which classifiers on BERT read, has never been trained for anything in a masked language model
        without next-sentence prediction.
        """
        if self.places is not None:
            return hidden[self.places]
        return self.means(_sums(hidden, self.attention_mask))

    def means(self, sums: Tensor) -> Tensor:
        """The mean over each text's tokens, shape (units, hidden), from sums over each window's, (batch, hidden)."""
        counts = self.attention_mask.new_zeros(len(self.units)).index_add(0, self.owners, self.attention_mask.sum(1))
        totals = sums.new_zeros(len(self.units), sums.shape[1]).index_add(0, self.owners, sums)
        return totals / counts.unsqueeze(1).to(sums.dtype)


def _sums(hidden: Tensor, attention_mask: Tensor) -> Tensor:
    return (hidden * attention_mask.unsqueeze(-1).to(hidden.dtype)).sum(1)


@dataclass(frozen=True, slots=True)
class Encoded:
    """A split's examples, ready for the model."""

    items: tuple[tuple[Window, ...], ...]
    """What is drawn at random: a text, with all its windows, or one window of a sentence."""
    lengths: tuple[int, ...]
    """Units of each example, in order: 1 for a text, its tokens for a sentence."""
    pad_id: int

    @property
    def windows(self) -> tuple[Window, ...]:
        """Every window, in order."""
        return tuple(window for item in self.items for window in item)

    @property
    def sizes(self) -> tuple[int, ...]:
        """Length of each item, in sub-tokens."""
        return tuple(sum(len(window.ids) for window in item) for item in self.items)

    def batches(self, chosen: Iterable[int], max_tokens: int, device: str) -> Iterator[Batch]:
        """The chosen items, those with the longest windows first, padded.

        A batch has at most `max_tokens`, but at least one item: a text of many windows may be larger by itself (see
        `unit_vectors`).
        """
        pending = sorted((self.items[index] for index in chosen), key=lambda item: -len(item[0].ids))
        while pending:
            rows = max_tokens // len(pending[0][0].ids)
            count, used = 1, len(pending[0])
            while count < len(pending) and used + len(pending[count]) <= rows:
                used += len(pending[count])
                count += 1
            yield self._batch(pending[:count], device)
            pending = pending[count:]

    def _batch(self, items: Sequence[Sequence[Window]], device: str) -> Batch:
        windows = [window for item in items for window in item]
        ids = torch.full((len(windows), len(windows[0].ids)), self.pad_id)
        mask = torch.zeros_like(ids)
        for row, window in enumerate(windows):
            ids[row, : len(window.ids)] = torch.tensor(window.ids)
            mask[row, : len(window.ids)] = 1
        owners = torch.tensor([place for place, item in enumerate(items) for _ in item])
        places = None
        if windows[0].positions:
            units = [unit for window in windows for unit in window.units]
            rows = torch.tensor([row for row, window in enumerate(windows) for _ in window.units])
            columns = torch.tensor([position for window in windows for position in window.positions])
            places = rows.to(device), columns.to(device)
        else:
            units = [item[0].units[0] for item in items]
        return Batch(ids.to(device), mask.to(device), torch.tensor(units).to(device), places, owners.to(device))


def encode(
    examples: Sequence[Example], tokenizer: PreTrainedTokenizerBase, max_length: int, *, cut: bool = False
) -> Encoded:
    """Tokenise a split.

    A text that is too long for one window is parted evenly into as few as it takes, which share nothing; they are
    read together (see `Batch`). A sentence that is too long continues in further windows, which show some of what came
    before.

    Args:
        examples: all texts or all sentences.
        tokenizer: the model's.
        max_length: sub-tokens a window at most, special ones included.
        cut: leave out what doesn't fit into a text's first window.
    """
    before, after = special_ids(tokenizer)
    capacity = max_length - len(before) - len(after)

    def window(ids: tuple[int, ...], units: tuple[int, ...], positions: tuple[int, ...] = ()) -> Window:
        return Window(before + ids + after, units, tuple(len(before) + position for position in positions))

    texts = [example.text for example in examples if isinstance(example, TextExample)]
    if texts:
        items = tuple(
            tuple(window(part, (unit,)) for part in _parts(ids[:capacity] if cut else ids, capacity))
            for unit, ids in enumerate(_sub_tokens(texts, tokenizer))
        )
    else:
        sentences = [example for example in examples if isinstance(example, TokenExample)]
        items = tuple((window(*piece),) for piece in _token_pieces(sentences, tokenizer, capacity))
    return Encoded(items, tuple(len(example.labels) for example in examples), int(tokenizer.pad_token_id or 0))


def _parts(ids: tuple[int, ...], capacity: int) -> Iterator[tuple[int, ...]]:
    """As few parts as fit, of like lengths, the longer ones first: none of them is a few tokens without context."""
    count = max(1, -(-len(ids) // capacity))
    length, more = divmod(len(ids), count)
    start = 0
    for number in range(count):
        stop = start + length + (number < more)
        yield ids[start:stop]
        start = stop


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
    with cutting(texts, tokenizer.backend_tokenizer):
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


def unit_vectors(lm: LanguageModel, batch: Batch, max_tokens: int, ctx: Context) -> Tensor:
    """The model's vector of every unit of a batch, shape (units, hidden), with its gradient.

    A text of more tokens than `max_tokens` goes through the model in parts. What a part keeps for the backward pass is
    computed a second time then, so that the memory is that of one part, and the gradient that of the whole text.

    Args:
        lm: in the mode that it should be in.
        batch: the windows.
        max_tokens: sub-tokens, padding included, that may go through the model at once.
        ctx: asked between parts whether to go on.
    """
    rows = max(1, max_tokens // batch.input_ids.shape[1])
    if len(batch.input_ids) <= rows:
        return batch.features(lm.hidden_states(batch.input_ids, batch.attention_mask))

    def part(ids: Tensor, mask: Tensor) -> Tensor:
        return _sums(lm.hidden_states(ids, mask), mask)

    sums = []
    for ids, mask in zip(batch.input_ids.split(rows), batch.attention_mask.split(rows), strict=True):
        ctx.check()
        sums.append(checkpoint(part, ids, mask, use_reentrant=False))
    return batch.means(torch.cat(sums))


def unit_features(lm: LanguageModel, encoded: Encoded, max_tokens: int, ctx: Context) -> Tensor:
    """The frozen model's vector of every unit, shape (units, hidden), float32; the model's mode stays as it was."""
    training = lm.model.training
    device = str(lm.model.device)
    result = torch.empty(sum(encoded.lengths), lm.sizes.hidden, device=device)
    lm.model.train(False)
    try:
        with torch.no_grad():
            for batch in encoded.batches(range(len(encoded.items)), max_tokens, device):
                ctx.check()
                result[batch.units] = unit_vectors(lm, batch, max_tokens, ctx).float()
    finally:
        lm.model.train(training)
    return result
