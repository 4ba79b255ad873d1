"""Readers of the file formats of labelled data; faults name file and line. No torch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NoReturn

from core.conllu import PLACE, Sentence
from core.errors import InputError
from core.small_files import read_bytes
from core.tasks.examples import Example, Placed, TextExample, TokenExample

_CONLLU_COLUMNS = 10
_MOST_BYTES = 2**28
"""Of a split: a million sentences with a tag a word."""
_MOST_LINES = 4_000_000
"""Of a split: the largest treebank's three million words. A line, a text or a token, takes up to 400 bytes."""
_DOCUMENT = "-DOCSTART-"
"""What CoNLL's files begin a document with, in the place of a token."""


def read_examples(path: Path) -> list[Placed[Example]]:
    """The examples of a .tsv, .bio or .conllu file, in order.

    Raises:
        InputError: the file can't be read or is not of its format; with the first bad line's number.
    """
    return _READERS[path.suffix](str(path), lines_of(path))


def lines_of(path: Path) -> list[str]:
    """A file's lines; only line feeds part them, as other separators may stand in a text.

    Raises:
        InputError: the file can't be read, or is not UTF-8.
    """
    try:
        content = read_bytes(path, _MOST_BYTES)
    except OSError as error:
        raise InputError(
            f"{path} can't be read: {error.strerror}.", hint="Check the file and its permissions."
        ) from error
    except ValueError as error:
        hint = "Give labelled examples only; text without labels belongs into corpus.sources."
        raise InputError(f"{path} is too large for labelled data: {error}.", hint=hint) from error
    if content.count(b"\n") > _MOST_LINES:
        raise InputError(
            f"{path} is too large for labelled data: it has more than {_MOST_LINES:,} lines.",
            hint="Give a part of the examples; text without labels belongs into corpus.sources.",
        )
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise InputError(f"{path}, line {line}: this is not UTF-8.", hint="Save the file as UTF-8.") from None
    return [line.removesuffix("\r") for line in text.removesuffix("\n").split("\n")]


def _bad_line(name: str, line: int, problem: str, hint: str) -> InputError:
    return InputError(f"{name}, line {line}: {problem}", hint=hint)


def _read_tsv(name: str, lines: Sequence[str]) -> list[Placed[Example]]:
    """Texts and labels; there is no quoting, a quotation mark is a character like any other."""
    if lines[0].split("\t") != ["text", "label"]:
        raise _bad_line(
            name, 1, f"the header is {lines[0][:80]!r}.", "Begin the file with the line: text, a tab, label."
        )
    placed: list[Placed[Example]] = []
    for number, line in enumerate(lines[1:], start=2):
        columns = [column.strip() for column in line.split("\t")]
        if len(columns) != 2:
            hint = "Write one text, a tab and its label a line; tabs inside a text become spaces."
            raise _bad_line(name, number, f"{_columns(columns)}, not 2.", hint)
        if not all(columns):
            missing = "text" if not columns[0] else "label"
            raise _bad_line(name, number, f"the {missing} is empty.", "Fill it in, or remove the line.")
        placed.append(Placed(TextExample(*columns), (number,)))
    return placed


def read_columns(name: str, lines: Sequence[str]) -> list[Placed[Example]]:
    """Tokens and tags of CoNLL's form: a token a line, its tag in the last column, an empty line between sentences.

    Tabs part the columns or, in a line without any, spaces; other columns are not looked at, and neither are lines that
    begin a document. The tags are taken as they are.

    Args:
        name: what to call the file in a message.
        lines: its lines.

    Raises:
        InputError: a line has one column only, or not as many as the first; or its token or tag is empty.
    """
    placed: list[Placed[Example]] = []
    first: tuple[int, int] | None = None
    for sentence in _sentences(lines):
        rows: list[tuple[int, str, str]] = []
        for number, line in sentence:
            # Of all white space only this: a no-break space may stand in a token.
            columns = line.split("\t") if "\t" in line else [part for part in line.split(" ") if part]
            if columns[0] == _DOCUMENT:
                continue
            first = first or (number, len(columns))
            if len(columns) == 1:
                hint = "Write one token, a tab and its tag a line, and an empty line between sentences."
                raise _bad_line(name, number, f"{_columns(columns)}, not 2.", hint)
            if len(columns) != first[1]:
                problem = f"{_columns(columns)}, but line {first[0]} has {first[1]}."
                raise _bad_line(name, number, problem, "Give every line the same columns, the tag in the last one.")
            token, tag = columns[0], columns[-1].strip()
            if not token or not tag:
                problem = f"the {'tag' if token else 'token'} is empty."
                raise _bad_line(name, number, problem, "Fill it in, or remove the line.")
            rows.append((number, token, tag))
        if rows:
            numbers, tokens, tags = zip(*rows, strict=True)
            placed.append(Placed(TokenExample(tokens, tags), numbers))
    return placed


def _read_conllu(name: str, lines: Sequence[str]) -> list[Placed[Example]]:
    """Words and their UPOS; multiword ranges (3-4) and empty nodes (5.1) carry none and are skipped."""
    placed: list[Placed[Example]] = []
    for numbered in _sentences(lines):
        sentence = Sentence(name, _refuse)
        words: list[tuple[int, str, str]] = []
        for number, line in numbered:
            if line.startswith("#"):
                sentence.comment(number, line)
                continue
            columns = line.split("\t")
            if len(columns) != _CONLLU_COLUMNS:
                hint = "CoNLL-U has ten columns with tabs between them, and an empty line between sentences."
                raise _bad_line(name, number, f"{_columns(columns)}, not {_CONLLU_COLUMNS}.", hint)
            identifier, form, upos = columns[0], columns[1], columns[3]
            place = PLACE.fullmatch(identifier)
            if place is None:
                hint = "The first column of CoNLL-U is a number, a range (3-4) or an empty node's number (5.1)."
                raise _bad_line(name, number, f"{identifier!r} is no word number.", hint)
            if place[3] is not None:
                continue
            sentence.number(number, int(place[1]), int(place[2]) if place[2] else None)
            if place[2] is not None:
                continue
            if not form or not upos or upos == "_":
                hint = "Columns 2 and 4 must hold the word and its universal part of speech."
                raise _bad_line(name, number, f"the {'part of speech' if form else 'word'} is missing.", hint)
            words.append((number, form, upos))
        sentence.end()
        if words:
            numbers, forms, tags = zip(*words, strict=True)
            placed.append(Placed(TokenExample(forms, tags), numbers))
    return placed


def _refuse(error: InputError) -> NoReturn:
    raise error


def _sentences(lines: Sequence[str]) -> Iterator[list[tuple[int, str]]]:
    """Runs of non-blank lines with their numbers."""
    sentence: list[tuple[int, str]] = []
    for number, line in enumerate(lines, start=1):
        if line.strip():
            sentence.append((number, line))
        elif sentence:
            yield sentence
            sentence = []
    if sentence:
        yield sentence


def _columns(columns: Sequence[str]) -> str:
    return "1 column" if len(columns) == 1 else f"{len(columns)} columns"


_READERS = {".tsv": _read_tsv, ".bio": read_columns, ".conllu": _read_conllu}
