"""Runs on the built-in sample, made small, for the tests that need a whole one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.torture.comparing import student_bytes, timeless
from core.events import Event
from core.run import RunFolder
from core.session import execute

RECIPE = """
name = "journey"
[teacher]
model = "sample"
adapt_steps = 4
[language]
code = "mlt"
[corpus]
sources = ["sample"]
limit = 300
validation_fraction = 0.05
max_length = 32
[targets]
layers = 2
intermediate_size = 256
hidden_size = 64
vocabulary_size = 700
[method]
{method}
[schedule]
distil_steps = 4
batch_tokens = 512
evaluate_every = 2
checkpoint_minutes = 0
device = "cpu"
precision = "float32"
threads = 1
[[tasks]]
kind = "topic"
source = "sample"
method = "probe"
seeds = [1, 2]
epochs = 2
[[tasks]]
kind = "pos"
source = "sample"
seeds = [1]
epochs = 1
"""

__all__ = ["RECIPE", "STAGES", "journey", "recipe", "student_bytes", "timeless"]

STAGES = ("adapt", "vocabulary", "layers", "feed_forward", "hidden", "evaluate")


def recipe(method: str = "") -> str:
    """The recipe's text, with lines for [method]; it distils after each cut, so that no stage is over at once."""
    return RECIPE.format(method=method if "distil_after" in method else f'distil_after = "each"\n{method}')


def journey(
    folder: Path, *, text: str | None = None, resume: bool = False, listen: Callable[[Event], None] | None = None
) -> dict[str, Any]:
    """Run the recipe in a folder."""
    return execute(RunFolder(folder), original=text or recipe(), base=folder.parent, resume=resume, listen=listen)
