"""How much text a recipe's local sources hold, by the sizes of their files: nothing is read. No torch."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from core.corpus.reading import HUB, files_of, size_of
from core.errors import InputError
from core.recipe import Recipe
from core.tasks.examples import SPLITS
from core.tasks.kinds import KINDS
from resources import sample

_TEXT_SHARES = {".gz": 3.0, ".parquet": 2.0, ".conllu": 0.15, ".bio": 0.7}
"""Bytes of text for each of a file's, where the format packs them or puts much beside them; an assumption."""
_HUB_BYTES = 2e6
"""Of each split of a task on the hub, whose size shows only when it is fetched; an assumption."""


@dataclass(frozen=True, slots=True)
class Amounts:
    """Bytes of text, in UTF-8."""

    corpus: float | None
    """Of all sources together; None where one of them isn't on this machine."""
    tasks: Mapping[str, Mapping[str, float]]
    """Task → split → bytes."""


def amounts(recipe: Recipe, base: Path) -> Amounts:
    """What the files of a recipe hold.

    Args:
        recipe: its corpus and tasks count.
        base: what relative paths start from. A source that isn't there counts as one that isn't known.
    """
    tasks = {task.name: _task_bytes(task.kind, task.source, base, recipe.language.code) for task in recipe.tasks}
    return Amounts(_corpus_bytes(recipe.corpus.sources, base), tasks)


def _corpus_bytes(sources: tuple[str, ...], base: Path) -> float | None:
    total = 0.0
    for source in sources:
        if source.startswith(HUB):
            return None
        try:
            total += sum(map(_text_bytes, files_of(source, base)))
        except (InputError, OSError):
            return None
    return total


def _task_bytes(kind: str, source: str, base: Path, language: str) -> dict[str, float]:
    if source.startswith(HUB) or (source == "sample" and language not in sample.LANGUAGES):
        return dict.fromkeys(SPLITS, _HUB_BYTES)
    folder = sample.task_folder(kind, language) if source == "sample" else base / os.path.expanduser(source)
    return {split: _text_bytes(folder / f"{split}{KINDS[kind].suffix}") for split in SPLITS}


def _text_bytes(path: Path) -> float:
    return size_of(path) * _TEXT_SHARES.get(path.suffix, 1.0)
