"""What checkpoints of a real size cost: the share of a training's time that goes into writing them.

    python -m benchmarks.checkpoints --teacher FOLDER --corpus FILE [--minutes 20]

Trains half a teacher's layers with the settings that a run has by default, stops after so many minutes, and tells how
often the checkpoint was written, how large it was and how long that took. A folder without weights gets random ones:
neither the time of a step nor that of writing depends on them.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.speed.models import random_pair
from core import session, workspace
from core.errors import Stopped
from core.events import Stage
from core.models import save
from core.run import RunFolder

_RECIPE = """
name = "checkpoints"
[teacher]
model = {teacher}
[language]
code = "eng"
[corpus]
sources = [{corpus}]
limit = 20000
[targets]
layers = {layers}
[method]
layer_selection = "stride"
[schedule]
distil_steps = 1000000
evaluate_every = 1000000
learning_rate = 0.0001
device = "cpu"
precision = "float32"
"""


def main() -> None:
    """Train and tell."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--teacher", type=Path, required=True, help="a model folder, with or without weights")
    parser.add_argument("--corpus", type=Path, required=True, help="a file of text")
    parser.add_argument("--minutes", type=float, default=20)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="monoglot-") as scratch:
        print(json.dumps(measure(options.teacher, options.corpus, options.minutes * 60, Path(scratch)), indent=1))


def measure(teacher: Path, corpus: Path, seconds: float, scratch: Path) -> dict[str, Any]:
    """Train for so many seconds, the validation before the first step included."""
    if not any(teacher.glob("*.safetensors")):
        pair = random_pair(teacher, "layers", seed=1)
        teacher = scratch / "teacher"
        save(pair.teacher, teacher)
    layers = json.loads((teacher / "config.json").read_text(encoding="utf-8"))["num_hidden_layers"] // 2
    names = {"teacher": json.dumps(str(teacher.absolute())), "corpus": json.dumps(str(corpus.absolute()))}
    folder, writes = RunFolder(scratch / "run"), list[dict[str, float]]()
    began: list[float] = []

    def stop() -> None:
        folder.ask("stop")

    timer = threading.Timer(seconds, stop)

    def listen(event: Any) -> None:
        if isinstance(event, Stage) and event.name == "layers" and not began:
            began.append(time.monotonic())
            timer.start()

    workspace.replace_folder = timed(workspace.replace_folder, writes)  # type: ignore[attr-defined]
    recipe = _RECIPE.format(layers=layers, **names)
    with contextlib.suppress(Stopped):
        session.execute(folder, original=recipe, base=scratch, resume=False, listen=listen)
    timer.cancel()
    whole = time.monotonic() - began[0]
    *due, last = writes  # the last one is written because of the stop
    return {
        "seconds": whole - last["seconds"],
        "checkpoints": len(due),
        "megabytes": last["megabytes"],
        "seconds_each": [round(write["seconds"], 2) for write in writes],
        "after_seconds": [round(write["at"] - began[0]) for write in writes],
        "share": sum(write["seconds"] for write in due) / (whole - last["seconds"]),
        "free_megabytes": shutil.disk_usage(scratch).free / 1e6,
        "python": sys.version.split()[0],
    }


def timed(replace_folder: Callable[..., None], writes: list[dict[str, float]]) -> Callable[..., None]:
    """`replace_folder`, with what it wrote and how long that took put down."""

    def put(target: Path, *arguments: Any, **options: Any) -> None:
        began = time.monotonic()
        replace_folder(target, *arguments, **options)
        size = sum(path.stat().st_size for path in target.rglob("*") if path.is_file())
        writes.append({"at": began, "seconds": time.monotonic() - began, "megabytes": size / 1e6})

    return put


if __name__ == "__main__":
    main()
