"""What the pages of a Parquet file say of themselves, and how many rows can be read at once by that. No torch.

A few hundred bytes may hold one long text and say it a million times, or tell of gigabytes to unpack. What the end of
the file says of its columns shows neither; the headers of the pages do, and are what reading goes by.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from core.corpus.lines import check_unpacked
from core.corpus.thrift import Wanted, read_struct
from core.errors import InputError

_MOST_ROWS = 256
_LARGEST_PAGE, _MOST_TOGETHER = 2**30, 2**27
"""Bytes of a page, which is unpacked as a whole, and of the texts that are read at once where these are several."""
_MOST_PAGES = 200_000
"""Of a row group; each is a few thousand texts, usually."""
_HEADER, _LONGEST_HEADER, _LONGEST_FOOTER = 2**10, 2**24, 2**24

_DATA, _DICTIONARY, _DATA_2 = 0, 2, 3
_PLAIN, _DELTA_LENGTH, _DELTA = 0, 6, 7
"""Encodings: each text by itself, all lengths before all texts, and texts by what they share with the one before."""

_PAGE: Wanted = {1: {}, 2: {}, 3: {}, 5: {1: {}, 2: {}}, 7: {1: {}, 2: {}}, 8: {1: {}, 4: {}}}
_FOOTER: Wanted = {4: {1: {3: {5: {}, 9: {}, 11: {}}}}}
"""Fields as parquet.thrift numbers them: of a page's header kind, sizes and what is in it; at a file's end, of every
row group's columns, number of values and places."""


class _Page(NamedTuple):
    kind: int
    rows: int
    encoding: int
    size: int
    """Bytes, packed or unpacked, whichever are more."""


class Part(NamedTuple):
    """A row group's part of a column."""

    place: int
    """Of its first page in the file."""
    values: int


def parts_of(path: Path, file: BinaryIO) -> list[list[Part]]:
    """Every row group's parts, column by column; pyarrow's own view of them ends the process where one is damaged.

    Args:
        path: what to call the file in a message.
        file: the file, which begins and ends as Parquet does.

    Raises:
        InputError: its end is damaged.
    """
    try:
        end = file.seek(-8, os.SEEK_END)
        length = int.from_bytes(file.read(4), "little")
        if length > min(end, _LONGEST_FOOTER):
            raise ValueError("the end begins before the file, or is too long")
        file.seek(end - length)
        found, _ = read_struct(file.read(length), 0, _FOOTER)
        return [[_part(column[3]) for column in group[1]] for group in found[4]]
    except (LookupError, TypeError, ValueError) as error:
        raise _damaged(path) from error


def _part(column: Any) -> Part:
    place, dictionary = _number(column, 9), _number(column, 11)
    return Part(dictionary if 0 < dictionary < place else place, _number(column, 5))


def rows_at_once(path: Path, file: BinaryIO, part: Part) -> int:
    """How many rows of a column's part can be read at once, whatever is in them.

    Args:
        path: what to call the file in a message.
        file: the file.
        part: of a column of texts, without a list or structure around them.

    Raises:
        InputError: a page is too large, unpacks to far more than text does, or is no page.
    """
    try:
        pages = list(islice(_pages(file, part), _MOST_PAGES + 1))
    except (IndexError, ValueError, OverflowError) as error:
        raise _damaged(path) from error
    if len(pages) > _MOST_PAGES or any(page.size > _LARGEST_PAGE for page in pages):
        raise InputError(
            f"{path} has pages of more than {_LARGEST_PAGE // 2**20} MB, or more than {_MOST_PAGES:,} in a row group.",
            hint="Write it again with fewer rows a group (in pandas and pyarrow: row_group_size=50).",
        )
    for page in pages:
        check_unpacked(path, page.size, os.fstat(file.fileno()).st_size)
    dictionary = max((page.size for page in pages if page.kind == _DICTIONARY), default=0)
    data = [page for page in pages if page.kind != _DICTIONARY and page.rows]
    # A text can't be longer than what it is told by, which may tell it again and again.
    told = (page.size if page.encoding == _DELTA else dictionary for page in data if not _once(page))
    rows = max(1, min(_MOST_ROWS, _MOST_TOGETHER // max([1, *told])))
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


def _pages(file: BinaryIO, part: Part) -> Iterator[_Page]:
    """The pages of a column's part, by their headers: as pyarrow goes through them, one after the other."""
    place, left = part
    while left > 0:
        header, length = _header(file, place)
        kind, unpacked, packed = (_number(header, number) for number in (1, 2, 3))
        inner = header.get({_DATA: 5, _DICTIONARY: 7, _DATA_2: 8}.get(kind, 0), {})
        rows, encoding = _number(inner, 1), _number(inner, 4 if kind == _DATA_2 else 2)
        left -= 0 if kind == _DICTIONARY else rows
        yield _Page(kind, rows, encoding, max(unpacked, packed))
        place += length + packed


def _header(file: BinaryIO, place: int) -> tuple[dict[int, Any], int]:
    """What the header of a page says, by the fields' numbers, and its length."""
    most = _HEADER
    while True:
        file.seek(place)
        data = file.read(most)
        try:
            return read_struct(data, 0, _PAGE)
        except IndexError:
            if len(data) < most or most >= _LONGEST_HEADER:
                raise
            most *= 16


def _number(struct: Any, field: int) -> int:
    value = struct.get(field, 0) if isinstance(struct, dict) else None
    if not isinstance(value, int) or value < 0:
        raise ValueError("no number where one has to be")
    return value


def _damaged(path: Path) -> InputError:
    return InputError(f"{path} can't be read: its pages are damaged.", hint="Make or download the file again.")
