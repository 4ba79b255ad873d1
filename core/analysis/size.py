"""Exact sizes of teacher, every stage and student, from config.json alone: no torch, no weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from core.errors import Fault, InputError, gathering
from core.families import REDUCIBLE, Family, Part, Reducible, Sizes, family_of
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
_WORDS: Mapping[Reducible, str] = {
    "layers": "the layers",
    "feed_forward": "the feed-forward units",
    "hidden": "the hidden size",
    "vocabulary": "the vocabulary",
}


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

    @property
    def cuts_vocabulary(self) -> bool:
        """Whether the vocabulary is cut."""
        return any(stage.name == "vocabulary" for stage in self.stages)

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
    vocabulary_multiple: int = 1,
    vocabulary_open: bool = False,
    adapted: bool = False,
) -> Estimate:
    """Sizes of the teacher, of the model after each stage that changes it, and of the student.

    Args:
        config: the content of the teacher's config.json.
        layers, feed_forward, hidden, heads, vocabulary: the recipe's targets; None: the teacher's own.
        hidden_reduction: its name in the recipe; decides the number of heads where `heads` is None.
        vocabulary_order: "first" or "last": whether the vocabulary is cut before or after everything else.
        vocabulary_multiple: what `vocabulary` is rounded up to a multiple of.
        vocabulary_open: the vocabulary is cut, to a size that shows only when the corpus is counted.
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
        vocabulary=teacher.vocabulary if vocabulary is None else _rounded_up(vocabulary, vocabulary_multiple, teacher),
    )
    stages, sizes = [], teacher
    for name in _stage_names(teacher, student, vocabulary_order, vocabulary_open, adapted):
        sizes = replace(sizes, **{axis: getattr(student, axis) for axis in _CUT_BY.get(name, ())})
        stages.append(StageSize(name, _measure(family, sizes)))
    return Estimate(_measure(family, teacher), _measure(family, student), tuple(stages))


def _rounded_up(vocabulary: int, multiple: int, teacher: Sizes) -> int:
    """A vocabulary's size as the next multiple, unless the teacher has fewer tokens."""
    return min(-(-vocabulary // multiple) * multiple, teacher.vocabulary)


def _stage_names(
    teacher: Sizes, student: Sizes, vocabulary_order: str, vocabulary_open: bool, adapted: bool
) -> list[str]:
    """The stages of a run, in order; one that would change nothing is left out. Arguments as for `estimate`."""
    cut = {
        name: any(getattr(teacher, axis) != getattr(student, axis) for axis in axes) for name, axes in _CUT_BY.items()
    }
    cut["vocabulary"] = cut["vocabulary"] or vocabulary_open
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
    ranges: tuple[tuple[str, Reducible, int | None], ...] = (
        ("layers", "layers", layers),
        ("intermediate_size", "feed_forward", feed_forward),
        ("hidden_size", "hidden", hidden),
        ("vocabulary_size", "vocabulary", vocabulary),
    )
    faults = []
    for key, size, value in ranges:
        most = getattr(teacher, size)
        if value is None or value == most:
            continue
        if size in teacher.fixed:
            faults.append(_fixed_fault(f"targets.{key}", value, most, teacher))
        elif not 1 <= value <= most:
            faults.append(
                Fault(
                    f"targets.{key} is {value}, but it must be from 1 to {most}, the teacher's.",
                    f"Set targets.{key} to {min(max(value, 1), most)}.",
                    f"targets.{key}",
                )
            )
    width = teacher.hidden if hidden is None or "hidden" in teacher.fixed else hidden
    if 1 <= width <= teacher.hidden:
        with gathering(faults):
            resolve_heads(teacher, width, heads, hidden_reduction)
    return faults


def _fixed_fault(key: str, value: int, own: int, teacher: Sizes) -> Fault:
    """What a target says that would cut a size which this architecture's models can't have cut."""
    cut = " and ".join(_WORDS[size] for size in REDUCIBLE if size not in teacher.fixed)
    return Fault(
        f"{key} is {value}, but it must be {own}, the teacher's: of its architecture only {cut} can be cut yet.",
        f"Leave {key} out.",
        key,
    )


def _measure(family: Family, sizes: Sizes) -> ModelSize:
    return ModelSize(sizes, family.parameters(sizes))
