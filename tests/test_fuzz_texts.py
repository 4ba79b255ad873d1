"""Damaged texts and labelled data: a few of the cases that `benchmarks/fuzz` tries by the thousand, and the worst."""

from __future__ import annotations

import gzip
import os
import sys
import tracemalloc
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.fuzz.batch import run_batch
from benchmarks.fuzz.texts import READERS
from core.context import Quiet
from core.corpus import lines
from core.corpus.reading import corpus_faults, read_texts
from core.corpus.survey import survey
from core.errors import InputError
from core.tasks import formats
from core.tasks.data import KINDS, load_task


@pytest.mark.parametrize("name", READERS)
def test_damaged_files_are_read_right_or_refused(name: str) -> None:
    found = run_batch(READERS[name], 25, seed=1)
    assert found["failures"] == []
    assert found["right"] and found["refused"]


def _zeros_packed(size: int, piece: bytes) -> bytes:
    """So many bytes, the same again and again, as gzip."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    block = piece * (1_000_000 // len(piece))
    return b"".join([*(packer.compress(block) for _ in range(size // len(block))), packer.flush()])


def _refused(name: str, folder: Path, words: str) -> None:
    """Every way to look at a corpus refuses it with these words, in little memory."""
    tracemalloc.start()
    try:
        for look in (
            lambda: list(read_texts(name, folder, Quiet())),
            lambda: survey([name], folder, Quiet()),
            lambda: _raise(corpus_faults([name], folder)),
        ):
            with pytest.raises(InputError, match=words) as caught:
                look()
            assert name in str(caught.value)
        assert tracemalloc.get_traced_memory()[1] < 150_000_000
    finally:
        tracemalloc.stop()


def _raise(faults: list[object]) -> None:
    raise InputError.of(faults)  # type: ignore[arg-type]


@pytest.mark.parametrize("piece", [b"a\n", b"the same line again\n", b"a"])
def test_a_gzip_bomb_goes_off_nowhere(piece: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "_SURELY_TEXT", 1_000_000)
    (tmp_path / "bomb.txt.gz").write_bytes(_zeros_packed(12_000_000, piece))
    words = "unpacks to more than 200 times its size" if b"\n" in piece else "unpacks to more|characters or more"
    with pytest.raises(InputError, match=words):
        list(read_texts("bomb.txt.gz", tmp_path, Quiet()))


def test_a_bomb_in_another_encoding_goes_off_nowhere_either(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "_SURELY_TEXT", 1_000_000)
    packed = gzip.compress(b"caf\xe9\n") + _zeros_packed(12_000_000, b"a\n")
    (tmp_path / "bomb.txt.gz").write_bytes(packed)
    with pytest.raises(InputError, match="unpacks to more"):
        list(read_texts("bomb.txt.gz", tmp_path, Quiet()))


def test_small_files_may_repeat_themselves(tmp_path: Path) -> None:
    (tmp_path / "drill.txt.gz").write_bytes(_zeros_packed(1_000_000, b"again\n"))
    assert sum(1 for _ in read_texts("drill.txt.gz", tmp_path, Quiet())) > 100_000


@pytest.mark.parametrize(
    "nothing",
    [gzip.compress(b"") * 20_000, b"\x1f\x8b\x08\x08" + bytes(6) + b"a" * 400_000 + gzip.compress(b"")[9:]],
    ids=["members", "name"],
)
def test_a_gzip_file_may_not_go_on_about_nothing(nothing: bytes, tmp_path: Path) -> None:
    packed = gzip.compress(b"one\n")
    (tmp_path / "sound.txt.gz").write_bytes(packed + gzip.compress(b"") * 1000 + packed + bytes(10_000))
    assert list(read_texts("sound.txt.gz", tmp_path, Quiet())) == ["one", "one"]
    (tmp_path / "vain.txt.gz").write_bytes(packed + nothing + packed)
    _refused("vain.txt.gz", tmp_path, "holds nothing for more than 256 KB")


def test_small_pieces_of_a_gzip_file_ask_whether_to_go_on(tmp_path: Path) -> None:
    class Counting(Quiet):
        asked = 0

        def check(self) -> None:
            self.asked += 1

    (tmp_path / "pieces.txt.gz").write_bytes(gzip.compress(b"a") * 1000)
    ctx = Counting()
    assert list(read_texts("pieces.txt.gz", tmp_path, ctx)) == ["a" * 1000]
    assert ctx.asked >= 1000


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("long.txt", b"a" * 10_000_001, "10,000,000 characters or more"),
        ("long.tsv", b"text\n" + b"a" * 10_000_001, "10,000,000 characters or more"),
        ("long.csv", b'text\n"' + (b"a" * 999 + b"\n") * 10_100 + b'"', "breaks the rules of CSV"),
        ("row.csv", b'id,text\n"' + (b"a" * 99_999 + b'\n","') * 201, "a row has more than"),
        (
            "sentence.conllu",
            b"".join(b"%d\t%s%s\n" % (number, b"a" * 99_999, b"\t_" * 8) for number in range(1, 102)),
            "line 1, begins a sentence of 10,000,000",
        ),
        ("nul.txt", bytes(10_000_000), "binary data"),
        ("nul.jsonl", bytes(1000), "binary data"),
        ("empty.txt", b"\n" * 50_000, "no text in it"),
        ("deep.jsonl", b"[" * 1_000_000, "not JSON"),
        ("mixed.txt", "Ľúbezný kôň\n".encode() * 100 + "Ľúbezný kôň\n".encode("cp1250") * 100, "not UTF-8"),
    ],
)
def test_what_is_no_text_is_refused_in_little_memory(name: str, content: bytes, words: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    _refused(name, tmp_path, words)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such files")
@pytest.mark.parametrize("name", ["pipe.txt", "pipe.jsonl", "pipe.txt.gz", "pipe.parquet"])
def test_nobody_waits_at_a_pipe(name: str, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / name)
    _refused(name, tmp_path, "no file")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such files")
def test_a_device_has_no_end_and_is_not_begun(tmp_path: Path) -> None:
    (tmp_path / "zeros.txt").symlink_to("/dev/zero")
    _refused("zeros.txt", tmp_path, "no file")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows makes links for administrators only")
def test_a_folder_in_itself_is_read_once(tmp_path: Path) -> None:
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "a.txt").write_text("one\n")
    (tmp_path / "texts" / "loop").symlink_to(tmp_path / "texts")
    assert list(read_texts("texts", tmp_path, Quiet())) == ["one"]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows makes links for administrators only")
@pytest.mark.parametrize("pattern", ["**/*.txt", "**", "*/**/*.txt"])
def test_a_pattern_goes_through_a_folder_in_itself_once(pattern: str, tmp_path: Path) -> None:
    texts = tmp_path / "all" / "texts"
    (texts / "deep" / "er").mkdir(parents=True)
    (texts / "deep" / "er" / "a.txt").write_text("one\n")
    for name in ("loop", "another"):
        (texts / name).symlink_to(texts)
    (tmp_path / "linked").symlink_to(tmp_path / "all")
    assert list(read_texts(f"linked/{pattern}", tmp_path, Quiet())) == ["one"]


@pytest.mark.parametrize("make", [os.mkdir, getattr(os, "mkfifo", os.mkdir)])
def test_labelled_data_are_files(make: Callable[[Path], None], tmp_path: Path) -> None:
    for split in ("train", "validation", "test"):
        make(tmp_path / f"{split}.tsv")
    with pytest.raises(InputError, match=r"train\.tsv"):
        load_task("topic", ".", tmp_path)


def test_labelled_data_of_gigabytes_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(formats, "_MOST_BYTES", 2**20)
    for split in ("train", "validation", "test"):
        (tmp_path / f"{split}.tsv").write_bytes(b"text\tlabel\n" + b"a\tb\n" * 2**19)
    with pytest.raises(InputError, match="too large for labelled data"):
        load_task("topic", ".", tmp_path)


@pytest.mark.parametrize(
    ("kind", "line"), [("topic", "a\tb\n"), ("ner", "a\tO\n"), ("pos", "1\ta\t_\tX" + "\t_" * 6 + "\n\n")]
)
def test_labelled_data_of_too_many_lines_are_refused(
    kind: str, line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for split in ("train", "validation", "test"):
        (tmp_path / f"{split}{KINDS[kind].suffix}").write_text(
            ("text\tlabel\n" if kind == "topic" else "") + line * 1000
        )
    monkeypatch.setattr(formats, "_MOST_LINES", 900)
    with pytest.raises(InputError, match=r"train\.\w+ is too large for labelled data: it has more than 900 lines"):
        load_task(kind, ".", tmp_path)
