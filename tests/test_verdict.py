"""Scores with their certainty, and whether a drop is noise, in the terminal, the card and the window."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from finished_run import RESULTS, recipe

from core.export.card import model_card
from core.terminal import summary
from core.wording import interval, measured_by, p_value, shortened, verdict, verdict_of, whole_score


def a_task(drop: float = 3.4, p: float = 0.0021, seeds: Any = (1.0, 5.8), **others: Any) -> dict[str, Any]:
    """A task's entry as runs write it now."""
    task = copy.deepcopy(RESULTS["tasks"]["names"])
    task["teacher"]["interval"], task["student"]["interval"] = [81.0, 86.0], [77.96, 83.04]
    between = [drop - 2, drop + 2]
    task["paired"] = {
        "interval": between, "p": p, "distinguishable": p < 0.05, "examples": 800, "seeds": seeds and list(seeds),
    }  # fmt: skip
    return {**task, "drop": drop, "folds": None, **others}


def test_a_score_is_told_with_its_certainty() -> None:
    assert whole_score(a_task()["student"]) == "80.2 ± 0.6 (3 seeds), 95 % 78.0 to 83.0"
    assert whole_score(RESULTS["tasks"]["pos"]["teacher"]) == "95.0 (1 seed)"  # an older run
    assert interval({"interval": [-0.04, 2.0]}) == "95 % 0.0 to 2.0"
    assert measured_by(a_task(folds=5)) == "F1, 5-fold cross-validation" and measured_by(a_task()) == "F1"
    assert [p_value(p) for p in (0.0001, 0.0496, 0.31)] == ["p < 0.001", "p = 0.050", "p = 0.31"]
    assert shortened("abcd", 4) == "abcd" and shortened("abcde", 4) == "abc…"


DROP = "This drop (95 % 1.4 to 5.4) is"
SEEN = f"{DROP} distinguishable from"


@pytest.mark.parametrize(
    ("task", "kind", "words"),
    [
        (a_task(), "beyond", f"{SEEN} noise (p = 0.002, 800 test examples, also over 3 seeds)."),
        (a_task(p=0.31), "within", f"{DROP} not distinguishable from noise (p = 0.31, 800 test examples)."),
        (
            a_task(seeds=(-1.0, 7.8)),
            "seeds differ",
            f"{SEEN} the noise of the 800 test examples (p = 0.002), but not from that of the seeds.",
        ),
        (
            a_task(seeds=None),
            "one seed",
            f"{SEEN} the noise of the 800 test examples (p = 0.002); of the noise in training, one seed tells nothing.",
        ),
        (
            a_task(drop=-3.0, seeds=(-5.0, -1.0), p=0.0001),
            "beyond",
            "This gain (95 % 1.0 to 5.0) is distinguishable from noise (p < 0.001, 800 test examples, "
            "also over 3 seeds).",
        ),
        (
            a_task(drop=0.0, p=1.0),
            "within",
            "This difference (95 % -2.0 to 2.0) is not distinguishable from noise (p = 1.00, 800 test examples).",
        ),
        (RESULTS["tasks"]["names"], None, ""),
    ],
)
def test_a_verdict_says_what_was_and_what_was_not_ruled_out(task: dict[str, Any], kind: str | None, words: str) -> None:
    assert verdict_of(task) == kind
    assert verdict(task) == words


def results(**tasks: Any) -> dict[str, Any]:
    return {**RESULTS, "tasks": tasks}


def test_the_summary_has_intervals_and_verdicts() -> None:
    told = summary(results(names=a_task(folds=5), pos=RESULTS["tasks"]["pos"]))
    assert "names (F1, 5-fold cross-validation)" in told
    assert "83.6 ± 0.5 (3 seeds), 95 % 81.0 to 86.0" in told
    assert told.splitlines()[-1] == f"names: {verdict(a_task())}"


def test_the_card_has_them_too_and_nothing_in_it_is_markup() -> None:
    card = model_card(recipe(), results(**{"a|b": a_task(p=0.0001)}), "Maltese")
    assert "| 83.6 ± 0.5, 95 % 81.0 to 86.0 | 80.2 ± 0.6, 95 % 78.0 to 83.0 | 3.4 | 3 seeds |" in card
    assert "- a\\|b: This drop" in card and "p \\< 0.001" in card and "bootstrap interval" in card
    assert "bootstrap" not in model_card(recipe(), RESULTS, "Maltese")


def test_a_card_is_the_same_for_results_read_back() -> None:
    found = results(names=a_task())
    assert model_card(recipe(), json.loads(json.dumps(found)), "Maltese") == model_card(recipe(), found, "Maltese")
