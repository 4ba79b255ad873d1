"""Numbers and names as people read them: in the terminal, the report, the model card and the window."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any, Literal

MISSING = "–"
_PLUS_MINUS = "±"
_UNITS = (("days", 86400), ("hours", 3600), ("minutes", 60), ("seconds", 1))
# Marks that turn the direction of the text that follows: a name could rearrange the line that it stands in.
_TURNING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
# No letters and no joiners: those belong into words of many scripts.
_UNSHOWN = ("Cc", "Cs", "Zl", "Zp")


def clean(text: object) -> str:
    """Text on one line that can't steer a terminal: without control characters and marks that turn the direction."""
    return "".join(filter(is_shown, " ".join(str(text).split())))


def clean_path(path: object) -> str:
    """A path on one line that can't steer a terminal either: each of its spaces is part of it."""
    return "".join(filter(is_shown, str(path)))


def is_shown(mark: str) -> bool:
    """Whether a character can be printed without steering the terminal."""
    return mark not in _TURNING and unicodedata.category(mark) not in _UNSHOWN


def shortened(text: str, length: int) -> str:
    """Text of at most so many characters; the last one tells where it was cut."""
    return text if len(text) <= length else f"{text[: length - 1]}…"


def last_name(source: str) -> str:
    """A model or data set as shown to others: a local path's last name, anything else whole."""
    local = source.startswith((".", "/", "~")) or "\\" in source or source[1:3] in (":/", ":\\")
    return source.replace("\\", "/").rstrip("/").rpartition("/")[2] if local else source


def listing(names: Sequence[str]) -> str:
    """Names in a row: a, b and c."""
    *some, last = names
    return f"{', '.join(some)} and {last}" if some else last


def parameters(count: float) -> str:
    """A number of parameters: 22.8 M."""
    for unit, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        # A number that would be rounded up to 1000 belongs to the next unit.
        if count >= size * 0.99995:
            return f"{count / size:.{1 if count / size < 99.95 else 0}f} {unit}"
    return f"{count:.0f}"


def number(value: float | None, digits: int = 1) -> str:
    """A number with so many decimals; a dash where there is none."""
    return MISSING if value is None else f"{value:z,.{digits}f}"


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


def interval(score: Mapping[str, Any], sign: int = 1) -> str:
    """Where a number lies: 95 % 79.0 to 83.5; empty where that isn't known. A `sign` of -1 turns it around."""
    ends = score.get("interval")
    if not ends:
        return ""
    low, high = sorted(sign * end for end in ends)
    return f"95 % {number(low)} to {number(high)}"


def whole_score(score: Mapping[str, Any]) -> str:
    """A task's score with all that is known of its certainty: 81.4 ± 0.6 (3 seeds), 95 % 79.0 to 83.5."""
    return ", ".join(filter(None, (f"{mean_sd(score)} ({seeds(score)})", interval(score))))


def p_value(p: float) -> str:
    """A p-value: p = 0.012."""
    return "p < 0.001" if p < 0.001 else f"p = {p:.{3 if p < 0.1 else 2}f}"


Verdict = Literal["within", "beyond", "one seed", "seeds differ"]
"""Of a difference of two scores: test examples alone may give it; neither they nor seeds do; they don't, and with one
seed no more is known; they don't, but seeds may."""
_VERDICTS: Mapping[Verdict, str] = {
    "within": "is not distinguishable from noise ({p}, {examples:,} test examples).",
    "beyond": "is distinguishable from noise ({p}, {examples:,} test examples, also over {seeds}).",
    "one seed": "is distinguishable from the noise of the {examples:,} test examples ({p}); of the noise in training, "
    "one seed tells nothing.",
    "seeds differ": "is distinguishable from the noise of the {examples:,} test examples ({p}), but not from that of "
    "the seeds.",
}


def verdict_of(task: Mapping[str, Any]) -> Verdict | None:
    """What a task's entry in results.json says of its drop; None where no test was made."""
    paired = task.get("paired")
    if not paired:
        return None
    if not paired["distinguishable"]:
        return "within"
    over = paired.get("seeds")
    if over is None:
        return "one seed"
    return "seeds differ" if over[0] <= 0 <= over[1] else "beyond"


def verdict(task: Mapping[str, Any]) -> str:
    """Whether a task's drop is more than noise, as a sentence; empty where no test was made."""
    found = verdict_of(task)
    if found is None:
        return ""
    paired, drop = task["paired"], task["drop"]
    what = "drop" if drop > 0 else "gain" if drop < 0 else "difference"
    words = _VERDICTS[found].format(p=p_value(paired["p"]), examples=paired["examples"], seeds=seeds(task["student"]))
    return f"This {what} ({interval(paired, -1 if drop < 0 else 1)}) {words}"


def measured_by(task: Mapping[str, Any]) -> str:
    """What a task's score is: F1; F1, 5-fold cross-validation."""
    folds = task.get("folds")
    return metric(task["metric"]) + (f", {folds}-fold cross-validation" if folds else "")


def between(ends: Sequence[float] | None, digits: int = 1) -> str:
    """From where to where a number may be: 79.1 to 84.2; a dash where that isn't known."""
    return MISSING if not ends else f"{number(ends[0], digits)} to {number(ends[1], digits)}"


def doubts_text(results: Mapping[str, Any]) -> str:
    """What makes a run's numbers other than they seem, a paragraph each; empty where nothing does."""
    return "\n".join(f"Warning: {clean(text)}" for text in results.get("warnings") or ())


METRICS = {"f1": "F1", "macro_f1": "macro F1", "accuracy": "accuracy"}


def metric(name: str) -> str:
    """A metric's name for people."""
    return METRICS.get(name, name)


TASKS = {
    "topic": "topic classification",
    "sentiment": "sentiment analysis",
    "ner": "named entities",
    "pos": "parts of speech",
}


def task_kind(name: str) -> str:
    """A kind of task as people call it."""
    return TASKS.get(name, name)


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
