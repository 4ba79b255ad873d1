"""What a command says: answers on standard output, everything else on standard error."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from core.errors import InputError
from core.failures import Failure, failure_of
from core.terminal import forget
from core.wording import clean, is_shown


def open_streams() -> None:
    """Have streams that take every letter: one that is closed takes all in silence, others spell out what they lack."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115 (open as long as the process)
        stream = getattr(sys, name)
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def answer(text: str) -> None:
    """Print what was asked for.

    Raises:
        InputError: it can't be printed.
        BrokenPipeError: whoever read it is gone.
    """
    try:
        print(text, flush=True)
    except BrokenPipeError:
        raise
    except OSError as error:
        forget(sys.stdout)
        # Not from the error: the disk that is full may be another than the work's.
        raise InputError(
            f"The answer can't be printed: {error.strerror}.", hint="All else is done: only what it says is lost."
        ) from None


def tell(options: argparse.Namespace, content: dict[str, Any], text: Callable[[], str]) -> None:
    """Print what a command found, as the user wants it."""
    # ASCII only, so that it is JSON in every terminal's encoding.
    answer(json.dumps(content, allow_nan=False) if options.json else text())


def note(text: str) -> None:
    """Say something beside the answer."""
    with contextlib.suppress(OSError):
        print(text, file=sys.stderr, flush=True)


def complain(problem: str, hint: str) -> None:
    """Tell of a fault."""
    note(f"error: {clean(problem)}\nhint: {clean(hint)}")


def refuse(error: InputError, options: argparse.Namespace) -> None:
    """Tell of an error that isn't a fault of ours, and how to go on with a run that it ended."""
    for fault in error.faults:
        complain(fault.problem, fault.hint)
    tell_what_is_safe(options, failure_of(error))


def tell_what_is_safe(options: argparse.Namespace, failure: Failure | None = None) -> None:
    """Of a run that failed: what is whole, and the command that goes on with it where that is the next step.

    Args:
        options: the command's; one that runs something knows of resuming.
        failure: what ended the run, where that isn't a fault of ours.
    """
    if not hasattr(options, "resume") or options.out is None:
        return
    from core.run import RunFolder
    from core.safe_point import safe_point, safe_words

    folder = RunFolder(options.out)
    try:
        safe = safe_point(folder, checked=False)
    except OSError:  # nothing can be read there: the error has said so
        return
    # On a full disk the status may still say that it runs; where another process runs it, that tells how it stands.
    others = folder.read_status().get("state") in ("finished", "stopped") or folder.running()
    if others or not safe.is_something:
        return
    note(f"safe: {clean(safe_words(safe))}")
    if failure is None or failure.action == "resume":
        note(f"To go on: {resuming(options.out)}")


def resuming(folder: Path) -> str:
    """The command that goes on with a run, to be pasted."""
    return f"monoglot run --resume --out {_quoted(str(folder))}"


def _quoted(path: str) -> str:
    """A path as a shell takes it, to the letter; what could steer a terminal is spelt out in bytes."""
    if all(map(is_shown, path)):
        return shlex.quote(path)
    marks = (
        mark if is_shown(mark) and mark not in "'\\" else "".join(f"\\{byte:03o}" for byte in os.fsencode(mark))
        for mark in path
    )
    return f"$'{''.join(marks)}'"


def agreed(question: str) -> bool:
    """Whether somebody at a terminal says yes; where nobody is, nobody does."""
    if not (sys.stdin and sys.stdin.isatty() and sys.stderr.isatty()):
        return False
    print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")
