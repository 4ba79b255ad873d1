"""The window's short jobs, each in a process of its own: `python -m core.jobs`.

What is asked, `{"job": NAME, …}`, is the one argument or, where there is none, all of standard input.
Standard output is JSON, one object a line: `{"progress": [done, total]}` again and again, and at last `{"done": {…}}`
or `{"faults": [{"problem": …, "hint": …, "key": …, "kind": …}]}`. A job whose reader is gone, or that is terminated,
says nothing more and leaves nothing behind, but for what the machine's cache can go on from (`core.shared_cache`).
"""

from __future__ import annotations

import json
import signal
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.context import Context
from core.ending import as_interrupt
from core.errors import Fault, InputError, Stopped
from core.events import Event
from core.failures import explained
from core.fault_log import log_own_fault
from core.machine import share_cores
from core.recipe import LEAST_LETTERS
from core.terminal import forget
from core.wording import shortened

if TYPE_CHECKING:
    from core.tasks.examples import Example

DONE, OUR_FAULT, BAD_INPUT, STOPPED = 0, 1, 2, 130
_PROGRESS_SECONDS = 0.1
_EXAMPLES, _EXAMPLE_CHARACTERS = 5, 120


def main(arguments: Sequence[str] | None = None) -> int:
    """Do one job and return the exit status.

    Args:
        arguments: what follows the program's name; None: what the process was given.
    """
    signal.signal(signal.SIGTERM, as_interrupt)
    share_cores()
    try:
        try:
            _say({"done": _do(*_asked(sys.argv[1:] if arguments is None else arguments))})
        except InputError as error:
            return _say_faults(error.faults, BAD_INPUT)
        except (Stopped, KeyboardInterrupt):
            raise
        except Exception as error:
            own, known = log_own_fault(), explained(error, in_run=False)
            return _say_faults(known.faults, BAD_INPUT) if known else _say_faults([own], OUR_FAULT)
    except (Stopped, KeyboardInterrupt):
        forget(sys.stdout)
        return STOPPED
    return DONE


class Arguments:
    """What a job was given."""

    def __init__(self, values: dict[str, Any]) -> None:
        self._values = values

    def text(self, name: str, default: str | None = None) -> str:
        """A text.

        Raises:
            InputError: it is none.
        """
        value = self._values.get(name, default)
        if not isinstance(value, str):
            raise _no_job(f"{name} is {value!r}, not a text")
        return value

    def texts(self, name: str, default: list[str] | None = None) -> list[str]:
        """A list of texts.

        Raises:
            InputError: it is none.
        """
        value = self._values.get(name, default)
        if not isinstance(value, list) or not all(isinstance(entry, str) for entry in value):
            raise _no_job(f"{name} is {value!r}, not a list of texts")
        return value

    def number(self, name: str, default: int) -> int:
        """A whole number.

        Raises:
            InputError: it is none.
        """
        value = self._values.get(name, default)
        if not isinstance(value, int):
            raise _no_job(f"{name} is {value!r}, not a whole number")
        return value

    def path(self, name: str) -> Path:
        """A file's or folder's path."""
        return Path(self.text(name))


def _do(name: str, given: Arguments) -> dict[str, Any]:
    """Do a job; its faults are about what the job looks at."""
    try:
        return JOBS[name](given, _Reporter())
    except InputError as error:
        raise InputError.of(fault.about(_KEYS.get(name, "")) for fault in error.faults) from error


def _asked(arguments: Sequence[str]) -> tuple[str, Arguments]:
    """The name of the job that is asked for, on the command line or else on standard input, and its arguments.

    Raises:
        InputError: it names none.
    """
    try:
        # Bytes: as text it would be read in the system's own encoding.
        values = None if len(arguments) > 1 else json.loads(arguments[0] if arguments else sys.stdin.buffer.read())
    except ValueError:
        values = None
    if not isinstance(values, dict):
        raise _no_job("one JSON object is wanted")
    name = Arguments(values).text("job")
    if name not in JOBS:
        raise _no_job(f"there is no job {name!r}")
    return name, Arguments(values)


def _no_job(why: str) -> InputError:
    return InputError(f"This is no job: {why}.", hint=f"The jobs are {', '.join(JOBS)}; see core/jobs.py.")


# -- the jobs --------------------------------------------------------------------------------------------------------


def _corpus(given: Arguments, ctx: Context) -> dict[str, Any]:
    """From sources, base (and least_letters, other_scripts): what the sources hold, and what a run would take of it."""
    from core.corpus.survey import survey

    settings = given.number("least_letters", LEAST_LETTERS), given.text("other_scripts", "drop")
    return survey(given.texts("sources"), given.path("base"), ctx, *settings).to_json()


def _task(given: Arguments, ctx: Context) -> dict[str, Any]:
    """From kind, source, base, language: what a task's data hold; empty for the hub's, which the run fetches.

    `notes` are sentences on how the data were read; `leaks` is as in results.json, without the corpus.
    """
    from collections import Counter

    from core.tasks.data import load_task
    from core.tasks.examples import SPLITS
    from core.tasks.hub import full_source
    from core.tasks.leaks import find_leaks

    kind, source, language = (given.text(name) for name in ("kind", "source", "language"))
    if source.startswith("hub:"):
        full_source(kind, source, language)
        return {"splits": {}, "labels": {}, "first": [], "notes": [], "leaks": {}}
    data = load_task(kind, source, given.path("base"), language)
    counts = Counter(label for example in data.train for label in example.labels)
    leaks = find_leaks({"": data})[""].to_json()
    return {
        "splits": {split: len(getattr(data, split)) for split in SPLITS},
        "labels": {label: counts[label] for label in data.labels},
        "first": [_in_words(example) for example in data.train[:_EXAMPLES]],
        "notes": list(data.notes),
        "leaks": {name: found for name, found in leaks.items() if name != "test_in_corpus"},
    }


def _in_words(example: Example) -> str:
    """A short line that shows an example."""
    from core.tasks.examples import TextExample

    if isinstance(example, TextExample):
        return f"{example.label}: {shortened(example.text, _EXAMPLE_CHARACTERS)}"
    words = " ".join(f"{token}/{tag}" for token, tag in zip(example.tokens, example.tags, strict=True))
    return shortened(words, _EXAMPLE_CHARACTERS)


def _teacher(given: Arguments, ctx: Context) -> dict[str, Any]:
    """From model, base: a teacher's sizes and what else is known of it without asking the hub."""
    from core.analysis.size import megabytes
    from core.preflight import teacher_here
    from core.teachers import known_teacher

    model = given.text("model")
    found = teacher_here(model, given.path("base"))
    if found is None:
        raise InputError(
            f"How large {model!r} is shows only when it is downloaded.",
            hint="The run downloads and checks it first. To see its size now, choose a folder on this machine.",
        )
    known = known_teacher(model)
    parameters = sum(found.family.parameters(found.sizes).values())
    axes = ("layers", "hidden", "heads", "feed_forward", "vocabulary")
    return {
        "sizes": {axis: getattr(found.sizes, axis) for axis in axes},
        "parameters": parameters,
        "megabytes": megabytes(parameters),
        "has_head": found.has_head,
        "licence": known.licence if known else None,
        "on_this_machine": found.on_this_machine,
    }


def _teachers(given: Arguments, ctx: Context) -> dict[str, Any]:
    """From sources, base, language (and models): how teachers cut and predict a sample of the text, sorted.

    The models were found, not named by somebody: those that can't be read stand in `left_out`, with the reason.
    `elsewhere` are known teachers that aren't on this machine, with what is known of them all the same.
    """
    from core.teacher_finder import find_teachers, known_elsewhere

    base, language, left_out = given.path("base"), given.text("language"), list[Fault]()
    found = find_teachers(given.texts("sources"), base, language, given.texts("models", []), ctx, left_out)
    return {
        **found.to_json(),
        "left_out": [fault.problem for fault in left_out],
        "elsewhere": [teacher.to_json() for teacher in known_elsewhere(language)],
    }


def _vocabulary(given: Arguments, ctx: Context) -> dict[str, Any]:
    """From recipe (its TOML), base: the vocabulary's curve, why tokens stay, and what that does to held-out text."""
    from core.analysis.vocabulary import look_ahead
    from core.recipe import parse

    return look_ahead(parse(given.text("recipe")), given.path("base"), ctx)


def _measure(given: Arguments, ctx: Context) -> dict[str, Any]:
    """From recipe (its TOML), base (and vocabulary, where it was counted): nothing; what was found is kept."""
    from core.analysis.preview import recipe_sizes
    from core.calibration import calibrate
    from core.recipe import parse
    from core.teachers import teacher_config

    recipe, base = parse(given.text("recipe")), given.path("base")
    config = teacher_config(recipe.teacher.model, base)
    vocabulary = recipe.targets.vocabulary_size or given.number("vocabulary", 0) or None
    calibrate(recipe, base, recipe_sizes(config, recipe, vocabulary), ctx)
    return {}


def _check(given: Arguments, ctx: Context) -> dict[str, Any]:
    """From recipe (its TOML), base: nothing, or every fault that can be found without the network."""
    from core.preflight import recipe_faults

    faults = recipe_faults(given.text("recipe"), given.path("base"))
    if faults:
        raise InputError.of(faults)
    return {}


def _export(given: Arguments, ctx: Context) -> dict[str, Any]:
    """From run, out: the folder that now holds a copy of the run's student."""
    from core.export.huggingface import export_student
    from core.run import RunFolder

    out = given.path("out")
    export_student(RunFolder(given.path("run")), out, ctx)
    return {"folder": str(out.absolute())}


def _convert(given: Arguments, ctx: Context) -> dict[str, Any]:
    """From model, base, out: the folder whose weights are safetensors now; asked for when the user has agreed to it."""
    from core.sources import pickled_folder

    source, out = pickled_folder(given.text("model"), given.path("base")), given.path("out")
    from core.conversion import convert_folder  # brings torch

    convert_folder(source, out, ctx)
    return {"folder": str(out.absolute())}


def _comparison(given: Arguments, ctx: Context) -> dict[str, Any]:
    """From runs, out: the page that now sets these runs side by side."""
    from core.analysis.compare import compare
    from core.export.comparison_page import write_comparison
    from core.run import RunFolder

    out = given.path("out")
    write_comparison(compare([RunFolder(Path(run)) for run in given.texts("runs")]), out)
    return {"page": str(out.absolute())}


JOBS: dict[str, Callable[[Arguments, Context], dict[str, Any]]] = {
    "corpus": _corpus,
    "task": _task,
    "teacher": _teacher,
    "teachers": _teachers,
    "vocabulary": _vocabulary,
    "measure": _measure,
    "check": _check,
    "export": _export,
    "comparison": _comparison,
    "convert": _convert,
}
_KEYS = {"corpus": "corpus.sources", "task": "tasks", "teacher": "teacher.model", "convert": "teacher.model"}
"""What a job's faults are about where they don't say it themselves."""


# -- talking ---------------------------------------------------------------------------------------------------------


class _Reporter:
    """The context of a job: its progress goes to the window."""

    def __init__(self) -> None:
        self._told = 0.0

    def emit(self, event: Event) -> None:
        """Drop the event: a job's answer says everything."""

    def check(self) -> None:
        """Go on: being terminated raises by itself."""

    def progress(self, done: int, total: int) -> None:
        """Tell it ten times a second at most."""
        now = time.monotonic()
        if now - self._told >= _PROGRESS_SECONDS:
            self._told = now
            _say({"progress": [done, total]})


def _say_faults(faults: Iterable[Fault], status: int) -> int:
    _say({"faults": [asdict(fault) for fault in faults]})
    return status


def _say(message: dict[str, Any]) -> None:
    """One line, in ASCII.

    Raises:
        Stopped: nobody reads any more.
    """
    try:
        print(json.dumps(message, allow_nan=False), flush=True)
    except OSError as error:
        raise Stopped from error


if __name__ == "__main__":
    sys.exit(main())
