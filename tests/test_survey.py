from __future__ import annotations

import gzip
import shutil
from collections.abc import Callable
from pathlib import Path

import pyarrow
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from core.context import Quiet
from core.corpus import survey as survey_module
from core.corpus.prepare import prepare
from core.corpus.survey import survey
from core.errors import InputError, Stopped
from core.recipe import Corpus
from resources import sample

LINES = [f"Sentenza numru {number} għall-prova." for number in range(40)]


class Watching(Quiet):
    """Keeps the progress."""

    def __init__(self) -> None:
        self.told: list[tuple[int, int]] = []

    def progress(self, done: int, total: int) -> None:
        self.told.append((done, total))


def text_file(path: Path, texts: list[str]) -> Path:
    path.write_text("\n".join(texts) + "\n", encoding="utf-8")
    return path


def warnings(tmp_path: Path, texts: list[str]) -> list[str]:
    text_file(tmp_path / "a.txt", texts)
    return list(survey(["a.txt"], tmp_path, Quiet()).warnings)


def test_files_bytes_and_texts_are_counted(tmp_path: Path) -> None:
    plain = text_file(tmp_path / "a.txt", ["", *LINES[:20], " "])
    (tmp_path / "b.jsonl").write_text('{"text": "Wieħed."}\n' * 2, encoding="utf-8")
    found = survey(["a.txt", "b.jsonl", "sample"], tmp_path, Quiet())
    assert found.files == 3
    in_sample = sample.corpus_file()
    assert found.bytes == plain.stat().st_size + (tmp_path / "b.jsonl").stat().st_size + in_sample.stat().st_size
    assert found.texts == 22 + sum(1 for line in in_sample.read_text(encoding="utf-8").splitlines() if line.strip())


def test_the_first_texts_are_shown_and_cut(tmp_path: Path) -> None:
    text_file(tmp_path / "a.txt", ["ħ" * 1000, *LINES])
    first = survey(["a.txt"], tmp_path, Quiet()).first
    assert first == ("ħ" * 300, *LINES[:19])


def test_sound_texts_give_no_warning(tmp_path: Path) -> None:
    assert warnings(tmp_path, LINES) == []
    assert survey(["sample"], tmp_path, Quiet()).warnings == ()


def test_texts_of_the_hub_are_left_to_the_run(tmp_path: Path) -> None:
    found = survey(["hub:some/set", "hub:other/set:mlt"], tmp_path, Quiet())
    assert (found.files, found.bytes, found.texts, found.first) == (0, 0, 0, ())
    assert found.warnings == ("Read when the run starts: hub:some/set, hub:other/set:mlt.",)


def test_repeats_are_counted_as_a_run_does(tmp_path: Path) -> None:
    (told,) = warnings(tmp_path, [*LINES, LINES[0], f"  {LINES[1].replace(' ', '   ')}"])
    assert "repeat an earlier one: 2." in told


def test_repeats_are_looked_for_among_so_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(survey_module, "_MOST_HASHES", 41)
    (told,) = warnings(tmp_path, [*LINES, LINES[0], LINES[1]])
    assert "(of the first 41): 1." in told


def test_too_few_texts_are_told(tmp_path: Path) -> None:
    assert any("only 9 different texts" in told for told in warnings(tmp_path, LINES[:9]))
    assert warnings(tmp_path, LINES[:10]) == []
    text_file(tmp_path / "a.txt", LINES[:9])
    assert not any("different" in told for told in survey(["a.txt", "hub:a/b"], tmp_path, Quiet()).warnings)


def test_a_file_without_text_is_told(tmp_path: Path) -> None:
    (tmp_path / "texts").mkdir()
    text_file(tmp_path / "texts" / "a.txt", LINES)
    (tmp_path / "texts" / "b.txt").write_text("\n \n")
    (told,) = survey(["texts"], tmp_path, Quiet()).warnings
    assert "b.txt holds no text" in told


def test_long_texts_are_told(tmp_path: Path) -> None:
    (told,) = warnings(tmp_path, [*LINES, "kelma " * 20_000])
    assert "more than 100,000 characters: 1." in told


@pytest.mark.parametrize(("text", "encoding"), [("Ħobż u ġobon", "cp1252"), ("Čajník", "latin-1")])
def test_garbled_texts_are_told(text: str, encoding: str, tmp_path: Path) -> None:
    (told,) = warnings(tmp_path, [*LINES, text.encode().decode(encoding)])
    assert "wrong encoding" in told and ": 1." in told


@pytest.mark.parametrize("text", ["Ähre, Öl und Übermut", "NÃO É ASSIM", "“MENÜ”", "à côté", "żgħir", "日本語"])
def test_sound_letters_are_not_taken_for_garbled_ones(text: str, tmp_path: Path) -> None:
    assert not any("encoding" in told for told in warnings(tmp_path, [*LINES, text]))


def test_lost_letters_are_told(tmp_path: Path) -> None:
    (told,) = warnings(tmp_path, [*LINES, "g\ufffdar tas-sewwa"])
    assert "lost in a conversion: 1." in told


def test_another_script_is_told(tmp_path: Path) -> None:
    (told,) = warnings(tmp_path, [*LINES, "Ще не вмерла Україна"])
    assert told.startswith("Texts mostly in Cyrillic letters: 1.") and "Latin" in told
    assert (
        warnings(tmp_path, ["漢字とかなの" + str(number) for number in range(9)] + ["ひらがなです", "カタカナナリ"])
        == []
    )


# -- progress --------------------------------------------------------------------------------------------------------


def write_parquet(path: Path, texts: list[str]) -> None:
    parquet.write_table(pyarrow.table({"text": texts}), path)


def write_gzip(path: Path, texts: list[str]) -> None:
    with gzip.open(path, "wt", encoding="utf-8") as file:
        file.write("\n".join(texts))


@pytest.mark.parametrize(
    ("name", "write"), [("a.txt", text_file), ("a.txt.gz", write_gzip), ("a.parquet", write_parquet)]
)
def test_progress_is_in_bytes_on_disk(name: str, write: Callable[[Path, list[str]], object], tmp_path: Path) -> None:
    write(tmp_path / name, [f"{number} {number**7:x}" for number in range(30_000)])
    text_file(tmp_path / "b.txt", LINES)
    ctx = Watching()
    found = survey([name, "b.txt"], tmp_path, ctx)
    done = [entry for entry, _ in ctx.told]
    assert {total for _, total in ctx.told} == {found.bytes}
    assert done == sorted(done) and done[-1] == found.bytes
    assert any(0 < entry < found.bytes - (tmp_path / "b.txt").stat().st_size for entry in done)


def test_a_survey_can_be_stopped(tmp_path: Path) -> None:
    class Impatient(Quiet):
        def check(self) -> None:
            raise Stopped

    text_file(tmp_path / "a.txt", LINES * 300)
    with pytest.raises(Stopped):
        survey(["a.txt"], tmp_path, Impatient())


# -- faults ----------------------------------------------------------------------------------------------------------


def test_faults_of_all_sources_come_at_once(tmp_path: Path) -> None:
    text_file(tmp_path / "good.txt", LINES)
    with pytest.raises(InputError) as caught:
        survey(["nowhere.txt", "good.txt", "hub:"], tmp_path, Quiet())
    assert len(caught.value.faults) == 2


def test_faults_inside_the_files_come_at_once(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}.jsonl").write_text('{"text": "x"}\n{"text": 3}\n')
    with pytest.raises(InputError) as caught:
        survey(["a.jsonl", "b.jsonl"], tmp_path, Quiet())
    assert [fault.problem.partition(str(tmp_path) + "/")[2] for fault in caught.value.faults] == [
        "a.jsonl, line 2, has no text under 'text'.",
        "a.jsonl, as a line of it can't be read.",
        "b.jsonl, line 2, has no text under 'text'.",
        "b.jsonl, as a line of it can't be read.",
    ]


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("a.jsonl", '{"text": "good"}', '{"text": 3}'),
        ("a.tsv", "good\tlabel", "bad"),
        ("a.conllu", "1\tgood" + "\t_" * 8, "bad"),
    ],
)
def test_every_faulty_line_is_told_up_to_a_number(name: str, good: str, bad: str, tmp_path: Path) -> None:
    header = "text\tlabel\n" if name == "a.tsv" else "\n"
    (tmp_path / name).write_text(f"{header}{good}\n{bad}\n{good}\n" + f"{bad}\n" * 60)
    with pytest.raises(InputError) as caught:
        survey([name], tmp_path, Quiet())
    *lines, summary = caught.value.faults
    assert [
        f"{name}, line {number}, " in line.problem for line, number in zip(lines, [3, *range(5, 54)], strict=True)
    ] == [True] * 50
    assert summary.problem == f"A run would refuse {tmp_path / name}, as 61 lines of it can't be read."


# -- what a run would take -------------------------------------------------------------------------------------------

MESS = st.sampled_from(
    [
        "",
        " ",
        "\0",
        "ab",
        "12345",
        "kelma waħda",
        "KELMA WAĦDA",
        "Ще не вмерла",
        "日本語とかな",
        "Ελλάδα μου",
        "wieħed tnejn",
    ]
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(MESS, max_size=60))
def test_a_survey_counts_as_a_run_does(tmp_path: Path, texts: list[str]) -> None:
    text_file(tmp_path / "a.txt", [*LINES, *texts])
    found = survey(["a.txt"], tmp_path, Quiet())
    shutil.rmtree(tmp_path / "corpus", ignore_errors=True)
    report = prepare(Corpus(sources=("a.txt",)), tmp_path, 1, tmp_path / "corpus", Quiet()).report
    assert found.kept == report.kept
    assert found.dropped == {
        "empty": report.empty,
        "repeated": report.repeated,
        "short": report.short,
        "other_script": report.other_script,
    }
    assert report.read == report.kept + sum(found.dropped.values()) == len(LINES) + len(texts)


def test_complaints_have_places_and_the_first_of_each_kind_comes_first(tmp_path: Path) -> None:
    text_file(tmp_path / "a.txt", [*LINES * 4, "", "ab", "Ще", "Щедрик", "g\ufffdar tajjeb"])
    found = survey(["a.txt"], tmp_path, Quiet())
    assert [(entry.line, entry.problem) for entry in found.complaints[:6]] == [
        (41, f"repeats line 1 of {tmp_path / 'a.txt'}"),
        (162, "has fewer than 5 letters: “ab”"),
        (165, "holds the mark \ufffd, which stands for lost letters"),
        (164, "is in another script (Cyrillic): “Щедрик”"),
        (42, f"repeats line 2 of {tmp_path / 'a.txt'}"),
        (163, "has fewer than 5 letters: “Ще”"),
    ]
    assert len(found.complaints) == 50 and found.complaint_count == 120 + 2 + 1 + 1
    assert found.dropped == {"empty": 1, "repeated": 120, "short": 2, "other_script": 1}
    assert list(found.scripts) == ["Latin", "Cyrillic"] and sum(found.scripts.values()) == pytest.approx(1)


def test_places_of_early_texts_alone_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(survey_module, "_MOST_PLACES", 1)
    text_file(tmp_path / "a.txt", [*LINES, LINES[1]])
    assert [entry.problem for entry in survey(["a.txt"], tmp_path, Quiet()).complaints] == ["repeats an earlier text"]


def test_an_encoding_found_out_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes("\n".join(LINES).encode("iso8859-3") * 2)
    told = survey(["a.txt"], tmp_path, Quiet()).warnings
    assert any("is not UTF-8; it was read as ISO-8859-3" in warning for warning in told)
