"""Data sets of the hub by their names, which lead there and to nothing on this machine. No torch at import."""

from __future__ import annotations

import os
import re
from typing import Any

from core.errors import InputError

_PART = r"\w(?:[\w.-]{0,94}\w)?"
_NAME = re.compile(rf"(?!.*(?:--|\.\.|\.git$))(?:{_PART}/)?{_PART}", re.ASCII)
"""NAME or OWNER/NAME, by the hub's own rule."""


def is_hub_name(name: str) -> bool:
    """Whether the hub could have a data set of this name; a path is no name."""
    return _NAME.fullmatch(name) is not None


def hub_builder(name: str, configuration: str | None) -> Any:
    """What `datasets` reads a data set of the hub with; only its description is fetched so far.

    Raises:
        InputError: the name stands for files of this machine, or the data set names files that aren't its own.
    """
    import datasets
    from datasets.packaged_modules import _PACKAGED_DATASETS_MODULES

    # `datasets` takes such names for its readers of local files, or for the folder, before it asks the hub.
    if name in _PACKAGED_DATASETS_MODULES or os.path.isdir(name):
        raise _not_from_hub(name)
    builder = datasets.load_dataset_builder(name, configuration)
    if builder.repo_id != name:
        raise _not_from_hub(name)
    # What it wants to read stands in its README, where any path can stand. There is none if it is in the cache.
    for files in (builder.config.data_files or {}).values():
        for file in files:
            if not file.startswith(f"hf://datasets/{name}@") or "::" in file or ".." in file.split("/"):
                raise InputError(
                    f"The data set {name!r} names a file that isn't its own: {file!r}.", hint="Choose another data set."
                )
    return builder


def _not_from_hub(name: str) -> InputError:
    return InputError(
        f"The data set {name!r} would be read from files of this machine, not from the hub.",
        hint="Write OWNER/NAME as on huggingface.co, or start Monoglot where no folder has this name. Files of your "
        "own are given by their path.",
    )
