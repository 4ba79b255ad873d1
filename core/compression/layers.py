"""Depth: which layers a student takes over from its teacher by a fixed pattern, and taking them.

`core.compression.measured_layers` chooses by what is measured instead.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from core.compression.cutting import cut
from core.errors import InputError
from core.models import LanguageModel

LayerSelection = Callable[[int, int, int], list[int]]
"""(layers there are, layers to keep, seed) → the kept ones, ascending."""


def _last(n: int, k: int, _seed: int) -> list[int]:
    return list(range(n - k, n))


def _first(_n: int, k: int, _seed: int) -> list[int]:
    return list(range(k))


def _stride(n: int, k: int, _seed: int) -> list[int]:
    """Floor(i · n / k): 0, 2, 4, … for half the layers, as even as can be otherwise."""
    return [i * n // k for i in range(k)]


def _first_last(n: int, k: int, _seed: int) -> list[int]:
    """Half from each end; of an odd number, one more from the first."""
    from_end = k // 2
    return [*range(k - from_end), *range(n - from_end, n)]


def _random(n: int, k: int, seed: int) -> list[int]:
    return sorted(random.Random(seed).sample(range(n), k))


LAYER_SELECTIONS: Mapping[str, LayerSelection] = {
    "last": _last,
    "first": _first,
    "stride": _stride,
    "first_last": _first_last,
    "random": _random,
}
"""Name in the recipe → selection. The paper takes `last` for mBERT and `stride` for XLM-R."""


def select_layers(n: int, k: int, how: str, seed: int) -> list[int]:
    """Choose which layers stay.

    Args:
        n: layers of the teacher.
        k: layers of the student.
        how: a name in `LAYER_SELECTIONS`.
        seed: decides the draw of `random`; the others don't use it.

    Returns:
        k distinct indices in 0 … n − 1, ascending.

    Raises:
        InputError: k is not in 1 … n, or there is no such selection.
    """
    if how not in LAYER_SELECTIONS:
        raise InputError(
            f"method.layer_selection is {how!r}, which doesn't exist.",
            hint=f"Choose one of: {', '.join(LAYER_SELECTIONS)}.",
        )
    check_count(n, k)
    return LAYER_SELECTIONS[how](n, k, seed)


def check_count(n: int, k: int) -> None:
    """Refuse to keep k layers of n where that can't be.

    Raises:
        InputError: k is not in 1 … n.
    """
    if not 1 <= k <= n:
        raise InputError(
            f"targets.layers is {k}, but the teacher has {n}.",
            hint=f"Choose 1 to {n}; the nearest is {min(max(k, 1), n)}.",
        )


def cut_layers(lm: LanguageModel, keep: Sequence[int], *, share: bool = False) -> LanguageModel:
    """A model of only these layers of `lm`, in this order, everything else the same; `lm` stays as it is.

    Args:
        lm: the model to cut.
        keep: its layers that the new model consists of.
        share: use the tensors in both models; then neither may be trained.
    """
    return cut(lm, replace(lm.sizes, layers=len(keep)), {}, layers=keep, share=share)
