"""How a run stands, in a word and a sign: the same on every page."""

from __future__ import annotations

from PySide6.QtCore import QT_TRANSLATE_NOOP, QCoreApplication
from PySide6.QtGui import QIcon

from gui.icons import icon
from gui.worker import Phase

_NAMES: dict[Phase, str] = {
    "none": QT_TRANSLATE_NOOP("Phases", "no run"),
    "starting": QT_TRANSLATE_NOOP("Phases", "starting"),
    "queued": QT_TRANSLATE_NOOP("Phases", "getting ready"),
    "running": QT_TRANSLATE_NOOP("Phases", "running"),
    "paused": QT_TRANSLATE_NOOP("Phases", "paused"),
    "stopped": QT_TRANSLATE_NOOP("Phases", "stopped"),
    "failed": QT_TRANSLATE_NOOP("Phases", "failed"),
    "finished": QT_TRANSLATE_NOOP("Phases", "finished"),
    "lost": QT_TRANSLATE_NOOP("Phases", "cut off"),
}
_ICONS: dict[Phase, str] = {
    "paused": "pause",
    "stopped": "stop",
    "failed": "warning",
    "finished": "check",
    "lost": "warning",
}


def phase_name(phase: Phase) -> str:
    """A phase in a word or two."""
    return QCoreApplication.translate("Phases", _NAMES[phase])


def phase_icon(phase: Phase) -> QIcon:
    """A phase as a sign."""
    return icon(_ICONS.get(phase, "play"))
