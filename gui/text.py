"""Numbers and names as people read them, in their own locale and language."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from PySide6.QtCore import QT_TRANSLATE_NOOP, QCoreApplication, QLocale
from PySide6.QtGui import Qt

from core.analysis.duration import Interval
from core.wording import Verdict, verdict_of

MISSING = "–"

_STAGES = {
    "adapt": QT_TRANSLATE_NOOP("Stages", "Adapt the teacher"),
    "vocabulary": QT_TRANSLATE_NOOP("Stages", "Keep the words"),
    "layers": QT_TRANSLATE_NOOP("Stages", "Drop layers"),
    "feed_forward": QT_TRANSLATE_NOOP("Stages", "Prune units"),
    "hidden": QT_TRANSLATE_NOOP("Stages", "Narrow the width"),
    "evaluate": QT_TRANSLATE_NOOP("Stages", "Compare"),
}
_KINDS = {
    "topic": QT_TRANSLATE_NOOP("Tasks", "Topics"),
    "sentiment": QT_TRANSLATE_NOOP("Tasks", "Sentiment"),
    "ner": QT_TRANSLATE_NOOP("Tasks", "Names"),
    "pos": QT_TRANSLATE_NOOP("Tasks", "Parts of speech"),
}
_METRICS = {
    "f1": QT_TRANSLATE_NOOP("Metrics", "F1"),
    "macro_f1": QT_TRANSLATE_NOOP("Metrics", "macro F1"),
    "accuracy": QT_TRANSLATE_NOOP("Metrics", "accuracy"),
}
_PARTS = {
    "embeddings": QT_TRANSLATE_NOOP("Parts", "words"),
    "attention": QT_TRANSLATE_NOOP("Parts", "attention"),
    "feed_forward": QT_TRANSLATE_NOOP("Parts", "feed-forward"),
    "head": QT_TRANSLATE_NOOP("Parts", "prediction head"),
}


def _named(context: str, names: Mapping[str, str], name: str) -> str:
    return QCoreApplication.translate(context, names[name]) if name in names else name.replace("_", " ")


def stage_name(name: str) -> str:
    """A stage's plain name: short enough for the strip."""
    return _named("Stages", _STAGES, name)


def kind_name(kind: str) -> str:
    """A kind of task."""
    return _named("Tasks", _KINDS, kind)


def metric_name(metric: str) -> str:
    """A metric."""
    return _named("Metrics", _METRICS, metric)


def part_name(part: str) -> str:
    """A part of the model, as sizes are told by."""
    return _named("Parts", _PARTS, part)


def count(number: int) -> str:
    """A whole number: 43,244."""
    return QLocale().toString(number)


def number(value: float | None, digits: int = 1) -> str:
    """A number with so many decimals; a dash where there is none."""
    return MISSING if value is None else QLocale().toString(float(value), "f", digits)


def change(before: float | None, after: float | None, digits: int = 1) -> str:
    """A difference with its sign, as the numbers that stand beside it make it: +0.6, −1.2."""
    if before is None or after is None:
        return MISSING
    difference = round(round(after, digits) - round(before, digits), digits)
    sign = "+" if difference > 0 else "−" if difference < 0 else ""
    return sign + number(abs(difference), digits)


def percent(fraction: float | None, digits: int = 1) -> str:
    """A share: 91.8 %."""
    return MISSING if fraction is None else f"{number(100 * fraction, digits)} %"


def parameters(value: float | None) -> str:
    """A number of parameters: 22.8 M."""
    if value is None:
        return MISSING
    for unit, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        # A number that would be rounded up to 1000 belongs to the next unit.
        if value >= size * 0.99995:
            return f"{number(value / size, 1 if value / size < 99.95 else 0)} {unit}"
    return number(value, 0)


def megabytes(value: float | None) -> str:
    """A size from megabytes: 91.2 MB, 1.1 GB."""
    if value is None:
        return MISSING
    if value >= 999.5:
        return f"{number(value / 1000)} GB"
    return f"{number(value, 1 if value < 99.95 else 0)} MB"


def bytes_size(value: int) -> str:
    """A size from bytes: 6.0 MB, 12 kB."""
    return megabytes(value / 1e6) if value >= 1e5 else f"{number(value / 1e3, 0 if value >= 1e4 else 1)} kB"


def duration(seconds: float | None) -> str:
    """A time in its two largest units: 1 h 05 min."""
    if seconds is None:
        return MISSING
    whole = round(seconds)
    if whole < 60:
        return QCoreApplication.translate("Durations", "{} s").format(count(whole))
    if whole < 3600:
        return QCoreApplication.translate("Durations", "{} min {:02d} s").format(whole // 60, whole % 60)
    return QCoreApplication.translate("Durations", "{} h {:02d} min").format(whole // 3600, whole % 3600 // 60)


def roughly(seconds: float | None) -> str:
    """A time that is only guessed, without false exactness: about 3 min."""
    if seconds is None:
        return MISSING
    if seconds < 55:
        return QCoreApplication.translate("Durations", "about {} s").format(max(5, 5 * round(seconds / 5)))
    if seconds < 55 * 60:
        return QCoreApplication.translate("Durations", "about {} min").format(max(1, round(seconds / 60)))
    return QCoreApplication.translate("Durations", "about {} h").format(number(seconds / 3600))


_SPANS = (
    (86400, QT_TRANSLATE_NOOP("Durations", "{} days ({} to {})")),
    (3600, QT_TRANSLATE_NOOP("Durations", "{} hours ({} to {})")),
    (60, QT_TRANSLATE_NOOP("Durations", "{} minutes ({} to {})")),
    (1, QT_TRANSLATE_NOOP("Durations", "{} seconds ({} to {})")),
)


def span(seconds: Interval) -> str:
    """A time that isn't known exactly, in the unit that suits it: 40 minutes (30 to 55)."""
    size, words = next((entry for entry in _SPANS if seconds.mid >= 1.5 * entry[0]), _SPANS[-1])
    middle, low, high = (value / size for value in (seconds.mid, seconds.low, seconds.high))
    return QCoreApplication.translate("Durations", words).format(*map(_two_digits, (middle, low, high)))


def _two_digits(value: float) -> str:
    """Two digits or whole; no more is known."""
    return number(value, 1 if value < 9.5 and round(value, 1) % 1 else 0)


def milliseconds(found: Mapping[str, float] | None) -> str:
    """A short time that was measured again and again, in three digits or whole: 2.13 ms (2.01 to 2.40)."""
    if not found:
        return MISSING
    values = (found[key] for key in ("milliseconds", "low", "high"))
    words = [number(value, 2 if value < 9.995 else 1 if value < 99.95 else 0) for value in values]
    return QCoreApplication.translate("Durations", "{} ms ({} to {})").format(*words)


def memory(size: float | None) -> str:
    """Working memory, from bytes: 850 MB, 3.2 GB."""
    if size is None:
        return MISSING
    return f"{number(size / 1e9)} GB" if size >= 999.5e6 else f"{number(size / 1e6, 0)} MB"


def score(found: Mapping[str, Any]) -> str:
    """A task's score over seeds: 81.4 ± 0.6 (3 seeds), 95 % 79.0 to 83.5; without the last where it isn't known."""
    seeds = len(found.get("runs", ()))
    mean = number(found.get("mean"))
    if found.get("sd") is None:
        words = QCoreApplication.translate("Scores", "{} (1 seed)").format(mean)
    else:
        words = QCoreApplication.translate("Scores", "{} ± {} ({} seeds)").format(mean, number(found["sd"]), seeds)
    return f"{words}, {_between(found['interval'])}" if found.get("interval") else words


def _between(ends: Sequence[float], sign: int = 1) -> str:
    low, high = sorted(round(sign * end, 1) + 0.0 for end in ends)  # no −0.0
    return QCoreApplication.translate("Scores", "95 % {} to {}").format(number(low), number(high))


_VERDICTS: Mapping[Verdict, str] = {
    "within": QT_TRANSLATE_NOOP("Scores", "{what} is not distinguishable from noise ({p}, {examples} test examples)."),
    "beyond": QT_TRANSLATE_NOOP(
        "Scores", "{what} is distinguishable from noise ({p}, {examples} test examples, also over {seeds} seeds)."
    ),
    "one seed": QT_TRANSLATE_NOOP(
        "Scores",
        "{what} is distinguishable from the noise of the {examples} test examples ({p}); of the noise in training, one "
        "seed tells nothing.",
    ),
    "seeds differ": QT_TRANSLATE_NOOP(
        "Scores",
        "{what} is distinguishable from the noise of the {examples} test examples ({p}), but not from that of the "
        "seeds.",
    ),
}


def verdict(task: Mapping[str, Any]) -> str:
    """Whether a task's drop is more than noise, as a sentence; empty where no test was made."""
    found = verdict_of(task)
    if found is None:
        return ""
    paired, drop = task["paired"], task["drop"]
    if drop > 0:
        what = QCoreApplication.translate("Scores", "This drop ({})")
    elif drop < 0:
        what = QCoreApplication.translate("Scores", "This gain ({})")
    else:
        what = QCoreApplication.translate("Scores", "This difference ({})")
    p = paired["p"]
    shown = f"p < {number(0.001, 3)}" if p < 0.001 else f"p = {number(p, 3 if p < 0.1 else 2)}"
    return QCoreApplication.translate("Scores", _VERDICTS[found]).format(
        what=what.format(_between(paired["interval"], -1 if drop < 0 else 1)),
        p=shown,
        examples=count(paired["examples"]),
        seeds=len(task["student"]["runs"]),
    )


def measured_by(task: Mapping[str, Any]) -> str:
    """What a task's score is: F1; F1, 5-fold cross-validation."""
    folds = task.get("folds")
    name = metric_name(task["metric"])
    return QCoreApplication.translate("Scores", "{}, {}-fold cross-validation").format(name, folds) if folds else name


_LEAKS = {
    "test_in_train": QT_TRANSLATE_NOOP("Scores", "{} in train"),
    "test_in_validation": QT_TRANSLATE_NOOP("Scores", "{} in validation"),
    "test_in_corpus": QT_TRANSLATE_NOOP("Scores", "{} in the corpus"),
}


def leaks(found: Mapping[str, Any] | None) -> str:
    """Test examples that a model got to see before its test, and where; empty where there are none.

    Args:
        found: `leaks` of a task in results.json, or of a task's data.
    """
    told = [
        QCoreApplication.translate("Scores", words).format(count(found[key]))
        for key, words in _LEAKS.items()
        if found and found.get(key)
    ]
    if not told:
        return ""
    return QCoreApplication.translate("Scores", "Test examples that stand elsewhere too: {}.").format(", ".join(told))


def plain_tip(text: str) -> str:
    """A tooltip that shows a text as it is, whatever it looks like."""
    return f"<span>{escape(text)}</span>" if Qt.mightBeRichText(text) else text


def reads_to_left(text: str) -> bool:
    """Whether the first letter of a text belongs to a script that is written from right to left."""
    directions = (unicodedata.bidirectional(letter) for letter in text)
    return next((direction in ("R", "AL") for direction in directions if direction in ("L", "R", "AL")), False)
