"""The machine's cache: filled once whoever asks, whole or made anew, never waited for in vain, and of bounded size."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import pytest

from core import shared_cache
from core.context import Quiet
from core.errors import Stopped
from core.events import Event, Message
from core.sealing import MANIFEST
from core.shared_cache import kept, shared_folder


class Notes(Quiet):
    def __init__(self) -> None:
        self.said: list[tuple[str, str]] = []

    def emit(self, event: Event) -> None:
        assert isinstance(event, Message)
        self.said.append((event.level, event.text))


class Stop(Quiet):
    """Stops at the first, second, … time that it is asked."""

    def __init__(self, time: int = 1) -> None:
        self.left = time

    def check(self) -> None:
        self.left -= 1
        if self.left == 0:
            raise Stopped


class Filler:
    """Writes a file of so many bytes, and counts how often."""

    def __init__(self, size: int = 5) -> None:
        self.size, self.calls = size, 0

    def __call__(self, folder: Path) -> None:
        self.calls += 1
        (folder / "deep").mkdir()
        (folder / "deep" / "a.bin").write_bytes(bytes(self.size))


def never(folder: Path) -> None:
    raise AssertionError("filled again")


def failing(number: int, below: Path) -> Callable[[Path], None]:
    """Fails in the middle wherever the folder is below another."""

    def fill(folder: Path) -> None:
        (folder / "a.bin").write_bytes(b"half")
        if folder.is_relative_to(below):
            raise OSError(number, os.strerror(number))
        (folder / "a.bin").write_bytes(b"whole")

    return fill


def release() -> None:
    """Be as if this process had been given nothing."""
    while shared_cache._in_use:
        shared_cache._in_use.popitem()[1].close()


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "shared"
    release()


def names(root: Path) -> set[str]:
    return {path.name for path in (root / "tokens").iterdir() if not path.name.startswith(".")}


def leftovers(root: Path) -> set[str]:
    return {path.name for path in (root / "tokens").iterdir() if path.name.endswith((".new", ".old"))}


# -- one process -----------------------------------------------------------------------------------------------------


def test_it_is_where_the_users_caches_are_and_apart_from_the_logs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("appdirs.user_cache_dir", lambda *names: str(tmp_path / names[0]))
    assert shared_folder() == tmp_path / "monoglot" / "shared"


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="only here a variable says where caches are")
def test_the_variable_for_caches_is_honoured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert shared_folder().is_relative_to(tmp_path)


def test_what_was_filled_is_found(root: Path) -> None:
    fill = Filler()
    made = kept(root, "tokens", "k1", fill, Quiet())
    assert made == root / "tokens" / "k1"
    assert (made / "deep" / "a.bin").read_bytes() == bytes(5)
    assert kept(root, "tokens", "k1", never, Stop()) == made
    for kind, key in (("tokens", "k2"), ("counts", "k1")):
        assert kept(root, kind, key, fill, Quiet()) == root / kind / key
    assert fill.calls == 3


@pytest.mark.parametrize("name", ["deep/a.bin", MANIFEST])
@pytest.mark.parametrize("damage", ["cut", "longer", "changed", "gone", "one more"])
def test_what_is_no_longer_whole_is_filled_anew(root: Path, name: str, damage: str) -> None:
    fill = Filler()
    path = kept(root, "tokens", "k", fill, Quiet()) / name
    content = path.read_bytes()
    if damage == "cut":
        os.truncate(path, len(content) // 2)
    elif damage == "longer":
        path.write_bytes(content + b"x")
    elif damage == "changed":
        path.write_bytes(b"\xff" + content[1:])
        os.utime(path, (1, 1))  # a clock may be too coarse to tell
    elif damage == "gone":
        path.unlink()
    else:
        path.with_name("more").touch()
    kept(root, "tokens", "k", fill, Quiet())
    assert (fill.calls, path.read_bytes()) == (2, content)
    assert not path.with_name("more").exists()
    kept(root, "tokens", "k", never, Quiet())


def test_a_file_with_another_time_is_hashed_and_found_whole(root: Path) -> None:
    made = kept(root, "tokens", "k", Filler(), Quiet())
    os.utime(made / "deep" / "a.bin", (1, 1))
    kept(root, "tokens", "k", never, Quiet())


@pytest.mark.parametrize("note", [b"", b"{", b"\xff", b"[1]"])
def test_without_a_readable_note_an_entry_is_hashed(root: Path, note: bytes) -> None:
    fill = Filler()
    made = kept(root, "tokens", "k", fill, Quiet())
    (root / "tokens" / ".k.lock").write_bytes(note)
    kept(root, "tokens", "k", never, Quiet())
    silently_changed(made / "deep" / "a.bin")
    (root / "tokens" / ".k.lock").write_bytes(note)
    kept(root, "tokens", "k", fill, Quiet())
    assert fill.calls == 2


def test_another_version_hashes_what_it_finds_once(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill = Filler()
    made = kept(root, "tokens", "k", fill, Quiet())
    silently_changed(made / "deep" / "a.bin")
    monkeypatch.setattr(shared_cache, "monoglot_version", lambda: "another")
    kept(root, "tokens", "k", fill, Quiet())
    assert fill.calls == 2
    hashed: list[Path] = []
    monkeypatch.setattr(shared_cache, "sealed", lambda folder: hashed.append(folder) is None)
    kept(root, "tokens", "k", never, Quiet())
    assert hashed == []
    monkeypatch.setattr(shared_cache, "monoglot_version", lambda: "a third")
    for _ in range(2):
        kept(root, "tokens", "k", never, Quiet())
    assert hashed == [made]


def silently_changed(path: Path) -> None:
    """Change a file, but neither its size nor its time."""
    stat = path.stat()
    path.write_bytes(b"\xff" * stat.st_size)
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))


@pytest.mark.parametrize("error", [Stopped, KeyboardInterrupt, ValueError])
def test_a_filling_that_ends_early_leaves_nothing(root: Path, tmp_path: Path, error: type[BaseException]) -> None:
    def fill(folder: Path) -> None:
        (folder / "a.bin").write_bytes(b"half")
        raise error

    with pytest.raises(error):
        kept(root, "tokens", "k", fill, Quiet(), tmp_path / "own")
    assert names(root) == leftovers(root) == set()
    assert not (tmp_path / "own").exists()
    after = Filler()
    kept(root, "tokens", "k", after, Quiet())
    assert after.calls == 1


# -- two at once -----------------------------------------------------------------------------------------------------

CHILD = """
import sys
from pathlib import Path
from core import shared_cache
from core.context import Quiet

class Telling(Quiet):
    def emit(self, event):
        print(event.text, flush=True)

def fill(folder):
    (folder / "a.bin").write_bytes(b"half")
    print("filling", flush=True)
    sys.stdin.readline()
    (folder / "a.bin").write_bytes(b"whole")

made = shared_cache.kept(Path(sys.argv[1]), "tokens", sys.argv[2], fill, Telling())
print((made / "a.bin").read_text(), flush=True)
heavy = {"torch", "transformers", "numpy", "PySide6"} & set(sys.modules)
print(*heavy, flush=True)
sys.stdin.read()
"""

WAITS = "Another run is preparing the same tokens: this one waits for them."


class Child:
    """Another process that wants an entry; it fills it when it is told to go on, and uses it until it is killed."""

    def __init__(self, root: Path, key: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", CHILD, str(root), key],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=Path(__file__).parent.parent,
            text=True,
        )

    def says(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().rstrip("\n")

    def go_on(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def kill(self) -> None:
        self.process.kill()  # SIGKILL, or what Windows has for it
        self.process.communicate()


@pytest.fixture
def child(root: Path) -> Iterator[Callable[[str], Child]]:
    children: list[Child] = []

    def start(key: str) -> Child:
        children.append(Child(root, key))
        return children[-1]

    yield start
    for one in children:
        if one.process.returncode is None:
            one.kill()


def test_of_two_processes_one_fills_and_the_other_waits(root: Path, child: Callable[[str], Child]) -> None:
    first = child("k")
    assert first.says() == "filling"
    second = child("k")
    assert second.says() == WAITS
    assert names(root) == set()
    first.go_on()
    assert (first.says(), second.says()) == ("whole", "whole")
    assert (first.says(), second.says()) == ("", "")


def test_a_killed_filler_is_followed_by_who_waits(root: Path, child: Callable[[str], Child]) -> None:
    first = child("k")
    assert first.says() == "filling"
    second = child("k")
    assert second.says() == WAITS
    first.kill()
    assert second.says() == "filling"
    second.go_on()
    assert second.says() == "whole"
    assert (names(root), leftovers(root)) == ({"k"}, set())


def test_who_waits_hears_a_stop_and_other_entries_do_not_wait(root: Path, child: Callable[[str], Child]) -> None:
    first = child("k")
    assert first.says() == "filling"
    with pytest.raises(Stopped):
        kept(root, "tokens", "k", never, Stop())
    kept(root, "tokens", "another", Filler(), Stop())
    kept(root, "counts", "k", Filler(), Stop())
    first.go_on()
    assert first.says() == "whole"
    assert (kept(root, "tokens", "k", never, Stop()) / "a.bin").read_bytes() == b"whole"


def test_what_a_killed_filler_of_another_entry_left_is_cleared(root: Path, child: Callable[[str], Child]) -> None:
    killed, living = child("killed"), child("living")
    assert killed.says() == living.says() == "filling"
    killed.kill()
    assert leftovers(root) == {".killed.new", ".living.new"}
    kept(root, "tokens", "k", Filler(), Quiet())
    assert leftovers(root) == {".living.new"}
    assert not (root / "tokens" / ".killed.lock").exists()
    living.go_on()
    assert living.says() == "whole"


class Held:
    """A filling in another thread that goes on when it is told to."""

    def __init__(self, root: Path) -> None:
        self.filling, self.go = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=kept, args=(root, "tokens", "k", self._fill, Quiet()))

    def _fill(self, folder: Path) -> None:
        (folder / "a.bin").write_bytes(b"half")
        self.filling.set()
        assert self.go.wait(60)
        (folder / "a.bin").write_bytes(b"whole")

    def __enter__(self) -> Held:
        self._thread.start()
        assert self.filling.wait(60)
        return self

    def __exit__(self, *error: object) -> None:
        self.go.set()
        self._thread.join()


def test_threads_wait_for_each_other_too_and_a_short_wait_is_not_told(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared_cache, "_TELL_SECONDS", 1e9)
    waiting = threading.Event()

    class Waits(Notes):
        def check(self) -> None:
            waiting.set()

    notes = Waits()
    with ThreadPoolExecutor(1) as threads, Held(root) as held:
        found = threads.submit(kept, root, "tokens", "k", never, notes)
        assert waiting.wait(60)
        held.go.set()
        assert (found.result() / "a.bin").read_bytes() == b"whole"
    assert notes.said == []


def test_who_stands_still_is_waited_for_only_where_nothing_else_can_be_done(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared_cache, "_STANDSTILL_SECONDS", 0.0)
    monkeypatch.setattr(shared_cache, "_TELL_SECONDS", 0.0)
    fill, notes = Filler(), Notes()
    with Held(root):
        with pytest.raises(Stopped):
            kept(root, "tokens", "k", never, Stop(5))
        assert kept(root, "tokens", "k", fill, notes, tmp_path / "own") == tmp_path / "own" / "tokens" / "k"
    assert fill.calls == 1
    cause = "the run that prepares them stands still"
    warning = f"The cache in {root} can't be used: this run makes its own tokens."
    assert notes.said == [("info", WAITS), ("warning", warning), ("info", f"Why the cache can't be used: {cause}.")]


def test_who_writes_on_is_waited_for(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Writing(Quiet):
        """Writes for the other one, every 50 seconds of the clock below, which gets ready at last."""

        asked = 0

        def check(self) -> None:
            self.asked += 1
            if self.asked % 5 == 0:
                (root / "tokens" / ".k.new" / f"{self.asked}.bin").write_bytes(b"more")
            if self.asked == 22:
                held.__exit__()

    with Held(root) as held:
        clock = iter(range(0, 1000, 10))
        quick = SimpleNamespace(monotonic=lambda: next(clock), sleep=lambda seconds: None)
        monkeypatch.setattr(shared_cache, "time", quick)
        made = kept(root, "tokens", "k", never, Writing(), tmp_path / "own")
    assert (made / "a.bin").read_bytes() == b"whole"
    assert made.is_relative_to(root)


# -- where it can't be used ------------------------------------------------------------------------------------------


def test_a_cache_that_cannot_be_made_is_done_without(root: Path, tmp_path: Path) -> None:
    root.write_text("a file")
    fill, notes = Filler(), Notes()
    for _ in range(2):
        assert kept(root, "tokens", "k", fill, notes, tmp_path / "own") == tmp_path / "own" / "tokens" / "k"
    assert fill.calls == 1
    told, why, again = notes.said  # a run drops what it has told already
    assert told == again == ("warning", f"The cache in {root} can't be used: this run makes its own tokens.")
    assert why[1].startswith("Why the cache can't be used: ")
    with pytest.raises(OSError, match=str(root.name)):
        kept(root, "tokens", "k", fill, notes)


def test_a_full_disk_is_done_without_and_given_back(root: Path, tmp_path: Path) -> None:
    notes = Notes()
    fill = failing(errno.ENOSPC, root)
    made = kept(root, "tokens", "k", fill, notes, tmp_path / "own")
    assert made == tmp_path / "own" / "tokens" / "k"
    assert (made / "a.bin").read_bytes() == b"whole"
    assert [level for level, _ in notes.said] == ["warning", "info"]
    assert names(root) == leftovers(root) == set()
    assert kept(root, "tokens", "k", never, notes, tmp_path / "own") == made


def test_nowhere_to_write_is_the_systems_own_error(root: Path, tmp_path: Path) -> None:
    with pytest.raises(OSError) as caught:
        kept(root, "tokens", "k", failing(errno.ENOSPC, tmp_path), Quiet(), tmp_path / "own")
    assert caught.value.errno == errno.ENOSPC


def test_a_file_system_without_locks_is_done_without(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_locks(file: object, *, shared: bool = False) -> bool:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(shared_cache, "try_lock", no_locks)
    assert kept(root, "tokens", "k", Filler(), Quiet(), tmp_path / "own").is_relative_to(tmp_path / "own")


def test_a_lock_on_a_file_that_is_gone_is_none(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody else removed the entry and its lock file between our opening and our locking it."""
    lock, locked = root / "tokens" / ".k.lock", shared_cache.try_lock
    gone: list[int] = []

    def late(file: object, *, shared: bool = False) -> bool:
        if not gone:
            gone.append(lock.stat().st_ino)
            os.replace(lock, root / "elsewhere")  # as its number may be given to the next file if it is deleted
        return locked(file, shared=shared)  # type: ignore[arg-type]

    monkeypatch.setattr(shared_cache, "try_lock", late)
    kept(root, "tokens", "k", Filler(), Quiet())
    assert lock.stat().st_ino != gone[0]


# -- its size --------------------------------------------------------------------------------------------------------


def filled(root: Path, *keys: str) -> None:
    """Entries of 1,000 bytes and a bit that nobody uses now, the first one not used for longest."""
    for age, key in enumerate(reversed(keys)):
        kept(root, "tokens", key, Filler(1000), Quiet())
        os.utime(root / "tokens" / f".{key}.lock", (10_000 - age, 10_000 - age))
    release()


def test_what_was_not_used_for_longest_makes_room(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    filled(root, "old", "older", "young")
    kept(root, "tokens", "old", never, Quiet())
    release()
    monkeypatch.setattr(shared_cache, "_MOST_BYTES", 4000)
    kept(root, "tokens", "new", Filler(1000), Quiet())
    assert names(root) == {"old", "young", "new"}
    assert leftovers(root) == set()
    assert not (root / "tokens" / ".older.lock").exists() or sys.platform == "win32"


def test_within_its_bounds_everything_stays(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared_cache, "_MOST_BYTES", 10_000)
    filled(root, "a", "b", "c", "d")
    assert names(root) == {"a", "b", "c", "d"}


def test_it_takes_a_tenth_of_what_is_free_at_most(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    filled(root, "a", "b", "c", "d")
    bytes_now = sum(path.stat().st_size for path in root.rglob("*") if path.is_file() and path.suffix != ".lock")
    free = 25_000 - bytes_now * 5 // 4  # with the fifth, 2,500 bytes are a tenth
    monkeypatch.setattr(shared_cache.shutil, "disk_usage", lambda path: SimpleNamespace(free=free))
    kept(root, "tokens", "e", Filler(1000), Quiet())
    assert names(root) == {"d", "e"}


def test_what_is_in_use_stays(root: Path, child: Callable[[str], Child], monkeypatch: pytest.MonkeyPatch) -> None:
    user = child("theirs")
    assert user.says() == "filling"
    user.go_on()
    assert user.says() == "whole"
    kept(root, "tokens", "ours", Filler(), Quiet())
    for key in ("theirs", "ours"):
        os.utime(root / "tokens" / f".{key}.lock", (1, 1))
    monkeypatch.setattr(shared_cache, "_MOST_BYTES", 0)
    kept(root, "tokens", "new", Filler(), Quiet())
    assert names(root) == {"theirs", "ours", "new"}
    user.kill()
    kept(root, "tokens", "newer", Filler(), Quiet())
    assert names(root) == {"ours", "new", "newer"}
    release()
    kept(root, "tokens", "newest", Filler(), Quiet())
    assert names(root) == {"newest"}


def test_what_is_being_filled_stays(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared_cache, "_MOST_BYTES", 0)
    with Held(root):
        kept(root, "tokens", "new", Filler(), Quiet())
    assert (kept(root, "tokens", "k", never, Quiet()) / "a.bin").read_bytes() == b"whole"


def test_a_full_disk_takes_back_what_nobody_uses(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    filled(root, "a", "b")
    monkeypatch.setattr(shared_cache.shutil, "disk_usage", lambda path: SimpleNamespace(free=0))
    kept(root, "tokens", "k", failing(errno.ENOSPC, root), Quiet(), tmp_path / "own")
    assert names(root) == set()


def test_what_is_no_entry_stays(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root.mkdir()
    (root / "CACHEDIR.TAG").write_text("a file")
    filled(root, "a")
    monkeypatch.setattr(shared_cache, "_MOST_BYTES", 0)
    kept(root, "tokens", "new", Filler(), Quiet())
    assert (root / "CACHEDIR.TAG").exists()
    assert names(root) == {"new"}
