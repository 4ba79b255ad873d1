"""The numbers at the end: masked-language loss, accuracy and task scores of teacher and student, measured alike."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import numpy as np

from core.analysis.size import megabytes
from core.context import Context
from core.corpus.prepare import prepare
from core.distillation.data import TextData
from core.distillation.validation import Measured, measure
from core.inference import measure_inference
from core.intrinsic import measure_language
from core.models import LanguageModel, load
from core.preflight import check
from core.recipe import Recipe, Task
from core.resolve import resolve, set_up_torch
from core.tasks.data import load_task
from core.tasks.examples import TaskData
from core.tasks.kinds import kind_of
from core.tasks.training import train_and_score
from core.workspace import text_data


def score_task(lm: LanguageModel, task: Task, data: TaskData, seed: int, device: str, ctx: Context) -> dict[str, float]:
    """One training of a task with one seed: its scores on the test split, 0-100, the main metric first."""

    def number(value: Any) -> Any:
        return None if value == "auto" else value

    result = train_and_score(
        lm,
        data,
        method=task.method,
        seed=seed,
        epochs=task.epochs,
        patience=task.patience,
        learning_rate=number(task.learning_rate),
        batch_size=number(task.batch_size),
        reduction_factor=number(task.reduction_factor),
        device=device,
        ctx=ctx,
    )
    return result.scores


def summarise(runs: Sequence[Mapping[str, float]]) -> dict[str, Any]:
    """Mean and sample standard deviation of the main metric over seeds; other metrics beside it."""
    main, *others = runs[0]
    summary = _spread([run[main] for run in runs])
    return summary | {name: _spread([run[name] for run in runs]) for name in others}


def _spread(values: Sequence[float]) -> dict[str, Any]:
    return {"mean": fmean(values), "sd": stdev(values) if len(values) > 1 else None, "runs": list(values)}


def compare_on_task(
    task: Task, teacher: Sequence[Mapping[str, float]], student: Sequence[Mapping[str, float]]
) -> dict[str, Any]:
    """A task's entry in results.json."""
    ours, theirs = summarise(student), summarise(teacher)
    kind = {"kind": task.kind, "metric": kind_of(task.kind).metric}
    return {**kind, "teacher": theirs, "student": ours, "drop": theirs["mean"] - ours["mean"]}


def measure_student(lm: LanguageModel, data: TextData, device: str, ctx: Context) -> Measured:
    """Masked-language loss and accuracy on all validation texts."""
    lm.to(device)
    try:
        return measure(lm, data.validation_batches(), ctx)
    finally:
        lm.to("cpu")


def measure_teacher(
    teacher: LanguageModel, data: TextData, kept: Sequence[int] | None, device: str, ctx: Context
) -> Measured:
    """The teacher on the student's validation tokens and masks.

    Args:
        teacher: the model that the student learnt from.
        data: the student's.
        kept: the teacher's id of each of the student's tokens, where the teacher kept its own vocabulary; else None.
        device: where to compute.
        ctx: asked between batches whether to go on.
    """
    if kept is None:
        return measure_student(teacher, data, device, ctx)
    old = np.asarray(kept)
    teacher.to(device)
    try:
        return measure(teacher, [batch.renumbered(old) for batch in data.validation_batches()], ctx)
    finally:
        teacher.to("cpu")


def evaluate_model(model: Path, recipe: Recipe, base: Path, ctx: Context) -> dict[str, Any]:
    """Score a model folder on a recipe's validation text and tasks, as a run scores its student.

    Args:
        model: a model folder.
        recipe: its corpus, tasks, seed and device count; teacher and targets don't.
        base: where the recipe's relative paths start.
        ctx: told of progress, asked whether to go on.

    Raises:
        InputError: the model, the corpus or a task can't be read.
    """
    checked = check(
        replace(
            recipe,
            teacher=replace(recipe.teacher, model=str(model.absolute()), adapt_steps=1),
            targets=type(recipe.targets)(),
        ),
        base,
    )
    lm, has_head = load(model)
    recipe = resolve(recipe, checked.family, checked.sizes)
    set_up_torch(recipe.schedule)
    device = recipe.schedule.device
    parameters = sum(lm.parameters.values())
    found: dict[str, Any] = {"parameters": parameters, "megabytes": megabytes(parameters)}
    with tempfile.TemporaryDirectory(prefix="monoglot-") as scratch:
        corpus = prepare(recipe.corpus, base, recipe.seed, Path(scratch) / "corpus", ctx)
        measured = (
            measure_student(lm, text_data(lm, corpus, recipe, Path(scratch), ctx), device, ctx) if has_head else None
        )
        texts = list(corpus.validation)
    found |= {"mlm_loss": measured and measured.mlm, "mlm_accuracy": measured and measured.accuracy}
    found |= measure_language([lm], texts, recipe, ctx, has_head=has_head)[0] | {"tasks": {}}
    units = [(task, seed) for task in recipe.tasks for seed in task.seeds]
    runs: dict[str, list[dict[str, float]]] = {}
    for done, (task, seed) in enumerate(units):
        ctx.progress(done, len(units))
        data = load_task(task.kind, task.source, base, recipe.language.code)
        runs.setdefault(task.name, []).append(score_task(lm, task, data, seed, device, ctx))
    for task in recipe.tasks:
        found["tasks"][task.name] = {
            "kind": task.kind,
            "metric": kind_of(task.kind).metric,
            **summarise(runs[task.name]),
        }
    inference = measure_inference({"model": model.absolute()}, texts, recipe, ctx)
    return found | ({"inference": inference} if inference else {})
