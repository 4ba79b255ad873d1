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
    extra: dict[str, Any] = field(default_factory=dict)
    """Entries of a later version: kept, so that going back and forth loses nothing."""


class SettingsFile:
    """Settings on disk; each change is written at once and as a whole."""

    def __init__(self, path: Path | None = None) -> None:
        """`path` is for tests; None: where appdirs says."""
        self.path = path or Path(appdirs.user_config_dir("monoglot", False)) / "settings.json"
        self.value = self._read()

    def change(self, **values: Any) -> None:
        """Set some entries and write; a disk that can't be written costs memory of them, nothing else."""
        self.value = replace(self.value, **values)
        record = asdict(self.value)
        content = json.dumps({"version": _VERSION, **record.pop("extra"), **record}, ensure_ascii=False, indent=1)
        with contextlib.suppress(OSError):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            write_atomic(self.path, content.encode())

    def remember_run(self, folder: Path) -> None:
        """Put a run at the head of the recent ones."""
        self.change(runs=_first(str(folder.absolute()), self.value.runs))

    def remember_teacher(self, folder: Path) -> None:
        """Put a local teacher at the head of the recent ones."""
        self.change(teachers=_first(str(folder.absolute()), self.value.teachers))

    def _read(self) -> Settings:
        try:
            content = json.loads(self.path.read_text(encoding="utf-8"))
            return _settings(content)
        except FileNotFoundError:
            return Settings()
        except (OSError, ValueError, TypeError, AttributeError):
            # Set aside rather than overwritten: somebody may want to mend it.
            with contextlib.suppress(OSError):
                os.replace(self.path, self.path.with_suffix(".broken.json"))
            return Settings()


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
