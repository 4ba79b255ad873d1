"""A training that goes wrong stops at its last good point, and goes on from there with half the learning rate."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from core.distillation import training
from core.distillation.checkpoint import Counters
from core.distillation.divergence import MOST_HALVINGS, Diverged, Divergence, exploded
from core.errors import InputError, Stopped
from core.events import Event, Loss, Message
from core.run import RunFolder
from core.terminal import summary
from tests.journeys import journey, recipe, student_bytes, timeless
from tests.tiny_training import SETTINGS, Recorder, distil

ABSURD = replace(SETTINGS, learning_rate=1e3, steps=8, hidden_weight=0.5)


@pytest.mark.parametrize(
    ("totals", "vocabulary"),
    [
        ((2.24, 1.06, 0.86, 0.55), 700),  # the sample
        ((1.83, 3.07, 3.01, 2.7), 4000),  # thirty times the usual rate of adaptation
        ((3.0, 5.89, 5.82, 4.25), 700),  # ten times what a distillation takes
        ((0.4, 2.5, 1.2, 0.6), 700),  # hardly anything was cut
        ((40.0, 90.0, 60.0, 30.0), 700),  # the distance of logits
    ],
)
def test_what_still_learns_has_not_exploded(totals: tuple[float, ...], vocabulary: int) -> None:
    assert not any(exploded(total, totals[0], vocabulary) for total in totals)


@pytest.mark.parametrize("total", [25.71, 811.12, float("inf"), float("nan")])
def test_an_absurd_rate_explodes(total: float) -> None:
    assert exploded(total, 3.0, 700)


def test_the_last_good_point_is_kept_and_never_the_broken_weights(tmp_path: Path) -> None:
    ctx = Recorder()
    with pytest.raises(Diverged, match=r"Stage layers diverged at step 2: .* after .* at the beginning") as caught:
        distil("kl", ctx, tmp_path, settings=ABSURD)
    fault = caught.value.faults[0]
    assert (
        "step 0, are safe" in fault.problem and "Resume" in fault.hint and "half the learning rate, 500" in fault.hint
    )
    tensors = load_file(tmp_path / "tensors.safetensors")
    best = {name.removeprefix("best/"): tensor for name, tensor in tensors.items() if name.startswith("best/")}
    models = {name.removeprefix("model/"): tensor for name, tensor in tensors.items() if name.startswith("model/")}
    assert all(torch.equal(models[name], tensor) for name, tensor in best.items() if name in models)
    assert torch.equal(models["hidden map"], tensors["best hidden map"])
    assert not [name for name in tensors if name.startswith("exp_avg")]
    counters = Counters(**json.loads((tmp_path / "state.json").read_text())["counters"])
    assert (counters.step, counters.validated_step, counters.stale, counters.tokens) == (0, 0, 0, 0)
    assert [entry["step"] for entry in counters.divergences] == [2] and counters.rate(1e3) == 500
    # Half of it isn't enough: the second time it is a quarter.
    with pytest.raises(Diverged, match="diverged") as caught:
        distil("kl", Recorder(), tmp_path, resume=True, settings=replace(ABSURD, learning_rate=500))
    assert "half the learning rate, 250" in caught.value.faults[0].hint


def test_stopped_before_or_not_it_diverges_to_the_same_point(tmp_path: Path) -> None:
    def end(name: str, stops: tuple[int, ...]) -> bytes:
        folder = tmp_path / name
        folder.mkdir()
        for number, stop_at in enumerate((*stops, None)):
            with pytest.raises(Diverged if stop_at is None else Stopped):
                distil("kl", Recorder(stop_at), folder, resume=number > 0, settings=ABSURD)
        return (folder / "tensors.safetensors").read_bytes()

    assert end("stopped", (9, 3)) == end("whole", ())


def test_what_fails_from_good_weights_is_not_blamed_on_the_rate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> int:
        raise Diverged("layers", 1, "the gradient is no number any more")

    monkeypatch.setattr(training, "take_step", fail)
    with pytest.raises(Diverged, match="gradient is no number") as caught:
        distil("kl", folder=tmp_path, settings=SETTINGS)
    assert "Start a new run" in caught.value.faults[0].hint and "float32" in caught.value.faults[0].hint
    assert not json.loads((tmp_path / "state.json").read_text())["counters"]["divergences"]


def test_after_a_few_halvings_it_is_given_up_at_once() -> None:
    gone = Divergence(step=4, seen="the training loss is no number any more", back_to=2, learning_rate=0.01)
    spent = Counters(divergences=[gone.to_json()] * (MOST_HALVINGS + 1))
    ctx = Recorder()
    with pytest.raises(Diverged, match="halved 3 times") as caught:
        distil("kl", ctx, settings=SETTINGS, counters=spent)
    assert "Start a new run" in caught.value.faults[0].hint and not ctx.losses("train")


# -- a run -----------------------------------------------------------------------------------------------------------


def short() -> str:
    """An adaptation at a rate that is too large for it, and a distillation; no tasks."""
    text = recipe().split("[[tasks]]")[0]
    for old, new in {
        "limit = 300": "limit = 100",
        "layers = 2": "layers = 1",
        "intermediate_size = 256\n": "",
        "hidden_size = 64\n": "",
        "vocabulary_size = 700\n": "",
        "distil_steps = 4": "distil_steps = 4\nlearning_rate = 0.003",
        "[method]": '[method]\nlayer_selection = "first"',
    }.items():
        assert old in text
        text = text.replace(old, new)
    return text


@pytest.fixture(scope="module")
def healthy(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """A run in which nothing explodes; no test may change it."""
    folder = RunFolder(tmp_path_factory.mktemp("healthy") / "run")
    journey(folder.path, text=short())
    return folder


def totals(folder: RunFolder, stage: str) -> list[float]:
    events = [event for _, event in folder.read_events() if isinstance(event, Loss)]
    return [event.total for event in events if event.split == "validation" and event.stage == stage]


def test_a_loss_that_never_falls_is_flagged(healthy: RunFolder) -> None:
    results = healthy.read_results()
    assert min(totals(healthy, "adapt")) == totals(healthy, "adapt")[0]
    assert [stage.get("never_fell", False) for stage in results["stages"]] == [True, False, False]
    assert healthy.read_stage("adapt")["never_fell"] and "never_fell" not in healthy.read_stage("layers")
    (warning,) = results["warnings"]
    assert warning.startswith("Stage adapt: the validation loss never fell below the")
    told = [event for _, event in healthy.read_events() if isinstance(event, Message) and event.level == "warning"]
    assert [event.text for event in told] == [warning]
    assert f"Warning: {warning}" in summary(results)
    assert warning in healthy.report.read_text(encoding="utf-8")
    assert "## Warnings" in (healthy.student / "README.md").read_text(encoding="utf-8")


@pytest.mark.usefixtures("heeding_at_once")
def test_a_run_that_diverged_goes_on_and_says_so_interrupted_or_not(
    healthy: RunFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = [totals(healthy, stage)[-1] for stage in ("adapt", "layers")]
    monkeypatch.setattr(training, "exploded", lambda total, *_: "the validation loss is 99" if total in bad else "")

    def run(folder: RunFolder, listen: Callable[[Event], None] | None = None) -> str:
        """Go on with the run; returns what ended it."""
        try:
            journey(folder.path, text=short(), resume=folder.path.exists(), listen=listen)
        except Stopped:
            return "stopped"
        except InputError as error:
            status = folder.read_status()
            assert (status["state"], status["error"]) == ("failed", error.faults[0].problem)
            return error.faults[0].hint
        return "finished"

    whole, broken = RunFolder(tmp_path / "whole"), RunFolder(tmp_path / "broken")
    ends = [run(whole) for _ in range(3)]
    assert [end.partition(":")[0] for end in ends] == ["Resume the run", "Resume the run", "finished"]
    results = whole.read_results()
    # The distillation's best was its middle one.
    assert [stage.get("divergences", [{}])[0].get("back_to") for stage in results["stages"]] == [0, 2, None]
    assert whole.read_stage("layers")["learning_rate"] == 0.0015
    texts = ["Stage adapt diverged at step 4", "Stage adapt: the validation loss never fell", "Stage layers diverged"]
    assert all(told.startswith(text) for told, text in zip(results["warnings"], texts, strict=True))
    losses = [event for _, event in whole.read_events() if isinstance(event, Loss)]
    steps = [event.step for event in losses if event.stage == "layers" and event.split == "train"]
    assert steps == [1, 2, 3, 4]  # what came to nothing isn't in the log
    assert not set(bad) & {event.total for event in losses}

    def stop(event: Event) -> None:
        if isinstance(event, Loss) and event.split == "train" and event.step == 3:
            broken.ask("stop")

    ends = [run(broken, stop if number % 2 == 0 else None) for number in range(6)]
    assert [end.partition(":")[0] for end in ends] == ["stopped", "Resume the run"] * 2 + ["stopped", "finished"]
    assert student_bytes(broken.path) == student_bytes(whole.path)
    assert timeless(broken.path) == timeless(whole.path)
    assert [event for _, event in broken.read_events() if isinstance(event, Loss)] == losses
