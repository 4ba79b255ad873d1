"""How long a run will take on this machine, and how much memory, from what was measured on it. No torch.

A calibration says what a multiplication, an update and a byte take; `core.analysis.work` says how many of them a run
needs. What was measured directly, the steps of the distillations, is trusted more than other passes that are assumed to
go at the same speed, and these more than what nobody measured. A calibration of other settings is trusted less in all.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from core.analysis.amounts import Amounts
from core.analysis.lessons import ASSUMED_TEXT, Profile, lessons
from core.analysis.size import Estimate
from core.analysis.work import Part, answer_bytes, parts
from core.families import Family, Sizes
from core.recipe import Recipe, settings

_DOUBTS = {"measured": 0.12, "derived": 0.5, "assumed": 1.0}
"""By a part's basis: 0.5 means that it may take one and a half times as long, or one and a half times less."""
_SEEN_DOUBT = 0.2
"""Of every part where the calibration is a run of the very same recipe: the machine may be busier, or less busy."""
_ELSEWHERE = 0.35
"""How much more is doubted where the calibration is of other settings."""
_SPREADS = 1.5
"""Times `Speed.spread` that an interval takes in."""
_MEMORY_DOUBTS = {"same run": 0.08, "same settings": 0.2, "other settings": 0.4}
_MOVED_SECONDS = 5e-9
"""A byte of a model that is written to disk, hashed or read; an assumption."""
_UPDATE = 30.0
"""Multiplications that updating a parameter takes as long as, where only whole steps were timed; an assumption."""
READ, TOKENISE = 1e-6, 5e-7
"""Seconds to read and clean, and to tokenise, a byte of text, where nothing was measured; assumptions."""
_AXES = ("layers", "hidden", "heads", "feed_forward", "vocabulary")
_OTHER_KEYS = (
    "name",
    "seed",
    "schedule.device",
    "schedule.precision",
    "schedule.threads",
    "schedule.checkpoint_minutes",
)
"""Keys that don't tell recipes apart here: they change no work, or are looked at elsewhere."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A number that isn't known exactly."""

    low: float
    mid: float
    high: float

    def holds(self, value: float) -> bool:
        """Whether a value lies in it."""
        return self.low <= value <= self.high

    def to_json(self, digits: int = 1) -> dict[str, float]:
        """Its numbers, rounded."""
        return {name: round(value, digits) for name, value in asdict(self).items()}


@dataclass(frozen=True, slots=True)
class Speed:
    """What the steps of a distillation take."""

    teacher: float
    """Seconds a multiplication of the teacher."""
    student: float
    """Seconds a multiplication of the student in training."""
    spread: float
    """Of these among micro-batches: the median distance from their median, as a share of it, 1 at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """What was measured on a machine."""

    origin: Literal["steps", "run"]
    """A few steps for this purpose, or a whole run."""
    settings: Mapping[str, Any]
    """What the steps were of, see `step_settings`."""
    recipe: str
    """The whole recipe's, see `fingerprint`."""
    speeds: Mapping[str, Speed]
    """By stage that distils; at least one."""
    update: float
    """Seconds to update a parameter."""
    read: float
    """Seconds to read and clean a byte of text."""
    tokenise: float
    """Seconds to tokenise a byte of text."""
    profile: Profile
    """Of the recipe's text."""
    memory: float
    """Bytes that were in use at most, less what `held_bytes` says; below 0 where less was held than that assumes."""
    ratios: Mapping[str, float]
    """Stage → how its time besides distilling compared with what this calibration says it should be; 1 where none is
    said."""

    def seconds(self, part: Part) -> float:
        """What a part takes; of a stage that doesn't distil, at the speed of the last one that does."""
        speed = self.speeds.get(part.stage, list(self.speeds.values())[-1])
        time = part.teacher * speed.teacher + part.student * speed.student + part.updates * self.update
        time += part.read * self.read + part.tokenised * self.tokenise + part.moved * _MOVED_SECONDS + part.seconds
        return time * (self.ratios.get(part.stage, 1.0) if part.basis != "measured" else 1.0)


@dataclass(frozen=True, slots=True)
class Prediction:
    """A run's time and memory, before it runs."""

    seconds: Interval
    """From the start of the program to its end, pauses left out."""
    work: Interval
    """Seconds of its stages alone, which is what results.json adds up to."""
    memory: Interval
    """Bytes at most."""
    parts: Mapping[str, float]
    """Name → seconds, in the order of the run."""
    exact: bool
    """Whether the calibration is of these very steps."""

    def to_json(self) -> dict[str, Any]:
        """`seconds` and `memory_megabytes` as `estimate --json` gives them."""
        memory = Interval(*(size / 1e6 for size in (self.memory.low, self.memory.mid, self.memory.high)))
        return {"seconds": self.seconds.to_json(), "memory_megabytes": memory.to_json()}


def predict(recipe: Recipe, family: Family, sizes: Estimate, amounts: Amounts, calibration: Calibration) -> Prediction:
    """How long a recipe's run takes and how much memory.

    Args:
        recipe: its `auto`s settled (`core.resolve.settled`).
        family: the teacher's.
        sizes: of the teacher and after every stage.
        amounts: of text.
        calibration: of this machine, with the same teacher.
    """
    exact = calibration.settings == step_settings(recipe, sizes)
    same_run = exact and calibration.origin == "run" and calibration.recipe == fingerprint(recipe, sizes)
    elsewhere = 0.0 if exact else _ELSEWHERE
    low = high = outside = mid = outside_low = outside_high = 0.0
    named: dict[str, float] = {}
    for part in parts(recipe, family, sizes, calibration.profile, amounts):
        seconds = calibration.seconds(part)
        speed = calibration.speeds.get(part.stage)
        spread = _SPREADS * speed.spread if speed is not None else 0.0
        doubt = math.hypot(_SEEN_DOUBT if same_run else _DOUBTS[part.basis] + elsewhere, spread)
        # What ends by results ended the same way in a run of the same recipe.
        least, most = (1.0, 1.0) if same_run else (part.least, part.most)
        bounds = seconds * least / (1 + doubt), seconds * most * (1 + doubt)
        named[part.name] = named.get(part.name, 0.0) + seconds
        if part.stage:
            low, mid, high = low + bounds[0], mid + seconds, high + bounds[1]
        else:
            outside_low, outside, outside_high = outside_low + bounds[0], outside + seconds, outside_high + bounds[1]
    doubt = _MEMORY_DOUBTS["same run" if same_run else "same settings" if exact else "other settings"]
    memory = max(1e8, calibration.memory + held_bytes(recipe, family, sizes, amounts, calibration.profile))
    return Prediction(
        seconds=Interval(low + outside_low, mid + outside, high + outside_high),
        work=Interval(low, mid, high),
        memory=Interval(memory / (1 + doubt), memory, memory * (1 + doubt)),
        parts=named,
        exact=exact,
    )


def step_settings(recipe: Recipe, sizes: Estimate) -> dict[str, Any]:
    """What a step's time depends on, as JSON holds it."""
    taught = {lesson.stage: [_axes(lesson.student), _axes(lesson.teacher)] for lesson in lessons(recipe, sizes)}
    method = {key: getattr(recipe.method, key) for key in ("kd_loss", "masked_share", "dropout")}
    others = {"hidden": bool(recipe.method.hidden_weight), "max_length": recipe.corpus.max_length}
    return {"lessons": taught, **method, **others, "batch_tokens": recipe.schedule.batch_tokens}


def _axes(sizes: Sizes) -> list[int]:
    return [getattr(sizes, axis) for axis in _AXES]


def fingerprint(recipe: Recipe, sizes: Estimate) -> str:
    """Tells recipes apart that don't do the same work; `recipe`'s `auto`s are settled, its paths absolute."""
    # The targets tell less than the sizes: a recipe may leave out what is the teacher's own.
    told: dict[str, Any] = {stage.name: _axes(stage.size.sizes) for stage in sizes.stages}
    for key, value in settings(recipe).items():
        if key not in _OTHER_KEYS and not key.startswith("targets."):
            told[key] = value
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:32]


def held_bytes(recipe: Recipe, family: Family, sizes: Estimate, amounts: Amounts, profile: Profile) -> float:
    """Bytes of the models, in float32, and of the teacher's answers that a run holds at once, at most.

    Counted are, while a model learns, its weights, gradients, two moments and the best weights so far, beside its
    teacher and the model that it was cut from; while the vocabulary is cut, the model before and after; and at the end
    both models, once more as learners of a task.
    """

    def count(model: Sizes) -> float:
        return 4.0 * sum(family.parameters(model).values())

    stages = {stage.name: stage.size.sizes for stage in sizes.stages}
    teacher = count(sizes.teacher.sizes)
    most = [2 * teacher + 2 * count(sizes.student.sizes)]
    if recipe.teacher.adapt_steps:
        most.append(5 * teacher)
    if "vocabulary" in stages:
        most.append(teacher + count(stages["vocabulary"]))
    for taught in lessons(recipe, sizes):
        source = stages.get("feed_forward", stages.get("layers", taught.teacher))
        before = 0.0 if taught.stage == "layers" else count(source)
        most.append(count(taught.teacher) + before + 5 * count(taught.student))
    return max(most) + answer_bytes(recipe, family, sizes, profile, amounts)


def of_run(
    recipe: Recipe,
    family: Family,
    sizes: Estimate,
    amounts: Amounts,
    reports: Mapping[str, Mapping[str, Any]],
    before: Calibration | None,
) -> Calibration | None:
    """What a finished run says of its machine.

    A step's time isn't parted there: teacher, student and optimiser are taken to share it as in an earlier calibration,
    or else as their operations do.

    Args:
        recipe: its `auto`s settled, its paths absolute.
        family, sizes, amounts: as for `predict`.
        reports: the stages', by name.
        before: what the machine was known to do before.

    Returns:
        None where no distillation had a step that was timed.
    """
    one = before or Calibration(
        origin="run", settings={}, recipe="", speeds={"": Speed(1.0, 1.0, 0.0)}, update=_UPDATE,
        read=READ, tokenise=TOKENISE, profile=ASSUMED_TEXT, memory=0.0, ratios={},
    )  # fmt: skip
    speeds: dict[str, Speed] = {}
    update = one.update
    planned = parts(recipe, family, sizes, one.profile, amounts)
    expected = {part.stage: one.seconds(part) for part in planned if part.basis == "measured"}
    for taught in lessons(recipe, sizes):
        report = reports.get(taught.stage, {})
        tokens, seconds = float(report.get("timed_tokens", 0)), float(report.get("timed_seconds", 0.0))
        if tokens <= 0 or seconds <= 0:
            continue
        base = one.speeds.get(taught.stage, list(one.speeds.values())[-1])
        steps = tokens / recipe.schedule.batch_tokens
        times = seconds / (steps * expected[taught.stage] / taught.steps)
        speeds[taught.stage] = Speed(base.teacher * times, base.student * times, base.spread)
        update = one.update * times
    if not speeds:
        return None
    peak = max(float(report.get("peak_memory", 0.0)) for report in reports.values())
    found = replace(
        one, origin="run", settings=step_settings(recipe, sizes), recipe=fingerprint(recipe, sizes), speeds=speeds,
        update=update, memory=peak - held_bytes(recipe, family, sizes, amounts, one.profile), ratios={},
    )  # fmt: skip
    return replace(found, ratios=_ratios(found, planned, reports))


def _ratios(known: Calibration, planned: Sequence[Part], reports: Mapping[str, Mapping[str, Any]]) -> dict[str, float]:
    """For each stage, the time that it had besides distilling over that which is expected."""
    ratios = {}
    for stage, report in reports.items():
        rest = sum(known.seconds(part) for part in planned if part.stage == stage and part.basis != "measured")
        distilled = sum(known.seconds(part) for part in planned if part.stage == stage and part.basis == "measured")
        # At least a tenth: steps that ended early are no sign that the rest took no time.
        took = max(float(report["seconds"]) - distilled, 0.1 * float(report["seconds"]))
        if rest > 0 and took > 0:
            ratios[stage] = took / rest
    return ratios
