"""How many masked tokens of some texts a model guesses: a quick look, without corpus and cache."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from tokenizers import Tokenizer

from core.context import Context
from core.corpus.batches import Masker, validation_batches
from core.distillation.validation import measure
from core.errors import InputError
from core.machine import usable_cores
from core.micro_batches import micro_tokens
from core.models import load
from core.vocabulary.rewriting import check_vocabulary
from core.vocabulary.soundness import cutting

_LENGTH = 256
"""Tokens of a text, at most; what follows is left out."""


@dataclass(frozen=True, slots=True)
class _Rows:
    """Tokenised texts, for batches."""

    rows: Sequence[npt.NDArray[np.int64]]

    @property
    def lengths(self) -> npt.NDArray[np.int64]:
        return np.array([len(row) for row in self.rows], dtype=np.int64)

    def __getitem__(self, index: int) -> npt.NDArray[np.int64]:
        return self.rows[index]


def masked_accuracy(folder: Path, texts: Sequence[str], seed: int, ctx: Context) -> float:
    """Share of the masked tokens (15 % of each text, masked as in validation) that a model guesses, 0-100.

    Args:
        folder: a model folder with weights.
        texts: what is masked.
        seed: of the masks.
        ctx: asked between batches whether to go on.

    Raises:
        InputError: the model can't be loaded, has no masked-language head, or knows none of the texts' tokens.
    """
    lm, has_head = load(folder, mapped=True)
    if not has_head:
        raise InputError("It has no masked-language head.", hint="Adapt it first, or choose another teacher.")
    check_vocabulary(len(lm.tokenizer), lm.sizes.vocabulary)
    torch.set_num_threads(usable_cores(torch.get_num_threads()))
    backend = Tokenizer.from_str(lm.tokenizer.backend_tokenizer.to_str())
    backend.enable_truncation(min(_LENGTH, lm.max_length))
    special = backend.num_special_tokens_to_add(is_pair=False)
    with cutting(texts, backend):
        encodings = backend.encode_batch_fast(list(texts))
    rows = [np.array(encoding.ids, dtype=np.int64) for encoding in encodings if len(encoding.ids) > special]
    if not rows:
        raise InputError("It finds no tokens in these texts.", hint="Choose a teacher that knows their script.")
    mask, pad = int(lm.tokenizer.mask_token_id or 0), int(lm.tokenizer.pad_token_id or 0)
    masker = Masker(len(lm.tokenizer), mask, lm.tokenizer.all_special_ids, seed)
    batches = validation_batches(_Rows(rows), masker, micro_tokens(lm, "cpu"), pad)
    return measure(lm, batches, ctx).accuracy
