"""Speed and memory of models as they are used, each measured in a child process. No torch here."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import core
from core.analysis.allowances import is_timed
from core.context import Context
from core.events import Message
from core.recipe import Recipe

_COMMAND = (sys.executable, "-m", "core.analysis.latency")
_TEXTS = 32
"""Different ones, at most."""
_LOOK_SECONDS = 0.1
_LOOKS = 3000
"""Until a model is given up: five minutes, pauses left out."""


def measure_inference(
    folders: Mapping[str, Path], texts: Sequence[str], recipe: Recipe, ctx: Context
) -> dict[str, Any] | None:
    """Time models on this machine's processor and weigh them, one after the other.

    Args:
        folders: each model's, by its name.
        texts: held-out ones; those of typical length are read.
        recipe: resolved; its threads and `corpus.max_length` count.
        ctx: asked ten times a second whether to go on, told what can't be measured: nothing depends on it.

    Returns:
        `threads`; `tokens_a_text`, as the last of the models cuts them; and by name what `core.analysis.latency` found.
        None where the recipe trains too little for it to be worth while, or nothing could be measured.

    Raises:
        Stopped: the user wants the run to end.
    """
    if not is_timed(recipe.schedule):
        text = "Speed and memory of the models aren't measured: they were taught for a moment only."
        ctx.emit(Message(level="info", text=text))
        return None
    threads = recipe.schedule.threads
    request = {"texts": typical(texts), "max_length": recipe.corpus.max_length, "threads": threads}
    found: dict[str, Any] = {}
    tokens = 0.0
    for name, folder in folders.items():
        told = _ask({"model": str(folder.absolute()), **request}, ctx)
        if told is None:
            ctx.check()  # a Ctrl-C at a terminal ends the child too
            text = f"Speed and memory of the {name} couldn't be measured: its process ended without an answer."
            ctx.emit(Message(level="warning", text=text, doubt=True))
            continue
        tokens = told.pop("tokens_a_text")
        found[name] = told
    return {"threads": threads, "tokens_a_text": tokens, **found} if found else None


def typical(texts: Sequence[str]) -> list[str]:
    """The texts whose lengths are nearest to the median, in their order."""
    middle = statistics.median(len(text) for text in texts)
    order = sorted(range(len(texts)), key=lambda number: (abs(len(texts[number]) - middle), number))
    return [texts[number] for number in sorted(order[:_TEXTS])]


def _ask(request: Mapping[str, Any], ctx: Context) -> dict[str, Any] | None:
    """What a child process says of a model; None where it says nothing in time."""
    root, environment = Path(core.__file__).parent.parent, {**os.environ, "PYTHONUTF8": "1"}
    pipe, nothing = subprocess.PIPE, subprocess.DEVNULL
    asked: bytes | None = json.dumps(request).encode("ascii")
    with subprocess.Popen(_COMMAND, stdin=pipe, stdout=pipe, stderr=nothing, cwd=root, env=environment) as child:
        try:
            for _ in range(_LOOKS):
                ctx.check()
                try:
                    said, _ = child.communicate(asked, timeout=_LOOK_SECONDS)
                except subprocess.TimeoutExpired:
                    asked = None  # it was handed over
                    continue
                lines = said.splitlines()
                return dict(json.loads(lines[-1])) if child.returncode == 0 and lines else None
        finally:
            child.kill()
    return None
