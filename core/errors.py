"""What can go wrong, in the words the user reads."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from core.secrets import without_secrets

_LONGEST = 2000
"""Characters of a problem or a hint: more, and nobody reads it."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong with the user's input, and what to do about it; it never tells a secret.

    What libraries say of a failed request may hold the hub's token: every such text comes by here.
    """

    problem: str
    hint: str
    key: str = ""
    """The recipe's key that it is about, such as "targets.layers", "tasks.ner.source", or "tasks[0].kind" where the
    task's name can't be relied on; empty where it is about none."""
    kind: str = ""
    """Of failure, as `core.failures.KINDS` names it; empty where what raised it can't tell."""

    def __post_init__(self) -> None:
        # What is quoted from a file, or from what a library says of it, can be of any length.
        for name in ("problem", "hint"):
            text = without_secrets(getattr(self, name))
            object.__setattr__(self, name, text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…")

    def about(self, key: str) -> Fault:
        """The fault, about `key` unless it says itself what it is about."""
        return self if self.key else replace(self, key=key)


class InputError(Exception):
    """The input can't be used as it is; nothing was changed. Exit status 2.

    Holds one fault or several: all that were found, so that they can be mended at once.
    """

    def __init__(self, problem: str, *, hint: str, key: str = "", kind: str = "") -> None:
        self.faults: tuple[Fault, ...] = (Fault(problem, hint, key, kind),)
        super().__init__(self.faults[0].problem)

    @classmethod
    def of(cls, faults: Iterable[Fault]) -> InputError:
        """An error that holds every fault of `faults` (at least one)."""
        faults = tuple(faults)
        error = cls(faults[0].problem, hint=faults[0].hint)
        error.faults = faults
        return error

    def __str__(self) -> str:
        return "\n".join(f"{fault.problem} ({fault.hint})" for fault in self.faults)


@contextlib.contextmanager
def gathering(faults: list[Fault], key: str = "") -> Iterator[None]:
    """What is found wrong inside joins `faults` instead of ending the work; `key` is what it is about."""
    try:
        yield
    except InputError as error:
        faults.extend(fault.about(key) for fault in error.faults)


@contextlib.contextmanager
def about(key: str) -> Iterator[None]:
    """What is found wrong inside is about `key`, where it doesn't say itself what it is about."""
    try:
        yield
    except InputError as error:
        raise InputError.of(fault.about(key) for fault in error.faults) from error


class Stopped(Exception):
    """The user asked the run to stop; it can be resumed. Exit status 130."""

    def __init__(self, *, keep_best: bool = False) -> None:
        super().__init__("stopped by the user")
        self.keep_best = keep_best


def is_panic(error: BaseException) -> bool:
    """Whether a library in Rust gave up, in a way that Python's `except Exception` lets through."""
    return type(error).__name__ == "PanicException"
