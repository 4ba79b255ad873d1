"""Many cases of one reader, in this process."""

from __future__ import annotations

import contextlib
import resource
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hypothesis
from hypothesis import HealthCheck, Phase

from benchmarks.fuzz.reader import Reader, try_case

_MOST_FAILURES = 20
"""That are kept with their input."""
_ATTEMPTS = 5
_SHOWN = 2000
"""Characters of an input that is kept."""


def run_batch(reader: Reader, cases: int, seed: int, current: Path | None = None) -> dict[str, Any]:
    """Feed a reader with so many cases.

    Args:
        reader: the reader.
        cases: how many; fewer where there aren't so many different ones.
        seed: of the draw.
        current: a file that always holds the number and input of the case that is being read, in case it is the last.

    Returns:
        Counts, the slowest case, memory and failures, as JSON can say it.
    """
    endings: Counter[str] = Counter()
    failures: list[dict[str, str]] = []
    slowest = 0.0
    before = peak_bytes()

    def feed(given: Any) -> None:
        nonlocal slowest
        if current is not None:
            current.write_text(f"{sum(endings.values())}\n{repr(given)[:_SHOWN]}", encoding="utf-8", errors="replace")
        folder = Path(tempfile.mkdtemp(prefix="monoglot-"))
        try:
            case = try_case(reader, given, folder)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        endings[case.ending] += 1
        slowest = max(slowest, case.seconds)
        if case.ending == "failed" and len(failures) < _MOST_FAILURES:
            failures.append({"problem": case.problem, "input": repr(given)[:_SHOWN]})

    # Its bookkeeping now and then takes a draw for unstable; what is left is drawn with another seed.
    for attempt in range(_ATTEMPTS):
        with contextlib.suppress(hypothesis.errors.Flaky):
            _drawn(reader, cases - sum(endings.values()), seed + attempt, feed)
            break
    return {
        "cases": sum(endings.values()),
        "right": endings["right"],
        "refused": endings["refused"],
        "failed": endings["failed"],
        "slowest_seconds": round(slowest, 3),
        "megabytes_more": round((peak_bytes() - before) / 1e6),
        "failures": failures,
    }


def _drawn(reader: Reader, cases: int, seed: int, feed: Callable[[Any], None]) -> None:
    """Call `feed` with so many inputs."""
    setting = hypothesis.settings(
        max_examples=cases,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    hypothesis.seed(seed)(setting(hypothesis.given(reader.inputs)(feed)))()


def peak_bytes() -> int:
    """Most memory that this process has had."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
