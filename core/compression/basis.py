"""Which directions of the residual stream a narrower model keeps, as an orthonormal basis (old width, new width).

Everything that touches the stream is expressed in the one basis, so the narrower model is a plain model of its family.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from core.compression.statistics import Statistics


@dataclass(frozen=True, slots=True)
class Basis:
    """Directions that are kept, and the old unit that each is nearest to."""

    matrix: Tensor
    """Orthonormal columns, shape (old width, new width), float64."""
    units: Tensor
    """Different old units, ascending, int64, shape (new width,)."""


def chosen_units(relevance: Tensor, k: int) -> Basis:
    """The basis that is k of the old units, those with the highest relevance, in their old order.

    Args:
        relevance: of each unit, shape (units,); of equal ones the first stay.
        k: how many stay.
    """
    units = relevance.argsort(descending=True, stable=True)[:k].sort().values
    return Basis(torch.eye(len(relevance), dtype=torch.float64)[:, units], units)


def variance(statistics: Statistics) -> Tensor:
    """Variance of each hidden unit over the points of the stream, each point weighted alike; shape (hidden,)."""
    return shared_covariance(statistics).diagonal()


def shared_covariance(statistics: Statistics) -> Tensor:
    """Covariance of the stream at all its points and of the head's features, each divided by its trace."""
    parts = [moments.covariance for moments in (*statistics.stream, statistics.features)]
    return sum((part / part.trace().clamp_min(1e-300) for part in parts), torch.zeros_like(parts[0]))


def principal(statistics: Statistics, k: int) -> Basis:
    """The directions that hold most of the stream's variance, the all-ones one among them.

    The span is the all-ones direction and the k − 1 strongest principal directions beside it, as in SliceGPT
    (Ashkboos et al. 2024, arXiv:2401.15024), but for LayerNorms that stay: all-ones of the narrow model is all-ones
    of the wide one, so both subtract the same mean. Within the span the axes are turned to lie as near as can be to
    single old units (orthogonal Procrustes), so that a gain for each unit still says most of what it said. With
    nothing to drop that is the identity.

    Args:
        statistics: of the wide model.
        k: the new width.
    """
    covariance = shared_covariance(statistics)
    d = len(covariance)
    ones = torch.full((d, 1), d**-0.5, dtype=torch.float64)
    beside = covariance - ones @ (ones.T @ covariance)
    beside = beside - (beside @ ones) @ ones.T
    # Its own eigenvalue below all others keeps the all-ones direction out of what is chosen beside it.
    beside = (beside + beside.T) / 2 - (1 + covariance.trace()) * ones @ ones.T
    directions = torch.linalg.eigh(beside).eigenvectors[:, d - k + 1 :]
    units = telling_units(directions, k)
    narrow = _beside_ones(k)
    left, _, right = torch.linalg.svd(directions[units].T @ narrow)
    narrow_ones = torch.full((1, k), k**-0.5, dtype=torch.float64)
    return Basis(ones @ narrow_ones + directions @ (left @ right) @ narrow.T, units)


def telling_units(directions: Tensor, k: int) -> Tensor:
    """The k old units that together tell most of some directions: each the one that those before tell least of.

    Args:
        directions: orthonormal columns, shape (units, directions).
        k: how many, at most the number of units.

    Returns:
        Indices, int64, shape (k,), ascending.
    """
    left = directions.clone()
    taken: list[int] = []
    for _ in range(k):
        size = left.square().sum(1)
        size[taken] = -1
        unit = int(size.argmax())
        taken.append(unit)
        axis = left[unit] / size[unit].sqrt().clamp_min(1e-12)
        left = left - torch.outer(left @ axis, axis)
    return torch.tensor(sorted(taken))


def _beside_ones(k: int) -> Tensor:
    """An orthonormal basis of what is orthogonal to all-ones, shape (k, k − 1)."""
    matrix = torch.eye(k, dtype=torch.float64)
    matrix[:, 0] = 1
    orthonormal: Tensor = torch.linalg.qr(matrix).Q
    return orthonormal[:, 1:]
