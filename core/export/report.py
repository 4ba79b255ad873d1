"""The report of a run: one self-contained HTML page with numbers, plots, and how it was made."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from core import recipe as recipes
from core.analysis.duration import Interval
from core.errors import InputError
from core.export.figures import figures
from core.export.style import STYLE
from core.export.versions import versions
from core.languages import check_language
from core.recipe import Recipe, settings
from core.run import RunFolder
from core.sealing import write_atomic
from core.wording import (
    MISSING,
    clean,
    duration,
    last_name,
    mean_sd,
    megabytes,
    metric,
    number,
    parameters,
    seeds,
    stage,
)

_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
_STATES = {"running": "still running", "paused": "paused", "stopped": "stopped; it can be resumed", "failed": "failed"}
_PAPER = "https://arxiv.org/abs/2505.16956"


def write_report(folder: RunFolder) -> Path:
    """Write report.html of a run, finished or not, and return its path.

    Raises:
        InputError: there is no run in the folder, or the page can't be written.
    """
    if not folder.recipe.is_file():
        raise InputError(f"There is no run in {folder.path}.", hint="Give the folder that holds recipe.toml.")
    text = recipes.read(folder.recipe)
    recipe = recipes.parse(text, origin=str(folder.recipe))
    results = folder.read_results() if folder.results.is_file() else None
    page = _page(recipe, recipes.reasons_in(text), results, folder)
    try:
        write_atomic(folder.report, page.encode("utf-8", "replace"))
    except OSError as error:
        raise InputError(
            f"{folder.report} can't be written: {error.strerror}.", hint="Make room, or make the folder writable."
        ) from error
    return folder.report


def _page(recipe: Recipe, reasons: Mapping[str, str], results: Mapping[str, Any] | None, folder: RunFolder) -> str:
    parts = [f"<h1>{_user(recipe.name)}</h1>", _subtitle(recipe), "" if results else _state(folder.read_status())]
    if results is not None:
        parts += [_facts(results), _comparison(results), _tasks(results)]
    parts += [_plots(folder, results)]
    if results is not None:
        parts += [_stages(results), _throughput(results, folder.read_estimate())]
    parts += [_vocabulary(folder.read_stage("vocabulary"))]
    parts += [_settings(recipe, reasons), _making(recipe)]
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta name="color-scheme" content="light dark">\n<title>{_text(recipe.name)} – Monoglot</title>\n'
        f"<style>{STYLE}</style>\n</head>\n<body>\n"
        + "\n".join(part for part in parts if part)
        + "\n</body>\n</html>\n"
    )


def _subtitle(recipe: Recipe) -> str:
    try:
        language = check_language(recipe.language.code)
    except InputError:  # a run of a version that knew this code
        language = recipe.language.code
    words = f"{_user(language)} ({_text(recipe.language.code)}) from {_user(last_name(recipe.teacher.model))}"
    if recipe.teacher.model == "sample":
        words += ". This is Monoglot's built-in sample: a small invented world that shows how it works"
    return f'<p class="grey">{words}.</p>'


def _state(status: Mapping[str, Any]) -> str:
    words = f"This run is not finished: {_STATES.get(str(status.get('state')), 'not started')}"
    if status.get("stage"):
        words += f", in stage “{stage(clean(status['stage']))}”"
        if status.get("total"):
            words += f" ({status.get('done', 0):,} of {status['total']:,})"
    words += ". The page shows what there is so far."
    if status.get("error"):
        words += f" {clean(status['error'])} {clean(status.get('hint') or '')}"
    return f'<p class="note" dir="auto">{_text(words.strip())}</p>'


def _facts(results: Mapping[str, Any]) -> str:
    teacher, student = results["teacher"], results["student"]
    facts = [
        (parameters(student["parameters"]), f"parameters (teacher {parameters(teacher['parameters'])})"),
        (f"−{100 * student['compression']:.1f} %", "parameters"),
        (megabytes(student["megabytes"]), f"in float32 (teacher {megabytes(teacher['megabytes'])})"),
    ]
    drops = [task["drop"] for task in results.get("tasks", {}).values()]
    if drops:
        facts.append((number(sum(drops) / len(drops)), f"points lost on average over {len(drops)} tasks"))
    items = "".join(f"<li><strong>{_text(value)}</strong>{_text(words)}</li>" for value, words in facts)
    return f'<ul class="facts">{items}</ul>'


def _comparison(results: Mapping[str, Any]) -> str:
    teacher, student = results["teacher"], results["student"]
    rows = [
        ("Parameters", f"{teacher['parameters']:,}", f"{student['parameters']:,}"),
        ("Size in float32", megabytes(teacher["megabytes"]), megabytes(student["megabytes"])),
        ("Masked-language loss (nats)", number(teacher["mlm_loss"], 3), number(student["mlm_loss"], 3)),
        ("Masked-token accuracy (%)", number(teacher["mlm_accuracy"]), number(student["mlm_accuracy"])),
    ]
    note = (
        "Parameters count tied tensors once, the masked-language head included. Loss and accuracy are both on the "
        "student's validation tokens and masks; the loss is that of the teacher the student learnt from."
    )
    return (
        "<h2>Teacher and student</h2>" + _table(("", "Teacher", "Student"), rows) + f'<p class="grey">{_text(note)}</p>'
    )


def _tasks(results: Mapping[str, Any]) -> str:
    rows = [
        (name, metric(task["metric"]), mean_sd(task["teacher"]), mean_sd(task["student"]), number(task["drop"]),
         seeds(task["student"]))
        for name, task in results.get("tasks", {}).items()
    ]  # fmt: skip
    if not rows:
        return ""
    note = "On the test split, 0-100; mean ± standard deviation over seeds. Drop: teacher minus student."
    head = ("Task", "Metric", "Teacher", "Student", "Drop", "Over")
    return f'<h2>Tasks</h2>{_table(head, rows, words=2)}<p class="grey">{_text(note)}</p>'


def _plots(folder: RunFolder, results: Mapping[str, Any] | None) -> str:
    plots = figures((event for _, event in folder.read_events()), results)
    if not plots:
        return ""
    drawn = "".join(
        f'<figure><figcaption dir="auto">{_text(caption)}</figcaption>{svg}</figure>' for caption, svg in plots
    )
    return f'<h2>What happened</h2><div class="plots">{drawn}</div>'


def _stages(results: Mapping[str, Any]) -> str:
    rows = []
    for entry in results.get("stages", []):
        count = entry.get("parameters")
        rows.append(
            (
                stage(entry["name"]),
                MISSING if count is None else f"{count:,}",
                megabytes(None if count is None else 4 * count / 1e6),
                number(entry.get("validation_loss"), 3),
                duration(entry.get("seconds")),
            )
        )
    head = ("Stage", "Parameters after it", "Size in float32", "Validation loss (nats)", "Time")
    return f"<h2>Stages</h2>{_table(head, rows)}" if rows else ""


def _vocabulary(found: Mapping[str, Any]) -> str:
    """What was kept of the vocabulary, what was proved of it, and what it does to words."""
    if not found:
        return ""
    fertility, unknown, proof, same = (found[key] for key in ("fertility", "unknown", "proof", "model_proof"))
    rows = [
        ("Tokens a word", number(fertility["before"], 3), number(fertility["after"], 3)),
        ("Unknown tokens", f"{unknown['before']:,}", f"{unknown['after']:,}"),
    ]
    kept = ", ".join(f"{count:,} {reason}" for reason, count in found["reasons"].items() if count)
    words = (
        f"{len(found['kept']):,} tokens: {kept}. They are {100 * found['coverage']:.2f} % of the tokens of the text "
        f"that they were chosen on. On {proof['lines']:,} texts held out from that, {proof['compared']:,} have kept "
        f"tokens only, and each is cut as before. Without the tokens that go, the model's hidden states were found "
        f"equal bit for bit on {same['compared']:,} texts ({same['tokens']:,} tokens), and so were the logits of the "
        f"kept tokens. {proof['spelt']:,} are spelt by the kept alphabet, and have no new unknown token. "
        f"{100 * found['split']:.1f} % of the words take more tokens than before."
    )
    worst = [(word["word"], *("|".join(word[side]) for side in ("before", "after"))) for word in found["worst"]]
    broken = _table(("Words that break worst", "Before", "After"), worst, words=3) if worst else ""
    return f"<h2>Vocabulary</h2><p>{_text(words)}</p>{_table(('Held-out text', 'Before', 'After'), rows)}{broken}"


def _throughput(results: Mapping[str, Any], estimate: Mapping[str, Any]) -> str:
    found = results.get("throughput") or {}
    rows = []
    if found.get("real_tokens_per_second"):
        rows.append(("Distillation, non-padding tokens a second", number(found["real_tokens_per_second"], 0)))
    if found.get("peak_memory_megabytes"):
        rows.append(("Peak memory", megabytes(found["peak_memory_megabytes"])))
    foretold = _foretold(results, estimate)
    return f"<h2>Speed</h2>{_table(('', ''), rows) if rows else ''}{foretold}" if rows or foretold else ""


def _foretold(results: Mapping[str, Any], estimate: Mapping[str, Any]) -> str:
    """What was estimated before the run, beside what it took; nothing where nothing was known."""
    try:
        seconds, memory = (_interval(estimate[key]) for key in ("stages", "memory_megabytes"))
        took = sum(entry["seconds"] for entry in results["stages"])
        peak = results["throughput"]["peak_memory_megabytes"]
        rows = [
            _held_against("Time of the stages", seconds, took, duration),
            _held_against("Peak memory", memory, peak, megabytes),
        ]
    except (LookupError, TypeError, ValueError):  # none, or not as it was written
        return ""
    note = "Estimated before the run, from what was measured on this machine until then. Pauses don't count."
    head = ("", "Estimated", "From", "To", "It took", "Within")
    return f'{_table(head, rows)}<p class="grey">{_text(note)}</p>'


def _interval(given: Mapping[str, Any]) -> Interval:
    return Interval(*(float(given[name]) for name in ("low", "mid", "high")))


def _held_against(name: str, known: Interval, truth: float, words: Callable[[float], str]) -> tuple[str, ...]:
    verdict = "yes" if known.holds(truth) else "no, less" if truth < known.low else "no, more"
    return name, words(known.mid), words(known.low), words(known.high), words(truth), verdict


def _settings(recipe: Recipe, reasons: Mapping[str, str]) -> str:
    rows = [(key, _shown(value), reasons.get(key, "")) for key, value in settings(recipe).items() if value is not None]
    return f"<h2>Settings</h2>{_table(('Key in the recipe', 'Value', 'Why, where it was left open'), rows, words=3)}"


def _shown(value: Any) -> str:
    return ", ".join(str(entry) for entry in value) if isinstance(value, tuple) else str(value)


def _making(recipe: Recipe) -> str:
    found = versions()
    named = ", ".join(f"{name} {version}" for name, version in found.items())
    alpha, weight = recipe.method.alpha, recipe.method.hidden_weight
    own, others = (f" (weight {alpha:g})", f" (weight {1 - alpha:g})") if isinstance(alpha, float) else ("", "")
    states = f", and how it sees each token inside (weight {weight:g})" if isinstance(weight, float) and weight else ""
    return (
        "<h2>How it was made</h2>"
        "<p>Stages in order: those of the table above. Each cut is made up for by training: the student "
        f"learns masked-language modelling{own} and its teacher's answers{others}{states}. "
        "The method is that of Gurgurov, Gregor, van Genabith and "
        "Ostermann, <cite>On Multilingual Encoder Language Model Compression for Low-Resource Languages</cite>, "
        f'<a href="{_PAPER}">arXiv 2505.16956</a>.</p>'
        f'<p class="grey">Page written with {_text(named)}.</p>'
    )


def _table(head: Sequence[str], rows: Sequence[Sequence[str]], words: int = 1) -> str:
    """A table whose first `words` columns are text, the others numbers."""

    def cells(tag: str, entries: Sequence[str]) -> Iterator[str]:
        for index, entry in enumerate(entries):
            kind = 'dir="auto"' if index < words else 'class="number"'
            yield f"<{tag} {kind}>{_text(entry)}</{tag}>"

    body = "".join(f"<tr>{''.join(cells('td', row))}</tr>" for row in rows)
    header = f"<thead><tr>{''.join(cells('th', head))}</tr></thead>" if any(head) else ""
    return f'<div class="scroll"><table>{header}<tbody>{body}</tbody></table></div>'


def _user(words: str) -> str:
    """Words of the user's, in whatever direction their script runs."""
    return f'<bdi dir="auto">{_text(words)}</bdi>'


def _text(words: object) -> str:
    return escape(clean(words))
