"""Text files as lines: encodings, compression, and what is wrong with a file that is not text. No torch."""

from __future__ import annotations

import codecs
import gzip
import io
import os
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, cast

from core.context import Context
from core.errors import InputError

LONGEST_LINE = 10_000_000
"""Characters that no line may have; such a one is a file without line ends, not a text."""

_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16: its mark begins like that one's
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_GZIP_MAGIC = b"\x1f\x8b"
_OTHER_MAGIC = {b"PK\x03\x04": "a ZIP or Office file", b"%PDF": "a PDF file", b"\xd0\xcf\x11\xe0": "an Office file"}
_NOT_IN_TEXT = bytes({*range(0x20)} - {*b"\t\n\v\f\r\x1b"})
_SAVE_AS_UTF8 = "Save it as plain text in UTF-8 (or convert it: iconv -f ITS-ENCODING -t UTF-8)."


def read_lines(path: Path, ctx: Context) -> Iterator[str]:
    """The lines of a text file (where its name ends in .gz: unpacked) without their ends (LF, CR LF or CR).

    The file is UTF-8, or UTF-8, UTF-16 or UTF-32 with a byte-order mark, which is left out.

    Args:
        path: the file.
        ctx: asked again and again whether to go on; progress is in bytes of the file as it is on disk.

    Raises:
        InputError: the file can't be read, is not text or not in its encoding, or has no line ends.
    """
    number = 0
    since_check = 0
    try:
        encoding = _encoding(path)
        with open(path, "rb") as raw, io.TextIOWrapper(_unpacked(path, raw), encoding=encoding) as stream:
            size = os.fstat(raw.fileno()).st_size
            while line := stream.readline(LONGEST_LINE):
                number += 1
                if len(line) == LONGEST_LINE and not line.endswith("\n"):
                    raise InputError(
                        f"{path}, line {number}, has {LONGEST_LINE:,} characters or more.",
                        hint="Put every text (a sentence or a paragraph) on a line of its own.",
                    )
                since_check += len(line) + 100
                if since_check > 1_000_000:
                    ctx.check()
                    ctx.progress(raw.tell(), size)
                    since_check = 0
                yield line.removesuffix("\n")
    except UnicodeDecodeError as error:
        raise _undecodable(path, error) from error
    except (OSError, EOFError, zlib.error) as error:
        raise unreadable(path, error) from error


def _open(path: Path) -> IO[bytes]:
    return cast(IO[bytes], gzip.open(path) if _packed(path) else open(path, "rb"))


def _unpacked(path: Path, raw: IO[bytes]) -> IO[bytes]:
    return cast(IO[bytes], gzip.GzipFile(fileobj=raw)) if _packed(path) else raw


def _packed(path: Path) -> bool:
    return path.suffix.lower() == ".gz"


def _encoding(path: Path) -> str:
    """The encoding that the file's byte-order mark tells, else UTF-8.

    Raises:
        InputError: the file isn't text.
    """
    with _open(path) as file:
        head = file.read(4096)
    for mark, encoding in _BYTE_ORDER_MARKS:
        if head.startswith(mark):
            return encoding
    for magic, what in _OTHER_MAGIC.items():
        if head.startswith(magic):
            raise InputError(f"{path} is {what}, not plain text.", hint="Save its content as plain text in UTF-8.")
    if head.startswith(_GZIP_MAGIC):
        raise InputError(f"{path} is compressed with gzip.", hint=f"Rename it to {path.name}.gz, or unpack it.")
    if len(head) - len(head.translate(None, _NOT_IN_TEXT)) > 4 + len(head) // 100:
        raise InputError(f"{path} holds binary data (or UTF-16 without its mark), not text.", hint=_SAVE_AS_UTF8)
    return "utf-8"


def _undecodable(path: Path, error: UnicodeDecodeError) -> InputError:
    """Where the file stops being what it should be: the decoder knows its own block only."""
    if error.encoding == "utf-8":
        offset = 0
        with _open(path) as file:
            for number, line in enumerate(file, 1):
                try:
                    line.decode()
                except UnicodeDecodeError as here:
                    byte = line[here.start]
                    return InputError(
                        f"{path} is not UTF-8: line {number} has the byte 0x{byte:02X} (byte {offset + here.start + 1} "
                        "of the file), which can't stand there.",
                        hint=_SAVE_AS_UTF8,
                    )
                offset += len(line)
    return InputError(f"{path} is not the {error.encoding.upper()} that its first bytes say.", hint=_SAVE_AS_UTF8)


def unreadable(path: Path, error: Exception) -> InputError:
    """What to tell the user of an error that opening, reading or unpacking a file ended with."""
    if isinstance(error, gzip.BadGzipFile | zlib.error):
        return InputError(
            f"{path} is not a sound gzip file: {error}.", hint="Download it again; plain text has no .gz."
        )
    if isinstance(error, EOFError):
        return InputError(f"{path} ends in the middle of its compressed data.", hint="Copy or download it again.")
    reason = error.strerror if isinstance(error, OSError) and error.strerror else error
    return InputError(f"{path} can't be read: {reason}.", hint="Check that the file is yours to read and whole.")
