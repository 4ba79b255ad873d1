"""What runs prepare and later runs need again: made once on this machine, found by content. No torch.

ROOT/KIND/KEY is a sealed folder. Beside it, `.KEY.lock` is locked while somebody looks at the entry, fills or removes
it, so whoever dies doing so leaves no lock; it holds a note of what was last found whole, and its time is that of the
last use. An entry that is in use has its manifest open, with a shared lock, in the process that uses it. What is done
so far of one that takes long to fill is in `.KEY.part`, which belongs to whoever holds the lock.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import re
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

from core.context import Context
from core.errors import Stopped
from core.events import Message
from core.export.versions import monoglot_version
from core.locking import try_lock
from core.sealing import MANIFEST, replace_folder, sealed, settle

_MOST_BYTES = 20 * 10**9
_MOST_SHARE = 10
"""Of the space that would be free without the cache, it takes one part in so many at most."""
_ASK_SECONDS = 0.1
_TELL_SECONDS = 0.5
"""Looking at an entry takes less, so that a wait that is longer is worth a word."""
SAVE_SECONDS = 30.0
"""Who fills an entry for longer saves what is done so often; it shapes nothing but what a kill loses."""
_STANDSTILL_SECONDS = 2 * SAVE_SECONDS
"""Paused, suspended or stuck is who has written nothing for so long."""

_BESIDE = re.compile(r"\.(.+)\.(lock|new|old|part)")

_in_use: dict[Path, IO[bytes]] = {}
"""The manifests of the entries that this process has been given."""


@atexit.register
def _let_go() -> None:
    """Close them by hand: Python would warn of files that it has to close."""
    while _in_use:
        _in_use.popitem()[1].close()


def shared_folder() -> Path:
    """Where this user's runs share what they prepare."""
    import appdirs

    # A folder of its own: on Linux the logs are in the same place.
    return Path(appdirs.user_cache_dir("monoglot", False)).absolute() / "shared"


def kept(root: Path, kind: str, key: str, fill: Callable[[Path], None], ctx: Context, own: Path | None = None) -> Path:
    """A whole folder that is filled once and found by every later run.

    Where two want it at once, one fills it and the other waits, or takes over if the first one dies or is stopped.
    It is not removed to make room while this process lives.

    Args:
        root: the cache, such as `shared_folder()`.
        kind: what it is, in the plural, such as "tokens"; a file name, and said in messages.
        key: a hash of everything that the content depends on; a file name.
        fill: writes the content into an empty folder; may be called a second time, elsewhere, if the cache fails. What
            takes long is kept in `part_of` that folder meanwhile, where who fills it after a stop or a kill finds it.
        ctx: asked while waiting whether to go on, told why it takes long.
        own: a folder of the caller's alone. Where the cache can't be written, is full, has no locks, or who fills the
            entry stands still, own/kind/key is filled instead.

    Raises:
        OSError: the cache can't be used and there is no `own`, or that can't be written either.
    """
    mine = None if own is None else own / kind / key
    unused = Message(
        level="warning", text=f"The cache in {root} can't be used: this run makes its own {kind}.", doubt=True
    )
    if mine is not None and sealed(mine):
        ctx.emit(unused)  # also where a run is resumed from before it was told
        return mine
    try:
        return _shared(root, root / kind / key, fill, ctx, patient=mine is None)
    except OSError as error:
        _make_room(root)  # on a full disk also for what is written elsewhere
        if mine is None:
            raise
        ctx.emit(unused)
        ctx.emit(Message(level="info", text=f"Why the cache can't be used: {error.strerror or error}."))
    _fill(mine, fill)
    return mine


def part_of(new: Path) -> Path:
    """Where what is done so far of an entry is kept; it goes when the entry is whole.

    Args:
        new: the folder that is being filled.
    """
    return new.with_name(f"{new.name.removesuffix('.new')}.part")


def _fill(entry: Path, fill: Callable[[Path], None]) -> None:
    """Fill an entry that nobody else is busy with."""
    try:
        replace_folder(entry, fill, seal=True)
    except Exception as error:
        if not isinstance(error, Stopped):  # on a full disk half an entry would be in the way
            shutil.rmtree(_part(entry), ignore_errors=True)
        raise
    shutil.rmtree(_part(entry), ignore_errors=True)


def _shared(root: Path, entry: Path, fill: Callable[[Path], None], ctx: Context, *, patient: bool) -> Path:
    filled = False
    entry.parent.mkdir(parents=True, exist_ok=True)
    with _claimed(entry, ctx, patient=patient) as lock:
        if not _whole(entry, lock):
            try:
                _fill(entry, fill)
            except BaseException:
                with contextlib.suppress(OSError):
                    os.utime(_lock_path(entry))
                    settle(entry)
                raise
            _note(entry, lock)
            filled = True
        os.utime(_lock_path(entry))
        _use(entry)
    if filled:
        _make_room(root)
    return entry


# -- one entry -------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def _claimed(entry: Path, ctx: Context, *, patient: bool) -> Iterator[IO[bytes]]:
    """Hold an entry's lock, once nobody else does."""
    lock = _try_claim(entry)
    began = moved = time.monotonic()
    written, told = (-1, -1), False
    while lock is None:
        ctx.check()
        time.sleep(_ASK_SECONDS)
        now = time.monotonic()
        if now - began >= _TELL_SECONDS and not told:
            told = True
            text = f"Another run is preparing the same {entry.parent.name}: this one waits for them."
            ctx.emit(Message(level="info", text=text))
        trace = _trace(entry)
        if trace != written:
            written, moved = trace, now
        elif now - moved >= _STANDSTILL_SECONDS and not patient:
            raise TimeoutError("the run that prepares them stands still")
        lock = _try_claim(entry)
    with lock:
        yield lock


def _try_claim(entry: Path) -> IO[bytes] | None:
    """The entry's lock file, open and locked; None while somebody else has it."""
    path = _lock_path(entry)
    file = open(path, "a+b", buffering=0)  # noqa: SIM115 (the caller's to close: its lock goes with it)
    try:
        # Who removes an entry removes its lock file too: a lock on a file that is gone keeps nobody out.
        with contextlib.suppress(FileNotFoundError):
            if try_lock(file) and os.path.samestat(os.fstat(file.fileno()), path.stat()):
                return file
    except BaseException:
        file.close()
        raise
    file.close()
    return None


def _whole(entry: Path, lock: IO[bytes]) -> bool:
    """Whether an entry is what it was when it was made.

    Hashing what may be gigabytes, at every stage of every run, would cost more than it protects from: what cuts or
    changes a file also changes its size or time. So hashes count when these aren't as noted, and once after every
    change of version, as what an older program noted is no promise of this one's.
    """
    lock.seek(0)
    try:
        noted = json.loads(lock.read())
    except ValueError:
        noted = None
    if noted == _state(entry):
        return True
    if sealed(entry):
        _note(entry, lock)
        return True
    return False


def _note(entry: Path, lock: IO[bytes]) -> None:
    """Write down that an entry is whole as it is now; where that can't be, it is hashed again next time."""
    with contextlib.suppress(OSError):
        lock.truncate(0)
        lock.write(json.dumps(_state(entry)).encode())


def _state(entry: Path) -> dict[str, Any]:
    """The version, and each file's size and time; equal to no note where there is no entry."""
    files = {path.relative_to(entry).as_posix(): path.stat() for path in sorted(entry.rglob("*")) if path.is_file()}
    about = {name: [stat.st_size, stat.st_mtime_ns] for name, stat in files.items()}
    return {"version": monoglot_version(), "files": about}


def _use(entry: Path) -> None:
    """Keep an entry from being removed while this process lives."""
    file = open(entry / MANIFEST, "rb")  # noqa: SIM115 (stays open)
    try_lock(file, shared=True)
    before, _in_use[entry] = _in_use.get(entry), file
    if before is not None:
        before.close()


def _used(entry: Path) -> bool:
    """Whether a living process has been given an entry; on Windows it shows when the entry is moved."""
    try:
        with open(entry / MANIFEST, "r+b") as file:
            return not try_lock(file)
    except FileNotFoundError:
        return False


def _lock_path(entry: Path) -> Path:
    return entry.with_name(f".{entry.name}.lock")


def _part(entry: Path) -> Path:
    return entry.with_name(f".{entry.name}.part")


# -- all entries -----------------------------------------------------------------------------------------------------


def _make_room(root: Path) -> None:
    """Remove what a dead process left half-done and, as long as the cache is too large, what wasn't used longest."""
    try:
        entries = sorted((_last_use(entry), entry) for entry in _entries(root))
        for _, entry in entries:
            _tidy(entry)
        sizes = {entry: _size(entry) for _, entry in entries}
        total = sum(sizes.values())
        most = min(_MOST_BYTES, (shutil.disk_usage(root).free + total) // _MOST_SHARE)
    except OSError:
        return
    for entry, size in sizes.items():
        if total > most and _removed(entry):
            total -= size


def _entries(root: Path) -> set[Path]:
    """Where there are entries, or only a lock file or a half-made folder of one."""
    found = (path for kind in root.iterdir() if kind.is_dir() for path in kind.iterdir())
    return {path.with_name(_BESIDE.sub(r"\1", path.name)) for path in found}


def _last_use(entry: Path) -> float:
    try:
        return _lock_path(entry).stat().st_mtime
    except OSError:
        return 0.0


def _tidy(entry: Path) -> None:
    """Clear what a process left that died while it filled or removed an entry."""
    with contextlib.suppress(OSError):
        lock = _try_claim(entry)
        if lock is None:
            return
        with lock:
            if any(path not in (_lock_path(entry), _part(entry)) for path in _beside(entry)):
                settle(entry)
            if entry.exists():
                shutil.rmtree(_part(entry), ignore_errors=True)
            elif not _part(entry).exists():
                _lock_path(entry).unlink()


def _removed(entry: Path) -> bool:
    """Remove an entry; whether nobody uses it, so that it could be."""
    try:
        lock = _try_claim(entry)
        if lock is None:
            return False
        with lock:
            if _used(entry):
                return False
            gone = entry.with_name(f".{entry.name}.old")
            with contextlib.suppress(FileNotFoundError):
                os.replace(entry, gone)  # all or nothing: Windows refuses where a file in it is open
            for folder in (gone, _part(entry)):
                shutil.rmtree(folder, ignore_errors=True)
            with contextlib.suppress(OSError):  # Windows: it is open here
                _lock_path(entry).unlink()
    except OSError:
        return False
    return True


def _beside(entry: Path) -> list[Path]:
    """The entry's lock file, what is done of it, and what `replace_folder` is busy with or was."""
    return list(entry.parent.glob(f".{entry.name}.*"))


def _size(entry: Path) -> int:
    """Bytes of an entry and of what it is being replaced with."""
    return _trace(entry)[0]


def _trace(entry: Path) -> tuple[int, int]:
    """The same, and when something of it was last written: one of them changes while somebody is busy with it."""
    total = last = 0
    for folder in (entry, *_beside(entry)):
        for path in folder.rglob("*"):
            with contextlib.suppress(OSError):  # somebody may be busy with it
                stat = path.stat()
                total += stat.st_size if path.is_file() else 0
                last = max(last, stat.st_mtime_ns)
    return total, last
