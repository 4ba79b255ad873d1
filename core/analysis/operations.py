"""How many multiplications a model takes: from sizes alone, so what hangs on them is the same everywhere. No torch.

A multiplication stands for one and the addition that goes with it: two floating-point operations. Only matrix products
count; all else (LayerNorm, activations, softmax) is proportional to tokens and takes time, but few operations.
"""

from __future__ import annotations

from dataclasses import dataclass

from core.families import Family, Sizes

BACKWARD = 2
"""Backward passes take so many times the multiplications of the forward pass: one for inputs, one for weights."""


@dataclass(frozen=True, slots=True)
class Reading:
    """Text that a model reads, as its costs see it."""

    tokens: float
    squares: float
    """Sum of the squared lengths of the texts, as every token attends to all of its text."""
    places: float
    """Those at which the model predicts a token."""
    transformed: float
    """Those that its head transforms; at least `places`, more where features are compared without logits."""


def forward(family: Family, sizes: Sizes, text: Reading) -> float:
    """Multiplications of one forward pass, predictions over the whole vocabulary at `text.places` included."""
    parts = family.parameters(sizes)
    layers = text.tokens * (parts["attention"] + parts["feed_forward"])
    attention = 2 * text.squares * sizes.layers * sizes.hidden
    head = text.transformed * sizes.hidden**2 + text.places * sizes.vocabulary * sizes.hidden
    return layers + attention + head


def training(family: Family, sizes: Sizes, text: Reading) -> float:
    """Multiplications of a forward and a backward pass."""
    return (1 + BACKWARD) * forward(family, sizes, text)


def gram_products(student: int, teacher: int, vocabulary: int) -> float:
    """Multiplications of the products that the logits' squared error is computed from, forward and backward.

    Args:
        student, teacher: hidden sizes; see `core.distillation.gram.GramSquares`.
        vocabulary: number of tokens.
    """
    return 2 * vocabulary * student * (student + teacher)  # one symmetric gradient serves both factors of AᵀA


def gram_places(student: int, teacher: int, places: float) -> float:
    """Multiplications of that error at so many places, forward and backward, once the products are there."""
    return places * ((1 + BACKWARD) * student * (student + teacher) + teacher**2)


def gram_pays(student: int, teacher: int, vocabulary: int, places: float) -> bool:
    """Whether the squared error of a step's logits takes fewer multiplications without logits; arguments as above."""
    logits = places * vocabulary * ((1 + BACKWARD) * student + teacher)
    return gram_products(student, teacher, vocabulary) + gram_places(student, teacher, places) < logits
