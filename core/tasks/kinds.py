"""The kinds of task and their training values, as tables. No torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from core.errors import InputError

Method = Literal["adapter", "probe", "full"]
METHODS: tuple[Method, ...] = ("adapter", "probe", "full")


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """What sets one kind of task apart."""

    unit: Literal["text", "token"]
    """What carries a label."""
    metric: str
    """The main score's name, see `core.tasks.scores`."""
    suffix: str
    """How its files' names end."""


KINDS: Mapping[str, Kind] = {
    "topic": Kind(unit="text", metric="macro_f1", suffix=".tsv"),
    "sentiment": Kind(unit="text", metric="macro_f1", suffix=".tsv"),
    "ner": Kind(unit="token", metric="f1", suffix=".bio"),
    "pos": Kind(unit="token", metric="accuracy", suffix=".conllu"),
}
"""Every kind by the name it has in a recipe."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """The values that a recipe may leave to `auto`."""

    learning_rate: float
    """Peak of the schedule."""
    batch_size: int
    """Examples (probe: labelled units) an optimiser step."""


_AUTO: Mapping[tuple[str, str], Training] = {
    # The paper's (arXiv 2505.16956, downstream evaluation).
    ("adapter", "text"): Training(learning_rate=1e-4, batch_size=16),
    ("adapter", "token"): Training(learning_rate=3e-4, batch_size=64),
    # Ours: the usual ones for fine-tuning a whole encoder, and for a softmax layer on standardised features.
    ("full", "text"): Training(learning_rate=5e-5, batch_size=16),
    ("full", "token"): Training(learning_rate=5e-5, batch_size=16),
    ("probe", "text"): Training(learning_rate=5e-3, batch_size=16),
    ("probe", "token"): Training(learning_rate=5e-3, batch_size=64),
}

REDUCTION_FACTOR = 16
SMALL_REDUCTION_FACTOR = 4
SMALL_HIDDEN_SIZE = 384
"""Below this hidden size a bottleneck is a quarter of it: the paper's choice for its smallest students (312)."""


def kind_of(name: str) -> Kind:
    """The kind of that name.

    Raises:
        InputError: there is none.
    """
    if name not in KINDS:
        raise InputError(f"There is no kind of task {name!r}.", hint=f"Choose one of: {', '.join(KINDS)}.")
    return KINDS[name]


def auto_training(kind: str, method: str) -> Training:
    """What `auto` means for a kind of task and a method."""
    return _AUTO[method, KINDS[kind].unit]


def auto_reduction_factor(hidden_size: int) -> int:
    """What `auto` means for an adapter: hidden size over the bottleneck's width."""
    return SMALL_REDUCTION_FACTOR if hidden_size < SMALL_HIDDEN_SIZE else REDUCTION_FACTOR
