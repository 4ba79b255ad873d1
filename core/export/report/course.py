"""What happened during the run: its curves, what each stage left and took, and how that was foreseen."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from core.analysis.duration import Interval
from core.export.figures import figures
from core.export.markup import NOTHING, Markup, element, figure, joined, paragraph, table
from core.export.report.run import Run
from core.wording import MISSING, duration, megabytes, number, stage


def course(run: Run) -> Markup:
    """The section."""
    plots = [figure(caption, svg) for caption, svg in figures(run.events, run.results or None)]
    drawn = element("div", *plots, css="plots") if plots else NOTHING
    if not run.results:
        return drawn
    return joined((drawn, _stages(run.results), _throughput(run.results), _foretold(run.results, run.estimate)))


def _stages(results: Mapping[str, Any]) -> Markup:
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
    if not rows:
        return NOTHING
    whole = sum(entry.get("seconds") or 0 for entry in results["stages"])
    rows.append(("In all", "", "", "", duration(whole)))
    head = ("Stage", "Parameters after it", "Size in float32", "Validation loss (nats)", "Time")
    return table("Stages, in order", head, rows)


def _throughput(results: Mapping[str, Any]) -> Markup:
    found = results.get("throughput") or {}
    rows = []
    if found.get("real_tokens_per_second"):
        rows.append(("Distillation, non-padding tokens a second", number(found["real_tokens_per_second"], 0)))
    if found.get("peak_memory_megabytes"):
        rows.append(("Peak memory", megabytes(found["peak_memory_megabytes"])))
    return table("Speed of the run", ("", ""), rows) if rows else NOTHING


def _foretold(results: Mapping[str, Any], estimate: Mapping[str, Any]) -> Markup:
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
        return NOTHING
    note = "Estimated before the run, from what was measured on this machine until then. Pauses don't count."
    head = ("", "Estimated", "From", "To", "It took", "Within")
    return joined((table("Foreseen and taken", head, rows), paragraph(note, css="grey")))


def _interval(given: Mapping[str, Any]) -> Interval:
    return Interval(*(float(given[name]) for name in ("low", "mid", "high")))


def _held_against(name: str, known: Interval, truth: float, words: Callable[[float], str]) -> tuple[str, ...]:
    verdict = "yes" if known.holds(truth) else "no, less" if truth < known.low else "no, more"
    return name, words(known.mid), words(known.low), words(known.high), words(truth), verdict
