"""The loss: masked-language modelling plus a teacher's word, L = α · L_MLM + (1 − α) · L_KD (paper, section 3.1).

The sums here are over tokens; who calls divides by the step's own counts, so that splitting a step into
micro-batches never changes its meaning.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from core.models import LanguageModel


def masked_language_sum(features: Tensor, weight: Tensor, bias: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy at masked places, summed.

    Args:
        features: what the decoder multiplies, shape (masked, hidden).
        weight, bias: the decoder's, shapes (vocabulary, hidden) and (vocabulary).
        labels: the original tokens, shape (masked,).

    Returns:
        Scalar float32, in nats.
    """
    return F.cross_entropy(F.linear(features, weight, bias).float(), labels, reduction="sum")


def soft_label_sum(student_logits: Tensor, teacher_logits: Tensor, temperature: float) -> Tensor:
    """Distance of the student's token distributions from the teacher's, summed over places.

    T² · KL(softmax(teacher / T) ‖ softmax(student / T)) (Hinton et al. 2015, arXiv:1503.02531, section 2; T² keeps
    gradients on one scale).

    Args:
        student_logits, teacher_logits: shape (places, vocabulary).
        temperature: T > 0.

    Returns:
        Scalar float32, in nats; 0 where both agree.
    """
    student = F.log_softmax(student_logits.float() / temperature, dim=-1)
    teacher = F.log_softmax(teacher_logits.float() / temperature, dim=-1)
    return F.kl_div(student, teacher, reduction="sum", log_target=True) * temperature**2


def logit_square_sum(student_logits: Tensor, teacher_logits: Tensor) -> Tensor:
    """Squared error of the logits, mean over the vocabulary and summed over places (paper, equation of L_KD)."""
    return (student_logits.float() - teacher_logits.float()).square().mean(dim=-1).sum()


def hidden_state_sum(student: Tensor, teacher: Tensor, maps: Tensor, scales: Sequence[float]) -> Tensor:
    """Squared distance of hidden states, mean over layers, summed over tokens (TinyBERT, arXiv:1909.10351, equation 8).

    Args:
        student: shape (layers, tokens, hidden).
        teacher: shape (layers, tokens, teacher's hidden).
        maps: carry the one into the space of the other, shape (layers, hidden, teacher's hidden).
        scales: for each layer the mean squared distance of the teacher's states from their mean: 1 is what saying the
            mean would give.

    Returns:
        Scalar float32.
    """
    far = (student @ maps - teacher).square().sum((1, 2))
    return (far / far.new_tensor(scales)).mean()


class GramSquares:
    """The sum of `logit_square_sum` over all places of a step, without logits.

    With A = [W b] of shape (V, hidden + 1) and z = [features; 1], a place's logits are A z, and
    ‖A_s z_s − A_t z_t‖² = z_sᵀ(A_sᵀA_s)z_s − 2 z_sᵀ(A_sᵀA_t)z_t + z_tᵀ(A_tᵀA_t)z_t.
    The products of A are formed once a step, whatever the number of places. In float32 throughout: large numbers are
    subtracted.
    """

    def __init__(self, teacher: tuple[Tensor, Tensor]) -> None:
        """`teacher`: its decoder's weight (V, hidden) and bias (V), which never change."""
        self._teacher = _extend(*teacher).detach().float()
        self._teacher_squares = self._teacher.T @ self._teacher
        self._products: tuple[Tensor, Tensor] | None = None
        self._leaves: tuple[Tensor, Tensor] | None = None

    def begin(self, student: tuple[Tensor, Tensor]) -> None:
        """Form the step's products from the student's decoder weight and bias."""
        extended = _extend(*student).float()
        self._products = (extended.T @ extended, extended.T @ self._teacher)
        self._leaves = tuple(product.detach().requires_grad_() for product in self._products)  # type: ignore[assignment]

    def sum(self, student_features: Tensor, teacher_features: Tensor) -> Tensor:
        """The squared error summed over places, mean over the vocabulary; features of shape (places, hidden)."""
        if self._leaves is None:
            raise RuntimeError("begin() comes first")
        own, cross = self._leaves
        student, teacher = _with_one(student_features.float()), _with_one(teacher_features.float())
        squares = ((student @ own) * student).sum() - 2 * ((student @ cross) * teacher).sum()
        squares = squares + ((teacher @ self._teacher_squares) * teacher).sum()
        return squares / self._teacher.shape[0]

    def finish(self) -> None:
        """Carry the gradients of all `sum`s of the step into the student's decoder."""
        if self._products is None or self._leaves is None:
            raise RuntimeError("begin() comes first")
        gradients = [torch.zeros_like(leaf) if leaf.grad is None else leaf.grad for leaf in self._leaves]
        torch.autograd.backward(self._products, gradients)
        self._products = self._leaves = None


def gram_pays(student_hidden: int, teacher_hidden: int, vocabulary: int, tokens: int) -> bool:
    """Whether `GramSquares` takes fewer multiplications a step than logits would, forward and backward."""
    logits = tokens * vocabulary * (3 * student_hidden + teacher_hidden)
    products = 3 * vocabulary * student_hidden * (student_hidden + teacher_hidden)
    products += tokens * (3 * student_hidden * (student_hidden + teacher_hidden) + teacher_hidden**2)
    return products < logits


def _extend(weight: Tensor, bias: Tensor) -> Tensor:
    return torch.cat([weight, bias[:, None]], dim=1)


def _with_one(features: Tensor) -> Tensor:
    return torch.cat([features, features.new_ones(len(features), 1)], dim=1)


class Distance:
    """What a student is told by its teacher: one of `KD_LOSSES`, over the places that this loss looks at."""

    def __init__(self, teacher: LanguageModel, kind: str, temperature: float) -> None:
        """`kind`: "mse" of the logits at every token, or "kl" of the distributions at masked tokens."""
        self.everywhere = kind == "mse"
        """Whether every token counts, not only the masked ones."""
        self._teacher = teacher
        self._sum: Callable[[Tensor, Tensor], Tensor] = (
            logit_square_sum if kind == "mse" else lambda s, t: soft_label_sum(s, t, temperature)
        )
        self._gram: GramSquares | None = None
        self._use_gram = False

    def begin(self, student: LanguageModel, tokens: int) -> None:
        """Start a step of so many tokens."""
        sizes, teacher = student.sizes, self._teacher.sizes
        self._use_gram = self.everywhere and gram_pays(sizes.hidden, teacher.hidden, sizes.vocabulary, tokens)
        if self._use_gram:
            self._gram = self._gram or GramSquares(self._teacher.decoder)
            self._gram.begin(student.decoder)

    def sum(self, student: LanguageModel, student_features: Tensor, teacher_features: Tensor) -> Tensor:
        """The distance summed over places; features of shape (places, hidden)."""
        if self._use_gram and self._gram is not None:
            return self._gram.sum(student_features, teacher_features)
        own, others = student.decoder, self._teacher.decoder
        return self._sum(F.linear(student_features, *own), F.linear(teacher_features, *others))

    def finish(self) -> None:
        """End a step: what is left of the gradient reaches the student."""
        if self._use_gram and self._gram is not None:
            self._gram.finish()
