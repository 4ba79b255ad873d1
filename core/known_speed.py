"""What this machine was measured to do, kept for later estimates. No torch.

ROOT/KEY/NAME.json is one calibration: KEY stands for the machine and the teacher's sizes, NAME for what was measured.
A file that is broken, or of another version, is as good as none.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import os
import platform
from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from core.analysis.amounts import amounts
from core.analysis.duration import Calibration, Prediction, Speed, fingerprint, of_run, predict, step_settings
from core.analysis.lessons import Profile, lessons
from core.analysis.size import Estimate
from core.families import Family, Sizes, family_of
from core.recipe import Recipe, absolute
from core.resolve import settled
from core.sealing import write_json
from core.small_files import read_object

_VERSION = 1
"""Count up when what calibrations say, or what is counted with them, changes."""
_MOST = 24
"""Calibrations that are kept for a teacher; the oldest go."""
_MOST_BYTES = 2**20
_MACHINE_KEYS = ("device", "precision", "threads")


def speed_folder() -> Path:
    """Where this user's calibrations are."""
    import appdirs

    return Path(appdirs.user_cache_dir("monoglot", False)).absolute() / "speed"


def keep(calibration: Calibration, recipe: Recipe, teacher: Sizes, family: Family, auto: Mapping[str, Any]) -> None:
    """Keep a calibration for later estimates; where the cache can't be written, it is forgotten.

    Args:
        calibration: what was measured.
        recipe: what it was measured with; device, precision and threads are resolved.
        teacher, family: the recipe's.
        auto: what the machine would make of `auto` in their place (`core.resolve.on_this_machine`): a later recipe may
            leave them open.
    """
    schedule = {key: getattr(recipe.schedule, key) for key in _MACHINE_KEYS}
    folder = speed_folder() / _key(family, teacher)
    what = calibration.recipe if calibration.origin == "run" else ""
    name = _hash([schedule, calibration.origin, calibration.settings, what])
    content = {"version": _VERSION, "schedule": schedule, "auto": dict(auto), "calibration": asdict(calibration)}
    with contextlib.suppress(OSError, ValueError):
        folder.mkdir(parents=True, exist_ok=True)
        write_json(folder / f"{name}.json", content)
        by_age = sorted(folder.glob("*.json"), key=_age)
        for path in by_age[:-_MOST]:
            path.unlink(missing_ok=True)


def find(recipe: Recipe, family: Family, sizes: Estimate) -> Calibration | None:
    """The calibration that says most of a recipe's run on this machine; None where there is none.

    Args:
        recipe: its `auto`s settled (`core.resolve.settled`), its paths absolute; device, precision and threads may be
            open still.
        family: the teacher's.
        sizes: of the teacher and after every stage.
    """
    wanted, whole = step_settings(recipe, sizes), fingerprint(recipe, sizes)
    best: tuple[tuple[bool, bool, float], Calibration] | None = None
    for path in (speed_folder() / _key(family, sizes.teacher.sizes)).glob("*.json"):
        found = _read(path, recipe)
        if found is None:
            continue
        same = found.settings == wanted
        rank = (same, same and found.origin == "run" and found.recipe == whole, _age(path))
        if best is None or rank > best[0]:
            best = rank, found
    return best[1] if best else None


def distils(recipe: Recipe, config: Mapping[str, Any], sizes: Estimate) -> bool:
    """Whether a recipe's run distils: other runs aren't calibrated. Arguments as for `known_prediction`."""
    return bool(lessons(settled(recipe, family_of(config)), sizes))


def known_prediction(recipe: Recipe, base: Path, config: Mapping[str, Any], sizes: Estimate) -> Prediction | None:
    """How long a recipe's run takes, as far as something was measured on this machine; None where nothing was.

    Args:
        recipe: the recipe.
        base: what its relative paths start from.
        config: the content of the teacher's config.json.
        sizes: of the teacher and after every stage.
    """
    family = family_of(config)
    recipe = absolute(settled(recipe, family), base)
    found = find(recipe, family, sizes) if lessons(recipe, sizes) else None
    return None if found is None else predict(recipe, family, sizes, amounts(recipe, base), found)


def write_estimate(path: Path, recipe: Recipe, base: Path, config: Mapping[str, Any], sizes: Estimate) -> None:
    """Write down what is known of a run before it starts, to be held against the truth; nothing where that is nothing.

    Args:
        path: the file to write.
        recipe, base, config, sizes: as for `known_prediction`.
    """
    known = known_prediction(recipe, base, config, sizes)
    if known is not None:
        write_json(path, {**known.to_json(), "stages": known.work.to_json(), "exact": known.exact})


def learn_from_run(
    recipe: Recipe,
    config: Mapping[str, Any],
    sizes: Estimate,
    reports: Mapping[str, Mapping[str, Any]],
    auto: Mapping[str, Any],
) -> None:
    """Keep what a finished run showed of its machine.

    Args:
        recipe: as run: resolved, its paths absolute.
        config, sizes: as for `known_prediction`; the sizes are those that it had.
        reports: the stages', by name.
        auto: as for `keep`.
    """
    family = family_of(config)
    amount = amounts(recipe, Path())
    known = find(recipe, family, sizes)
    found = of_run(recipe, family, sizes, amount, reports, known)
    if found is not None:
        keep(found, recipe, sizes.teacher.sizes, family, auto)


def _key(family: Family, teacher: Sizes) -> str:
    # Not what may change from one start to the next, such as how busy the machine is.
    machine = [platform.node(), platform.system(), platform.machine(), os.cpu_count()]
    return _hash([machine, family.name, {key: value for key, value in asdict(teacher).items() if type(value) is int}])


def _hash(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:24]


def _age(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def _read(path: Path, recipe: Recipe) -> Calibration | None:
    """A calibration that holds for a recipe's device, precision and threads; None for any other file."""
    try:
        content = read_object(path, _MOST_BYTES)
        schedule, auto = content["schedule"], content["auto"]
        if content["version"] != _VERSION:
            return None
        for key in _MACHINE_KEYS:
            asked = getattr(recipe.schedule, key)
            if schedule[key] != (auto[key] if asked == "auto" else asked):
                return None
        return _calibration(content["calibration"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError):
        return None


def _calibration(given: dict[str, Any]) -> Calibration:
    """What `asdict` made of a calibration.

    Raises:
        ValueError, KeyError, TypeError, AttributeError: it is none, or holds numbers that can't be.
    """
    speeds = {str(stage): Speed(**_numbers(Speed, entry)) for stage, entry in given["speeds"].items()}
    ratios = {str(stage): _number(value) for stage, value in given["ratios"].items()}
    profile = Profile(**_numbers(Profile, given["profile"]))
    if not speeds or given["origin"] not in ("steps", "run") or not isinstance(given["settings"], dict):
        raise ValueError("no calibration")
    if min(asdict(profile).values()) <= 0:
        raise ValueError("no profile")
    if not math.isfinite(given["memory"]):
        raise ValueError("no number of bytes")
    return Calibration(
        origin=given["origin"],
        settings=given["settings"],
        recipe=str(given["recipe"]),
        speeds=speeds,
        update=_number(given["update"]),
        read=_number(given["read"]),
        tokenise=_number(given["tokenise"]),
        profile=profile,
        memory=float(given["memory"]),
        ratios=ratios,
    )


def _numbers(kind: type[Any], given: dict[str, Any]) -> dict[str, float]:
    return {entry.name: _number(given[entry.name]) for entry in fields(kind)}


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < 1e15:
        raise ValueError(f"{value!r} is no amount")
    return float(value)
