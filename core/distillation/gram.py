"""The squared error of all logits, without a logit."""

from __future__ import annotations

import torch
from torch import Tensor

from core.distillation.places import Decoder, Output, at_least_float32


class GramSquares:
    """The squared error of a step's logits, mean over the vocabulary and summed over places, without logits.

    With A = [W b] of shape (V, hidden + 1) and z = [features; 1], a place's logits are A z, and
    ‖A_s z_s − A_t z_t‖² = z_sᵀ(A_sᵀA_s)z_s − 2 z_sᵀ(A_sᵀA_t)z_t + z_tᵀ(A_tᵀA_t)z_t.
    The products of A are formed once a step, whatever the number of places. In float32 at least: large numbers are
    subtracted.
    """

    def __init__(self, teacher: Decoder) -> None:
        """`teacher`: its decoder's weight (V, hidden) and bias (V), which never change."""
        self._teacher = teacher
        self._teacher_squares = _product(teacher, teacher)
        self._student: Decoder | None = None
        self._products: tuple[Tensor, Tensor] | None = None

    @torch.no_grad()
    def begin(self, student: Decoder) -> None:
        """Form the step's products from the student's decoder weight and bias."""
        products = _product(student, student), _product(student, self._teacher)
        self._student = student
        self._products = tuple(product.requires_grad_() for product in products)  # type: ignore[assignment]

    def sum(self, student_features: Tensor, teacher_features: Tensor) -> Tensor:
        """The squared error summed over places, mean over the vocabulary; features of shape (places, hidden)."""
        if self._products is None:
            raise RuntimeError("begin() comes first")
        own, cross = self._products
        student = _with_one(at_least_float32(student_features))
        teacher = _with_one(at_least_float32(teacher_features))
        squares = torch.addmm(student @ own, teacher, cross.mT, alpha=-2).mul(student).sum()
        squares = squares + ((teacher @ self._teacher_squares) * teacher).sum()
        return squares / len(self._teacher[0])

    @torch.no_grad()
    def finish(self, output: Output) -> None:
        """Carry the gradients of all `sum`s of the step into the student's decoder."""
        if self._products is None or self._student is None:
            raise RuntimeError("begin() comes first")
        if self._products[0].grad is not None and self._products[1].grad is not None:
            own, cross = (at_least_float32(product.grad) for product in self._products)  # type: ignore[arg-type]
            both = own + own.mT
            (weight, bias), (theirs, their_bias) = self._student, self._teacher
            width = weight.shape[1]
            # The gradient of A_s is A_s (G + Gᵀ) + A_t Cᵀ, block by block: A itself would be a copy of the decoder.
            output.weight_gradient.addmm_(weight, both[:width, :width]).addr_(bias, both[width, :width])
            output.weight_gradient.addmm_(theirs, cross[:width, :-1].mT).addr_(their_bias, cross[:width, -1])
            output.bias_gradient += weight @ both[:width, width] + bias * both[width, width]
            output.bias_gradient += theirs @ cross[width, :-1] + their_bias * cross[width, -1]
        self._products = self._student = None


def _product(left: Decoder, right: Decoder) -> Tensor:
    """[W b]ᵀ[W b] of two decoders, from its blocks."""
    (weight, bias), (other, other_bias) = left, right
    upper = torch.cat([weight.mT @ other, (weight.mT @ other_bias)[:, None]], dim=1)
    lower = torch.cat([bias @ other, (bias @ other_bias)[None]])
    return torch.cat([upper, lower[None]]).detach()


def _with_one(features: Tensor) -> Tensor:
    return torch.cat([features, features.new_ones(len(features), 1)], dim=1)
