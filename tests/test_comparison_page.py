"""The page of several runs: whole, self-contained, and safe whatever runs call themselves."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from finished_run import RESULTS, finished_run, recipe
from page import Page
from several_runs import run_of

from core.analysis.compare import compare
from core.errors import InputError
from core.export.comparison_figures import curve_plot, front_plot, volume_plot
from core.export.comparison_page import comparison_page, write_comparison
from core.export.report import write_report

EVIL = "<script>alert(1)</script>\"&'\x1b[31m"
GIB = {"swh": 1.6, "slv": 10.3, "slk": 23.2, "hun": 58.4, "gle": 0.5}


def test_the_page_has_tables_curves_fronts_and_the_law(tmp_path: Path) -> None:
    runs = [run_of(tmp_path / code, code, 9 * size**-0.25) for code, size in GIB.items()]
    runs.append(run_of(tmp_path / "maltese", "mlt", 20.0))
    comparison = compare(runs)
    html = comparison_page(comparison)
    page = Page(html)
    assert page.tags.count("figure") == 1 + 6 + 1  # curves, a front a language, the law
    assert page.addresses == [] and "<script" not in html and "http-equiv" in html
    text = page.text
    for words in ("language.code", "xlm-roberta-base saw 1.6 GiB", "never saw Maltese", "drop = ", "arXiv 2505.16956"):
        assert words in text
    assert "how high one's loss is says nothing" in text  # the runs' languages differ
    (law,) = comparison.volumes.laws
    assert volume_plot(law).count("<polygon") == 2  # the band, and Maltese beyond the left edge
    assert volume_plot(law).count("<circle") == 5


def test_one_older_run_is_a_page_too(tmp_path: Path) -> None:
    run = finished_run(tmp_path / "run")
    run.events.unlink()
    html = comparison_page(compare([run]))
    text = Page(html).text
    assert "1 run compared" in text and "Validation loss" not in text and "Settings that differ" not in text
    assert "is left out: How much Maltese" in text


def test_whatever_a_run_is_called_is_only_words(tmp_path: Path) -> None:
    base = recipe()
    evil = replace(base, teacher=replace(base.teacher, model=EVIL), language=replace(base.language, code=EVIL))
    results = {**RESULTS, "tasks": {EVIL: RESULTS["tasks"]["names"], "pos": RESULTS["tasks"]["pos"]}}
    comparison = compare([finished_run(tmp_path / "evil", made_from=evil, results=results), run_of(tmp_path / "slk")])
    html = comparison_page(comparison)
    Page(html)
    assert "<script>" not in html and "\x1b" not in html and "&lt;script&gt;" in html
    for svg in (curve_plot([(EVIL, comparison.curves[0])]), front_plot(comparison.fronts[0])):
        assert "<script>" not in svg and "&lt;script&gt;" in svg


def test_many_runs_have_curves_that_can_be_told_apart(tmp_path: Path) -> None:
    (curves,) = compare([finished_run(tmp_path / "run", made_from=recipe())]).curves
    svg = curve_plot([(f"run {n}", curves) for n in range(10)])
    assert svg.count("stroke-dasharray") == 2 * 2  # two runs beyond the colours, two stages each
    assert curve_plot([("none", ())]) == ""


def test_the_page_is_written_whole_or_the_fault_is_told(tmp_path: Path) -> None:
    comparison = compare([finished_run(tmp_path / "run")])
    write_comparison(comparison, tmp_path / "page.html")
    assert (tmp_path / "page.html").read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    with pytest.raises(InputError, match="can't be written"):
        write_comparison(comparison, tmp_path / "nowhere" / "page.html")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no named pipes in folders")
def test_only_a_file_is_replaced_by_a_page(tmp_path: Path) -> None:
    run = finished_run(tmp_path / "run")
    (tmp_path / "folder").mkdir()
    for pipe in (tmp_path / "pipe", run.report):
        os.mkfifo(pipe)
    for path, words in ((tmp_path / "pipe", "no file"), (tmp_path / "folder", "a folder"), (Path("."), "a folder")):
        with pytest.raises(InputError, match=words):
            write_comparison(compare([run]), path)
    with pytest.raises(InputError, match="no file"):
        write_report(run)
    assert run.report.is_fifo() and (tmp_path / "pipe").is_fifo()
    assert {path.name for path in tmp_path.iterdir()} == {"run", "folder", "pipe"}
