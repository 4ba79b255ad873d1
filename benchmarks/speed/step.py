"""The reference's step and ours on the same texts, side after side. No torch."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from benchmarks.speed.children import ask
from benchmarks.speed.page import step_table
from benchmarks.speed.results import keep

REFERENCE = "reference"
SIDES = (REFERENCE, "same loss", "same loss, untrimmed", "defaults")
"""In the order in which they are measured."""


def run(options: argparse.Namespace) -> int:
    """Measure every side and show them beside each other."""
    task = {
        "model": str(options.model.absolute()),
        "text": str(options.text.absolute()),
        "stage": options.stage,
        "batch": options.batch,
        "steps": options.steps,
        "vocabulary": options.vocabulary,
        "precision": options.precision,
        "seed": options.seed,
    }
    found: dict[str, Any] = {"kind": "step", **task, "model": options.model.name, "sides": {}}
    found["text"] = f"{options.text.absolute().parent.name}/{options.text.name}"
    for side in options.sides or SIDES:
        print(f"{side} …", file=sys.stderr, flush=True)
        found["sides"][side] = ask("benchmarks.speed.sides", {**task, "side": side})
        keep(found, options.out)  # each, as the next may need more memory than there is
    print(step_table([found]))
    return 0
