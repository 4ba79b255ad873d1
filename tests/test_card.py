"""The model card."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

from finished_run import RESULTS, finished_run, recipe
from page import page_of

from core.export.card import markdown, model_card
from core.export.versions import monoglot_version


def test_the_card_tells_scores_sizes_and_origin() -> None:
    card = model_card(recipe(), RESULTS, "Maltese")
    assert card.startswith('---\nlanguage: "mlt"\nlicense: other\n')
    for words in ("| 177,974,523 | 22,812,688 |", "83.6 ± 0.5 | 80.2 ± 0.6 | 3.4 | 3 seeds", "| F1 |", "2505.16956"):
        assert words in card
    for words in ("AutoModelForMaskedLM.from_pretrained", f"Monoglot {monoglot_version()}", "Drop layers", "licence"):
        assert words in card


def test_the_card_is_the_same_wherever_and_whenever_the_run_was() -> None:
    results = json.loads(json.dumps(RESULTS))
    for entry in results["stages"]:
        entry["seconds"] *= 7
    results["throughput"] = {"real_tokens_per_second": None, "peak_memory_megabytes": 1.0, "stages": {}}
    elsewhere = recipe()
    elsewhere = replace(
        elsewhere,
        name="other",
        teacher=replace(elsewhere.teacher, model="C:\\Users\\x\\mBERT <b>"),
        corpus=replace(elsewhere.corpus, sources=("/mnt/a_b|c.txt", elsewhere.corpus.sources[1])),
        schedule=replace(elsewhere.schedule, threads=7),
    )
    card = model_card(elsewhere, results, "Maltese")
    assert card == model_card(recipe(), RESULTS, "Maltese")
    assert "someone" not in card and "/home" not in card and "20" + "26-" not in card


def test_nothing_in_the_card_can_be_taken_for_markup() -> None:
    made = replace(recipe(), teacher=replace(recipe().teacher, model='/x/a"b\n---\n![x](y)|<b>'))
    results = {**RESULTS, "tasks": {"a|b_*": RESULTS["tasks"]["names"]}}
    card = model_card(made, results, "A|B")
    assert card.count("\n---\n") == 1
    assert "<b>" not in card and "![" not in card and "](y" not in card
    assert "a\\|b\\_\\*" in card
    rows = [line for line in card.splitlines() if line.startswith("| ")]
    assert all(len(re.findall(r"(?<!\\)\|", row)) in (4, 7) for row in rows)


def test_the_header_names_a_hub_teacher_as_the_base() -> None:
    made = replace(recipe(), teacher=replace(recipe().teacher, model="FacebookAI/xlm-roberta-base"))
    card = model_card(made, RESULTS, "Maltese")
    assert 'base_model: "FacebookAI/xlm-roberta-base"\n' in card
    assert "The teacher's licence is mit." in card
    assert "base_model" not in model_card(recipe(), RESULTS, "Maltese")


def test_a_sample_says_that_it_is_one(tmp_path: Path) -> None:
    made = replace(recipe(), teacher=replace(recipe().teacher, model="sample"))
    assert "built-in sample" in model_card(made, RESULTS, "Maltese")
    assert "base_model" not in model_card(made, RESULTS, "Maltese")
    assert "built-in sample" in page_of(finished_run(tmp_path / "run", made_from=made)).text


def test_a_card_without_results_or_tasks_promises_none() -> None:
    card = model_card(recipe(), {}, "Maltese")
    assert "stopped before the end" in card and "## Scores" not in card
    assert "no downstream task" in model_card(recipe(), {**RESULTS, "tasks": {}}, "Maltese")


def test_the_card_says_how_it_was_distilled() -> None:
    def made(**method: Any) -> str:
        return model_card(replace(recipe(), method=replace(recipe().method, **method)), RESULTS, "Maltese")

    assert "after the layers and one after the width, 2,000 steps of 8,192 tokens each;" in made(distil_from="teacher")
    assert "after the width from the model before that cut, 2,000 steps" in made(distil_from="previous")
    assert "one distillation after all cuts, 4,000 steps of 8,192 tokens;" in made(distil_after="all")
    assert "hidden size: rotate, in 3 rounds;" in made(hidden_reduction="rotate", rounds=3)
    assert "rounds" not in made(rounds=1) and "states" not in made(hidden_weight=0.0)
    assert "loss auto, of the hidden states' distance 2;" in made(hidden_weight=2.0)


def test_markdown_shows_what_is_written() -> None:
    assert markdown("a_b*c`d|e<f>\\\n\x1b[0m") == "a\\_b\\*c\\`d\\|e\\<f\\>\\\\ \\[0m"
