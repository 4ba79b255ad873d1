"""The built-in sample from its first stage to its scores: what the first command that anyone runs must show."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from core import cli
from resources import sample
from tests.no_network import block_network

SAMPLE = Path(sample.__file__).parent


def _shorter(recipe: str) -> str:
    """The sample's recipe with all that it does, each for a short time."""
    for old, new in {"distil_steps = 250": "distil_steps = 16", "evaluate_every = 25": "evaluate_every = 8"}.items():
        assert old in recipe
        recipe = recipe.replace(old, new)
    assert recipe.count("epochs = 8") == 4
    return recipe.replace("epochs = 8", "epochs = 1")


def test_the_sample_with_all_its_stages_and_tasks(tmp_path: Path) -> None:
    recipe, folder = tmp_path / "recipe.toml", tmp_path / "run"
    recipe.write_text(_shorter((SAMPLE / "recipe.toml").read_text(encoding="utf-8")), encoding="utf-8")
    command = [sys.executable, "-m", "core.cli", "run", str(recipe), "--out", str(folder), "--json"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    results = json.loads(done.stdout)
    assert results["run"] == str(folder)
    assert results["student"]["compression"] >= 0.85
    stages = ["vocabulary", "layers", "feed_forward", "hidden", "evaluate"]
    assert [stage["name"] for stage in results["stages"]] == stages
    assert set(results["tasks"]) == {"topic", "sentiment", "ner", "pos"}
    speeds = results["throughput"]["inference"]
    for name in ("teacher", "student"):
        assert set(speeds[name]["batches"]) == {"1", "32"}
        assert speeds[name]["peak_memory_megabytes"] > speeds[name]["megabytes_on_disk"] > 0


def test_blocked_sockets_are_seen_in_children_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = block_network(monkeypatch, tmp_path)
    with pytest.raises(OSError, match="blocked"):
        socket.create_connection(("localhost", 9))
    subprocess.run([sys.executable, "-c", "import socket; socket.create_connection(('127.0.0.1', 9))"], check=False)
    assert asked().count("getaddrinfo") >= 2


def test_the_tiny_sample_ends_with_its_folder_and_asks_for_no_network(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "run"
    asked = block_network(monkeypatch, tmp_path)
    assert cli.main(["sample", "--tiny", "--out", str(folder)]) == 0
    assert asked() == ""
    assert capsys.readouterr().out.splitlines()[-1] == str(folder)
    assert (folder / "student" / "model.safetensors").is_file()
    # What it showed of the machine serves the next estimate of it.
    assert cli.main(["estimate", str(SAMPLE / "recipe-tiny.toml")]) == 0
    told = capsys.readouterr().out
    assert "About" in told and "--measure" not in told
    assert cli.main(["sample", "--tiny", "--out", str(folder)]) == 2
    assert "is not empty" in capsys.readouterr().err
