"""The weights of a model folder: which files hold them, and what these say of themselves. No torch."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from core.errors import InputError
from core.small_files import open_file, read_object

WHOLE = "model.safetensors"
INDEX = "model.safetensors.index.json"
_LONGEST_HEADER = 16 * 2**20
"""Bytes; that of a model of thousands of tensors is a few hundred thousand."""
_AGAIN = "Download the model again."


def weight_files(folder: Path) -> tuple[Path, ...]:
    """The files that a model's weights are in: one, or the parts that its index names.

    Raises:
        InputError: there are none, the index is broken, or it names a file that isn't in the folder.
    """
    if os.path.isfile(folder / WHOLE):
        return (folder / WHOLE,)
    index = folder / INDEX
    try:
        named: Any = read_object(index)["weight_map"]
        names = sorted(set(named.values()))
    except FileNotFoundError:
        raise InputError(f"{folder} holds neither {WHOLE} nor {INDEX}.", hint=_AGAIN) from None
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise InputError(f"{index} can't be read: {error}", hint=_AGAIN) from error
    for name in names:
        # A name, and nothing that leads to another folder, on any system.
        if not isinstance(name, str) or name in ("", ".", "..") or any(mark in name for mark in "/\\:\0"):
            raise InputError(f"{index} names {name!r:.200} as a part, which is no file beside it.", hint=_AGAIN)
        if not os.path.isfile(folder / name):  # where Path.is_file raises: a name that is too long
            raise InputError(f"{folder} lacks {name:.200}, a part of the model's weights.", hint=_AGAIN)
    if not names:
        raise InputError(f"{index} names no files.", hint=_AGAIN)
    return tuple(folder / name for name in names)


def shapes_in(files: Sequence[Path]) -> dict[str, tuple[int, ...]]:
    """The shape of each tensor in safetensors files, by name.

    Raises:
        InputError: a file is no safetensors file, or cut off; or two hold the same tensor.
    """
    from safetensors import SafetensorError, safe_open

    shapes: dict[str, tuple[int, ...]] = {}
    for path in files:
        try:
            _check_header(path)
            with safe_open(path, framework="numpy") as file:
                found = {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118 (no dict)
        except (OSError, ValueError, SafetensorError) as error:
            raise InputError(f"{path} is not a safetensors file: {error}.", hint=_AGAIN) from error
        if twice := sorted(found.keys() & shapes.keys()):
            raise InputError(f"{path.parent} holds {twice[0]:.200} in two files.", hint=_AGAIN)
        shapes |= found
    return shapes


def check_amount(shapes: Mapping[str, tuple[int, ...]], parameters: int, folder: Path) -> None:
    """Refuse a config.json that describes a much larger model than there are weights for.

    Making such a model could take any amount of memory before it shows that its weights lack.

    Args:
        shapes: of the weights.
        parameters: of the model that config.json describes, its head included, which may lack.
        folder: where both are.

    Raises:
        InputError: it describes one of more than twice the size: no head is larger than the rest of its model.
    """
    there = sum(math.prod(shape) for shape in shapes.values())
    if parameters > 2 * there:
        raise InputError(
            f"The weights in {folder} don't fit its config.json: that describes a model of {parameters:,} parameters, "
            f"there are {there:,}.",
            hint="Take config.json and the weights from the same model.",
        )


def _check_header(path: Path) -> None:
    """See that a header is no longer than one should be: the library would read it whole."""
    with open_file(path) as file:
        length = int.from_bytes(file.read(8), "little")
    if length > _LONGEST_HEADER:
        raise ValueError(f"its header would be {length:,} bytes long")
