"""Runs as a user has them: in processes of their own, told apart by what they leave on disk."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.run import RunFolder
from core.sealing import MANIFEST, sealed

PATIENCE = 300.0
"""Seconds that a run may take, on a busy machine."""
_TINY = """
name = "torture"
[teacher]
model = {teacher}
adapt_steps = {adapt}
[language]
code = "mlt"
[corpus]
sources = [{corpus}]
limit = 200
validation_fraction = 0.05
max_length = 32
[targets]
layers = 2
intermediate_size = 256
hidden_size = 64
vocabulary_size = 700
[method]
distil_after = "each"
rounds = {rounds}
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
method = "{method}"
seeds = [1, 2]
epochs = 2
"""


def recipe(
    *, adapt: int = 0, rounds: int = 1, method: str = "probe", corpus: str = "sample", teacher: str = "sample"
) -> str:
    """A run of a few seconds in every stage; it writes a checkpoint after every step."""
    names = {"corpus": json.dumps(corpus), "teacher": json.dumps(teacher)}
    return _TINY.format(adapt=adapt, rounds=rounds, method=method, **names)


KINDS: Mapping[str, str] = {
    "tiny": recipe(),
    "adapted, in rounds": recipe(adapt=3, rounds=2),
    "whole encoder": recipe(method="full"),
}
"""Recipes that runs are killed in."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a process ended."""

    status: int
    said: str
    """What it wrote on standard error."""

    @property
    def is_clear(self) -> bool:
        """Whether it ended well or told what is wrong and what to do: no traceback, no fault of ours."""
        told = "error: " in self.said and "hint: " in self.said
        return "Traceback" not in self.said and (self.status in (0, 130) or (self.status == 2 and told))


def start(
    folder: Path, text: Path | None = None, *, resume: bool = False, prologue: str = "", before: Any = None
) -> subprocess.Popen[bytes]:
    """Begin or resume a run in a process group of its own.

    Args:
        folder: the run's.
        text: its recipe; None where it is resumed.
        resume: go on with it.
        prologue: Python that runs in the process first.
        before: called in the process before it becomes Python.
    """
    words = ["run", *([str(text)] if text else []), "--out", str(folder), *(["--resume"] if resume else [])]
    program = f"{prologue}\nimport sys\nfrom core import cli\nsys.exit(cli.main({words!r}))"
    return subprocess.Popen(
        [sys.executable, "-c", program],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
        preexec_fn=before,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )


def end(process: subprocess.Popen[bytes]) -> Ended:
    """Wait for a process."""
    try:
        _, said = process.communicate(timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        kill(process)
        return Ended(-9, "it did not end")
    return Ended(process.returncode, said.decode(errors="replace"))


def run(folder: Path, text: Path | None = None, **options: Any) -> Ended:
    """Begin or resume a run, and wait for its end."""
    return end(start(folder, text, **options))


def kill(process: subprocess.Popen[bytes], *, group: bool = True) -> None:
    """End a process, with all it has started or alone, as a power cut or the system short of memory would."""
    with contextlib.suppress(ProcessLookupError):
        (os.killpg if group else os.kill)(process.pid, signal.SIGKILL)
    process.communicate()


def is_alone(process: subprocess.Popen[bytes], seconds: float = 60) -> bool:
    """Whether nothing that a process has started outlives it by much."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            os.killpg(process.pid, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGKILL)
    return False


def until(process: subprocess.Popen[bytes], reached: Callable[[], bool], seconds: float = PATIENCE) -> bool:
    """Wait for something; whether it came before the process ended."""
    limit = time.monotonic() + seconds
    while process.poll() is None and time.monotonic() < limit:
        if reached():
            return True
        time.sleep(0.002)
    return False


def steps(folder: Path, stage: str) -> int:
    """Training steps that a stage has told of."""
    lines = (folder / "events.jsonl").read_bytes().splitlines() if (folder / "events.jsonl").exists() else []
    events = []
    for line in lines:
        with contextlib.suppress(ValueError):
            events.append(json.loads(line))
    return max((event["step"] for event in events if event.get("stage") == stage and "step" in event), default=0)


def finished_stages(folder: Path) -> dict[str, int]:
    """Stages that are done, by name, with the time at which they were."""
    stages = folder / "stages"
    whole = sorted(path for path in stages.iterdir() if sealed(path)) if stages.exists() else []
    return {path.name: (path / MANIFEST).stat().st_mtime_ns for path in whole if not path.name.startswith(".")}


def differences(folder: Path, whole: Path, *, log: bool = True) -> list[str]:
    """In what a finished run isn't what it would be if nobody had touched it; empty where in nothing.

    `log`: whether the event log counts, too, but for times, progress and messages.
    """
    found = []
    if (state := RunFolder(folder).read_status().get("state")) != "finished":
        found.append(f"its state is {state}")
    ours, theirs = _files(folder / "student"), _files(whole / "student")
    found += [f"student/{name}" for name in sorted(ours.keys() | theirs.keys()) if ours.get(name) != theirs.get(name)]
    if _timeless(folder) != _timeless(whole):
        found.append("results.json")
    if log and _news(folder) != _news(whole):
        found.append("events.jsonl")
    if not (folder / "report.html").is_file():
        found.append("report.html")
    return found


def _files(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()
    }


def _timeless(folder: Path) -> Any:
    """results.json without what may differ from run to run."""
    try:
        results = json.loads((folder / "results.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    del results["throughput"]
    for stage in results["stages"]:
        del stage["seconds"]
    return results


def _news(folder: Path) -> list[Any]:
    """What events.jsonl tells, but for the time, progress and messages."""
    kept: list[Any] = []
    for line in (folder / "events.jsonl").read_bytes().splitlines():
        try:
            event = json.loads(line)
        except ValueError:
            continue  # readers pass it over
        if event["type"] not in ("progress", "message", "done"):
            kept.append({key: value for key, value in event.items() if key != "t"})
    return kept


def words(ended: Ended) -> str:
    """What a process told of its end, shortly."""
    told = [line for line in ended.said.splitlines() if line.startswith(("error: ", "hint: ", "safe: "))]
    return " ".join(told)[:400] or f"exit status {ended.status}"


def names(found: Sequence[str]) -> str:
    """Differences in a row."""
    return ", ".join(found) or "nothing"
