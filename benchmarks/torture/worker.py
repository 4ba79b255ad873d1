"""A run's process: started as a person starts it, watched through its folder, killed, ended. No torch."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from core.run import RunFolder

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_SECONDS = 600
_LOOK_SECONDS = 0.002
_ORPHANS_SECONDS = 60
_FINE = (0, 2, 130)


class Wrong(Exception):
    """A case did not end as it should; the text says how it ended."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a process ended."""

    code: int
    said: str
    """What stood on its standard error."""

    @property
    def complaint(self) -> str:
        """Its error and hint, in one line."""
        lines = [line for line in self.said.splitlines() if line.startswith(("error: ", "hint: "))]
        return " / ".join(lines)


class Worker:
    """`monoglot run` in a session of its own, at work on a run folder."""

    def __init__(
        self,
        folder: RunFolder,
        recipe: Path | None,
        *,
        resume: bool = False,
        module: Sequence[str] = ("core.cli",),
        environment: Mapping[str, str] = MappingProxyType({}),
        before: Callable[[], None] | None = None,
        errors: Path | None = None,
    ) -> None:
        """Start it.

        Args:
            folder: where it runs.
            recipe: None: left out, for a run that is resumed.
            resume: go on with what is there.
            module: what follows `python -m`, before the words of the command.
            environment: variables that it has beside those of this process.
            before: called in the child before the program begins.
            errors: a file for its standard error, where that can't be beside the run.
        """
        self.folder = folder
        words = ["run", *([str(recipe)] if recipe else []), "--out", str(folder.path), *(["--resume"] * resume)]
        self._errors = errors or folder.path.parent / f"{folder.path.name}-{time.monotonic_ns()}.stderr"
        self._errors.parent.mkdir(parents=True, exist_ok=True)

        def prepare() -> None:
            signal.signal(signal.SIGHUP, signal.SIG_DFL)  # nohup, which the torture may run under, has it ignored
            if before is not None:
                before()

        with open(self._errors, "wb") as file:
            self._process = subprocess.Popen(
                [sys.executable, "-m", *module, *words],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=file,
                cwd=ROOT,
                env={**os.environ, "PYTHONUTF8": "1", "OMP_NUM_THREADS": "1", **environment},
                start_new_session=True,
                preexec_fn=prepare,
            )

    @property
    def pid(self) -> int:
        """The process's."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether it hasn't ended."""
        return self._process.poll() is None

    def wait_until(self, holds: Callable[[], bool], seconds: float = PATIENCE_SECONDS) -> bool:
        """Wait for something to hold; False where the process ended before.

        Raises:
            Wrong: neither happened in time.
        """
        deadline = time.monotonic() + seconds
        while not holds():
            if not self.alive:
                return False
            if time.monotonic() > deadline:
                self.kill()
                raise Wrong(f"nothing happened for {seconds:.0f} s, in {self.folder.read_status()}")
            time.sleep(_LOOK_SECONDS)
        return True

    def wait_state(self, state: str) -> bool:
        """Until its own status says so: what an earlier process wrote doesn't count."""

        def says() -> bool:
            status = self.folder.read_status()
            return status.get("pid") == self.pid and status.get("state") == state

        return self.wait_until(says)

    def wait_stage(self, stage: str) -> bool:
        """Until it works on a stage."""

        def works() -> bool:
            status = self.folder.read_status()
            return (status.get("pid"), status.get("state"), status.get("stage")) == (self.pid, "running", stage)

        return self.wait_until(works)

    def signal(self, number: int) -> None:
        """Send it a signal."""
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(number)

    def kill(self, *, group: bool = True) -> bool:
        """Kill it with SIGKILL, with all its children or alone; whether it was alive."""
        with contextlib.suppress(ProcessLookupError):
            if self.alive:
                if group:
                    os.killpg(self.pid, signal.SIGKILL)
                else:
                    self._process.kill()
        return self._process.wait() == -signal.SIGKILL

    @property
    def said(self) -> str:
        """What stands on its standard error so far."""
        return self._errors.read_text(encoding="utf-8", errors="replace")

    def end(self, seconds: float = PATIENCE_SECONDS) -> Ended:
        """Wait for its end.

        Raises:
            Wrong: it doesn't end, ends with a fault of ours, or shows a traceback.
        """
        self.wait_until(lambda: not self.alive, seconds)
        said = self.said
        self._errors.unlink()
        code = self._process.wait()
        if "Traceback" in said:
            raise Wrong(f"a traceback on the terminal: {said[-500:]}")
        if code not in _FINE:
            raise Wrong(f"exit status {code}: {said[-500:]} {_logged(self.folder)}")
        return Ended(code, said)

    def orphans(self) -> list[int]:
        """Processes of its session that are still there a while after it."""
        deadline = time.monotonic() + _ORPHANS_SECONDS
        while (found := _session(self.pid)) and time.monotonic() < deadline:
            time.sleep(0.1)
        return found


def _logged(folder: RunFolder) -> str:
    """The last line of the run's log of our own faults."""
    try:
        lines = (folder.path / "error.log").read_text(encoding="utf-8", errors="replace").split("\n")
    except OSError:
        return ""
    return next((line for line in reversed(lines) if line.strip()), "")


def _session(leader: int) -> list[int]:
    """The living processes of a session, by /proc; none where there is no such folder."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError, ValueError, IndexError):
            state, _, _, session = path.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[:4]
            if int(session) == leader and state != "Z":
                found.append(int(path.parent.name))
    return found
