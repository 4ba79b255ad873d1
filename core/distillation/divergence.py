"""When a training has gone wrong, and how it goes on from its last good point."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

from core.errors import InputError
from core.wording import number

MOST_HALVINGS = 3
"""Of a stage's learning rate; what diverges at an eighth of it has another cause."""
_TIMES = 3
_ANEW = 'Start a new run with a lower schedule.learning_rate, or with schedule.precision = "float32".'


class Diverged(InputError):
    """The loss of a stage is no number any more, or far above that of a model that knows nothing."""

    def __init__(
        self, stage: str, step: int, seen: str, *, safe: str = "", resume: str = "", hint: str = _ANEW
    ) -> None:
        """Word what happened.

        Args:
            stage: where.
            step: the one after which it was seen.
            seen: as a clause, such as "the training loss is no number any more".
            safe: a sentence on what is kept.
            resume: what resuming does, where it goes on from a last good point.
            hint: what to do where it can't.
        """
        problem = f"Stage {stage} diverged at step {step:,}: {seen}. {safe}".rstrip()
        super().__init__(problem, hint=resume or hint, kind="diverged" if resume else "given_up")
        self.stage, self.step, self.seen = stage, step, seen


@dataclass(frozen=True, slots=True, kw_only=True)
class Divergence:
    """A training that went back to its last good point."""

    step: int
    """After which it was seen."""
    seen: str
    """As a clause."""
    back_to: int
    """The step of the last good point."""
    learning_rate: float
    """With which it went on."""

    def told(self, stage: str) -> str:
        """In a sentence."""
        return (
            f"Stage {stage} diverged at step {self.step:,} ({self.seen}): it went on from step {self.back_to:,}, its "
            f"best until then, with half the learning rate, {self.learning_rate:.3g}."
        )

    def to_json(self) -> dict[str, Any]:
        """As it stands in checkpoints and in a stage's report."""
        return asdict(self)


def exploded(total: float, first: float, vocabulary: int) -> str:
    """What to say of a validation loss that says that the training has gone wrong; empty where it hasn't.

    A model that knows nothing has a loss of ln(vocabulary) nats, and so does about every part of the weighted total;
    what a training begins with may be worse where the distance is that of logits. Three times the larger of both is
    reached by no model that still learns: a rate that is ten times too large ends at about ln(vocabulary), which is
    told as a loss that never fell.

    Args:
        total: of a validation.
        first: of the validation with which this training began.
        vocabulary: tokens of the model's.
    """
    if not math.isfinite(total):
        return "the validation loss is no number any more"
    if total <= _TIMES * max(first, math.log(vocabulary)):
        return ""
    return f"the validation loss is {number(total, 1)}, after {number(first, 3)} at the beginning"
