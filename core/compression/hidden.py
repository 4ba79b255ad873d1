"""Hidden size: the ways to a narrower model. A new way is one function and one entry in `HIDDEN_REDUCTIONS`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

import torch
from torch import Tensor

from core.compression.attention import Attention, factorise, keep_dimensions, keep_heads
from core.compression.basis import Basis, chosen_units, principal, variance
from core.compression.cutting import cut
from core.compression.projection import project
from core.compression.statistics import Moments, Statistics, gather
from core.context import Context, Quiet
from core.families import Axis, Sizes
from core.models import LanguageModel, tensors_of

if TYPE_CHECKING:
    from core.corpus.batches import MaskedBatch


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a reduction may go by; those of the paper go by nothing."""

    batches: Sequence[MaskedBatch]
    """Text of the language, with masked places."""
    fold_means: bool
    """Whether the mean of what is dropped goes into the biases."""
    ctx: Context


HiddenReduction = Callable[[LanguageModel, int, int, Evidence], LanguageModel]
"""(model, hidden size, heads, evidence) → the narrower model, on the CPU; the model given stays as it is. The heads
come from `core.families.heads.resolve_heads`."""

_ROWS = 16384
"""Rows of a matrix that are held in float64 at a time; an embedding matrix has hundreds of thousands."""


def truncate(lm: LanguageModel, hidden: int, heads: int, _evidence: Evidence | None = None) -> LanguageModel:
    """Keep the first units of every weight, as the paper does (arXiv 2505.16956, step 3).

    The head axis is cut likewise and then split anew, so with the teacher's number of heads the dimensions of several
    old heads share a new one: the paper's baseline.
    """
    first = torch.arange(hidden)
    return cut(lm, replace(lm.sizes, hidden=hidden, heads=heads), {"hidden": first, "heads": first})


def svd(lm: LanguageModel, hidden: int, heads: int, evidence: Evidence | None = None) -> LanguageModel:
    """Truncate the nearest matrix of rank `hidden` instead of each matrix that loses rows or columns (paper, step 3).

    A matrix of at most that rank is its own nearest one, so it is just truncated.
    """
    width_axes, ctx = {"hidden", "heads"}, evidence.ctx if evidence is not None else Quiet()
    axes = {name: entry.axes for name, entry in lm.family.all_tensors(lm.sizes)}
    tensors = {
        name: low_rank(tensor, hidden, ctx) if tensor.ndim == 2 and width_axes & set(axes[name]) else tensor
        for name, tensor in tensors_of(lm).items()
    }
    first = torch.arange(hidden)
    index: Mapping[Axis, Tensor] = {"hidden": first, "heads": first}
    return cut(lm, replace(lm.sizes, hidden=hidden, heads=heads), index, tensors=tensors)


def per_head(lm: LanguageModel, hidden: int, heads: int, _evidence: Evidence | None = None) -> LanguageModel:
    """Keep the first hidden units, and cut the head axis along the heads instead of across them.

    The first `heads` heads stay, each with its first hidden / heads units: whole heads where that is the teacher's
    head width, else narrower ones. Queries are scaled by √(new width / old width), which undoes the change of the
    attention's 1/√width: a kept pair of query and key dimensions adds to a score what it added before.
    """
    old, new = lm.sizes, replace(lm.sizes, hidden=hidden, heads=heads)
    scale = (new.head_width / old.head_width) ** 0.5
    tensors = tensors_of(lm)
    for layer in range(old.layers):
        for kind in ("weight", "bias"):
            name = f"{lm.family.layer.format(layer=layer)}.{lm.family.query}.{kind}"
            tensors[name] = tensors[name] * scale
    index: Mapping[Axis, Tensor] = {"hidden": torch.arange(hidden), "heads": _head_units(old, new)}
    return cut(lm, new, index, tensors=tensors)


def importance(lm: LanguageModel, hidden: int, heads: int, evidence: Evidence) -> LanguageModel:
    """Keep the hidden units that vary most on text, and of each head the dimensions that do; see `_project`."""
    statistics = gather(lm, evidence.batches, evidence.ctx)
    basis = chosen_units(variance(statistics), hidden)
    outputs = [lm.module(lm.family.attention_output, layer).get_parameter("weight") for layer in range(lm.sizes.layers)]
    written = torch.stack(
        [
            moments.covariance.diagonal() * output.detach().cpu().double().square().sum(0)
            for moments, output in zip(statistics.context, outputs, strict=True)
        ]
    )
    return _project(lm, hidden, heads, evidence, statistics, basis, _Dimensions(lm.sizes.heads, written))


def importance_gradient(lm: LanguageModel, hidden: int, heads: int, evidence: Evidence) -> LanguageModel:
    """The same, but units and dimensions are ranked by |x · ∂L/∂x| of the masked-LM loss L."""
    statistics = gather(lm, evidence.batches, evidence.ctx)
    basis = chosen_units(statistics.stream_relevance, hidden)
    return _project(
        lm, hidden, heads, evidence, statistics, basis, _Dimensions(lm.sizes.heads, statistics.context_relevance)
    )


def rotate(lm: LanguageModel, hidden: int, heads: int, evidence: Evidence) -> LanguageModel:
    """Keep the directions of the residual stream that hold most of its variance; see `principal` and `_project`."""
    statistics = gather(lm, evidence.batches, evidence.ctx)
    narrow = _Factors(lm.sizes.heads)
    return _project(lm, hidden, heads, evidence, statistics, principal(statistics, hidden), narrow)


HIDDEN_REDUCTIONS: Mapping[str, HiddenReduction] = {
    "truncate": truncate,
    "svd": svd,
    "per_head": per_head,
    "importance": importance,
    "importance_gradient": importance_gradient,
    "rotate": rotate,
}
"""Name in the recipe → reduction."""


class _Narrowing(Protocol):
    """Makes the heads of a layer narrower where they can't stay whole."""

    def __call__(
        self, layer: int, attention: Attention, inputs: Moments, width: int, mean: Tensor | None
    ) -> Attention: ...


@dataclass(frozen=True, slots=True)
class _Dimensions:
    """Pairs of query and key dimensions by how much their products vary, value dimensions by a score."""

    heads: int
    scores: Tensor
    """Of what the output matrix reads, shape (layers, heads · width)."""

    def __call__(self, layer: int, attention: Attention, inputs: Moments, width: int, mean: Tensor | None) -> Attention:
        asked, answered = (
            torch.einsum("nd,de,ne->n", weight, inputs.covariance, weight)
            for weight in (attention.query, attention.key)
        )
        return keep_dimensions(attention, (asked * answered, self.scores[layer]), self.heads, width, mean)


@dataclass(frozen=True, slots=True)
class _Factors:
    """Nearest narrower heads, by SVD; nothing of their mean is lost."""

    heads: int

    def __call__(self, layer: int, attention: Attention, inputs: Moments, width: int, mean: Tensor | None) -> Attention:
        return factorise(attention, inputs, self.heads, width)


def _project(
    lm: LanguageModel,
    hidden: int,
    heads: int,
    evidence: Evidence,
    statistics: Statistics,
    basis: Basis,
    narrow: _Narrowing,
) -> LanguageModel:
    """The model in this basis, with the heads that matter most to the loss whole where the width allows it.

    Otherwise all heads stay and `narrow` makes them narrower. LayerNorms and the head's transform are refitted.
    """
    old, new = lm.sizes, replace(lm.sizes, hidden=hidden, heads=heads)

    def plan(layer: int, attention: Attention, inputs: Moments) -> Attention:
        mean = statistics.context[layer].mean if evidence.fold_means else None
        if new.head_width == old.head_width:
            best = statistics.head_relevance[layer].argsort(descending=True, stable=True)[:heads].sort().values
            return keep_heads(attention, best, old.head_width, mean)
        return narrow(layer, attention, inputs, new.head_width, mean)

    return project(lm, new, basis, statistics, plan, evidence.batches, evidence.ctx, fold_means=evidence.fold_means)


def low_rank(matrix: Tensor, rank: int, ctx: Context) -> Tensor:
    """The nearest matrix of at most this rank (Eckart-Young), same shape and dtype, on the CPU.

    The singular vectors of the shorter side come from its Gram matrix in float64: of a 250,000 × 768 embedding that
    is 768 × 768. The matrix is projected on the strongest of them, so nothing is divided by a small singular value.
    """
    if min(matrix.shape) <= rank:
        return matrix
    if matrix.shape[0] < matrix.shape[1]:
        return low_rank(matrix.T, rank, ctx).T
    gram = torch.zeros(matrix.shape[1], matrix.shape[1], dtype=torch.float64)
    for rows in _in_double(matrix, ctx):
        gram += rows.T @ rows
    strongest = torch.linalg.eigh(gram).eigenvectors[:, -rank:]  # eigenvalues ascend
    projection = strongest @ strongest.T
    return torch.cat([(rows @ projection).to(matrix.dtype) for rows in _in_double(matrix, ctx)])


def _in_double(matrix: Tensor, ctx: Context) -> Iterator[Tensor]:
    """The matrix in float64 on the CPU, some rows at a time."""
    for rows in torch.split(matrix, _ROWS):
        ctx.check()
        yield rows.cpu().double()


def _head_units(old: Sizes, new: Sizes) -> Tensor:
    """Indices along the head axis: the first units of each of the first heads."""
    heads, units = torch.arange(new.heads), torch.arange(new.head_width)
    return (heads[:, None] * old.head_width + units).flatten()
