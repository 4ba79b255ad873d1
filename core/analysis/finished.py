"""Finished runs, read back: recipe and results in typed form, whichever version wrote them. No torch.

What later versions measure is None in an older run; only what every run has must be there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from core.errors import Fault, InputError
from core.languages import check_language
from core.recipe import Recipe
from core.run import RESULTS_HINT, RunFolder
from core.wording import last_name

Interval = tuple[float, float]
"""Both ends, of 95 %."""


_HELD_OUT = ("pseudo_perplexity", "pseudo_perplexity_a_word", "pseudo_perplexity_tokens", "tokens_a_word")
_LARGEST = 1e100
"""Of a number here: squares and sums of more would be infinite."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskScore:
    """A model's score on a task's test split, 0-100."""

    mean: float
    """Over seeds."""
    sd: float | None
    """The sample's, over seeds; None for one seed."""
    seeds: int
    interval: Interval | None
    """Bootstrap over test examples, of the mean over seeds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Paired:
    """The paired test of teacher against student."""

    interval: Interval
    """Of teacher minus student."""
    p: float
    """Two-sided."""
    distinguishable: bool
    """Whether the drop can be told from the noise of the test examples."""
    seeds: Interval | None
    """Of teacher minus student over seeds, where there are several."""

    @property
    def beyond_seeds(self) -> bool:
        """Whether it can be told from noise, that of the seeds included."""
        return self.distinguishable and self.seeds is not None and not self.seeds[0] <= 0 <= self.seeds[1]


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskOutcome:
    """What a task gave."""

    name: str
    kind: str
    metric: str
    teacher: TaskScore
    student: TaskScore
    drop: float
    """Teacher minus student, in points."""
    paired: Paired | None
    folds: int | None
    """Of a cross-validation; None: one test split."""
    test_data: str | None
    """A hash of the examples that it was scored on; None: an older run kept none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelOutcome:
    """A model's size, and how good it is on held-out text; None: not measured."""

    parameters: int
    megabytes: float
    mlm_loss: float | None
    """In nats."""
    mlm_accuracy: float | None
    """0-100."""
    held_out: Mapping[str, float]
    """What else was measured on held-out text, by its key in results.json; see `core.export.measures`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FinishedRun:
    """A run with results."""

    folder: RunFolder
    name: str
    """The recipe's; behind it the folder's, where another of the runs at hand is called the same."""
    recipe: Recipe
    """As run."""
    teacher: ModelOutcome
    student: ModelOutcome
    compression: float
    """Fraction of the teacher's parameters that is gone."""
    tasks: tuple[TaskOutcome, ...]

    @property
    def teacher_name(self) -> str:
        """The teacher as others are shown it."""
        return last_name(self.recipe.teacher.model)

    @property
    def language_name(self) -> str:
        """The language's English name, or its code where this version knows none."""
        return language_name(self.recipe.language.code)


def language_name(code: str) -> str:
    """The English name of a language; its code where there is none."""
    try:
        return check_language(code)
    except InputError:
        return code


def finished_runs(folders: Sequence[RunFolder]) -> tuple[FinishedRun, ...]:
    """The runs in these folders, in the same order.

    Raises:
        InputError: runs without results that can be read, all of them named.
    """
    faults: list[Fault] = []
    runs = []
    for folder in folders:
        try:
            runs.append(_read(folder))
        except InputError as error:
            faults.extend(error.faults)
    if faults:
        raise InputError.of(faults)
    return _told_apart(runs)


def _told_apart(runs: Sequence[FinishedRun]) -> tuple[FinishedRun, ...]:
    """The runs, those that share a name with their folders' names behind it: seeds of one recipe, most often."""
    often = Counter(run.name for run in runs)
    return tuple(
        replace(run, name=f"{run.name} ({run.folder.path.name})") if often[run.name] > 1 else run for run in runs
    )


def _read(folder: RunFolder) -> FinishedRun:
    recipe, results = folder.read_recipe(), folder.read_results()
    try:
        return FinishedRun(
            folder=folder,
            name=recipe.name,
            recipe=recipe,
            teacher=_model(results["teacher"]),
            student=_model(results["student"]),
            compression=_number(results["student"]["compression"]),
            tasks=tuple(_task(name, task) for name, task in results["tasks"].items()),
        )
    except (LookupError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise InputError(f"{folder.results} is not whole.", hint=RESULTS_HINT) from error


def _model(found: Mapping[str, Any]) -> ModelOutcome:
    return ModelOutcome(
        parameters=int(_number(found["parameters"])),
        megabytes=_number(found["megabytes"]),
        mlm_loss=_measured(found["mlm_loss"]),
        mlm_accuracy=_measured(found["mlm_accuracy"]),
        held_out={key: found[key] for key in _HELD_OUT if _measured(found.get(key)) is not None},
    )


def _task(name: str, found: Mapping[str, Any]) -> TaskOutcome:
    return TaskOutcome(
        name=name,
        kind=str(found["kind"]),
        metric=str(found["metric"]),
        teacher=_score(found["teacher"]),
        student=_score(found["student"]),
        drop=_number(found["drop"]),
        paired=_paired(found.get("paired")),
        folds=found.get("folds") and int(found["folds"]),
        test_data=found.get("test_sha256") and str(found["test_sha256"]),
    )


def _score(found: Mapping[str, Any]) -> TaskScore:
    return TaskScore(
        mean=_number(found["mean"]),
        sd=_measured(found["sd"]),
        seeds=len(found.get("runs", ())),
        interval=_interval(found.get("interval")),
    )


def _paired(found: Mapping[str, Any] | None) -> Paired | None:
    if found is None:
        return None
    interval = _interval(found["interval"])
    if interval is None:
        raise ValueError("a paired test has no interval")
    return Paired(
        interval=interval,
        p=_number(found["p"]),
        distinguishable=bool(found["distinguishable"]),
        seeds=_interval(found.get("seeds")),
    )


def _interval(found: Sequence[float] | None) -> Interval | None:
    if found is None:
        return None
    low, high = map(_number, found)
    return low, high


def _measured(value: float | None) -> float | None:
    return None if value is None else _number(value)


def _number(value: float) -> float:
    """A number that can be added up, squared and drawn; text that reads like one is none."""
    if not isinstance(value, int | float) or not abs(value) <= _LARGEST:
        raise ValueError(f"{value!r:.50} is no number to count with")
    return float(value)
