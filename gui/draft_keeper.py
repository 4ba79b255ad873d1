"""The draft between starts: taken up from the settings and kept in them."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QObject

from core.errors import Fault
from core.recipe import read_toml
from core.recipe_text import mapping_to_toml
from core.sealing import write_atomic
from gui.draft_content import Content, showable, without_empty
from gui.settings import SettingsFile, free_path


class DraftKeeper(QObject):
    """Writes only what has changed, as another window may keep a draft in the same settings."""

    def __init__(self, file: SettingsFile, parent: QObject) -> None:
        super().__init__(parent)
        self._file = file
        self._kept = ("", "")
        self.left_out: tuple[Fault, ...] = ()
        """What could not be taken up."""

    def take_up(self) -> tuple[Content, Path]:
        """The draft that was kept, faults and all, and the folder that its relative paths start from.

        What the window can't show is left out; then the whole text is set aside.
        """
        text = self._file.value.draft
        base = Path(self._file.value.draft_base or Path.home())
        try:
            given = read_toml(text)
        except ValueError:
            given = {"": text}
        content = showable(given)
        self._kept = _record(content, base)
        if content != without_empty(given):
            self._set_aside(text)
        return content, base

    def keep(self, content: Content, base: Path) -> None:
        """Write the draft where it isn't the one that was taken up or kept last."""
        record = _record(content, base)
        if record != self._kept:
            self._kept = record
            self._file.change(draft=record[0], draft_base=record[1])

    def _set_aside(self, text: str) -> None:
        path = free_path(self._file.path.with_name("draft.broken.toml"))
        problem = self.tr("Part of the last set-up can't be taken up.")
        try:
            write_atomic(path, text.encode(errors="backslashreplace"))
            hint = self.tr("All of it is in {}.").format(path)
            self._file.change(draft=self._kept[0])
        except OSError as error:
            hint = self.tr("It could not be written to {} either: {}.").format(path, error.strerror)
        self.left_out = (Fault(problem, hint),)


def _record(content: Content, base: Path) -> tuple[str, str]:
    return mapping_to_toml(content) if content else "", str(base)
