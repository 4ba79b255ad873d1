"""The fuzzers' results as a section of docs/reliability.md."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def section(results: Mapping[str, Any]) -> str:
    """Markdown: a row a reader, and what failed."""
    keys = ("cases", "right", "refused", "failed")
    readers = sorted(results["readers"].items())
    lines = [
        "| reader | inputs | read right | refused with a clear error | failed | slowest | memory |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    for name, found in readers:
        counts = " | ".join(f"{found[key]:,}" for key in keys)
        more = f"{found['slowest_seconds']:.2f} s | +{found['megabytes_more']:,} MB"
        lines.append(f"| {name} | {counts} | {more} |")
    total = [
        sum(found[key] for found in results["readers"].values()) for key in ("cases", "right", "refused", "failed")
    ]
    lines.append("| **all** | " + " | ".join(f"{count:,}" for count in total) + " | | |")
    failures = [
        f"- {name}: {' '.join(failure['problem'].split())}" for name, found in readers for failure in found["failures"]
    ]
    return "\n".join([*lines, *(["", "Failures:", "", *failures] if failures else [])])
