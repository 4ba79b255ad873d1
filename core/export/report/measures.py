"""Teacher and student side by side without any task: size, what they make of held-out text, and speed in use."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from core.export.markup import NOTHING, Markup, joined, paragraph, table
from core.export.measures import language_note, language_rows, speed_note
from core.export.report.run import Run
from core.wording import megabytes, memory, milliseconds, number

_SIDES = ("teacher", "student")
_HEAD = ("", "Teacher", "Student")


def measures(run: Run) -> Markup:
    """The section."""
    if not run.results:
        return NOTHING
    inference = (run.results.get("throughput") or {}).get("inference") or {}
    return joined((_comparison([run.results[side] for side in _SIDES]), _speed(inference)))


def _comparison(sides: Sequence[Mapping[str, Any]]) -> Markup:
    rows = [
        _row("Parameters", [f"{side['parameters']:,}" for side in sides]),
        _row("Size in float32", [megabytes(side["megabytes"]) for side in sides]),
        _row("Masked-language loss (nats)", [number(side["mlm_loss"], 3) for side in sides]),
        _row("Masked-token accuracy (%)", [number(side["mlm_accuracy"]) for side in sides]),
        *(_row(name, values) for name, *values in language_rows(sides)),
    ]
    note = (
        "Parameters count tied tensors once, the masked-language head included. Loss and accuracy are both on the "
        "student's validation tokens and masks; the loss is that of the teacher the student learnt from. "
    )
    return joined((table("Size and held-out text", _HEAD, rows), paragraph(note, language_note(sides), css="grey")))


def _row(name: str, values: Sequence[str]) -> Sequence[str]:
    return [name[:1].upper() + name[1:], *values]


def _speed(inference: Mapping[str, Any]) -> Markup:
    """What each takes to use, as measured at the end of the run."""
    if not inference:
        return NOTHING
    sides = [inference.get(side) or {} for side in _SIDES]
    rows = []
    for size in dict.fromkeys(size for side in sides for size in side.get("batches") or {}):
        batches = [(side.get("batches") or {}).get(size) or {} for side in sides]
        texts = "One text" if size == "1" else f"{size} texts at once"
        rows.append([texts, *map(milliseconds, batches)])
        rows.append([f"{texts}, texts a second", *(number(batch.get("texts_per_second")) for batch in batches)])
    rows.append(["Memory", *(memory(side.get("peak_memory_megabytes")) for side in sides)])
    if any("megabytes_on_disk" in side for side in sides):
        rows.append(["On disk", *(megabytes(side.get("megabytes_on_disk")) for side in sides)])
    return joined((table("In use", _HEAD, rows), paragraph(speed_note(inference), css="grey")))
