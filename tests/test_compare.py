from __future__ import annotations

import copy
import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from finished_run import RESULTS, finished_run, recipe, renamed, started_run
from several_runs import run_of

from core.analysis.compare import compare
from core.analysis.curves import validation_curves
from core.errors import InputError
from core.export.comparison_text import comparison_text, legend
from core.run import RunFolder
from core.tables import text_table


def test_only_what_differs_is_told(tmp_path: Path) -> None:
    other = replace(recipe(), name="other", seed=7, targets=replace(recipe().targets, hidden_size=456, layers=None))
    comparison = compare([finished_run(tmp_path / "a"), finished_run(tmp_path / "b", made_from=other)])
    found = comparison.to_json()
    assert found["settings"] == {"seed": [42, 7], "targets.layers": [6, None], "targets.hidden_size": [312, 456]}
    assert [run["name"] for run in found["runs"]] == ["maltese-small", "other"]
    assert [run["run"] for run in found["runs"]] == [str(tmp_path / "a"), str(tmp_path / "b")]
    names = found["runs"][0]["tasks"]["names"]
    assert {key: names[key] for key in ("metric", "mean", "sd", "drop")} == {
        "metric": "f1", "mean": 80.2, "sd": 0.6, "drop": 3.4
    }  # fmt: skip
    assert found["runs"][0]["parameters"] == 22_812_688
    assert json.loads(json.dumps(found, allow_nan=False))["runs"] == json.loads(json.dumps(found["runs"]))


def test_a_run_agrees_with_itself(tmp_path: Path) -> None:
    run = finished_run(tmp_path / "a")
    found = compare([run, run])
    assert found.settings == {} and found.runs[0] == found.runs[1]
    assert len(compare([run]).runs) == 1


def test_runs_of_one_name_are_told_apart_by_their_folders(tmp_path: Path) -> None:
    runs = [run_of(tmp_path / "a", drops=3.0), *(finished_run(tmp_path / name) for name in ("seed-1", "seed-2"))]
    found = compare(runs)
    assert [run.name for run in found.runs] == ["a", "maltese-small (seed-1)", "maltese-small (seed-2)"]
    assert {point.name for group in found.fronts for point in group.points if point.run} == {
        run.name for run in found.runs
    }
    assert "maltese-small (seed-2)" in comparison_text(found)
    assert [run.name for run in compare(runs[:2]).runs] == ["a", "maltese-small"]


def test_a_task_that_one_run_lacks_is_a_gap(tmp_path: Path) -> None:
    results = {**RESULTS, "tasks": {"other": RESULTS["tasks"]["names"], "pos": RESULTS["tasks"]["pos"]}}
    runs = [
        finished_run(tmp_path / "a"),
        finished_run(tmp_path / "b", made_from=renamed("other", "b"), results=results),
    ]
    found = compare(runs)
    assert found.settings["tasks.names.epochs"] == (20, None)
    lines = {line.split("  ")[0]: line for line in comparison_text(found).splitlines()}
    assert lines["names (F1)"].split()[-4:] == ["80.2", "±", "0.6", "–"]
    assert lines["other, drop"].split()[-2:] == ["–", "3.4"]


def test_scores_on_other_test_data_are_never_side_by_side_as_if_equal(tmp_path: Path) -> None:
    runs = []
    for name, data in {"a": None, "b": "1", "c": "2", "d": "2"}.items():
        runs.append(run_of(tmp_path / name))
        results = runs[-1].read_results()
        results["tasks"]["topic"] |= {"test_sha256": data} if data else {}
        runs[-1].results.write_text(json.dumps(results))
    found = compare(runs)
    assert found.tested_on("topic") == ("unknown", "other", "usual", "usual")
    text = comparison_text(found)
    (line,) = [line for line in text.splitlines() if line.startswith("topic, scored on")]
    assert line.split("scored on")[1].split() == ["data", "not", "known", "other", "test", "data"]
    assert "says nothing beside the other scores" in legend(found)
    # Only the same data make a front; what an older run was tested on isn't known.
    assert sorted(sorted(p.name for p in group.points if p.run) for group in found.fronts) == [["a"], ["b"], ["c", "d"]]
    (law,) = found.volumes.laws
    assert any("different test data for topic in Slovak" in words for words in law.words)
    for alike in (runs[2:], runs[:1] * 2):
        assert "scored on" not in comparison_text(compare(alike))


def test_every_run_without_results_is_named(tmp_path: Path) -> None:
    broken = finished_run(tmp_path / "broken", results={"student": {}})
    runs = [finished_run(tmp_path / "a"), started_run(tmp_path / "stopped"), RunFolder(tmp_path / "none"), broken]
    with pytest.raises(InputError) as caught:
        compare(runs)
    told = [fault.problem for fault in caught.value.faults]
    assert len(told) == 3
    for name, problem in zip(("stopped", "none", "broken"), told, strict=True):
        assert str(tmp_path / name) in problem


@pytest.mark.parametrize(
    "broken",
    [
        {"tasks": {"pos": {}}},
        {"tasks": [1]},
        {"tasks": None},
        {"student": {**RESULTS["student"], "parameters": None}},
        {"student": {**RESULTS["student"], "megabytes": "nan"}},
        {"student": {**RESULTS["student"], "tokens_a_word": "1.2"}},
        {"tasks": {"pos": {**RESULTS["tasks"]["pos"], "drop": 1e300}}},
    ],
)
def test_results_that_are_not_whole_are_refused(broken: dict[str, Any], tmp_path: Path) -> None:
    run = finished_run(tmp_path / "run", results={**RESULTS, **broken})
    with pytest.raises(InputError, match="not whole"):
        compare([run])


def test_the_table_lines_up_and_nothing_can_steer_the_terminal(tmp_path: Path) -> None:
    results = {**RESULTS, "tasks": {"a\x1b[2J\nb": RESULTS["tasks"]["names"]}}
    base = recipe()
    evil = replace(
        base, teacher=replace(base.teacher, model="\x1b[3J"), language=replace(base.language, code="\x1b[4J")
    )
    runs = [finished_run(tmp_path / "a", results=results), finished_run(tmp_path / "b", made_from=evil)]
    text = comparison_text(compare(runs))
    assert "\x1b" not in text and "a[2J b (F1)" in text
    table = text.partition("\n\n")[0].splitlines()
    assert len({len(line) for line in table}) == 1


def test_what_only_later_versions_measure_is_shown_where_it_is(tmp_path: Path) -> None:
    later = copy.deepcopy(RESULTS)
    later["student"] |= {"pseudo_perplexity": 12.5, "pseudo_perplexity_tokens": 400, "tokens_a_word": 1.5}
    names = later["tasks"]["names"]
    names["student"]["interval"], names["teacher"]["interval"] = [78.9, 81.4], [82.0, 85.0]
    names["paired"] = {
        "interval": [1.2, 5.6], "p": 0.002, "distinguishable": True, "examples": 200, "seeds": [2.0, 4.8]
    }  # fmt: skip
    later["tasks"]["pos"]["paired"] = {"interval": [-1, 3], "p": 0.3, "distinguishable": False, "examples": 200}
    found = compare([finished_run(tmp_path / "old"), finished_run(tmp_path / "new", results=later)])
    lines = {line.split("  ")[0]: line for line in comparison_text(found).splitlines()}
    assert lines["names (F1)"].endswith("80.2 ± 0.6  80.2 ± 0.6 [78.9, 81.4]")
    assert lines["names, drop"].split()[-4:] == ["3.4", "3.4*", "[1.2,", "5.6]"]
    assert lines["pos, drop"].split()[-4:] == ["1.0", "1.0", "[-1.0,", "3.0]"]
    assert lines["tokens a word"].split()[-2:] == ["–", "1.50"]
    assert "paired test" in comparison_text(found)
    plain = comparison_text(compare([finished_run(tmp_path / "older")]))
    assert "interval" not in plain.partition("\n\n")[0] and "pseudo" not in plain and "paired" not in plain
    old, new = found.to_json()["runs"]
    assert old["tasks"]["names"]["interval"] is None and new["tasks"]["names"]["interval"] == (78.9, 81.4)
    assert "tokens_a_word" not in old and new["tokens_a_word"] == 1.5
    names["paired"]["seeds"] = [-1.0, 8.0]
    later_run = finished_run(tmp_path / "seeds", results=later)
    assert "3.4° [1.2, 5.6]" in comparison_text(compare([later_run]))


def test_curves_go_on_from_stage_to_stage(tmp_path: Path) -> None:
    run = finished_run(tmp_path / "run")
    layers, hidden = validation_curves(run)
    assert (layers.stage, hidden.stage) == ("layers", "hidden")
    assert [tokens for tokens, _ in layers.points] == [step * 8192 for step in (20, 40, 60, 80, 100)]
    assert [tokens for tokens, _ in hidden.points] == [step * 8192 for step in (120, 140, 160, 180, 200)]
    assert layers.points[0][1] == pytest.approx(3 + 2 * math.exp(-20 / 30) + 0.2 * math.sin(20) + 0.1)
    run.events.unlink()
    assert validation_curves(run) == ()


def test_runs_that_say_something_together_are_heard(tmp_path: Path) -> None:
    gib = {"swh": 1.6, "slv": 10.3, "slk": 23.2, "hun": 58.4, "gle": 0.5}
    runs = [run_of(tmp_path / code, code, 9 * size**-0.25) for code, size in gib.items()]
    runs.append(run_of(tmp_path / "second", "slk", 6.0, parameters=40_000_000))
    found = compare(runs)
    text = comparison_text(found)
    assert "Drop against text that the teacher had seen (CC-100):" in text and "drop = " in text
    assert "Slovak: size and score" in text and "Hungarian: size and score" not in text
    told = json.loads(json.dumps(found.to_json(), allow_nan=False))
    assert told["volumes"]["laws"][0]["fit"]["b"] > 0
    slovak = next(group for group in told["fronts"] if group["language"] == "slk")
    assert [point["name"] for point in slovak["points"]] == ["slk", "second", "xlm-roberta-base"]
    assert len(told["curves"]) == 6 and told["curves"][0][0]["stage"] == "layers"


def test_a_table_counts_what_a_terminal_shows() -> None:
    lines = text_table(["", "中文", "e\u0301"], [["a", "1", "2"], ["bb", "100000", "3"]]).splitlines()
    assert lines == ["      中文  e\u0301", "--  ------  -", "a        1  2", "bb  100000  3"]
