"""Finished runs that differ in language, size and scores, for what looks at several of them."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from finished_run import RESULTS, finished_run, recipe

from core.recipe import Task
from core.run import RunFolder

SOURCES = {"topic": "hub:Davlan/sib200", "sentiment": "data/sentiment", "ner": "data/ner", "pos": "data/pos"}


def run_of(
    path: Path,
    language: str = "slk",
    drops: Mapping[str, float] | float = 3.0,
    *,
    teacher: str = "xlm-roberta-base",
    parameters: int = 22_812_688,
    teacher_score: float = 80.0,
    **changes: Any,
) -> RunFolder:
    """A run named like its folder.

    Args:
        path: its folder, made by this.
        language: ISO 639-3.
        drops: by kind of task; a number: of topic classification alone.
        teacher: `teacher.model`.
        parameters: the student's.
        teacher_score: on every task.
        changes: of the recipe's values.
    """
    by_kind = drops if isinstance(drops, Mapping) else {"topic": drops}
    base = recipe()
    tasks = tuple(Task(name=kind, kind=kind, source=SOURCES[kind]) for kind in by_kind)
    made = replace(
        base,
        name=path.name,
        teacher=replace(base.teacher, model=teacher),
        language=replace(base.language, code=language),
        tasks=tasks,
        **changes,
    )
    results = copy.deepcopy(RESULTS)
    results["student"]["parameters"] = parameters
    results["tasks"] = {
        kind: {
            "kind": kind,
            "metric": "macro_f1",
            "teacher": {"mean": teacher_score, "sd": 0.5, "runs": [teacher_score] * 3},
            "student": {"mean": teacher_score - drop, "sd": 0.5, "runs": [teacher_score - drop] * 3},
            "drop": drop,
        }
        for kind, drop in by_kind.items()
    }
    return finished_run(path, made_from=made, results=results)
