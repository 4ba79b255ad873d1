"""The work behind `monoglot convert`: pickled weights as safetensors. Only tensors are read, nothing else is run."""

from __future__ import annotations

import fnmatch
import json
import pickle
import re
import shutil
import zipfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor

from core.context import Context
from core.errors import InputError
from core.families import Family, Sizes, family_of
from core.models import load
from core.new_folder import make_folder
from core.sources import MODEL_FILES, PICKLED, PICKLED_INDEX, check_links, check_model_folder

_WEIGHTS = "model.safetensors"
_SLACK = 1 << 20
_OTHER = "Choose a model with a model.safetensors."
_AGAIN = "Download the model again, or choose one with a model.safetensors."


def convert_folder(source: Path, out: Path, ctx: Context) -> dict[str, Any]:
    """Write a model folder with the pickled weights of another as safetensors; the user has agreed to read them.

    Names, shapes and kinds of number stay as they are, but for tensors that the configuration ties: they are written
    once. The new folder is loaded, each tensor held against the family's table, before it appears.

    Args:
        source: config.json, a tokenizer and pytorch_model.bin, in one file or several with an index.
        out: the folder to write, absent or empty; it appears at the end, whole.
        ctx: told of the progress in files, asked whether to go on.

    Returns:
        `tensors`, how many; `bytes` of them; `has_head`, whether there is a masked-LM head among them.

    Raises:
        InputError: a folder can't be used, the weights are broken, don't fit, or hold anything else than tensors.
    """
    config = check_model_folder(source, weights=False)
    family = family_of(config)
    sizes = family.sizes(config)
    if any(source.glob("*.safetensors")):
        raise InputError(f"{source} has its weights in safetensors already.", hint="Use it as it is.")
    shards = _shards(source)
    copied = _copied(source)
    made: dict[str, Any] = {}

    def fill(folder: Path) -> None:
        tensors: dict[str, Tensor] = {}
        for done, path in enumerate(shards):
            ctx.progress(done, len(shards) + 1)
            ctx.check()
            tensors |= read_tensors(path)
        tensors = _once(tensors, family, sizes)
        size = sum(tensor.numel() * tensor.element_size() for tensor in tensors.values())
        # Tensors may share their numbers, but no model shares them so often.
        if size > 2 * sum(path.stat().st_size for path in shards) + _SLACK:
            raise InputError(f"The weights in {source} would be larger than their files.", hint=_OTHER)
        ctx.progress(len(shards), len(shards) + 1)
        ctx.check()
        try:
            whole = {name: tensor.contiguous() for name, tensor in tensors.items()}
            save_file(whole, folder / _WEIGHTS, {"format": "pt"})
        except SafetensorError as error:  # also what the system says of a full disk
            raise InputError(f"{out} can't be written: {error}", hint="See that the disk has room.") from error
        for path in copied:
            shutil.copyfile(path, folder / path.name)
        made.update(tensors=len(tensors), bytes=size, has_head=_fits(folder, source))

    make_folder(out, fill)
    return made


def read_tensors(path: Path) -> dict[str, Tensor]:
    """The tensors of a file of `torch.save`, by name, in the file's own memory where its form allows it.

    Raises:
        InputError: it is none, it is broken, or it holds anything else.
    """
    archive = _check_archive(path)
    try:
        found = torch.load(path, map_location="cpu", weights_only=True, mmap=archive)
    except pickle.UnpicklingError as error:
        named = re.search(r"GLOBAL ([\w.]+)", str(error))
        what = f"It names {named[1]}" if named else "It is broken, or names code"
        raise InputError(
            f"{path} holds more than tensors, and none of it was run. {what}.",
            hint=f"Don't trust this file. {_OTHER}",
        ) from error
    except Exception as error:  # whatever broken bytes make torch run into, old forms of archives among them
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise InputError(f"{path} can't be read as weights: {reason[:300]}", hint=_AGAIN) from error
    if not isinstance(found, Mapping):
        raise InputError(f"{path} holds no tensors by name.", hint=_OTHER)
    for name, value in found.items():
        if not isinstance(name, str) or not _is_plain(value):
            raise InputError(f"{path} holds more than plain tensors: {str(name)[:100]!r}.", hint=_OTHER)
    return {name: value.detach() for name, value in found.items()}


def _is_plain(value: object) -> bool:
    """Whether it is a tensor of numbers as safetensors know them."""
    return (
        type(value) in (Tensor, torch.nn.Parameter)
        and isinstance(value, Tensor)
        and value.layout == torch.strided
        and value.device.type == "cpu"
        and not (value.is_quantized or value.is_complex())
    )


def _check_archive(path: Path) -> bool:
    """Whether a file is an archive; `torch.save` packs nothing in one, so that none grows when it is read."""
    try:
        if not zipfile.is_zipfile(path):
            return False
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
    except (OSError, ValueError, zipfile.BadZipFile, NotImplementedError) as error:
        raise InputError(f"{path} can't be read as weights: {error}", hint=_AGAIN) from error
    packed = any(entry.compress_type != zipfile.ZIP_STORED for entry in entries)
    if packed or sum(entry.file_size for entry in entries) > path.stat().st_size:
        raise InputError(f"{path} is packed in a way that torch.save never packs weights.", hint=_OTHER)
    return True


def _shards(folder: Path) -> list[Path]:
    """The pickled files of a folder's weights, by its index where there is one."""
    index = folder / PICKLED_INDEX
    if not index.is_file():
        found = folder / "pytorch_model.bin"
        if found.is_file():
            return [found]
        raise InputError(
            f"{folder} holds no pytorch_model.bin to convert.", hint="Choose the folder or the model that has one."
        )
    try:
        names = sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))
        lawful = all(fnmatch.fnmatchcase(name, PICKLED[0]) and Path(name).name == name for name in names)
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise InputError(f"{index} can't be read.", hint=_AGAIN) from error
    if not names or not lawful:
        raise InputError(f"{index} names files that are no weights of this folder.", hint=_AGAIN)
    lacking = [name for name in names if not (folder / name).is_file()]
    if lacking:
        raise InputError(f"{folder} lacks {', '.join(lacking[:5])}.", hint=_AGAIN)
    return [folder / name for name in names]


def _copied(folder: Path) -> list[Path]:
    """Configuration and tokenizer: what goes into the new folder as it is."""
    patterns = [pattern for pattern in MODEL_FILES if "safetensors" not in pattern]
    files = sorted({path for pattern in patterns for path in folder.glob(pattern) if path.is_file()})
    check_links(files, folder)
    return files


def _once(tensors: dict[str, Tensor], family: Family, sizes: Sizes) -> dict[str, Tensor]:
    """Without the second names of tensors that the configuration ties."""
    if not sizes.tied:
        return tensors
    again = {
        name
        for name, own in family.tied.items()
        if name in tensors and own in tensors and torch.equal(tensors[name], tensors[own])
    }
    return {name: tensor for name, tensor in tensors.items() if name not in again}


def _fits(folder: Path, source: Path) -> bool:
    """Whether the new folder has a masked-LM head.

    Raises:
        InputError: it doesn't load; told of the folder that the user knows.
    """
    try:
        return load(folder, mapped=True)[1]
    except InputError as error:
        told = (replace(fault, problem=fault.problem.replace(str(folder), str(source))) for fault in error.faults)
        raise InputError.of(told) from error
