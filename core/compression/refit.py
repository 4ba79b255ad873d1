"""Refitting what a change of basis can't carry over: LayerNorm's gains, and the head's transform around its GELU."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from core.compression.passes import in_double
from core.context import Context

_STEPS, _RATE, _CHUNK = 120, 3e-3, 512
_SPREAD = 1e-12
"""Below this variance a unit says nothing, and its gain is left at what it was."""


class Regression:
    """One straight line a unit, y ≈ gain · x + bias, from many pairs; float64."""

    def __init__(self, units: int) -> None:
        self._count = 0
        self._sums = torch.zeros(4, units, dtype=torch.float64)  # of x, y, x², x·y

    def add(self, x: Tensor, y: Tensor) -> None:
        """Pairs, both of shape (n, units)."""
        x, y = in_double(x), in_double(y)
        self._count += len(x)
        self._sums += torch.stack([x.sum(0), y.sum(0), (x * x).sum(0), (x * y).sum(0)]).cpu()

    def solve(self) -> tuple[Tensor, Tensor]:
        """Gain and bias of each unit, the least squares; where x never changes, gain 0 and bias the mean of y."""
        x, y, xx, xy = self._sums / max(1, self._count)
        variance = xx - x * x
        gain = torch.where(variance > _SPREAD, (xy - x * y) / variance.clamp_min(_SPREAD), 0)
        return gain, y - gain * x


def normalised(x: Tensor, eps: float) -> Tensor:
    """LayerNorm without gain and bias, shape as given."""
    return nn.functional.layer_norm(x, x.shape[-1:], eps=eps)


@dataclass(frozen=True, slots=True)
class Transform:
    """The head's transform: dense, activation, LayerNorm."""

    weight: Tensor
    bias: Tensor
    gain: Tensor
    shift: Tensor


def refit_transform(
    start: Transform,
    activation: Callable[[Tensor], Tensor],
    eps: float,
    inputs: Tensor,
    wanted: Tensor,
    metric: Tensor,
    ctx: Context,
) -> Transform:
    """Fit the transform to what the decoder should get: activations don't commute with a change of basis.

    A few Adam steps on Σ (made − wanted)ᵀ · metric · (made − wanted), the squared error of the logits. The best that
    was met is returned, so it is never worse than the start.

    Args:
        start: where to begin; float32.
        activation: between dense and LayerNorm.
        eps: LayerNorm's.
        inputs: hidden states, shape (tokens, hidden), float32.
        wanted: what the decoder should get for them, same shape.
        metric: EᵀE of the decoder's matrix E, shape (hidden, hidden), float32.
        ctx: asked between steps whether to go on.
    """
    parameters = [tensor.clone().requires_grad_() for tensor in (start.weight, start.bias, start.gain, start.shift)]
    scale = ((wanted - wanted.mean(0)) @ metric * (wanted - wanted.mean(0))).sum().clamp_min(1e-30)
    optimizer = torch.optim.Adam(parameters, lr=_RATE)
    best, least = [tensor.detach().clone() for tensor in parameters], float("inf")
    for step in range(_STEPS + 1):
        ctx.check()
        optimizer.zero_grad()
        loss = 0.0
        for chunk, target in zip(inputs.split(_CHUNK), wanted.split(_CHUNK), strict=True):
            weight, bias, gain, shift = parameters
            made = activation(nn.functional.linear(chunk, weight, bias))
            error = nn.functional.layer_norm(made, gain.shape, gain, shift, eps) - target
            part = (error @ metric * error).sum() / scale
            part.backward()
            loss += part.item()
        if loss < least:
            best, least = [tensor.detach().clone() for tensor in parameters], loss
        for group in optimizer.param_groups:
            group["lr"] = _RATE * (1 - step / (_STEPS + 1))
        optimizer.step()
    return Transform(*best)
