"""Where a teacher's answers are kept, so that what comes again needs no forward pass: in memory, on disk.

What is kept is what was put there, bit for bit: a result never depends on how much room there was.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from safetensors.torch import load, save
from torch import Tensor

from core.small_files import open_file

_DIGEST = 32
"""Bytes at a file's end that tell whether what stands before them is what was written: it isn't flushed to the disk."""


class Answers(Protocol):
    """Keeps what teachers said, each answer under a hash of who was asked what; it may forget."""

    def get(self, key: str) -> Mapping[str, Tensor] | None:
        """What was put there, bit for bit, or None."""

    def put(self, key: str, answers: Mapping[str, Tensor]) -> bool:
        """Keep answers, if there is room; whether there was."""


class Remembered:
    """Answers in memory, up to a number of bytes; what comes after isn't kept."""

    def __init__(self, most: int) -> None:
        """`most`: bytes."""
        self._left = most
        self._kept: dict[str, Mapping[str, Tensor]] = {}

    def get(self, key: str) -> Mapping[str, Tensor] | None:
        """What was put there, or None."""
        return self._kept.get(key)

    def put(self, key: str, answers: Mapping[str, Tensor]) -> bool:
        """Keep answers, if there is room."""
        size = sum(tensor.nbytes for tensor in answers.values())
        if size > self._left:
            return False
        self._left -= size
        self._kept[key] = answers
        return True


class OnDisk:
    """Answers as files, up to a number of bytes; what comes after isn't kept, nor what the disk has no room for."""

    def __init__(self, folder: Path, most: int) -> None:
        """`folder` may be shared by processes and hold answers of earlier ones; `most`: bytes, theirs included."""
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._left = most - sum(path.stat().st_size for path in folder.glob("*.safetensors"))
        self.found = 0
        """How many answers needed no forward pass."""

    def get(self, key: str) -> Mapping[str, Tensor] | None:
        """What was put there by whichever process, or None."""
        # Missing, or not what was written, as when the power went: it is asked for anew.
        with contextlib.suppress(OSError), open_file(self._path(key)) as file:
            content = file.read()
            data, digest = content[:-_DIGEST], content[-_DIGEST:]
            if _digest(data) == digest:
                self.found += 1
                # In memory of their own: equal alignment gives equal sums.
                return {name: tensor.clone() for name, tensor in load(data).items()}
        return None

    def put(self, key: str, answers: Mapping[str, Tensor]) -> bool:
        """Keep answers, if there is room; another process may keep the same ones just now."""
        size = sum(tensor.nbytes for tensor in answers.values())
        if size > self._left:
            return False
        path = self._path(key)
        scratch = path.with_suffix(f".{os.getpid()}.new")
        try:
            data = save({name: tensor.contiguous() for name, tensor in answers.items()})
            scratch.write_bytes(data + _digest(data))
            os.replace(scratch, path)
        except OSError:  # the disk is full, which is no reason to stop: there is only less to be had again
            self._left = 0
            with contextlib.suppress(OSError):
                scratch.unlink()
            return False
        self._left -= size
        return True

    def _path(self, key: str) -> Path:
        return self._folder / f"{key}.safetensors"


def _digest(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=_DIGEST).digest()


class InTurn:
    """Answers in the first of several places that has room."""

    def __init__(self, places: Sequence[Answers]) -> None:
        self._places = places

    def get(self, key: str) -> Mapping[str, Tensor] | None:
        """What was put into any of the places, or None."""
        return next((found for place in self._places if (found := place.get(key)) is not None), None)

    def put(self, key: str, answers: Mapping[str, Tensor]) -> bool:
        """Keep answers, if any place has room."""
        return any(place.put(key, answers) for place in self._places)
