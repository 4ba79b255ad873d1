"""A teacher's answers on disk, so that cells which read the same batches need its forward passes only once."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor


class OnDisk:
    """Answers as files of float32 tensors, up to a number of bytes; what comes after isn't kept."""

    def __init__(self, folder: Path, most: int) -> None:
        """`folder` may be shared by processes; `most`: bytes."""
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._left = most - sum(path.stat().st_size for path in folder.glob("*.safetensors"))
        self.found = 0
        """How many answers needed no forward pass."""

    def get(self, key: str) -> Mapping[str, Tensor] | None:
        """What was put there by whichever run, or None."""
        path = self._path(key)
        # Missing, or cut short when the power went: it is asked for anew.
        with contextlib.suppress(OSError, SafetensorError):
            answers = load_file(path)
            self.found += 1
            return answers
        return None

    def put(self, key: str, answers: Mapping[str, Tensor]) -> None:
        """Keep answers, if there is room; another process may keep the same ones just now."""
        path, size = self._path(key), sum(tensor.nbytes for tensor in answers.values())
        if size > self._left:
            return
        self._left -= size
        scratch = path.with_suffix(f".{os.getpid()}.new")
        scratch.write_bytes(save({name: tensor.contiguous() for name, tensor in answers.items()}))
        os.replace(scratch, path)

    def _path(self, key: str) -> Path:
        return self._folder / f"{key}.safetensors"
