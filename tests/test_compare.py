from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from finished_run import RESULTS, finished_run, recipe, renamed, started_run

from core.analysis.compare import compare, comparison_text
from core.errors import InputError
from core.run import RunFolder
from core.tables import text_table


def test_only_what_differs_is_told(tmp_path: Path) -> None:
    other = replace(recipe(), name="other", seed=7, targets=replace(recipe().targets, hidden_size=456, layers=None))
    found = compare([finished_run(tmp_path / "a"), finished_run(tmp_path / "b", made_from=other)])
    assert found["settings"] == {"seed": [42, 7], "targets.layers": [6, None], "targets.hidden_size": [312, 456]}
    assert [run["name"] for run in found["runs"]] == ["maltese-small", "other"]
    assert [run["run"] for run in found["runs"]] == [str(tmp_path / "a"), str(tmp_path / "b")]
    assert found["runs"][0]["tasks"]["names"] == {"metric": "f1", "mean": 80.2, "sd": 0.6, "drop": 3.4}
    assert found["runs"][0]["parameters"] == 22_812_688
    assert json.loads(json.dumps(found)) == {**found, "settings": {k: list(v) for k, v in found["settings"].items()}}


def test_a_run_agrees_with_itself(tmp_path: Path) -> None:
    run = finished_run(tmp_path / "a")
    found = compare([run, run])
    assert found["settings"] == {} and found["runs"][0] == found["runs"][1]
    assert len(compare([run])["runs"]) == 1


def test_a_task_that_one_run_lacks_is_a_gap(tmp_path: Path) -> None:
    results = {**RESULTS, "tasks": {"other": RESULTS["tasks"]["names"], "pos": RESULTS["tasks"]["pos"]}}
    runs = [
        finished_run(tmp_path / "a"),
        finished_run(tmp_path / "b", made_from=renamed("other", "b"), results=results),
    ]
    found = compare(runs)
    assert found["settings"]["tasks.names.epochs"] == [20, None]
    lines = {line.split("  ")[0]: line for line in comparison_text(found).splitlines()}
    assert lines["names (F1)"].split()[-4:] == ["80.2", "±", "0.6", "–"]
    assert lines["other, drop"].split()[-2:] == ["–", "3.4"]


def test_every_run_without_results_is_named(tmp_path: Path) -> None:
    broken = finished_run(tmp_path / "broken", results={"student": {}})
    runs = [finished_run(tmp_path / "a"), started_run(tmp_path / "stopped"), RunFolder(tmp_path / "none"), broken]
    with pytest.raises(InputError) as caught:
        compare(runs)
    told = [fault.problem for fault in caught.value.faults]
    assert len(told) == 3
    for name, problem in zip(("stopped", "none", "broken"), told, strict=True):
        assert str(tmp_path / name) in problem


def test_the_text_lines_up_and_cannot_steer_the_terminal(tmp_path: Path) -> None:
    results = {**RESULTS, "tasks": {"a\x1b[2J\nb": RESULTS["tasks"]["names"]}}
    text = comparison_text(compare([finished_run(tmp_path / "a", results=results), finished_run(tmp_path / "b")]))
    assert "\x1b" not in text and "a[2J b (F1)" in text
    assert len({len(line) for line in text.splitlines()}) == 1


def test_a_table_counts_what_a_terminal_shows() -> None:
    lines = text_table(["", "中文", "e\u0301"], [["a", "1", "2"], ["bb", "100000", "3"]]).splitlines()
    assert lines == ["      中文  e\u0301", "--  ------  -", "a        1  2", "bb  100000  3"]
