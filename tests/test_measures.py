"""Pseudo-perplexity, tokens a word, speed and memory, where people read them; and runs that have none."""

from __future__ import annotations

import copy
from typing import Any

from finished_run import RESULTS, recipe

from core.command_text import evaluation_text
from core.export.card import model_card
from core.export.measures import language_note, language_rows, speed_note, speed_rows
from core.terminal import summary
from core.wording import memory, milliseconds

BATCHES = {
    "1": {"milliseconds": 12.345, "low": 12.0, "high": 14.0, "texts_per_second": 81.0},
    "32": {"milliseconds": 404.4, "low": 400.0, "high": 410.0, "texts_per_second": 79.1},
}
SMALL = {"milliseconds": 2.0, "low": 0.1234, "high": 9.999, "texts_per_second": 500.0}
INFERENCE: dict[str, Any] = {
    "threads": 2,
    "tokens_a_text": 17.4,
    "teacher": {"megabytes_on_disk": 711.9, "peak_memory_megabytes": 1300.0, "batches": BATCHES},
    "student": {"megabytes_on_disk": 91.3, "peak_memory_megabytes": 480.0, "batches": {"1": SMALL}},
}


def measured() -> dict[str, Any]:
    """Results with everything that was measured of teacher and student."""
    results = copy.deepcopy(RESULTS)
    for name, surprise, count in (("teacher", 11.11, 600), ("student", 22.22, 640)):
        results[name] |= {
            "pseudo_perplexity": surprise,
            "pseudo_perplexity_a_word": 10 * surprise,
            "pseudo_perplexity_tokens": count,
            "tokens_a_word": 1.456,
        }
    results["throughput"]["inference"] = INFERENCE
    return results


def test_short_times_have_three_digits() -> None:
    assert milliseconds({"milliseconds": 12.34, "low": 2.127, "high": 1204.4}) == "12.3 ms (2.13 to 1,204)"
    assert milliseconds({"milliseconds": 99.97, "low": 99.94, "high": 100.0}) == "100 ms (99.9 to 100)"
    assert milliseconds(None) == memory(None) == "–"


def test_what_was_not_measured_is_a_dash_and_what_no_model_has_no_row() -> None:
    rows = {name: values for name, *values in speed_rows(INFERENCE, ("teacher", "student"))}
    assert rows["one text"] == ["12.3 ms (12.0 to 14.0)", "2.00 ms (0.12 to 10.0)"]
    assert rows["32 texts at once"] == ["404 ms (400 to 410)", "–"]
    assert rows["texts a second, one by one"] == ["81.0", "500.0"]
    assert rows["texts a second, 32 at once"] == ["79.1", "–"]
    assert rows["memory"] == ["1.3 GB", "480 MB"]
    assert speed_rows(None, ("teacher", "student")) == [] and speed_note(None) == ""
    assert language_rows(({}, {})) == [] and language_note(({}, {})) == ""
    assert language_rows(({"tokens_a_word": 1.5, "mlm_loss": 1.0},)) == [("tokens a word", "1.50")]


def test_the_summary_tells_them_and_of_what_they_are() -> None:
    text = summary(measured())
    for words in ("pseudo-perplexity a word", "222.2", "1.46", "12.3 ms", "1.3 GB", "600 and 640 tokens", "2 threads"):
        assert words in text
    assert "pseudo" not in summary(RESULTS) and "texts" not in summary(RESULTS)


def test_the_card_tells_what_does_not_depend_on_the_machine() -> None:
    card = model_card(recipe(), measured(), "Maltese")
    assert "| Pseudo-perplexity a word | 111.1 | 222.2 |" in card and "600 and 640 tokens" in card
    assert not any(words in card for words in (" ms", "threads", "1.3 GB", "481"))
    assert "seudo-perplexity" not in model_card(recipe(), RESULTS, "Maltese")


def test_what_evaluate_says_of_a_model_is_told() -> None:
    found = {**measured()["student"], "tasks": {}, "inference": {**INFERENCE, "model": INFERENCE["teacher"]}}
    text = evaluation_text(found)
    assert "222.2" in text and "12.3 ms" in text and "640 tokens" in text
    del found["inference"]
    assert " ms" not in evaluation_text(found)
