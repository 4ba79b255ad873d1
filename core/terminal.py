"""A run's progress for people at a terminal, on standard error."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol, TextIO

from core.analysis.size import EVALUATE
from core.events import Event, Loss, Message, Progress, Score, Size, Stage
from core.export.measures import language_note, language_rows, speed_note, speed_rows
from core.tables import text_table
from core.wording import (
    MISSING,
    clean,
    doubts_text,
    duration,
    forecast,
    measured_by,
    megabytes,
    metric,
    number,
    parameters,
    stage,
    verdict,
    whole_score,
)

if TYPE_CHECKING:
    from core.teacher_finder import TeachersFound

_LINE_SECONDS = 5.0
_BAR_SECONDS = 0.1


class Follower(Protocol):
    """Shows events as they come."""

    def __call__(self, event: Event) -> None:
        """Show an event."""

    def close(self) -> None:
        """Leave the terminal tidy."""


def follower(stream: TextIO) -> Follower:
    """A bar where `stream` is a terminal, lines where it is a file or a pipe."""
    return _Bar(stream) if stream.isatty() else _Lines(stream)


class _Lines:
    """One line an event; of progress and losses at most one in five seconds."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._told = time.monotonic()

    def __call__(self, event: Event) -> None:
        line = _line(event)
        if isinstance(event, Progress) or (isinstance(event, Loss) and event.split == "train"):
            if time.monotonic() - self._told < _LINE_SECONDS:
                return
            line = line or _progress(event)
        if line:
            self._told = time.monotonic()
            self._write(line)

    def close(self) -> None:
        """Nothing is left to do."""

    def _write(self, line: str) -> None:
        # Whoever read the lines may be gone; the run goes on.
        with contextlib.suppress(OSError, ValueError):
            self._stream.write(line + "\n")
            self._stream.flush()


class _Bar:
    """A bar for the current stage, with its ETA and the last losses and scores; news is written above it."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._bar: Any = None
        self._stage = ""
        self._eta: float | None = None
        self._losses: dict[str, str] = {}
        self._scores: dict[str, str] = {}
        self._drawn = 0.0

    def __call__(self, event: Event) -> None:
        with contextlib.suppress(OSError, ValueError):
            match event:
                case Progress():
                    self._eta = event.eta_seconds
                    self._draw(event)
                case Loss():
                    self._losses[event.split] = number(event.total, 3)
                case Score(how="probe"):
                    if event.who == "student":
                        self._scores[event.task] = number(event.value)
                case Stage(state="started"):
                    self.close()
                    self._stage = event.name
                    self._losses.clear()
                    self._scores.clear()
                    self._write(_line(event))
                case Stage():
                    self.close()
                    self._write(_line(event))
                case _:
                    self._write(_line(event))

    def close(self) -> None:
        """End the bar's line."""
        if self._bar is not None:
            with contextlib.suppress(OSError, ValueError):
                self._bar.close()
            self._bar = None

    def _draw(self, event: Progress) -> None:
        if self._bar is None:
            self._bar = _new_bar(self._stream, event.total)
        now = time.monotonic()
        if now - self._drawn < _BAR_SECONDS and event.done < event.total:
            return
        self._drawn = now
        self._bar.n, self._bar.total = event.done, event.total
        self._bar.set_description_str(clean(event.stage or self._stage).replace("_", " "), refresh=False)
        told = [f"{split} loss {value}" for split, value in self._losses.items()]
        told += [f"{clean(task)} {value}" for task, value in self._scores.items()]
        if self._eta is not None:
            told.insert(0, f"{duration(self._eta)} left")
        self._bar.set_postfix_str(", ".join(told), refresh=False)
        self._bar.refresh()

    def _write(self, line: str) -> None:
        if not line:
            return
        if self._bar is not None:
            self._bar.clear()
        self._stream.write(line + "\n")
        self._stream.flush()
        if self._bar is not None:
            self._bar.refresh()


def _new_bar(stream: TextIO, total: int) -> Any:
    from tqdm import tqdm

    tqdm.monitor_interval = 0  # no thread of its own: the run says when to draw
    layout = "{desc} {percentage:3.0f} %|{bar}| {n_fmt}/{total_fmt} {postfix}"
    return tqdm(total=total, file=stream, bar_format=layout, dynamic_ncols=True, leave=False, mininterval=0)


def _line(event: Event) -> str:
    """The event as a line; empty for what isn't worth one."""
    match event:
        case Stage(state="started"):
            return f"Stage: {stage(clean(event.name))}"
        case Size():
            return f"  {clean(event.stage)}: {parameters(event.parameters)} parameters, {megabytes(event.megabytes)}"
        case Loss(split="validation"):
            losses = f"validation loss {number(event.total, 4)} (masked-language {number(event.mlm, 4)})"
            return f"  step {event.step:,}: {losses}"
        case Score():
            how = (
                "quick probe"
                if event.how == "probe"
                else f"seed {event.seed}"
                if event.seed is not None
                else event.split
            )
            name = metric(clean(event.metric))
            return f"  {clean(event.task)}, {event.who}: {name} {number(event.value)} ({how})"
        case Message(level="info"):
            return f"  {clean(event.text)}"
        case Message():
            return f"  {event.level}: {clean(event.text)}"
        case _:
            return ""


def _progress(event: Event) -> str:
    match event:
        case Progress():
            left = f", {duration(event.eta_seconds)} left" if event.eta_seconds is not None else ""
            return f"  {event.done:,} of {event.total:,}{left}"
        case Loss():
            return f"  step {event.step:,}: training loss {number(event.total, 4)}"
        case _:
            return ""


class TerminalContext:
    """The context of a command without a run folder: progress goes to the terminal, Ctrl-C ends it."""

    def __init__(self, listen: Callable[[Event], None], what: str) -> None:
        """`what` names the work, in place of a stage."""
        self._listen = listen
        self._what = what
        self._start: tuple[float, int] | None = None
        self._doubts: set[str] = set()

    def emit(self, event: Event) -> None:
        """Show the event; what makes numbers doubtful is told once, as in a run."""
        if isinstance(event, Message) and event.doubt:
            if event.text in self._doubts:
                return
            self._doubts.add(event.text)
        self._listen(event)

    def check(self) -> None:
        """Go on: Ctrl-C raises by itself."""

    def progress(self, done: int, total: int) -> None:
        """Show how far the work is."""
        now = time.monotonic()
        if self._start is None or done < self._start[1]:
            self._start = (now, done)
        began, first = self._start
        eta = (now - began) / (done - first) * (total - done) if done > first else None
        self._listen(Progress(stage=self._what, done=done, total=total, eta_seconds=eta))


def forget(stream: TextIO) -> None:
    """Nobody reads this stream any more: keep Python from complaining about it at its end."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def summary(results: Mapping[str, Any]) -> str:
    """Teacher and student side by side, and whether the differences are noise, from the content of results.json."""
    teacher, student = results["teacher"], results["student"]
    rows = [
        ("parameters", parameters(teacher["parameters"]), parameters(student["parameters"]),
         f"-{100 * student['compression']:.1f} %"),
        ("size", megabytes(teacher["megabytes"]), megabytes(student["megabytes"]), ""),
        ("masked-language loss", number(teacher["mlm_loss"], 3), number(student["mlm_loss"], 3),
         _difference(student["mlm_loss"], teacher["mlm_loss"], 3)),
        ("masked-token accuracy", number(teacher["mlm_accuracy"]), number(student["mlm_accuracy"]),
         _difference(student["mlm_accuracy"], teacher["mlm_accuracy"], 1)),
        *((*row, "") for row in language_rows((teacher, student))),
    ]  # fmt: skip
    tasks = results.get("tasks", {})
    for name, task in tasks.items():
        scores = whole_score(task["teacher"]), whole_score(task["student"])
        rows.append((f"{name} ({measured_by(task)})", *scores, _difference(-task["drop"], 0.0, 1)))
    inference = results.get("throughput", {}).get("inference")
    rows += [(*row, "") for row in speed_rows(inference, ("teacher", "student"))]
    told = "\n".join(f"{clean(name)}: {verdict(task)}" for name, task in tasks.items() if verdict(task))
    notes = told, language_note((teacher, student)), speed_note(inference), doubts_text(results)
    return "\n\n".join([text_table(("", "teacher", "student", "change"), rows), *filter(None, notes)])


def estimate_text(found: Mapping[str, Any], *, exact: bool) -> str:
    """Sizes before a run as a table, and how long it takes, from the content of `estimate --json`.

    `exact`: there is nothing to measure that would say its time better.
    """

    def row(name: str, count: int) -> tuple[str, ...]:
        change = "" if count == teacher else f"-{100 * (1 - count / teacher):.1f} %"
        return name, parameters(count), megabytes(4 * count / 1e6), change

    teacher = found["teacher"]["parameters"]
    cuts = [entry for entry in found["stages"] if entry["name"] != EVALUATE]
    rows = [row("Teacher", teacher), *(row(stage(entry["name"]), entry["parameters"]) for entry in cuts)]
    table = text_table(("", "parameters", "size", "change"), [*rows, row("Student", found["student"]["parameters"])])
    if "seconds" not in found:
        return table if exact else f"{table}\n\nHow long a run takes here isn't known yet: --measure tries a few steps."
    words = forecast(found["seconds"], found["memory_megabytes"])
    hint = "" if exact else " Measured with other settings: --measure tries these."
    return f"{table}\n\n{words}.{hint}"


def teachers_text(found: TeachersFound) -> str:
    """Teachers on a text as a table, what each had read of the language, and how to read it."""
    from core.teacher_finder import NOT_BY_ACCURACY, ORDER

    rows = [
        (
            one.name,
            parameters(one.parameters),
            number(one.cuts.tokens_a_word, 2),
            f"{100 * one.cuts.unknown_share:.2f} %",
            f"{100 * one.cuts.split_share:.1f} %",
            MISSING if one.accuracy is None else f"{number(one.accuracy)} %",
        )
        for one in found.teachers
    ]
    head = ("", "parameters", "tokens a word", "unknown tokens", "words split", "masked accuracy")
    read = [f"{one.name}: {one.volume_words}." for one in found.teachers]
    without = [f"{one.name} has no masked accuracy: {one.without}." for one in found.teachers if one.without]
    texts = f"Measured on {found.texts:,} texts ({found.words:,} words) of {found.language_name}. {ORDER}"
    notes = (*read, *without, f"{texts} {NOT_BY_ACCURACY}")
    return "\n\n".join([text_table(head, rows), "\n".join(map(clean, notes))])


def _difference(value: float | None, reference: float | None, digits: int) -> str:
    return MISSING if value is None or reference is None else f"{value - reference:+.{digits}f}"
