"""What is fuzzed, and how one case can end."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from hypothesis.strategies import SearchStrategy

from core.errors import InputError

Ending = Literal["right", "refused", "failed"]
_MOST_WORDS = 4000
"""Characters that an error may have: more, and nobody reads it."""


@dataclass(frozen=True, slots=True)
class Reader:
    """A reader, and what to feed it with."""

    inputs: SearchStrategy[Any]
    """Draws a case; its `repr` shows what it was."""
    read: Callable[[Any, Path], object]
    """Writes a case into the empty folder that it is given and reads it, or raises what the reader raises. Where it is
    known what must come out, it asserts that."""
    seconds: float = 10.0
    """That a case may take."""


class TooSlow(BaseException):
    """A case took longer than it may. No `Exception`: readers that catch those must not catch this one."""


@dataclass(frozen=True, slots=True)
class Case:
    """How a case ended."""

    ending: Ending
    seconds: float
    problem: str = ""
    """What failed."""


def try_case(reader: Reader, given: Any, folder: Path) -> Case:
    """Feed a reader with one case."""
    began = time.perf_counter()
    ending: Ending = "failed"
    problem = ""
    try:
        with _at_most(reader.seconds):
            reader.read(given, folder)
        ending = "right"
    except InputError as error:
        problem = _unclear(error)
        ending = "failed" if problem else "refused"
    except TooSlow:
        problem = f"took more than {reader.seconds:g} s"
    except Exception as error:
        problem = f"{type(error).__name__}: {error}"[:1000]
    return Case(ending, time.perf_counter() - began, problem)


def _unclear(error: InputError) -> str:
    """What a user would miss in an error; empty where nothing."""
    for fault in error.faults:
        if not fault.problem.strip() or not fault.hint.strip():
            return f"an error without problem or hint: {fault}"[:1000]
        if len(fault.problem) > _MOST_WORDS:
            return f"an error of {len(fault.problem):,} characters: {fault.problem[:200]}…"
    return ""


@contextmanager
def _at_most(seconds: float) -> Iterator[None]:
    """Raise `TooSlow` in the body after so many seconds; not while it is in another language's code."""

    def ring(number: int, frame: object) -> None:
        raise TooSlow

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
