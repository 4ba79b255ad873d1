"""Names of files that may hold wildcards: what their author wrote is a pattern, the folder it starts from never is."""

from __future__ import annotations

import glob
import os
import re
from pathlib import Path

_HOME = re.compile(r"~[^/\\]*")
_ESCAPED = re.compile(r"\[([*?[])\]")


def from_base(source: str, base: Path) -> str:
    """A file, folder or pattern with its relative path taken from `base`; what is there by just this name is a name."""
    expanded = os.path.expanduser(source)
    path = os.path.join(base, expanded)
    if os.path.exists(path) or not glob.has_magic(path):
        return path
    if not glob.has_magic(source):
        return glob.escape(path)
    home = _HOME.match(source) if expanded != source else None
    pattern = glob.escape(os.path.expanduser(home[0])) + source[home.end() :] if home else source
    return os.path.join(glob.escape(str(base)), pattern)


def is_pattern(source: str) -> bool:
    """Whether a source holds wildcards that aren't escaped."""
    return glob.has_magic(_ESCAPED.sub("", source))


def unescaped(source: str) -> str:
    """The name that a source without such wildcards spells."""
    return _ESCAPED.sub(r"\1", source)
