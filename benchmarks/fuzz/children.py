"""A process a reader: one that crashes, hangs or eats the memory is a finding, not the end of the fuzzing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

_STANDSTILL_SECONDS = 120.0
"""A case that has been read for so long can't be interrupted from inside."""
_LOOK_SECONDS = 1.0
_LAST_LINES = 3
"""Of what a child says before it dies: a crash in Rust says why in these."""
MEMORY = 3_000_000_000
"""Bytes of address space that a child may take beyond what it has when the first case begins."""


def fuzz(name: str, cases: int, seed: int) -> dict[str, Any]:
    """Fuzz one reader in a process of its own; a crash counts as a failed case, and the rest goes on after it."""
    total: dict[str, Any] = {}
    done = attempt = 0
    while done < cases:
        found = _child(name, cases - done, seed + 1000 * attempt)
        attempt += 1
        done += max(1, found["cases"])
        total = _joined(total, found)
        if found["cases"] == 0 or not found["ended_early"]:
            break
    return total


def _child(name: str, cases: int, seed: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="monoglot-") as scratch:
        out, current = Path(scratch) / "out.json", Path(scratch) / "current"
        command = [sys.executable, "-m", "benchmarks.fuzz", "--child", name, "--cases", str(cases)]
        command += ["--seed", str(seed), "--out", str(out), "--current", str(current)]
        environment = {**os.environ, "TMPDIR": scratch, "OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}
        with open(Path(scratch) / "said", "w+b") as said:
            process = subprocess.Popen(command, stdout=said, stderr=said, env=environment)
            hung = _wait(process, current)
            said.seek(0)
            words = " ".join(said.read().decode(errors="replace").splitlines()[-_LAST_LINES:])
        if out.exists():
            return {**json.loads(out.read_text(encoding="utf-8")), "ended_early": False}
        number, _, given = _text(current).partition("\n")
        how = f"stood still for {_STANDSTILL_SECONDS:g} s" if hung else f"ended the process with {process.returncode}"
        failure = {"problem": f"{how}: {words}", "input": given}
        cases = int(number or 0) + 1 if given else 0
        return {"cases": cases, "failed": 1, "failures": [failure], "ended_early": True}


def _wait(process: subprocess.Popen[bytes], current: Path) -> bool:
    """Wait for a child; whether it had to be ended as it stood still."""
    seen, since = "", time.monotonic()
    while True:
        try:
            process.wait(_LOOK_SECONDS)
            return False
        except subprocess.TimeoutExpired:
            now = _text(current)
            if now != seen:
                seen, since = now, time.monotonic()
            elif time.monotonic() - since > _STANDSTILL_SECONDS:
                process.kill()
                process.wait()
                return True


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _joined(before: dict[str, Any], found: dict[str, Any]) -> dict[str, Any]:
    """Two batches of one reader as one."""
    counts = {key: before.get(key, 0) + found.get(key, 0) for key in ("cases", "right", "refused", "failed")}
    most = {key: max(before.get(key, 0), found.get(key, 0)) for key in ("slowest_seconds", "megabytes_more")}
    return {**counts, **most, "failures": [*before.get("failures", []), *found["failures"]]}
