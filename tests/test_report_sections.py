"""What each section of the report tells of a run of which everything is known."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from finished_run import recipe
from page import page_of
from whole_run import DETAILS, ORIGIN, whole_results, whole_run

from core.export.report.confusion import confusion
from core.export.style import SHADES, style
from core.recipe import Recipe


@pytest.fixture(scope="module")
def words(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Of the page of the whole run."""
    return page_of(whole_run(tmp_path_factory.mktemp("whole") / "run")).text


def _made_from(**teacher: Any) -> Recipe:
    return replace(recipe(), teacher=replace(recipe().teacher, **teacher))


# -- origin ----------------------------------------------------------------------------------------------------------


def test_it_says_what_it_was_made_from(words: str) -> None:
    assert "Language Maltese mlt in ISO 639-3; Latin script" in words
    assert "1,100 texts were read and 1,000 of them kept, 9,000 words in all: 980 to learn from, 20 held out." in words
    assert "Dropped: 10 empty, 20 too short, 70 repeated." in words
    assert "named entities; 300 train, 40 validation, 100 test" in words
    assert "The limit was reached" not in words


def test_it_says_the_licences_that_are_known(words: str) -> None:
    assert "cis-lmu/GlotCC-v1 , mlt-Latn:content Common Crawl terms of use; packaging cc0-1.0" in words
    assert "mBERT <b> 178 M parameters not known to Monoglot" in words
    assert "50 test" in words  # of a task that origin.json lacks


@pytest.mark.parametrize(
    ("teacher", "code", "told"),
    [
        ("xlm-roberta-base", "mlt", "never saw Maltese"),
        ("xlm-roberta-base", "slk", "GiB of Slovak"),
        ("/no/such/folder", "slk", "isn't known"),
    ],
)
def test_it_says_how_much_the_teacher_had_read(tmp_path: Path, teacher: str, code: str, told: str) -> None:
    made = _made_from(model=teacher)
    page = page_of(whole_run(tmp_path / "run", made_from=replace(made, language=replace(made.language, code=code))))
    assert told in page.text


def test_a_known_teacher_has_its_page_and_licence(tmp_path: Path) -> None:
    page = page_of(whole_run(tmp_path / "run", made_from=_made_from(model="FacebookAI/xlm-roberta-base")))
    assert "https://huggingface.co/FacebookAI/xlm-roberta-base" in page.addresses
    assert "178 M parameters, 100 languages mit" in page.text


def test_a_limit_that_was_reached_is_told(tmp_path: Path) -> None:
    origin = {**ORIGIN, "corpus": {**ORIGIN["corpus"], "kept": 99_000, "other_script": 1000}}
    assert "The limit was reached" in page_of(whole_run(tmp_path / "run", origin=origin)).text


# -- scores ----------------------------------------------------------------------------------------------------------


def test_scores_have_intervals_and_verdicts(words: str) -> None:
    assert "F1, 5-fold cross-validation 83.6 ± 0.5 80.1 to 86.2 80.2 ± 0.6 76.3 to 83.4 3.4 1.2 to 5.6 3 seeds" in words
    assert "95.0 – 94.0 – 1.0 -0.5 to 2.5 1 seed" in words  # an interval may be missing where others have one
    assert "names : This drop (95 % 1.2 to 5.6) is distinguishable from noise (p = 0.012, 100 test examples" in words
    assert "pos : This drop (95 % -0.5 to 2.5) is not distinguishable from noise (p = 0.31, 50 test examples)" in words
    assert "1 of 2 differences beyond the noise of the test" in words


def test_leaks_are_told_before_anything_else(words: str) -> None:
    told = words.index("3 in its own training examples, 2 in the text that the student learnt from")
    assert told < words.index("83.6 ± 0.5")
    assert "“Mar il-Belt”" in words and "validation examples" not in words[told : told + 200]


# -- failures --------------------------------------------------------------------------------------------------------


def test_labels_stand_by_what_they_lost(words: str) -> None:
    assert "PER 60 85.0 60.5 24.5 80.0 70.0 LOC 40 90.0 88.0 2.0 80.0 70.0" in words


def test_confusions_are_told_in_words_most_frequent_first(words: str) -> None:
    assert (
        "“PER” taken for “LOC” 48 times (27 % of them); “PER” taken for “O” 12 times (7 % of them); "
        "“LOC” taken for “O” 9 times (8 % of them)." in words
    )


def test_a_matrix_is_shaded_by_the_share_of_its_row() -> None:
    cells = confusion({"labels": ["a", "b"], "student": [[99, 1], [0, 0]]})
    assert re.findall(r'class="number ([\w-]+)">(\d+)<', cells) == [
        (f"hit-{SHADES}", "99"), ("miss-1", "1"), ("grey", "0"), ("grey", "0"),
    ]  # fmt: skip
    assert "takes no label for another" in confusion({"labels": ["a", "b"], "student": [[9, 0], [0, 9]]})


def test_a_matrix_that_fits_no_page_is_left_out() -> None:
    size = 60
    labels, counts = [f"label {n}" for n in range(size)], [[1] * size for _ in range(size)]
    found = confusion({"labels": labels, "student": counts})
    assert "<table" not in found and "matrix of all 60 labels" in found and found.count("taken for") == 3


def test_the_worst_kept_examples_are_shown_with_their_answers(words: str) -> None:
    assert "Ġanni mar Għawdex Ġanni/PER, Għawdex/LOC Ġanni/PER –" in words
    assert "Hu mar x x y" in words


def test_tasks_that_nothing_is_known_of_are_left_out(tmp_path: Path) -> None:
    page = page_of(whole_run(tmp_path / "run", details={"other": DETAILS["names"], "pos": {}}))
    assert "failures" not in page.ids


# -- measures --------------------------------------------------------------------------------------------------------


def test_teacher_and_student_stand_side_by_side(words: str) -> None:
    for row in (
        "Pseudo-perplexity a token 12.3 23.5",
        "Tokens a word 1.88 1.50",
        "Pseudo-perplexity: 4,321 tokens of held-out text",
        "One text 40.0 ms (36.0 to 48.0) 10.0 ms (36.0 to 48.0)",
        "32 texts at once, texts a second 77.7 77.7",
        "Memory 900 MB 225 MB",
        "On disk 700.0 MB 175.0 MB",
        "texts of 31 tokens, 2 threads",
    ):
        assert row in words


def test_a_side_that_was_not_measured_has_a_dash(tmp_path: Path) -> None:
    results = whole_results()
    del results["teacher"]["pseudo_perplexity"], results["throughput"]["inference"]["teacher"]
    found = page_of(whole_run(tmp_path / "run", results=results)).text
    assert "Pseudo-perplexity a token – 23.5" in found
    assert "One text – 10.0 ms" in found and "Memory – 225 MB" in found


# -- making ----------------------------------------------------------------------------------------------------------


def test_it_says_seeds_machine_time_and_warnings(words: str) -> None:
    assert "Seed of the run 42 Seeds of the task names 1, 2, 3 Seeds of the task pos 1" in words
    assert "Device, precision, threads auto, auto, auto" in words
    assert "In all 1 h 03 min" in words
    assert "Warnings of the run The corpus is small." in words


def test_open_settings_of_tasks_say_what_they_mean(words: str) -> None:
    assert "tasks.names.learning_rate auto 0.0003, by kind and method." in words
    assert "tasks.names.batch_size auto 64, by kind and method." in words
    assert "tasks.names.reduction_factor auto 16; 4 for models narrower than 384." in words
    assert "tasks.names.folds auto 5: the test split is tiny." in words
    assert "tasks.pos.folds auto None: the test split is large enough." in words


# -- looks -----------------------------------------------------------------------------------------------------------


def _luminance(colour: tuple[float, ...]) -> float:
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in colour]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _contrast(one: tuple[float, ...], other: tuple[float, ...]) -> float:
    """By WCAG 2: from 1, none, to 21."""
    dark, light = sorted((_luminance(one), _luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def _colours(css: str) -> dict[str, tuple[float, ...]]:
    found = re.findall(r"--([\w-]+): #(\w{6})", css)
    return {name: tuple(int(value[i : i + 2], 16) / 255 for i in (0, 2, 4)) for name, value in found}


def _themes() -> list[dict[str, tuple[float, ...]]]:
    """The colours of the light page, of the dark one, and of paper."""
    light, dark, paper = (_colours(block) for block in re.findall(r":root \{([^}]*)\}", style()))
    return [light, dark, light | paper]


@pytest.mark.parametrize("theme", _themes(), ids=["light", "dark", "paper"])
def test_all_text_can_be_read(theme: dict[str, tuple[float, ...]]) -> None:
    for front, back in (
        *((text, ground) for text in ("text", "grey", "accent") for ground in ("page", "card")),
        ("warn-text", "warn-page"),
    ):
        assert _contrast(theme[front], theme[back]) >= 4.5, (front, back)
    shades = re.findall(r"color-mix\(in srgb, var\(--(\w+)\) (\d+)%, var\(--page\)\)", style())
    assert len(shades) == 2 * SHADES
    for colour, share in shades:
        part = int(share) / 100
        mixed = tuple(part * a + (1 - part) * b for a, b in zip(theme[colour], theme["page"], strict=True))
        assert _contrast(theme["text"], mixed) >= 4.5, (colour, share)


def test_the_page_has_no_word_of_style_that_asks_for_a_file() -> None:
    assert "url(" not in style() and "@import" not in style() and "@media print" in style()
