"""Text files as lines: encodings, compression, and what is wrong with a file that is not text. No torch."""

from __future__ import annotations

import codecs
import contextlib
import gzip
import io
import os
import re
import zlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, BinaryIO, cast

from core.context import Context
from core.corpus.encoding import encoding_name, encoding_of, utf16_without_mark
from core.errors import InputError
from core.events import Message
from core.small_files import open_file

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
_ASCII = bytes(range(0x80))
_SAVE_AS_UTF8 = "Save it as plain text in UTF-8 (or convert it: iconv -f ITS-ENCODING -t UTF-8)."

_SAMPLE_BYTES = 64 * 1024
_SAMPLE_TIMES, _SAMPLE_AROUND = 4, 200
"""How often each byte value has to be in a sample, and how many bytes around it, should it come late in a file."""
_BLOCK = 1024 * 1024
_MOST_TIMES, _SURELY_TEXT = 200, 50_000_000
"""Text becomes 3 to 20 times smaller, the same line for ever a thousand times; small files may do so, too (bytes)."""
_MOST_IN_VAIN = 256 * 1024
"""Bytes of a gzip file from which nothing is unpacked: several times what is read of it at once."""
_BEYOND_ASCII, _LINE_END = re.compile(rb"[\x80-\xff]"), re.compile(rb"[\r\n]")
_UTF8_SHARE = 0.02
"""Of the lines beyond ASCII: where more are sound UTF-8, the file is damaged UTF-8, not another encoding."""


def read_lines(path: Path, ctx: Context) -> Iterator[str]:
    """The lines of a text file (where its name ends in .gz: unpacked) without their ends (LF, CR LF or CR).

    The file is UTF-8; or UTF-8, UTF-16 or UTF-32 with a byte-order mark, which is left out; or in another encoding that
    shows without doubt, which is told as a warning.

    Args:
        path: the file.
        ctx: asked again and again whether to go on; told of an encoding that had to be found out; progress is in bytes
            of the file as it is on disk.

    Raises:
        InputError: the file can't be read, is not text or not in its encoding, or has no line ends.
    """
    try:
        yield from _read_lines(path, ctx)
    except (OSError, EOFError, zlib.error) as error:
        raise unreadable(path, error) from error


def _read_lines(path: Path, ctx: Context) -> Iterator[str]:
    number, ascii_so_far = 0, True
    encoding = _head_encoding(path, ctx)
    try:
        for line in _decoded(path, encoding, ctx):
            number += 1
            ascii_so_far = ascii_so_far and line.isascii()
            yield line
        return
    except UnicodeDecodeError as error:
        found = _other_encoding(path, ctx) if encoding == "utf-8" and ascii_so_far else None
        if found is None:
            raise _undecodable(path, error.encoding, ctx) from error
    _tell(path, found, ctx)
    try:
        # What was read as UTF-8 up to here is ASCII, so it is the same in the other encoding.
        for again, line in enumerate(_decoded(path, found, ctx)):
            if again >= number:
                yield line
    except UnicodeDecodeError as error:
        raise _undecodable(path, found, ctx) from error


def _decoded(path: Path, encoding: str, ctx: Context) -> Iterator[str]:
    """The lines of a file in a known encoding.

    Raises:
        UnicodeDecodeError: it is not in that encoding.
    """
    number = since_check = 0
    with open_file(path) as raw, io.TextIOWrapper(_unpacked(path, raw, ctx), encoding=encoding) as stream:
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


@contextlib.contextmanager
def _open(path: Path, ctx: Context) -> Iterator[IO[bytes]]:
    with open_file(path) as raw:
        yield _unpacked(path, raw, ctx)


def _unpacked(path: Path, raw: BinaryIO, ctx: Context) -> IO[bytes]:
    return io.BufferedReader(_Unpacked(path, raw, ctx)) if _packed(path) else raw


class _Unpacked(io.RawIOBase):
    """What a gzip file holds, as long as that can be text: some tell a few bytes again and again, for terabytes."""

    def __init__(self, path: Path, raw: BinaryIO, ctx: Context) -> None:
        super().__init__()
        self._path, self._raw = path, raw
        self._packed = _Packed(path, raw, ctx)
        self._stream = gzip.GzipFile(fileobj=cast(BinaryIO, self._packed), mode="rb")
        self._size = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill the buffer.

        Raises:
            InputError: the file holds far more than it can as text.
        """
        self._packed.in_vain = 0
        read = self._stream.readinto(buffer)
        self._size += read
        check_unpacked(self._path, self._size, self._raw.tell())
        return read


class _Packed:
    """A gzip file as it is on disk: members without content, or a name in a header, may go on in it for ever."""

    def __init__(self, path: Path, raw: BinaryIO, ctx: Context) -> None:
        self._path, self._raw, self._ctx = path, raw, ctx
        self.in_vain = 0
        """Bytes that were read since there was something in them."""

    def read(self, size: int = -1) -> bytes:
        """Read some bytes.

        Raises:
            InputError: nothing came of too many before.
        """
        self._ctx.check()
        if self.in_vain > _MOST_IN_VAIN:
            raise InputError(
                f"{self._path} holds nothing for more than {_MOST_IN_VAIN // 1024} KB: that is no packed text.",
                hint="Unpack it, and pack it again as one piece.",
            )
        data = self._raw.read(size)
        self.in_vain += len(data)
        return data


def check_unpacked(path: Path, unpacked: int, packed: int) -> None:
    """Refuse what is no text, by how much smaller it was.

    Args:
        path: the file.
        unpacked, packed: bytes of what was read of it, or is to be.

    Raises:
        InputError: it holds far more than it can as text.
    """
    if unpacked > _SURELY_TEXT and unpacked > _MOST_TIMES * packed:
        raise InputError(
            f"{path} unpacks to more than {_MOST_TIMES} times its size: that is no text.",
            hint="Look at what is in it, and give that as a plain file if it is what you want.",
        )


def _packed(path: Path) -> bool:
    return path.suffix.lower() == ".gz"


# -- encodings -------------------------------------------------------------------------------------------------------


def _head_encoding(path: Path, ctx: Context) -> str:
    """The encoding that a file's first bytes tell by a mark or by zeros, else UTF-8.

    Raises:
        InputError: the file can't be read or isn't text.
    """
    head = _head(path, ctx)
    for mark, encoding in _BYTE_ORDER_MARKS:
        if head.startswith(mark):
            if encoding != "utf-8-sig":
                _tell(path, encoding, ctx)
            return encoding
    if head.count(b"\x1b$") > 1:
        raise InputError(f"{path} is in a Japanese or Korean encoding of seven bits.", hint=_SAVE_AS_UTF8)
    for magic, what in _OTHER_MAGIC.items():
        if head.startswith(magic):
            raise InputError(f"{path} is {what}, not plain text.", hint="Save its content as plain text in UTF-8.")
    if head.startswith(_GZIP_MAGIC):
        raise InputError(f"{path} is compressed with gzip.", hint=f"Rename it to {path.name}.gz, or unpack it.")
    if len(head) - len(head.translate(None, _NOT_IN_TEXT)) > 4 + len(head) // 100:
        found = utf16_without_mark(head)
        if found is None:
            raise InputError(f"{path} holds binary data, not text.", hint=_SAVE_AS_UTF8)
        _tell(path, found, ctx)
        return found
    return "utf-8"


def _head(path: Path, ctx: Context) -> bytes:
    with _open(path, ctx) as file:
        return file.read(4096)


def _tell(path: Path, encoding: str, ctx: Context) -> None:
    text = f"{path} is not UTF-8; it was read as {encoding_name(encoding)}. Check the first lines."
    ctx.emit(Message(level="warning", text=text))


def _other_encoding(path: Path, ctx: Context) -> str | None:
    """The encoding of a file that isn't UTF-8; None where that isn't sure."""
    sample = _sample(path, ctx)
    beyond = [line for line in sample.split(b"\n") if not line.isascii()]
    if sum(map(_is_utf8, beyond)) > _UTF8_SHARE * len(beyond):
        return None
    return encoding_of(sample) or utf16_without_mark(_head(path, ctx))


def _sample(path: Path, ctx: Context) -> bytes:
    """Lines that aren't ASCII: the first ones of the file, and some around every byte that comes up later."""
    taken: list[bytes] = []
    size = 0
    times: Counter[int] = Counter()
    with _open(path, ctx) as file:
        while block := file.read(_BLOCK) + file.readline(_BLOCK):
            ctx.check()
            fresh = {byte for byte in set(block.translate(None, _ASCII)) if times[byte] < _SAMPLE_TIMES}
            if size >= _SAMPLE_BYTES and not fresh:
                continue
            at = 0
            while size < _SAMPLE_BYTES and (match := _BEYOND_ASCII.search(block, at)):
                piece = _line_around(block, match.start(), _SAMPLE_BYTES)
                times.update(piece.translate(None, _ASCII))
                taken.append(piece)
                size += len(piece)
                end = _LINE_END.search(block, match.end())
                at = end.end() if end else len(block)
            for byte in sorted(fresh):
                for match in re.finditer(re.escape(bytes([byte])), block):
                    if times[byte] >= _SAMPLE_TIMES:
                        break
                    piece = _line_around(block, match.start(), _SAMPLE_AROUND)
                    times.update(piece.translate(None, _ASCII))
                    taken.append(piece)
    return b"\n".join(taken)


def _line_around(block: bytes, at: int, most: int) -> bytes:
    """The line that holds a byte, cut so many bytes before and after it."""
    first = max(0, at - most)
    before = max(block.rfind(b"\n", first, at) + 1, block.rfind(b"\r", first, at) + 1, first)
    end = _LINE_END.search(block, at, at + most)
    return block[before : end.start() if end else at + most]


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True


# -- what is wrong ---------------------------------------------------------------------------------------------------


def _undecodable(path: Path, encoding: str, ctx: Context) -> InputError:
    """Where the file stops being what it should be: the decoder of lines knows its own block only."""
    if encoding.startswith(("utf-16", "utf-32")):
        return InputError(f"{path} is not the {encoding.upper()} that its first bytes say.", hint=_SAVE_AS_UTF8)
    number, offset, byte = _first_undecodable(path, encoding, ctx)
    name = "UTF-8" if encoding.startswith("utf-8") else encoding_name(encoding)
    what = f"{path} is not {name}" if name == "UTF-8" else f"{path} is neither UTF-8 nor all {name}"
    return InputError(
        f"{what}: line {number} has the byte 0x{byte:02X} (byte {offset + 1} of the file), which can't stand there. "
        "No other encoding fits for certain.",
        hint=_SAVE_AS_UTF8,
    )


def _first_undecodable(path: Path, encoding: str, ctx: Context) -> tuple[int, int, int]:
    """Line number, place from 0, and value of the first byte that can't be decoded."""
    decoder = codecs.getincrementaldecoder(encoding)()
    number, read, half = 1, 0, b""  # half of a CR LF, where a block ends in it
    with _open(path, ctx) as file:
        while True:
            block = file.read(_BLOCK)
            read += len(block)
            try:
                decoder.decode(block, final=not block)
            except UnicodeDecodeError as error:
                # The decoder's bytes may begin with a character that the block before began.
                before, byte = bytes(error.object[: error.start]), error.object[error.start]
                return number + _line_ends(half + before), read - len(error.object) + error.start, byte
            if not block:
                raise OSError(f"{path} changed while it was read")
            ended = half + block
            half = b"\r" if ended.endswith(b"\r") else b""
            number += _line_ends(ended.removesuffix(half))


def _line_ends(data: bytes) -> int:
    """How many lines end in bytes, at LF, CR LF or CR."""
    return data.count(b"\n") + data.count(b"\r") - data.count(b"\r\n")


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
