"""What a model does on real text: moments of its residual stream and of its heads, and what the loss owes to each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from core.compression.passes import frozen, hooked, in_double
from core.context import Context
from core.errors import InputError
from core.models import LanguageModel

if TYPE_CHECKING:
    from core.corpus.batches import MaskedBatch


@dataclass(frozen=True, slots=True)
class Moments:
    """Mean and covariance of vectors; float64, on the CPU."""

    mean: Tensor
    """Shape (units,)."""
    covariance: Tensor
    """Shape (units, units)."""


@dataclass(frozen=True, slots=True)
class Statistics:
    """Over the real tokens of some text, in evaluation mode.

    Points of the residual stream are where a LayerNorm ends: 0 is after the embeddings, 2·l + 1 after layer l's
    attention, 2·l + 2 after its feed-forward block.
    """

    stream: tuple[Moments, ...]
    """Of each point."""
    features: Moments
    """Of what the decoder multiplies at masked places."""
    context: tuple[Moments, ...]
    """Of each layer's attention output before its output matrix: the heads' widths side by side."""
    stream_relevance: Tensor
    """|x · ∂L/∂x| summed over tokens and points, shape (hidden,)."""
    context_relevance: Tensor
    """The same of each layer's `context`, shape (layers, hidden)."""
    head_relevance: Tensor
    """|Σ x · ∂L/∂x| over a head's width and a batch's tokens, summed over batches, shape (layers, heads): to first
    order, by how much the loss changes when the head goes (Michel et al. 2019, arXiv:1905.10650, section 4.1)."""


def stream_norms(lm: LanguageModel) -> list[nn.Module]:
    """The LayerNorm that ends at each point of the residual stream, in order.

    Raises:
        AssertionError: the model's blocks don't end with one; its table says that its hidden size is fixed.
    """
    family = lm.family
    if family.embedding_norm is None or family.attention_norm is None or family.feed_forward_norm is None:
        raise AssertionError(f"the {family.name} table names no LayerNorms after the residual sums")
    norms = [lm.module(family.embedding_norm)]
    for layer in range(lm.sizes.layers):
        norms += [lm.module(family.attention_norm, layer), lm.module(family.feed_forward_norm, layer)]
    return norms


def gather(lm: LanguageModel, batches: Sequence[MaskedBatch], ctx: Context) -> Statistics:
    """Run a model over text, forward and backward.

    Args:
        lm: the model; it stays as it is.
        batches: text with masked places; the loss is the masked-LM loss, summed over these.
        ctx: told of every batch.

    Raises:
        InputError: nothing is masked in any batch.
    """
    layers, hidden = lm.sizes.layers, lm.sizes.hidden
    stream = [_Sums(hidden) for _ in range(2 * layers + 1)]
    context = [_Sums(hidden) for _ in range(layers)]
    features = _Sums(hidden)
    stream_relevance = torch.zeros(hidden, dtype=torch.float64)
    context_relevance = torch.zeros(layers, hidden, dtype=torch.float64)
    head_relevance = torch.zeros(layers, lm.sizes.heads, dtype=torch.float64)
    masked = 0
    for done, batch in enumerate(batches, start=1):
        ctx.check()
        points, contexts, loss, at_masks = _run(lm, batch.to(lm.model.device))
        masked += len(batch.labels)
        real = batch.attention_mask.to(lm.model.device).bool()
        gradients = torch.autograd.grad(loss, [*points, *contexts])
        features.add(at_masks)
        with torch.no_grad():
            for sums, point, gradient in zip(stream, points, gradients, strict=False):
                sums.add(point[real])
                stream_relevance += in_double((point * gradient)[real].abs()).sum(0).cpu()
            for layer, (point, gradient) in enumerate(zip(contexts, gradients[len(points) :], strict=True)):
                context[layer].add(point[real])
                product = in_double((point * gradient)[real])
                context_relevance[layer] += product.abs().sum(0).cpu()
                head_relevance[layer] += product.sum(0).view(lm.sizes.heads, -1).sum(1).abs().cpu()
        ctx.progress(done, len(batches))
    if not masked:
        raise InputError(
            "The text holds no token that the teacher knows, so hidden units can't be ranked.",
            hint="Give more text, or choose a teacher that knows the script of corpus.sources.",
        )
    return Statistics(
        tuple(sums.moments() for sums in stream),
        features.moments(),
        tuple(sums.moments() for sums in context),
        stream_relevance,
        context_relevance,
        head_relevance,
    )


def _run(lm: LanguageModel, batch: MaskedBatch) -> tuple[list[Tensor], list[Tensor], Tensor, Tensor]:
    """Points of the stream, inputs of the attentions' output matrices, the loss, and the decoder's inputs."""
    norms = stream_norms(lm)
    outputs = [lm.module(lm.family.attention_output, layer) for layer in range(lm.sizes.layers)]
    points: list[Tensor] = []
    contexts: list[Tensor] = []

    def begin(_module: nn.Module, _inputs: Any, output: Tensor) -> Tensor:
        points.append(output.detach().requires_grad_())
        return points[0]

    with (
        frozen(lm.model),
        hooked(
            [
                norms[0].register_forward_hook(begin),
                *(norm.register_forward_hook(lambda _m, _i, output: points.append(output)) for norm in norms[1:]),
                *(out.register_forward_pre_hook(lambda _m, inputs: contexts.append(inputs[0])) for out in outputs),
            ]
        ),
        torch.enable_grad(),
    ):
        hidden = lm.hidden_states(batch.input_ids, batch.attention_mask).flatten(0, 1)
        features = lm.head_features(hidden.index_select(0, batch.positions))
        loss = F.cross_entropy(F.linear(features, *lm.decoder), batch.labels, reduction="sum")
    return points, contexts, loss, features.detach()


class _Sums:
    """First and second moments, added up in float64."""

    def __init__(self, units: int) -> None:
        self._count = 0
        self._sum = torch.zeros(units, dtype=torch.float64)
        self._squares = torch.zeros(units, units, dtype=torch.float64)

    def add(self, vectors: Tensor) -> None:
        """Vectors of shape (n, units)."""
        vectors = in_double(vectors)
        self._count += len(vectors)
        self._sum += vectors.sum(0).cpu()
        self._squares += (vectors.T @ vectors).cpu()

    def moments(self) -> Moments:
        mean = self._sum / max(1, self._count)
        return Moments(mean, self._squares / max(1, self._count) - torch.outer(mean, mean))


def read_stream(
    lm: LanguageModel, batches: Iterable[MaskedBatch], ctx: Context
) -> Iterator[tuple[list[tuple[Tensor, Tensor]], Tensor, Tensor]]:
    """For each batch what goes into and comes out of each point's LayerNorm, without gradients.

    Yields:
        Pairs of shape (real tokens, hidden); then, at masked places only, the last hidden state and what the decoder
        multiplies, shape (masked, hidden).
    """
    norms = stream_norms(lm)
    for batch in batches:
        ctx.check()
        batch = batch.to(lm.model.device)
        real = batch.attention_mask.bool()
        pairs: list[tuple[Tensor, Tensor]] = []

        def keep(_module: nn.Module, inputs: Any, output: Tensor, pairs: Any = pairs, real: Tensor = real) -> None:
            pairs.append((inputs[0][real], output[real]))

        with torch.no_grad(), frozen(lm.model), hooked([norm.register_forward_hook(keep) for norm in norms]):
            hidden = lm.hidden_states(batch.input_ids, batch.attention_mask)
            at_masks = hidden.flatten(0, 1).index_select(0, batch.positions)
            features = lm.head_features(at_masks)
        yield pairs, at_masks, features
