"""Texts from files, folders, the hub or the sample, one at a time. No torch.

What can't be read is refused by name, place and remedy: nothing is guessed, replaced or left out in silence.
"""

from __future__ import annotations

import csv
import glob
import json
import os
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, cast

from core.context import Context, Portion, Quiet, Unmeasured
from core.corpus.lines import LONGEST_LINE, read_lines, unreadable
from core.errors import Fault, InputError
from core.events import Message
from resources import sample

HUB = "hub:"
_TEXT_COLUMNS = ("text", "content", "sentence")
_PARQUET_MAGIC = b"PAR1"


# -- from a source to files ------------------------------------------------------------------------------------------


def read_texts(source: str, base: Path, ctx: Context) -> Iterator[str]:
    """The texts of one source, in a fixed order, as they are (empty ones left out).

    Args:
        source: a file (.txt, .jsonl, .csv, .tsv, .conllu, each also with .gz, or .parquet), a folder of such files,
            a glob pattern, "sample", or "hub:NAME[:CONFIGURATION[:COLUMN]]".
        base: what a relative path starts from, the recipe's folder.
        ctx: asked again and again whether to go on; told about files without text.

    Raises:
        InputError: there is no such source, it can't be read, or it holds no text.
    """
    if source.startswith(HUB):
        yield from _read_hub(source, ctx)
        return
    yield from read_files(source, files_of(source, base), Unmeasured(ctx))


def read_files(source: str, files: Sequence[Path], ctx: Context) -> Iterator[str]:
    """The texts of a local source's files, one file after the other.

    Args:
        source: as for `read_texts`.
        files: what `files_of` gives for it.
        ctx: as for `read_texts`; progress is in bytes of the files as they are on disk.

    Raises:
        InputError: a file can't be read, or none holds any text.
    """
    sizes = [size_of(path) for path in files]
    done, without = 0, []
    for path, size in zip(files, sizes, strict=True):
        empty = True
        for text in _read_file(path, Portion(ctx, done, sum(sizes))):
            empty = False
            yield text
        if empty:
            without.append(path)
        done += size
        ctx.progress(done, sum(sizes))
    if len(without) == len(files):
        raise _no_text(source, files)
    for path in without:
        ctx.emit(Message(level="warning", text=f"{path} holds no text."))


def corpus_faults(sources: Sequence[str], base: Path) -> list[Fault]:
    """What is wrong with sources at first sight, all at once: reads each file's first text, never the network.

    Args:
        sources, base: as for `read_texts`.
    """
    faults: list[Fault] = []
    for source in sources:
        try:
            if source.startswith(HUB):
                _hub_parts(source)
            else:
                faults += _file_faults(source, files_of(source, base))
        except InputError as error:
            faults += error.faults
    return faults


def _file_faults(source: str, files: Sequence[Path]) -> list[Fault]:
    faults: list[Fault] = []
    without = 0
    for path in files:
        try:
            if _suffix(path) == ".parquet":
                _check_parquet(path)  # pyarrow takes longer to import than this check may take
            elif next(_read_file(path, Quiet()), None) is None:
                without += 1
        except InputError as error:
            faults += error.faults
    if without == len(files):
        faults += _no_text(source, files).faults
    return faults


def size_of(path: Path) -> int:
    """Bytes of a file; 0 where reading it will tell why it can't be read."""
    try:
        return path.stat().st_size
    except OSError:
        return 0


def files_of(source: str, base: Path) -> list[Path]:
    """The files that a local source names, at least one.

    Raises:
        InputError: there are none, or they are of a kind that can't be read.
    """
    if source == "sample":
        return [sample.corpus_file()]
    expanded = os.path.expanduser(source)
    path = base / expanded
    if os.path.isdir(path):
        return _files_in(path)
    if os.path.exists(path):
        if _suffix(path) is None:
            raise InputError(f"{path} is not of a kind that can be read as a corpus.", hint=f"Give {_kinds()}.")
        return [path]
    if not glob.has_magic(source):
        raise InputError(f"There is no file or folder {path}.", hint="Check corpus.sources; paths start at the recipe.")
    matches = glob.glob(os.path.join(glob.escape(str(base)), expanded), recursive=True)
    files = [match for match in map(Path, sorted(matches)) if match.is_file() and _suffix(match) is not None]
    if not files:
        raise InputError(
            f"No file that can be read as a corpus matches {source!r} in {base}.",
            hint=f"Check the pattern (** stands for folders in folders); it has to match {_kinds()}.",
        )
    return files


def _files_in(folder: Path) -> list[Path]:
    found = (path for path in folder.rglob("*") if path.is_file() and _suffix(path) is not None)
    # Hidden files are other programs' notes, such as the "._" ones that a Mac leaves on shared disks.
    shown = {path.relative_to(folder).as_posix(): path for path in found}
    files = [shown[name] for name in sorted(shown) if not any(part.startswith(".") for part in name.split("/"))]
    if not files:
        raise InputError(f"The folder {folder} holds no texts.", hint=f"Put {_kinds()} into it.")
    return files


def _suffix(path: Path) -> str | None:
    """What says how a file is read, without .gz; None where it can't be."""
    name = path.name.lower()
    compressed = name.endswith(".gz")
    suffix = Path(name.removesuffix(".gz")).suffix
    return suffix if suffix in _READERS and not (compressed and suffix == ".parquet") else None


def _kinds() -> str:
    *some, last = _READERS
    return f"{', '.join(some)} or {last} files"


def _no_text(source: str, files: Sequence[Path]) -> InputError:
    what = str(files[0]) if len(files) == 1 else f"Every one of the {len(files)} files of {source!r}"
    return InputError(f"{what} is empty: there is no text in it.", hint="Fill it, or take it out of corpus.sources.")


# -- from a file to texts --------------------------------------------------------------------------------------------


def _read_file(path: Path, ctx: Context) -> Iterator[str]:
    """The texts of one file that hold more than whitespace."""
    read = _READERS[cast(str, _suffix(path))]
    return (text for text in read(path, ctx) if text and not text.isspace())


def _read_jsonl(path: Path, ctx: Context) -> Iterator[str]:
    key = None
    for number, line in enumerate(read_lines(path, ctx), 1):
        if not line or line.isspace():
            continue
        try:
            record = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise InputError(
                f"{path}, line {number}, is not JSON: {error}.", hint="Each line has to be one JSON object."
            ) from error
        if not isinstance(record, dict):
            raise InputError(
                f"{path}, line {number}, is not a JSON object.", hint='Each line has to look like {"text": "…"}.'
            )
        if key is None:
            strings = [name for name, value in record.items() if isinstance(value, str)]
            key = _text_column(list(record), strings, f"{path}, line {number}")
        text = record.get(key, 0)
        if not isinstance(text, str | None):
            raise InputError(f"{path}, line {number}, has no text under {key!r}.", hint="Mend or remove that line.")
        yield text or ""


def _read_csv(path: Path, ctx: Context) -> Iterator[str]:
    """Fields quoted as in RFC 4180, separated by commas, or by semicolons where only those give a text column."""
    first = next(read_lines(path, ctx), "")
    semicolons = _known_column(first.split(",")) is None and _known_column(first.split(";")) is not None
    csv.field_size_limit(LONGEST_LINE)
    rows = csv.reader(
        (line + "\n" for line in read_lines(path, ctx)), strict=True, delimiter=";" if semicolons else ","
    )

    def numbered() -> Iterator[tuple[int, list[str]]]:
        try:
            for row in rows:
                yield rows.line_num, row
        except csv.Error as error:
            raise InputError(
                f"{path}, line {rows.line_num}, breaks the rules of CSV: {error}.",
                hint='Put texts with commas, quotes or line ends into "quotes" and double the quotes in them.',
            ) from error

    return _read_table(path, numbered())


def _read_tsv(path: Path, ctx: Context) -> Iterator[str]:
    """Fields separated by tabs; a quotation mark is an ordinary character."""
    return _read_table(path, ((number, line.split("\t")) for number, line in enumerate(read_lines(path, ctx), 1)))


def _read_table(path: Path, rows: Iterator[tuple[int, list[str]]]) -> Iterator[str]:
    """The text column of rows with line numbers; the first is a header unless it's the only column's first text."""
    header: list[str] | None = None
    column = 0
    for number, row in rows:
        if row in ([], [""]):
            continue
        if header is None:
            header = row
            if len(row) > 1 or _known_column(row) is not None:
                column = row.index(_text_column(row, [], f"{path}, line {number}"))
                continue
        if len(row) != len(header):
            raise InputError(
                f"{path}, line {number}, has {len(row)} columns, the first line has {len(header)}.",
                hint="Mend or remove that line; a file of texts alone can be named .txt.",
            )
        yield row[column]


def _read_parquet(path: Path, ctx: Context) -> Iterator[str]:
    import pyarrow
    from pyarrow import parquet

    _check_parquet(path)
    try:
        with parquet.ParquetFile(path) as file:
            fields = list(file.schema_arrow)
            strings = [field.name for field in fields if str(field.type).removeprefix("large_") == "string"]
            column = _text_column([field.name for field in fields], strings, str(path))
            if column not in strings:
                raise InputError(f"The column {column!r} of {path} holds no texts.", hint="Store it as strings.")
            size, rows, done = size_of(path), file.metadata.num_rows, 0
            for batch in file.iter_batches(batch_size=256, columns=[column]):
                ctx.check()
                ctx.progress(size * done // rows, size)
                done += len(batch)
                yield from (text or "" for text in batch.column(0).to_pylist())
    except (OSError, UnicodeDecodeError, pyarrow.ArrowException) as error:
        raise InputError(f"{path} can't be read: {error}", hint="Make or download the file again.") from error


def _check_parquet(path: Path) -> None:
    try:
        with open(path, "rb") as file:
            magic = file.read(4)
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - 4))
            whole = size >= 12 and magic == file.read(4) == _PARQUET_MAGIC
    except OSError as error:
        raise unreadable(path, error) from error
    if not whole:
        raise InputError(f"{path} is not a whole Parquet file.", hint="Make or download the file again.")


def _read_conllu(path: Path, ctx: Context) -> Iterator[str]:
    """A sentence's `# text`, or its forms joined as the SpaceAfter notes say."""
    given: str | None = None
    joined = ""
    covered = 0  # the last word that a multiword token stands for
    for number, line in enumerate(read_lines(path, ctx), 1):
        if not line or line.isspace():
            yield given if given is not None else joined
            given, joined, covered = None, "", 0
        elif line.startswith("#"):
            key, equals, value = line[1:].partition("=")
            if equals and key.strip() == "text":
                given = value.strip()
        else:
            fields = line.split("\t")
            place = re.fullmatch(r"(\d{1,9})(?:-(\d{1,9})|(\.\d+))?", fields[0], re.ASCII)
            if len(fields) != 10 or place is None:
                raise InputError(
                    f"{path}, line {number}, is not a line of CoNLL-U.",
                    hint="A word's line has ten columns between tabs, the first its number.",
                )
            if place[3] is None and int(place[1]) > covered:  # neither an empty node nor part of a multiword token
                covered = int(place[2] or covered)
                joined += fields[1] + ("" if "SpaceAfter=No" in fields[9].split("|") else " ")
    yield given if given is not None else joined


_READERS: dict[str, Callable[[Path, Context], Iterator[str]]] = {
    ".txt": read_lines,
    ".jsonl": _read_jsonl,
    ".csv": _read_csv,
    ".tsv": _read_tsv,
    ".parquet": _read_parquet,
    ".conllu": _read_conllu,
}


def _known_column(names: Sequence[str]) -> str | None:
    plain = {name.strip().strip('"').casefold(): name for name in reversed(names)}
    return next((plain[known] for known in _TEXT_COLUMNS if known in plain), None)


def _text_column(names: Sequence[str], strings: Sequence[str], where: str) -> str:
    """Which of the columns `names` holds the texts: the one named so, or the only one with strings."""
    known = _known_column(names)
    if known is not None:
        return known
    if len(strings) == 1:
        return strings[0]
    raise InputError(
        f"{where}: none of the columns {', '.join(map(repr, names))} is known to hold the texts.",
        hint="Name the column of the texts 'text'.",
    )


# -- from the hub ----------------------------------------------------------------------------------------------------


def _read_hub(source: str, ctx: Context) -> Iterator[str]:
    """The texts of a data set's training part, streamed; code that comes with a data set is never run."""
    name, configuration, column = _hub_parts(source)
    rows = _hub_rows(name, configuration)
    empty = True
    for row in rows:
        ctx.check()
        if empty:
            empty = False
            if column is not None and column not in row:
                raise InputError(
                    f"The data set {name!r} has no column {column!r}.", hint=f"It has {', '.join(map(repr, row))}."
                )
            strings = [key for key, value in row.items() if isinstance(value, str)]
            column = column or _text_column(list(row), strings, source)
        text = row[cast(str, column)]
        if not isinstance(text, str | None):
            raise InputError(
                f"The column {column!r} of the data set {name!r} holds no texts.",
                hint=f"Choose another; it has {', '.join(map(repr, row))}.",
            )
        if text and not text.isspace():
            yield text
    if empty:
        raise InputError(f"The training part of {source!r} is empty.", hint="Choose another configuration.")


def _hub_parts(source: str) -> tuple[str, str | None, str | None]:
    """Name, configuration and column of "hub:NAME[:CONFIGURATION[:COLUMN]]"."""
    name, *rest = source.removeprefix(HUB).split(":")
    if len(rest) > 2 or not re.fullmatch(r"\w[\w.-]*(/\w[\w.-]*)?", name):
        raise InputError(
            f"{source!r} does not name a data set.",
            hint="Write hub:NAME:CONFIGURATION:COLUMN, such as hub:cis-lmu/GlotCC-v1:mlt-Latn:content.",
        )
    configuration, column = [part or None for part in (*rest, "", "")[:2]]
    return name, configuration, column


def _hub_rows(name: str, configuration: str | None) -> Iterator[dict[str, Any]]:
    import datasets

    try:
        yield from datasets.load_dataset(name, configuration, split="train", streaming=True)
    except datasets.exceptions.DatasetNotFoundError as error:
        raise InputError(
            f"The hub has no data set {name!r} (or it isn't open to you).", hint="Check the name on huggingface.co."
        ) from error
    except ConnectionError as error:
        raise InputError(
            f"The hub can't be reached for the data set {name!r}.",
            hint="Check the internet connection, or download the texts and give the file.",
        ) from error
    except Exception as error:  # whatever the libraries that fetch and unpack it may raise
        raise InputError(
            f"The data set {name!r} can't be read: {error}",
            hint="Check its name and configuration on huggingface.co, or download the texts and give the file.",
        ) from error
