"""Numbers and names as people read them: in the terminal, the report, the model card and the window."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from typing import Any

MISSING = "–"
_PLUS_MINUS = "±"
_UNITS = (("days", 86400), ("hours", 3600), ("minutes", 60), ("seconds", 1))
# Marks that turn the direction of the text that follows: a name could rearrange the line that it stands in.
_TURNING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
# No letters and no joiners: those belong into words of many scripts.
_UNSHOWN = ("Cc", "Cs", "Zl", "Zp")


def clean(text: object) -> str:
    """Text on one line that can't steer a terminal: without control characters and marks that turn the direction."""
    words = " ".join(str(text).split())
    return "".join(mark for mark in words if mark not in _TURNING and unicodedata.category(mark) not in _UNSHOWN)


def last_name(source: str) -> str:
    """A model or data set as shown to others: a local path's last name, anything else whole."""
    local = source.startswith((".", "/", "~")) or "\\" in source or source[1:3] in (":/", ":\\")
    return source.replace("\\", "/").rstrip("/").rpartition("/")[2] if local else source


def parameters(count: float) -> str:
    """A number of parameters: 22.8 M."""
    for unit, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        # A number that would be rounded up to 1000 belongs to the next unit.
        if count >= size * 0.99995:
            return f"{count / size:.{1 if count / size < 99.95 else 0}f} {unit}"
    return f"{count:.0f}"


def number(value: float | None, digits: int = 1) -> str:
    """A number with so many decimals; a dash where there is none."""
    return MISSING if value is None else f"{value:,.{digits}f}"


def megabytes(value: float | None) -> str:
    """A size: 91.2 MB."""
    return MISSING if value is None else f"{value:,.{1 if value < 1000 else 0}f} MB"


def duration(seconds: float | None) -> str:
    """A time in its two largest units: 1 h 05 min."""
    if seconds is None:
        return MISSING
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def span(low: float, mid: float, high: float) -> str:
    """A time that isn't known exactly, in the unit that suits it: 40 minutes (30 to 55)."""
    unit, size = next(((unit, size) for unit, size in _UNITS if mid >= 1.5 * size), _UNITS[-1])
    few, middle, many = (_rounded(value / size) for value in (low, mid, high))
    return f"{middle} {unit} ({few} to {many})"


def _rounded(value: float) -> str:
    """Two digits or whole; no more is known."""
    return f"{value:,.0f}" if value >= 9.5 else f"{value:.1f}".removesuffix(".0")


def milliseconds(found: Mapping[str, float] | None) -> str:
    """A short time that was measured again and again, in three digits or whole: 2.13 ms (2.01 to 2.40)."""
    if not found:
        return MISSING
    middle, low, high = (_three_digits(found[key]) for key in ("milliseconds", "low", "high"))
    return f"{middle} ms ({low} to {high})"


def _three_digits(value: float) -> str:
    return number(value, 2 if value < 9.995 else 1 if value < 99.95 else 0)


def memory(megabytes: float | None) -> str:
    """Working memory: 850 MB, 3.2 GB."""
    if megabytes is None:
        return MISSING
    return f"{megabytes / 1000:,.1f} GB" if megabytes >= 999.5 else f"{megabytes:,.0f} MB"


def forecast(seconds: Mapping[str, float], memory_megabytes: Mapping[str, float]) -> str:
    """What a run will take: About 40 minutes (30 to 55), 3.2 GB of memory on this machine."""
    return f"About {span(**seconds)}, {memory(memory_megabytes['mid'])} of memory on this machine"


def mean_sd(score: Mapping[str, Any]) -> str:
    """A task's score over seeds: 81.4 ± 0.6; without a spread where there is one seed."""
    spread = score.get("sd")
    mean = number(score.get("mean"))
    return mean if spread is None else f"{mean} {_PLUS_MINUS} {number(spread)}"


def seeds(score: Mapping[str, Any]) -> str:
    """Over how many seeds a score is: 3 seeds."""
    count = len(score.get("runs", []))
    return f"{count} seed{'' if count == 1 else 's'}"


METRICS = {"f1": "F1", "macro_f1": "macro F1", "accuracy": "accuracy"}


def metric(name: str) -> str:
    """A metric's name for people."""
    return METRICS.get(name, name)


STAGES = {
    "adapt": "Adapt the teacher to the language",
    "vocabulary": "Keep the language's vocabulary",
    "layers": "Drop layers, distil",
    "feed_forward": "Prune the feed-forward blocks",
    "hidden": "Narrow the hidden size, distil",
    "evaluate": "Evaluate teacher and student",
}


def stage(name: str) -> str:
    """A stage's name for people."""
    return STAGES.get(name, name.replace("_", " "))
