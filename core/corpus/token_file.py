"""Tokens on their way to disk: a file that grows, and from which one can go on after a stop or a kill. No torch."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from array import array
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import IO

import numpy as np

from core.sealing import write_json

_STATE, _IDS, _OFFSETS = "state.json", "ids", "offsets"
_BLOCK = 1 << 20


class TokenFile:
    """All tokens so far, one after the other, and where each sequence begins.

    `save` notes how long both files are and the hashes of what they hold; what is written after it is cut off by who
    takes them up, and where a hash is another, everything.

    Args:
        folder: of these files alone; made if it isn't there.
        kind: of a token on disk.
    """

    def __init__(self, folder: Path, kind: np.dtype[np.unsignedinteger]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.offsets = array("q", [0])
        """Where each sequence begins, with the end of the last, in tokens."""
        self.texts = 0
        """Texts that are done."""
        self.without = 0
        """Of them, those without any token."""
        self._folder, self._kind = folder, kind
        self._pending = bytearray()
        with contextlib.ExitStack() as opened:
            self._ids = _Hashed(opened.enter_context(open(folder / _IDS, "a+b")))
            self._starts = _Hashed(opened.enter_context(open(folder / _OFFSETS, "a+b")))
            if not self._restore():
                self.offsets, self.texts, self.without = array("q", [0]), 0, 0
                for file in (self._ids, self._starts):
                    file.take_up(0)
            self._opened = opened.pop_all()
        self._saved = self.texts

    def __enter__(self) -> TokenFile:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._opened.close()

    def add(self, tokens: Sequence[int]) -> None:
        """One more sequence."""
        self._pending += np.array(tokens, dtype=self._kind).tobytes()
        self.offsets.append(self.offsets[-1] + len(tokens))

    def texts_done(self, count: int) -> None:
        """So many more texts are done, with all their sequences."""
        self._ids.write(self._pending)
        self._pending.clear()
        self.texts += count

    def save(self) -> None:
        """Let whoever comes next go on from here."""
        if self.texts == self._saved:
            return
        self._starts.write(self.offsets[self._starts.size // self.offsets.itemsize + 1 :].tobytes())
        about = {"texts": self.texts, "without": self.without}
        write_json(self._folder / _STATE, about | {"ids": self._ids.sync(), "offsets": self._starts.sync()})
        self._saved = self.texts

    def move(self, path: Path) -> None:
        """Put the tokens in a place of their own; nothing can be added any more."""
        self._opened.close()
        os.replace(self._folder / _IDS, path)

    def _restore(self) -> bool:
        """Take up what was saved; whether all of it is there as it was."""
        try:
            about = json.loads((self._folder / _STATE).read_text(encoding="utf-8"))
            whole = self._ids.take_up(*about["ids"]) and self._starts.take_up(*about["offsets"])
            self.texts, self.without = about["texts"], about["without"]
        except (OSError, ValueError, KeyError, TypeError):
            return False
        self.offsets.frombytes((self._folder / _OFFSETS).read_bytes())
        return whole


class _Hashed:
    """A file that is only added to, and the hash of what it holds."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._hash = hashlib.sha256()
        self.size = 0
        """In bytes."""

    def take_up(self, size: int, digest: str | None = None) -> bool:
        """Cut the file to a size and go on from there; whether it is so long and its hash is this one."""
        self._file.seek(0)
        self._hash, self.size = hashlib.sha256(), 0
        while self.size < size and (block := self._file.read(min(_BLOCK, size - self.size))):
            self._hash.update(block)
            self.size += len(block)
        self._file.truncate(self.size)
        return self.size == size and digest in (None, self._hash.hexdigest())

    def write(self, data: bytes | bytearray) -> None:
        """Add to the end."""
        self._file.write(data)
        self._hash.update(data)
        self.size += len(data)

    def sync(self) -> tuple[int, str]:
        """Size and hash of what is on disk from now on."""
        self._file.flush()
        os.fsync(self._file.fileno())
        return self.size, self._hash.hexdigest()
