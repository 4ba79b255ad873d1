"""What the page of a run shows, as data: stages, losses, sizes, scores and messages. Knows no widget."""

from __future__ import annotations

import contextlib
import itertools
import math
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean
from typing import Literal

import numpy as np
from PySide6.QtCore import QObject, QTimer, Signal

from core.events import Done, Event, Loss, Message, Progress, Score, Size, Stage
from core.wording import clean
from gui.series import Series, Values
from gui.text import stage_name

REDRAW_MS = 50
_SLICE_SECONDS = 0.008
"""How long one piece of a long log may hold the window up."""
LOSSES = ("mlm", "kd", "hidden", "total")
SPLITS = ("train", "validation")
LOG_LENGTH = 2000
_EVALUATE = "evaluate"
_TEXTS: dict[type[Event], tuple[str, ...]] = {
    Stage: ("name", "state"),
    Progress: ("stage",),
    Loss: ("stage", "split"),
    Size: ("stage",),
    Score: ("stage", "task", "metric", "who", "how"),
    Message: ("level", "text"),
    Done: ("state",),
}
_NUMBERS: dict[type[Event], tuple[str, ...]] = {
    Progress: ("done", "total"),
    Loss: ("step",),
    Size: ("parameters",),
    Score: ("step", "value"),
}
"""What must hold for an event to be shown: another version may write other things."""


@dataclass(frozen=True, slots=True)
class StageView:
    """One stage and how far it is."""

    name: str
    state: Literal["waiting", "running", "done"] = "waiting"
    done: int = 0
    total: int = 0
    """Units of the work at hand: a stage may have several pieces of work, one after the other."""
    eta_seconds: float | None = None
    whole: bool = False
    """Whether progress and ETA are the whole stage's, not those of a piece of preparation."""
    began: float = 0.0
    ended: float | None = None

    @property
    def fraction(self) -> float | None:
        """Share of the work at hand that is done; None: nothing is known."""
        return min(1.0, self.done / self.total) if self.total > 0 and self.state == "running" else None

    @property
    def seconds(self) -> float | None:
        """How long it took, once it is done."""
        return None if self.ended is None else self.ended - self.began


@dataclass(frozen=True, slots=True)
class Band:
    """A stage's stretch of the axis of training steps."""

    stage: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Line:
    """Scores (0-100) over steps, both of shape (n,)."""

    x: Values
    y: Values
    breaks: tuple[int, ...]
    """Index of the first point of every piece but the first: a line joins the points of one piece only."""


@dataclass(frozen=True, slots=True)
class LogLine:
    """A line of the log; `t` is in seconds of work."""

    t: float
    level: Literal["info", "warning", "error"]
    text: str


@dataclass(frozen=True, slots=True)
class FinalScore:
    """A task's score on its test split: the mean over the seeds that are done."""

    task: str
    who: Literal["teacher", "student"]
    metric: str
    mean: float
    seeds: int


class RunModel(QObject):
    """Takes a run's events and keeps what there is to see; `changed` comes at most every 50 ms.

    A log that is read all at once is worked off in slices, so that the window answers meanwhile.
    """

    changed = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.generation = 0
        """Grows whenever everything is forgotten: what was shown before is void."""
        self._planned: tuple[str, ...] = ()
        self._timer = QTimer(self, interval=REDRAW_MS, singleShot=True)
        self._timer.timeout.connect(self.changed)
        self._later = QTimer(self, interval=0)
        self._later.timeout.connect(self._work_off)
        self._waiting: deque[tuple[float, Event]] = deque()
        self._forget()

    def apply(self, batch: Sequence[tuple[float, Event]]) -> None:
        """Take in events with their times (seconds of work), in order."""
        self._waiting.extend(batch)
        self._work_off()

    def reset(self) -> None:
        """Forget everything but the plan: another run, or a log that was cut back."""
        self._waiting.clear()
        self._later.stop()
        self._forget()
        self._tell()

    def set_planned(self, names: Sequence[str]) -> None:
        """The stages that the run will have, in order; each also shows before it starts."""
        self._planned = tuple(names)
        self._tell()

    @property
    def busy(self) -> bool:
        """Whether events wait to be worked off."""
        return bool(self._waiting)

    @property
    def stages(self) -> list[StageView]:
        """Every stage, planned or seen, in order."""
        names = dict.fromkeys([*self._planned, *self._stages])
        return [self._stages.get(name, StageView(name)) for name in names]

    @property
    def current(self) -> StageView | None:
        """The stage that runs."""
        return next((stage for stage in self._stages.values() if stage.state == "running"), None)

    @property
    def eta_seconds(self) -> float | None:
        """What is left of the whole run; None unless the last stage runs: the others' work is not measured yet."""
        current = self.current
        if current is None or not current.whole or not self._planned or current.name != self._planned[-1]:
            return None
        return current.eta_seconds

    @property
    def steps(self) -> int:
        """Training steps so far, over all stages."""
        return max((band.end for band in self._bands.values()), default=0)

    @property
    def bands(self) -> list[Band]:
        """The stages that train, on the axis of steps."""
        return [band for band in self._bands.values() if band.end > band.start]

    @property
    def sizes(self) -> Mapping[str, Size]:
        """Stage → the model's size after it; the teacher's own first."""
        return self._sizes

    @property
    def tasks(self) -> list[str]:
        """The tasks seen in scores, in order."""
        return list(self._metrics)

    def metric(self, task: str) -> str:
        """What a task's scores are: the metric seen first, which is the main one."""
        return self._metrics[task]

    @property
    def log(self) -> Sequence[LogLine]:
        """The last lines of the log."""
        return self._log

    @property
    def log_total(self) -> int:
        """How many lines there were, also those that are forgotten by now."""
        return self._log_total

    @property
    def warnings(self) -> Sequence[str]:
        """What the run warned of, each once."""
        return list(self._warnings)

    @property
    def ended(self) -> str:
        """How the process that ran ended; empty while it runs."""
        return self._ended

    def loss(self, split: str, kind: str) -> Series:
        """A loss over the steps of all stages, `mlm` and `total` in nats; `split` of SPLITS, `kind` of LOSSES."""
        return self._losses[split, kind]

    def student_scores(self, task: str) -> Line:
        """The student's live curve, a piece a stage."""
        return _line([(places, values) for places, values in self._probes.get(("student", task), {}).values()])

    def teacher_scores(self, task: str) -> Line:
        """The teacher's live score over every stage; where a stage didn't measure it, the one before holds."""
        measured = self._probes.get(("teacher", task), {})
        if not measured:
            return _line([])
        pieces: list[tuple[list[float], list[float]]] = []
        last = next(iter(measured.values()))[1][0]
        for stage, band in self._bands.items():
            places, values = measured.get(stage, ([], []))
            first, level = (values[0], values[-1]) if values else (last, last)
            places, values = [*places, float(band.end)], [*values, level]
            if places[0] > band.start:
                places, values = [float(band.start), *places], [first, *values]
            pieces.append((places, values))
            last = level
        return _line(pieces)

    def final_scores(self) -> Iterator[FinalScore]:
        """Each task's scores on its test split, as far as they are measured."""
        for (task, who), runs in self._finals.items():
            yield FinalScore(task, who, self._metrics[task], fmean(runs.values()), len(runs))

    def _forget(self) -> None:
        self.generation += 1
        self._stages: dict[str, StageView] = {}
        self._bands: dict[str, Band] = {}
        self._losses = {(split, kind): Series() for split in SPLITS for kind in LOSSES}
        self._sizes: dict[str, Size] = {}
        self._metrics: dict[str, str] = {}
        self._probes: dict[tuple[str, str], dict[str, tuple[list[float], list[float]]]] = {}
        self._finals: dict[tuple[str, Literal["teacher", "student"]], dict[int | None, float]] = {}
        self._log: deque[LogLine] = deque(maxlen=LOG_LENGTH)
        self._log_total = 0
        self._warnings: dict[str, None] = {}
        self._ended = ""

    def _work_off(self) -> None:
        end = time.monotonic() + _SLICE_SECONDS
        while self._waiting and time.monotonic() < end:
            for _ in range(min(len(self._waiting), 50)):
                t, event = self._waiting.popleft()
                # What can't be understood is skipped, as the reader of the log skips broken lines.
                with contextlib.suppress(TypeError, ValueError, KeyError, AttributeError):
                    _check(t, event)
                    self._take(t, event)
        if self._waiting:
            self._later.start()
        else:
            self._later.stop()
        self._tell()

    def _tell(self) -> None:
        if not self._timer.isActive():
            self._timer.start()

    def _take(self, t: float, event: Event) -> None:
        if not isinstance(event, Done):
            self._ended = ""
        match event:
            case Loss():
                self._take_loss(event)
            case Progress():
                self._take_progress(t, event)
            case Score():
                self._take_score(event)
            case Size():
                self._sizes[event.stage] = event
            case Stage():
                self._take_stage(t, event)
            case Message():
                self._write(t, event.level, clean(event.text))
            case Done():
                self._ended = event.state

    def _take_stage(self, t: float, event: Stage) -> None:
        if event.state == "started":
            before = self._stages.get(event.name)
            # Work can be told of just before the stage says that it begins.
            self._stages[event.name] = StageView(event.name, "running", began=before.began if before else t)
            self._write(t, "info", self.tr("{}: begun.").format(stage_name(event.name)))
        else:
            stage = self._stages.get(event.name, StageView(event.name, began=t))
            self._stages[event.name] = replace(stage, state="done", eta_seconds=None, ended=t)
            self._write(t, "info", self.tr("{}: done.").format(stage_name(event.name)))

    def _take_progress(self, t: float, event: Progress) -> None:
        if not event.stage:
            return
        stage = self._stages.get(event.stage, StageView(event.stage, began=t))
        if stage.state != "done":
            self._stages[event.stage] = replace(
                stage,
                state="running",
                done=event.done,
                total=event.total,
                eta_seconds=event.eta_seconds,
                whole=event.stage in self._bands or event.stage == _EVALUATE,
            )

    def _take_loss(self, event: Loss) -> None:
        if event.split not in SPLITS:
            return
        place = self._place(event.stage, event.step)
        values = {"mlm": event.mlm, "kd": event.kd, "hidden": event.hidden, "total": event.total}
        for kind in LOSSES:
            self._losses[event.split, kind].append(place, values[kind])

    def _take_score(self, event: Score) -> None:
        if event.who not in ("teacher", "student"):
            return
        metric = self._metrics.setdefault(event.task, event.metric)
        if event.metric != metric:
            return  # shown beside the main one in the results
        if event.how == "final":
            self._finals.setdefault((event.task, event.who), {})[event.seed] = event.value
            return
        place = float(self._place(event.stage, event.step))
        places, values = self._probes.setdefault((event.who, event.task), {}).setdefault(event.stage, ([], []))
        while places and places[-1] >= place:
            places.pop()
            values.pop()
        places.append(place)
        values.append(event.value)

    def _place(self, stage: str, step: int) -> int:
        """Where a stage's step stands behind the stages before it."""
        band = self._bands.get(stage)
        if band is None:
            start = self.steps
            band = Band(stage, start, start)
            for series in self._losses.values():
                series.begin_piece()
        place = band.start + step
        self._bands[stage] = Band(stage, band.start, max(band.end, place))
        return place

    def _write(self, t: float, level: Literal["info", "warning", "error"], text: str) -> None:
        self._log.append(LogLine(t, level, text))
        self._log_total += 1
        if level == "warning":
            self._warnings[text] = None


def _check(t: float, event: Event) -> None:
    """See that an event holds what its kind must.

    Raises:
        TypeError, ValueError, AttributeError: it doesn't.
    """
    for name in _TEXTS[type(event)]:
        if not isinstance(getattr(event, name), str):
            raise TypeError(name)
    numbers = [t, *(getattr(event, name) for name in _NUMBERS.get(type(event), ()))]
    if isinstance(event, Size):
        numbers.extend(event.parts.values())
    if isinstance(event, Progress) and event.eta_seconds is not None:
        numbers.append(event.eta_seconds)
    if not all(map(math.isfinite, numbers)):
        raise ValueError(numbers)


def _line(pieces: Sequence[tuple[Sequence[float], Sequence[float]]]) -> Line:
    """The pieces behind each other."""
    lengths = list(itertools.accumulate(len(places) for places, _ in pieces))
    return Line(
        np.array([place for places, _ in pieces for place in places], dtype=float),
        np.array([value for _, values in pieces for value in values], dtype=float),
        tuple(lengths[:-1]),
    )
