"""All that a stage may do to the outside: report, and ask whether it should go on."""

from __future__ import annotations

from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True)
class Portion:
    """The context of a part of some work, whose progress goes on from what was done before."""

    ctx: Context
    before: int
    """Units of the whole work that are done when the part begins."""
    total: int
    """Units of the whole work."""

    def emit(self, event: Event) -> None:
        """Record an event."""
        self.ctx.emit(event)

    def check(self) -> None:
        """Ask the whole work's context."""
        self.ctx.check()

    def progress(self, done: int, total: int) -> None:
        """Report what is done of the whole."""
        self.ctx.progress(self.before + done, self.total)


@dataclass(frozen=True, slots=True)
class Share:
    """The context of a part of some work that counts in units of its own."""

    ctx: Context
    begin: float
    """Share of the whole work that is done when the part begins."""
    end: float
    """Share of it that is done when the part ends."""

    def emit(self, event: Event) -> None:
        """Record an event."""
        self.ctx.emit(event)

    def check(self) -> None:
        """Ask the whole work's context."""
        self.ctx.check()

    def progress(self, done: int, total: int) -> None:
        """Report what is done of the whole, in thousandths."""
        share = self.begin + (self.end - self.begin) * done / max(1, total)
        self.ctx.progress(round(1000 * share), 1000)


@dataclass(frozen=True, slots=True)
class Unmeasured:
    """The context of work whose progress is told in other units."""

    ctx: Context

    def emit(self, event: Event) -> None:
        """Record an event."""
        self.ctx.emit(event)

    def check(self) -> None:
        """Ask the work's context."""
        self.ctx.check()

    def progress(self, done: int, total: int) -> None:
        """Drop the report."""
