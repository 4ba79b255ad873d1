"""What happens to an exception that nobody caught."""

from __future__ import annotations

import sys
from types import TracebackType

from PySide6.QtCore import QObject, Signal

from core.fault_log import log_own_fault


class Hook(QObject):
    """A fault of ours in the window's own process: kept in the log, told in the window, which stays open."""

    told = Signal(object)
    """A `Fault`; from whichever thread it happened in."""

    def __call__(self, kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        """What Python calls with an exception that nobody caught."""
        if issubclass(kind, KeyboardInterrupt):
            sys.__excepthook__(kind, error, trace)
            return
        try:
            raise error
        except Exception:
            self.told.emit(log_own_fault())
