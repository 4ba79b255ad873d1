"""The paper's law over one's own runs: the more text of the language the teacher had seen, the smaller the drop.

For every source of volumes apart: GiB of CC-100 say nothing beside tokens of a teacher's own list. numpy, no torch.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from core.analysis.finished import FinishedRun
from core.analysis.power_law import PowerLaw, fit_power_law
from core.analysis.sharing import differing_settings, most_shared
from core.pretraining import PAPER_SAYS, Volume, pretraining_volume
from core.recipe import Recipe
from core.wording import clean, listing, number

FEWEST_RUNS, FEWEST_VOLUMES = 5, 3
"""That a law is fitted to."""
_HOW = (
    "Fitted by least squares on the drops, as a drop of nothing has no logarithm; the intervals are profile intervals "
    "with Student's t."
)
_EXPECTED = ("seed", "language.", "corpus.", "schedule.device", "schedule.threads", "schedule.checkpoint_minutes")
_OF_TASKS = (".name", ".kind", ".source")
"""Settings, by how they begin and end, that differ between languages, or don't matter here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VolumePoint:
    """A run on the law's plot."""

    run: str
    """Its folder."""
    name: str
    language: str
    """ISO 639-3."""
    language_name: str
    teacher: str
    volume: Volume
    size: float
    """The volume in the law's unit; 0: the teacher never saw the language."""
    drop: float
    """Teacher minus student in points, the mean over the law's kinds of task."""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A run that can't be part of what is looked at."""

    run: str
    """Its folder."""
    name: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VolumeLaw:
    """Runs whose teachers' volumes come from the same source."""

    source: str
    """Such as "CC-100"."""
    unit: str
    """"GiB" or "million tokens"."""
    kinds: tuple[str, ...]
    """The kinds of task that every drop is the mean of."""
    points: tuple[VolumePoint, ...]
    """By volume, then name. Runs whose teacher never saw the language are here too, but not in the fit."""
    fit: PowerLaw | None
    words: tuple[str, ...]
    """What can be said, a sentence or two each."""


@dataclass(frozen=True, slots=True)
class VolumeLaws:
    """All that a set of runs says of the law."""

    laws: tuple[VolumeLaw, ...]
    """By source; that of the most runs first."""
    left_out: tuple[LeftOut, ...]


def volume_laws(runs: Sequence[FinishedRun]) -> VolumeLaws:
    """What these runs say of drop against volume, a law for each source of volumes.

    Args:
        runs: from `core.analysis.finished`; any number. Of those of one source, the largest part counts that has been
            scored on the same kinds of task; the others are left out and said to be.
    """
    left_out: list[LeftOut] = []
    by_source: dict[tuple[str, str], list[tuple[FinishedRun, Volume]]] = {}
    for run in runs:
        volume = pretraining_volume(run.recipe.teacher.model, run.recipe.language.code, run.folder.path)
        if volume is None:
            why = f"How much {run.language_name} {run.teacher_name} saw isn't known."
            left_out.append(_without(run, why))
        elif not run.tasks:
            left_out.append(_without(run, "It was scored on no task."))
        else:
            # Two teachers' own lists are two sources, whatever their folders are called.
            own = run.recipe.teacher.model if volume.size_gib is None else ""
            by_source.setdefault((volume.corpus, own), []).append((run, volume))
    laws = []
    for found in sorted(by_source.values(), key=len, reverse=True):
        kinds = most_shared([_kinds(run) for run, _ in found])
        left_out += [
            _without(run, f"It wasn't scored on {listing(sorted(kinds))}.") for run, _ in found if kinds - _kinds(run)
        ]
        laws.append(_law([(run, volume) for run, volume in found if kinds <= _kinds(run)], kinds))
    return VolumeLaws(tuple(laws), tuple(left_out))


def _kinds(run: FinishedRun) -> frozenset[str]:
    return frozenset(task.kind for task in run.tasks)


def _without(run: FinishedRun, why: str) -> LeftOut:
    return LeftOut(str(run.folder.path), run.name, why)


def _law(found: Sequence[tuple[FinishedRun, Volume]], kinds: frozenset[str]) -> VolumeLaw:
    """The law of runs that share their source of volumes and these kinds of task; at least one."""
    points = sorted((_point(run, volume, kinds) for run, volume in found), key=lambda point: (point.size, point.name))
    seen = [point for point in points if point.size > 0]
    unit = found[0][1].measure[1]
    ordered = tuple(
        kind for kind in dict.fromkeys(task.kind for run, _ in found for task in run.tasks) if kind in kinds
    )
    fit, words = _fitted(seen, unit)
    words += [_unseen_words(point) for point in points if point.size == 0]
    words += _caveats(seen, fit, ordered)
    words += _blurred([run.recipe for run, volume in found if not volume.unseen])
    words += _other_data([run for run, _ in found], kinds)
    return VolumeLaw(
        source=found[0][1].corpus, unit=unit, kinds=ordered, points=tuple(points), fit=fit, words=tuple(words)
    )


def _point(run: FinishedRun, volume: Volume, kinds: frozenset[str]) -> VolumePoint:
    # Two tasks of a kind count as one, so that every run's mean is of the same things.
    drops = [fmean(task.drop for task in run.tasks if task.kind == kind) for kind in sorted(kinds)]
    return VolumePoint(
        run=str(run.folder.path),
        name=run.name,
        language=run.recipe.language.code,
        language_name=run.language_name,
        teacher=run.teacher_name,
        volume=volume,
        size=volume.measure[0],
        drop=fmean(drops),
    )


# -- words -----------------------------------------------------------------------------------------------------------


def _fitted(seen: Sequence[VolumePoint], unit: str) -> tuple[PowerLaw | None, list[str]]:
    """The law through runs whose teachers saw the language, where they are enough, and what to say of it."""
    volumes, drops = [point.size for point in seen], [point.drop for point in seen]
    if len(seen) < FEWEST_RUNS or len(set(volumes)) < FEWEST_VOLUMES:
        enough = f"A law is fitted from {FEWEST_RUNS} runs on, with at least {FEWEST_VOLUMES} different volumes"
        return None, [f"{enough}; here are {len(seen)} with {len(set(volumes))}. {PAPER_SAYS}"]
    fit = fit_power_law(volumes, drops)
    if fit.a <= 0:
        return None, [f"These {len(seen)} students lose nothing on average: there is no drop for a law. {PAPER_SAYS}"]
    law = f"drop = {fit.a:.3g} · volume^({-fit.b:.2f}), volume in {unit}, over {len(seen)} runs"
    if fit.a_interval is None or fit.b_interval is None:
        words = "These runs don't settle it: laws far steeper or flatter fit them nearly as well"
        return fit, [f"{law}. {words}. {PAPER_SAYS}", _HOW]
    (low, high), (least, most) = fit.b_interval, fit.a_interval
    intervals = (
        f"95 % intervals: factor {least:.3g} to {most:.3g}, exponent {-high:.2f} to {-low:.2f}. Single runs lie about "
        f"the law by {number(fit.spread)} points"
    )
    verdict = (
        "The exponent's interval holds 0: that the volume matters can't be told from noise here."
        if low <= 0 <= high
        else "The drop shrinks with the volume, as the paper reports."
        if fit.b > 0
        else "The drop grows with the volume here, unlike in the paper."
    )
    return fit, [f"{law}. {intervals}. {verdict}", _HOW]


def _unseen_words(point: VolumePoint) -> str:
    name, drop = clean(point.name), number(point.drop)
    return (
        f"{clean(point.teacher)} never saw {point.language_name}: {name} (drop {drop}) is not in the fit, as 0 has no "
        "place in a power law."
    )


def _caveats(seen: Sequence[VolumePoint], fit: PowerLaw | None, kinds: Sequence[str]) -> list[str]:
    """What the points are, and what is doubtful about them."""
    if not seen:
        return []
    words = [f"A drop is the mean over {listing(kinds)}, in points." if len(kinds) > 1 else f"Drops are of {kinds[0]}."]
    doubts = {clean(point.teacher): point.volume.doubt for point in seen if point.volume.doubt}
    words += [f"{teacher} is {doubt}." for teacher, doubt in doubts.items()]
    often = Counter(point.language_name for point in seen)
    repeated = [name for name, count in often.items() if count > 1]
    if repeated and fit is not None:
        alike = f"Several runs are of {listing(repeated)} and share what is particular to it"
        words.append(f"{alike}: the intervals are too narrow.")
    return words


def _other_data(runs: Sequence[FinishedRun], kinds: frozenset[str]) -> list[str]:
    """Where runs of the same language were scored on different test data."""
    tested: dict[tuple[str, str], set[str]] = {}
    for run in runs:
        for task in run.tasks:
            if task.kind in kinds and task.test_data is not None:
                tested.setdefault((run.language_name, task.kind), set()).add(task.test_data)
    mixed = [f"{kind} in {language}" for (language, kind), data in tested.items() if len(data) > 1]
    return (
        [f"Runs were scored on different test data for {listing(mixed)}: their drops hardly compare."] if mixed else []
    )


def _blurred(recipes: Sequence[Recipe]) -> list[str]:
    """What else than the volume is not alike."""
    others = [
        key
        for key, values in differing_settings(recipes).items()
        # A task that some runs lack isn't part of the law.
        if not key.startswith(_EXPECTED)
        and not (key.startswith("tasks.") and (key.endswith(_OF_TASKS) or None in values))
    ]
    return [f"The runs also differ in {listing(others)}, which a law of the volume can't tell apart."] if others else []
