"""The built-in sample, whole: what the first command that anyone runs must show."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from core import cli
from resources import sample


def test_the_whole_sample(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "run"
    assert cli.main(["sample", "--out", str(folder), "--json"]) == 0
    results = json.loads(capsys.readouterr().out)
    assert results["run"] == str(folder)
    assert results["student"]["compression"] >= 0.85
    stages = ["vocabulary", "layers", "feed_forward", "hidden", "evaluate"]
    assert [stage["name"] for stage in results["stages"]] == stages
    assert set(results["tasks"]) == {"topic", "sentiment", "ner", "pos"}
    speeds = results["throughput"]["inference"]
    for name in ("teacher", "student"):
        assert set(speeds[name]["batches"]) == {"1", "32"}
        assert speeds[name]["peak_memory_megabytes"] > speeds[name]["megabytes_on_disk"] > 0


def test_the_tiny_sample_ends_with_its_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "run"
    assert cli.main(["sample", "--tiny", "--out", str(folder)]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == str(folder)
    assert (folder / "student" / "model.safetensors").is_file()
    # What it showed of the machine serves the next estimate of it.
    assert cli.main(["estimate", str(Path(sample.__file__).parent / "recipe-tiny.toml")]) == 0
    told = capsys.readouterr().out
    assert "About" in told and "--measure" not in told
    assert cli.main(["sample", "--tiny", "--out", str(folder)]) == 2
    assert "is not empty" in capsys.readouterr().err
