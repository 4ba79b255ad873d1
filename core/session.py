"""One run from its recipe to its end, in this process: folder, lock, signals, status."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from core import failures
from core.analysis.preview import recipe_sizes
from core.errors import InputError, Stopped
from core.events import Done, Event, Message, State
from core.export.versions import monoglot_version
from core.fault_log import log_own_fault
from core.free_space import next_writes, require_space
from core.known_speed import learn_from_run, write_estimate
from core.loading import heeding, hold
from core.preflight import Checked, check, check_teacher
from core.recipe import Recipe, absolute, parse
from core.recipe_text import to_toml
from core.run import RunFolder, settle_folder
from core.run_context import RunContext
from core.run_end import CUT_OFF, failure_of_run
from core.run_layout import check_layout
from core.safe_point import safe_point, safe_words
from core.status import Status

_NO_REASON_TO_FAIL = (OSError, LookupError, TypeError, ValueError, ArithmeticError)
"""What an estimate may run into, with files of other versions: the run matters more."""
_WITH_THE_RECIPE = "Resume with the recipe that the run was started with: monoglot run RECIPE --resume --out FOLDER."


def execute(
    folder: RunFolder,
    *,
    original: str,
    base: Path,
    resume: bool,
    listen: Callable[[Event], None] | None = None,
) -> dict[str, Any]:
    """Run a recipe to its end, or go on with a run.

    Args:
        folder: where the run lives or will live.
        original: the recipe's text, as given.
        base: the folder that its relative paths start from; the run's own, where its own recipe is to be resumed.
        resume: go on with the run in `folder`; a finished one is left as it is.
        listen: also gets every event.

    Returns:
        The content of results.json.

    Raises:
        InputError: the recipe, or something that it names, can't be used, or the disk can't; nothing finished is lost.
        Stopped: the user stopped the run; it can be resumed.
    """
    try:
        return _execute(folder, original, base, resume, listen)
    except Exception as error:
        known = failures.explained(error)
        if known is None or known is error or isinstance(error, Stopped):
            raise
        raise known from error


def _execute(
    folder: RunFolder, original: str, base: Path, resume: bool, listen: Callable[[Event], None] | None
) -> dict[str, Any]:
    if resume:
        check_layout(folder)
        _same_recipe(folder, original)
        _not_newer(folder)
        if base.absolute() == folder.path.absolute():
            base = folder.manifest.base() or base
        if _is_finished(folder):
            return folder.read_results()
        recipe = _recipe_as_run(folder, original, base)
        # The texts that it has taken in already may be gone by now.
        checked = check_teacher(recipe, base)
    else:
        recipe = given = absolute(parse(original), base)
        checked = check(given, base)
        if recipe.schedule.device not in ("auto", "cpu"):
            from core.resolve import resolve

            resolve(recipe, checked.family, checked.sizes)  # refuses a device that isn't here; brings torch
        sizes = recipe_sizes(checked.config, given, given.targets.vocabulary_size)
        folder.create(original, max(checked.needed_bytes, *next_writes(sizes, given).values()))
        folder.manifest.note_base(base)
        folder.manifest.write(folder.recipe, to_toml(given).encode())
        with contextlib.suppress(*_NO_REASON_TO_FAIL):
            write_estimate(folder.estimate, given, base, checked.config, sizes)
    with folder.locked():
        return _run(folder, recipe, checked, listen, resumed=resume)


def _is_finished(folder: RunFolder) -> bool:
    """Whether a run is done and its results and student are as it wrote them, whatever its status says."""
    state = folder.read_status().get("state")
    return state == "finished" and folder.manifest.found(folder.results, folder.student) == "whole"


def _recipe_as_run(folder: RunFolder, original: str, base: Path) -> Recipe:
    """The recipe with the choices that the run began with; where it is broken, as given, to choose again."""
    if folder.recipe.exists() and folder.manifest.found(folder.recipe) != "changed":
        return folder.read_recipe()
    given = parse(original)
    found = absolute(given, base)
    # An older version noted no base: then the run's folder stands in for it, where no file of the recipe's is.
    if base.absolute() == folder.path.absolute() and found != absolute(given, folder.path.parent):
        raise InputError(f"Where the paths in {folder.original_recipe} start isn't known.", hint=_WITH_THE_RECIPE)
    return found


def _keep_choices(folder: RunFolder, recipe: Recipe, reasons: Mapping[str, str]) -> None:
    """Write the recipe with every choice made, and why: resuming must find the very same, whatever the machine is."""
    text = to_toml(recipe, reasons).encode()
    broken = folder.manifest.found(folder.recipe) == "changed" and folder.stages.exists()
    if broken and not folder.manifest.is_noted_as(folder.recipe, text):
        raise InputError(
            f"{folder.recipe} isn't as the run wrote it, and can't be made again: something chooses otherwise now.",
            hint="Restore it from a backup, or start a new run in another folder.",
        )
    folder.manifest.write(folder.recipe, text)


def _same_recipe(folder: RunFolder, original: str) -> None:
    if folder.manifest.is_noted_as(folder.original_recipe, original.encode()):
        if folder.manifest.found(folder.original_recipe) == "changed":
            folder.manifest.write(folder.original_recipe, original.encode())
        return
    if folder.manifest.found(folder.original_recipe) == "changed":
        raise InputError(f"{folder.original_recipe} isn't as the run wrote it.", hint=_WITH_THE_RECIPE)
    if parse(folder.given_recipe()) != parse(original):
        raise InputError(
            f"The run in {folder.path} was started with another recipe.",
            hint=f"Resume it with {folder.original_recipe}, or start a new run in another folder.",
        )


def _not_newer(folder: RunFolder) -> None:
    """Refuse a run of a later version, whose files this one may take for something else."""
    theirs, ours = folder.read_status().get("version"), monoglot_version()
    if theirs and _numbers(theirs) > _numbers(ours):
        raise InputError(
            f"The run in {folder.path} was last worked on by Monoglot {theirs}; this is {ours}.",
            hint=f"Go on with it in Monoglot {theirs} or later, or start a new run.",
            kind="wrong_versions",
        )


def _numbers(version: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", version.partition("+")[0])[:3]]


def _run(
    folder: RunFolder, recipe: Recipe, checked: Checked, listen: Callable[[Event], None] | None, *, resumed: bool
) -> dict[str, Any]:
    # Before torch, which takes seconds to import: from here on wishes are heard and the status is this process's.
    ctx = RunContext(folder, listen)
    with _ending(ctx), _signals(ctx):
        ended = failure_of_run(folder) if resumed else None
        if listen is not None and ended is not None and ended.kind in CUT_OFF:
            # To the listener alone: the log will be cut back to the last safe point.
            safe = safe_words(safe_point(folder, checked=False))
            listen(Message(level="warning", text=f"{ended.what_happened} Safe: {safe}"))
        ctx.set_status(Status(state="queued", pid=os.getpid(), version=monoglot_version()))
        return _work(folder, recipe, checked, ctx, resumed=resumed)


def _work(folder: RunFolder, recipe: Recipe, checked: Checked, ctx: RunContext, *, resumed: bool) -> dict[str, Any]:
    with heeding(ctx):
        from core.pipeline import run
        from core.resolve import explained, on_this_machine, set_up_torch
        from core.workspace import Workspace

        auto = on_this_machine(recipe.schedule)  # before the recipe's own number of threads is set
        resolved, reasons = explained(recipe, checked.family, checked.sizes)
    if resolved != recipe or folder.manifest.found(folder.recipe) == "changed":
        _keep_choices(folder, resolved, reasons)
    recipe = resolved
    settle_folder(folder)
    sizes = recipe_sizes(checked.config, recipe, recipe.targets.vocabulary_size)
    stages = [stage.name for stage in sizes.stages]
    work = Workspace(folder, recipe, checked, ctx, stages)
    ctx.resume_at(*_last_mark(work))
    ctx.space.needs = next_writes(sizes, recipe)
    if resumed:
        needed = ctx.space.needs[_next_stage(work)]
        require_space(folder.path, needed, "To go on, the run", failures.told("disk_full").next_step)
    hold(ctx)
    set_up_torch(recipe.schedule)
    results = run(work)
    with contextlib.suppress(*_NO_REASON_TO_FAIL):
        _learn(work, auto)
    return results


def _learn(work: Any, auto: dict[str, Any]) -> None:
    """Keep how fast a finished run went, for later estimates."""
    reports = {name: work.report(name) for name in work.stages}
    recipe, config = work.recipe, work.teacher.config
    # A vocabulary that covers a share of the text, or that the text can't fill, is as large as it turned out.
    kept = len(reports["vocabulary"]["kept"]) if "vocabulary" in reports else recipe.targets.vocabulary_size
    learn_from_run(recipe, config, recipe_sizes(config, recipe, kept), reports, auto)


def _last_mark(work: Any) -> tuple[int, float, list[str]]:
    """Length of the event log, seconds of work and what was told to be doubtful at the run's last safe point."""
    mark: dict[str, Any] = {"events_length": 0, "seconds": 0.0}
    try:
        for name in work.stages:
            if work.finished(name):
                mark = work.report(name)["mark"]
            else:
                mark = work.checkpointed(name).get("mark", mark)
                break
        # What an earlier version wrote keeps no account of doubts.
        return int(mark["events_length"]), float(mark["seconds"]), list(map(str, mark.get("warnings", ())))
    except (LookupError, TypeError, ValueError, OverflowError) as error:
        raise InputError(
            f"What the run in {work.folder.path} has finished can't be read.",
            hint="It is another version's, or was changed: start the recipe anew in another folder.",
        ) from error


def _next_stage(work: Any) -> str:
    """The stage that a run goes on with; where all are done, the last one: results are still to be written."""
    return next((name for name in work.stages if not work.stage_folder(name).exists()), str(work.stages[-1]))


@contextlib.contextmanager
def _ending(ctx: RunContext) -> Iterator[None]:
    """Whatever ends the run, its status says so, in the words of `core.failures`."""
    state: State = "failed"
    told: dict[str, str] = {}
    try:
        yield
        state = "finished"
    except (Stopped, KeyboardInterrupt):
        state = "stopped"
        raise
    except Exception as fault:
        failure, known = failures.failure_of(fault), failures.explained(fault)
        own = f"{type(fault).__name__}: {fault}"
        told = {"error": failure.what_happened if known else own, "hint": failure.next_step, "kind": failure.kind}
        if known is None or known is fault:
            raise
        log_own_fault(ctx.folder.path)  # what it is told as may be wrong: where it came from is kept
        raise known from fault
    except BaseException as fault:
        told = {"error": f"{type(fault).__name__}: {fault}", "kind": "bug"}
        raise
    finally:
        # On a full disk the status can't be written either; what ended the run matters more.
        with contextlib.suppress(OSError):
            ctx.emit(Done(state=state))
        with contextlib.suppress(OSError):
            safe = safe_words(safe_point(ctx.folder, checked=False)) if state == "failed" else None
            ctx.finish(state, **told, safe=safe)


@contextlib.contextmanager
def _signals(ctx: RunContext) -> Iterator[None]:
    """The first Ctrl-C, SIGTERM or hang-up stops the run in order, the second at once, as the first while it loads."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    names = [signal.SIGINT, signal.SIGTERM]
    if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # unless by nohup
        names.append(signal.SIGHUP)
    before = {name: signal.getsignal(name) for name in names}

    def handle(number: int, frame: Any) -> None:
        at_once = ctx.stop_signal or ctx.loading
        # Also where it raises: an import that swallows the exception must not swallow the wish.
        ctx.stop_signal = True
        if at_once:
            raise KeyboardInterrupt

    for name in names:
        signal.signal(name, handle)
    try:
        yield
    finally:
        for name in names:
            signal.signal(name, before[name])
