"""How late the window's event loop is while a run trains on every core, and how much memory the window takes.

    python -m benchmarks.heartbeat [--seconds 120]

A tick is due every 5 ms. Each tick that was due counts with the time until it was served, also those that one long
block swallowed together; so the percentiles are those of a user who presses a key at a random moment.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

from PySide6.QtCore import QObject, Qt, QTimer
from PySide6.QtWidgets import QApplication

import resources
from gui.app import speak
from gui.controller import RunController, RunState
from gui.settings import SettingsFile
from gui.window import MainWindow

_TICK = 0.005
_STEPS = 100_000
"""Of a distillation: more than the benchmark waits for."""


class Heart(QObject):
    """Counts how late each tick is, from `begin` on."""

    def __init__(self, seconds: float, done: object) -> None:
        super().__init__()
        self._seconds, self._done = seconds, done
        self._due = 0.0
        self._end = 0.0
        self.late: list[float] = []
        self.memory: list[tuple[float, float]] = []
        self._timer = QTimer(self)
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.setInterval(round(_TICK * 1000))
        self._timer.timeout.connect(self._beat)
        self._slow = QTimer(self)
        self._slow.setInterval(5000)
        self._slow.timeout.connect(self._weigh)

    def begin(self) -> None:
        """Start to count."""
        self._due = time.perf_counter() + _TICK
        self._end = self._due + self._seconds
        self._timer.start()
        self._slow.start()
        self._weigh()

    def _beat(self) -> None:
        now = time.perf_counter()
        while self._due <= now:
            self.late.append(now - self._due)
            self._due += _TICK
        if now >= self._end:
            self._timer.stop()
            self._weigh()
            self._done()  # type: ignore[operator]

    def _weigh(self) -> None:
        self.memory.append((time.perf_counter(), _resident_megabytes()))


def _resident_megabytes() -> float:
    """Memory of this process now; the largest so far where the system doesn't tell."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6
    except OSError:
        from core.machine import peak_memory

        return peak_memory() / 1e6


def _recipe() -> str:
    text = (Path(resources.__file__).parent / "sample" / "recipe.toml").read_text(encoding="utf-8")
    return text.replace("distil_steps = 250", f"distil_steps = {_STEPS}")


def main() -> None:
    """Run the benchmark and print its numbers as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=120)
    options = parser.parse_args()
    app = QApplication(sys.argv[:1])
    speak(app)
    scratch = Path(tempfile.mkdtemp(prefix="monoglot-"))
    controller = RunController(runs=scratch / "runs")
    window = MainWindow(SettingsFile(scratch / "settings.json"), controller)
    window.show()
    heart = Heart(options.seconds, controller.stop)

    def follow(state: RunState) -> None:
        # From the first steps of training on; until then the child reads and tokenises on one core.
        if state.stage == "layers" and state.done and not heart.late and not heart.memory:
            heart.begin()
        if state.phase in ("stopped", "failed", "finished", "lost"):
            window.close()

    controller.state_changed.connect(follow)
    controller.start(_recipe(), Path(resources.__file__).parent / "sample")
    window.show_page("run")
    app.exec()
    shutil.rmtree(scratch, ignore_errors=True)
    if not heart.late:
        raise SystemExit(f"The run ended before it trained: {controller.state.faults}")
    late = sorted(1000 * value for value in heart.late)
    memory = [value for _, value in heart.memory]
    print(
        json.dumps(
            {
                "platform": app.platformName(),
                "seconds": options.seconds,
                "ticks": len(late),
                "late_ms": {str(p): round(late[int(len(late) * p / 100)], 2) for p in (50, 95, 99, 99.9)},
                "latest_ms": round(late[-1], 2),
                "window_memory_mb": {"first": round(memory[0]), "last": round(memory[-1]), "most": round(max(memory))},
                "torch_in_window": "torch" in sys.modules,
            }
        )
    )


if __name__ == "__main__":
    main()
