"""Files and folders that are either whole or not there, whenever the power goes."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from core.small_files import open_file, read_object

MANIFEST = "manifest.json"
_DAMAGE = (errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.EINVAL, errno.ELOOP, errno.ENAMETOOLONG)
"""What a look at a file ends in that is gone, or that something else has taken the place of."""


def write_atomic(path: Path, data: bytes, *, durable: bool = True) -> None:
    """Replace a file's content in one step: temporary name, flushed to disk, renamed.

    Args:
        path: the file.
        data: its whole new content.
        durable: wait until it is on disk; otherwise a power cut may leave the content that was there before, or none.
    """
    scratch = path.with_name(f".{path.name}.new")
    if scratch.is_symlink() or (scratch.exists() and not scratch.is_file()):
        scratch.unlink()  # a link would lead elsewhere, a pipe would keep us waiting
    with open(scratch, "wb") as file:
        file.write(data)
        if durable:
            file.flush()
            os.fsync(file.fileno())
    os.replace(scratch, path)
    if durable:
        _sync_folder(path.parent)


def write_json(path: Path, content: Any, *, durable: bool = True) -> None:
    """Write JSON with `write_atomic`, see `json_text`."""
    # A file's name may hold bytes that are no UTF-8; JSON can spell out what stands for them.
    write_atomic(path, json_text(content).encode(errors="backslashreplace"), durable=durable)


def json_text(content: Any) -> str:
    """JSON as it stands in files here; NaN is refused, it isn't JSON."""
    return json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def replace_folder(target: Path, fill: Callable[[Path], None], *, seal: bool = False) -> None:
    """Put a newly filled folder in `target`'s place; the previous one stays until the new one is whole.

    Args:
        target: the folder to make or replace.
        fill: writes the content into the (existing, empty) folder that it is given.
        seal: also write a manifest of the files' hashes, which `sealed` checks; the new folder is read back from the
            disk before the previous one goes.

    Raises:
        OSError: it can't be written, or what was read back isn't what was written; the previous one is still there.
    """
    new, old = _new(target), _old(target)
    settle(target)
    try:
        new.mkdir(parents=True)
        fill(new)
        if seal:
            write_json(new / MANIFEST, {path.relative_to(new).as_posix(): _hash(path) for path in _files(new)})
        for path in _files(new):
            _sync(path)
        for folder in (*(path for path in new.rglob("*") if path.is_dir()), new):
            _sync_folder(folder)
        if seal and not sealed(new):
            raise OSError(errno.EIO, "what was written reads back differently", str(target))
        if target.exists():
            os.replace(target, old)
        os.replace(new, target)
    except Exception:
        # On a full disk half a folder would keep the room that is needed to say so.
        with contextlib.suppress(OSError):
            settle(target)
        raise
    _sync_folder(target.parent)
    shutil.rmtree(old, ignore_errors=True)


def settle(target: Path) -> None:
    """Clear what an interrupted `replace_folder` left: the newest whole sealed folder wins.

    Raises:
        OSError: which of them is whole can't be told, as a file can't be read just now; all are still there.
    """
    new, old = _new(target), _old(target)
    for leftover in (new, old):
        if leftover.is_symlink() or leftover.is_file():  # not ours: it would lead elsewhere, or be in the way
            leftover.unlink()
    if not intact(target):
        for candidate in (new, old):
            if intact(candidate):
                shutil.rmtree(target, ignore_errors=True)
                os.replace(candidate, target)
                break
        else:
            if old.exists() and not target.exists():
                os.replace(old, target)
    shutil.rmtree(new, ignore_errors=True)
    shutil.rmtree(old, ignore_errors=True)


def sealed(folder: Path) -> bool:
    """Whether a folder has a manifest and every file in it has the hash that the manifest says, and can be read."""
    try:
        return intact(folder)
    except OSError:
        return False


def intact(folder: Path) -> bool:
    """As `sealed`, where what isn't so is thrown away.

    Raises:
        OSError: it can't be told: a file is there and can't be read, for want of a right or as a disk is gone just now.
    """
    try:
        manifest = read_object(folder / MANIFEST)
        found = {path.relative_to(folder).as_posix() for path in _files(folder)} - {MANIFEST}
        for name in set(manifest) - found:
            os.stat(folder / name)  # in a folder that can't be looked into, nothing is found
        return found == set(manifest) and all(_hash(folder / name) == wanted for name, wanted in manifest.items())
    except OSError as error:
        if error.errno not in _DAMAGE:
            raise
        return False
    except (ValueError, AttributeError, TypeError):
        return False


def _new(target: Path) -> Path:
    return target.with_name(f".{target.name}.new")


def _old(target: Path) -> Path:
    return target.with_name(f".{target.name}.old")


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _hash(path: Path) -> str:
    with open_file(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sync(path: Path) -> None:
    # Only Windows wants it writable, which a copy of a read-only file isn't.
    with open(path, "rb+" if os.name == "nt" else "rb") as file:
        os.fsync(file.fileno())
        if hasattr(os, "posix_fadvise"):  # so that who reads it next reads the disk, not what memory has of it
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def _sync_folder(folder: Path) -> None:
    # Windows can't open folders; its renames are journalled.
    with contextlib.suppress(OSError, AttributeError):
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
