"""The versions of what a run was made with."""

from __future__ import annotations

import platform
import tomllib
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import resources

_PACKAGES = ("torch", "transformers", "tokenizers", "datasets", "numpy")


def monoglot_version() -> str:
    """Monoglot's version; of a source folder that isn't installed, pyproject.toml's."""
    try:
        return version("monoglot")
    except PackageNotFoundError:
        project = Path(resources.__file__).parent.parent / "pyproject.toml"
        return str(tomllib.loads(project.read_text(encoding="utf-8"))["project"]["version"])


def versions() -> dict[str, str]:
    """Versions by name: Monoglot, Python and the packages that shape a run's result."""
    found = {"monoglot": monoglot_version(), "python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
