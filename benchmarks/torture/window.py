"""A window in a process of its own, to be killed, and another one that finds the run again.

python -m benchmarks.torture.window start|watch FOLDER
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

from PySide6.QtWidgets import QApplication

from gui.controller import RunController
from gui.settings import SettingsFile
from gui.window import MainWindow

_PATIENCE_SECONDS = 600


def main() -> int:
    """Open the window in a folder of its own; print the run's folder when it runs, and how it ended."""
    word, folder = sys.argv[1], Path(sys.argv[2])
    app = QApplication(sys.argv[:1])
    controller = RunController(runs=folder / "runs")
    window = MainWindow(SettingsFile(folder / "settings.json"), controller)
    window.show()
    if word == "start":
        window.start_sample(tiny=True)
        _wait(app, lambda: controller.state.phase == "running" and bool(controller.state.stage))
        print(controller.state.folder, flush=True)
        _wait(app, lambda: False)  # until it is killed
    _wait(app, lambda: controller.state.folder is not None and controller.state.phase != "none")
    print(f"{controller.state.folder} {controller.state.phase}", flush=True)
    _wait(app, lambda: not controller.state.live and controller.state.phase != "none")
    print(controller.state.phase, flush=True)
    window.close()
    return 0


def _wait(app: QApplication, holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while not holds() and time.monotonic() < deadline:
        app.processEvents()
        time.sleep(0.01)


if __name__ == "__main__":
    sys.exit(main())
