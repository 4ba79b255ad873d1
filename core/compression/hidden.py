"""Hidden size: the ways to a narrower model. A new way is one function and one entry in `HIDDEN_REDUCTIONS`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import torch
from torch import Tensor

from core.compression.cutting import cut
from core.families import Axis, Sizes
from core.models import LanguageModel, tensors_of

HiddenReduction = Callable[[LanguageModel, int, int], LanguageModel]
"""(model, hidden size, heads) → the narrower model. The heads come from `core.families.heads.resolve_heads`."""

_ROWS = 16384
"""Rows of a matrix that are held in float64 at a time; an embedding matrix has hundreds of thousands."""


def truncate(lm: LanguageModel, hidden: int, heads: int) -> LanguageModel:
    """Keep the first units of every weight, as the paper does (arXiv 2505.16956, step 3).

    The head axis is cut likewise and then split anew, so with the teacher's number of heads the dimensions of several
    old heads share a new one: the paper's baseline.
    """
    first = torch.arange(hidden)
    return cut(lm, replace(lm.sizes, hidden=hidden, heads=heads), {"hidden": first, "heads": first})


def svd(lm: LanguageModel, hidden: int, heads: int) -> LanguageModel:
    """Truncate the nearest matrix of rank `hidden` instead of each matrix that loses rows or columns (paper, step 3).

    A matrix of at most that rank is its own nearest one, so it is just truncated.
    """
    width_axes = {"hidden", "heads"}
    axes = {name: entry.axes for name, entry in lm.family.all_tensors(lm.sizes)}
    tensors = {
        name: low_rank(tensor, hidden) if tensor.ndim == 2 and width_axes & set(axes[name]) else tensor
        for name, tensor in tensors_of(lm).items()
    }
    first = torch.arange(hidden)
    index: Mapping[Axis, Tensor] = {"hidden": first, "heads": first}
    return cut(lm, replace(lm.sizes, hidden=hidden, heads=heads), index, tensors=tensors)


def per_head(lm: LanguageModel, hidden: int, heads: int) -> LanguageModel:
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


HIDDEN_REDUCTIONS: Mapping[str, HiddenReduction] = {"truncate": truncate, "svd": svd, "per_head": per_head}
"""Name in the recipe → reduction. All leave the model they are given as it is."""


def low_rank(matrix: Tensor, rank: int) -> Tensor:
    """The nearest matrix of at most this rank (Eckart-Young), same shape and dtype, on the CPU.

    The singular vectors of the shorter side come from its Gram matrix in float64: of a 250,000 × 768 embedding that
    is 768 × 768. The matrix is projected on the strongest of them, so nothing is divided by a small singular value.
    """
    if min(matrix.shape) <= rank:
        return matrix
    if matrix.shape[0] < matrix.shape[1]:
        return low_rank(matrix.T, rank).T
    gram = torch.zeros(matrix.shape[1], matrix.shape[1], dtype=torch.float64)
    for rows in torch.split(matrix, _ROWS):
        rows = rows.to("cpu", torch.float64)
        gram += rows.T @ rows
    strongest = torch.linalg.eigh(gram).eigenvectors[:, -rank:]  # eigenvalues ascend
    projection = strongest @ strongest.T
    return torch.cat(
        [(rows.to("cpu", torch.float64) @ projection).to(matrix.dtype) for rows in torch.split(matrix, _ROWS)]
    )


def _head_units(old: Sizes, new: Sizes) -> Tensor:
    """Indices along the head axis: the first units of each of the first heads."""
    heads, units = torch.arange(new.heads), torch.arange(new.head_width)
    return (heads[:, None] * old.head_width + units).flatten()
