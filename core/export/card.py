"""The student's model card: README.md with the header that the hub reads.

It depends on the recipe and its results alone, so the same run gives the same bytes: no dates, times or places.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from core.export.measures import language_note, language_rows
from core.export.versions import monoglot_version
from core.recipe import Method, Recipe, Schedule
from core.teachers import known_teacher
from core.wording import (
    MISSING,
    clean,
    interval,
    last_name,
    mean_sd,
    measured_by,
    megabytes,
    number,
    parameters,
    seeds,
    stage,
    verdict,
)

_PAPER = "https://arxiv.org/abs/2505.16956"
_SPECIAL = frozenset("\\`*_{}[]<>()#|~&!$@:")


def model_card(recipe: Recipe, results: Mapping[str, Any], language: str) -> str:
    """The text of the student's README.md.

    Args:
        recipe: the recipe as run.
        results: the content of results.json; empty for the best model so far of a run that was stopped.
        language: the language's name in English.
    """
    finished = (_sizes(results), _scores(results), *_doubts(results)) if results else ()
    parts = (
        _header(recipe),
        _introduction(recipe, results, language),
        _use(),
        *finished,
        _making(recipe, results),
        _limits(language),
        _licence(recipe),
        _origin(),
    )
    return "\n\n".join(parts) + "\n"


def markdown(text: object) -> str:
    """Text that Markdown shows as it is, also in a table."""
    return "".join(f"\\{mark}" if mark in _SPECIAL else mark for mark in clean(text))


def _header(recipe: Recipe) -> str:
    lines = [
        f"language: {_yaml(recipe.language.code)}",
        "license: other",
        "license_name: as-teacher-and-texts",
        "library_name: transformers",
        "pipeline_tag: fill-mask",
        "tags:",
        "- monoglot",
        "- masked-lm",
        "- knowledge-distillation",
        "- model-compression",
    ]
    if _on_hub(recipe.teacher.model):
        lines.append(f"base_model: {_yaml(recipe.teacher.model)}")
    return "\n".join(["---", *lines, "---"])


def _yaml(text: str) -> str:
    # YAML's double-quoted strings take JSON's escapes.
    return json.dumps(clean(text), ensure_ascii=False)


def _on_hub(source: str) -> bool:
    return source != "sample" and last_name(source) == source


def _introduction(recipe: Recipe, results: Mapping[str, Any], language: str) -> str:
    text = (
        f"# {markdown(language)} from {_teacher(recipe)}\n\n"
        f"A masked language model for {markdown(language)} ({markdown(recipe.language.code)}) alone, compressed from "
        f"the multilingual {_teacher(recipe)}"
    )
    if results:
        teacher, student = results["teacher"], results["student"]
        text += (
            f": {parameters(student['parameters'])} parameters instead of {parameters(teacher['parameters'])}, "
            f"{100 * student['compression']:.1f} % fewer."
        )
    else:
        text += (
            ".\n\nIts run was stopped before the end: this is the best model so far, and nothing was measured on it."
        )
    if recipe.teacher.model == "sample":
        text += (
            "\n\nIts teacher and its text are Monoglot's built-in sample: generated sentences of a small invented "
            "world. It shows how Monoglot works and is of no other use."
        )
    return text


def _teacher(recipe: Recipe) -> str:
    return (
        "Monoglot's sample teacher" if recipe.teacher.model == "sample" else markdown(last_name(recipe.teacher.model))
    )


def _use() -> str:
    return (
        "## Use\n\n"
        "```python\n"
        "from transformers import AutoModelForMaskedLM, AutoTokenizer\n"
        'tokenizer = AutoTokenizer.from_pretrained("path/to/this/folder")\n'
        'model = AutoModelForMaskedLM.from_pretrained("path/to/this/folder")\n'
        "```"
    )


def _sizes(results: Mapping[str, Any]) -> str:
    teacher, student = results["teacher"], results["student"]
    rows = [
        ("Parameters", f"{teacher['parameters']:,}", f"{student['parameters']:,}"),
        ("Size in float32", megabytes(teacher["megabytes"]), megabytes(student["megabytes"])),
        ("Masked-language loss (nats)", number(teacher["mlm_loss"], 3), number(student["mlm_loss"], 3)),
        ("Masked-token accuracy (%)", number(teacher["mlm_accuracy"]), number(student["mlm_accuracy"])),
    ]
    known = [(name[:1].upper() + name[1:], *values) for name, *values in language_rows((teacher, student))]
    note = (
        "Parameters count tied tensors once, the masked-language head included. Loss and accuracy are both on the "
        "student's validation text, tokens and masks."
    )
    table = _table(("", "Teacher", "Student"), [*rows, *known])
    return f"## Size and masked-language loss\n\n{table}\n\n{note} {language_note((teacher, student))}".rstrip()


def _scores(results: Mapping[str, Any]) -> str:
    tasks = results.get("tasks", {})
    if not tasks:
        return "## Scores\n\nThe run measured no downstream task."
    rows = [
        (
            markdown(name),
            markdown(measured_by(task)),
            _score(task["teacher"]),
            _score(task["student"]),
            number(task["drop"]),
            seeds(task["student"]),
        )
        for name, task in tasks.items()
    ]
    note = "On the test split, 0-100; mean ± standard deviation over seeds."
    if any(interval(task["student"]) for task in tasks.values()):
        note += " 95 %: bootstrap interval of the mean, over test examples."
    told = [f"- {markdown(name)}: {markdown(verdict(task))}" for name, task in tasks.items() if verdict(task)]
    table = _table(("Task", "Metric", "Teacher", "Student", "Drop", "Over"), rows)
    return "\n\n".join(["## Scores", table, note, *(["\n".join(told)] if told else [])])


def _doubts(results: Mapping[str, Any]) -> list[str]:
    """What makes these numbers other than they seem; nothing where nothing does."""
    told = [f"- {markdown(text)}" for text in results.get("warnings") or ()]
    return ["\n".join(["## Warnings", "", *told])] if told else []


def _score(found: Mapping[str, Any]) -> str:
    return ", ".join(filter(None, (mean_sd(found), interval(found))))


def _making(recipe: Recipe, results: Mapping[str, Any]) -> str:
    method, schedule = recipe.method, recipe.schedule
    rows = [
        (
            markdown(stage(entry["name"])),
            parameters(entry["parameters"]) if entry.get("parameters") is not None else MISSING,
            number(entry.get("validation_loss"), 3),
        )
        for entry in results.get("stages", [])
    ]
    table = _table(("Stage", "Parameters after it", "Validation loss (nats)"), rows) + "\n\n" if rows else ""
    sources = ", ".join(markdown(last_name(source)) for source in recipe.corpus.sources)
    return (
        "## How it was made\n\n"
        + table
        + f"Preset {method.preset}; layers: {_word(method.layer_selection)}; feed-forward units: "
        f"{_word(method.feed_forward_score)}; hidden size: {_word(method.hidden_reduction)}{_rounds(method.rounds)}; "
        f"vocabulary {method.vocabulary_order}; distillation loss: {_word(method.kd_loss)}, weight of the "
        f"masked-language loss {_word(str(method.alpha))}{_hidden_states(method.hidden_weight)}; "
        f"{_distillations(method, schedule)}; seed {recipe.seed}. Text: {sources}."
    )


def _rounds(rounds: int | str) -> str:
    return f", in {rounds} rounds" if isinstance(rounds, int) and rounds > 1 else ""


def _hidden_states(weight: float | str) -> str:
    return f", of the hidden states' distance {weight:g}" if isinstance(weight, float) and weight else ""


def _distillations(method: Method, schedule: Schedule) -> str:
    steps, tokens = schedule.distil_steps, f"steps of {schedule.batch_tokens:,} tokens"
    if method.distil_after == "all":
        return f"one distillation after all cuts, {2 * steps:,} {tokens}"
    second = " from the model before that cut" if method.distil_from == "previous" else ""
    return f"a distillation after the layers and one after the width{second}, {steps:,} {tokens} each"


def _word(choice: str) -> str:
    return markdown(choice.replace("_", " "))


def _limits(language: str) -> str:
    return (
        "## Limits\n\n"
        f"- It was distilled on {markdown(language)} text alone; don't rely on it for any other language.\n"
        "- What the teacher and the text got wrong or left out, and the prejudices in them, are in it too.\n"
        "- The scores hold for the data that they were measured on; measure again on yours before you rely on it."
    )


def _licence(recipe: Recipe) -> str:
    known = known_teacher(recipe.teacher.model)
    named = f" The teacher's licence is {markdown(known.licence)}." if known else ""
    return (
        "## Licence\n\n"
        "The licence of this model is that of its teacher and of the texts it learnt from; Monoglot adds no terms of "
        f"its own.{named} Whoever publishes the model has to follow both."
    )


def _origin() -> str:
    return (
        "## Origin\n\n"
        f"Made with Monoglot {monoglot_version()}, after the method of Gurgurov, Gregor, van Genabith and Ostermann, "
        "*On Multilingual Encoder Language Model Compression for Low-Resource Languages*, "
        f"[arXiv 2505.16956]({_PAPER})."
    )


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    rule = ("---",) + ("---:",) * (len(head) - 1)
    return "\n".join("| " + " | ".join(row) + " |" for row in (head, rule, *rows))
