"""What torture showed, as a section of docs/reliability.md."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def section(results: Mapping[str, Any]) -> str:
    """Markdown: kills by kind of run and stage, and a row a fault."""
    lines = ["| runs | killed | resumed runs | failed |", "|---|---:|---:|---:|"]
    for kind, found in results["kills"].items():
        lines.append(f"| {kind} | {found['kills']} | {found['runs']} | {len(found['failures'])} |")
    whole = {key: sum(found[key] for found in results["kills"].values()) for key in ("kills", "runs")}
    failed = sum(len(found["failures"]) for found in results["kills"].values())
    lines += [f"| **all** | {whole['kills']} | {whole['runs']} | {failed} |", ""]
    for title, key in (("By stage", "stages"), ("By moment", "moments")):
        counts: dict[str, int] = {}
        for found in results["kills"].values():
            for name, count in found[key].items():
                counts[name] = counts.get(name, 0) + count
        told = (f"{name} {count}".replace("_", " ") for name, count in counts.items())
        lines.append(f"{title}: {', '.join(told)}.")
    lines += [f"- failed: {kind}: {told}" for kind, found in results["kills"].items() for told in found["failures"]]
    lines += ["", "| fault | what happened | as it must be |", "|---|---|---|"]
    for fault in results["faults"]:
        lines.append(f"| {fault['name']} | {_cell(fault['happened'])} | {'yes' if fault['ok'] else '**no**'} |")
    return "\n".join(lines)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
