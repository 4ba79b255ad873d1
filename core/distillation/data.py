"""The texts of a training stage, ready for steps: which texts, in what micro-batches, masked where."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from transformers import PreTrainedTokenizerBase

from core.corpus.batches import MASKED_SHARE, MaskedBatch, Masker, StepPlan, bundles, split, validation_batches
from core.corpus.cache import TokenCache
from core.seeds import derive

MASK_VARIANTS = 4
"""Ways in which a text is masked while a student learns from a teacher, whose answers to each are needed once."""
_BUNDLES = 4
"""Bundles of texts of like lengths that a step is made of, at least; of `_BUNDLE` tokens each where two fill a step."""
_BUNDLE = 512
"""Tokens below which a pass through a small model hardly takes less time."""


@dataclass(frozen=True, slots=True)
class TextData:
    """Tokenised training and validation texts with everything that makes batches of them."""

    train: TokenCache
    validation: TokenCache
    tokenizer: PreTrainedTokenizerBase
    seed: int
    micro_tokens: int
    """Largest padded size of a micro-batch."""
    masked_share: float = MASKED_SHARE
    """Of the tokens of a training text; of validation texts it is always the usual one, so that losses compare."""

    @property
    def pad_id(self) -> int:
        """The padding token."""
        return int(self.tokenizer.pad_token_id or 0)

    def masker(self, purpose: str, share: float = MASKED_SHARE) -> Masker:
        """The masks of a purpose; each has its own."""
        tokenizer = self.tokenizer
        mask_id, seed = int(tokenizer.mask_token_id or 0), derive(self.seed, purpose)
        return Masker(len(tokenizer), mask_id, tokenizer.all_special_ids, seed, share)

    def validation_batches(self, limit_tokens: int | None = None) -> list[MaskedBatch]:
        """Validation texts with fixed masks."""
        masker = self.masker("validation")
        return validation_batches(self.validation, masker, self.micro_tokens, self.pad_id, limit_tokens)


class Steps:
    """The micro-batches of every optimiser step of a stage; a pure function of the data, the seed and the step.

    A step takes several bundles of texts of like lengths; these bundles are the same in every epoch, and only their
    order changes.
    """

    def __init__(self, data: TextData, stage: str, batch_tokens: int, *, mask_variants: int = 0) -> None:
        """Plan a stage.

        Args:
            data: its texts.
            stage: sets this stage's order and masks apart.
            batch_tokens: the budget of a step.
            mask_variants: after so many epochs the masks come again, so that a teacher's answers do, too; 0: never.
        """
        self._data, self._variants = data, mask_variants
        lengths = data.train.lengths
        size = max(1, batch_tokens // _BUNDLES, _BUNDLE if batch_tokens >= 2 * _BUNDLE else 0)
        self._bundles = bundles(lengths, size, derive(data.seed, "bundles"))
        sizes = np.array([lengths[texts].sum() for texts in self._bundles])
        self._plan = StepPlan(sizes, batch_tokens, derive(data.seed, stage, "order"))
        self._masker = data.masker(f"{stage} masks", data.masked_share)

    def __getitem__(self, step: int) -> list[MaskedBatch]:
        data, variant = self._data, step // self.per_epoch
        if self._variants:
            variant %= self._variants
        return [
            self._masker.mask(data.train, texts[part], key=variant, pad_id=data.pad_id)
            for texts in (self._bundles[number] for number in self._plan.texts(step))
            for part in split(data.train.lengths[texts], data.micro_tokens)
        ]

    @property
    def per_epoch(self) -> int:
        """Steps in which every text comes once."""
        return self._plan.steps_per_epoch

    def repeated(self, begin: int, end: int) -> float:
        """Which share of the steps from `begin` to before `end` holds only what an earlier one of them held."""
        fresh = self._variants * self.per_epoch if self._variants else end - begin
        return max(0.0, 1 - fresh / max(1, end - begin))
