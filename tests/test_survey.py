from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import pyarrow
import pytest
from pyarrow import parquet

from core.context import Quiet
from core.corpus import survey as survey_module
from core.corpus.survey import survey
from core.errors import InputError, Stopped
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


@pytest.mark.parametrize(("text", "encoding"), [("Ħobż u ġobon", "cp1252"), ("Čaj", "latin-1")])
def test_garbled_texts_are_told(text: str, encoding: str, tmp_path: Path) -> None:
    (told,) = warnings(tmp_path, [*LINES, text.encode().decode(encoding)])
    assert "wrong encoding" in told and ": 1." in told


@pytest.mark.parametrize("text", ["Ähre, Öl und Übermut", "NÃO É ASSIM", "“MENÜ”", "à côté", "żgħir", "日本語"])
def test_sound_letters_are_not_taken_for_garbled_ones(text: str, tmp_path: Path) -> None:
    assert not any("encoding" in told for told in warnings(tmp_path, [*LINES, text]))


def test_lost_letters_are_told(tmp_path: Path) -> None:
    (told,) = warnings(tmp_path, [*LINES, "g\ufffdar"])
    assert "lost in a conversion: 1." in told


def test_another_script_is_told(tmp_path: Path) -> None:
    (told,) = warnings(tmp_path, [*LINES, "Ще не вмерла Україна", "123 456"])
    assert told.startswith("Texts mostly in Cyrillic letters: 1.") and "Latin" in told
    assert warnings(tmp_path, ["漢字とかな" + str(number) for number in range(9)] + ["ひらがな", "カタカナ"]) == []


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
    assert [fault.problem.count("line 2") for fault in caught.value.faults] == [1, 1]
