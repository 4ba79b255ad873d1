"""Attention of a narrower model: fewer heads that stay whole, or as many heads that are narrower."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from core.compression.statistics import Moments

_SMALLEST = 1e-9
"""Eigenvalues below this share of the largest count as nothing: no text ever goes there."""


@dataclass(frozen=True, slots=True)
class Attention:
    """One layer's attention, float64. Matrices of shape (heads · width, hidden), `output` (hidden, heads · width)."""

    query: Tensor
    query_bias: Tensor
    key: Tensor
    key_bias: Tensor
    value: Tensor
    value_bias: Tensor
    output: Tensor
    output_bias: Tensor


Narrowing = Callable[[Attention, int, int], Attention]
"""(attention, heads, new width of each) → attention with narrower heads."""


def keep_heads(attention: Attention, keep: Tensor, width: int, dropped_mean: Tensor | None) -> Attention:
    """Only these heads, each as it is.

    Args:
        attention: a layer's attention with heads of `width` units.
        keep: the heads that stay, ascending.
        width: units a head.
        dropped_mean: mean of what the output matrix reads, shape (heads · width,): the part of the heads that go is
            added to the output's bias. None: nothing is.
    """
    stays = torch.zeros(len(attention.query) // width, dtype=torch.bool)
    stays[keep] = True
    return _keep_rows(attention, *(stays.repeat_interleave(width).nonzero()[:, 0],) * 2, dropped_mean)


def keep_dimensions(
    attention: Attention,
    scored: tuple[Tensor, Tensor],
    heads: int,
    width: int,
    dropped_mean: Tensor | None,
) -> Attention:
    """As many heads, each with its best pairs of query and key dimensions and its best value dimensions.

    Args:
        attention: a layer's attention.
        scored: a score for each pair of query and key dimensions, and for each value dimension; (heads · old width,).
        heads: how many there are.
        width: new units a head.
        dropped_mean: as for `keep_heads`.
    """
    pairs, values = (_best_of_each(score, heads, width) for score in scored)
    old = len(attention.query) // heads
    narrower = _keep_rows(attention, pairs, values, dropped_mean)
    # Scores are divided by √width.
    scale = (width / old) ** 0.5
    return replace(narrower, query=narrower.query * scale, query_bias=narrower.query_bias * scale)


def _best_of_each(score: Tensor, heads: int, width: int) -> Tensor:
    """Indices of the `width` best units of each head, ascending."""
    order = score.view(heads, -1).argsort(dim=1, descending=True, stable=True)[:, :width].sort(dim=1).values
    return (order + torch.arange(heads)[:, None] * (len(score) // heads)).flatten()


def _keep_rows(attention: Attention, pairs: Tensor, values: Tensor, dropped_mean: Tensor | None) -> Attention:
    bias = attention.output_bias
    if dropped_mean is not None:
        goes = torch.ones(len(attention.value), dtype=torch.bool)
        goes[values] = False
        bias = bias + attention.output[:, goes] @ dropped_mean[goes]
    return Attention(
        attention.query[pairs],
        attention.query_bias[pairs],
        attention.key[pairs],
        attention.key_bias[pairs],
        attention.value[values],
        attention.value_bias[values],
        attention.output[:, values],
        bias,
    )


def factorise(attention: Attention, inputs: Moments, heads: int, width: int) -> Attention:
    """As many heads, each the nearest narrower one on text: per-head SVD of query-key and of value-output products.

    What a head computes depends on its matrices only through Wqᵀ·Wk, which gives the scores, and Wo·Wv, which gives
    what it writes. Each product is replaced by the nearest one of rank `width`, weighted by the inputs' moments.
    The key's bias adds the same to all scores of a query and goes; the value's bias, and the inputs' mean, pass
    through the attention unchanged (its weights add up to 1) and go into the output's bias.

    Args:
        attention: a layer's attention.
        inputs: moments of what it reads.
        heads: how many there are.
        width: new units a head, at most the old ones.
    """
    old, hidden = len(attention.query) // heads, attention.query.shape[1]
    extended = torch.zeros(hidden + 1, hidden + 1, dtype=torch.float64)
    extended[:hidden, :hidden] = inputs.covariance + torch.outer(inputs.mean, inputs.mean)
    extended[:hidden, hidden] = extended[hidden, :hidden] = inputs.mean
    extended[hidden, hidden] = 1
    asking, asking_back = _roots(extended)
    read, read_back = _roots(inputs.covariance)
    scale = (width / old) ** 0.5
    parts: list[tuple[Tensor, Tensor, Tensor, Tensor]] = []
    for head in range(heads):
        rows = slice(head * old, (head + 1) * old)
        question = torch.cat([attention.query[rows], attention.query_bias[rows, None]], dim=1)
        left, sizes, right = _svd_of_product(asking @ question.T, attention.key[rows] @ read)
        root = sizes[:width].sqrt()
        query = scale * (root[:, None] * left[:, :width].T) @ asking_back
        key = (root[:, None] * right[:width]) @ read_back
        left, sizes, right = _svd_of_product(attention.output[:, rows], attention.value[rows] @ read)
        root = sizes[:width].sqrt()
        parts.append((query, key, (root[:, None] * right[:width]) @ read_back, left[:, :width] * root))
    queries, keys, values, outputs = (list(part) for part in zip(*parts, strict=True))
    value, output = torch.cat(values), torch.cat(outputs, dim=1)
    constant = attention.output @ (attention.value @ inputs.mean + attention.value_bias)
    nothing = torch.zeros(heads * width, dtype=torch.float64)
    return Attention(
        torch.cat([query[:, :hidden] for query in queries]),
        torch.cat([query[:, hidden] for query in queries]),
        torch.cat(keys),
        nothing,
        value,
        nothing,
        output,
        attention.output_bias + constant - output @ (value @ inputs.mean),
    )


def _svd_of_product(left: Tensor, right: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """What `torch.linalg.svd` says of left @ right, whose rank is at most a head's width: much smaller matrices."""
    columns, inner = torch.linalg.qr(left)
    rows, other = torch.linalg.qr(right.T)
    u, sizes, v = torch.linalg.svd(inner @ other.T, full_matrices=False)
    return columns @ u, sizes, v @ rows.T


def _roots(moments: Tensor) -> tuple[Tensor, Tensor]:
    """The symmetric square root of second moments, and its pseudo-inverse."""
    values, vectors = torch.linalg.eigh(moments)
    values = values.clamp_min(0)
    present = values > _SMALLEST * values[-1]
    root = values.sqrt()
    back = torch.where(present, 1 / root.clamp_min(1e-300), 0)
    return (vectors * root) @ vectors.T, (vectors * back) @ vectors.T
