"""Child processes, some at a time: one that ends badly is told of and stops no other."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_ONE_THREAD = {name: "1" for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")}
_POLL_SECONDS = 0.2

DONE, BUSY = 0, 3
"""How a child ends: well; or because another process is at the same work."""


@dataclass(frozen=True, slots=True)
class Job:
    """What a child is to do."""

    name: str
    command: Sequence[str]
    """What follows `python -m`."""
    given: str
    """Its standard input."""
    log: Path
    """What it says goes to the end of this file."""


def run_jobs(jobs: Sequence[Job], at_once: int, told: Callable[[Job, int, float], None]) -> dict[str, int]:
    """Run every job in a process of its own with one thread each.

    Args:
        jobs: in the order in which they are begun.
        at_once: children at a time.
        told: called with each job that ended, its exit status and its seconds.

    Returns:
        Exit statuses by name.
    """
    waiting = list(jobs)
    running: list[tuple[Job, subprocess.Popen[str], float]] = []
    codes: dict[str, int] = {}
    try:
        while waiting or running:
            while waiting and len(running) < at_once:
                job = waiting.pop(0)
                running.append((job, _start(job), time.monotonic()))
            time.sleep(_POLL_SECONDS)
            for entry in [one for one in running if one[1].poll() is not None]:
                running.remove(entry)
                job, child, since = entry
                codes[job.name] = int(child.returncode)
                told(job, codes[job.name], time.monotonic() - since)
    finally:
        for _, child, _ in running:
            child.terminate()
        for _, child, _ in running:
            child.wait()
    return codes


def last_words(log: Path) -> str:
    """The last line of a log that says something."""
    lines = [line for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    return lines[-1].strip() if lines else "it said nothing"


def _start(job: Job) -> subprocess.Popen[str]:
    job.log.parent.mkdir(parents=True, exist_ok=True)
    with open(job.log, "a", encoding="utf-8") as log:
        child = subprocess.Popen(
            [sys.executable, "-m", *job.command],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=ROOT,
            env={**os.environ, **_ONE_THREAD},
        )
    assert child.stdin is not None
    with contextlib.suppress(BrokenPipeError), child.stdin:  # one that ends at once says why in its log
        child.stdin.write(job.given)
    return child
