"""The validation curve of a run, from its events. No torch."""

from __future__ import annotations

import math
from dataclasses import dataclass

from core.events import Loss
from core.run import RunFolder


@dataclass(frozen=True, slots=True)
class Curve:
    """One stage's masked-language loss on validation text, over the tokens that the run has learnt from."""

    stage: str
    points: tuple[tuple[int, float], ...]
    """Non-padding tokens since the run's first step, in all stages; nats."""


def validation_curves(folder: RunFolder) -> tuple[Curve, ...]:
    """A curve for each stage that trains, one behind the other; none of a run without such events.

    Losses of two runs compare where both have the same validation text, cut into the same tokens: the same corpus,
    seed and vocabulary.
    """
    found: dict[str, list[tuple[int, float]]] = {}
    for _, event in folder.read_events(holding=b'"validation"'):
        if isinstance(event, Loss) and event.split == "validation" and math.isfinite(event.mlm):
            found.setdefault(event.stage, []).append((event.tokens, event.mlm))
    curves, before = [], 0
    for stage, points in found.items():
        curves.append(Curve(stage, tuple((before + tokens, loss) for tokens, loss in points)))
        before += max(tokens for tokens, _ in points)
    return tuple(curves)
