"""The report as a page: what is on it, finished or not, and that nothing from outside becomes part of it."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from finished_run import RESULTS, finished_run, recipe, renamed, started_run
from page import Page, page_of
from whole_run import DETAILS, MADE_WITH, ORIGIN, whole_results, whole_run

from core.errors import InputError
from core.export.markup import Markup, element, joined, table, text
from core.export.report import write_report
from core.export.versions import monoglot_version, versions
from core.recipe_text import to_toml
from core.run import RunFolder

EVIL = "<script>alert(1)</script>\"&'\x1b[31m\u202edlrow\u2066\x00\udcff"
SECTIONS = ["origin", "scores", "failures", "measures", "course", "making", "settings"]


def test_the_report_of_a_finished_run_is_one_page_with_everything(tmp_path: Path) -> None:
    page = page_of(finished_run(tmp_path / "run"))
    assert page.tags.count("svg") == 6
    assert "script" not in page.tags and "link" not in page.tags and "img" not in page.tags
    outside = [address for address in page.addresses if not address.startswith("#")]
    assert outside == ["https://huggingface.co/datasets/cis-lmu/GlotCC-v1", "https://arxiv.org/abs/2505.16956"]
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
    assert "not finished" not in page.text and "can't be shown" not in page.text


def test_the_contents_lead_to_every_section_that_is_there(tmp_path: Path) -> None:
    whole, older = page_of(whole_run(tmp_path / "whole")), page_of(finished_run(tmp_path / "older"))
    assert whole.ids == SECTIONS
    assert older.ids == [name for name in SECTIONS if name != "failures"]
    for page in (whole, older):
        assert [address[1:] for address in page.addresses if address.startswith("#")] == page.ids
        assert "can't be shown" not in page.text


def test_every_table_and_plot_has_a_name(tmp_path: Path) -> None:
    page = page_of(whole_run(tmp_path / "run"))
    assert page.tags.count("caption") == page.tags.count("table") > 8
    assert page.tags.count("desc") == page.tags.count("svg")


def test_the_settings_say_why_they_were_chosen(tmp_path: Path) -> None:
    folder = finished_run(tmp_path / "run")
    method = replace(recipe().method, hidden_weight=0.5)
    written = to_toml(replace(recipe(), method=method), {"method.kd_loss": "It is <b>small</b>."})
    folder.recipe.write_text(written, encoding="utf-8")
    page = page_of(folder)
    assert "method.kd_loss auto It is <b>small</b>. method.alpha auto" in page.text
    assert "how it sees each token inside (weight 0.5)" in page.text
    assert "each token inside" not in page_of(finished_run(tmp_path / "other")).text


def test_the_report_of_a_stopped_run_says_so(tmp_path: Path) -> None:
    page = page_of(started_run(tmp_path / "run"))
    assert "This run is not finished: stopped" in page.text
    assert "(40 of 100)" in page.text
    assert page.tags.count("svg") == 5
    assert page.ids == ["origin", "course", "making", "settings"]


def test_the_report_of_a_failed_run_says_why(tmp_path: Path) -> None:
    folder = started_run(tmp_path / "run")
    folder.events.unlink()
    folder.status.write_text(json.dumps({"state": "failed", "error": EVIL, "hint": "Mend it."}))
    page = page_of(folder)
    assert "failed" in page.text and "Mend it." in page.text and "script" not in page.tags
    assert "svg" not in page.tags


def test_a_report_needs_a_run(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no run in"):
        write_report(RunFolder(tmp_path))


# -- what comes from outside -----------------------------------------------------------------------------------------


def test_no_text_from_outside_becomes_part_of_the_page(tmp_path: Path) -> None:
    html = write_report(_evil_run(tmp_path / "run")).read_text(encoding="utf-8")
    page = Page(html)
    assert not {"script", "b", "img", "link", "iframe"} & set(page.tags)
    assert page.text.count("alert(1)") > 40 and "can't be shown" not in page.text
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ufffd]", html)
    assert "[31mdlrow" in html and "dlrow?" not in html
    for address in page.addresses:
        assert re.fullmatch(r"#\w+|https://(huggingface\.co|arxiv\.org)/[\w./%-]+", address)
    assert "default-src 'none'" in html


def _evil_run(path: Path) -> RunFolder:
    """Every text on the page that isn't Monoglot's own, spoilt; a recipe can't hold half a letter, JSON can."""
    spoilt = EVIL.replace("\x00", "").replace("\udcff", "")
    made = recipe()
    made = replace(
        made,
        teacher=replace(made.teacher, model=spoilt),
        corpus=replace(made.corpus, sources=(spoilt, f"hub:{spoilt}:{spoilt}")),
        tasks=tuple(replace(task, source=f"hub:{spoilt}") for task in made.tasks),
    )
    results = _spoilt(whole_results())
    details = _spoilt(DETAILS)
    results["tasks"][EVIL], details[EVIL] = results["tasks"]["names"], details["names"]
    folder = whole_run(path, made_from=made, results=results, details=details, origin=_spoilt(ORIGIN))
    for report in folder.stages.glob("*/report.json"):
        machine = {"versions": {EVIL: EVIL}, "machine": EVIL, "ended": EVIL}
        report.write_text(json.dumps({"name": EVIL, "made_with": machine}))
    words = {"word": EVIL, "before": [EVIL, EVIL], "after": [EVIL]}
    kept = {"kept": [1], "reasons": {EVIL: 1}, "coverage": 1.0, "split": 0.1, "worst": [words]}
    proof = {"proof": {"lines": 1, "compared": 1, "spelt": 1}, "model_proof": {"compared": 1, "tokens": 1}}
    counts = {"fertility": {"before": 1.0, "after": 1.0}, "unknown": {"before": 0, "after": 0}}
    (folder.stages / "03-vocabulary").mkdir()
    (folder.stages / "03-vocabulary" / "report.json").write_text(json.dumps(kept | proof | counts))
    with open(folder.events, "a", encoding="utf-8") as file:
        for event in (
            {"type": "loss", "stage": EVIL, "step": 1, "tokens": 1, "mlm": 1, "kd": 1, "total": 1, "split": "train"},
            {"type": "size", "stage": EVIL, "parameters": 1, "megabytes": 1, "parts": {"head": 1}},
            {"type": "score", "stage": EVIL, "step": 1, "task": EVIL, "metric": EVIL, "value": 1, "split": "validation",
             "seed": None, "who": "student", "how": "probe"},
            {"type": "message", "level": "warning", "text": EVIL},
        ):  # fmt: skip
            file.write(json.dumps({"t": 1, **event}) + "\n")
    return folder


def _spoilt(value: Any) -> Any:
    """Every text in it, and every label's name, as an attacker would write it."""
    if isinstance(value, str):
        return value + EVIL
    if isinstance(value, list):
        return [_spoilt(entry) for entry in value]
    if isinstance(value, dict):
        return {(key + EVIL if key in ("LOC", "PER") else key): _spoilt(entry) for key, entry in value.items()}
    return value


def test_a_right_to_left_name_stays_in_its_place(tmp_path: Path) -> None:
    html = write_report(finished_run(tmp_path / "run", made_from=renamed("names", "עברית"))).read_text(encoding="utf-8")
    assert '<bdi dir="auto">עברית</bdi>' in html


def test_words_are_escaped_wherever_they_stand_and_only_once() -> None:
    assert text("<b>&\x1b") == "&lt;b&gt;&amp;" == text(text("<b>&\x1b"))
    assert element("a", "<i>", Markup("<u></u>"), href='"><b>') == '<a href="&quot;&gt;&lt;b&gt;">&lt;i&gt;<u></u></a>'
    assert joined(["<", "<"], "&") == "&lt;&amp;&lt;"
    assert joined(["a\t", Markup("<b></b>"), " c  d ", " ", "e"]) == "a <b></b> c d  e"
    assert text("") == text("\x00") == ""
    assert "<b>" not in table("<b>", ("<b>", "<b>"), [("<b>", "<b>")], css="<b>")


# -- broken files ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("content", ["", "{", "[]", "3", "null"])
def test_files_that_are_broken_are_as_if_they_were_absent(tmp_path: Path, content: str) -> None:
    folder = whole_run(tmp_path / "run")
    for path in (folder.origin, *folder.stages.glob("*/*.json")):
        path.write_text(content)
    page = page_of(folder)
    assert page.ids == [name for name in SECTIONS if name != "failures"]
    assert "can't be shown" not in page.text


@pytest.mark.parametrize(
    "broken",
    [
        {"labels": {"LOC": 3}},
        {"confusion": {"labels": ["a"], "student": [[1, 2]]}},
        {"worst": [{"text": "x"}]},
        [],
        "labels",
    ],
)
def test_what_is_broken_of_one_task_leaves_the_others(tmp_path: Path, broken: Any) -> None:
    page = page_of(whole_run(tmp_path / "run", details={"names": broken, "pos": DETAILS["pos"]}))
    assert page.text.count("can't be shown") == 1 and "Hu mar" in page.text


def test_a_section_that_cannot_be_written_leaves_the_others(tmp_path: Path) -> None:
    page = page_of(whole_run(tmp_path / "run", origin={"corpus": {"read": 3}}))
    assert page.ids == SECTIONS and page.text.count("can't be shown") == 1


def test_versions_of_a_resumed_run_are_told_stage_by_stage(tmp_path: Path) -> None:
    folder = whole_run(tmp_path / "run")
    assert "Versions monoglot 0.1.0, torch 1.2.3" in page_of(folder).text
    newer = {**MADE_WITH, "versions": {"torch": "1.3.0"}}
    (folder.stages / "02-evaluate" / "report.json").write_text(json.dumps({"made_with": newer}))
    found = page_of(folder).text
    assert "Versions: Drop layers, distil monoglot 0.1.0, torch 1.2.3" in found
    assert "Versions: Evaluate teacher and student torch 1.3.0" in found
    assert "Machine Linux, 3 cores" in found and "Last stage ended 2026-01-02" in found


def test_results_of_an_older_version_are_enough(tmp_path: Path) -> None:
    found = page_of(finished_run(tmp_path / "run", results=RESULTS)).text
    assert "95 %" not in found and "In use" not in found and "Pseudo" not in found
