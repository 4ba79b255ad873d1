"""The numbers at the end: masked-language loss, accuracy and task scores of teacher and student, measured alike."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from core.analysis.size import megabytes
from core.context import Context
from core.corpus.prepare import prepare
from core.distillation.data import TextData
from core.distillation.validation import Measured, measure
from core.errors import Fault
from core.inference import measure_inference
from core.intrinsic import measure_language
from core.model_files import ModelFiles
from core.models import LanguageModel, load
from core.preflight import check
from core.recipe import Recipe
from core.resolve import resolve, set_up_torch
from core.scoring import SIDES, Plan, planned, train_units, units
from core.seeds import derive
from core.tasks.data import load_task
from core.tasks.details import by_label, details, supports
from core.tasks.fingerprint import fingerprint
from core.tasks.kinds import kind_of
from core.tasks.leaks import find_leaks, leak_warning
from core.tasks.summary import Answers, compared, summarise
from core.workspace import text_data


def teacher_against_student(plan: Plan, done: Mapping[str, str], seed: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """A task's entries in results.json and in tasks.json.

    Args:
        plan: how the task is scored.
        done: what both models answered.
        seed: the recipe's.
    """
    teacher, student = (plan.answers(who, done) for who in SIDES)
    found = compared(plan.questions, teacher, student, _resampling_seed(plan, seed))
    asked = fingerprint(plan.questions.examples)
    return {**found, "folds": plan.folds, "test_sha256": asked}, details(plan.questions, teacher, student)


def _resampling_seed(plan: Plan, seed: int) -> int:
    return derive(seed, "test examples", plan.task.name)


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
    changed = Fault(f"The files of {model} have changed while they were measured.", "Measure the model again.")
    files = ModelFiles(model, ctx.check, changed)
    alone = replace(
        recipe,
        teacher=replace(recipe.teacher, model=str(model.absolute()), adapt_steps=1),
        targets=type(recipe.targets)(),
    )
    checked = check(alone, base)
    code = recipe.language.code
    data = {task.name: load_task(task.kind, task.source, base, code) for task in recipe.tasks}
    plans = [planned(task, data[task.name]) for task in recipe.tasks]
    with files.reading():
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
        leaks = find_leaks(data, itertools.chain(corpus.train, corpus.validation), ctx.check)
    found |= {"mlm_loss": measured and measured.mlm, "mlm_accuracy": measured and measured.accuracy}
    found |= measure_language([lm], texts, recipe, ctx, has_head=has_head)[0]
    done: dict[str, str] = {}
    for _ in train_units(units(plans, ["student"]), {"student": lm}, done, device, ctx):
        pass
    found["tasks"] = {
        plan.task.name: {
            **_alone(plan, plan.answers("student", done), recipe.seed),
            "leaks": leaks[plan.task.name].to_json(),
        }
        for plan in plans
    }
    found["warnings"] = [text for name, each in leaks.items() if (text := leak_warning(name, each))]
    with files.reading():  # by a process that loads it anew
        inference = measure_inference({"model": model.absolute()}, texts, recipe, ctx)
    return found | ({"inference": inference} if inference else {})


def _alone(plan: Plan, answers: Answers, seed: int) -> dict[str, Any]:
    """A task's entry where one model is scored."""
    questions = plan.questions
    support = supports(questions)
    return {
        "kind": questions.kind,
        "metric": kind_of(questions.kind).metric,
        "folds": plan.folds,
        "test_sha256": fingerprint(questions.examples),
        "examples": len(questions.examples),
        **summarise(questions, answers, _resampling_seed(plan, seed)),
        "labels": {
            label: {"support": support[label], **found} for label, found in by_label(questions, answers).items()
        },
    }
