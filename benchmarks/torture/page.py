"""What the torture found, as Markdown. No torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchmarks.ablation.page import markdown_table


def section(results: Mapping[str, Any]) -> str:
    """Kills and faults, with the counts and every failure.

    Args:
        results: what `python -m benchmarks.torture` wrote.
    """
    parts = []
    if results["kills"]["kills"]:
        parts += ["## Killed", _about(results), _kills(results)]
    if results["cases"]:
        parts += ["## Starved and damaged", _about(results), _faults(results["cases"], results.get("again", 0))]
    return "\n\n".join(parts) + "\n"


def _about(results: Mapping[str, Any]) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in results["versions"].items())
    return (
        f"Made by `python -m benchmarks.torture --kills {results['asked']} --seed {results['seed']}` in "
        f"{results['seconds'] / 60:.0f} minutes, {results['jobs']} at a time, on: {results['machine']}; {versions}."
    )


def _kills(results: Mapping[str, Any]) -> str:
    counts = results["kills"]
    text = (
        f"{counts['kills']} kills with SIGKILL of {counts['runs']} runs at random moments, {counts['with_children']} "
        f"of them with all child processes; {counts['half_written']} left something half-written. Each run was resumed "
        f"until it was finished and compared with an undisturbed one: student/ byte for byte, results.json but for "
        f"seconds, throughput and memory, and what the log tells. Finished stages that were lost or done again count "
        f"as failures. Failures: {counts['failed_runs']}."
    )
    lines = [[stage, str(count)] for stage, count in counts["by_stage"].items()]
    table = markdown_table(("killed in", "kills"), lines, words=1)
    failures = [
        f"- {victim['recipe']}, seed {victim['seed']}: {_cell(victim['failure'])}"
        for victim in results["victims"]
        if victim["failure"]
    ]
    return "\n\n".join([text, table, *(["\n".join(failures)] if failures else [])])


def _faults(cases: list[Mapping[str, Any]], again: int) -> str:
    tried = [case for case in cases if not case["skipped"]]
    failed = sum(not case["ok"] for case in tried)
    text = f"{len(tried)} {'fault' if len(tried) == 1 else 'faults'}; failures: {failed}."
    if again:
        text += f" {again} of them as they went when they were tried again, after something was mended."
    if len(tried) < len(cases):
        text += f" {len(cases) - len(tried)} could not be tried on this machine."
    lines = [
        [_cell(case["done"]), _cell(case["happened"]), "skipped" if case["skipped"] else "yes" if case["ok"] else "NO"]
        for case in cases
    ]
    return f"{text}\n\n{markdown_table(('what was done', 'what happened', 'as expected'), lines, words=3)}"


def _cell(text: str) -> str:
    """Text in a cell of a table."""
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")
