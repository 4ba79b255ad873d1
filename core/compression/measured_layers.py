"""Depth by measurement: the layers without which, or with only which, a model still predicts best untrained."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from core.compression.layers import LAYER_SELECTIONS, check_count, cut_layers
from core.compression.passes import frozen, hooked, masked_loss
from core.context import Context, Portion
from core.errors import InputError
from core.models import LanguageModel

if TYPE_CHECKING:
    from core.corpus.batches import MaskedBatch

Layers = tuple[int, ...]

_FEW = 70
"""So many sets are all measured: of 8 layers any number, of 12 two or ten."""


@dataclass(frozen=True, slots=True)
class LayerSet:
    """Some layers of a model, and how good it is with these only."""

    layers: Layers
    """Ascending."""
    loss: float
    """Masked-LM loss of the untrained model of these layers, in nats."""
    name: str | None
    """Of the fixed pattern (a key of `LAYER_SELECTIONS`) that gives these layers, the first of several."""


def measured_layers(
    lm: LanguageModel, k: int, batches: Iterable[MaskedBatch], ctx: Context, most: int = 4
) -> list[LayerSet]:
    """The sets of k layers with the lowest masked-LM loss, before any training.

    Where there are few sets, all are measured. Where there are many, the layer that is missed least goes, then the
    next, until k are left; the sets of the last round compete with the fixed patterns (not the random one). What
    training makes of a set is another matter: try the ones given.

    Args:
        lm: the model, on any device; it stays as it is.
        k: how many layers stay.
        batches: text with masked places.
        ctx: asked between layers whether to go on.
        most: how many sets to give, at least 1.

    Returns:
        At most `most` sets, the best first; the best one that is a fixed pattern is always among them.

    Raises:
        InputError: k is not in 1 … layers, or nothing is masked in any batch.
    """
    n = lm.sizes.layers
    check_count(n, k)
    batches = [batch for batch in batches if len(batch.labels)]
    if not batches:
        raise InputError(
            "The text holds no token that the teacher knows, so layers can't be measured.",
            hint="Give more text, or choose a teacher that knows the script of corpus.sources.",
        )
    patterns = fixed_patterns(n, k)
    if math.comb(n, k) <= _FEW:
        losses = losses_of(lm, combinations(range(n), k), batches, ctx)
    else:
        losses = _remove_one_by_one(lm, k, patterns, batches, ctx)
    found = [LayerSet(layers, loss, patterns.get(layers)) for layers, loss in losses.items()]
    found.sort(key=lambda candidate: _rank(candidate.layers, candidate.loss))
    best, pattern = found[:most], next(candidate for candidate in found if candidate.name)
    return best if pattern in best else [*best[:-1], pattern]


def fixed_patterns(n: int, k: int) -> dict[Layers, str]:
    """The sets of k layers that the patterns give (the random one has none of its own) → the first such pattern."""
    patterns: dict[Layers, str] = {}
    for name, select in LAYER_SELECTIONS.items():
        if name != "random":
            patterns.setdefault(tuple(select(n, k, 0)), name)
    return patterns


def _remove_one_by_one(
    lm: LanguageModel, k: int, patterns: Collection[Layers], batches: Sequence[MaskedBatch], ctx: Context
) -> dict[Layers, float]:
    """The losses of the patterns, and of the sets that lack one of k + 1 greedily chosen layers."""
    left = tuple(range(lm.sizes.layers))
    before, total = 0, (sum(range(k + 1, len(left) + 1)) + len(patterns)) * len(batches)
    while True:
        last = len(left) == k + 1
        sets = {*combinations(left, len(left) - 1), *(patterns if last else ())}
        losses = losses_of(lm, sets, batches, Portion(ctx, before, total))
        if last:
            ctx.progress(total, total)  # patterns among the other sets were measured once
            return losses
        before += len(sets) * len(batches)
        left = min(losses, key=lambda layers: _rank(layers, losses[layers]))


def _rank(layers: Layers, loss: float) -> tuple[bool, float, Layers]:
    """Sorts the lowest loss first, what is no number last, and equals by their layers."""
    return math.isnan(loss), loss, layers


@torch.no_grad()
def losses_of(
    lm: LanguageModel, sets: Iterable[Layers], batches: Sequence[MaskedBatch], ctx: Context
) -> dict[Layers, float]:
    """Masked-LM loss of the model with only these layers, for each of many sets, in nats.

    Sets that begin alike are the same model up to where they differ, so that part runs once for all of them.

    Args:
        lm: the model; it stays as it is.
        sets: each ascending and not empty.
        batches: text with masked places, at least one; the loss is the mean over all of these.
        ctx: asked between layers whether to go on, told of every set on every batch.
    """
    ordered = sorted(set(sets))  # what begins alike stands together
    sums = [0.0] * len(ordered)
    blocks = [lm.module(lm.family.layer.format(layer=layer)) for layer in range(lm.sizes.layers)]
    entrance = cut_layers(lm, [0], share=True).to(str(lm.model.device))
    with frozen(lm.model):
        for done, batch in enumerate(batches):
            batch = batch.to(lm.model.device)
            embedded, arguments, named = _enter(entrance, batch)
            states = [embedded]
            so_far: Layers = ()
            for number, layers in enumerate(ordered):
                alike = _begin_alike(so_far, layers)
                del states[alike + 1 :]
                for layer in layers[alike:]:
                    ctx.check()
                    states.append(blocks[layer](states[-1], *arguments, **named))
                so_far = layers
                sums[number] += masked_loss(lm, states[-1], batch).item()
                ctx.progress(done * len(ordered) + number + 1, len(batches) * len(ordered))
    masked = sum(len(batch.labels) for batch in batches)
    return {layers: total / masked for layers, total in zip(ordered, sums, strict=True)}


def _enter(entrance: LanguageModel, batch: MaskedBatch) -> tuple[Tensor, tuple[Any, ...], dict[str, Any]]:
    """What the encoder gives its first layer: embedded tokens, and what every layer gets beside its hidden states."""
    seen: list[tuple[Tensor, tuple[Any, ...], dict[str, Any]]] = []

    def see(_module: nn.Module, arguments: tuple[Any, ...], named: dict[str, Any]) -> None:
        seen.append((arguments[0], arguments[1:], named))

    first = entrance.module(entrance.family.layer.format(layer=0))
    with hooked([first.register_forward_pre_hook(see, with_kwargs=True)]):
        entrance.hidden_states(batch.input_ids, batch.attention_mask)
    return seen[0]


def _begin_alike(one: Layers, other: Layers) -> int:
    """How many layers two sets have in common before they differ."""
    return next(
        (number for number, pair in enumerate(zip(one, other, strict=False)) if pair[0] != pair[1]),
        min(len(one), len(other)),
    )
