"""What befalls processes: signals, a second one, a wrong clock, a dead window; and texts and teachers that change."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.torture import runs
from benchmarks.torture.bench import SAME, Bench, Outcome
from benchmarks.torture.damages import Fault
from core.run import RunFolder
from resources import sample

_JUMPS = """
import random, time
draw, real = random.Random(3), time.time
time.time = lambda: real() + draw.choice((0, 0, 0, -1, 1)) * 20 * 365 * 86400
real_ns = time.time_ns
time.time_ns = lambda: int(time.time() * 1e9)
"""


def signalled(*numbers: signal.Signals, expected: int) -> Fault:
    """Signals in the middle of a stage; then the run is resumed."""

    def fault(bench: Bench) -> Outcome:
        folder = bench.folder()
        process = runs.start(folder, bench.text)
        runs.until(process, lambda: runs.steps(folder, "layers") >= 2)
        for number in numbers:
            process.send_signal(number)
            time.sleep(0.05)
        ended = runs.end(process)
        if ended.status not in (expected, 0) or "Traceback" in ended.said:
            return Outcome(f"{runs.words(ended)}, not {expected}", ok=False)
        found = bench.judged(folder, runs.run(folder, resume=True))
        return Outcome(f"it ended with {ended.status}; then {found.happened}", found.ok)

    return fault


def a_second_process(bench: Bench) -> Outcome:
    """Two processes on one run: the second is told, the first goes on."""
    folder = bench.folder()
    first = runs.start(folder, bench.text)
    runs.until(first, lambda: runs.steps(folder, "layers") >= 1)
    second = runs.run(folder, resume=True)
    third = runs.run(folder, bench.text)
    found = bench.judged(folder, runs.end(first))
    told = f"the second: {runs.words(second)} The first: {found.happened}"
    ok = found.ok and (second.status == third.status == 2) and second.is_clear and third.is_clear
    return Outcome(told, ok)


def two_at_once(bench: Bench) -> Outcome:
    """Two processes that resume one run at the very same time."""
    folder = bench.folder(bench.middle)
    both = [runs.start(folder, resume=True) for _ in range(2)]
    ends = [runs.end(process) for process in both]
    winner = min(ends, key=lambda ended: ended.status)
    loser = max(ends, key=lambda ended: ended.status)
    found = bench.judged(folder, winner)
    # One that begins when the other has ended finds nothing to do.
    ok = found.ok and loser.is_clear and loser.status in (0, 2)
    return Outcome(f"one: {found.happened}; the other: {runs.words(loser)}", ok)


def a_jumping_clock(bench: Bench) -> Outcome:
    """A clock that jumps by twenty years all the time."""
    folder = bench.folder()
    process = runs.start(folder, bench.text, prologue=_JUMPS)
    runs.until(process, lambda: runs.steps(folder, "hidden") >= 2)
    runs.kill(process)
    return bench.judged(folder, runs.run(folder, resume=True, prologue=_JUMPS))


def without_the_shared_cache(bench: Bench) -> Outcome:
    """What runs share on this machine goes while one needs it."""
    from core.shared_cache import shared_folder

    folder = bench.folder()
    process = runs.start(folder, bench.text)
    runs.until(process, lambda: runs.steps(folder, "layers") >= 2)
    shutil.rmtree(shared_folder(), ignore_errors=True)
    return bench.judged(folder, runs.end(process), told_is_fine=True)


def changed(change: Callable[[Path, Path], None], *, told_is_fine: bool) -> Fault:
    """Texts and teacher of one's own, which change between a kill and going on.

    Args:
        change: is given the text's file and the teacher's folder.
        told_is_fine: whether the run may refuse to go on.
    """

    def fault(bench: Bench) -> Outcome:
        folder = bench.folder()
        corpus, teacher, text = (folder.parent / name for name in ("text.txt", "teacher", "recipe.toml"))
        shutil.copy(sample.corpus_file(), corpus)
        shutil.copytree(sample.teacher_folder(), teacher)
        text.write_text(runs.recipe(corpus="text.txt", teacher="teacher"), encoding="utf-8")
        whole = folder.parent / "whole"
        runs.run(whole, text)
        process = runs.start(folder, text)
        runs.until(process, lambda: runs.steps(folder, "hidden") >= 3)
        runs.kill(process)
        change(corpus, teacher)
        ended = runs.run(folder, resume=True)
        if ended.status:
            return Outcome(runs.words(ended), told_is_fine and ended.is_clear)
        differing = runs.differences(folder, whole)
        return Outcome(f"it differs in {runs.names(differing)}" if differing else SAME, not differing)

    return fault


def _other_weights(corpus: Path, teacher: Path) -> None:
    from safetensors.torch import load_file, save_file

    tensors = load_file(teacher / "model.safetensors")
    save_file(
        {name: 1.01 * tensor for name, tensor in tensors.items()}, teacher / "model.safetensors", {"format": "pt"}
    )


def _other_text(corpus: Path, teacher: Path) -> None:
    lines = corpus.read_text(encoding="utf-8").splitlines()
    corpus.write_text("\n".join(line + " u" for line in lines) + "\n", encoding="utf-8")


def a_window_killed(bench: Bench) -> Outcome:
    """The window is killed while its run goes on; a new one finds it."""
    home = bench.folder().parent
    window = _window(_BEGIN.format(recipe=bench.text.read_text(encoding="utf-8"), runs=str(home)))
    started = runs.until(window, lambda: any(runs.steps(folder, "layers") >= 1 for folder in home.iterdir()))
    runs.kill(window)
    if not started:
        return Outcome("the window started no run", ok=False)
    folder = next(home.iterdir())
    alive = RunFolder(folder).running()
    followed = runs.end(_window(_ATTACH.format(folder=str(folder))))
    found = bench.judged(folder, followed)
    told = "the run went on without it" if alive else "the run ended with it"
    return Outcome(f"{told}; a new one followed it to its end; {found.happened}", alive and found.ok)


def _window(program: str) -> subprocess.Popen[bytes]:
    """A process with the window's controller."""
    return subprocess.Popen(
        [sys.executable, "-c", _IMPORTS + program],
        env={**os.environ, "QT_QPA_PLATFORM": "offscreen"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


_IMPORTS = """
import sys
from pathlib import Path
from PySide6.QtCore import QCoreApplication, QTimer
from gui.controller import RunController
app = QCoreApplication([])
"""
_BEGIN = """
controller = RunController(runs=Path({runs!r}))
controller.start({recipe!r}, Path({runs!r}))
sys.exit(app.exec())
"""
_ATTACH = """
controller = RunController()
controller.attach(Path({folder!r}))
controller.finished.connect(app.quit)
controller.state_changed.connect(lambda state: controller.close() if state.phase == "finished" else None)
QTimer.singleShot(250000, lambda: app.exit(3))
sys.exit(app.exec())
"""

PROCESSES: dict[str, Fault] = {
    "SIGTERM": signalled(signal.SIGTERM, expected=130),
    "SIGINT (Ctrl-C)": signalled(signal.SIGINT, expected=130),
    "SIGINT twice": signalled(signal.SIGINT, signal.SIGINT, expected=130),
    "SIGHUP (the terminal is closed)": signalled(signal.SIGHUP, expected=130),
    "a second process on the run": a_second_process,
    "two processes resume it at once": two_at_once,
    "a clock that jumps by twenty years": a_jumping_clock,
    "the shared cache removed while it runs": without_the_shared_cache,
    "the corpus removed before it is resumed": changed(lambda corpus, teacher: corpus.unlink(), told_is_fine=True),
    "the corpus changed before it is resumed": changed(_other_text, told_is_fine=True),
    "the teacher removed before it is resumed": changed(
        lambda corpus, teacher: shutil.rmtree(teacher), told_is_fine=True
    ),
    "the teacher changed before it is resumed": changed(_other_weights, told_is_fine=True),
    "the window killed while its run goes on": a_window_killed,
}
LAST = frozenset({"the shared cache removed while it runs"})
"""What disturbs other runs."""
