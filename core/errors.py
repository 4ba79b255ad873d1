"""What can go wrong, in the words the user reads."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong with the user's input, and what to do about it."""

    problem: str
    hint: str


class InputError(Exception):
    """The input can't be used as it is; nothing was changed. Exit status 2.

    Holds one fault or several: all that were found, so that they can be mended at once.
    """

    def __init__(self, problem: str, *, hint: str) -> None:
        super().__init__(problem)
        self.faults: tuple[Fault, ...] = (Fault(problem, hint),)

    @classmethod
    def of(cls, faults: Iterable[Fault]) -> InputError:
        """An error that holds every fault of `faults` (at least one)."""
        faults = tuple(faults)
        error = cls(faults[0].problem, hint=faults[0].hint)
        error.faults = faults
        return error

    def __str__(self) -> str:
        return "\n".join(f"{fault.problem} ({fault.hint})" for fault in self.faults)


class Stopped(Exception):
    """The user asked the run to stop; it can be resumed. Exit status 130."""

    def __init__(self, *, keep_best: bool = False) -> None:
        super().__init__("stopped by the user")
        self.keep_best = keep_best
