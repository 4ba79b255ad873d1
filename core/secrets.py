"""The hub's access tokens, and passwords in addresses: nothing that is told or kept may hold one."""

from __future__ import annotations

import contextlib
import os
import re
from functools import cache
from pathlib import Path

_HIDDEN = "[hidden]"
# The hub's tokens, as users make them and as signing in gives them; names of models aren't as long and mixed. Any
# character may stand before one: in an escaped line break or address it is a letter or a digit.
_TOKEN = re.compile(r"(?:hf|api_org)_(?:(?:oauth|jwt)_[\w.-]{16,}|(?=[a-z0-9]*[A-Z])[A-Za-z0-9]{20,})")
_HEADER = re.compile(r"(?i)(\bauthorization\W{1,5}(?:bearer|basic)\s+|\bbearer\s+(?=[\w.~+/=-]{20}))[\w.~+/=-]+")
_IN_ADDRESS = re.compile(r"(?<=://)[^\s/@\"'<>\\]+(?=@)")
_VARIABLES = ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HUGGINGFACE_TOKEN")
_SHORTEST = 8
"""Characters of a variable's value that are looked for: less is no token, and would be found anywhere."""


def without_secrets(text: str) -> str:
    """The text with everything hidden in it that opens something: tokens and names with passwords in addresses."""
    for value in (*map(os.environ.get, _VARIABLES), _kept_in(_token_file())):
        if value and len(value.strip()) >= _SHORTEST:
            text = text.replace(value.strip(), _HIDDEN)
    text = _TOKEN.sub(_HIDDEN, text)
    text = _HEADER.sub(rf"\1{_HIDDEN}", text)
    return _IN_ADDRESS.sub(_HIDDEN, text)


def holds_secret(text: str) -> bool:
    """Whether `without_secrets` would hide something."""
    return without_secrets(text) != text


def _token_file() -> str:
    """Where signing in keeps the hub's token: huggingface_hub knows, which takes too long to import for this."""
    caches = os.environ.get("XDG_CACHE_HOME", os.path.join("~", ".cache"))
    home = os.environ.get("HF_HOME", os.path.join(caches, "huggingface"))
    path = os.environ.get("HF_TOKEN_PATH", os.path.join(home, "token"))
    return os.path.expandvars(os.path.expanduser(path))


@cache
def _kept_in(path: str) -> str:
    """What a file holds; nothing where it can't be read."""
    with contextlib.suppress(OSError):
        return Path(path).read_text(encoding="utf-8", errors="replace")
    return ""
