"""How much of a text goes through a model at once, while it learns or is measured."""

from __future__ import annotations

import torch

from core.analysis.operations import Reading, forward, training
from core.corpus.batches import MASKED_SHARE
from core.families import Sizes
from core.models import LanguageModel

_OPERATIONS = {"cpu": 2e11}
"""Multiplications and additions a micro-batch may take: about a second or two, so that a wish is soon honoured."""
_OPERATIONS_ELSEWHERE = 2e13
_BFLOAT16 = 2
"""So many times the operations take as long in bfloat16, where it is chosen."""
_MOST_TOKENS = 8192
_TYPICAL_LENGTH = 128
"""Tokens of a text, where only an order of magnitude is wanted."""
_ACTIVATIONS = 1 << 30
"""Bytes that the activations of a micro-batch may take on the CPU, which every machine that trains can spare."""


def micro_tokens(
    lm: LanguageModel,
    device: str,
    teacher: LanguageModel | None = None,
    share: float = MASKED_SHARE,
    *,
    bfloat16: bool = False,
) -> int:
    """Largest size of a micro-batch, in tokens with padding: by operations and memory, on the CPU from sizes alone.

    So it is the same on every machine without a graphics card.

    Args:
        lm: the model that learns, or is measured.
        device: where it does; on "cuda" a third of the card's memory counts as free.
        teacher: one that reads the same batch first.
        share: of the tokens that are masked, 0 to 1.
        bfloat16: whether it computes in that.
    """
    text = Reading(tokens=1, squares=_TYPICAL_LENGTH, places=share, transformed=1)
    operations = 2 * training(lm.family, lm.sizes, text)
    if teacher is not None:
        operations += 2 * forward(teacher.family, teacher.sizes, text)
    budget = _OPERATIONS.get(device, _OPERATIONS_ELSEWHERE) * (_BFLOAT16 if bfloat16 else 1)
    memory = _ACTIVATIONS if device != "cuda" else torch.cuda.mem_get_info()[1] // 3
    return int(max(256, min(_MOST_TOKENS, budget / operations, memory / _activations(lm.sizes))))


def _activations(sizes: Sizes) -> int:
    """Bytes a token that a model keeps for its backward pass, in float32, about: what matrices and activations read."""
    return 4 * sizes.layers * (12 * sizes.hidden + 3 * sizes.feed_forward)
