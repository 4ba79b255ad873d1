"""One file to its texts, each with its place: what the kinds of files look like inside. No torch."""

from __future__ import annotations

import csv
import functools
import json
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from core.conllu import PLACE, Sentence
from core.context import Context, Quiet
from core.corpus.lines import LONGEST_LINE, check_unpacked, read_lines, unreadable
from core.corpus.parquet_pages import parts_of, rows_at_once
from core.errors import InputError
from core.small_files import open_file

if TYPE_CHECKING:
    from pyarrow.parquet import ParquetFile

Refuse = Callable[[Path, InputError], None]
"""What to do about a line of a file that isn't as it has to be; where this returns, the next line is read."""
Numbered = Iterator[tuple[int, str]]
"""Texts, some of them blank, each with the number of its line (in Parquet its row) from 1."""

_TEXT_COLUMNS = ("text", "content", "sentence")
_PARQUET_MAGIC = b"PAR1"
_PARQUET_BUFFER = 1024 * 1024
"""Bytes of a column that are read at once; without it, all of a row group."""


def refuse(path: Path, error: InputError) -> NoReturn:
    """Read no further: nothing is left out in silence."""
    raise error


def read_file(path: Path, ctx: Context, refuse: Refuse = refuse) -> Numbered:
    """The texts of one file, each with its line or row.

    Args:
        path: a file for which `kind_of_file` isn't None.
        ctx: asked again and again whether to go on; progress is in bytes of the file as it is on disk.
        refuse: told of lines that can't be read.

    Raises:
        InputError: the file can't be read at all, or `refuse` raises it.
    """
    kind = kind_of_file(path)
    if kind is None:
        raise ValueError(f"{path} is of no kind that can be read")
    return _READERS[kind](path, ctx, refuse)


def kind_of_file(path: Path) -> str | None:
    """What says how a file is read, without .gz; None where it can't be."""
    name = path.name.lower()
    compressed = name.endswith(".gz")
    suffix = Path(name.removesuffix(".gz")).suffix
    return suffix if suffix in _READERS and not (compressed and suffix == ".parquet") else None


def kinds() -> str:
    """The kinds of files that can be read, in words."""
    *some, last = _READERS
    return f"{', '.join(some)} or {last} files"


# -- kinds of files --------------------------------------------------------------------------------------------------


def _read_txt(path: Path, ctx: Context, refuse: Refuse) -> Numbered:
    yield from enumerate(read_lines(path, ctx), 1)


def _read_jsonl(path: Path, ctx: Context, refuse: Refuse) -> Numbered:
    key, certain = None, False
    known: set[str] = set()
    for number, line in enumerate(read_lines(path, ctx), 1):
        if not line or line.isspace():
            continue
        try:
            record = _json_object(line, f"{path}, line {number},")
        except InputError as error:
            refuse(path, error)
            continue
        if key is None:
            strings = [name for name, value in record.items() if isinstance(value, str)]
            key = text_column(list(record), strings, f"{path}, line {number}")
            certain = _known_column(list(record)) is not None
            known = {name for name, value in record.items() if value is not None}
        elif not certain:
            other = next((name for name, value in record.items() if isinstance(value, str) and name not in known), None)
            if other is not None:  # the first record had nothing there, so its only string may be a heading
                raise InputError(
                    f"{path}, line {number}: the texts may be under {key!r} or {other!r}, which held none before.",
                    hint="Name the column of the texts 'text', in every line.",
                )
        text = record.get(key, 0)
        if isinstance(text, str | None):
            yield number, text or ""
        else:
            problem = f"{path}, line {number}, has no text under {key!r}."
            refuse(path, InputError(problem, hint="Mend or remove that line."))


def _json_object(line: str, where: str) -> dict[str, object]:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{where} is not JSON: {error}.", hint="Each line has to be one JSON object.") from error
    if not isinstance(record, dict):
        raise InputError(f"{where} is not a JSON object.", hint='Each line has to look like {"text": "…"}.')
    return record


def _read_csv(path: Path, ctx: Context, refuse: Refuse) -> Numbered:
    """Fields quoted as in RFC 4180, separated by commas, or by semicolons where only those give a text column."""
    first = next(read_lines(path, Quiet()), "")
    semicolons = _known_column(first.split(",")) is None and _known_column(first.split(";")) is not None
    csv.field_size_limit(LONGEST_LINE)
    length = 0

    def ended() -> Iterator[str]:
        nonlocal length
        for line in read_lines(path, ctx):
            length += len(line) + 1
            if length > 2 * LONGEST_LINE:  # quotation marks may join lines for ever, in one field or in more and more
                raise csv.Error(f"a row has more than {2 * LONGEST_LINE:,} characters")
            yield line + "\n"

    rows = csv.reader(ended(), strict=True, delimiter=";" if semicolons else ",")

    def numbered() -> Iterator[tuple[int, list[str]]]:
        nonlocal length
        try:
            before = 0
            for row in rows:
                length = 0
                yield before + 1, row
                before = rows.line_num
        except csv.Error as error:
            raise InputError(
                f"{path}, line {rows.line_num}, breaks the rules of CSV: {error}.",
                hint='Put texts with commas, quotes or line ends into "quotes" and double the quotes in them.',
            ) from error

    yield from _read_table(path, numbered(), refuse)


def _read_tsv(path: Path, ctx: Context, refuse: Refuse) -> Numbered:
    """Fields separated by tabs; a quotation mark is an ordinary character."""
    rows = ((number, line.split("\t")) for number, line in enumerate(read_lines(path, ctx), 1))
    yield from _read_table(path, rows, refuse)


def _read_table(path: Path, rows: Iterator[tuple[int, list[str]]], refuse: Refuse) -> Numbered:
    """The text column of rows with line numbers; the first is a header unless it's the only column's first text."""
    header: list[str] | None = None
    column = 0
    for number, row in rows:
        if row in ([], [""]):
            continue
        if header is None:
            header = row
            if len(row) > 1 or _known_column(row) is not None:
                column = row.index(text_column(row, [], f"{path}, line {number}"))
                continue
        if len(row) == len(header):
            yield number, row[column]
        else:
            problem = f"{path}, line {number}, has {len(row)} columns, the first line has {len(header)}."
            refuse(path, InputError(problem, hint="Mend or remove that line; a file of texts alone can be named .txt."))


def _read_parquet(path: Path, ctx: Context, refuse: Refuse) -> Numbered:
    import pyarrow
    from pyarrow import parquet

    check_parquet(path)
    try:
        with parquet.ParquetFile(path, buffer_size=_PARQUET_BUFFER) as file:
            fields = list(file.schema_arrow)
            strings = [field.name for field in fields if str(field.type).removeprefix("large_") == "string"]
            column = text_column([field.name for field in fields], strings, str(path))
            if column not in strings:
                raise InputError(f"The column {column!r} of {path} holds no texts.", hint="Store it as strings.")
            yield from _parquet_texts(path, file, column, ctx)
    except (OSError, UnicodeDecodeError, pyarrow.ArrowException) as error:
        raise InputError(f"{path} can't be read: {error}", hint="Make or download the file again.") from error


def _parquet_texts(path: Path, file: ParquetFile, column: str, ctx: Context) -> Numbered:
    """The texts of a column, so few rows at once that they fit into memory whatever is in them."""
    schema, metadata = file.schema, file.metadata
    paths = [schema.column(place).path for place in range(metadata.num_columns)]
    places = [place for place, name in enumerate(paths) if f"{name}.".startswith(f"{column}.")]
    if len(places) != 1:  # pyarrow would read all of them
        raise InputError(f"{path} has more than one column {column!r}.", hint="Give each column a name of its own.")
    size, done, unpacked = os.stat(path).st_size, 0, 0
    with open_file(path) as raw:
        for group, columns in enumerate(parts_of(path, raw)):
            if len(columns) != len(paths):
                raise InputError(
                    f"{path} can't be read: a row group lacks columns.", hint="Make or download the file again."
                )
            most = rows_at_once(path, raw, columns[places[0]])
            for batch in file.iter_batches(batch_size=most, row_groups=[group], columns=[column]):
                ctx.check()
                ctx.progress(size * done // max(metadata.num_rows, 1), size)
                unpacked += batch.nbytes
                check_unpacked(path, unpacked, size)
                texts = batch.column(0).to_pylist()
                for row, text in enumerate(texts if batch.nbytes >= LONGEST_LINE else (), done + 1):
                    if text and len(text) >= LONGEST_LINE:
                        problem = f"{path}, row {row}, has {LONGEST_LINE:,} characters or more."
                        raise InputError(problem, hint="Put every text (a sentence or a paragraph) into its own row.")
                yield from ((row, text or "") for row, text in enumerate(texts, done + 1))
                done += len(batch)


def check_parquet(path: Path) -> None:
    """Refuse a file that isn't Parquet from its first to its last bytes; without pyarrow, which takes long to import.

    Raises:
        InputError: it is not.
    """
    try:
        with open_file(path) as file:
            magic = file.read(4)
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - 4))
            whole = size >= 12 and magic == file.read(4) == _PARQUET_MAGIC
    except OSError as error:
        raise unreadable(path, error) from error
    if not whole:
        raise InputError(f"{path} is not a whole Parquet file.", hint="Make or download the file again.")


def _read_conllu(path: Path, ctx: Context, refuse: Refuse) -> Numbered:
    """A sentence's `# text`, or its forms joined as the SpaceAfter notes say; its line is its first."""

    def begin() -> Sentence:
        return Sentence(str(path), functools.partial(refuse, path))

    sentence, joined, first = begin(), "", 1
    for number, line in enumerate(read_lines(path, ctx), 1):
        if not line or line.isspace():
            if number > first:
                sentence.end()
                yield first, sentence.text if sentence.text is not None else joined
            sentence, joined, first = begin(), "", number + 1
        elif line.startswith("#"):
            sentence.comment(number, line)
        else:
            fields = line.split("\t")
            place = PLACE.fullmatch(fields[0])
            if len(fields) != 10 or place is None:
                problem = f"{path}, line {number}, is not a line of CoNLL-U."
                refuse(
                    path, InputError(problem, hint="A word's line has ten columns between tabs, the first its number.")
                )
                sentence.lose_count()
            elif place[3] is None:  # no empty node
                if int(place[1]) > sentence.covered:
                    joined += fields[1] + ("" if "SpaceAfter=No" in fields[9].split("|") else " ")
                sentence.number(number, int(place[1]), int(place[2]) if place[2] else None)
                if len(joined) >= LONGEST_LINE:
                    problem = f"{path}, line {first}, begins a sentence of {LONGEST_LINE:,} characters or more."
                    raise InputError(problem, hint="Put an empty line after each sentence.")
    sentence.end()
    yield first, sentence.text if sentence.text is not None else joined


_READERS: dict[str, Callable[[Path, Context, Refuse], Numbered]] = {
    ".txt": _read_txt,
    ".jsonl": _read_jsonl,
    ".csv": _read_csv,
    ".tsv": _read_tsv,
    ".parquet": _read_parquet,
    ".conllu": _read_conllu,
}


# -- columns ---------------------------------------------------------------------------------------------------------


def text_column(names: Sequence[str], strings: Sequence[str], where: str) -> str:
    """Which of the columns `names` holds the texts: the one named so, or the only one with strings.

    Raises:
        InputError: none does for certain; `where` begins its words.
    """
    known = _known_column(names)
    if known is not None:
        return known
    if len(strings) == 1:
        return strings[0]
    raise InputError(
        f"{where}: none of the columns {', '.join(map(repr, names))} is known to hold the texts.",
        hint="Name the column of the texts 'text'.",
    )


def _known_column(names: Sequence[str]) -> str | None:
    plain = {name.strip().strip('"').casefold(): name for name in reversed(names)}
    return next((plain[known] for known in _TEXT_COLUMNS if known in plain), None)
