"""A run killed with SIGKILL in every stage ends in the same bytes as one that nobody touched."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from core.events import Loss, Score, Stage
from core.run import RunFolder
from tests.journeys import STAGES, journey, recipe, student_bytes, timeless

_PATIENCE_SECONDS = 120


def _reached(folder: RunFolder, stage: str) -> bool:
    """Whether a stage is under way, a training one with a step or two behind it."""
    events = [event for _, event in folder.read_events()]
    started = any(isinstance(event, Stage) and event.name == stage for event in events)
    trained = any(isinstance(event, (Loss, Score)) and event.stage == stage and event.step >= 2 for event in events)
    return started and (trained or stage in ("vocabulary", "feed_forward", "evaluate"))


def _start(folder: RunFolder, text: Path, *options: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "core.cli", "run", str(text), "--out", str(folder.path), *options]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_killed_in_every_stage_and_resumed(tmp_path: Path) -> None:
    whole, folder, text = tmp_path / "whole", RunFolder(tmp_path / "run"), tmp_path / "recipe.toml"
    journey(whole)
    text.write_text(recipe(), encoding="utf-8")
    killed = []
    for stage in STAGES:
        process = _start(folder, text, *(["--resume"] if killed else []))
        try:
            deadline = time.monotonic() + _PATIENCE_SECONDS
            while process.poll() is None and not _reached(folder, stage):
                assert time.monotonic() < deadline, f"{stage} was not reached"
                time.sleep(0.005)
            assert process.poll() is None, (process.stderr.read().decode() if process.stderr else "", stage)
        finally:
            os.kill(process.pid, signal.SIGKILL)
            process.communicate()
        assert json.loads(folder.status.read_text(encoding="utf-8"))["state"] == "running"
        killed.append(stage)
    finished = _start(folder, text, "--resume")
    _, said = finished.communicate(timeout=_PATIENCE_SECONDS)
    assert finished.returncode == 0, said.decode()
    assert student_bytes(folder.path) == student_bytes(whole)
    assert timeless(folder.path) == timeless(whole)
