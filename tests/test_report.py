"""The report, its plots, the model card, and what they share."""

from __future__ import annotations

import json
import math
import re
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from finished_run import RESULTS, events, finished_run, recipe, renamed, started_run

from core.errors import InputError
from core.events import Loss, Score
from core.export.card import markdown, model_card
from core.export.figures import figures
from core.export.plots import Band, Line, line_plot, si, smoothed, stacked_bars
from core.export.report import write_report
from core.export.versions import monoglot_version, versions
from core.languages import check_language
from core.recipe import to_toml
from core.run import RunFolder
from core.wording import clean, duration, last_name, mean_sd, megabytes, number, parameters

EVIL = "<script>alert(1)</script>\"&'\x1b[31m"
VOID = {"meta", "br"}


class Page(HTMLParser):
    """Checks that every element that opens closes; keeps what there is to look at."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.words: list[str] = []
        self.addresses: list[str] = []
        self.feed(html)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.addresses += [value or "" for name, value in attributes if name in ("src", "href")]
        assert not any(name.startswith("on") for name, _ in attributes)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


def report(folder: RunFolder) -> Page:
    return Page(write_report(folder).read_text(encoding="utf-8"))


# -- the report ------------------------------------------------------------------------------------------------------


def test_the_report_of_a_finished_run_is_one_page_with_everything(tmp_path: Path) -> None:
    page = report(finished_run(tmp_path / "run"))
    assert page.tags.count("svg") == 5
    assert "script" not in page.tags and "link" not in page.tags and "img" not in page.tags
    assert page.addresses == ["https://arxiv.org/abs/2505.16956"]
    for words in (
        "maltese-small",
        "Maltese",
        "177,974,523",
        "22,812,688",
        "91.3 MB",
        "3.457",
        "83.6 ± 0.5",
        "80.2 ± 0.6",
    ):
        assert words in page.text
    for words in ("3 seeds", "1 seed", "1 h 02 min", "−87.2 %", "schedule.batch_tokens", "8192", "tasks.names.seeds"):
        assert words in page.text
    assert monoglot_version() in page.text and f"torch {versions()['torch']}" in page.text
    assert "not finished" not in page.text


def test_the_settings_say_why_they_were_chosen(tmp_path: Path) -> None:
    folder = finished_run(tmp_path / "run")
    method = replace(recipe().method, hidden_weight=0.5)
    text = to_toml(replace(recipe(), method=method), {"method.kd_loss": "It is <b>small</b>."})
    folder.recipe.write_text(text, encoding="utf-8")
    page = report(folder)
    assert "method.kd_loss auto It is <b>small</b>. method.alpha auto" in page.text
    assert "how it sees each token inside (weight 0.5)" in page.text
    assert "each token inside" not in report(finished_run(tmp_path / "other")).text


def test_the_report_of_a_stopped_run_says_so(tmp_path: Path) -> None:
    page = report(started_run(tmp_path / "run"))
    assert "This run is not finished: stopped" in page.text
    assert "(40 of 100)" in page.text
    assert page.tags.count("svg") == 5


def test_the_report_of_a_failed_run_says_why(tmp_path: Path) -> None:
    folder = started_run(tmp_path / "run")
    folder.events.unlink()
    folder.status.write_text(json.dumps({"state": "failed", "error": EVIL, "hint": "Mend it."}))
    page = report(folder)
    assert "failed" in page.text and "Mend it." in page.text and "script" not in page.tags
    assert "svg" not in page.tags


def test_no_name_gets_into_the_page_as_html(tmp_path: Path) -> None:
    results = json.loads(json.dumps(RESULTS))
    results["tasks"][EVIL] = {**results["tasks"].pop("names"), "metric": EVIL}
    results["stages"][0]["name"] = EVIL
    folder = finished_run(tmp_path / "run", results=results)
    with open(folder.events, "a", encoding="utf-8") as file:
        for event in (
            {"type": "loss", "stage": EVIL, "step": 1, "tokens": 1, "mlm": 1, "kd": 1, "total": 1, "split": "train"},
            {"type": "size", "stage": EVIL, "parameters": 1, "megabytes": 1, "parts": {"head": 1}},
            {"type": "score", "stage": EVIL, "step": 1, "task": EVIL, "metric": EVIL, "value": 1, "split": "validation",
             "seed": None, "who": "student", "how": "probe"},
        ):  # fmt: skip
            file.write(json.dumps({"t": 1, **event}) + "\n")
    page = report(folder)
    assert "script" not in page.tags and "b" not in page.tags
    assert "alert(1)" in page.text and "mBERT <b>" in page.text
    assert "\x1b" not in folder.report.read_text(encoding="utf-8")


def test_a_right_to_left_name_stays_in_its_place(tmp_path: Path) -> None:
    html = write_report(finished_run(tmp_path / "run", made_from=renamed("names", "עברית"))).read_text(encoding="utf-8")
    assert '<bdi dir="auto">עברית</bdi>' in html


def test_a_report_needs_a_run(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no run in"):
        write_report(RunFolder(tmp_path))


def test_losses_that_are_no_numbers_do_not_spoil_the_page(tmp_path: Path) -> None:
    odd = [math.nan, math.inf, -math.inf]
    losses = [Loss(stage="x", step=i, tokens=1, mlm=v, kd=v, total=v, split="train") for i, v in enumerate(odd)]
    drawn = "".join(svg for _, svg in figures([*events(), *losses], RESULTS))
    assert "nan" not in drawn and "inf" not in drawn
    assert figures(losses, None) == []


# -- plots -----------------------------------------------------------------------------------------------------------


def test_each_plot_is_well_formed_and_named() -> None:
    drawn = figures(events(), RESULTS)
    assert [caption for caption, _ in drawn][3:] == ["Live score: names", "Live score: pos"]
    for _, svg in drawn:
        root = ElementTree.fromstring(svg)
        assert root.get("role") == "img" and root.get("aria-label")


def test_one_meaning_has_one_colour() -> None:
    mlm, kd, sizes, score, _ = (svg for _, svg in figures(events(), RESULTS))
    assert set(re.findall(r"var\((--[\w-]+)\)", mlm)) == {"--mlm", "--validation"}
    assert set(re.findall(r"var\((--[\w-]+)\)", kd)) == {"--kd", "--validation"}
    assert set(re.findall(r"var\((--[\w-]+)\)", score)) == {"--student", "--teacher"}
    assert set(re.findall(r"var\((--[\w-]+)\)", sizes)) == {"--embeddings", "--attention", "--feed-forward", "--head"}


def test_each_term_of_the_loss_has_a_plot_of_its_own() -> None:
    learnt = [replace(event, hidden=0.25) if isinstance(event, Loss) else event for event in events()]
    assert "hidden" not in " ".join(caption for caption, _ in figures(events(), RESULTS))
    caption, svg = figures(learnt, RESULTS)[2]
    assert caption == "Distance of the hidden states"
    assert set(re.findall(r"var\((--[\w-]+)\)", svg)) == {"--hidden", "--validation"}


def test_the_teachers_score_is_a_line_over_every_stage() -> None:
    scored_once = [e for e in events() if not (isinstance(e, Score) and e.who == "teacher" and e.stage == "hidden")]
    svg = figures(scored_once, RESULTS)[3][1]
    assert len(re.findall(r'stroke="var\(--teacher\)" stroke-dasharray', svg)) == 2
    nobody = [e for e in events() if not (isinstance(e, Score) and e.who == "teacher")]
    assert "--teacher" not in figures(nobody, RESULTS)[3][1]


def test_points_stand_where_their_values_say() -> None:
    svg = line_plot("t", "x", "y", [Line("a", [(0, 0.0), (5, 1.0), (10, 2.0)], "--mlm")])
    path = ElementTree.fromstring(svg).find("path[@class='line']")
    assert path is not None
    (x0, y0), (x1, y1), (x2, y2) = (map(float, xy.split()) for xy in re.split("[ML]", path.get("d", ""))[1:])
    assert x0 < x1 < x2 and y0 > y1 > y2
    assert x1 - x0 == pytest.approx(x2 - x1, abs=0.2) and y0 - y1 == pytest.approx(y1 - y2, abs=0.2)


def test_a_gap_breaks_a_line_and_a_lonely_point_is_seen() -> None:
    svg = line_plot("t", "x", "y", [Line("a", [(0, 1.0), (1, 2.0), (2, math.nan), (3, 1.0), (4, 2.0)], "--mlm")])
    assert len(re.findall("M", re.findall(r'class="line" d="([^"]*)"', svg)[0])) == 2
    assert "<circle" in line_plot("t", "x", "y", [Line("a", [(0, 1.0)], "--mlm")], [Band("s", 0, 1)])
    assert line_plot("t", "x", "y", [Line("a", [(0, math.nan)], "--mlm")]) == ""
    assert line_plot("t", "x", "y", []) == ""


def test_a_long_line_is_thinned_without_losing_its_peak() -> None:
    points = [(float(i), 100.0 if i == 12_345 else 1.0) for i in range(20_000)]
    svg = line_plot("t", "x", "y", [Line("a", points, "--mlm")])
    heights = [float(xy.split()[1]) for xy in re.split("[ML]", re.findall(r' d="(M[^"]*)"', svg)[-1])[1:]]
    assert len(heights) <= 400
    assert min(heights) < 60


def test_labels_of_lines_that_end_together_do_not_cover_each_other() -> None:
    svg = line_plot("t", "x", "y", [Line(name, [(0, 0.0), (1, 1.0)], "--mlm") for name in ("a", "b", "c")])
    heights = sorted(float(y) for y, name in re.findall(r'y="([\d.]+)" text-anchor="start">(\w)<', svg))
    assert len(heights) == 3
    assert all(b - a >= 15 for a, b in pairwise(heights))


def test_bars_are_as_high_as_their_parts() -> None:
    svg = stacked_bars(
        "t", "y", {"one": {"a": 30.0, "b": 10.0}, "two": {"a": 20.0}}, {"a": ("A", "--x"), "b": ("B", "--y")}
    )
    bars = re.findall(r'height="([\d.]+)" fill="var\(--(\w)\)"><title>(\w+), (\w): (\d+)', svg)
    assert [(name, part, value) for _, _, name, part, value in bars] == [
        ("one", "A", "30"),
        ("one", "B", "10"),
        ("two", "A", "20"),
    ]
    heights = [float(height) for height, *_ in bars]
    assert heights[0] / heights[1] == pytest.approx(3, rel=0.02) and heights[0] / heights[2] == pytest.approx(
        1.5, rel=0.02
    )
    assert stacked_bars("t", "y", {}, {}) == ""


def test_smoothing_keeps_a_straight_line_and_the_mean() -> None:
    assert smoothed([(i, 3.0) for i in range(20)]) == [(i, pytest.approx(3.0)) for i in range(20)]
    assert smoothed([(0, 1.0), (1, 4.0), (2, 1.0)], window=3)[1] == (1, pytest.approx(2.0))
    assert smoothed([(0, math.nan)]) == []


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (0.05, "0.05"), (999, "999"), (1000, "1k"), (22_812_688, "22.8M"), (3e9, "3G"), (-2500, "-2.5k")],
)
def test_axis_numbers_have_prefixes(value: float, text: str) -> None:
    assert si(value) == text


# -- the model card --------------------------------------------------------------------------------------------------


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
    assert "built-in sample" in report(finished_run(tmp_path / "run", made_from=made)).text


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


# -- words -----------------------------------------------------------------------------------------------------------


def test_cleaned_text_cannot_steer_a_terminal_and_keeps_every_script() -> None:
    assert clean("a\x1b[31m\r\nb\x00\x9b\u202ec\u2066\u2028d\udcff") == "a[31m bc d"
    assert clean("می‌خواهم हिन्दी ġbejna") == "می‌خواهم हिन्दी ġbejna"


@pytest.mark.parametrize(
    ("source", "name"),
    [("/a/b c", "b c"), ("/a/b/", "b"), ("C:\\a\\b", "b"), ("C:/a/b", "b"), ("org/name", "org/name"),
     ("sample", "sample"),
     ("hub:a/b:c", "hub:a/b:c"), ("./b", "b"), ("~/b", "b")],
)  # fmt: skip
def test_only_the_last_name_of_a_path_is_shown(source: str, name: str) -> None:
    assert last_name(source) == name


def test_numbers_are_written_for_people() -> None:
    counts = (999, 1000, 22_812_688, 99_960_000, 177_974_523, 999_960_000, 2_500_000_000)
    assert [parameters(n) for n in counts] == ["999", "1.0 k", "22.8 M", "100 M", "178 M", "1.0 G", "2.5 G"]
    assert (megabytes(91.25), megabytes(1113.2), megabytes(None)) == ("91.2 MB", "1,113 MB", "–")
    assert [duration(s) for s in (0.4, 59.6, 3599.6, 3725, None)] == [
        "0 s",
        "1 min 00 s",
        "1 h 00 min",
        "1 h 02 min",
        "–",
    ]
    assert (number(None), number(1234.56), number(2.0, 3)) == ("–", "1,234.6", "2.000")
    assert (mean_sd({"mean": 1.0, "sd": None}), mean_sd({"mean": 1.0, "sd": 0.25})) == ("1.0", "1.0 ± 0.2")


# -- languages -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "name"), [("mlt", "Maltese"), ("slk", "Slovak"), ("swh", "Swahili (individual language)")]
)
def test_a_language_has_a_name(code: str, name: str) -> None:
    assert check_language(code) == name


@pytest.mark.parametrize(
    ("code", "hint"),
    [("mt", '"mlt" (Maltese)'), ("Maltese", '"mlt" (Maltese)'), ("MLT", '"mlt"'), ("ger", '"deu" (German)'),
     ("maltees", '"mlt" (Maltese)'), ("mol", '"ron"'), ("xyzzy", "three letters"), ("", "three letters"),
     ("mlt\n", '"mlt"')],
)  # fmt: skip
def test_another_code_gets_the_right_one_as_a_hint(code: str, hint: str) -> None:
    with pytest.raises(InputError, match=r"language\.code is") as caught:
        check_language(code)
    assert hint in caught.value.faults[0].hint


def test_the_quick_look_agrees_with_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    from core import languages

    quick = {code: check_language(code) for code in ("mlt", "slk", "swh", "eng", "deu")}
    monkeypatch.setattr(languages, "_quick_name", lambda code: None)
    assert {code: check_language(code) for code in quick} == quick
