"""How long a start takes: until a command that computes nothing ends, and until the window's first paint.

    python -m benchmarks.startup [--repeat 7]

The first start of each, which may have to fetch the libraries from disk, is told apart.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import resources

_CHILD = """
import sys, pathlib
from PySide6.QtCore import QEvent, QObject
from PySide6.QtWidgets import QApplication
app = QApplication([])
from gui.app import speak
from gui.controller import RunController
from gui.settings import SettingsFile
from gui.window import MainWindow
speak(app)
scratch = pathlib.Path(sys.argv[1])
window = MainWindow(SettingsFile(scratch / "settings.json"), RunController(runs=scratch / "runs"))

class First(QObject):
    def eventFilter(self, watched, event):
        if event.type() == QEvent.Type.Paint:
            print("painted", flush=True)
            watched.removeEventFilter(self)
        return False

first = First()
window.centralWidget().installEventFilter(first)
window.show()
app.exec()
"""


def _command(*arguments: str) -> float:
    start = time.perf_counter()
    subprocess.run([sys.executable, "-m", "gui.entry", *arguments], capture_output=True, check=True)
    return time.perf_counter() - start


def _window(scratch: str) -> float:
    start = time.perf_counter()
    child = subprocess.Popen([sys.executable, "-c", _CHILD, scratch], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    child.stdout.readline()
    seconds = time.perf_counter() - start
    child.terminate()
    child.wait()
    child.stdout.close()
    return seconds


def main() -> None:
    """Run the benchmark and print its numbers as JSON, a line a start."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeat", type=int, default=7)
    options = parser.parse_args()
    sample = str(Path(resources.__file__).parent / "sample" / "recipe.toml")
    starts: dict[str, Callable[[str], float]] = {
        "monoglot --help": lambda _: _command("--help"),
        "monoglot estimate": lambda _: _command("estimate", sample),
        "window": _window,
    }
    for name, seconds in starts.items():
        with tempfile.TemporaryDirectory() as scratch:
            first, *warm = [seconds(scratch) for _ in range(options.repeat + 1)]
        spread = {"least": min(warm), "median": statistics.median(warm), "most": max(warm)}
        print(json.dumps({"start": name, "first_s": first, "warm_s": spread}))


if __name__ == "__main__":
    main()
