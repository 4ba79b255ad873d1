from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest

import resources
from core.languages import all_languages
from core.pretraining import Volume, amount, pretraining_volume, volume_words
from core.teachers import known_teacher, known_teachers

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


# -- what a folder tells ---------------------------------------------------------------------------------------------


def folder(path: Path, content: Any) -> str:
    path.mkdir(parents=True)
    (path / "pretraining.json").write_text(content if isinstance(content, str) else json.dumps(content))
    return str(path)


def test_a_folder_tells_what_its_teacher_read(tmp_path: Path) -> None:
    told = {"tokens": {"eng": 973_869, "swa": 388_521, "nob": 10, "nno": 5}, "corpus_share": {"eng": 0.5}}
    teacher = folder(tmp_path / "tiny", told)
    assert volume(teacher, "eng").measure == (0.973869, "million tokens")
    assert (volume(teacher, "swh").code, volume(teacher, "swh").tokens_millions) == ("swa", 0.388521)
    assert volume(teacher, "nor").tokens_millions == 15e-6
    assert volume(teacher, "mlt").unseen and volume(teacher, "mlt").size_gib is None
    assert pretraining_volume("tiny", "eng", tmp_path) == volume(teacher, "eng")
    assert amount(volume(teacher, "eng")) == "974 k tokens"
    assert volume_words(volume(teacher, "eng"), "English") == "saw 974 k tokens of English in the text that tiny lists"
    assert volume_words(volume(teacher, "mlt"), "Maltese") == "never saw Maltese (the text that tiny lists)"


def test_languages_that_a_folder_does_not_name_may_be_any(tmp_path: Path) -> None:
    teacher = folder(tmp_path / "tiny", {"tokens": {"eng": 973_869, "mlt": 0, "other": 490_485}})
    assert pretraining_volume(teacher, "fin") is None
    assert volume(teacher, "mlt").unseen
    assert volume_words(None, "Finnish") == "how much Finnish it saw isn't known"


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"tokens": 3}', '{"tokens": {"eng": "many"}}', '{"tokens": {}}'])
def test_a_folder_that_tells_nothing_useful_tells_nothing(content: str, tmp_path: Path) -> None:
    assert pretraining_volume(folder(tmp_path / "tiny", content), "eng") is None
    assert pretraining_volume(str(tmp_path / "gone"), "eng") is None


def test_a_copy_of_a_known_teacher_is_taken_at_its_name(tmp_path: Path) -> None:
    known = known_teacher("xlm-roberta-base")
    assert known is not None
    for name, layers in (("xlm-roberta-base", 12), ("xlm-roberta-large", 12), ("mine", 12)):
        (tmp_path / name).mkdir()
        config = {**known.config, "num_hidden_layers": layers, "hidden_act": "gelu"}
        (tmp_path / name / "config.json").write_text(json.dumps(config))
    found = volume(str(tmp_path / "xlm-roberta-base"), "slk")
    assert (found.size_gib, found.doubt) == (23.2, "taken for XLM-R base by name and sizes")
    assert volume_words(found, "Slovak") == "saw 23.2 GiB of Slovak in CC-100 (taken for XLM-R base by name and sizes)"
    assert "taken for" in volume_words(volume(str(tmp_path / "xlm-roberta-base"), "mlt"), "Maltese")
    assert pretraining_volume(str(tmp_path / "xlm-roberta-large"), "slk") is None  # it hasn't that one's sizes
    assert pretraining_volume(str(tmp_path / "mine"), "slk") is None
    told = {"tokens": {"slk": 7}}
    (tmp_path / "xlm-roberta-base" / "pretraining.json").write_text(json.dumps(told))
    assert volume(str(tmp_path / "xlm-roberta-base"), "slk").tokens_millions == 7e-6
