"""Feed-forward width: how much each inner unit matters to the masked-LM loss, and dropping the weakest."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from core.compression.cutting import cut
from core.context import Context
from core.errors import InputError
from core.models import LanguageModel

if TYPE_CHECKING:
    from core.corpus.batches import MaskedBatch


def importance(lm: LanguageModel, batches: Iterable[MaskedBatch], ctx: Context) -> Tensor:
    """First-order importance of every inner unit of every layer.

    I_i = Σ_batch |Σ_j ∂L/∂W_ij · W_ij + ∂L/∂b_i · b_i|, with W and b the layer's first feed-forward matrix and its bias
    and L the masked-LM loss, mean over the batch's masked places (paper, arXiv 2505.16956): to first order, by how much
    the loss changes when the unit's input goes.

    Args:
        lm: the model; it stays as it is.
        batches: text with masked places; how it is cut into batches is part of the definition.
        ctx: told of every batch.

    Returns:
        Shape (layers, feed_forward), float64 on the CPU, not negative.

    Raises:
        InputError: nothing is masked in any batch.
    """
    batches = list(batches)
    modules = [lm.module(lm.family.feed_forward_in, layer) for layer in range(lm.sizes.layers)]
    weights = [module.get_parameter("weight") for module in modules]
    biases = [module.get_parameter("bias") for module in modules]
    total = torch.zeros(lm.sizes.layers, lm.sizes.feed_forward, dtype=torch.float64)
    masked = 0
    with _gradients_only_of([*weights, *biases], lm.model):
        for done, batch in enumerate(batches, start=1):
            ctx.check()
            if len(batch.labels):  # the mean over no place is no number
                gradients = torch.autograd.grad(_loss(lm, batch), [*weights, *biases])
                total += _products([*weights, *biases], gradients, len(modules)).abs().cpu().double()
                masked += len(batch.labels)
            ctx.progress(done, len(batches))
    if not masked:
        raise InputError(
            "The text holds no token that the teacher knows, so feed-forward units can't be ranked.",
            hint="Give more text, or choose a teacher that knows the script of corpus.sources.",
        )
    return total


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


def cut_feed_forward(lm: LanguageModel, keep: Tensor | Sequence[Sequence[int]]) -> LanguageModel:
    """A model with only these feed-forward units: rows of each layer's first matrix, columns of its second.

    Args:
        lm: the model; it stays as it is.
        keep: the units of each layer, shape (layers, k), each row ascending.
    """
    index = torch.as_tensor(keep, dtype=torch.int64)
    return cut(lm, replace(lm.sizes, feed_forward=index.shape[1]), {"feed_forward": index})


@torch.no_grad()
def _products(parameters: Sequence[Tensor], gradients: Sequence[Tensor], layers: int) -> Tensor:
    """Σ_j ∂L/∂W_ij · W_ij + ∂L/∂b_i · b_i, shape (layers, units), of the layers' weights followed by their biases."""
    products = [gradient * parameter for gradient, parameter in zip(gradients, parameters, strict=True)]
    return torch.stack([weight.sum(dim=1) for weight in products[:layers]]) + torch.stack(products[layers:])


def _loss(lm: LanguageModel, batch: MaskedBatch) -> Tensor:
    """Mean cross-entropy in nats; features and logits exist at masked places only."""
    weight, bias = lm.decoder
    batch = batch.to(weight.device)
    hidden = lm.hidden_states(batch.input_ids, batch.attention_mask)
    at_masks = hidden.flatten(0, 1).index_select(0, batch.positions)
    logits = nn.functional.linear(lm.head_features(at_masks), weight, bias)
    return nn.functional.cross_entropy(logits, batch.labels)


@contextmanager
def _gradients_only_of(parameters: Sequence[nn.Parameter], model: nn.Module) -> Iterator[None]:
    """Evaluation mode, with gradients for these parameters alone; afterwards the model is as it was."""
    training = model.training
    wanted = [(parameter, parameter.requires_grad) for parameter in model.parameters()]
    try:
        model.eval().requires_grad_(False)
        for parameter in parameters:
            parameter.requires_grad_(True)
        with torch.enable_grad():
            yield
    finally:
        for parameter, flag in wanted:
            parameter.requires_grad_(flag)
        model.train(training)
