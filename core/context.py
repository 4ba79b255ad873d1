"""All that a stage may do to the outside: report, and ask whether it should go on."""

from __future__ import annotations

from typing import Protocol

from core.events import Event


class Context(Protocol):
    """What a stage is given. Every long loop calls `check` at least every second."""

    def emit(self, event: Event) -> None:
        """Record an event."""

    def check(self) -> None:
        """Wait while the run is paused.

        Raises:
            Stopped: the user wants the run to end here.
        """

    def progress(self, done: int, total: int) -> None:
        """Report that `done` of `total` units of the current stage's work are done."""


class Quiet:
    """A context that reports nothing and never stops, for use as a library."""

    def emit(self, event: Event) -> None:
        """Drop the event."""

    def check(self) -> None:
        """Go on."""

    def progress(self, done: int, total: int) -> None:
        """Drop the report."""
