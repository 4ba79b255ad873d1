"""Learning in rounds: the widths between, and runs that are stopped anywhere in them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from transformers import AutoModelForMaskedLM

from core.distillation import trials
from core.errors import Stopped
from core.events import Event, Loss, Message, Progress, Score, Stage
from core.families import Sizes
from core.learning import hidden_widths
from core.recipe import Recipe, parse
from core.run import RunFolder
from tests.journeys import journey, recipe, student_bytes, timeless

BASE = Sizes(layers=12, hidden=768, heads=12, feed_forward=3072, vocabulary=250_002, positions=514, types=1, tied=True)


def aimed(hidden: int, heads: int, rounds: int, reduction: str = "per_head") -> Recipe:
    given = parse(recipe())
    targets = replace(given.targets, hidden_size=hidden, attention_heads=heads)
    return replace(given, targets=targets, method=replace(given.method, rounds=rounds, hidden_reduction=reduction))


@pytest.mark.parametrize("reduction", ["truncate", "per_head", "rotate"])
def test_heads_that_stay_whole_are_whole_in_every_round(reduction: str) -> None:
    assert hidden_widths(aimed(256, 4, 2, reduction), BASE) == [(448, 7), (256, 4)]
    assert hidden_widths(aimed(128, 2, 3, reduction), BASE) == [(448, 7), (256, 4), (128, 2)]


def test_narrower_heads_are_as_many_in_every_round() -> None:
    assert hidden_widths(aimed(312, 12, 2), BASE) == [(492, 12), (312, 12)]


def test_no_round_cuts_nothing() -> None:
    assert hidden_widths(aimed(768, 12, 8), BASE) == [(768, 12)]
    assert hidden_widths(aimed(704, 11, 8), BASE) == [(704, 11)]
    assert hidden_widths(aimed(64, 1, 8), BASE)[-2:] == [(128, 2), (64, 1)]


def in_rounds() -> str:
    """Two cuts of each width and nothing else, in odd numbers of steps, with rates that are tried."""
    text = recipe('rounds = 2\nhidden_reduction = "rotate"\nhidden_weight = 0.1').split("[[tasks]]")[0]
    for old, new in {
        "adapt_steps = 4": "adapt_steps = 0",
        "layers = 2": "",
        "vocabulary_size = 700": "",
        "intermediate_size = 256": "intermediate_size = 50",
        "hidden_size = 64": "hidden_size = 32",
        "distil_steps = 4": "distil_steps = 31",
        "batch_tokens = 512": "batch_tokens = 64",
        "evaluate_every = 2": "evaluate_every = 4",
    }.items():
        assert old in text
        text = text.replace(old, new)
    return text


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Short trials."""
    monkeypatch.setattr(trials, "_STEPS", (4, 8))
    monkeypatch.setattr(trials, "_LEAST_STAGE", 8)


@pytest.mark.usefixtures("hasty", "heeding_at_once")
def test_rounds_stopped_anywhere_end_in_the_same_bytes(tmp_path: Path) -> None:
    whole, broken = RunFolder(tmp_path / "whole"), RunFolder(tmp_path / "broken")
    journey(whole.path, text=in_rounds())
    done = [event.done for _, event in whole.read_events() if isinstance(event, Progress) and event.stage == "hidden"]
    assert done == sorted(done)
    told = [event for _, event in whole.read_events() if isinstance(event, (Loss, Message))]
    # Where each trial, each round and each validation ends.
    places = [number for number, event in enumerate(told) if isinstance(event, Message) and "after" in event.text]
    steps = [number for number, event in enumerate(told) if isinstance(event, Loss) and event.split == "validation"]
    assert len(places) >= 6 and len(steps) >= 8, (len(places), len(steps))
    wishes = 0
    for number in sorted({*places[1::3], *steps[2::5]}):
        heard: list[Event] = []
        target = told[number]

        def stop(event: Event, target: Event = target, heard: list[Event] = heard) -> None:
            if event == target:
                heard.append(event)
                broken.ask("stop_keep_best")

        try:
            journey(broken.path, text=in_rounds(), resume=broken.path.exists(), listen=stop)
        except Stopped:
            wishes += 1
            if (broken.student / "config.json").exists():
                AutoModelForMaskedLM.from_pretrained(broken.student)
    assert wishes >= 3
    journey(broken.path, text=in_rounds(), resume=True)
    assert student_bytes(broken.path) == student_bytes(whole.path)
    assert timeless(broken.path) == timeless(whole.path)
    events = [
        [event for _, event in folder.read_events() if isinstance(event, (Loss, Score, Stage))]
        for folder in (whole, broken)
    ]
    assert events[0] == events[1]
    report = json.loads((whole.path / "stages" / "02-hidden" / "report.json").read_text(encoding="utf-8"))
    assert report["widths"] == [64, 32]


@pytest.mark.usefixtures("hasty", "heeding_at_once")
def test_sets_of_layers_that_were_tried_are_not_tried_again(tmp_path: Path) -> None:
    text = recipe('distil_after = "all"\nlayer_selection = "measured"').split("[[tasks]]")[0]
    for old, new in {
        "adapt_steps = 4": "adapt_steps = 0",
        "distil_steps = 4": "distil_steps = 6\nlearning_rate = 1e-3",
        "batch_tokens = 512": "batch_tokens = 64",
        "evaluate_every = 2": "evaluate_every = 6",
    }.items():
        assert old in text
        text = text.replace(old, new)
    whole, broken = RunFolder(tmp_path / "whole"), RunFolder(tmp_path / "broken")
    journey(whole.path, text=text)

    def stop(event: Event) -> None:
        if isinstance(event, Message) and event.text.startswith("Layers "):
            broken.ask("stop")

    for _ in range(2):
        with pytest.raises(Stopped):
            journey(broken.path, text=text, resume=broken.path.exists(), listen=stop)
    journey(broken.path, text=text, resume=True)
    heard = [[event for _, event in run.read_events() if isinstance(event, (Loss, Message))] for run in (whole, broken)]
    assert heard[0] == heard[1]
    report = json.loads((broken.stages / "02-layers" / "report.json").read_text(encoding="utf-8"))
    tried = {tuple(entry["layers"]): entry["tried"] for entry in report["layer_sets"]}
    assert len(tried) == 4 and tuple(report["layers"]) == min(tried, key=lambda layers: tried[layers])
    assert student_bytes(broken.path) == student_bytes(whole.path)
