"""Scores at the end of a run: cross-validated where the test set is tiny, the same after a stop, told in words."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from core import cli
from core.command_text import evaluation_text
from core.compression.layers import cut_layers
from core.errors import InputError, Stopped
from core.events import Event, Message, Score
from core.models import load, save
from core.run import RunFolder
from resources import sample
from tests.journeys import journey, timeless

RECIPE = """
name = "scores"
[teacher]
model = "small"
[language]
code = "mlt"
[corpus]
sources = ["sample"]
limit = 100
validation_fraction = 0.1
max_length = 32
[schedule]
device = "cpu"
precision = "float32"
threads = 1
distil_steps = 1 # so short that no model's speed is measured
[[tasks]]
kind = "topic"
source = "few"
method = "probe"
seeds = [1, 2]
epochs = 2
[[tasks]]
kind = "ner"
source = "few"
method = "probe"
seeds = [3]
epochs = 2
folds = 0
"""
"""Nothing is cut: the student is the teacher."""
LINES = {"topic": {"train": 31, "validation": 11, "test": 21}, "ner": {"train": 250, "validation": 100, "test": 150}}


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where a teacher of one layer and the tasks' few examples are."""
    base = tmp_path_factory.mktemp("scores")
    save(cut_layers(load(sample.teacher_folder())[0], [0]), base / "small")
    (base / "few").mkdir()
    for kind, splits in LINES.items():
        for split, count in splits.items():
            (path,) = sample.task_folder(kind).glob(f"{split}.*")
            lines = path.read_text(encoding="utf-8").splitlines()[:count]
            (base / "few" / path.name).write_text("\n".join(lines) + "\n", encoding="utf-8")
    return base


@pytest.fixture(scope="module")
def whole(base: Path) -> RunFolder:
    """An unbroken run; no test may change it."""
    journey(base / "whole", text=RECIPE)
    return RunFolder(base / "whole")


def details_bytes(folder: RunFolder) -> bytes:
    (path,) = folder.stages.glob("*/tasks.json")
    return path.read_bytes()


def test_a_tiny_test_set_is_cross_validated_and_the_run_says_so(whole: RunFolder) -> None:
    topic, ner = (whole.read_results()["tasks"][name] for name in ("topic", "ner"))
    assert (topic["folds"], topic["paired"]["examples"]) == (5, 60)
    assert ner["folds"] is None and ner["paired"]["examples"] < 40
    heard = [event for _, event in whole.read_events()]
    (told,) = [event.text for event in heard if isinstance(event, Message) and "cross-validation" in event.text]
    assert told.startswith("topic: all 60 examples") and "5-fold" in told and "too small" in told
    final = [event for event in heard if isinstance(event, Score) and event.how == "final"]
    # One a seed, over all folds.
    assert [(e.task, e.who, e.seed) for e in final] == [
        *(("topic", who, seed) for who in ("teacher", "student") for seed in (1, 2)),
        *(("ner", who, 3) for who in ("teacher", "student")),
    ]
    assert [event.value for event in final[:2]] == topic["teacher"]["runs"]


def test_scores_have_intervals_and_a_model_does_not_differ_from_itself(whole: RunFolder) -> None:
    for task in whole.read_results()["tasks"].values():
        low, high = task["teacher"]["interval"]
        assert 0 <= low <= task["teacher"]["mean"] <= high <= 100 and low < high
        assert task["teacher"] == task["student"] and task["drop"] == 0
        assert task["paired"]["p"] == 1 and not task["paired"]["distinguishable"]
        assert task["paired"]["interval"][0] < 0 < task["paired"]["interval"][1]


def test_where_the_scores_come_from_is_kept_beside_the_report(whole: RunFolder) -> None:
    found = whole.read_details()
    results = whole.read_results()["tasks"]
    assert set(found) == set(results)
    for name, task in found.items():
        assert list(task["labels"]) == results[name]["labels"]
        assert task["confusion"]["teacher"] == task["confusion"]["student"] and task["worst"] == []
    assert sum(label["support"] for label in found["topic"]["labels"].values()) == 60
    assert sum(map(sum, found["topic"]["confusion"]["teacher"])) == 2 * 60  # seeds
    assert RunFolder(whole.path / "none").read_details() == {}


@pytest.mark.usefixtures("heeding_at_once")
def test_a_stopped_evaluation_goes_on_to_the_same_bytes(whole: RunFolder, base: Path) -> None:
    folder = RunFolder(base / "stopped")
    scored: list[Event] = []

    def stop(event: Event) -> None:
        if isinstance(event, Score) and event.how == "final":
            scored.append(event)
            folder.ask("stop")

    with pytest.raises(Stopped):
        journey(folder.path, text=RECIPE, listen=stop)
    finals = [e for _, e in whole.read_events() if isinstance(e, Score) and e.how == "final"]
    assert 0 < len(scored) < len(finals)  # a training of a moment may be over before it is asked whether to go on
    # Old answers and new ones would be mixed, were the test split or the teacher another by now.
    for path, what in (
        (base / "few" / "test.tsv", r"few have changed .* \(test\)"),
        (base / "small" / "config.json", "teacher"),
    ):
        before = path.read_bytes()
        path.write_bytes(before + b" " if path.suffix == ".json" else before.rstrip(b"\n").rpartition(b"\n")[0])
        with pytest.raises(InputError, match=what) as caught:
            journey(folder.path, text=RECIPE, resume=True)
        assert "Put the old files back" in caught.value.faults[0].hint
        path.write_bytes(before)
    again: list[Event] = []
    journey(folder.path, text=RECIPE, resume=True, listen=again.append)
    assert all(score not in again for score in scored)
    assert timeless(folder.path) == timeless(whole.path)
    assert details_bytes(folder) == details_bytes(whole)
    assert [e for _, e in folder.read_events() if isinstance(e, Score)] == [
        e for _, e in whole.read_events() if isinstance(e, Score)
    ]


def test_folds_that_cannot_be_filled_are_told_before_any_training(base: Path) -> None:
    many = base / "little"
    many.mkdir()
    for split, texts in {"train": "abcd", "validation": "ef", "test": "gh"}.items():
        rows = "".join(f"text {letter}\t{'ab'[ord(letter) % 2]}\n" for letter in texts)
        (many / f"{split}.tsv").write_text(f"text\tlabel\n{rows}", encoding="utf-8")
    text = RECIPE[: RECIPE.rindex("[[tasks]]")].replace('"few"', '"little"') + "folds = 5\n"
    with pytest.raises(InputError, match="8 different examples, too few for 5 folds") as caught:
        journey(base / "refused", text=text)
    assert caught.value.faults[0].key == "tasks.topic.folds"


def test_evaluate_gives_what_the_run_gave_its_student(
    whole: RunFolder, base: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (base / "recipe.toml").write_text(RECIPE, encoding="utf-8")
    assert cli.main(["evaluate", str(whole.student), "--recipe", str(base / "recipe.toml"), "--json"]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)["tasks"]
    details, results = whole.read_details(), whole.read_results()["tasks"]
    for name, task in found.items():
        student = results[name]["student"]
        assert {key: task[key] for key in student} == student
        assert task["folds"] == results[name]["folds"]
        assert (task["leaks"], task["test_sha256"]) == (results[name]["leaks"], results[name]["test_sha256"])
        for label, scores in task["labels"].items():
            kept = details[name]["labels"][label]
            assert scores == {"support": kept["support"], **kept["student"]}
    told = evaluation_text({**found, "tasks": found, **whole.read_results()["student"]})
    assert "topic (macro F1, 5-fold cross-validation)" in told and "(2 seeds), 95 % " in told
    assert "precision" in told and all(label in told for label in found["ner"]["labels"])
