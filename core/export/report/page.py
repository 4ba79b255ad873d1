"""The page as a whole: its head, the numbers at a glance, the contents and the sections."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from core.export.document import document, write_page
from core.export.markup import NOTHING, Markup, bullets, element, joined, link, note, paragraph, user
from core.export.report.course import course
from core.export.report.failures import failures
from core.export.report.making import making
from core.export.report.measures import measures
from core.export.report.origin import origin
from core.export.report.run import Run, read_run
from core.export.report.scores import is_paired, leak_notes, scores
from core.export.report.settings import all_settings
from core.export.report.vocabulary import vocabulary
from core.free_space import MEGABYTE, require_space
from core.run import RunFolder
from core.wording import clean, last_name, megabytes, number, parameters, stage

_STATES = {"running": "still running", "paused": "paused", "stopped": "stopped; it can be resumed", "failed": "failed"}
_NOT_AS_WRITTEN = (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, RecursionError)
"""What a section may run into, with files of other versions or broken ones: the others matter more."""

_PAGE_BYTES = 5 * MEGABYTE
"""More than any page takes."""


@dataclass(frozen=True, slots=True)
class _Section:
    anchor: str
    title: str
    write: Callable[[Run], Markup]
    """Its content; empty where the run has nothing for it."""


_SECTIONS = (
    _Section("origin", "What it is, and what it was made from", origin),
    _Section("scores", "Scores", scores),
    _Section("failures", "Where it fails", failures),
    _Section("measures", "Teacher and student", measures),
    _Section("course", "What happened", course),
    _Section("vocabulary", "Vocabulary", vocabulary),
    _Section("making", "How it was made", making),
    _Section("settings", "Settings", all_settings),
)


def write_report(folder: RunFolder) -> Path:
    """Write report.html of a run, finished or not, and return its path.

    Raises:
        InputError: there is no run in the folder, or the page can't be written.
    """
    page = _page(read_run(folder))
    require_space(folder.path, _PAGE_BYTES, "The report", "Free some space, then have it written again.")
    write_page(folder.report, page, "Make room, or make the folder writable.")
    return folder.report


def _page(run: Run) -> str:
    written = [(section, _content(section.write, run)) for section in _SECTIONS]
    shown = [(section, content) for section, content in written if content]
    contents = element(
        "nav", bullets(link(f"#{section.anchor}", section.title) for section, _ in shown), aria_label="Contents"
    )
    sections = joined(
        element("section", element("h2", section.title), content, id=section.anchor) for section, content in shown
    )
    head = element("header", element("h1", user(run.recipe.name)), _subtitle(run), _state(run), _content(_facts, run))
    return document(run.recipe.name, head, contents, element("main", sections))


def _content(write: Callable[[Run], Markup], run: Run) -> Markup:
    try:
        return write(run)
    except _NOT_AS_WRITTEN:
        return note("This can't be shown: what the run's files hold of it is not as it was written.")


def _subtitle(run: Run) -> Markup:
    code, teacher = run.recipe.language.code, run.recipe.teacher.model
    sample = " This is Monoglot's built-in sample: a small invented world that shows how it works."
    return paragraph(
        user(run.language), f" ({code}) from ", user(last_name(teacher)), ".", sample if teacher == "sample" else "",
        css="grey",
    )  # fmt: skip


def _state(run: Run) -> Markup:
    """What an unfinished run has to say of itself."""
    if run.results:
        return NOTHING
    status = run.status
    words = f"This run is not finished: {_STATES.get(str(status.get('state')), 'not started')}"
    if status.get("stage"):
        words += f", in stage “{stage(clean(status['stage']))}”"
        if status.get("total"):
            words += f" ({status.get('done', 0):,} of {status['total']:,})"
    words += ". The page shows what there is so far."
    if status.get("error"):
        words += f" {clean(status['error'])} {clean(status.get('hint') or '')}"
    return note(words.strip())


def _facts(run: Run) -> Markup:
    """What was gained and what was lost, at a glance; and what makes the scores doubtful."""
    if not run.results:
        return NOTHING
    teacher, student = run.results["teacher"], run.results["student"]
    facts = [
        (parameters(student["parameters"]), f"parameters (teacher {parameters(teacher['parameters'])})"),
        (f"−{100 * student['compression']:.1f} %", "parameters"),
        (megabytes(student["megabytes"]), f"in float32 (teacher {megabytes(teacher['megabytes'])})"),
    ]
    drops = [task["drop"] for task in run.tasks.values()]
    if drops:
        facts.append((number(sum(drops) / len(drops)), f"points lost on average over {_tasks(len(drops))}"))
    told = [task["paired"]["distinguishable"] for task in run.tasks.values() if is_paired(task)]
    if told:
        facts.append((f"{sum(map(bool, told))} of {len(told)}", "differences beyond the noise of the test"))
    tiles = bullets((joined((element("strong", value), words)) for value, words in facts), css="facts")
    # Leaks are among the warnings; an earlier version kept none of these.
    doubts = joined(note(text) for text in run.results["warnings"]) if "warnings" in run.results else leak_notes(run)
    return joined((tiles, doubts))


def _tasks(count: int) -> str:
    return f"{count} task{'' if count == 1 else 's'}"
