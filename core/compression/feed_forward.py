"""Feed-forward width: how much each inner unit matters, and dropping those that matter least.

Scoring, choosing and cutting are three functions. A new score is one function and one entry in `FEED_FORWARD_SCORES`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from core.compression.cutting import cut
from core.compression.passes import frozen, hooked, masked_loss
from core.context import Context
from core.errors import InputError
from core.models import LanguageModel, tensors_of

if TYPE_CHECKING:
    from core.corpus.batches import MaskedBatch


@dataclass(frozen=True, slots=True)
class UnitScores:
    """What text says of every inner unit; both of shape (layers, feed_forward), float64, on the CPU."""

    scores: Tensor
    """How much the unit matters, not negative; comparable within a layer."""
    means: Tensor
    """Mean over all tokens (padding is none) of the unit's activation, which the layer's second matrix multiplies."""


Score = Callable[[LanguageModel, Sequence["MaskedBatch"], Context], UnitScores]


def score_units(lm: LanguageModel, batches: Iterable[MaskedBatch], how: str, ctx: Context) -> UnitScores:
    """Score every inner unit of every layer on text.

    Args:
        lm: the model, in evaluation mode or not, on any device; it stays as it is.
        batches: text with masked places.
        how: a name in `FEED_FORWARD_SCORES`.
        ctx: told of every batch.

    Raises:
        InputError: there is no such score, or nothing is masked in any batch.
    """
    if how not in FEED_FORWARD_SCORES:
        raise InputError(
            f"method.feed_forward_score is {how!r}, which doesn't exist.",
            hint=f"Choose one of: {', '.join(FEED_FORWARD_SCORES)}.",
        )
    batches = list(batches)
    if not any(len(batch.labels) for batch in batches):
        raise InputError(
            "The text holds no token that the teacher knows, so feed-forward units can't be ranked.",
            hint="Give more text, or choose a teacher that knows the script of corpus.sources.",
        )
    return FEED_FORWARD_SCORES[how](lm, batches, ctx)


@torch.enable_grad()
def _first_order(lm: LanguageModel, batches: Sequence[MaskedBatch], ctx: Context) -> UnitScores:
    """I_i = Σ_batch |Σ_j ∂L/∂W_ij · W_ij + ∂L/∂b_i · b_i| (paper, arXiv 2505.16956, step 2).

    W and b are the layer's first feed-forward matrix and its bias, L the masked-LM loss, mean over the batch's masked
    places: to first order, by how much the loss changes when the unit's input goes. How text is cut into batches is
    part of the definition.
    """
    modules = [lm.module(lm.family.feed_forward_in, layer) for layer in range(lm.sizes.layers)]
    parameters = [module.get_parameter(kind) for kind in ("weight", "bias") for module in modules]

    def share(batch: MaskedBatch, hidden: Tensor, _activations: Sequence[Tensor]) -> Tensor:
        loss = masked_loss(lm, hidden, batch) / max(1, len(batch.labels))
        gradients = torch.autograd.grad(loss, parameters)
        with torch.no_grad():
            products = [gradient * parameter for gradient, parameter in zip(gradients, parameters, strict=True)]
            weights, biases = products[: len(modules)], products[len(modules) :]
            return (torch.stack([weight.sum(1) for weight in weights]) + torch.stack(biases)).abs()

    return _add_up(lm, batches, ctx, share, trained=parameters)


@torch.enable_grad()
def _activation(lm: LanguageModel, batches: Sequence[MaskedBatch], ctx: Context) -> UnitScores:
    """I_i = Σ_token |a_i · ∂L/∂a_i|, with a the unit's activation and L the masked-LM loss summed over masked places.

    To first order, by how much the loss changes when the unit is silent at one token (Molchanov et al. 2017,
    arXiv:1611.06440, section 2.2; Michel et al. 2019, arXiv:1905.10650, section 4.1, for heads). Changes at different
    tokens don't cancel, and how text is cut into batches doesn't matter.
    """

    def share(batch: MaskedBatch, hidden: Tensor, activations: Sequence[Tensor]) -> Tensor:
        gradients = torch.autograd.grad(masked_loss(lm, hidden, batch), activations)
        products = [activation.detach() * gradient for activation, gradient in zip(activations, gradients, strict=True)]
        return _sum_over_tokens([product.abs() for product in products], batch)

    return _add_up(lm, batches, ctx, share)


@torch.no_grad()
def _wanda(lm: LanguageModel, batches: Sequence[MaskedBatch], ctx: Context) -> UnitScores:
    """I_i = √(mean over tokens of a_i²) · ‖column i of the second matrix‖, with a the unit's activation.

    Wanda's |weight| · ‖input‖ (Sun et al. 2023, arXiv:2306.11695, section 3), taken over all weights that go with the
    unit: the root mean square of what it writes. It looks at no loss, so nothing runs backwards.
    """

    def share(batch: MaskedBatch, _hidden: Tensor, activations: Sequence[Tensor]) -> Tensor:
        return _sum_over_tokens([activation.square() for activation in activations], batch)

    squares = _add_up(lm, batches, ctx, share)
    weights = [_second(lm, layer).get_parameter("weight").cpu().double() for layer in range(lm.sizes.layers)]
    tokens = sum(batch.tokens for batch in batches)
    columns = torch.stack([weight.norm(dim=0) for weight in weights])
    return replace(squares, scores=(squares.scores / tokens).sqrt() * columns)


FEED_FORWARD_SCORES: Mapping[str, Score] = {"first_order": _first_order, "activation": _activation, "wanda": _wanda}
"""Name in the recipe → score. The paper's is `first_order`."""


def strongest(scores: Tensor, k: int) -> Tensor:
    """The k highest scores of each row; of equal ones the first.

    Args:
        scores: shape (layers, units).
        k: how many to keep, 1 to units.

    Returns:
        Indices, int64, shape (layers, k), each row ascending.
    """
    order = scores.argsort(dim=1, descending=True, stable=True)
    return order[:, :k].sort(dim=1).values


def cut_feed_forward(
    lm: LanguageModel, keep: Tensor | Sequence[Sequence[int]], means: Tensor | None = None
) -> LanguageModel:
    """A model with only these feed-forward units: rows of each layer's first matrix, columns of its second.

    Args:
        lm: the model; it stays as it is.
        keep: the units of each layer, shape (layers, k), each row ascending.
        means: mean activation of each unit, shape (layers, units), as in `UnitScores`: what the dropped units write in
            the mean goes into the second matrix' bias, so only what they vary by is lost. None: nothing does.
    """
    index = torch.as_tensor(keep, dtype=torch.int64)
    sizes = replace(lm.sizes, feed_forward=index.shape[1])
    tensors = tensors_of(lm)
    if means is not None:
        for layer, units in enumerate(index):
            module = f"{lm.family.layer.format(layer=layer)}.{lm.family.feed_forward_out}"
            dropped = means[layer].double().index_fill(0, units, 0)
            weight, bias = (tensors[f"{module}.{kind}"].cpu().double() for kind in ("weight", "bias"))
            tensors[f"{module}.bias"] = (bias + weight @ dropped).to(tensors[f"{module}.bias"].dtype)
    return cut(lm, sizes, {"feed_forward": index}, tensors=tensors)


def _second(lm: LanguageModel, layer: int) -> nn.Module:
    """What multiplies the activations of a layer's units."""
    return lm.module(lm.family.feed_forward_out, layer)


def _add_up(
    lm: LanguageModel,
    batches: Sequence[MaskedBatch],
    ctx: Context,
    share: Callable[[MaskedBatch, Tensor, Sequence[Tensor]], Tensor],
    trained: Sequence[nn.Parameter] = (),
) -> UnitScores:
    """Sum of a score over batches, and the means of the activations.

    Args:
        lm, batches, ctx: as for `score_units`.
        share: (batch, last hidden state, each layer's activations of shape (batch, seq, units)) → what the batch adds
            to the scores, shape (layers, units).
        trained: parameters that `share` takes gradients of; where gradients are on, those of activations can be had.
    """
    scores = torch.zeros(lm.sizes.layers, lm.sizes.feed_forward, dtype=torch.float64)
    sums = torch.zeros_like(scores)
    activations: list[Tensor] = []

    def see(_module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        # The first layer's hang on nothing that has a gradient.
        activations.append(inputs[0].requires_grad_(torch.is_grad_enabled()))

    modules = [_second(lm, layer) for layer in range(lm.sizes.layers)]
    with frozen(lm.model, trained), hooked(module.register_forward_pre_hook(see) for module in modules):
        for done, batch in enumerate(batches, start=1):
            ctx.check()
            batch = batch.to(lm.model.device)
            activations.clear()
            hidden = lm.hidden_states(batch.input_ids, batch.attention_mask)
            scores += share(batch, hidden, activations).cpu().double()
            sums += _sum_over_tokens([activation.detach() for activation in activations], batch).cpu().double()
            ctx.progress(done, len(batches))
    return UnitScores(scores, sums / sum(batch.tokens for batch in batches))


def _sum_over_tokens(values: Sequence[Tensor], batch: MaskedBatch) -> Tensor:
    """Each layer's values of shape (batch, seq, units) summed over tokens, not padding; shape (layers, units)."""
    real = batch.attention_mask.bool()
    return torch.stack([value[real].sum(0) for value in values])
