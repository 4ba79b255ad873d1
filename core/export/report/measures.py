"""Teacher and student side by side without any task: size, what they make of held-out text, and speed in use."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from core.export.report.markup import NOTHING, Markup, joined, paragraph, table
from core.export.report.run import Run
from core.wording import MISSING, between, megabytes, memory, number

_Row = tuple[str, str, str]
_SIDES = ("teacher", "student")


def measures(run: Run) -> Markup:
    """The section."""
    if not run.results:
        return NOTHING
    speed = (run.results.get("throughput") or {}).get("inference") or {}
    return joined((_comparison(run.results), _speed(speed)))


def _comparison(results: Mapping[str, Any]) -> Markup:
    sides = [results[side] for side in _SIDES]

    def row(name: str, key: str, words: Callable[[Any], str]) -> Iterator[_Row]:
        """A row where either side was measured."""
        if any(side.get(key) is not None for side in sides):
            teacher, student = (MISSING if side.get(key) is None else words(side[key]) for side in sides)
            yield name, teacher, student

    rows = [
        *row("Parameters", "parameters", "{:,}".format),
        *row("Size in float32", "megabytes", megabytes),
        *row("Masked-language loss (nats)", "mlm_loss", lambda value: number(value, 3)),
        *row("Masked-token accuracy (%)", "mlm_accuracy", number),
        *row("Pseudo-perplexity", "pseudo_perplexity", lambda value: number(value, 2)),
        *row("Tokens a word", "tokens_a_word", lambda value: number(value, 3)),
    ]
    note = (
        "Parameters count tied tensors once, the masked-language head included. Loss and accuracy are both on the "
        "student's validation tokens and masks; the loss is that of the teacher the student learnt from."
    )
    if any(side.get("pseudo_perplexity") is not None for side in sides):
        note += " Pseudo-perplexity, lower is better, compares models that cut words alike."
    return joined((table("Size and held-out text", ("", "Teacher", "Student"), rows), paragraph(note, css="grey")))


def _speed(found: Mapping[str, Any]) -> Markup:
    """What each takes to use, as measured at the end of the run."""
    if not found:
        return NOTHING
    sides = [found.get(side) or {} for side in _SIDES]
    batches = dict.fromkeys(batch for side in sides for batch in side.get("batches") or {})
    rows: list[_Row] = []
    for batch in batches:
        taken = [(side.get("batches") or {}).get(batch) or {} for side in sides]
        texts = "one text" if batch == "1" else f"{batch} texts"
        rows.append((f"Milliseconds for {texts} at once", *_both(taken, _milliseconds)))
        rows.append((f"Texts a second, {texts} at once", *_both(taken, _texts_a_second)))
    for name, key, words in (
        ("Peak memory of the process", "peak_memory_megabytes", memory),
        ("On disk", "megabytes_on_disk", megabytes),
    ):
        if any(side.get(key) is not None for side in sides):
            rows.append((name, *_both([{"value": side.get(key)} for side in sides], _known(words))))
    threads, tokens = found.get("threads"), found.get("tokens_a_text")
    conditions = [f"{threads} thread{'' if threads == 1 else 's'}"] if threads else []
    conditions += [f"texts of {tokens:,.0f} tokens"] if tokens else []
    measured = f"Measured on the processor{', ' if conditions else ''}{', '.join(conditions)}"
    note = f"{measured}; the median, and in brackets from where to where it went. Another machine has other numbers."
    return joined((table("In use", ("", "Teacher", "Student"), rows), paragraph(note, css="grey")))


def _both(sides: list[Mapping[str, Any]], words: Callable[[Mapping[str, Any]], str]) -> tuple[str, str]:
    teacher, student = map(words, sides)
    return teacher, student


def _milliseconds(taken: Mapping[str, Any]) -> str:
    ends = (taken.get("low"), taken.get("high"))
    around = "" if None in ends else f" ({between(ends)})"
    return number(taken.get("milliseconds")) + around


def _texts_a_second(taken: Mapping[str, Any]) -> str:
    return number(taken.get("texts_per_second"))


def _known(words: Callable[[float], str]) -> Callable[[Mapping[str, Any]], str]:
    return lambda side: MISSING if side.get("value") is None else words(side["value"])
