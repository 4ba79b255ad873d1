"""Losses at single places, such as masked ones, from logits over the whole vocabulary: few logits at a time."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

Decoder = tuple[Tensor, Tensor]
"""Output embedding (vocabulary, hidden) and bias (vocabulary)."""
_LOGITS = 1 << 25
"""Logits of one model at a time: 128 MiB in float32."""


class Output:
    """A decoder as a step needs it: in the precision of the step, with room where its gradient grows in place."""

    def __init__(self, decoder: Decoder, dtype: torch.dtype, *, learns: bool) -> None:
        """`dtype`: of the features that it multiplies; `learns`: whether gradients are wanted."""
        self.decoder = decoder
        weight, bias = (part.detach() for part in decoder)
        self.weight, self.bias = weight.to(dtype), bias.to(dtype)
        self.learns = learns
        if learns:
            self.weight_gradient, self.bias_gradient = torch.zeros_like(weight), torch.zeros_like(bias)

    def logits(self, features: Tensor) -> Tensor:
        """Logits at places, shape (places, vocabulary), in float32 at least."""
        return at_least_float32(F.linear(features, self.weight, self.bias))

    def reach(self) -> None:
        """Hand the gradient to those parts of the decoder that learn."""
        for part, gradient in zip(self.decoder, (self.weight_gradient, self.bias_gradient), strict=True):
            if part.requires_grad:
                part.grad = gradient if part.grad is None else part.grad.add_(gradient)


@dataclass(frozen=True, slots=True)
class PlaceSums:
    """Sums over places, as scalar tensors."""

    mlm: Tensor
    """Cross-entropy with the original tokens, in nats."""
    kd: Tensor
    """Distance from the teacher."""
    correct: Tensor
    """Places at which the original token is the likeliest; only where nothing learns."""
    gradient: Tensor
    """Of the weighted sum with respect to the features, in their shape; only where something learns."""


@torch.no_grad()
def place_sums(
    features: Tensor,
    output: Output,
    *,
    labels: Tensor | None = None,
    answers: Tensor | None = None,
    teacher: Output | None = None,
    kind: str = "kl",
    temperature: float = 1.0,
    weights: tuple[float, float] = (1.0, 0.0),
    most: int = _LOGITS,
) -> PlaceSums:
    """Cross-entropy, distance from a teacher, or both from the same logits; value and gradient together.

    L_MLM is the cross-entropy, L_KD the squared error of the logits, mean over the vocabulary (paper, section 3.1), or
    T² · KL(softmax(teacher / T) ‖ softmax(student / T)) (Hinton et al. 2015, arXiv:1503.02531, section 2; T² keeps
    gradients on one scale). The places are taken in chunks: each has its whole softmax at hand, so that nothing is
    computed twice, as it would be with chunks of the vocabulary.

    Args:
        features: what the decoder multiplies, shape (places, hidden); no graph is followed.
        output: the student's decoder; where it learns, its gradient grows.
        labels: the original tokens, shape (places,); None: no cross-entropy.
        answers: what the teacher's decoder multiplies, shape (places, teacher's hidden); None: no distance.
        teacher: its decoder.
        kind: "kl" or "mse".
        temperature: T > 0, of "kl".
        weights: of both sums in the loss that gradients are of.
        most: logits of one model that may exist at a time; one place is always taken.
    """
    features = features.detach()
    gradient = torch.empty_like(features) if output.learns else features
    mlm, kd, correct = at_least_float32(features.new_zeros(3)).unbind()
    size = max(1, most // len(output.weight))
    for begin in range(0, len(features), size):
        chunk = slice(begin, begin + size)
        logits = output.logits(features[chunk])
        towards: Tensor | None = None  # the gradient with respect to the logits
        if labels is not None:
            mlm += F.cross_entropy(logits, labels[chunk], reduction="sum")
            if not output.learns:
                correct += (logits.argmax(-1) == labels[chunk]).sum()
        if answers is not None and teacher is not None:
            theirs = teacher.logits(answers[chunk].to(teacher.weight.dtype))
            if kind == "mse":
                apart, towards = _squares(logits, theirs, weights[1])
            else:
                apart, towards = _divergence(logits, theirs, weights[1], temperature)
            kd += apart
        if not output.learns:
            continue
        if labels is not None:
            own = logits.softmax(-1).mul_(weights[0])
            own.scatter_add_(1, labels[chunk, None], own.new_full((len(own), 1), -weights[0]))
            towards = own if towards is None else towards.add_(own)
        if towards is None:
            raise ValueError("neither labels nor a teacher's answers were given")
        output.bias_gradient += towards.sum(0)
        towards = towards.to(features.dtype)
        gradient[chunk] = towards @ output.weight
        if towards.dtype == output.weight_gradient.dtype:
            output.weight_gradient.addmm_(towards.mT, features[chunk])
        else:
            output.weight_gradient += towards.mT @ features[chunk]
    return PlaceSums(mlm, kd, correct, gradient)


def at_least_float32(tensor: Tensor) -> Tensor:
    """The tensor in float32, or as it is where it is float64."""
    return tensor if tensor.dtype == torch.float64 else tensor.float()


def _squares(logits: Tensor, theirs: Tensor, weight: float) -> tuple[Tensor, Tensor]:
    """Squared error, mean over the vocabulary and summed over places; and its weighted gradient."""
    apart, vocabulary = logits - theirs, logits.shape[-1]
    return apart.square().sum() / vocabulary, apart.mul_(2 * weight / vocabulary)


def _divergence(logits: Tensor, theirs: Tensor, weight: float, heat: float) -> tuple[Tensor, Tensor]:
    """T² · KL summed over places; and its weighted gradient."""
    student, teacher = F.log_softmax(logits / heat, -1), F.log_softmax(theirs / heat, -1)
    odds = teacher.exp()
    apart = odds.mul(teacher.sub_(student)).sum() * heat**2
    return apart, student.exp_().sub_(odds).mul_(weight * heat)
