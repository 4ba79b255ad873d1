"""A run's process, started by this window: the command that a person would type, detached."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import core
from core.errors import Fault

_LOWER_PRIORITY = 5


@dataclass(frozen=True, slots=True)
class Launch:
    """A run to start: `monoglot WORDS… --out FOLDER`."""

    words: tuple[str, ...]
    folder: Path
    recipe: str | None = None
    """A recipe's text, which goes after the first word; its paths are absolute."""


class Child:
    """Outlives the window; what its start needs lies in a folder of its own until it has ended."""

    def __init__(self, launch: Launch) -> None:
        """Start it.

        Raises:
            OSError: it can't be started.
        """
        self.folder = launch.folder
        self.has_run = False
        """Whether it has held the run's lock."""
        self._scratch = Path(tempfile.mkdtemp(prefix="monoglot-start-"))
        words = list(launch.words)
        if launch.recipe is not None:
            recipe = self._scratch / "recipe.toml"
            recipe.write_text(launch.recipe, encoding="utf-8")
            words.insert(1, str(recipe))
        with open(self._errors, "wb") as file:
            self._process = _detached([sys.executable, "-m", "core.cli", *words, "--out", str(launch.folder)], file)

    @property
    def _errors(self) -> Path:
        return self._scratch / "stderr.txt"

    @property
    def pid(self) -> int:
        """The process's number."""
        return self._process.pid

    def ended(self) -> int | None:
        """Its exit status; None while it is at work."""
        return self._process.poll()

    def terminate(self) -> None:
        """End it: right only before it has made anything, as afterwards it reads wishes."""
        self._process.terminate()

    def complaints(self) -> tuple[Fault, ...]:
        """What it said of an input that it refused: its lines "error: …" and "hint: …"."""
        faults: list[Fault] = []
        with contextlib.suppress(OSError):
            for line in self._errors.read_text(encoding="utf-8", errors="replace").splitlines():
                word, _, text = line.partition(": ")
                if word == "error":
                    faults.append(Fault(text, ""))
                elif word == "hint" and faults:
                    faults[-1] = Fault(faults[-1].problem, text)
        return tuple(faults)

    def tidy(self) -> None:
        """It has ended, or has read its recipe: remove what its start needed."""
        shutil.rmtree(self._scratch, ignore_errors=True)

    def leave(self) -> None:
        """The window ends: nobody will ask how the process ends, and Python needn't complain about that."""
        if self.has_run:
            self.tidy()
        self._process.returncode = 0


def _detached(command: Sequence[str], errors: IO[bytes]) -> subprocess.Popen[bytes]:
    """Start a process that outlives this one, and that leaves the machine usable: at a lower priority."""
    options: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": errors}
    options["cwd"] = Path(core.__file__).parent.parent
    options["env"] = {**os.environ, "PYTHONUTF8": "1"}
    if sys.platform == "win32":
        flags = subprocess.DETACHED_PROCESS | subprocess.CREATE_NEW_PROCESS_GROUP
        return subprocess.Popen(command, creationflags=flags | subprocess.BELOW_NORMAL_PRIORITY_CLASS, **options)
    child = subprocess.Popen(command, start_new_session=True, **options)
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, child.pid, _LOWER_PRIORITY)
    return child
