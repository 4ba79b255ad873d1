"""Every kind of source, and what is said of those that can't be read."""

from __future__ import annotations

import codecs
import gzip
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from core.context import Context, Quiet
from core.corpus import lines as lines_module
from core.corpus.reading import corpus_faults, read_files, read_texts
from core.errors import InputError
from core.events import Event, Message
from resources import sample


class Notes(Quiet):
    """Keeps the messages and counts the questions whether to go on."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.checks = 0

    def emit(self, event: Event) -> None:
        assert isinstance(event, Message)
        self.texts.append(event.text)

    def check(self) -> None:
        self.checks += 1


def read(source: str, base: Path) -> list[str]:
    return list(read_texts(source, base, Quiet()))


def put(path: Path, content: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


# -- kinds of files --------------------------------------------------------------------------------------------------


def test_txt_has_a_text_a_line_whatever_ends_it(tmp_path: Path) -> None:
    put(tmp_path / "a.txt", "one  two\r\n\n \t\nthree\rfour\nlast")
    assert read("a.txt", tmp_path) == ["one  two", "three", "four", "last"]


def test_only_line_ends_end_a_text(tmp_path: Path) -> None:
    put(tmp_path / "a.txt", "a\u2028b\x0bc\x85d\x1ee\n")
    assert read("a.txt", tmp_path) == ["a\u2028b\x0bc\x85d\x1ee"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_encodings_told_by_their_mark(tmp_path: Path, encoding: str) -> None:
    put(tmp_path / "a.txt", "Ħobż\nčučoriedka 🫐\n".encode(encoding))
    log = Notes()
    assert list(read_texts("a.txt", tmp_path, log)) == ["Ħobż", "čučoriedka 🫐"]
    assert ["not UTF-8" in text for text in log.texts] == ([True] if encoding in ("utf-16", "utf-32") else [])


def test_seven_bit_japanese_is_refused(tmp_path: Path) -> None:
    put(tmp_path / "a.txt", "日本語の文です。\nもう一つの文です。\n".encode("iso2022_jp"))
    with pytest.raises(InputError, match="seven bits"):
        read("a.txt", tmp_path)


def test_big_endian_utf_16(tmp_path: Path) -> None:
    put(tmp_path / "a.txt", codecs.BOM_UTF16_BE + "Ħobż\n".encode("utf-16-be"))
    assert read("a.txt", tmp_path) == ["Ħobż"]


def test_a_stray_nul_is_still_text(tmp_path: Path) -> None:
    put(tmp_path / "a.txt", "one\0two\n")
    assert read("a.txt", tmp_path) == ["one\0two"]


@pytest.mark.parametrize("name", ["a.txt.gz", "A.TXT.GZ"])
def test_txt_gz(tmp_path: Path, name: str) -> None:
    put(tmp_path / name, gzip.compress("Ħobż\ntwo\n".encode()))
    assert read(name, tmp_path) == ["Ħobż", "two"]


@pytest.mark.parametrize(
    "records",
    [
        [{"text": "one", "title": "x"}, {"text": "two"}],
        [{"id": "7", "content": "one"}, {"content": "two"}],
        [{"id": 7, "body": "one", "note": None}, {"id": "8", "body": "two", "note": None}],
        [{"title": "x", "Text": "one"}, {"Text": None}, {"Text": ""}, {"Text": "two"}],
    ],
)
def test_jsonl(tmp_path: Path, records: list[dict[str, Any]]) -> None:
    put(tmp_path / "a.jsonl", "\n\n".join(map(json.dumps, records)))
    assert read("a.jsonl", tmp_path) == ["one", "two"]


@pytest.mark.parametrize("first", [{"title": "A heading", "body": None}, {"title": "A heading"}])
def test_jsonl_takes_no_headings_for_texts(tmp_path: Path, first: dict[str, Any]) -> None:
    put(tmp_path / "a.jsonl", "\n".join(map(json.dumps, [first, {"title": "B heading", "body": "a long text"}])))
    with pytest.raises(InputError, match="line 2: the texts may be under 'title' or 'body'"):
        read("a.jsonl", tmp_path)


@pytest.mark.parametrize(
    "content",
    [
        'id,text\n1,"one, ""quoted""\nover two lines"\n2,two\n',
        'id;text\r\n1;"one, ""quoted""\r\nover two lines"\r\n2;two\r\n',
        'SENTENCE\n"one, ""quoted""\nover two lines"\n\ntwo',
        '"one, ""quoted""\nover two lines"\ntwo\n',
    ],
)
def test_csv(tmp_path: Path, content: str) -> None:
    put(tmp_path / "a.csv", content)
    assert read("a.csv", tmp_path) == ['one, "quoted"\nover two lines', "two"]


def test_csv_takes_long_texts(tmp_path: Path) -> None:
    put(tmp_path / "a.csv", f"text\n{'a' * 200_000}\n")
    assert read("a.csv", tmp_path) == ["a" * 200_000]


@pytest.mark.parametrize(
    "content", ['text\tlabel\n"one\tx\ntwo"\ty\n', '\ufefflabel\ttext\nx\t"one\n\ny\ttwo"\n', '"one\ntwo"\n']
)
def test_tsv_has_no_quoting(tmp_path: Path, content: str) -> None:
    put(tmp_path / "a.tsv", content)
    assert read("a.tsv", tmp_path) == ['"one', 'two"']


@pytest.mark.parametrize("kind", ["string", "large_string"])
def test_parquet(tmp_path: Path, kind: str) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    texts = [f"text {i}" for i in range(1000)]
    table = pyarrow.table({"id": range(1001), "body": pyarrow.array([*texts, None], kind)})
    parquet.write_table(table, tmp_path / "a.parquet", row_group_size=300)
    notes = Notes()
    assert list(read_texts("a.parquet", tmp_path, notes)) == texts
    assert notes.checks > 1


def test_conllu_takes_the_given_text_or_joins_the_forms(tmp_path: Path) -> None:
    def word(number: str, form: str, misc: str = "_") -> str:
        return "\t".join([number, form, *"______", "_", misc]) + "\n"

    put(
        tmp_path / "a.conllu",
        "# sent_id = 1\n# text = Given = text.\n" + word("1", "Ignored") + "\n"
        "# text_en = no\n" + word("1-2", "fil-", "SpaceAfter=No") + word("1", "fi") + word("2", "l-")
        + word("3", "belt", "Gloss=x|SpaceAfter=No") + word("3.1", "ghost") + word("4", ".") + "\n\n"
        + word("1", "Last") + word("2", "one"),
    )  # fmt: skip
    assert [text.strip() for text in read("a.conllu", tmp_path)] == ["Given = text.", "fil-belt.", "Last one"]


# -- what a source names ---------------------------------------------------------------------------------------------


def test_a_folder_is_read_in_the_order_of_names_without_hidden_files(tmp_path: Path) -> None:
    for name in ("b.txt", "a/z.txt", "a/a.txt", "Z.txt", "c.txt.gz", "._b.txt", ".git/d.txt", "notes.md"):
        content = f"{name}\n".encode()
        put(tmp_path / "texts" / name, gzip.compress(content) if name.endswith(".gz") else content)
    assert read("texts", tmp_path) == ["Z.txt", "a/a.txt", "a/z.txt", "b.txt", "c.txt.gz"]
    assert read(str(tmp_path / "texts"), Path("/nowhere")) == read("texts", tmp_path)


def test_a_pattern_is_read_in_the_order_of_names(tmp_path: Path) -> None:
    base = tmp_path / "a [strange] folder"
    for name in ("b.txt", "a.txt", "c.md", "deep/er/d.txt"):
        put(base / name, name)
    assert read("*.txt", base) == ["a.txt", "b.txt"]
    assert read("**/*.txt", base) == ["a.txt", "b.txt", "deep/er/d.txt"]
    assert read("../a*/[ab]*", base) == ["a.txt", "b.txt"]


def test_a_name_with_brackets_is_a_name_first(tmp_path: Path) -> None:
    put(tmp_path / "a[1].txt", "one")
    assert read("a[1].txt", tmp_path) == ["one"]


def test_sample(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sample, "corpus_file", lambda: put(tmp_path / "sample.txt", "one"))
    assert read("sample", Path("/nowhere")) == ["one"]


def test_an_empty_file_among_others_is_told(tmp_path: Path) -> None:
    put(tmp_path / "texts/a.txt", "one\n")
    put(tmp_path / "texts/b.txt", " \n")
    notes = Notes()
    assert list(read_texts("texts", tmp_path, notes)) == ["one"]
    assert notes.texts == [f"{tmp_path / 'texts/b.txt'} holds no text."]
    assert corpus_faults(["texts"], tmp_path) == []


def test_long_reading_asks_whether_to_go_on(tmp_path: Path) -> None:
    put(tmp_path / "a.txt", "word\n" * 50_000 + "\n" * 50_000)
    notes = Notes()
    assert len(list(read_texts("a.txt", tmp_path, notes))) == 50_000
    assert notes.checks >= 8


# -- what can't be read ----------------------------------------------------------------------------------------------

ZIP = b"PK\x03\x04" + bytes(100)
FAULTY = {
    "missing.txt": (None, "There is no file or folder .*missing.txt"),
    "no/*.txt": (None, r"No file that can be read as a corpus matches 'no/\*.txt'"),
    "a.docx": (ZIP, r"a.docx is not of a kind .*\.txt, \.jsonl, \.csv, \.tsv, \.parquet or \.conllu"),
    "a.parquet.gz": (b"x", "not of a kind"),
    "zip.txt": (ZIP, "zip.txt is a ZIP or Office file, not plain text"),
    "pdf.txt": (b"%PDF-1.7\n\x01", "is a PDF file"),
    "gz.txt": (gzip.compress(b"one"), "compressed with gzip.*Rename it to gz.txt.gz"),
    "binary.txt": (bytes(range(32)) * 9, "holds binary data"),
    "empty.txt": (b"", "empty.txt is empty: there is no text in it"),
    "blank.txt": (b" \r\n\t\n", "blank.txt is empty"),
    "header.tsv": (b"text\tlabel\n", "header.tsv is empty"),
    "latin.txt": ("one\ntwo ħ\nthré\n".encode().replace("é".encode(), b"\xe9"),
                  r"latin.txt is not UTF-8: line 3 has the byte 0xE9 \(byte 15 of the file\).*Save it as plain text"),
    "half.txt": (codecs.BOM_UTF16_LE + b"a\0b", "half.txt is not the UTF-16-LE that its first bytes say"),
    "mark.txt": (codecs.BOM_UTF8 + b"a\n\xff", "line 2 has the byte 0xFF"),
    "plain.txt.gz": (b"one\n", "plain.txt.gz is not a sound gzip file"),
    "cut.txt.gz": (gzip.compress(os.urandom(500))[:300], "ends in the middle of its compressed data"),
    "list.jsonl": (b"[1]\n", r"list.jsonl, line 1, is not a JSON object"),
    "broken.jsonl": (b'\n{"text": \n', r"broken.jsonl, line 2, is not JSON"),
    "two.jsonl": (b'{"a": "x", "b": "y"}\n', r"line 1: none of the columns 'a', 'b' .*Name the column"),
    "number.jsonl": (b'{"text": 7}\n', r"line 1, has no text under 'text'"),
    "columns.tsv": (b"a\tb\nx\ty\n", r"columns.tsv, line 1: none of the columns 'a', 'b'"),
    "columns.csv": (b"a,b\nx,y\n", r"columns.csv, line 1: none of the columns 'a', 'b'"),
    "quote.csv": (b'text\n"one\n', r"quote.csv, line 2, breaks the rules of CSV"),
    "ragged.tsv": (b"text\tlabel\none\n", r"ragged.tsv, line 2, has 1 columns, the first line has 2"),
    "no.parquet": (b"PAR1", "no.parquet is not a whole Parquet file"),
    "no.conllu": (b"1\tword\n", r"no.conllu, line 1, is not a line of CoNLL-U"),
    "id.conllu": (b"x" + b"\t_" * 9, r"id.conllu, line 1, is not"),
}  # fmt: skip


@pytest.mark.parametrize("name", FAULTY)
def test_bad_sources_are_refused_at_once_and_when_read(tmp_path: Path, name: str) -> None:
    content, message = FAULTY[name]
    if content is not None:
        put(tmp_path / name, content)
    with pytest.raises(InputError, match=message) as caught:
        read(name, tmp_path)
    assert corpus_faults([name], tmp_path) == list(caught.value.faults)


def test_all_faults_at_once(tmp_path: Path) -> None:
    put(tmp_path / "good.txt", "one")
    put(tmp_path / "empty.txt", "")
    put(tmp_path / "folder/bad.tsv", "a\tb\n")
    put(tmp_path / "folder/bad.txt", b"\xff")
    (tmp_path / "hollow").mkdir()
    faults = corpus_faults(["good.txt", "missing.txt", "empty.txt", "folder", "hollow", "hub:a b"], tmp_path)
    wanted = ["missing.txt", "empty.txt", "bad.tsv", "bad.txt", "hollow", "hub:a b"]
    assert len(faults) == len(wanted)
    assert all(name in fault.problem for name, fault in zip(wanted, faults, strict=True))


def test_a_folder_of_empty_files_is_refused(tmp_path: Path) -> None:
    put(tmp_path / "texts/a.txt", "")
    put(tmp_path / "texts/b.txt", "\n")
    with pytest.raises(InputError, match="Every one of the 2 files of 'texts' is empty"):
        read("texts", tmp_path)
    assert len(corpus_faults(["texts"], tmp_path)) == 1


def test_later_lines_are_checked_when_they_are_read(tmp_path: Path) -> None:
    put(tmp_path / "a.jsonl", '{"text": "one"}\n{"txt": "two"}\n')
    with pytest.raises(InputError, match="line 2, has no text under 'text'"):
        read("a.jsonl", tmp_path)


def test_texts_have_their_places(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    put(tmp_path / "a.txt", "one\n\ntwo\n")
    put(tmp_path / "b.jsonl", '\n{"text": "one"}\n{"text": ""}\n{"text": "two"}\n')
    put(tmp_path / "c.csv", 'text;id\n"one\nand more";1\n\ntwo;2\n')
    put(tmp_path / "d.tsv", "text\tid\none\t1\ntwo\t2\n")
    put(tmp_path / "e.conllu", "# text = one\n\n\n# text = two\n")
    parquet.write_table(pyarrow.table({"text": ["one", None, "two"]}), tmp_path / "f.parquet")
    places = {
        name: [(text.line, text.text) for text in read_files(name, [tmp_path / name], Quiet()) if text.text]
        for name in ("a.txt", "b.jsonl", "c.csv", "d.tsv", "e.conllu", "f.parquet")
    }
    assert places == {
        "a.txt": [(1, "one"), (3, "two")],
        "b.jsonl": [(2, "one"), (4, "two")],
        "c.csv": [(2, "one\nand more"), (5, "two")],
        "d.tsv": [(2, "one"), (3, "two")],
        "e.conllu": [(1, "one"), (4, "two")],
        "f.parquet": [(1, "one"), (3, "two")],
    }
    assert (
        list(read_texts("*", tmp_path, Quiet())) == ["one", "two"] * 2 + ["one\nand more", "two"] + ["one", "two"] * 3
    )


def test_a_table_in_another_encoding_is_told_once(tmp_path: Path) -> None:
    texts = ["Veľká časť obyvateľov žije v mestách", "Ťažko povedať, čo prinesie budúci týždeň", "Škola stojí ďaleko"]
    put(tmp_path / "a.csv", "\n".join(["id;text", *(f'1;"{text}"' for text in texts)]).encode("cp1250"))
    notes = Notes()
    assert list(read_texts("a.csv", tmp_path, notes)) == texts
    assert len(notes.texts) == 1 and "read as Windows-1250" in notes.texts[0]


def test_a_file_without_line_ends_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines_module, "LONGEST_LINE", 100)
    put(tmp_path / "a.txt", f"{'a' * 99}\n{'b' * 100}")
    with pytest.raises(InputError, match=r"a.txt, line 2, has 100 characters or more"):
        read("a.txt", tmp_path)


def test_a_file_of_somebody_else_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path, ctx: Context) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    put(tmp_path / "a.txt", "one")
    monkeypatch.setattr(lines_module, "_open", refuse)
    with pytest.raises(InputError, match=r"a.txt can't be read: Permission denied\. \(Check that"):
        read("a.txt", tmp_path)


def test_a_folder_named_like_a_file_is_a_folder(tmp_path: Path) -> None:
    (tmp_path / "a.txt").mkdir()
    with pytest.raises(InputError, match=r"The folder .*a.txt holds no texts"):
        read("a.txt", tmp_path)


def test_a_damaged_parquet_is_refused(tmp_path: Path) -> None:
    put(tmp_path / "a.parquet", b"PAR1" + bytes(50) + b"PAR1")
    with pytest.raises(InputError, match=r"a.parquet can't be read"):
        read("a.parquet", tmp_path)


def test_a_parquet_without_strings_is_refused(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    parquet.write_table(pyarrow.table({"text": [1, 2]}), tmp_path / "a.parquet")
    with pytest.raises(InputError, match=r"The column 'text' of .*a.parquet holds no texts"):
        read("a.parquet", tmp_path)


# -- the hub ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """A stand-in for the hub: what it serves or raises, and how it was asked."""
    datasets = pytest.importorskip("datasets")
    state: dict[str, Any] = {"rows": [], "error": None, "asked": None}

    def load(name: str, configuration: str | None) -> SimpleNamespace:
        def stream(split: str) -> Iterator[dict[str, Any]]:
            state["asked"] = (name, configuration, split)
            return iter(state["rows"])

        if state["error"]:
            raise state["error"]
        config = SimpleNamespace(data_files=None)  # as of what is in the cache
        return SimpleNamespace(repo_id=name, config=config, as_streaming_dataset=stream)

    monkeypatch.setattr(datasets, "load_dataset_builder", load)
    yield state


def test_the_hub_is_streamed_and_runs_no_code(hub: dict[str, Any]) -> None:
    hub["rows"] = [{"id": 1, "content": "one"}, {"id": 2, "content": None}, {"id": 3, "content": "two"}]
    assert read("hub:cis-lmu/GlotCC-v1:mlt-Latn:content", Path()) == ["one", "two"]
    assert hub["asked"] == ("cis-lmu/GlotCC-v1", "mlt-Latn", "train")
    assert read("hub:plain", Path()) == ["one", "two"]
    assert hub["asked"] == ("plain", None, "train")


@pytest.mark.parametrize(
    ("source", "rows", "message"),
    [
        ("hub:a/b:c:txt", [{"id": 1, "text": "x"}], r"'a/b' has no column 'txt'. \(It has 'id', 'text'"),
        ("hub:a/b:c:id", [{"id": 1, "text": "x"}], r"column 'id' of the data set 'a/b' holds no texts"),
        ("hub:a/b", [{"x": "1", "y": "2"}], "none of the columns 'x', 'y'"),
        ("hub:a/b", [], "is empty"),
        ("hub:a/b:c:d:e", [], "does not name a data set"),
        ("hub:..", [], "does not name a data set"),
        ("hub:", [], "does not name a data set"),
    ],
)
def test_what_the_hub_has_not_got(hub: dict[str, Any], source: str, rows: list[dict[str, Any]], message: str) -> None:
    hub["rows"] = rows
    with pytest.raises(InputError, match=message):
        read(source, Path())


def test_errors_of_the_hub_are_told(hub: dict[str, Any]) -> None:
    from datasets.exceptions import DatasetNotFoundError

    for error, message in (
        (DatasetNotFoundError("no"), "The hub has no data set 'a/b'"),
        (ConnectionError("no"), "The hub can't be reached"),
        (ValueError("BuilderConfig 'c' not found. Available: ['d']"), r"can't be read: .*Available: \['d'\]"),
    ):
        hub["error"] = error
        with pytest.raises(InputError, match=message) as caught:
            read("hub:a/b:c", Path())
        assert caught.value.__cause__ is error


def test_reading_files_imports_no_heavy_library(tmp_path: Path) -> None:
    put(tmp_path / "a.txt", "one")
    code = (
        "import sys; from pathlib import Path; from core.context import Quiet; import core.corpus.prepare;"
        "from core.corpus.reading import read_texts, corpus_faults;"
        f"base = Path({str(tmp_path)!r}); list(read_texts('a.txt', base, Quiet())); corpus_faults(['a.txt'], base);"
        "print({'torch', 'transformers', 'datasets', 'pyarrow', 'pandas'} & set(sys.modules))"
    )
    root = Path(__file__).parent.parent
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
