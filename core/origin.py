"""What a run was made from, in numbers: for its report, which is written when the texts may be gone. No torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from core.context import Context
from core.corpus.prepare import PreparedCorpus
from core.corpus.scripts import ScriptCount
from core.tasks.examples import SPLITS, TaskData


def origin(tasks: Mapping[str, TaskData], corpus: PreparedCorpus, ctx: Context) -> dict[str, Any]:
    """The content of origin.json.

    Args:
        tasks: by name.
        corpus: the texts.
        ctx: asked between texts whether to go on.

    Returns:
        `corpus`: what became of the texts that were read (`CorpusReport`), and the `scripts` that they are written in,
        by the validation texts; `tasks`: by name, how many examples each split has.
    """
    scripts = ScriptCount()
    for text in corpus.validation:
        ctx.check()
        scripts.add(text)
    written = scripts.written()
    return {
        "corpus": asdict(corpus.report) | {"scripts": [script for script in scripts.shares() if script in written]},
        "tasks": {name: {split: len(getattr(data, split)) for split in SPLITS} for name, data in tasks.items()},
    }
