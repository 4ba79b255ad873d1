"""What the pages of a Parquet file say of themselves, and how many rows can be read at once by that. No torch.

A few hundred bytes may hold one long text and say it a million times, or tell of gigabytes to unpack. What the end of
the file says of its columns shows neither; the headers of the pages do, and are what reading goes by.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

from core.errors import InputError

if TYPE_CHECKING:
    from pyarrow.parquet import ColumnChunkMetaData

_MOST_ROWS = 256
_LARGEST_PAGE, _MOST_TOGETHER = 2**27, 2**26
"""Bytes of a page, which is unpacked as a whole, and of the texts that are read at once where these are several."""
_MOST_PAGES = 200_000
"""Of a row group; each is a few thousand texts, usually."""
_HEADER, _LONGEST_HEADER = 2**10, 2**24
_DEEPEST = 8

_DATA, _DICTIONARY, _DATA_2 = 0, 2, 3
_PLAIN, _DELTA_LENGTH, _DELTA = 0, 6, 7
"""Encodings: each text by itself, all lengths before all texts, and texts by what they share with the one before."""


class _Page(NamedTuple):
    kind: int
    rows: int
    encoding: int
    size: int
    """Bytes, packed or unpacked, whichever are more."""


def rows_at_once(path: Path, file: BinaryIO, column: ColumnChunkMetaData) -> int:
    """How many rows of a column's part can be read at once, whatever is in them.

    Args:
        path: what to call the file in a message.
        file: the file.
        column: the part of a column of texts, without a list or structure around them.

    Raises:
        InputError: a page is too large, or no page.
    """
    try:
        pages = list(islice(_pages(file, column), _MOST_PAGES + 1))
    except (IndexError, ValueError) as error:
        raise InputError(
            f"{path} can't be read: a page is damaged.", hint="Make or download the file again."
        ) from error
    if len(pages) > _MOST_PAGES or any(page.size > _LARGEST_PAGE for page in pages):
        raise InputError(
            f"{path} has pages of more than {_LARGEST_PAGE // 2**20} MB, or more than {_MOST_PAGES:,} in a row group.",
            hint="Write it again with fewer rows a group (in pandas and pyarrow: row_group_size=50).",
        )
    dictionary = max((page.size for page in pages if page.kind == _DICTIONARY), default=0)
    data = [page for page in pages if page.kind != _DICTIONARY and page.rows]
    # A text can't be longer than what it is told by, which may tell it again and again.
    told = (page.size if page.encoding == _DELTA else dictionary for page in data if not _once(page))
    rows = max(1, min(_MOST_ROWS, _MOST_TOGETHER // max(1, 1, *told)))
    while rows > 1 and _most_together(data, rows) > _MOST_TOGETHER:
        rows //= 2
    return rows


def _once(page: _Page) -> bool:
    """Whether a page is as large as its texts."""
    return page.encoding in (_PLAIN, _DELTA_LENGTH)


def _most_together(pages: list[_Page], rows: int) -> int:
    """Bytes of all pages that so many rows, read at once, may be from; those whose texts are as large as they."""
    most = together = done = 0
    last = -1  # the batch that ended with the page before
    for page in pages:
        size = page.size if _once(page) else 0
        first, before = done // rows, last
        done += page.rows
        last = (done - 1) // rows
        together = together + size if first == before else size
        most = max(most, together)
        if last > first:
            together = size
    return most


def _pages(file: BinaryIO, column: ColumnChunkMetaData) -> Iterator[_Page]:
    """The pages of a column's part, by their headers: as pyarrow goes through them, one after the other."""
    place = column.data_page_offset
    if column.has_dictionary_page and 0 < column.dictionary_page_offset < place:
        place = column.dictionary_page_offset
    left = column.num_values
    while left > 0:
        header, length = _header(file, place)
        kind, unpacked, packed = (_number(header, number) for number in (1, 2, 3))
        inner = header.get({_DATA: 5, _DICTIONARY: 7, _DATA_2: 8}.get(kind, 0), {})
        if not isinstance(inner, dict):
            raise ValueError("no page")
        rows, encoding = _number(inner, 1), _number(inner, 4 if kind == _DATA_2 else 2)
        left -= 0 if kind == _DICTIONARY else rows
        yield _Page(kind, rows, encoding, max(unpacked, packed))
        place += length + packed


def _number(struct: _Struct, field: int) -> int:
    value = struct.get(field, 0)
    if not isinstance(value, int) or value < 0:
        raise ValueError("no page")
    return value


# -- Thrift, in which headers are written ----------------------------------------------------------------------------

_Struct = dict[int, "int | _Struct"]
_TRUE, _FALSE, _BYTE, _SHORT, _INTEGER, _LONG, _DOUBLE, _BINARY, _STRUCT = 1, 2, 3, 4, 5, 6, 7, 8, 12


def _header(file: BinaryIO, place: int) -> tuple[_Struct, int]:
    """What a header says, numbers and structures by their fields' numbers, and its length."""
    most = _HEADER
    while True:
        file.seek(place)
        data = file.read(most)
        try:
            return _struct(data, 0, 0)
        except IndexError:
            if len(data) < most or most >= _LONGEST_HEADER:
                raise
            most *= 16


def _struct(data: bytes, at: int, depth: int) -> tuple[_Struct, int]:
    """A structure at a place, and where it ends."""
    if depth > _DEEPEST:
        raise ValueError("too deep")
    found: _Struct = {}
    number = 0
    while data[at]:
        kind, step = data[at] & 15, data[at] >> 4
        at += 1
        if step:
            number += step
        else:
            number, at = _integer(data, at)
        if not 0 < number < 2**15:
            raise ValueError("no field of a header")
        if kind == _STRUCT:
            found[number], at = _struct(data, at, depth + 1)
        elif kind == _INTEGER:
            found[number], at = _integer(data, at)
        elif kind in (_SHORT, _LONG):
            _, at = _varint(data, at)
        elif kind == _BINARY:
            length, at = _varint(data, at)
            at += length
        elif kind in (_BYTE, _DOUBLE):
            at += 1 if kind == _BYTE else 8
        elif kind not in (_TRUE, _FALSE):
            raise ValueError("no field of a header")
    return found, at + 1


def _integer(data: bytes, at: int) -> tuple[int, int]:
    value, at = _varint(data, at)
    if value >= 2**32:  # another reader might see what is left of it in 32 bits
        raise ValueError("no number of a header")
    return value >> 1 ^ -(value & 1), at


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for place in range(10):
        value |= (data[at + place] & 127) << 7 * place
        if data[at + place] < 128:
            return value, at + place + 1
    raise ValueError("no number")
