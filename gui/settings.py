"""What the window remembers between starts, in the user's configuration folder as appdirs names it."""

from __future__ import annotations

import contextlib
import json
import os
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import appdirs

from core.sealing import write_atomic

_VERSION = 1
_MOST_RECENT = 30
_BROKEN = (ValueError, TypeError, AttributeError, RecursionError)
"""What reading a file raises that holds no settings."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything remembered, with what holds where the file does not say."""

    theme: str = "system"
    """system, light or dark."""
    geometry: str = ""
    """The window's place and size, in Qt's own base64."""
    runs: tuple[str, ...] = ()
    """Run folders, the last used first."""
    draft: str = ""
    """The set-up as it was left, as TOML."""
    draft_base: str = ""
    """The folder that the draft's relative paths start from."""
    teachers: tuple[str, ...] = ()
    """Local teacher folders, the last used first."""
    vocabulary_shown: bool = True
    """Whether the set-up shows what a vocabulary keeps, or has it folded away."""
    extra: dict[str, Any] = field(default_factory=dict)
    """Entries of a later version: kept, so that going back and forth loses nothing."""


class SettingsFile:
    """Settings on disk, shared by the windows of a user; each change is written at once."""

    def __init__(self, path: Path | None = None) -> None:
        """`path` is for tests; None: where appdirs says."""
        self.path = path or Path(appdirs.user_config_dir("monoglot", False)) / "settings.json"
        self.value = Settings()
        self._unwritten: dict[str, Any] = {}
        try:
            self._catch_up()
        except _BROKEN:
            # Set aside rather than overwritten: somebody may want to mend it.
            with contextlib.suppress(OSError):
                os.replace(self.path, free_path(self.path.with_suffix(".broken.json")))
        except OSError:
            pass  # it can't be read now, and isn't written over while that is so

    def change(self, **values: Any) -> None:
        """Set some entries and write; what another window has written meanwhile stays.

        A disk that can't be read or written costs memory of them, nothing else.
        """
        self._unwritten |= values
        self.value = replace(self.value, **values)
        with contextlib.suppress(OSError):
            with contextlib.suppress(*_BROKEN):
                self._catch_up()
            record = asdict(self.value)
            content = json.dumps({"version": _VERSION, **record.pop("extra"), **record}, ensure_ascii=False, indent=1)
            self.path.parent.mkdir(parents=True, exist_ok=True)
            # A folder's name may hold bytes that are no UTF-8; JSON can spell out what stands for them.
            write_atomic(self.path, content.encode(errors="backslashreplace"))
            self._unwritten = {}

    def remember_run(self, folder: Path) -> None:
        """Put a run at the head of the recent ones."""
        self._remember("runs", folder)

    def remember_teacher(self, folder: Path) -> None:
        """Put a local teacher at the head of the recent ones."""
        self._remember("teachers", folder)

    def _remember(self, name: str, folder: Path) -> None:
        with contextlib.suppress(OSError, *_BROKEN):
            self._catch_up()
        self.change(**{name: _first(str(folder.absolute()), getattr(self.value, name))})

    def _catch_up(self) -> None:
        """Take up what the file holds, with what could not be written yet.

        Raises:
            OSError: it can't be read.
            ValueError, TypeError, AttributeError, RecursionError: it holds no settings.
        """
        try:
            text = self.path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return
        self.value = replace(_settings(json.loads(text)), **self._unwritten)


def free_path(path: Path) -> Path:
    """The path, with a number before its endings where there is something already: settings-2.broken.json."""
    stem, _, endings = path.name.partition(".")
    number, free = 1, path
    while os.path.lexists(free):
        number += 1
        free = path.with_name(f"{stem}-{number}.{endings}")
    return free


def _settings(content: dict[str, Any]) -> Settings:
    known = {entry.name for entry in fields(Settings)} - {"extra"}
    values: dict[str, Any] = {}
    for name in known & set(content):
        default = getattr(Settings(), name)
        value = tuple(content[name]) if isinstance(default, tuple) else content[name]
        if not isinstance(value, type(default)) or (isinstance(value, tuple) and not all(map(_is_text, value))):
            continue
        values[name] = value
    extra = {name: value for name, value in content.items() if name not in known and name != "version"}
    return Settings(**values, extra=extra)


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _first(entry: str, others: tuple[str, ...]) -> tuple[str, ...]:
    return (entry, *(other for other in others if other != entry))[:_MOST_RECENT]
