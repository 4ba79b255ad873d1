"""The law over runs: which runs make one, what is left out, and what is said of it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from finished_run import finished_run, recipe
from several_runs import run_of

from core.analysis.finished import finished_runs
from core.analysis.volume_law import VolumeLaws, volume_laws
from core.export.comparison_figures import volume_plot
from core.pretraining import PAPER_SAYS
from core.run import RunFolder

GIB = {"swh": 1.6, "slv": 10.3, "slk": 23.2, "hun": 58.4, "afr": 1.3, "gle": 0.5}
"""Of CC-100."""


def laws(*folders: RunFolder) -> VolumeLaws:
    return volume_laws(finished_runs(folders))


def law_abiding(tmp_path: Path, *codes: str, **changes: object) -> list[RunFolder]:
    return [run_of(tmp_path / code, code, 9.0 * GIB[code] ** -0.25, **changes) for code in codes]  # type: ignore[arg-type]


def test_five_runs_give_the_law_that_made_them(tmp_path: Path) -> None:
    found = laws(*law_abiding(tmp_path, "swh", "slv", "slk", "hun", "gle"))
    (law,) = found.laws
    assert (law.source, law.unit, law.kinds, found.left_out) == ("CC-100", "GiB", ("topic",), ())
    assert [(point.language, point.size) for point in law.points] == [
        ("gle", 0.5), ("swh", 1.6), ("slv", 10.3), ("slk", 23.2), ("hun", 58.4)
    ]  # fmt: skip
    assert law.fit is not None and (law.fit.a, law.fit.b) == pytest.approx((9.0, 0.25), abs=1e-5)
    assert law.words[0].startswith("drop = 9 · volume^(-0.25), volume in GiB, over 5 runs.")
    assert "shrinks with the volume, as the paper reports" in law.words[0]
    assert "least squares on the drops" in law.words[1]


@pytest.mark.parametrize("codes", [("swh", "slv", "slk", "hun"), ("swh",), ("swh", "slk")])
def test_fewer_runs_tell_volumes_and_what_the_paper_reports(codes: tuple[str, ...], tmp_path: Path) -> None:
    folders = law_abiding(tmp_path, *codes)
    (law,) = laws(*folders).laws
    assert law.fit is None and PAPER_SAYS in law.words[0]
    assert f"from 5 runs on, with at least 3 different volumes; here are {len(codes)}" in law.words[0]


def test_many_runs_of_two_languages_are_no_law(tmp_path: Path) -> None:
    folders = [run_of(tmp_path / f"{code}{n}", code, 3.0 + n) for code in ("swh", "slk") for n in range(4)]
    (law,) = laws(*folders).laws
    assert law.fit is None and "here are 8 with 2" in law.words[0]


def test_a_language_that_was_never_seen_is_told_and_not_fitted(tmp_path: Path) -> None:
    folders = law_abiding(tmp_path, "swh", "slv", "slk", "hun", "gle")
    without = laws(*folders).laws[0]
    (law,) = laws(*folders, run_of(tmp_path / "maltese", "mlt", 25.0)).laws
    assert law.fit == without.fit
    assert (law.points[0].language, law.points[0].size, law.points[0].volume.unseen) == ("mlt", 0.0, True)
    assert any(
        words.startswith("xlm-roberta-base never saw Maltese: maltese (drop 25.0) is not in") for words in law.words
    )
    assert "maltese" in volume_plot(law)


def test_volumes_of_different_sources_are_never_mixed(tmp_path: Path) -> None:
    told = {"tokens": {"slk": 1_430_842, "swh": 388_521}}
    for name in ("one", "two"):
        (tmp_path / name / "tiny").mkdir(parents=True)
        (tmp_path / name / "tiny" / "pretraining.json").write_text(json.dumps(told))
    runs = [
        *law_abiding(tmp_path, "swh", "slv", "slk", "hun", "gle"),
        run_of(tmp_path / "a", "slk", 9.0, teacher="xlm-roberta-large"),
        run_of(tmp_path / "b", "slk", 9.0, teacher="bert-base-multilingual-cased"),
        run_of(tmp_path / "c", "slk", 9.0, teacher=str(tmp_path / "one" / "tiny")),
        run_of(tmp_path / "d", "swh", 9.0, teacher=str(tmp_path / "one" / "tiny")),
        run_of(tmp_path / "e", "swh", 9.0, teacher=str(tmp_path / "two" / "tiny")),
        run_of(tmp_path / "f", "swh", 9.0, teacher="someone/unknown"),
    ]
    found = laws(*runs)
    told_of = [(law.source, law.unit, [point.name for point in law.points]) for law in found.laws]
    assert told_of == [
        ("CC-100", "GiB", ["gle", "swh", "slv", "a", "slk", "hun"]),
        ("the text that tiny lists", "million tokens", ["d", "c"]),
        ("Wikipedia", "GiB", ["b"]),
        ("the text that tiny lists", "million tokens", ["e"]),
    ]
    assert [(left.name, left.why) for left in found.left_out] == [
        ("f", "How much Swahili (individual language) someone/unknown saw isn't known.")
    ]
    (cc100, *_) = found.laws
    assert any("Several runs are of Slovak" in words for words in cc100.words)
    assert any("also differ in teacher.model" in words for words in cc100.words)


def test_drops_are_means_over_the_kinds_that_all_have(tmp_path: Path) -> None:
    runs = [
        run_of(tmp_path / "a", "swh", {"topic": 2.0, "pos": 4.0, "ner": 9.0}),
        run_of(tmp_path / "b", "slk", {"pos": 1.0, "topic": 2.0}),
        run_of(tmp_path / "c", "slv", {"ner": 1.0}),
        run_of(tmp_path / "d", "hun", {}),
    ]
    found = laws(*runs)
    (law,) = found.laws
    assert law.kinds == ("topic", "pos")
    assert {point.name: point.drop for point in law.points} == {"a": 3.0, "b": 1.5}
    assert {left.name: left.why for left in found.left_out} == {
        "c": "It wasn't scored on pos and topic.",
        "d": "It was scored on no task.",
    }
    assert "A drop is the mean over topic and pos, in points." in law.words


def test_gains_and_noise_are_said_to_be_such(tmp_path: Path) -> None:
    codes = ("swh", "slv", "slk", "hun", "gle")
    (gains,) = laws(*(run_of(tmp_path / code, code, -1.0) for code in codes)).laws
    assert gains.fit is None and "lose nothing" in gains.words[0]
    drops = dict(zip(codes, (3.0, 5.0, 3.5, 4.0, 4.5), strict=True))
    (noise,) = laws(*(run_of(tmp_path / f"{code}-noise", code, drop) for code, drop in drops.items())).laws
    assert "can't be told from noise" in noise.words[0]


def test_settings_that_blur_the_law_are_told(tmp_path: Path) -> None:
    small = replace(recipe().targets, hidden_size=456)
    folders = [*law_abiding(tmp_path, "swh", "slk"), run_of(tmp_path / "wide", "hun", 2.0, targets=small)]
    words = laws(*folders).laws[0].words
    assert any("also differ in targets.hidden_size, which" in told for told in words)


def test_a_run_of_an_unknown_teacher_stands_for_nothing(tmp_path: Path) -> None:
    run = finished_run(tmp_path / "run")
    found = laws(run)
    assert found.laws == () and "isn't known" in found.left_out[0].why


def test_nothing_comes_of_no_runs() -> None:
    assert volume_laws([]) == VolumeLaws((), ())
