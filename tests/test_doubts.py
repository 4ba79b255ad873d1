"""What makes a run's numbers other than they seem is told once, kept over stops, and shown wherever numbers are."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import tiny_tasks
from finished_run import recipe
from whole_run import whole_results, whole_run

from core import scoring
from core.context import Quiet
from core.errors import InputError
from core.events import Event, Message
from core.export.card import model_card
from core.export.report import write_report
from core.pipeline import _results
from core.recipe import Task
from core.run import RunFolder
from core.run_context import RunContext
from core.scoring import Unit, planned, train_units
from core.tasks.training import NoNumber, train_and_score
from core.terminal import summary
from core.workspace import Workspace
from tests.tiny_training import Recorder


@pytest.fixture
def work(tmp_path: Path) -> Iterator[Workspace]:
    """A run that only evaluates."""
    folder = RunFolder(tmp_path)
    ctx = RunContext(folder)
    yield Workspace(folder, recipe(), _Teacher(), ctx, ["evaluate"])  # type: ignore[arg-type]
    ctx.finish("stopped")


def doubt(text: str) -> Message:
    return Message(level="warning", text=text, doubt=True)


def test_it_is_told_once_and_a_resumed_run_knows_it(tmp_path: Path) -> None:
    heard: list[Event] = []
    folder = RunFolder(tmp_path)
    first = RunContext(folder, heard.append)
    for text in ("one", "two", "one"):
        first.emit(doubt(text))
    mark = first.mark()
    first.emit(doubt("three"))
    first.finish("stopped")
    second = RunContext(folder, heard.append)
    second.resume_at(**mark)
    for text in ("two", "four"):
        second.emit(doubt(text))
    assert second.warnings == ["one", "two", "four"]
    second.finish("stopped")
    assert [event.text for _, event in folder.read_events() if isinstance(event, Message)] == ["one", "two", "four"]


def test_it_is_shown_wherever_the_numbers_are(tmp_path: Path) -> None:
    text = "Stage layers: the validation loss never fell <b>below</b> 1.2345."
    results = {**whole_results(), "warnings": [text]}
    assert f"Warning: {text}" in summary(results)
    page = write_report(whole_run(tmp_path / "run", results=results)).read_text(encoding="utf-8")
    assert page.count("never fell &lt;b&gt;below&lt;/b&gt; 1.2345") == 1
    card = model_card(recipe(), results, "Maltese")
    assert "## Warnings" in card and "\\<b\\>below" in card
    for found in ({**results, "warnings": []}, whole_results()):
        assert "Warning" not in summary(found) and "## Warnings" not in model_card(recipe(), found, "Maltese")


def test_a_run_of_an_earlier_version_that_lacks_only_its_results_gets_them(work: Workspace) -> None:
    side = {"mlm_loss": 1.0, "mlm_accuracy": 50.0}
    end = {
        "name": "evaluate", "parameters": 10, "validation_loss": 1.0, "seconds": 1.0, "peak_memory": 1, "mark": {},
        "teacher": side, "student": side, "tasks": {"names": {"drop": 1.0}},
    }  # fmt: skip
    stage = work.stage_folder("evaluate")
    stage.mkdir(parents=True)
    (stage / "report.json").write_text(json.dumps(end))
    results = _results(work)
    assert results["tasks"] == {"names": {"drop": 1.0}} and results["warnings"] == []


class _Teacher:
    """As much of a checked teacher as results need: ten parameters."""

    sizes = None

    @property
    def family(self) -> _Teacher:
        return self

    def parameters(self, _sizes: object) -> dict[str, int]:
        return {"all": 10}


def test_what_is_no_number_does_not_end_a_long_run(work: Workspace) -> None:
    work.finish_stage("evaluate", {"student": {"mlm_loss": float("nan")}, "seconds": 1.0}, None)
    assert work.report("evaluate")["student"] == {"mlm_loss": None}
    (told,) = work.report("evaluate")["mark"]["warnings"]
    assert told == "Stage evaluate: what was measured is no number and left out: student.mlm_loss."


def test_a_run_that_goes_on_with_other_versions_says_so(work: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    assert work.made_elsewhere() == ""
    work.save_progress("evaluate", None)
    assert work.made_elsewhere() == ""
    now = work._made_with()
    with monkeypatch.context() as patch:  # in the middle of the first stage
        patch.setattr(Workspace, "_made_with", lambda self: {**now, "versions": {**now["versions"], "torch": "98"}})
        assert work.made_elsewhere() == f"torch {now['versions']['torch']} and 98"
    work.finish_stage("evaluate", {}, None)
    assert work.made_elsewhere() == ""
    other = {**now, "versions": {**now["versions"], "torch": "99"}}
    monkeypatch.setattr(Workspace, "_made_with", lambda self: other)
    assert work.made_elsewhere() == f"torch {now['versions']['torch']} and 99"


# -- tasks -----------------------------------------------------------------------------------------------------------


def one_unit(learning_rate: float | str = "auto") -> Unit:
    task = Task(
        kind="topic",
        name="topic",
        source="-",
        method="probe",
        seeds=(1,),
        epochs=1,
        folds=0,
        learning_rate=learning_rate,
    )
    plan = planned(task, tiny_tasks.toy_task())
    return Unit(plan, "student", 1, 0)


def test_a_task_whose_loss_is_no_number_is_never_scored() -> None:
    ctx, model = Recorder(), tiny_tasks.tiny_model()
    given = {"method": "full", "seed": 1, "epochs": 2, "patience": 1, "batch_size": None, "reduction_factor": None}
    with pytest.raises(NoNumber):
        train_and_score(model, tiny_tasks.toy_task(), learning_rate=1e30, ctx=ctx, **given)  # type: ignore[arg-type]
    model.model.get_input_embeddings().weight.data.fill_(float("nan"))
    with pytest.raises(InputError, match=r"Task topic, student, seed 1: .* no number any more, and neither") as caught:
        list(train_units([one_unit()], {"student": model}, {}, "cpu", ctx))
    assert "tasks.topic.learning_rate" in caught.value.faults[0].hint


def test_it_is_trained_anew_with_half_the_rate_and_that_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    rates = []

    def training(*args: object, learning_rate: float, **options: object) -> object:
        rates.append(learning_rate)
        if len(rates) == 1:
            raise NoNumber
        return train_and_score(*args, learning_rate=learning_rate, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(scoring, "train_and_score", training)
    ctx, model, done = Recorder(), tiny_tasks.tiny_model(), {}
    list(train_units([one_unit(0.5)], {"student": model}, done, "cpu", ctx))
    assert rates == [0.5, 0.25]
    (told,) = [event for event in ctx.events if isinstance(event, Message)]
    assert told.doubt and "trained anew with half of it, 0.25" in told.text
    wanted: dict[str, str] = {}
    monkeypatch.undo()
    list(train_units([one_unit(0.25)], {"student": model}, wanted, "cpu", Quiet()))
    assert done == wanted
