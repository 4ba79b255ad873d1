"""The reference's step, written anew from what is known of it (arXiv 2505.16956 and its public code's settings).

Every text is padded to the model's full length, teacher and student give logits at every place over the whole
vocabulary, and the squared error is taken of all of them, padding included.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from benchmarks.speed.cost import Block
from benchmarks.speed.models import Pair
from benchmarks.speed.texts import Ids

RATE = 5e-5
"""Learning rate."""
_ALPHA = 0.5
_MASKED = 0.15
_IGNORED = -100
"""A label that transformers leaves out of its loss."""


@dataclass(slots=True)
class Reference:
    """A student that learns as the reference does."""

    pair: Pair
    bfloat16: bool
    optimizer: torch.optim.Optimizer

    @property
    def length(self) -> int:
        """Tokens that every text is padded to."""
        return min(512, self.pair.student.max_length)

    def set_rate(self, share: float) -> None:
        """Set the learning rate to a share of `RATE`."""
        for group in self.optimizer.param_groups:
            group["lr"] = share * RATE

    def step(self, texts: Sequence[Ids]) -> float:
        """One optimiser step on a batch of texts; returns the loss."""
        tokenizer = self.pair.student.tokenizer
        ids, attention = _padded(texts, self.length, int(tokenizer.pad_token_id or 0))
        read, labels = _masked(ids, attention, tokenizer)
        # Called as transformers' models are, whose own forward makes logits everywhere and the loss of them.
        given = {"input_ids": read, "attention_mask": attention}
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=self.bfloat16):
            with torch.no_grad():
                wanted = self.pair.teacher.model.eval()(**given).logits
            said = self.pair.student.model.train()(**given, labels=labels)
            loss = _ALPHA * said.loss + (1 - _ALPHA) * F.mse_loss(said.logits, wanted)
        loss.backward()
        self.optimizer.step()
        self.optimizer.zero_grad()
        return float(loss.item())

    def block(self, texts: Sequence[Ids]) -> Block:
        """What a step on these texts reads."""
        lengths = [min(self.length, len(text)) for text in texts]
        # How many are masked is drawn anew each time, and of no account where logits are everywhere.
        return Block(len(texts), self.length, sum(lengths), sum(length**2 for length in lengths), 0)


def reference(pair: Pair, *, bfloat16: bool) -> Reference:
    """The reference's settings for a pair; weight decay is AdamW's own."""
    return Reference(pair, bfloat16, torch.optim.AdamW(pair.student.model.parameters(), lr=RATE))


def _padded(texts: Sequence[Ids], length: int, pad: int) -> tuple[Tensor, Tensor]:
    ids = torch.full((len(texts), length), pad)
    attention = torch.zeros(len(texts), length, dtype=torch.int64)
    for row, text in enumerate(texts):
        cut = torch.from_numpy(text[:length])
        ids[row, : len(cut)] = cut
        attention[row, : len(cut)] = 1
    return ids, attention


def _masked(ids: Tensor, attention: Tensor, tokenizer: PreTrainedTokenizerBase) -> tuple[Tensor, Tensor]:
    """What is read and what is to be said: BERT's masking, each token by a draw of its own."""
    special = torch.isin(ids, torch.tensor(tokenizer.all_special_ids)) | (attention == 0)
    chosen = (torch.rand(ids.shape) < _MASKED) & ~special
    fate = torch.rand(ids.shape)
    random = torch.randint(len(tokenizer), ids.shape)
    read = torch.where(chosen & (fate < 0.8), torch.tensor(tokenizer.mask_token_id), ids)
    read = torch.where(chosen & (fate >= 0.9), random, read)
    return read, torch.where(chosen, ids, torch.tensor(_IGNORED))
