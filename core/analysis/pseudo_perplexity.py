"""Pseudo-perplexity: how surprised a masked language model is by each token of a text, given all the others.

Salazar et al. 2020, arXiv:1910.14659, section 2: PLL(W) = Σ_t log P(w_t | W without w_t), each token masked once;
the pseudo-perplexity of a corpus is exp(-Σ PLL / N), N being the number of tokens scored. Tokenizers cut the same text
into more or fewer tokens, so between them only exp(-Σ PLL / words) compares.

A text of n tokens is n masked copies. They are read many at a time, and only at the masked places are there logits.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from transformers import PreTrainedTokenizerBase

from core.analysis.allowances import MOST_SCORED
from core.context import Context
from core.corpus.batches import MaskedBatch, split
from core.distillation.validation import measure
from core.models import LanguageModel
from core.seeds import derive
from core.tasks.encoding import special_ids
from core.vocabulary.soundness import cutting

_WORDS, _CHARACTERS = 64, 400
"""Of a text, that are read: as in a sentence. What a token costs grows with the text around it."""

Window = tuple[int, ...]
"""Tokens that a model reads at once, special ones included."""


@dataclass(frozen=True, slots=True)
class PseudoPerplexity:
    """Of one model on some texts; None where it is beyond all numbers."""

    a_token: float | None
    a_word: float | None
    tokens: int
    """That were masked: all but special and unknown ones."""

    def to_json(self) -> dict[str, float | int | None]:
        """As results.json has it."""
        return {
            "pseudo_perplexity": self.a_token,
            "pseudo_perplexity_a_word": self.a_word,
            "pseudo_perplexity_tokens": self.tokens,
        }


def sampled(
    texts: Sequence[str], tokenizer: PreTrainedTokenizerBase, max_length: int, most_read: int, seed: int
) -> list[str]:
    """The beginnings of some texts, drawn at random: at least one.

    Args:
        texts: held-out texts, at least one.
        tokenizer: tells how long they are.
        max_length: tokens that a model reads at once, at most.
        most_read: tokens that their masked copies hold, at most, but for a first text that is longer.
        seed: of the draw.
    """
    order = random.Random(derive(seed, "pseudo-perplexity")).sample(range(len(texts)), len(texts))
    found: list[str] = []
    read = scored = 0
    for number in order:
        text = _beginning(texts[number])
        lengths = [len(window) for window in windows([text], tokenizer, max_length)]
        read += sum(length**2 for length in lengths)
        scored += sum(lengths)
        if found and (read > most_read or scored > MOST_SCORED):
            break
        found.append(text)
    return found


def _beginning(text: str) -> str:
    """A text up to some word; where words are long, or there are no spaces, up to some letter."""
    short = " ".join(text.split()[:_WORDS])
    if len(short) <= _CHARACTERS:
        return short
    whole, _, _ = short[: _CHARACTERS + 1].rpartition(" ")
    return whole or short[:_CHARACTERS]


def windows(texts: Sequence[str], tokenizer: PreTrainedTokenizerBase, max_length: int) -> list[Window]:
    """Texts as a model reads them; a longer one in several pieces, each with special tokens of its own."""
    before, after = special_ids(tokenizer)
    capacity = max_length - len(before) - len(after)
    with cutting(texts, tokenizer.backend_tokenizer):
        cut = tokenizer(list(texts), add_special_tokens=False, return_attention_mask=False, verbose=False)["input_ids"]
    pieces = [tuple(ids[start : start + capacity]) for ids in cut for start in range(0, len(ids), capacity)]
    return [before + piece + after for piece in pieces]


def masked_copies(read: Sequence[Window], tokenizer: PreTrainedTokenizerBase, micro_tokens: int) -> list[MaskedBatch]:
    """A copy of a window for each token that isn't special or unknown, in which this token is masked.

    Args:
        read: the windows.
        tokenizer: theirs.
        micro_tokens: largest padded size of a batch, as for `core.corpus.batches.split`.
    """
    special = set(tokenizer.all_special_ids)
    copies = [(window, place) for window in read for place, token in enumerate(window) if token not in special]
    parts = split(np.array([len(window) for window, _ in copies], dtype=np.int64), micro_tokens)
    return [_batch([copies[number] for number in part], tokenizer) for part in parts]


def _batch(copies: Sequence[tuple[Window, int]], tokenizer: PreTrainedTokenizerBase) -> MaskedBatch:
    width = max(len(window) for window, _ in copies)
    ids = torch.full((len(copies), width), int(tokenizer.pad_token_id or 0))
    attention = torch.zeros_like(ids)
    for row, (window, _) in enumerate(copies):
        ids[row, : len(window)] = torch.tensor(window)
        attention[row, : len(window)] = 1
    places = torch.tensor([row * width + place for row, (_, place) in enumerate(copies)])
    labels = ids.flatten()[places]
    ids.view(-1)[places] = int(tokenizer.mask_token_id or 0)
    return MaskedBatch(ids, attention, places, labels)


def pseudo_perplexity(
    lm: LanguageModel, texts: Sequence[str], max_length: int, micro_tokens: int, ctx: Context
) -> PseudoPerplexity | None:
    """A model's pseudo-perplexity on texts; None where it knows no token of them.

    Args:
        lm: the model, on the device that it is measured on.
        texts: as `sampled` gives them.
        max_length: tokens that it reads at once, at most.
        micro_tokens: that it reads at a time, padding included.
        ctx: asked between batches whether to go on.
    """
    batches = masked_copies(windows(texts, lm.tokenizer, max_length), lm.tokenizer, micro_tokens)
    tokens = sum(len(batch.labels) for batch in batches)
    if not tokens:
        return None
    loss = measure(lm, batches, ctx).mlm
    words = sum(len(text.split()) for text in texts)
    return PseudoPerplexity(_exp(loss), _exp(loss * tokens / words), tokens)


def _exp(nats: float) -> float | None:
    """None where a model has diverged, or what it says is larger than any number."""
    try:
        value = math.exp(nats)
    except OverflowError:
        return None
    return value if math.isfinite(value) else None
