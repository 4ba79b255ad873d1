"""The student as a folder that plain transformers load."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from core.context import Context
from core.errors import InputError
from core.free_space import require_space
from core.new_folder import free_place
from core.run import RESULTS_HINT, RunFolder
from core.scratch import scratch_beside
from core.sources import check_links

_NEEDED = ("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json", "README.md")
_BLOCK = 1 << 20


def export_student(run: RunFolder, out: Path, ctx: Context) -> None:
    """Copy a run's student to `out`; it appears there only after the copy was checked and loaded.

    The run is finished, or was stopped with the wish to keep the best student so far.

    Args:
        run: the run.
        out: a folder that is new or empty.
        ctx: asked whether to go on; progress is in bytes copied.

    Raises:
        InputError: `out` isn't empty or can't be written, or the run has no whole student of its own files.
    """
    wanted = _promised(run)
    files = _files(run.student)
    check_links(files, run.student)
    out = free_place(out)
    with scratch_beside(out) as scratch:
        require_space(out, sum(path.stat().st_size for path in files), "The export")
        copy = scratch / "student"
        _copy(run.student, copy, ctx)
        _verify(run.student, copy, wanted, ctx)
        if out.exists():
            out.rmdir()  # empty; Windows doesn't replace it
        os.replace(copy, out)


def _promised(run: RunFolder) -> int | None:
    """Parameters that the student has by the run's results; None for one that was kept when the run was stopped.

    Raises:
        InputError: there is no run, or no student that is its last word.
    """
    if not run.path.is_dir():
        raise InputError(f"There is no run {run.path}.", hint="Give the run's folder.")
    state = run.read_status().get("state")
    # Where there are results, the student of a run that isn't finished may be older than they are.
    kept = state == "stopped" and run.student.is_dir() and not run.results.exists()
    if state != "finished" and not kept:
        raise InputError(f"The run in {run.path} is not finished.", hint="Go on with it: monoglot run --resume.")
    lacking = [name for name in _NEEDED if not (run.student / name).is_file()]
    if lacking:
        raise InputError(f"{run.student} lacks {', '.join(lacking)}.", hint="Restore it, or run the recipe again.")
    if not kept and run.manifest.found(run.student) == "changed":
        hint = "Resume the run: the student is written again."
        raise InputError(f"{run.student} is not as the run wrote it.", hint=hint)
    return None if kept else _parameters(run)


def _parameters(run: RunFolder) -> int:
    try:
        return int(run.read_results()["student"]["parameters"])
    except (LookupError, TypeError, ValueError) as error:
        raise InputError(f"{run.results} is not whole.", hint=RESULTS_HINT) from error


def _copy(student: Path, copy: Path, ctx: Context) -> None:
    try:
        files = _files(student)
        done, total = 0, sum(path.stat().st_size for path in files)
        for path in files:
            target = copy / path.relative_to(student)
            target.parent.mkdir(parents=True, exist_ok=True)
            with open(path, "rb") as source, open(target, "wb") as file:
                while block := source.read(_BLOCK):
                    ctx.check()
                    file.write(block)
                    done += len(block)
                    ctx.progress(done, total)
    except OSError as error:
        raise InputError(
            f"The student can't be copied: {error}", hint="See that the disk has room, or choose another folder."
        ) from error


def _verify(student: Path, copy: Path, promised: int | None, ctx: Context) -> None:
    """The copy has the same bytes, and loads with every weight in its place."""
    from core.models import load

    if _hashes(copy, ctx) != _hashes(student, ctx):
        raise InputError(f"The copy of {student} came out differently.", hint="Check the disk, then export again.")
    ctx.check()
    lm, has_head = load(copy)
    found, wanted = lm.model.num_parameters(), sum(lm.parameters.values()) if promised is None else promised
    if not has_head or found != wanted:
        raise InputError(
            f"{student} is not whole: {found:,} parameters instead of {wanted:,}.", hint="Run the recipe again."
        )


def _hashes(folder: Path, ctx: Context) -> dict[str, str]:
    hashes = {}
    for path in _files(folder):
        found = hashlib.sha256()
        with open(path, "rb") as file:
            while block := file.read(_BLOCK):
                ctx.check()
                found.update(block)
        hashes[path.relative_to(folder).as_posix()] = found.hexdigest()
    return hashes


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())
