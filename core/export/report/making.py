"""How the student was made: the method, on what and with which versions, seeds, and what the run warned of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from core.events import Message
from core.export.markup import NOTHING, Markup, bullets, element, joined, link, paragraph, table
from core.export.report.run import Run
from core.export.versions import versions
from core.wording import clean, stage

_PAPER = "https://arxiv.org/abs/2505.16956"
_MOST_WARNINGS = 50


def making(run: Run) -> Markup:
    """The section."""
    page = f"Page written with {_listed(versions())}."
    return joined((_method(run), _warnings(run), _circumstances(run), paragraph(page, css="grey")))


def _method(run: Run) -> Markup:
    alpha, weight = run.recipe.method.alpha, run.recipe.method.hidden_weight
    own, others = (f" (weight {alpha:g})", f" (weight {1 - alpha:g})") if isinstance(alpha, float) else ("", "")
    states = f", and how it sees each token inside (weight {weight:g})" if isinstance(weight, float) and weight else ""
    return paragraph(
        "Stages in order: those of the table above. Each cut is made up for by training: the student "
        f"learns masked-language modelling{own} and its teacher's answers{others}{states}. "
        "The method is that of Gurgurov, Gregor, van Genabith and Ostermann, ",
        element("cite", "On Multilingual Encoder Language Model Compression for Low-Resource Languages"),
        ", ",
        link(_PAPER, "arXiv 2505.16956"),
        ".",
    )


def _warnings(run: Run) -> Markup:
    """What the run warned of: each once, however often it was said."""
    told = Counter(
        clean(event.text)
        for event in run.events
        if isinstance(event, Message) and event.level in ("warning", "error")
        if event.text not in (run.results.get("warnings") or ())  # which stand at the head of the page
    )
    if not told:
        return NOTHING
    shown = [f"{words} ({count} times)" if count > 1 else words for words, count in told.items()]
    more = [f"And {len(shown) - _MOST_WARNINGS:,} more, in events.jsonl."] if len(shown) > _MOST_WARNINGS else []
    entries = (element("span", words, dir="auto") for words in [*shown[:_MOST_WARNINGS], *more])
    return joined((element("h3", "Warnings of the run"), bullets(entries)))


def _circumstances(run: Run) -> Markup:
    recipe, schedule = run.recipe, run.recipe.schedule
    rows: list[tuple[object, ...]] = [("Seed of the run", str(recipe.seed))]
    rows += [(f"Seeds of the task {task.name}", ", ".join(map(str, task.seeds))) for task in recipe.tasks]
    rows.append(("Device, precision, threads", f"{schedule.device}, {schedule.precision}, {schedule.threads}"))
    return table("Seeds, machine and versions", ("", ""), [*rows, *_made_with(run)], words=2)


def _made_with(run: Run) -> Iterator[tuple[str, str]]:
    """On what machine, with which versions and when; stage by stage where a resumed run had several."""
    made = {name: report["made_with"] for name, report in run.stages.items() if report.get("made_with")}
    yield from _by_stage("Machine", {name: str(entry["machine"]) for name, entry in made.items()})
    yield from _by_stage("Versions", {name: _listed(entry["versions"]) for name, entry in made.items()})
    if made:
        yield "Last stage ended", max(str(entry["ended"]) for entry in made.values())


def _by_stage(title: str, values: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for value in dict.fromkeys(values.values()):
        names = [stage(name) for name, other in values.items() if other == value]
        whole = len(names) == len(values)
        yield title if whole else f"{title}: {'; '.join(names)}", value


def _listed(found: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {version}" for name, version in found.items())
