"""What helps others to find out why a run failed, as plain text without secrets. No torch; sends nothing."""

from __future__ import annotations

import json
import os
import platform
import re
import unicodedata
from collections.abc import Iterator
from pathlib import Path

import appdirs

from core.export.versions import versions
from core.failures import Failure
from core.free_space import free_bytes, in_megabytes
from core.machine import machine_name
from core.run import RunFolder
from core.secrets import without_secrets
from core.small_files import open_file

_EVENTS = 50
_TAIL_BYTES = 1 << 16
"""Of a file that grows, what is read of its end."""
_TRACEBACK_LINES = 80
_BEGINS_ENTRY = re.compile(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d ", re.MULTILINE)
"""In error.log, see `core.fault_log`."""
_MORE_SECRETS = (
    (re.compile(r"\b(hf|api_org)_[A-Za-z0-9]{8,}"), "[hidden]"),
    (re.compile(r"(https?://[^\s?\"']+)\?[^\s\"']+"), r"\1?[hidden]"),
)
"""What is hidden besides `core.secrets`', as this text goes to others: whatever looks like a token, and the queries of
addresses, which may be signed."""


def diagnostics(folder: RunFolder | None, failure: Failure, safe: str = "") -> str:
    """Everything worth knowing of a failure: words, versions, machine, recipe, status, last events, traceback.

    Args:
        folder: the run's; None where it has none.
        failure: what was told.
        safe: what was told to be safe.
    """
    told = (failure.what_happened, f"Safe: {safe}" if safe else "", f"Next step: {failure.next_step}")
    parts = [("Monoglot diagnostics", "\n".join(filter(None, (*told, f"Kind: {failure.kind}"))))]
    parts += [("Versions and machine", "\n".join(_surroundings(folder)))]
    if folder is not None:
        parts += [("Recipe", _tail(folder.recipe) or _tail(folder.original_recipe))]
        parts += [("Status", _tail(folder.status)), (f"Last {_EVENTS} events", _last_lines(folder.events, _EVENTS))]
    parts += [("Traceback", _traceback(folder))]
    return scrubbed("\n\n".join(f"== {title} ==\n{text.strip()}" for title, text in parts if text.strip())) + "\n"


def scrubbed(text: str) -> str:
    """A text without tokens and passwords, the user's home as ~, and nothing that a terminal would obey."""
    text = without_secrets(text)
    for pattern, instead in _MORE_SECRETS:
        text = pattern.sub(instead, text)
    for home in _homes():
        text = re.sub(re.escape(home) + r"(?![\w.-])", "~", text)
    return "".join(mark for mark in text if mark in "\n\t" or unicodedata.category(mark) not in ("Cc", "Cs"))


def _homes() -> Iterator[str]:
    """The home folder as it may be spelt, also inside JSON."""
    found = {os.path.expanduser("~"), os.path.realpath(os.path.expanduser("~"))}
    for home in sorted(found, key=len, reverse=True):
        if len(Path(home).parts) > 1:  # not the root of a disk
            yield home
            if "\\" in home:
                yield json.dumps(home)[1:-1]


def _surroundings(folder: RunFolder | None) -> Iterator[str]:
    yield from (f"{name} {version}" for name, version in versions().items())
    yield f"{machine_name('cpu')}; {platform.platform()}"
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        yield f"Memory: {in_megabytes(os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE'))}"
    free = free_bytes(folder.path) if folder is not None else None
    if folder is not None and free is not None:
        yield f"Free on the disk of {folder.path}: {in_megabytes(free)}"


def _traceback(folder: RunFolder | None) -> str:
    """The last entry of the log of our own faults, where there is one: a run's is in its folder."""
    text = _tail(folder.error_log if folder else Path(appdirs.user_log_dir("monoglot", False)) / "error.log")
    begins = [match.start() for match in _BEGINS_ENTRY.finditer(text)]
    return "\n".join(text[begins[-1] if begins else 0 :].strip().splitlines()[-_TRACEBACK_LINES:])


def _last_lines(path: Path, count: int) -> str:
    return "\n".join(_tail(path).splitlines()[-count:])


def _tail(path: Path) -> str:
    """The end of a file's text; empty where it can't be read."""
    try:
        with open_file(path) as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - _TAIL_BYTES))
            return file.read(_TAIL_BYTES).decode("utf-8", "replace")
    except (OSError, ValueError):
        return ""
