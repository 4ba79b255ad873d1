"""Everything about a recipe that can be found wrong before anything is made or loaded. No torch."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.analysis.size import target_faults
from core.corpus.reading import corpus_faults
from core.errors import Fault, InputError, gathering
from core.families import Family, Sizes, family_of
from core.languages import check_language
from core.recipe import Recipe, parse
from core.sources import check_model_folder, downloaded, local_folder, model_folder
from core.tasks.data import task_faults
from core.teachers import known_teacher
from core.weights import check_amount, shapes_in, weight_files

_STAGES = 5
"""Models that a run keeps beside its checkpoint, at most."""
_TEACHER = "teacher.model"


@dataclass(frozen=True, slots=True)
class Checked:
    """A teacher that fits its recipe."""

    folder: Path
    config: dict[str, Any]
    family: Family
    sizes: Sizes

    @property
    def needed_bytes(self) -> int:
        """Disk space that a run may take: a model a stage, and a checkpoint being replaced by the next."""
        model = 4 * sum(self.family.parameters(self.sizes).values())
        return (_STAGES + 2 * 4) * model


def check(recipe: Recipe, base: Path) -> Checked:
    """Check teacher, language, targets, corpus and tasks; downloads a hub teacher.

    Raises:
        InputError: all faults at once.
    """
    faults = _faults_beside_the_teacher(recipe, base)
    with gathering(faults):
        checked = check_teacher(recipe, base)
    if faults:
        raise InputError.of(faults)
    return checked


def recipe_faults(text: str, base: Path) -> tuple[Fault, ...]:
    """Every fault of a recipe that can be found without the network; none where it may run.

    Of what is on the hub only the form of its name is checked, and a teacher's sizes where they are known here.

    Args:
        text: the recipe's TOML.
        base: what its relative paths are taken from.
    """
    try:
        recipe = parse(text)
    except InputError as error:
        return error.faults
    faults = _faults_beside_the_teacher(recipe, base)
    with gathering(faults, _TEACHER):
        teacher = teacher_here(recipe.teacher.model, base)
        if teacher is not None:
            faults += _misfits(recipe, teacher.sizes, teacher.has_head)
    return tuple(faults)


def check_teacher(recipe: Recipe, base: Path) -> Checked:
    """Check the teacher and whether the targets suit it; downloads a hub teacher.

    Raises:
        InputError: all faults at once.
    """
    faults: list[Fault] = []
    with gathering(faults, _TEACHER):
        folder = model_folder(recipe.teacher.model, base)
        config = check_model_folder(folder)
        family, sizes = _measured(config)
        faults += _misfits(recipe, sizes, _has_head(folder, family, sizes))
    if faults:
        raise InputError.of(faults)
    return Checked(folder, config, family, sizes)


@dataclass(frozen=True, slots=True)
class TeacherHere:
    """What this machine knows of a teacher."""

    family: Family
    sizes: Sizes
    has_head: bool | None
    """Whether it has a masked-language head; None where only its weights could tell."""
    on_this_machine: bool
    """Whether its weights are here."""


def teacher_here(source: str, base: Path) -> TeacherHere | None:
    """What is known of a teacher without asking the hub; None where that is nothing.

    Args:
        source: `teacher.model` of a recipe.
        base: what relative paths are taken from.

    Raises:
        InputError: there is no such folder or it can't be used, or no model of the hub can have this name.
    """
    folder = local_folder(source, base)
    cached = downloaded(source) if folder is None else None
    if folder is None and cached is not None and any(cached.glob("*.safetensors")):
        folder = cached
    if folder is not None:
        family, sizes = _measured(check_model_folder(folder))
        return TeacherHere(family, sizes, _has_head(folder, family, sizes), on_this_machine=True)
    known = known_teacher(source)
    if known is not None:
        # Every known teacher is a masked language model.
        return TeacherHere(*_measured(known.config), has_head=True, on_this_machine=False)
    if cached is not None:
        config = check_model_folder(cached, weights=False)
        return TeacherHere(*_measured(config), has_head=None, on_this_machine=False)
    return None


def _faults_beside_the_teacher(recipe: Recipe, base: Path) -> list[Fault]:
    """What is wrong with language, corpus and tasks."""
    faults: list[Fault] = []
    with gathering(faults, "language.code"):
        check_language(recipe.language.code)
    faults += [fault.about("corpus.sources") for fault in corpus_faults(recipe.corpus.sources, base)]
    words = recipe.method.vocabulary_words
    if words is not None and not os.path.isfile(base / os.path.expanduser(words)):
        fault = Fault(f"There is no list of words {words}.", "Check the path; it starts at the recipe.")
        faults.append(fault.about("method.vocabulary_words"))
    for task in recipe.tasks:
        found = task_faults(task.kind, task.source, base, recipe.language.code)
        faults += [fault.about(f"tasks.{task.name}.source") for fault in found]
    return faults


def _measured(config: Mapping[str, Any]) -> tuple[Family, Sizes]:
    family = family_of(config)
    return family, family.sizes(config)


def _misfits(recipe: Recipe, teacher: Sizes, has_head: bool | None) -> list[Fault]:
    """What the recipe asks of this teacher and can't have."""
    targets = recipe.targets
    faults = target_faults(
        teacher,
        layers=targets.layers,
        feed_forward=targets.intermediate_size,
        hidden=targets.hidden_size,
        heads=targets.attention_heads,
        vocabulary=targets.vocabulary_size,
        hidden_reduction=recipe.method.hidden_reduction,
    )
    if recipe.teacher.adapt_steps == 0 and has_head is False:
        faults.append(
            Fault(
                f"The teacher {recipe.teacher.model} has no masked-language head.",
                "Set teacher.adapt_steps above 0 (a few hundred or more): it trains one on the corpus.",
                "teacher.adapt_steps",
            )
        )
    return faults


def _has_head(folder: Path, family: Family, sizes: Sizes) -> bool:
    """Whether the weights hold the masked-language head, by the names in the safetensors headers."""
    shapes = shapes_in(weight_files(folder))
    check_amount(shapes, sum(family.parameters(sizes).values()), folder)
    return family.transform_weight in shapes
