"""What the student is and what it was made from: language, teacher, texts, tasks, with their licences."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from core.export.markup import NOTHING, Markup, joined, link, paragraph, table, user
from core.export.report.run import Run
from core.known_data import known_set
from core.pretraining import PAPER_SAYS, pretraining_volume, volume_words
from core.recipe import Task
from core.teachers import known_teacher
from core.wording import last_name, parameters, task_kind

_HUB = "https://huggingface.co/"
_HUB_NAME = re.compile(r"[\w.-]+(/[\w.-]+)?", re.ASCII)
_OURS = "apache-2.0, part of Monoglot"
_UNTOLD = "not known to Monoglot"
_DROPPED = {
    "empty": "empty",
    "short": "too short",
    "repeated": "repeated",
    "other_script": "in a script that the corpus isn't written in",
}


def origin(run: Run) -> Markup:
    """The section."""
    recipe = run.recipe
    rows = [
        ("Language", user(run.language), _script(run), ""),
        _teacher(run),
        ("Student", user(recipe.name), _sizes(run), "see below"),
        *(("Text", _data(source), "", _licence(source)) for source in recipe.corpus.sources),
        *(
            (joined(("Task ", user(task.name))), _data(task.source), _examples(run, task), _licence(task.source))
            for task in recipe.tasks
        ),
    ]
    terms = (
        "The licence of the student is that of its teacher and of the texts that it learnt from; whoever publishes it "
        "has to follow both. Licences stand here as the pages of models and data sets name them."
    )
    return joined(
        (
            table("Sources", ("", "What", "In numbers", "Licence"), rows, words=4),
            _texts(run),
            _read_by_teacher(run),
            paragraph(terms, css="grey"),
        )
    )


def _script(run: Run) -> str:
    scripts = _corpus(run).get("scripts", ())
    named = f"; {' and '.join(scripts)} script" if scripts else ""
    return f"{run.recipe.language.code} in ISO 639-3{named}".replace("_", " ")


def _corpus(run: Run) -> Mapping[str, Any]:
    return run.origin.get("corpus") or {}


def _teacher(run: Run) -> Sequence[object]:
    name = run.recipe.teacher.model
    known = known_teacher(name)
    counts = [f"{parameters(run.results['teacher']['parameters'])} parameters"] if run.results else []
    counts += [f"{known.languages} languages"] if known else []
    licence = _OURS if name == "sample" else known.licence if known else _UNTOLD
    shown = "Monoglot's sample teacher" if name == "sample" else _on_hub(name)
    return "Teacher", shown, ", ".join(counts), licence


def _sizes(run: Run) -> str:
    targets, kept = run.recipe.targets, run.stages.get("vocabulary", {}).get("kept")
    sizes = {
        "{:,} layers": targets.layers,
        "hidden size {:,}": targets.hidden_size,
        "{:,} attention heads": targets.attention_heads,
        "{:,} feed-forward units": targets.intermediate_size,
        "{:,} tokens": len(kept) if kept else targets.vocabulary_size,
    }
    return ", ".join(words.format(size) for words, size in sizes.items() if size is not None)


def _on_hub(name: str) -> Markup:
    """A model or data set by its name, which leads to its page where the hub has one."""
    local = name == "sample" or last_name(name) != name or not _HUB_NAME.fullmatch(name)
    return user(last_name(name)) if local else link(_HUB + quote(name), user(name))


def _data(source: str) -> Markup:
    """Where texts or examples come from."""
    if source == "sample":
        return user("Monoglot's built-in sample")
    if not source.startswith("hub:"):
        return user(last_name(source))
    name, _, configuration = source.removeprefix("hub:").partition(":")
    shown = link(f"{_HUB}datasets/{quote(name)}", user(name)) if _HUB_NAME.fullmatch(name) else user(name)
    return joined((shown, f", {configuration}" if configuration else ""))


def _licence(source: str) -> str:
    if source == "sample":
        return _OURS
    known = known_set(source.removeprefix("hub:").partition(":")[0]) if source.startswith("hub:") else None
    if known is None:
        return _UNTOLD
    return "not stated on its page" if known.licence == "unknown" else known.licence


def _examples(run: Run, task: Task) -> str:
    """The kind of task, and how many examples there are of each split, as far as it is known."""
    counts = (run.origin.get("tasks") or {}).get(task.name) or {}
    if not counts:
        tested = (run.tasks.get(task.name, {}).get("paired") or {}).get("examples")
        counts = {"test": tested} if tested else {}
    known = ", ".join(f"{count:,} {split}" for split, count in counts.items())
    return "; ".join(filter(None, (task_kind(task.kind), known)))


def _texts(run: Run) -> Markup:
    """How many texts were taken and how many dropped, and why."""
    corpus = _corpus(run)
    if not corpus:
        return NOTHING
    words = (
        f"{corpus['read']:,} texts were read and {corpus['kept']:,} of them kept, {corpus['words']:,} words in all: "
        f"{corpus['train']:,} to learn from, {corpus['validation']:,} held out."
    )
    dropped = [f"{corpus[reason]:,} {why}" for reason, why in _DROPPED.items() if corpus.get(reason)]
    if dropped:
        words += f" Dropped: {', '.join(dropped)}."
    if corpus["kept"] + corpus["other_script"] == run.recipe.corpus.limit:
        words += " The limit was reached; what may follow was not read."
    return paragraph(words)


def _read_by_teacher(run: Run) -> Markup:
    """How much of the language the teacher had read, which is what its student's losses hang on most."""
    name, code = run.recipe.teacher.model, run.recipe.language.code
    if name == "sample":
        return NOTHING
    volume = pretraining_volume(name, code)
    if volume is None:
        return paragraph(f"How much {run.language} the teacher saw in pretraining isn't known.")
    as_other = f" Listed as “{volume.code}”." if volume.code != code else ""
    seen = f"The teacher {volume_words(volume, run.language)}."
    return paragraph(seen, as_other, f" Source: {volume.source}. {PAPER_SAYS}")
