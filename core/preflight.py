"""Everything about a recipe that can be found wrong before anything is made or loaded. No torch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.analysis.size import target_faults
from core.corpus.reading import corpus_faults
from core.errors import Fault, InputError
from core.families import Family, Sizes, family_of
from core.languages import check_language
from core.recipe import Recipe
from core.sources import check_model_folder, model_folder
from core.tasks.data import task_faults

_STAGES = 5
"""Models that a run keeps beside its checkpoint, at most."""


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
    faults: list[Fault] = []
    checked: Checked | None = None
    try:
        check_language(recipe.language.code)
    except InputError as error:
        faults.extend(error.faults)
    faults.extend(corpus_faults(recipe.corpus.sources, base))
    for task in recipe.tasks:
        faults.extend(task_faults(task.kind, task.source, base, recipe.language.code))
    try:
        checked = check_teacher(recipe, base)
    except InputError as error:
        faults.extend(error.faults)
    if faults or checked is None:
        raise InputError.of(faults)
    return checked


def check_teacher(recipe: Recipe, base: Path) -> Checked:
    """Check the teacher and whether the targets suit it.

    Raises:
        InputError: all faults at once.
    """
    folder = model_folder(recipe.teacher.model, base)
    config = check_model_folder(folder)
    family = family_of(config)
    sizes = family.sizes(config)
    targets = recipe.targets
    faults = target_faults(
        sizes,
        layers=targets.layers,
        feed_forward=targets.intermediate_size,
        hidden=targets.hidden_size,
        heads=targets.attention_heads,
        vocabulary=targets.vocabulary_size,
        hidden_reduction=recipe.method.hidden_reduction,
    )
    if recipe.teacher.adapt_steps == 0 and not _has_head(folder, family):
        faults.append(
            Fault(
                f"The teacher {recipe.teacher.model} has no masked-language head.",
                "Set teacher.adapt_steps above 0 (a few hundred or more): it trains one on the corpus.",
            )
        )
    if faults:
        raise InputError.of(faults)
    return Checked(folder, config, family, sizes)


def _has_head(folder: Path, family: Family) -> bool:
    """Whether the weights hold the masked-language head, by the names in the safetensors headers."""
    from safetensors import SafetensorError, safe_open

    names: set[str] = set()
    for path in sorted(folder.glob("*.safetensors")):
        try:
            with safe_open(path, framework="numpy") as file:
                names |= set(file.keys())
        except (OSError, SafetensorError) as error:
            raise InputError(f"{path} is not a safetensors file: {error}.", hint="Download the model again.") from error
    return family.transform_weight in names
