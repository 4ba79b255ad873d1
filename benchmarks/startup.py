"""How long the window takes to show: from the start of the process to its first paint.

    python -m benchmarks.startup [--repeat 7]

The first start, which may have to fetch the libraries from disk, is told apart.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time

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


def _seconds(scratch: str) -> float:
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
    """Run the benchmark and print its numbers as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeat", type=int, default=7)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        first, *warm = [_seconds(scratch) for _ in range(options.repeat + 1)]
    found = {"first_s": first, "warm_s": {"least": min(warm), "median": statistics.median(warm), "most": max(warm)}}
    print(json.dumps(found))


if __name__ == "__main__":
    main()
