"""A finished run as it lies on disk, made up: no model is trained for it."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

from core.event_log import EventLog
from core.events import Event, Loss, Message, Score, Size, Stage
from core.recipe import Recipe, parse
from core.recipe_text import to_toml
from core.run import RunFolder

RECIPE = """
name = "maltese-small"
[teacher]
model = "/home/someone/models/mBERT <b>"
[language]
code = "mlt"
[corpus]
sources = ["/home/someone/texts/a_b|c.txt", "hub:cis-lmu/GlotCC-v1:mlt-Latn:content"]
[targets]
layers = 6
intermediate_size = 2048
hidden_size = 312
attention_heads = 12
vocabulary_size = 40000
[[tasks]]
name = "names"
kind = "ner"
source = "/home/someone/data/ner"
[[tasks]]
kind = "pos"
source = "sample"
seeds = [1]
"""

RESULTS: dict[str, Any] = {
    "teacher": {"parameters": 177_974_523, "megabytes": 711.898092, "mlm_loss": 2.3456, "mlm_accuracy": 55.55},
    "student": {
        "parameters": 22_812_688,
        "megabytes": 91.250752,
        "compression": 0.871821,
        "mlm_loss": 3.4567,
        "mlm_accuracy": 44.44,
    },
    "stages": [
        {"name": "layers", "parameters": 135_447_291, "validation_loss": 2.9, "seconds": 3725.0},
        {"name": "evaluate", "parameters": 22_812_688, "validation_loss": 3.4567, "seconds": 61.0},
    ],
    "tasks": {
        "names": {
            "kind": "ner",
            "metric": "f1",
            "teacher": {"mean": 83.6, "sd": 0.5, "runs": [83.1, 83.6, 84.1]},
            "student": {"mean": 80.2, "sd": 0.6, "runs": [79.6, 80.2, 80.8]},
            "drop": 3.4,
        },
        "pos": {
            "kind": "pos",
            "metric": "accuracy",
            "teacher": {"mean": 95.0, "sd": None, "runs": [95.0]},
            "student": {"mean": 94.0, "sd": None, "runs": [94.0]},
            "drop": 1.0,
        },
    },
    "throughput": {"real_tokens_per_second": 1234.5, "peak_memory_megabytes": 2048.0, "stages": {"layers": 1234.5}},
}


def recipe() -> Recipe:
    return parse(RECIPE)


def events() -> list[Event]:
    parts = {"embeddings": 92_000_000, "attention": 28_000_000, "feed_forward": 56_000_000, "head": 700_000}
    found: list[Event] = [Size(stage="teacher", parameters=sum(parts.values()), megabytes=711.9, parts=parts)]
    for number, stage in enumerate(("layers", "hidden")):
        found.append(Stage(name=stage, state="started"))
        for name in ("names", "pos"):
            found.append(_score(stage, 0, name, 80.0, "teacher"))
        for step in range(1, 101):
            mlm, kd = 3 + 2 * math.exp(-step / 30) + 0.2 * math.sin(step), 1 + math.exp(-step / 20)
            found.append(_loss(stage, step, mlm, kd, "train"))
            if step % 20 == 0:
                found.append(_loss(stage, step, mlm + 0.1, kd + 0.1, "validation"))
                found.extend(_score(stage, step, name, 50 + step / 4, "student") for name in ("names", "pos"))
        parts = {part: count // 2 for part, count in parts.items()}
        found.append(Size(stage=stage, parameters=sum(parts.values()), megabytes=300.0 / (number + 1), parts=parts))
        found.append(Stage(name=stage, state="finished"))
    found.append(Message(level="warning", text="The corpus is small."))
    return found


def _loss(stage: str, step: int, mlm: float, kd: float | None, split: Any) -> Loss:
    total = mlm if kd is None else (mlm + kd) / 2
    return Loss(stage=stage, step=step, tokens=step * 8192, mlm=mlm, kd=kd, total=total, split=split)


def _score(stage: str, step: int, task: str, value: float, who: Any) -> Score:
    return Score(
        stage=stage, step=step, task=task, metric="f1", value=value, split="validation", seed=None, who=who, how="probe"
    )


def finished_run(path: Path, *, made_from: Recipe | None = None, results: dict[str, Any] | None = None) -> RunFolder:
    """A run folder with recipe, events, status and results, but without a student."""
    folder = started_run(path, made_from=made_from)
    folder.results.write_text(json.dumps(RESULTS if results is None else results))
    folder.status.write_text(json.dumps({"state": "finished"}))
    return folder


def started_run(path: Path, *, made_from: Recipe | None = None) -> RunFolder:
    """The same, stopped on its way."""
    folder = RunFolder(path)
    folder.create(RECIPE, needed_bytes=1)
    folder.recipe.write_text(to_toml(made_from or recipe()), encoding="utf-8")
    log = EventLog(folder.events)
    for number, event in enumerate(events()):
        log.append(event, number)
    log.close()
    status = {"state": "stopped", "stage": "hidden", "done": 40, "total": 100}
    folder.status.write_text(json.dumps(status))
    return folder


def renamed(task_name: str, name: str) -> Recipe:
    """The recipe with other names."""
    made = recipe()
    return replace(made, name=name, tasks=(replace(made.tasks[0], name=task_name), made.tasks[1]))
