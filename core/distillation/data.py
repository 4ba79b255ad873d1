"""The texts of a training stage, ready for steps: which texts, in what micro-batches, masked where."""

from __future__ import annotations

from dataclasses import dataclass

from transformers import PreTrainedTokenizerBase

from core.corpus.batches import MASKED_SHARE, MaskedBatch, Masker, StepPlan, split, validation_batches
from core.corpus.cache import TokenCache
from core.seeds import derive


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
    """The micro-batches of every optimiser step of a stage; a pure function of the data, the seed and the step."""

    def __init__(self, data: TextData, stage: str, batch_tokens: int) -> None:
        """`stage` sets this stage's order and masks apart; `batch_tokens` is the budget of a step."""
        self._data = data
        self._plan = StepPlan(data.train.lengths, batch_tokens, derive(data.seed, stage, "order"))
        self._masker = data.masker(f"{stage} masks", data.masked_share)

    def __getitem__(self, step: int) -> list[MaskedBatch]:
        data, texts = self._data, self._plan.texts(step)
        parts = split(data.train.lengths[texts], data.micro_tokens)
        return [self._masker.mask(data.train, texts[part], key=step, pad_id=data.pad_id) for part in parts]
