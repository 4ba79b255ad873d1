"""The student as a folder that plain transformers load."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from pathlib import Path

from core.errors import InputError
from core.run import RunFolder

_NEEDED = ("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json", "README.md")


def export_student(run: RunFolder, out: Path) -> None:
    """Copy a finished run's student to `out`; it appears there only after the copy was checked and loaded.

    Raises:
        InputError: `out` isn't empty or can't be written, or the run has no whole student.
    """
    results = _finished(run)
    _check_out(out)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(prefix=".monoglot-", dir=out.parent))
    except OSError as error:
        raise InputError(f"{out} can't be written: {error.strerror}.", hint="Choose another folder.") from error
    try:
        copy = scratch / "student"
        _copy(run.student, copy)
        _verify(run.student, copy, int(results["student"]["parameters"]))
        if out.exists():
            out.rmdir()  # empty; Windows doesn't replace it
        os.replace(copy, out)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _finished(run: RunFolder) -> dict[str, dict[str, float]]:
    if not run.path.is_dir():
        raise InputError(f"There is no run {run.path}.", hint="Give the run's folder.")
    if run.read_status().get("state") != "finished":
        raise InputError(f"The run in {run.path} is not finished.", hint="Go on with it: monoglot run --resume.")
    lacking = [name for name in _NEEDED if not (run.student / name).is_file()]
    if lacking:
        raise InputError(f"{run.student} lacks {', '.join(lacking)}.", hint="Restore it, or run the recipe again.")
    return run.read_results()


def _check_out(out: Path) -> None:
    try:
        taken = out.exists() and (not out.is_dir() or any(out.iterdir()))
    except OSError as error:
        raise InputError(f"{out} can't be read: {error.strerror}.", hint="Choose another folder.") from error
    if taken:
        raise InputError(f"{out} is there already and is not an empty folder.", hint="Choose a new folder with --out.")


def _copy(student: Path, copy: Path) -> None:
    try:
        shutil.copytree(student, copy, copy_function=shutil.copyfile)
    except (OSError, shutil.Error) as error:
        raise InputError(
            f"The student can't be copied: {error}", hint="See that the disk has room, or choose another folder."
        ) from error


def _verify(student: Path, copy: Path, wanted: int) -> None:
    """The copy has the same bytes, and loads with every weight in its place."""
    from core.models import load

    if _hashes(copy) != _hashes(student):
        raise InputError(f"The copy of {student} came out differently.", hint="Check the disk, then export again.")
    lm, has_head = load(copy)
    found = sum(lm.parameters.values())
    if not has_head or found != wanted:
        raise InputError(
            f"{student} is not whole: {found:,} parameters instead of {wanted:,}.", hint="Run the recipe again."
        )


def _hashes(folder: Path) -> dict[str, str]:
    hashes = {}
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        with open(path, "rb") as file:
            hashes[path.relative_to(folder).as_posix()] = hashlib.file_digest(file, "sha256").hexdigest()
    return hashes
