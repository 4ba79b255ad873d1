"""What a run was made from, in numbers and hashes: for its report, and to tell when it has changed. No torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from core.context import Context
from core.corpus.prepare import PreparedCorpus
from core.corpus.scripts import ScriptCount
from core.errors import Fault, InputError
from core.model_files import digest_once
from core.recipe import Recipe
from core.tasks.examples import SPLITS, TaskData
from core.tasks.fingerprint import fingerprint
from core.wording import listing

_TEACHER = "teacher_sha256"
_TASKS = "task_sha256"
_CORPUS = {"train_sha256": "train", "validation_sha256": "validation"}
_BACK = "Put the old files back and resume, or start a new run"
UNCHECKED = (
    "This run was begun by a version that kept fewer hashes of its teacher and its tasks' data: whether all of it is "
    "still what it was can't be checked."
)


def origin(
    tasks: Mapping[str, TaskData], corpus: PreparedCorpus, teacher: Mapping[str, str], ctx: Context
) -> dict[str, Any]:
    """The content of origin.json.

    Args:
        tasks: by name.
        corpus: the texts.
        teacher: the hashes of its files, by name.
        ctx: asked between texts whether to go on.

    Returns:
        `corpus`: what became of the texts that were read (`CorpusReport`), and the `scripts` that they are written in,
        by the validation texts; `tasks`: by name, how many examples each split has; `task_sha256`: by name, each
        split's hash; `teacher_sha256`: by name, that of each of its files.
    """
    scripts = ScriptCount()
    for text in corpus.validation:
        ctx.check()
        scripts.add(text)
    written = scripts.written()
    return {
        "corpus": asdict(corpus.report) | {"scripts": [script for script in scripts.shares() if script in written]},
        "tasks": {name: {split: len(getattr(data, split)) for split in SPLITS} for name, data in tasks.items()},
        _TASKS: _hashes(tasks),
        _TEACHER: dict(teacher),
    }


def check_origin(
    known: Mapping[str, Any],
    recipe: Recipe,
    tasks: Mapping[str, TaskData],
    corpus: PreparedCorpus,
    teacher: Mapping[str, str],
) -> bool:
    """Compare what a run is resumed with to what it was begun with.

    Args:
        known: origin.json.
        recipe, tasks, corpus, teacher: as they are now, see `origin`.

    Returns:
        Whether everything could be compared: an earlier version kept fewer hashes.

    Raises:
        InputError: something has changed, so that old and new numbers would be mixed; all of it at once.
    """
    faults = [_corpus_fault(recipe, changed)] if (changed := _changed_parts(known, corpus)) else []
    now, noted_tasks = _hashes(tasks), _mapping(known.get(_TASKS))
    for task in recipe.tasks:
        before = _mapping(noted_tasks.get(task.name))
        if before and (other := [split for split in SPLITS if before.get(split) != now[task.name][split]]):
            faults.append(_task_fault(task.name, task.source, other))
    noted = known.get(_TEACHER)
    whole = isinstance(noted, Mapping)
    # An earlier version kept one hash, which told of a tokenizer only where that is in a tokenizer.json.
    if noted and noted != (teacher if whole else digest_once(teacher)):
        faults.append(teacher_fault(recipe))
    if faults:
        raise InputError.of(faults)
    told = noted and (whole or "tokenizer.json" in teacher)
    return bool(told and _CORPUS.keys() <= _mapping(known.get("corpus")).keys() and noted_tasks.keys() >= now.keys())


def teacher_fault(recipe: Recipe) -> Fault:
    """That a teacher is not what a run began with."""
    problem = f"The files of the teacher {recipe.teacher.model} have changed since the run began."
    return Fault(problem, f"{_BACK}.", "teacher.model")


def _mapping(found: Any) -> Mapping[str, Any]:
    return found if isinstance(found, Mapping) else {}


def _hashes(tasks: Mapping[str, TaskData]) -> dict[str, dict[str, str]]:
    return {name: {split: fingerprint(getattr(data, split)) for split in SPLITS} for name, data in tasks.items()}


def _changed_parts(known: Mapping[str, Any], corpus: PreparedCorpus) -> list[str]:
    before, now = _mapping(known.get("corpus")), asdict(corpus.report)
    return [name for key, name in _CORPUS.items() if before.get(key) not in (None, now[key])]


def _corpus_fault(recipe: Recipe, parts: list[str]) -> Fault:
    sources = listing([f"“{source}”" for source in recipe.corpus.sources])
    problem = f"The corpus ({sources}) has changed since the run began: its {listing(parts)} texts are others."
    return Fault(problem, f"{_BACK}.", "corpus.sources")


def _task_fault(name: str, source: str, splits: list[str]) -> Fault:
    problem = f"Task {name}: the data in {source} have changed since the run began ({listing(splits)})."
    return Fault(problem, f"{_BACK}: scores on old and new data must not be mixed.", f"tasks.{name}.source")
