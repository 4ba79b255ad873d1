"""The run: its stages in order, then the scores, then the student. Nothing else."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

from core.analysis.size import EVALUATE, megabytes
from core.distillation.training import best_model
from core.errors import InputError, Stopped
from core.evaluation import measure_student, measure_teacher
from core.events import Message, Size, Stage
from core.export.card import model_card
from core.export.report import write_report
from core.inference import measure_inference
from core.intrinsic import measure_language
from core.languages import check_language
from core.micro_batches import micro_tokens
from core.models import LanguageModel, load, save
from core.no_number import only_numbers
from core.origin import UNCHECKED, check_origin, origin
from core.run import DETAILS
from core.run_scores import score_tasks
from core.sealing import json_text, replace_folder, write_atomic, write_json
from core.stages import STAGES, check_vocabulary_target, validation_loss
from core.tasks.leaks import leak_warning
from core.workspace import Workspace


def run(work: Workspace) -> dict[str, Any]:
    """Do what is left of a run, from its last finished stage or checkpoint on.

    Returns:
        The content of results.json.

    Raises:
        Stopped: the user wants the run to end; it can be resumed.
    """
    _tell_dropped(work)
    lm = work.model_after([])
    try:
        if not (work.finished(work.stages[0]) or work.checkpointed(work.stages[0])):
            # What a hub set holds shows only when it is read: before anything is trained on.
            work.ctx.begin(work.stages[0])
            _take_in(work)
            _report_size(work, "teacher", lm)
        elif not work.finished(EVALUATE):
            _check_origin(work)
        for name in work.stages:
            if name == EVALUATE:
                break
            if not work.finished(name):
                _run_stage(name, lm, work)
            lm = work.model_after([name])
        if not work.finished(EVALUATE):
            _evaluate(lm, work)
    except Stopped as stopped:
        if stopped.keep_best:
            _keep_best(work, lm)
        raise
    work.ctx.make_room()
    results = _results(work)
    write_json(work.folder.results, results)
    _write_student(work, lm, results)
    work.folder.manifest.note(work.folder.results, work.folder.student)
    write_report(work.folder)
    shutil.rmtree(work.folder.cache, ignore_errors=True)
    return results


def _tell_dropped(work: Workspace) -> None:
    """What an earlier process left is taken for done as far as it is whole."""
    dropped = work.drop_unfounded()
    if dropped:
        text = f"Files of {dropped[0]} were damaged; made anew, with what was built on them: {', '.join(dropped)}."
        work.ctx.emit(Message(level="warning", text=text))


def _take_in(work: Workspace) -> None:
    """Read tasks and corpus, keep what they hold in numbers, and say what is odd about them."""
    work.folder.manifest.write(work.folder.origin, _read_now(work))
    for name, data in work.tasks.items():
        for note in data.notes:
            work.ctx.emit(Message(level="info", text=f"Task {name}: {note}"))
    for name, leaks in work.leaks.items():
        warning = leak_warning(name, leaks)
        if warning:
            work.ctx.emit(Message(level="warning", text=warning, doubt=True))


def _read_now(work: Workspace) -> bytes:
    """origin.json, as what the recipe names gives it now."""
    read = json_text(origin(work.tasks, work.corpus, work.teacher_files.noted, work.ctx))
    return read.encode(errors="backslashreplace")


def _check_origin(work: Workspace) -> None:
    """Refuse to go on with other data than the run began with; say so where that can't be known."""
    folder = work.folder
    if folder.manifest.found(folder.origin) == "changed":
        read = _read_now(work)
        if not folder.manifest.is_noted_as(folder.origin, read):
            raise InputError(
                f"{folder.origin} isn't as the run wrote it, and what it was made from has changed, too.",
                hint="Put back the teacher, texts and labelled data as they were, or start a new run.",
            )
        folder.manifest.write(folder.origin, read)
    known = folder.read_origin()
    if not check_origin(known, work.recipe, work.tasks, work.corpus, work.teacher_files.noted):
        work.ctx.emit(Message(level="warning", text=UNCHECKED, doubt=True))
    if others := work.made_elsewhere():
        text = f"Stages of this run were made with different software or hardware: {others}. Rounding may differ."
        work.ctx.emit(Message(level="warning", text=text, doubt=True))


def _run_stage(name: str, lm: LanguageModel, work: Workspace) -> None:
    """Run one stage and put what it made on disk."""
    _begin(name, work)
    before = _seconds_before(name, work)
    if name == work.stages[0] and not work.checkpointed(name):
        check_vocabulary_target(lm, work)
    outcome = STAGES[name](lm, work)
    made = outcome.lm
    try:
        loss = validation_loss(made, work)
    except Stopped:
        if work.training is not None:
            work.save_training(name)
        raise
    report = {
        "name": name,
        "parameters": sum(made.parameters.values()),
        "megabytes": megabytes(sum(made.parameters.values())),
        "parts": made.parameters,
        "validation_loss": loss,
        "seconds": work.ctx.seconds - before,
        "peak_memory": work.peak_memory(name),
        **outcome.notes,
    }
    _report_size(work, name, made)
    work.ctx.emit(Stage(name=name, state="finished"))
    work.finish_stage(name, report, made, outcome.files)
    work.training = None


def _begin(name: str, work: Workspace) -> None:
    """Say that a stage begins; one that a checkpoint continues has said so before."""
    work.ctx.begin(name)
    if not work.checkpointed(name):
        work.ctx.emit(Stage(name=name, state="started"))


def _seconds_before(name: str, work: Workspace) -> float:
    """Seconds of work before a stage began, also where it is resumed."""
    earlier = work.stages[: work.stages.index(name)]
    return float(work.report(earlier[-1])["mark"]["seconds"]) if earlier else 0.0


def _report_size(work: Workspace, stage: str, lm: LanguageModel) -> None:
    parameters = sum(lm.parameters.values())
    work.ctx.emit(Size(stage=stage, parameters=parameters, megabytes=megabytes(parameters), parts=lm.parameters))


def _evaluate(student: LanguageModel, work: Workspace) -> None:
    """Score teacher and student; each training of a task that is done stays done when the run is stopped."""
    recipe, ctx, device = work.recipe, work.ctx, work.recipe.schedule.device
    _begin(EVALUATE, work)
    before = _seconds_before(EVALUATE, work)
    adapted = work.model_after(["adapt"])
    scored = score_tasks(work, adapted, student, more=1)
    data = work.data(student)
    learnt_from = work.first_teacher()
    last = recipe.method.vocabulary_order == "last" and "vocabulary" in work.stages
    kept = work.report("vocabulary")["kept"] if last else None
    # In batches that suit the teacher, which is the larger one; the masks don't depend on them.
    smaller = replace(data, micro_tokens=min(data.micro_tokens, micro_tokens(learnt_from, device)))
    theirs = measure_teacher(learnt_from, smaller, kept, device, ctx)
    ours = measure_student(student, data, device, ctx)
    texts = list(work.corpus.validation)
    known = measure_language([adapted, student], texts, recipe, ctx)
    folders = {"teacher": work.folder_after(["adapt"]), "student": work.folder_after(work.stages[:-1])}
    inference = None
    if work.times_models:
        with work.reading(folders["teacher"]):
            inference = measure_inference(folders, texts, recipe, ctx)
    report = {
        "name": EVALUATE,
        "parameters": sum(student.parameters.values()),
        "validation_loss": ours.mlm,
        "teacher": {"mlm_loss": theirs.mlm, "mlm_accuracy": theirs.accuracy, **known[0]},
        "student": {"mlm_loss": ours.mlm, "mlm_accuracy": ours.accuracy, **known[1]},
        "inference": inference,
        "tasks": scored.tasks,
        "leaks": {name: leaks.to_json() for name, leaks in work.leaks.items()},
        "seconds": ctx.seconds - before,
        "peak_memory": work.peak_memory(EVALUATE),
    }
    ctx.progress(scored.steps, scored.steps)
    ctx.emit(Stage(name=EVALUATE, state="finished"))
    work.finish_stage(EVALUATE, report, None, {DETAILS: json_text(only_numbers(scored.details)[0])})


def _results(work: Workspace) -> dict[str, Any]:
    """results.json, from the stages' reports."""
    reports = [work.report(name) for name in work.stages]
    end = reports[-1]
    teacher = sum(work.teacher.family.parameters(work.teacher.sizes).values())
    student = end["parameters"]
    distilled = {report["name"]: report for report in reports if report["name"] != "adapt" and "timed_tokens" in report}
    rates = {name: _rate([report]) for name, report in distilled.items()}
    return {
        "teacher": {"parameters": teacher, "megabytes": megabytes(teacher), **end["teacher"]},
        "student": {
            "parameters": student,
            "megabytes": megabytes(student),
            "compression": 1 - student / teacher,
            **end["student"],
        },
        "stages": [
            {
                **{key: report[key] for key in ("name", "parameters", "validation_loss", "seconds")},
                **{key: report[key] for key in ("never_fell", "divergences") if key in report},
            }
            for report in reports
        ],
        # An earlier version wrote its leaks elsewhere.
        "tasks": {
            name: task | ({"leaks": end["leaks"][name]} if "leaks" in end else {})
            for name, task in end["tasks"].items()
        },
        "throughput": {
            "real_tokens_per_second": _rate(list(distilled.values())),
            "peak_memory_megabytes": max(report["peak_memory"] for report in reports) / 1e6,
            "stages": rates,
            **({"inference": end["inference"]} if end.get("inference") else {}),
        },
        "warnings": list(end["mark"].get("warnings", ())),
    }


def _rate(reports: list[dict[str, Any]]) -> float | None:
    """Non-padding tokens a second of distillation steps; None where there was no second step."""
    seconds = sum(report["timed_seconds"] for report in reports)
    return sum(report["timed_tokens"] for report in reports) / seconds if seconds else None


def _keep_best(work: Workspace, lm: LanguageModel) -> None:
    """Write the best model so far as the student; before anything was made smaller or taught there is none."""
    if work.training is not None and work.training.best:
        _write_student(work, best_model(work.training), {})
    elif work.finished(work.stages[0]):
        _write_student(work, lm, {})


def _write_student(work: Workspace, lm: LanguageModel, results: dict[str, Any]) -> None:
    """The student's folder, as a whole."""
    card = model_card(work.recipe, results, check_language(work.recipe.language.code))

    def fill(folder: Path) -> None:
        save(lm, folder)
        write_atomic(folder / "README.md", card.encode())

    replace_folder(work.folder.student, fill)
    load(work.folder.student)
