"""The loss: masked-language modelling plus a teacher's word, L = α · L_MLM + (1 − α) · L_KD (paper, section 3.1).

The sums here are over tokens; who calls divides by the step's own counts, so that splitting a step into
micro-batches never changes its meaning.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from core.analysis.operations import gram_pays
from core.distillation.gram import GramSquares
from core.distillation.places import Output, PlaceSums, place_sums
from core.models import LanguageModel


def hidden_state_sum(student: Tensor, teacher: Tensor, maps: Tensor, scales: Sequence[float]) -> Tensor:
    """Squared distance of hidden states, mean over layers, summed over tokens (TinyBERT, arXiv:1909.10351, equation 8).

    Args:
        student: shape (layers, tokens, hidden).
        teacher: shape (layers, tokens, teacher's hidden), in whichever precision.
        maps: carry the one into the space of the other, shape (layers, hidden, teacher's hidden).
        scales: for each layer the mean squared distance of the teacher's states from their mean: 1 is what saying the
            mean would give.

    Returns:
        Scalar float32.
    """
    far = torch.baddbmm(teacher.to(student.dtype), student, maps, beta=-1).square().sum((1, 2))
    return (far / far.new_tensor(scales)).mean()


@dataclass(frozen=True, slots=True)
class Told:
    """The losses of a micro-batch, as scalar tensors without a graph, summed over places."""

    mlm: Tensor
    correct: Tensor
    """Masked places that are guessed right; only where nothing learns."""
    kd: Tensor | None = None
    pulls: tuple[tuple[Tensor, Tensor], ...] = ()
    """Tensors of the student's graph, each with the weighted loss's gradient with respect to it."""


def masked_language(features: Tensor, output: Output, labels: Tensor, weight: float) -> Told:
    """Cross-entropy at masked places alone, where there is no teacher.

    Args:
        features: what the decoder multiplies, shape (masked, hidden).
        output: the decoder.
        labels: the original tokens, shape (masked,).
        weight: of the sum in the loss.
    """
    sums = place_sums(features, output, labels=labels, weights=(weight, 0.0))
    return Told(sums.mlm, sums.correct, None, _pull(features, output, sums))


class Distance:
    """What a student is told by its teacher, over the places that this loss looks at."""

    def __init__(self, teacher: LanguageModel, kind: str, temperature: float) -> None:
        """`kind`: "mse" of the logits at every token, or "kl" of the distributions at masked tokens."""
        self.everywhere = kind == "mse"
        """Whether every token counts, not only the masked ones."""
        self._teacher = teacher
        self._kind = kind
        self._temperature = temperature
        self._theirs: Output | None = None
        self._gram: GramSquares | None = None
        self._use_gram = False

    def begin(self, student: LanguageModel, output: Output, tokens: int) -> None:
        """Start a step of so many tokens, with the student's decoder as it is now."""
        sizes, teacher = student.sizes, self._teacher.sizes
        self._use_gram = self.everywhere and gram_pays(sizes.hidden, teacher.hidden, sizes.vocabulary, tokens)
        if self._use_gram:
            self._gram = self._gram or GramSquares(self._teacher.decoder)
            self._gram.begin(output.decoder)
        elif self._theirs is None or self._theirs.weight.dtype != output.weight.dtype:
            self._theirs = Output(self._teacher.decoder, output.weight.dtype, learns=False)

    def told(
        self,
        masked: Tensor,
        labels: Tensor,
        tokens: Tensor,
        answers: Tensor,
        output: Output,
        weights: tuple[float, float],
    ) -> Told:
        """The losses of a micro-batch.

        Args:
            masked: the student's features at masked places, shape (masked, hidden).
            labels: the original tokens there.
            tokens: its features at all tokens, shape (tokens, hidden); the same as `masked` unless `everywhere`.
            answers: the teacher's features at the places that this loss looks at.
            output: the student's decoder.
            weights: of cross-entropy and distance, summed over places, in the loss.
        """
        teacher = {"teacher": self._theirs, "kind": self._kind, "temperature": self._temperature}
        if not self.everywhere:
            sums = place_sums(masked, output, labels=labels, answers=answers, weights=weights, **teacher)  # type: ignore[arg-type]
            return Told(sums.mlm, sums.correct, sums.kd, _pull(masked, output, sums))
        mlm = place_sums(masked, output, labels=labels, weights=weights)
        if self._use_gram and self._gram is not None:
            squares = self._gram.sum(tokens, answers)
            pull = ((squares, squares.new_tensor(weights[1])),) if output.learns else ()
            return Told(mlm.mlm, mlm.correct, squares.detach(), (*_pull(masked, output, mlm), *pull))
        kd = place_sums(tokens, output, answers=answers, weights=weights, **teacher)  # type: ignore[arg-type]
        return Told(mlm.mlm, mlm.correct, kd.kd, (*_pull(masked, output, mlm), *_pull(tokens, output, kd)))

    def finish(self, output: Output) -> None:
        """End a step: what is left of the gradient reaches the student's decoder."""
        if self._use_gram and self._gram is not None:
            self._gram.finish(output)


def _pull(features: Tensor, output: Output, sums: PlaceSums) -> tuple[tuple[Tensor, Tensor], ...]:
    return ((features, sums.gradient),) if output.learns and len(features) else ()
