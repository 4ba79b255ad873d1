"""What a training stage does, and its learning rate at every step."""

from __future__ import annotations

import math
from dataclasses import dataclass

_VALIDATION_SHARE = 0.15
"""Validation tokens of a whole stage, as a share of its training tokens."""
_VALIDATION_TOKENS = (4_096, 65_536)
_EVALUATIONS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingSettings:
    """What one training stage, or a round of it, does; every `auto` is resolved."""

    stage: str
    begin: int = 0
    """The step that it starts from: a later round goes on counting."""
    steps: int
    """The step that it ends at."""
    batch_tokens: int
    learning_rate: float
    warmup_fraction: float
    decay: str = "linear"
    """"linear" or "cosine": how the learning rate falls to nothing."""
    evaluate_every: int
    """Steps between validations; 0: twenty times in all."""
    patience: int = 0
    """Validations in a row without a better loss after which it ends; 0: never early."""
    alpha: float
    """Weight of the masked-language loss where there is a teacher."""
    hidden_weight: float = 0.0
    """Weight of the distance between hidden states where there is a teacher."""
    dropout: bool = True
    """Whether the model's dropout is on while it learns."""
    seed: int
    bfloat16: bool

    @property
    def interval(self) -> int:
        """Steps between validations."""
        return self.evaluate_every or max(1, (self.steps - self.begin) // _EVALUATIONS)

    @property
    def validation_tokens(self) -> int:
        """Tokens of each validation during training; from the settings alone."""
        steps = self.steps - self.begin
        share = _VALIDATION_SHARE * steps * self.batch_tokens / (steps / self.interval + 1)
        low, high = _VALIDATION_TOKENS
        return int(min(high, max(low, share)))

    def rate(self, step: int) -> float:
        """Learning rate of a step: linear warm-up, then a fall to nothing at the end."""
        step, steps = step - self.begin, self.steps - self.begin
        warmup = round(steps * self.warmup_fraction)
        if step < warmup:
            return self.learning_rate * (step + 1) / (warmup + 1)
        left = (steps - step) / max(1, steps - warmup)
        return self.learning_rate * (left if self.decay == "linear" else (1 - math.cos(math.pi * left)) / 2)
