"""Counting and tokenising that are stopped or killed go on where they were, to the same bytes."""

from __future__ import annotations

import hashlib
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from toy_tokenizers import LATIN, TOYS

from core import shared_cache
from core.context import Quiet
from core.corpus import cache
from core.corpus.cache import tokenise
from core.corpus.prepare import PreparedCorpus, TextFile
from core.errors import Stopped
from core.shared_cache import kept, part_of
from core.vocabulary import counting, trimming
from core.vocabulary.trimming import count_corpus

TEXTS = [f"{text} {number}" for number in range(10) for text in LATIN]
TOKENIZER = TOYS["wordpiece"]().backend_tokenizer


class Killed(BaseException):
    """The process ends, whatever it is doing."""


class Watched(Quiet):
    """Remembers how many texts were done when it was told so first; ends at the n-th question whether to go on."""

    def __init__(self, at: int = 0, how: type[BaseException] = Stopped) -> None:
        self.at, self.how, self.asked = at, how, 0
        self.done: list[int] = []

    def progress(self, done: int, total: int) -> None:
        self.done.append(done)

    def check(self) -> None:
        self.asked += 1
        if self.asked == self.at:
            raise self.how


def text_file(folder: Path, texts: list[str]) -> TextFile:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{len(texts)}.txt"
    path.write_bytes("".join(f"{text}\n" for text in texts).encode())
    return TextFile(path, len(texts), hashlib.sha256(path.read_bytes()).hexdigest())


def count(folder: Path, ctx: Quiet) -> None:
    corpus = PreparedCorpus(text_file(folder, TEXTS), text_file(folder, TEXTS[:3]), None)  # type: ignore[arg-type]
    count_corpus(corpus, TOKENIZER, folder / "own", ctx)


def cut(folder: Path, ctx: Quiet) -> None:
    tokenise(text_file(folder, TEXTS), TOKENIZER, 12, folder / "own", ctx)


@pytest.fixture(params=[count, cut])
def work(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Callable[[Path, Quiet], None]:
    """What is done in small chunks, with a cache in the folder."""
    monkeypatch.setattr(counting, "_CHUNK_TEXTS", 10)
    monkeypatch.setattr(cache, "_CHUNK_TEXTS", 10)

    def run(folder: Path, ctx: Quiet) -> None:
        for module in (cache, trimming):
            monkeypatch.setattr(module, "shared_folder", lambda: folder / "shared")
        request.param(folder, ctx)

    return run


def made(folder: Path) -> dict[str, bytes]:
    """All that is in the cache, but for what is no content."""
    files = (path for path in (folder / "shared").rglob("*") if path.is_file() and path.suffix != ".lock")
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def save_always(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (cache, counting):
        monkeypatch.setattr(module, "SAVE_SECONDS", 0.0)


def test_stopped_again_and_again(work: Callable[[Path, Quiet], None], tmp_path: Path) -> None:
    work(tmp_path / "whole", Quiet())
    begun = []
    for _ in range(50):
        ctx = Watched(at=5)
        try:
            work(tmp_path / "run", ctx)
            break
        except Stopped:
            begun.append(ctx.done[0])
    assert begun == sorted(begun) and len(set(begun)) == len(begun) > 3
    assert made(tmp_path / "run") == made(tmp_path / "whole") != {}


@pytest.mark.parametrize("at", [1, 7, 12, 18])
def test_killed_after_some_saves(
    at: int, work: Callable[[Path, Quiet], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    work(tmp_path / "whole", Quiet())
    with monkeypatch.context() as patch, pytest.raises(Killed):
        save_always(patch)
        work(tmp_path / "run", Watched(at, Killed))
    ctx = Watched()
    work(tmp_path / "run", ctx)
    assert (ctx.done[0] > 10) == (at > 1)
    assert made(tmp_path / "run") == made(tmp_path / "whole")


@pytest.mark.parametrize("damage", ["flipped", "cut", "gone"])
def test_what_is_not_whole_of_a_part_is_dropped(
    damage: str, work: Callable[[Path, Quiet], None], tmp_path: Path
) -> None:
    work(tmp_path / "whole", Quiet())
    with pytest.raises(Stopped):
        work(tmp_path / "seen", Watched(9))
    parts = [name for name in made(tmp_path / "seen") if "/." in name]
    assert len(parts) == 3
    for number, name in enumerate(parts):
        folder = tmp_path / str(number)
        with pytest.raises(Stopped):
            work(folder, Watched(9))
        path = folder / name
        content = path.read_bytes()
        path.unlink()
        if damage != "gone":
            path.write_bytes(content[: len(content) // 2] if damage == "cut" else bytes([content[0] ^ 1]) + content[1:])
        ctx = Watched()
        work(folder, ctx)
        assert ctx.done[0] <= 10  # from the beginning
        assert made(folder) == made(tmp_path / "whole")


def test_what_was_written_after_the_last_save_is_cut_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "shared_folder", lambda: tmp_path / "shared")
    monkeypatch.setattr(cache, "_CHUNK_TEXTS", 10)
    with pytest.raises(Stopped):
        cut(tmp_path, Watched(5))
    for name in ("ids", "offsets"):
        (path,) = tmp_path.glob(f"shared/tokens/.*.part/{name}")
        with open(path, "ab") as file:
            file.write(b"half a thing")
    ctx = Watched()
    cut(tmp_path, ctx)
    found = made(tmp_path)
    monkeypatch.setattr(cache, "shared_folder", lambda: tmp_path / "whole" / "shared")
    cut(tmp_path / "whole", Quiet())
    assert ctx.done[0] > 10 and found == made(tmp_path / "whole")


def test_another_part_of_the_same_texts_is_not_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A part is found by what it is of: another tokenizer begins anew."""
    monkeypatch.setattr(trimming, "shared_folder", lambda: tmp_path / "shared")
    monkeypatch.setattr(counting, "_CHUNK_TEXTS", 10)
    with pytest.raises(Stopped):
        count(tmp_path, Watched(9))
    monkeypatch.setattr(sys.modules[__name__], "TOKENIZER", TOYS["unigram"]().backend_tokenizer)
    ctx = Watched()
    count(tmp_path, ctx)
    assert ctx.done[0] == 0


CHILD = """
import sys, time
from pathlib import Path
from tokenizers import Tokenizer
from core.context import Quiet
from core.corpus import cache
from core.corpus.prepare import TextFile

class Slow(Quiet):
    def check(self):
        time.sleep(0.02)

folder, path, count, sha256, tokenizer = sys.argv[1:]
cache._CHUNK_TEXTS, cache.SAVE_SECONDS = 2, 0.0
cache.shared_folder = lambda: Path(folder) / "shared"
file = TextFile(Path(path), int(count), sha256)
cache.tokenise(file, Tokenizer.from_str(tokenizer), 12, Path(folder) / "own", Slow())
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_a_process_killed_while_it_tokenises(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = text_file(tmp_path / "run", TEXTS)
    arguments = [str(tmp_path / "run"), str(file.path), str(file.count), file.sha256, TOKENIZER.to_str()]
    child = subprocess.Popen([sys.executable, "-c", CHILD, *arguments], cwd=Path(__file__).parent.parent)
    deadline = time.monotonic() + 120
    try:
        while not list(tmp_path.glob("run/shared/tokens/.*.part/state.json")):
            assert child.poll() in (None, 0) and time.monotonic() < deadline
            if child.poll() == 0:
                break  # it was faster than this test: nothing is left to be killed
            time.sleep(0.005)
    finally:
        child.send_signal(signal.SIGKILL)
        child.wait()
    ctx = Watched()
    for name, told in (("run", ctx), ("whole", Watched())):
        monkeypatch.setattr(cache, "shared_folder", lambda name=name: tmp_path / name / "shared")
        cut(tmp_path / name, told)
    assert ctx.done[0] > 2 or ctx.done == [len(TEXTS)]
    assert made(tmp_path / "run") == made(tmp_path / "whole")


@pytest.mark.parametrize("error", [Stopped(), OSError(28, "No space left on device")])
def test_a_stop_leaves_a_part_and_a_fault_does_not(error: Exception, tmp_path: Path) -> None:
    def fill(folder: Path) -> None:
        part_of(folder).mkdir()
        raise error

    with pytest.raises(type(error)):
        kept(tmp_path, "tokens", "k", fill, Quiet())
    assert (tmp_path / "tokens" / ".k.part").exists() == isinstance(error, Stopped)


def test_parts_that_nobody_goes_on_with_make_room_and_those_of_whole_entries_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(folder: Path) -> None:
        part_of(folder).mkdir()
        (part_of(folder) / "a.bin").write_bytes(bytes(1000))
        raise Stopped

    def filled(folder: Path) -> None:
        (folder / "a.bin").write_bytes(bytes(10))

    for key in ("left", "other"):
        with pytest.raises(Stopped):
            kept(tmp_path, "tokens", key, stopped, Quiet())
    part = tmp_path / "tokens" / ".left.part"
    kept(tmp_path, "tokens", "new", filled, Quiet())
    assert part.exists()
    kept(tmp_path, "tokens", "other", filled, Quiet())
    assert not (tmp_path / "tokens" / ".other.part").exists()
    monkeypatch.setattr(shared_cache, "_MOST_BYTES", 500)
    kept(tmp_path, "tokens", "newer", filled, Quiet())
    assert not part.exists() and not part.with_name(".left.lock").exists()
