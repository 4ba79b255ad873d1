"""What is known of a teacher without loading it: its configuration, its licence. No torch."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import resources
from core.analysis.size import estimate
from core.errors import InputError
from core.families import Sizes, family_of
from core.small_files import read_object
from core.sources import check_model_folder, download, downloaded, local_folder


@dataclass(frozen=True, slots=True)
class KnownTeacher:
    """A hub model of `resources/teachers.toml`."""

    title: str
    names: tuple[str, ...]
    licence: str
    """As the hub spells it."""
    languages: int
    """How many languages it was trained on."""
    pretraining: str
    """What it read, a key of `resources/pretraining.toml`."""
    config: dict[str, Any]
    """The entries of its config.json that sizes follow from."""

    @property
    def download_megabytes(self) -> float:
        """Bytes of its weights in float32, / 1e6, which is about what a download takes."""
        return estimate(self.config, hidden_reduction="truncate", vocabulary_order="first").teacher.megabytes


@cache
def known_teachers() -> tuple[KnownTeacher, ...]:
    """Every teacher that is known without asking the hub."""
    content = tomllib.loads((Path(resources.__file__).parent / "teachers.toml").read_text(encoding="utf-8"))
    return tuple(KnownTeacher(**{**entry, "names": tuple(entry["names"])}) for entry in content["teacher"])


def known_teacher(name: str) -> KnownTeacher | None:
    """The known teacher of this hub name."""
    return next((teacher for teacher in known_teachers() if name in teacher.names), None)


def copy_of(folder: Path) -> KnownTeacher | None:
    """The known teacher that a folder has both the name and the sizes of, most likely a copy of it; None: none."""
    named = next((one for one in known_teachers() if folder.name in (name.split("/")[-1] for name in one.names)), None)
    if named is None:
        return None
    try:
        config = check_model_folder(folder, weights=False)
        same = config.get("model_type") == named.config["model_type"] and _sizes(config) == _sizes(named.config)
    except (InputError, LookupError, TypeError, ValueError):
        return None
    return named if same else None


def _sizes(config: dict[str, Any]) -> Sizes:
    return family_of(config).sizes(config)


def own_parameters(config: dict[str, Any]) -> int:
    """How many parameters a model of this config.json has, its MLM head included and each shared tensor once.

    Raises:
        InputError: an architecture that isn't known.
    """
    family = family_of(config)
    return sum(family.parameters(family.sizes(config)).values())


def teacher_config(source: str, base: Path) -> dict[str, Any]:
    """The config.json of a teacher: a local folder's, a known hub model's, else the hub's (that file alone).

    Args:
        source: `teacher.model` of a recipe.
        base: what relative paths are taken from.

    Raises:
        InputError: no such model, or it isn't known here and the hub can't be reached.
    """
    here = config_here(source, base)
    return here if here is not None else check_model_folder(download(source, ["config.json"]), weights=False)


def config_here(source: str, base: Path) -> dict[str, Any] | None:
    """The config.json of a teacher, without asking the hub; None where this machine doesn't know it.

    Args:
        source, base: as for `teacher_config`.

    Raises:
        InputError: there is no such folder, it holds no model, or no model of the hub can have this name.
    """
    known = known_teacher(source)
    folder = local_folder(source, base)
    if folder is None and known is not None:
        return dict(known.config)
    folder = folder or downloaded(source)
    return None if folder is None else check_model_folder(folder, weights=False)


def on_this_machine(name: str) -> bool:
    """Whether the hub's cache holds a model's configuration and all of its weights in safetensors.

    Args:
        name: what it is called on the hub; the same model under another name is another entry of the cache.
    """
    from huggingface_hub import constants  # alone: what downloads takes much longer to import

    repository = Path(constants.HF_HUB_CACHE) / "--".join(["models", *name.split("/")])
    try:
        commit = (repository / "refs" / "main").read_text(encoding="utf-8").strip()
        snapshot = repository / "snapshots" / commit
        if not (snapshot / "config.json").is_file():
            return False
        if (snapshot / "model.safetensors").is_file():
            return True
        parts = read_object(snapshot / "model.safetensors.index.json")["weight_map"]
        return all((snapshot / part).is_file() for part in set(parts.values()))
    except (OSError, ValueError, LookupError, TypeError, AttributeError):  # nothing there, or a broken index
        return False
