"""Parquet files that are small, or look small, and say much."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from core.context import Quiet
from core.corpus import lines, parquet_pages
from core.corpus.parquet_pages import parts_of, rows_at_once
from core.corpus.reading import read_texts
from core.errors import InputError

pyarrow = pytest.importorskip("pyarrow")
parquet = pytest.importorskip("pyarrow.parquet")
_MB = 2**20


def write(folder: Path, texts: list[str | None], **how: Any) -> Path:
    path = folder / "a.parquet"
    parquet.write_table(pyarrow.table({"n": list(range(len(texts))), "text": texts}), path, compression="zstd", **how)
    return path


def rows(path: Path) -> int:
    with open(path, "rb") as raw:
        return rows_at_once(path, raw, parts_of(path, raw)[0][1])


def read(path: Path) -> list[str]:
    return list(read_texts(path.name, path.parent, Quiet()))


@pytest.mark.parametrize("version", ["1.0", "2.0"])
@pytest.mark.parametrize("how", [{}, {"use_dictionary": False}, {"dictionary_pagesize_limit": 1000}])
def test_usual_texts_are_read_many_at_once(version: str, how: dict[str, Any], tmp_path: Path) -> None:
    texts = [f"text {number}" * 5 for number in range(5000)]
    path = write(tmp_path, [*texts, None], data_page_version=version, data_page_size=10_000, **how)
    assert rows(path) == 256
    assert read(path) == texts


@pytest.mark.parametrize("how", [{}, {"use_dictionary": False, "column_encoding": {"text": "DELTA_BYTE_ARRAY"}}])
def test_a_long_text_that_is_told_again_and_again_is_read_few_times_at_once(
    how: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path, ["word " * 20_000] * 300, **how)
    monkeypatch.setattr(parquet_pages, "_MOST_TOGETHER", _MB)
    assert rows(path) <= 10
    monkeypatch.setattr(lines, "_SURELY_TEXT", 5 * _MB)
    with pytest.raises(InputError, match=r"a\.parquet unpacks to more than 200 times its size"):
        read(path)


def test_long_texts_side_by_side_are_read_few_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet_pages, "_MOST_TOGETHER", 64 * _MB)
    path = write(tmp_path, [f"{number}" * _MB for number in range(10)] * 8, use_dictionary=False, write_batch_size=1)
    assert 16 <= rows(path) <= 64


def test_a_page_that_would_fill_the_memory_is_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path, ["a" * _MB])
    monkeypatch.setattr(parquet_pages, "_LARGEST_PAGE", 100_000)
    with pytest.raises(InputError, match=r"a\.parquet has pages of more than .* \(Write it again with fewer rows"):
        read(path)


def test_a_text_without_end_is_refused_as_a_line_is(tmp_path: Path) -> None:
    path = write(tmp_path, ["one", "a" * 10_000_000])
    with pytest.raises(InputError, match=r"a\.parquet, row 2, has 10,000,000 characters or more"):
        read(path)


def test_long_statistics_in_headers_are_passed_over(tmp_path: Path) -> None:
    texts = ["a" * 3000, "b" * 3000]
    assert read(write(tmp_path, [*texts], write_page_index=False, use_dictionary=False)) == texts


def test_what_is_no_header_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path, ["one", "two"])
    with parquet.ParquetFile(path) as file:
        place = file.metadata.row_group(0).column(1).dictionary_page_offset
    content = bytearray(path.read_bytes())
    for damage in (b"\xff" * 12, b"\x1c" * 20, b"\x15\x01"):
        content[place : place + len(damage)] = damage
        path.write_bytes(content)
        with pytest.raises(InputError, match=r"a\.parquet can't be read"):
            read(path)


def test_columns_of_one_name_are_not_mistaken_for_each_other(tmp_path: Path) -> None:
    columns = [pyarrow.array([{"text": "a"}]), pyarrow.array(["b"])]
    parquet.write_table(pyarrow.Table.from_arrays(columns, names=["text", "text"]), tmp_path / "a.parquet")
    with pytest.raises(InputError, match="more than one column 'text'"):
        read(tmp_path / "a.parquet")


def test_a_damaged_byte_ends_neither_the_process_nor_in_a_fault_of_ours(tmp_path: Path) -> None:
    path = write(tmp_path, ["one", "two", "one"] * 3, row_group_size=5)
    content = path.read_bytes()
    refused = 0
    for place in range(4, len(content) - 4, 2):
        path.write_bytes(content[:place] + bytes([content[place] ^ 0x10]) + content[place + 1 :])
        try:
            read(path)
        except InputError:
            refused += 1
    assert refused > 100


@pytest.mark.parametrize("end", [b"\x49" + b"\x19" * 5000, b"\x49\xfc" + b"\xff" * 9 + b"\x01", b"\x45\x02\x00", b""])
def test_an_end_that_says_nothing_of_the_kind_is_refused(end: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_bytes(b"PAR1" + end + len(end).to_bytes(4, "little") + b"PAR1")
    with open(tmp_path / "a.parquet", "rb") as raw, pytest.raises(InputError, match="its pages are damaged"):
        parts_of(tmp_path / "a.parquet", raw)
