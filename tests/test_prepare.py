"""Cleaning, repeats, limit, split and reuse of a corpus."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from core.context import Quiet
from core.corpus import prepare as prepare_module
from core.corpus.cleaning import HashSet, clean
from core.corpus.prepare import PreparedCorpus, prepare
from core.errors import InputError, Stopped
from core.events import Event, Message


@dataclass(frozen=True)
class Settings:
    sources: Sequence[str] = ("a.txt",)
    limit: int = 0
    validation_fraction: float = 0.1
    least_letters: int = 0
    other_scripts: str = "drop"


class Notes(Quiet):
    def __init__(self, stop_after: int = -1) -> None:
        self.texts: list[str] = []
        self._checks_left = stop_after

    def emit(self, event: Event) -> None:
        assert isinstance(event, Message)
        self.texts.append(event.text)

    def check(self) -> None:
        if self._checks_left == 0:
            raise Stopped
        self._checks_left -= 1


def write(path: Path, texts: Sequence[str]) -> None:
    path.write_text("".join(f"{text}\n" for text in texts), encoding="utf-8")


def some_texts(count: int, word: str = "text") -> list[str]:
    return [f"{word} number {i}" for i in range(count)]


def run(tmp_path: Path, settings: Settings, seed: int = 1, folder: str = "corpus") -> PreparedCorpus:
    return prepare(settings, tmp_path, seed, tmp_path / folder, Quiet())


@pytest.mark.parametrize(
    ("raw", "wanted"),
    [
        ("  one\t two\u00a0\u2003three\r\n", "one two three"),
        ("cafe\u0301", "café"),
        ("one\0 \x07 two\x9f", "one two"),
        ("\ufeffone", "one"),
        ("half \ud83d pair", "half pair"),
        ("می\u200cخواهم", "می\u200cخواهم"),  # the non-joiner is spelling, not a control character
        ("one\u2028two\x85three\x1cfour", "one two three four"),
        (" \0 \u200a", ""),
    ],
)
def test_clean(raw: str, wanted: str) -> None:
    assert clean(raw) == wanted
    assert clean(wanted) == wanted


def test_the_parts_hold_every_different_text_once(tmp_path: Path) -> None:
    texts = some_texts(300)
    write(tmp_path / "a.txt", [*texts, "\0", "  text   number 7 ", *texts[:5]])
    corpus = run(tmp_path, Settings())
    train, validation = list(corpus.train), list(corpus.validation)
    assert sorted(train + validation) == sorted(texts)
    assert train == [text for text in texts if text in set(train)]
    report = corpus.report
    assert (report.read, report.empty, report.repeated, report.kept) == (307, 1, 6, 300)
    assert (
        (report.train, report.validation)
        == (len(corpus.train), len(corpus.validation))
        == (len(train), len(validation))
    )
    assert report.words == 900
    assert report.characters == sum(map(len, texts))
    assert corpus.train.sha256 == hashlib.sha256(corpus.train.path.read_bytes()).hexdigest() == report.train_sha256
    assert 15 <= len(validation) <= 45


def test_what_was_dropped_is_told(tmp_path: Path) -> None:
    write(tmp_path / "a.txt", [*some_texts(20), "\0", "text number 3"])
    notes = Notes()
    corpus = prepare(Settings(), tmp_path, 1, tmp_path / "corpus", notes)
    assert notes.texts == [
        f"Corpus: 22 texts read, 20 kept ({len(corpus.validation)} of them for validation);"
        " dropped: 1 empty and 1 repeated."
    ]


def test_short_texts_and_other_scripts_are_dropped_and_told(tmp_path: Path) -> None:
    texts = some_texts(300, "sentence")
    write(
        tmp_path / "a.txt",
        [*texts, "", "12 345", "abc de", "abcd", "Ще не вмерла", "text с двумя", "Ще і ще", *texts[:2]],
    )
    notes = Notes()
    corpus = prepare(Settings(least_letters=5), tmp_path, 1, tmp_path / "corpus", notes)
    report = corpus.report
    counts = (report.read, report.empty, report.short, report.repeated, report.other_script, report.kept)
    assert counts == (309, 1, 2, 2, 3, 301)
    assert {*corpus.train, *corpus.validation} == {*texts, "abc de"}
    assert report.characters == sum(map(len, texts)) + 6 and report.words == 902
    assert notes.texts[0].endswith("; dropped: 1 empty, 2 too short, 2 repeated and 3 in another script.")
    kept = run(tmp_path, Settings(least_letters=5, other_scripts="keep")).report
    assert (kept.kept, kept.other_script) == (304, 0)


def test_where_other_scripts_are_dropped_the_split_is_the_same(tmp_path: Path) -> None:
    write(tmp_path / "a.txt", some_texts(300))
    write(tmp_path / "b.txt", [line for text in some_texts(300) for line in (text, f"Ще {text[-3:]}")][:310])
    plain = run(tmp_path, Settings(), folder="plain")
    mixed = run(tmp_path, Settings(("b.txt", "a.txt"), other_scripts="keep"), folder="mixed")
    both = {text for text in mixed.validation if text.startswith("text")}
    assert both == set(plain.validation)


def test_a_corpus_of_mixed_scripts_loses_nothing(tmp_path: Path) -> None:
    japanese = [f"これは{number}番目の文章です" for number in range(200)] + ["カタカナダケ", "漢字熟語", "ひらがなだけ"]
    serbian = [f"Ово је реченица број {number}" for number in range(30)]
    serbian += [f"Ovo je rečenica broj {number}" for number in range(30)]
    for texts in (japanese, serbian, [f"ⰀⰁⰂⰃ {number}" for number in range(20)]):
        write(tmp_path / "a.txt", texts)
        assert run(tmp_path, Settings(least_letters=1), folder=f"corpus {len(texts)}").report.kept == len(texts)


def test_a_corpus_of_other_scripts_alone_can_not_be(tmp_path: Path) -> None:
    write(tmp_path / "a.txt", [f"{'ab' * 5000} {number}" for number in range(9)] + ["Ще не вмерла", "Ще вмерла"])
    with pytest.raises(InputError, match=r"holds only 9 different texts.*Add more texts"):
        run(tmp_path, Settings())


def test_a_text_lands_on_the_same_side_whatever_is_beside_it(tmp_path: Path) -> None:
    write(tmp_path / "a.txt", some_texts(200))
    write(tmp_path / "b.txt", some_texts(500, "other"))
    small = set(run(tmp_path, Settings(), folder="small").validation)
    large = set(run(tmp_path, Settings(sources=("b.txt", "a.txt")), folder="large").validation)
    assert small == {text for text in large if text.startswith("text")}
    assert small != set(run(tmp_path, Settings(), seed=2, folder="other seed").validation)


@pytest.mark.parametrize("fraction", [0.0, 1e-9, 0.5])
def test_both_sides_get_a_text(tmp_path: Path, fraction: float) -> None:
    write(tmp_path / "a.txt", some_texts(10))
    corpus = run(tmp_path, Settings(validation_fraction=fraction))
    assert min(len(corpus.train), len(corpus.validation)) >= 1
    assert len(corpus.train) + len(corpus.validation) == 10


def test_validation_has_a_most(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "a.txt", some_texts(400))
    whole = set(run(tmp_path, Settings(validation_fraction=0.5), folder="whole").validation)
    monkeypatch.setattr(prepare_module, "MOST_VALIDATION_TEXTS", 20)
    part = set(run(tmp_path, Settings(validation_fraction=0.5), folder="part").validation)
    assert len(part) == 20
    assert part < whole


def test_a_limit_counts_clean_texts_and_takes_them_from_every_source_in_turn(tmp_path: Path) -> None:
    write(tmp_path / "a.txt", ["a", "a", *some_texts(100, "a")])
    write(tmp_path / "b.txt", some_texts(5, "b"))
    write(tmp_path / "c.txt", some_texts(100, "c"))
    notes = Notes()
    corpus = prepare(Settings(("a.txt", "b.txt", "c.txt"), 26), tmp_path, 1, tmp_path / "corpus", notes)
    first = [text[0] for text in [*corpus.train, *corpus.validation]]
    assert corpus.report.kept == len(first) == 26
    assert (first.count("a"), first.count("b"), first.count("c")) == (10, 5, 11)
    assert "the limit was reached" in notes.texts[0]


def test_more_sources_than_are_read_at_once(tmp_path: Path) -> None:
    names = [f"{i}.txt" for i in range(70)]
    for name in names:
        write(tmp_path / name, [f"{name} {line}" for line in range(3)])
    corpus = run(tmp_path, Settings(tuple(names)))
    assert corpus.report.kept == 210


@pytest.mark.parametrize(
    ("count", "limit", "message"),
    [(9, 0, "only 9 different texts.*Add more"), (50, 9, "only 9 different texts.*Raise corpus.limit")],
)
def test_too_few_texts_are_refused(tmp_path: Path, count: int, limit: int, message: str) -> None:
    write(tmp_path / "a.txt", some_texts(count))
    with pytest.raises(InputError, match=message):
        run(tmp_path, Settings(limit=limit))
    assert not (tmp_path / "corpus").exists()


def test_texts_of_control_characters_alone_are_no_texts(tmp_path: Path) -> None:
    write(tmp_path / "a.txt", ["\0"] * 4)
    with pytest.raises(InputError, match=r"holds only 0 different texts.*Add more texts"):
        run(tmp_path, Settings())


def test_a_missing_source_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"There is no file or folder .*a.txt"):
        run(tmp_path, Settings())
    assert not (tmp_path / "corpus").exists()


def test_the_same_corpus_gives_the_same_bytes(tmp_path: Path) -> None:
    write(tmp_path / "a.txt", some_texts(100))
    for folder in ("one", "two"):
        run(tmp_path, Settings(), folder=folder)
    for name in ("train.txt", "validation.txt", "report.json"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    assert sorted(path.name for path in (tmp_path / "one").iterdir()) == [
        "manifest.json", "report.json", "train.txt", "validation.txt"
    ]  # fmt: skip
    report = json.loads((tmp_path / "one/report.json").read_text())
    assert report["counts"]["kept"] == 100


def test_a_prepared_corpus_outlives_its_sources(tmp_path: Path) -> None:
    write(tmp_path / "a.txt", some_texts(100))
    before = run(tmp_path, Settings())
    (tmp_path / "a.txt").unlink()
    after = run(tmp_path, Settings())
    assert asdict(after.report) == asdict(before.report)
    assert list(after.train) == list(before.train)


@pytest.mark.parametrize("change", [{"limit": 50}, {"validation_fraction": 0.2}, {"sources": ("a.txt", "a.txt")}])
def test_other_settings_are_read_anew(tmp_path: Path, change: dict[str, object]) -> None:
    write(tmp_path / "a.txt", some_texts(100))
    before = run(tmp_path, Settings())
    after = run(tmp_path, replace(Settings(), **change))
    assert after.report != before.report


def test_another_seed_is_read_anew(tmp_path: Path) -> None:
    write(tmp_path / "a.txt", some_texts(100))
    assert list(run(tmp_path, Settings(), seed=1).validation) != list(run(tmp_path, Settings(), seed=2).validation)


@pytest.mark.parametrize("name", ["train.txt", "validation.txt", "report.json", "manifest.json"])
def test_a_damaged_corpus_is_read_anew(tmp_path: Path, name: str) -> None:
    write(tmp_path / "a.txt", some_texts(100))
    run(tmp_path, Settings())
    before = (tmp_path / "corpus" / name).read_bytes()
    (tmp_path / "corpus" / name).write_bytes(before[:-5])
    run(tmp_path, Settings())
    assert (tmp_path / "corpus" / name).read_bytes() == before


@pytest.mark.parametrize("checks", [0, 3, 7])
def test_a_stopped_one_leaves_no_half_corpus(tmp_path: Path, checks: int) -> None:
    write(tmp_path / "a.txt", some_texts(2000))
    with pytest.raises(Stopped):
        prepare(Settings(), tmp_path, 1, tmp_path / "corpus", Notes(stop_after=checks))
    assert not (tmp_path / "corpus").exists()
    assert run(tmp_path, Settings()).report.kept == 2000


def test_hash_set_equals_a_set() -> None:
    random = np.random.default_rng(0)
    values = [0, 1, 2**64 - 1, *range(256, 256 * 40, 256), *random.integers(0, 2**64, 5000, dtype=np.uint64).tolist()]
    ours, pythons = HashSet(), set()
    for value in [*values, *values]:
        wanted = (value or 1) not in pythons
        pythons.add(value or 1)
        assert ours.add(value) is wanted
