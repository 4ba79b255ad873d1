"""Readers of the three file formats of labelled data; faults name file and line. No torch."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from core.errors import InputError
from core.tasks.examples import Example, Placed, TextExample, TokenExample

_TAG = re.compile(r"O|[BI]-\S+")
_WORD_ID = re.compile(r"[0-9]+")
_SKIPPED_ID = re.compile(r"[0-9]+-[0-9]+|[0-9]+\.[0-9]+")
_CONLLU_COLUMNS = 10


def read_examples(path: Path) -> list[Placed[Example]]:
    """The examples of a .tsv, .bio or .conllu file, in order.

    Raises:
        InputError: the file can't be read or is not of its format; with the first bad line's number.
    """
    return _READERS[path.suffix](path, _lines(path))


def _lines(path: Path) -> list[str]:
    """The file's lines; only line feeds part them, as other separators may stand in a text."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(
            f"{path} can't be read: {error.strerror}.", hint="Check the file and its permissions."
        ) from error
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise InputError(f"{path}, line {line}: this is not UTF-8.", hint="Save the file as UTF-8.") from None
    return [line.removesuffix("\r") for line in text.removesuffix("\n").split("\n")]


def _bad_line(path: Path, line: int, problem: str, hint: str) -> InputError:
    return InputError(f"{path}, line {line}: {problem}", hint=hint)


def _read_tsv(path: Path, lines: Sequence[str]) -> list[Placed[Example]]:
    """Texts and labels; there is no quoting, a quotation mark is a character like any other."""
    if lines[0].split("\t") != ["text", "label"]:
        raise _bad_line(
            path, 1, f"the header is {lines[0][:80]!r}.", "Begin the file with the line: text, a tab, label."
        )
    placed: list[Placed[Example]] = []
    for number, line in enumerate(lines[1:], start=2):
        columns = [column.strip() for column in line.split("\t")]
        if len(columns) != 2:
            hint = "Write one text, a tab and its label a line; tabs inside a text become spaces."
            raise _bad_line(path, number, f"{_columns(columns)}, not 2.", hint)
        if not all(columns):
            missing = "text" if not columns[0] else "label"
            raise _bad_line(path, number, f"the {missing} is empty.", "Fill it in, or remove the line.")
        placed.append(Placed(TextExample(*columns), (number,)))
    return placed


def _read_bio(path: Path, lines: Sequence[str]) -> list[Placed[Example]]:
    """Tokens and IOB2 tags."""
    placed: list[Placed[Example]] = []
    for sentence in _sentences(lines):
        tokens: list[str] = []
        tags: list[str] = []
        for number, line in sentence:
            columns = line.split("\t")
            if len(columns) != 2:
                hint = "Write one token, a tab and its tag a line, and an empty line between sentences."
                raise _bad_line(path, number, f"{_columns(columns)}, not 2.", hint)
            token, tag = columns[0], columns[1].strip()
            if not token:
                raise _bad_line(path, number, "the token is empty.", "Fill it in, or remove the line.")
            fault = tag_fault(tag, tags[-1] if tags else "O")
            if fault:
                raise _bad_line(path, number, *fault)
            tokens.append(token)
            tags.append(tag)
        placed.append(Placed(TokenExample(tuple(tokens), tuple(tags)), tuple(number for number, _ in sentence)))
    return placed


def tag_fault(tag: str, previous: str) -> tuple[str, str] | None:
    """What is wrong with an entity tag that follows `previous` (`O` at the start), and what to do; None if nothing."""
    if not _TAG.fullmatch(tag):
        return f"{tag!r} is no IOB2 tag.", "Use O, B-TYPE for an entity's first token and I-TYPE for its others."
    if tag.startswith("I-") and previous[2:] != tag[2:]:
        return (
            f"{tag} follows {previous}, but an entity begins with B-{tag[2:]}.",
            "The tags must be IOB2. If the file is IOB1, turn the first tag of every entity into B-.",
        )
    return None


def _read_conllu(path: Path, lines: Sequence[str]) -> list[Placed[Example]]:
    """Words and their UPOS; multiword ranges (3-4) and empty nodes (5.1) carry none and are skipped."""
    placed: list[Placed[Example]] = []
    for sentence in _sentences(lines):
        words: list[tuple[int, str, str]] = []
        for number, line in sentence:
            if line.startswith("#"):
                continue
            columns = line.split("\t")
            if len(columns) != _CONLLU_COLUMNS:
                hint = "CoNLL-U has ten columns with tabs between them, and an empty line between sentences."
                raise _bad_line(path, number, f"{_columns(columns)}, not {_CONLLU_COLUMNS}.", hint)
            identifier, form, upos = columns[0], columns[1], columns[3]
            if _SKIPPED_ID.fullmatch(identifier):
                continue
            if not _WORD_ID.fullmatch(identifier):
                hint = "The first column of CoNLL-U is a number, a range (3-4) or an empty node's number (5.1)."
                raise _bad_line(path, number, f"{identifier!r} is no word number.", hint)
            if not form or not upos or upos == "_":
                hint = "Columns 2 and 4 must hold the word and its universal part of speech."
                raise _bad_line(path, number, f"the {'part of speech' if form else 'word'} is missing.", hint)
            words.append((number, form, upos))
        if words:
            numbers, forms, tags = zip(*words, strict=True)
            placed.append(Placed(TokenExample(forms, tags), numbers))
    return placed


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


_READERS = {".tsv": _read_tsv, ".bio": _read_bio, ".conllu": _read_conllu}
