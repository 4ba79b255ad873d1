from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

import resources
from core.languages import all_languages
from core.pretraining import Volume, pretraining_volume
from core.teachers import known_teachers

CORPORA = tomllib.loads((Path(resources.__file__).parent / "pretraining.toml").read_text(encoding="utf-8"))


def volume(teacher: str, code: str) -> Volume:
    found = pretraining_volume(teacher, code)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("teacher", "code", "gib", "tokens", "corpus"),
    [
        ("xlm-roberta-base", "slk", 23.2, 3525, "CC-100"),
        ("FacebookAI/xlm-roberta-large", "slk", 23.2, 3525, "CC-100"),
        ("bert-base-multilingual-cased", "slk", 0.2127, 38.6, "Wikipedia"),
        ("distilbert-base-multilingual-cased", "slk", 0.2127, 38.6, "Wikipedia"),
        ("xlm-roberta-base", "ukr", 84.6, 6960, "CC-100"),  # as corrected
    ],
)
def test_what_a_teacher_saw(teacher: str, code: str, gib: float, tokens: float, corpus: str) -> None:
    found = volume(teacher, code)
    assert (found.code, found.size_gib, found.tokens_millions, found.corpus) == (code, gib, tokens, corpus)
    assert found.source
    assert not found.note


@pytest.mark.parametrize("teacher", ["xlm-roberta-base", "bert-base-multilingual-cased"])
def test_none_at_all_is_something_known(teacher: str) -> None:
    assert (volume(teacher, "mlt").size_gib, volume(teacher, "mlt").tokens_millions) == (0.0, 0.0)


@pytest.mark.parametrize("teacher", ["./teacher", "someone/xlm-roberta-base", "sample", ""])
def test_of_other_teachers_nothing_is_known(teacher: str) -> None:
    assert pretraining_volume(teacher, "slk") is None


def test_an_amount_that_nobody_gives_is_not_none_at_all() -> None:
    assert pretraining_volume("bert-base-multilingual-cased", "mon") is None
    assert pretraining_volume("bert-base-multilingual-cased", "khk") is None
    assert volume("xlm-roberta-base", "khk").size_gib == 3


@pytest.mark.parametrize(
    ("code", "macro"),
    [("swh", "swa"), ("ekk", "est"), ("lvs", "lav"), ("pes", "fas"), ("arb", "ara"), ("cmn", "zho"), ("zsm", "msa"),
     ("plt", "mlg"), ("uzn", "uzb"), ("als", "sqi"), ("npi", "nep"), ("ory", "ori"), ("ydd", "yid"), ("nob", "nor"),
     ("khk", "mon"), ("pbt", "pus"), ("gaz", "orm")],
)  # fmt: skip
def test_a_language_has_the_figures_of_its_macrolanguage(code: str, macro: str) -> None:
    assert volume("xlm-roberta-base", code) == volume("xlm-roberta-base", macro)
    assert volume("xlm-roberta-base", code).code == macro
    assert volume("xlm-roberta-base", code).size_gib > 0


def test_a_language_that_is_listed_itself_keeps_its_own_figures() -> None:
    assert volume("xlm-roberta-base", "ind").code == "ind"
    assert volume("bert-base-multilingual-cased", "nno").size_gib == 0.1381
    assert volume("xlm-roberta-base", "ckb").size_gib == 0  # what it saw of Kurdish is Kurmanji
    assert volume("xlm-roberta-base", "azb").size_gib == 0


def test_a_macrolanguage_that_is_not_listed_adds_up_its_members() -> None:
    assert volume("bert-base-multilingual-cased", "nor").size_gib == pytest.approx(0.5812 + 0.1381)
    assert volume("xlm-roberta-base", "hbs").size_gib == pytest.approx(20.5 + 9.1 + 0.1)
    assert volume("xlm-roberta-base", "kur").size_gib == 0.4
    assert volume("xlm-roberta-base", "kur").code == "kur"


def test_a_macrolanguage_that_is_listed_keeps_its_own_figures() -> None:
    assert volume("xlm-roberta-base", "msa").size_gib == 8.5  # though Indonesian counts to it
    assert volume("bert-base-multilingual-cased", "hbs").size_gib == 0.3165


def test_scripts_are_added_up_and_told_of() -> None:
    hindi = volume("xlm-roberta-base", "hin")
    assert (hindi.size_gib, hindi.tokens_millions) == (20.7, 1803)
    assert "0.5 GiB of it in Latin script" in hindi.note
    assert volume("xlm-roberta-base", "zho").size_gib == 63.5


def test_two_codes_of_one_language_have_the_same_figures() -> None:
    assert volume("xlm-roberta-base", "fil") == volume("xlm-roberta-base", "tgl")


def test_the_resource_is_sound() -> None:
    codes = {entry.code for entry in all_languages()}
    for corpus in CORPORA.values():
        assert set(corpus["languages"]) | set(corpus["same"]) | set(corpus["unmeasured"]) <= codes
        assert all(entry["gib"] > 0 and entry["tokens"] > 0 for entry in corpus["languages"].values())
    assert (len(CORPORA["cc100"]["languages"]), len(CORPORA["wikipedia"]["languages"])) == (93, 102)
    assert {teacher.pretraining for teacher in known_teachers()} == set(CORPORA)
