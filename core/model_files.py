"""The files that a model is loaded from, in hashes: to tell when they are others. No torch."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from core.errors import Fault, InputError

LOADED = ("config.json", "*.safetensors", "model.safetensors.index.json", "tokenizer*.json", "*.model", "vocab.txt",
          "*vocab.json", "merges.txt", "normalizer.json", "tekken.json", "added_tokens.json", "special_tokens_map.json",
          "chat_template.jinja")  # fmt: skip
"""Names of all that loading a model or a fast tokenizer may read. Of what else lies in such a folder (a card, notes of
its training, pickled weights, caches) nothing is read, and it may change."""
_LOADED_ONCE = ("config.json", "tokenizer*.json", "*.safetensors")
"""What an earlier version took for all of it."""


class _Look(NamedTuple):
    """What shows without reading a file whether it may have changed."""

    device: int
    inode: int
    size: int
    modified: int
    changed: int


class ModelFiles:
    """The files of a model folder.

    Each is hashed once, and again only where a look at it shows another file, size or time: hashing large weights
    takes long, and a model is loaded several times in a run. A look never decides that a file has changed: a copy of
    it put back has another look and the same hash. A link is looked at and hashed where it leads, so that what the
    hub's cache holds is told by its content.
    """

    def __init__(self, folder: Path, check: Callable[[], None], changed: Fault) -> None:
        """`check` is asked between files whether to go on; `changed` is what to tell where they are others."""
        self._folder = folder
        self._check = check
        self._changed = changed
        self._known: dict[str, tuple[_Look, str]] = {}

    @cached_property
    def noted(self) -> dict[str, str]:
        """The hashes as they were when this was first asked for."""
        return self.hashes()

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Load from the files in the body.

        Raises:
            InputError: before or after it they aren't those that were noted.
        """
        self._compare()
        try:
            yield
        finally:  # whatever the body ran into: files that are being replaced may not fit each other
            self._compare()

    def hashes(self) -> dict[str, str]:
        """The hash of each file by name, as it is now; none where there is no such folder.

        Raises:
            InputError: a file can't be read.
        """
        found = {}
        for path in sorted({path for name in LOADED for path in self._folder.glob(name)}):
            self._check()
            try:
                if path.is_file():
                    found[path.name] = self._hash(path)
            except FileNotFoundError:  # it went away just now
                continue
            except OSError as error:
                raise InputError(f"{path} can't be read: {error.strerror}.", hint="Check the file.") from error
        return found

    def _compare(self) -> None:
        if self.noted != self.hashes():
            raise InputError.of([self._changed])

    def _hash(self, path: Path) -> str:
        known = self._known.get(path.name)
        if known is not None and known[0] == _look(os.stat(path)):
            return known[1]
        with open(path, "rb") as file:
            look = _look(os.fstat(file.fileno()))  # before it is read: what is written meanwhile shows the next time
            told = hashlib.file_digest(file, "sha256").hexdigest()
        self._known[path.name] = look, told
        return told


def _look(about: os.stat_result) -> _Look:
    return _Look(about.st_dev, about.st_ino, about.st_size, about.st_mtime_ns, about.st_ctime_ns)


def digest_once(hashes: Mapping[str, str]) -> str:
    """The one hash that an earlier version kept of a model."""
    told = hashlib.sha256()
    for name in sorted(hashes):
        if any(fnmatchcase(name, pattern) for pattern in _LOADED_ONCE):
            told.update(f"{name} {hashes[name]}\n".encode(errors="replace"))
    return told.hexdigest()
