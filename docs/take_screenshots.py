"""Takes the pictures of the window that README and docs show: runs the application for real and photographs it.

    python -m docs.take_screenshots [--tiny] [--out FOLDER] [--recipe FILE] [--runs RUN…]

Needs a screen, real or virtual (`xvfb-run -s "-screen 0 1920x1080x24"`). Without a recipe it runs the built-in
sample. Every page is taken at 1280 × 720 and 1920 × 1080, light and dark; the moments of a run as they come. Finished
runs that lie elsewhere, given with `--runs`, stand in the library beside the one that is made.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from PySide6.QtCore import QEventLoop, QTimer
from PySide6.QtWidgets import QAbstractButton, QApplication, QWidget

import resources
from core.run import RunFolder
from gui.app import speak
from gui.controller import RunController
from gui.settings import SettingsFile
from gui.theme import theme
from gui.window import MainWindow

_SAMPLE = Path(resources.__file__).parent / "sample"
_SIZES = ((1280, 720), (1920, 1080))
_HOUR = 3600


class Photographer:
    """One window, and the folder that its pictures go to."""

    def __init__(self, scratch: Path, out: Path, runs: Sequence[Path] = ()) -> None:
        """`scratch` holds what the window keeps; `runs` are finished ones elsewhere."""
        self._out = out
        out.mkdir(parents=True, exist_ok=True)
        settings = SettingsFile(scratch / "settings.json")
        for run in runs:
            settings.remember_run(run)
        self.window = MainWindow(settings, RunController(runs=scratch / "runs"))
        self.window.resize(*_SIZES[0])
        self.window.show()
        theme().choose("light")

    def take(self, moment: str) -> None:
        """The window as it is, in both sizes and both themes."""
        for size in _SIZES:
            for looks in ("light", "dark"):
                self.window.resize(*size)
                theme().choose(looks)
                wait(400)
                self.window.grab().save(str(self._out / f"{moment}-{size[1]}-{looks}.png"))
        theme().choose("light")
        self.window.resize(*_SIZES[0])

    def until(self, holds: Callable[[], bool], seconds: float = _HOUR) -> None:
        """Wait for something."""
        end = time.monotonic() + seconds
        while not holds():
            if time.monotonic() > end:
                raise SystemExit("What the pictures wait for did not happen.")
            wait(100)

    def click(self, name: str) -> None:
        """Click a button by its object name."""
        button = self.window.findChild(QWidget, name)
        assert isinstance(button, QAbstractButton), name
        button.click()
        wait(200)

    def until_phase(self, *phases: str) -> None:
        """Wait until the run stands so."""
        self.until(lambda: self.window.controller.state.phase in phases)


def wait(milliseconds: int) -> None:
    """Let the window live for a while."""
    loop = QEventLoop()
    QTimer.singleShot(milliseconds, loop.quit)
    loop.exec()


def photograph_setup(camera: Photographer, recipe: Path) -> None:
    """From the first start to a recipe that is ready."""
    window = camera.window
    wait(1000)
    camera.take("01-start")
    window.open_recipe(recipe)
    wait(2500)
    camera.take("02-setup")
    for number, section in enumerate(("teacher", "language", "corpus", "targets", "tasks"), start=1):
        part = window.page("setup").sections[section]
        part.open()
        wait(2500)
        camera.take(f"03-setup-{number}-{section}")
        part.open(section == "targets")  # which is always open
    target = window.page("setup").target
    camera.until(lambda: not target.vocabulary.busy, 120)
    target.focus_first()
    window.page("setup").scroll.verticalScrollBar().setValue(target.y())
    wait(500)
    camera.take("03-setup-6-vocabulary")


def photograph_run(camera: Photographer, out: Path) -> None:
    """From the start of a run to the model exported to `out`."""
    window, controller = camera.window, camera.window.controller
    camera.until(window.findChild(QWidget, "button-compress").isEnabled, 60)
    camera.click("button-compress")
    camera.until(lambda: controller.state.stage == "layers" and controller.state.done > 0)
    camera.until(lambda: controller.state.done > 0.7 * controller.state.total or controller.state.stage != "layers")
    camera.take("04-run")
    if controller.state.live:
        controller.pause()
        camera.until_phase("paused", "finished")
        camera.take("05-paused")
        controller.resume()
        camera.until_phase("running", "finished")
        kill(controller)
        camera.until_phase("lost")
        wait(500)
        camera.take("06-cut-off")
        controller.resume()
    camera.until_phase("finished", "failed")
    wait(1000)
    camera.take("07-finished")
    window.show_page("results")
    wait(500)
    camera.take("08-results")
    window.page("results").export_to(out)
    camera.until(lambda: window.findChild(QWidget, "export-done").isVisible(), 300)
    camera.take("09-exported")
    window.show_page("start")
    wait(500)
    camera.take("10-runs")


def photograph_library(camera: Photographer) -> None:
    """Every finished run that there is, held against each other."""
    window = camera.window
    window.show_page("library")
    page = window.page("library")
    if not page.findChild(QWidget, "table-runs").isVisible():
        camera.click("button-library-way-on")
        camera.until(page.findChild(QWidget, "table-runs").isVisible, 60)
    for number, view in enumerate(("numbers", "curves", "fronts", "laws"), start=1):
        camera.click(f"button-view-{view}")
        wait(500)
        camera.take(f"11-library-{number}-{view}")


def kill(controller: RunController) -> None:
    """End the run's process as a crash or a full memory would."""
    folder = controller.state.folder
    assert folder is not None
    os.kill(int(RunFolder(folder).read_status()["pid"]), signal.SIGTERM if os.name == "nt" else signal.SIGKILL)


def main() -> None:
    """Take all pictures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tiny", action="store_true", help="the sample with a few steps a stage")
    parser.add_argument("--recipe", type=Path, help="a recipe of your own")
    parser.add_argument("--runs", type=Path, nargs="*", default=[], help="finished runs for the library")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "screenshots")
    options = parser.parse_args()
    app = QApplication(sys.argv[:1])
    speak(app)
    scratch = Path(tempfile.mkdtemp(prefix="monoglot-"))
    camera = Photographer(scratch, options.out, options.runs)
    recipe = options.recipe or _SAMPLE / ("recipe-tiny.toml" if options.tiny else "recipe.toml")
    try:
        photograph_setup(camera, recipe.absolute())
        photograph_run(camera, scratch / "model")
        photograph_library(camera)
    finally:
        camera.window.controller.stop()
        camera.window.controller.close()
        camera.window.controller.wait()
        shutil.rmtree(scratch, ignore_errors=True)


if __name__ == "__main__":
    main()
