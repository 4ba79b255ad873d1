"""Exact sizes of teacher, every stage and student, from config.json alone: no torch, no weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from core.errors import Fault, InputError, gathering
from core.families import Family, Part, Sizes, family_of
from core.families.heads import resolve_heads


def megabytes(parameters: int) -> float:
    """Bytes of so many parameters in float32, / 1e6."""
    return parameters * 4 / 1e6


EVALUATE = "evaluate"
"""The last stage of every run."""
_CUT_BY = {
    "vocabulary": ("vocabulary",),
    "layers": ("layers",),
    "feed_forward": ("feed_forward",),
    "hidden": ("hidden", "heads"),
}
"""Stage → the sizes that it changes."""


@dataclass(frozen=True, slots=True)
class ModelSize:
    """The size of one model, the MLM head included, shared tensors once."""

    sizes: Sizes
    """Its sizes along every axis."""
    parts: Mapping[Part, int]
    """Parameters by part."""

    @property
    def parameters(self) -> int:
        """Number of parameters."""
        return sum(self.parts.values())

    @property
    def megabytes(self) -> float:
        """Bytes of its parameters in float32, / 1e6."""
        return megabytes(self.parameters)


@dataclass(frozen=True, slots=True)
class StageSize:
    """The size of the model that a stage gives."""

    name: str
    size: ModelSize


@dataclass(frozen=True, slots=True)
class Estimate:
    """Sizes of a run before it runs."""

    teacher: ModelSize
    student: ModelSize
    stages: tuple[StageSize, ...]
    """The stages that will run, in order."""

    @property
    def compression(self) -> float:
        """Fraction of the teacher's parameters that goes."""
        return 1 - self.student.parameters / self.teacher.parameters

    def to_json(self) -> dict[str, Any]:
        """`teacher`, `student` and `stages` as results.json has them, sizes only."""
        return {
            "teacher": {"parameters": self.teacher.parameters, "megabytes": self.teacher.megabytes},
            "student": {
                "parameters": self.student.parameters,
                "megabytes": self.student.megabytes,
                "compression": self.compression,
            },
            "stages": [{"name": stage.name, "parameters": stage.size.parameters} for stage in self.stages],
        }


def estimate(
    config: Mapping[str, Any],
    *,
    layers: int | None = None,
    feed_forward: int | None = None,
    hidden: int | None = None,
    heads: int | None = None,
    vocabulary: int | None = None,
    hidden_reduction: str,
    vocabulary_order: str,
    adapted: bool = False,
) -> Estimate:
    """Sizes of the teacher, of the model after each stage that changes it, and of the student.

    Args:
        config: the content of the teacher's config.json.
        layers, feed_forward, hidden, heads, vocabulary: the recipe's targets; None: the teacher's own.
        hidden_reduction: its name in the recipe; decides the number of heads where `heads` is None.
        vocabulary_order: "first" or "last": whether the vocabulary is cut before or after everything else.
        adapted: whether the teacher is adapted to the language first, a stage that changes no size.

    Raises:
        InputError: an unknown architecture or impossible targets; all faults at once.
    """
    family = family_of(config)
    teacher = family.sizes(config)
    faults = target_faults(
        teacher,
        layers=layers,
        feed_forward=feed_forward,
        hidden=hidden,
        heads=heads,
        vocabulary=vocabulary,
        hidden_reduction=hidden_reduction,
    )
    if faults:
        raise InputError.of(faults)

    width = teacher.hidden if hidden is None else hidden
    student = replace(
        teacher,
        layers=teacher.layers if layers is None else layers,
        feed_forward=teacher.feed_forward if feed_forward is None else feed_forward,
        hidden=width,
        heads=resolve_heads(teacher, width, heads, hidden_reduction),
        vocabulary=teacher.vocabulary if vocabulary is None else vocabulary,
    )
    stages, sizes = [], teacher
    for name in _stage_names(teacher, student, vocabulary_order=vocabulary_order, adapted=adapted):
        sizes = replace(sizes, **{axis: getattr(student, axis) for axis in _CUT_BY.get(name, ())})
        stages.append(StageSize(name, _measure(family, sizes)))
    return Estimate(_measure(family, teacher), _measure(family, student), tuple(stages))


def _stage_names(teacher: Sizes, student: Sizes, *, vocabulary_order: str, adapted: bool) -> list[str]:
    """The stages of a run, in order; one that would change nothing is left out.

    Args:
        teacher, student: the sizes to start from and to end at.
        vocabulary_order: "first" or "last".
        adapted: whether the teacher is adapted to the language first.
    """
    cut = {
        name: any(getattr(teacher, axis) != getattr(student, axis) for axis in axes) for name, axes in _CUT_BY.items()
    }
    # The second distillation belongs to this stage; it also mends what the feed-forward cut broke.
    cut["hidden"] = cut["hidden"] or cut["feed_forward"]
    order = ["layers", "feed_forward", "hidden"]
    order.insert(0 if vocabulary_order == "first" else len(order), "vocabulary")
    return [*(["adapt"] if adapted else []), *(name for name in order if cut[name]), EVALUATE]


def target_faults(
    teacher: Sizes,
    *,
    layers: int | None = None,
    feed_forward: int | None = None,
    hidden: int | None = None,
    heads: int | None = None,
    vocabulary: int | None = None,
    hidden_reduction: str,
) -> list[Fault]:
    """What is impossible in a recipe's targets: the key, its value, what is allowed and the nearest allowed value.

    Args:
        teacher: the teacher's sizes.
        layers, feed_forward, hidden, heads, vocabulary: the recipe's targets; None: the teacher's own.
        hidden_reduction: its name in the recipe.
    """
    ranges = (
        ("layers", layers, teacher.layers),
        ("intermediate_size", feed_forward, teacher.feed_forward),
        ("hidden_size", hidden, teacher.hidden),
        ("vocabulary_size", vocabulary, teacher.vocabulary),
    )
    faults = [
        Fault(
            f"targets.{key} is {value}, but it must be from 1 to {most}, the teacher's.",
            f"Set targets.{key} to {min(max(value, 1), most)}.",
            f"targets.{key}",
        )
        for key, value, most in ranges
        if value is not None and not 1 <= value <= most
    ]
    width = teacher.hidden if hidden is None else hidden
    if 1 <= width <= teacher.hidden:
        with gathering(faults):
            resolve_heads(teacher, width, heads, hidden_reduction)
    return faults


def _measure(family: Family, sizes: Sizes) -> ModelSize:
    return ModelSize(sizes, family.parameters(sizes))
