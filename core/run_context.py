"""A run at work: its events and status go to its folder, and it heeds what the user and the disk want."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from core.errors import Stopped
from core.event_log import EventLog
from core.events import Done, Event, Message, Progress, State
from core.failures import Failure, is_full
from core.free_space import RESERVE, SpaceWatch
from core.run import RunFolder
from core.sealing import write_json
from core.secrets import without_secrets
from core.status import Status

_CONTROL_SECONDS = 0.2
_STATUS_SECONDS = 0.5
_LONGEST_WISH = 100


class RunContext:
    """The context of a run with a folder: events and status go to disk, wishes come from `control`."""

    def __init__(self, folder: RunFolder, on_event: Callable[[Event], None] | None = None) -> None:
        """`on_event(event)` also gets every event, for a terminal's progress."""
        self.folder = folder
        self.stop_signal = False
        self.loading = False
        """Whether nothing has begun yet, so that the run can end at any point."""
        self._log = EventLog(folder.events)
        self._listen = on_event or (lambda event: None)
        self._work_before = 0.0
        self._started = time.monotonic()
        self._paused = 0.0
        self._asked = 0.0
        self._reported = 0.0
        self._stage_start: tuple[float, int] | None = None
        self._stopped: Stopped | None = None
        self._waits = False
        """Whether it waits for room: what can't be written meanwhile is let go."""
        self.space = SpaceWatch(folder.path)
        """Whether the disk has room for what is written next."""
        self.status = Status(state="running", pid=os.getpid())
        """As it was last written."""
        self.warnings: list[str] = []
        """What makes the run's numbers other than they seem, in the order in which it was told, over all resumes."""

    def resume_at(self, events_length: int, seconds: float, warnings: Sequence[str] = ()) -> None:
        """Take up a run whose last safe point was at this length of the log, after these seconds of work.

        Args:
            events_length: in bytes; what was logged after it is forgotten.
            seconds: of work.
            warnings: what had been told by then that makes numbers doubtful.
        """
        whole = self._log.cut(events_length)
        self._work_before = seconds
        self._started, self._paused = time.monotonic(), 0.0  # a wait until now was no part of the work
        self.warnings = list(warnings)
        if not whole:
            text = f"Part of {self.folder.events.name} was lost: curves lack what it told. The results don't need it."
            self.emit(Message(level="warning", text=text))

    def mark(self) -> dict[str, Any]:
        """What `resume_at` needs to come back to now."""
        return {"events_length": self.log_length(), "seconds": self.seconds, "warnings": list(self.warnings)}

    def log_length(self) -> int:
        """Bytes of the event log, all of them on disk."""
        return self._log.flush()

    @property
    def seconds(self) -> float:
        """Seconds of work since the run's start, pauses left out, over all resumes."""
        return self._work_before + time.monotonic() - self._started - self._paused

    def emit(self, event: Event) -> None:
        """Record an event; where the disk is full, once there is room.

        What makes numbers doubtful is told once, however often it is found.

        Raises:
            Stopped: there is none, and the user wants the run to stop.
        """
        if isinstance(event, Message) and event.doubt:
            if event.text in self.warnings:
                return
            self.warnings.append(event.text)
        try:
            self._write(lambda: self._log.append(event, self.seconds), waits=not isinstance(event, Done))
        finally:
            self._listen(event)

    def begin(self, stage: str) -> None:
        """The stage that progress is about from now on."""
        self._stage_start = None
        self.set_status(replace(self.status, state="running", stage=stage, done=0, total=0, eta_seconds=None))

    def progress(self, done: int, total: int) -> None:
        """Report how far the stage is; written at most twice a second. The ETA is from this process's own pace."""
        now = time.monotonic() - self._paused
        if self._stage_start is None or done < self._stage_start[1]:
            self._stage_start = (now, done)
        if now - self._reported < _STATUS_SECONDS and done < total:
            return
        self._reported = now
        since, first = self._stage_start
        eta = (now - since) / (done - first) * (total - done) if done > first else None
        eta = None if eta is None else round(eta, 1)
        # Twice a second, and read by the living only: not worth a wait for the disk.
        self.set_status(replace(self.status, done=done, total=total, eta_seconds=eta), durable=False)
        self.emit(Progress(stage=self.status.stage, done=done, total=total, eta_seconds=eta))

    def check(self) -> None:
        """Honour the user's wish, if there is one; wait where the disk is nearly full.

        Raises:
            Stopped: the wish is to stop.
        """
        now = time.monotonic()
        if self.stop_signal:
            self._obey("stop")
        if now - self._asked < _CONTROL_SECONDS:
            return
        self._asked = now
        word = self.take_wish()
        if word == "pause":
            word = self.wait()
        self._obey(word)
        self._obey(self._wait_for_space(self.space.lack(self.status.stage)))

    def make_room(self) -> None:
        """Before something large is written: wait where the disk lacks room for it.

        Raises:
            Stopped: the user wants the run to stop, and there is no room to write before that.
        """
        lack = self.space.lack(self.status.stage, now=True)
        if lack is not None and self._stopped is not None:
            text = "There is no room to keep the last steps: they are done again when the run goes on."
            with contextlib.suppress(OSError):
                self.emit(Message(level="info", text=text))
            raise Stopped(keep_best=self._stopped.keep_best)
        self._obey(self._wait_for_space(lack))

    def _obey(self, word: str) -> None:
        if word in ("stop", "stop_keep_best"):
            self._stopped = Stopped(keep_best=word == "stop_keep_best")
            raise self._stopped

    def _wait_for_space(self, lack: Failure | None, least: int = 0) -> str:
        """Stay paused until there is room, or the user wants something else; returns that wish."""
        if lack is None:
            return ""
        word = self.wait(lack, lambda: self.space.lack(self.status.stage, now=True, least=least) is None)
        if word == "resume":
            self.space.insist()
        return word

    def wait(self, reason: Failure | None = None, over: Callable[[], bool] = lambda: False) -> str:
        """Stay paused until another wish; returns it.

        Args:
            reason: why the run waits by itself; None: the user wants it to.
            over: whether it may go on by itself; asked until the user wants it to be paused.
        """
        start = time.monotonic()
        text = f"{reason.what_happened} {reason.next_step}" if reason is not None else "Paused."
        self._waits = reason is not None
        with contextlib.suppress(OSError) if self._waits else contextlib.nullcontext():
            self.emit(Message(level="info", text=text))
        shown = self._pause(reason)
        word = ""
        while word not in ("resume", "stop", "stop_keep_best"):
            time.sleep(_CONTROL_SECONDS / 2)
            word = "stop" if self.stop_signal else self.take_wish()
            if word == "pause" and reason is not None:
                reason = None
                shown = False
            if not word and reason is not None and over():
                break
            shown = shown or self._pause(reason)
        self._waits = False
        self._paused += time.monotonic() - start
        if word in ("", "resume"):
            self.set_status(replace(self.status, state="running", error=None, hint=None, kind=None))
            self.emit(Message(level="info", text="Going on."))
        return word

    def _pause(self, reason: Failure | None) -> bool:
        """Show that the run waits; whether that could be done: the disk may be so full that it can't."""
        kind, error, hint = (reason.kind, reason.what_happened, reason.next_step) if reason else (None, None, None)
        try:
            self.set_status(replace(self.status, state="paused", error=error, hint=hint, kind=kind))
        except OSError as fault:
            if not is_full(fault):
                raise
            return False
        return True

    def _write(self, act: Callable[[], None], *, waits: bool = True) -> None:
        """Write something small; where the disk is full, wait for room and write it then."""
        while True:
            try:
                act()
                return
            except OSError as error:
                waits = waits and not self._waits and self._stopped is None and is_full(error)
                lack = self.space.lack(self.status.stage, now=True, least=RESERVE) if waits else None
                if lack is None:
                    raise
            self._obey(self._wait_for_space(lack, RESERVE))

    def take_wish(self) -> str:
        """The user's wish, which is then no longer in `control`; empty where there is none."""
        # Moved away first: a wish that is written between reading and deleting would be lost.
        taken = self.folder.path / ".control.taken"
        try:
            os.replace(self.folder.control, taken)
            with open(taken, "rb") as file:
                return file.read(_LONGEST_WISH).decode().strip()
        except (OSError, UnicodeDecodeError):
            return ""
        finally:
            with contextlib.suppress(OSError):  # what isn't a file stays, and is no wish
                taken.unlink()

    def finish(
        self,
        state: State,
        error: str | None = None,
        hint: str | None = None,
        kind: str | None = None,
        safe: str | None = None,
    ) -> None:
        """Write how the process ended: its state, and of a failure what `Status` has to tell.

        What a library said of it may hold a secret.
        """
        error, hint = error and without_secrets(error), hint and without_secrets(hint)
        ended = replace(self.status, state=state, eta_seconds=None, error=error, hint=hint, kind=kind, safe=safe)
        self._waits = True
        try:
            self.set_status(ended)
        finally:
            self._log.close()

    def set_status(self, status: Status, *, durable: bool = True) -> None:
        """Write status.json, as `emit` writes; `durable` as in `core.sealing.write_atomic`."""
        content = {name: getattr(status, name) for name in Status.__dataclass_fields__}
        self._write(lambda: write_json(self.folder.status, content, durable=durable))
        self.status = status
