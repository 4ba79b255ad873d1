"""What a student takes for what: the pairs in words, and the whole matrix as a shaded table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from core.export.markup import NOTHING, Markup, element, joined, paragraph, user
from core.export.style import SHADES

_MOST_LABELS = 18
"""A larger matrix fits no sheet of paper."""
_PAIRS = 3

Counts = Sequence[Sequence[float]]
"""Rows are the right labels, columns those that were given."""


def confusion(found: Mapping[str, Any]) -> Markup:
    """The student's confusions; empty where nothing is known of them."""
    labels, counts = found.get("labels") or [], found.get("student") or []
    if not labels:
        return NOTHING
    if len(counts) != len(labels) or any(len(row) != len(labels) for row in counts):
        raise ValueError("a matrix of confusions that has not a row and a column a label")
    return joined((_pairs(labels, counts), _matrix(labels, counts)))


def _pairs(labels: Sequence[str], counts: Counts) -> Markup:
    """The most frequent mistakes, in words."""
    places = range(len(labels))
    wrong = [(counts[right][given], right, given) for right in places for given in places if right != given]
    worst = sorted((pair for pair in wrong if pair[0] > 0), reverse=True)[:_PAIRS]
    if not worst:
        return paragraph("The student takes no label for another.")
    told = [
        joined(
            (user(f"“{labels[right]}”"), " taken for ", user(f"“{labels[given]}”"),
             f" {count:,.0f} times ({100 * count / sum(counts[right]):.0f} % of them)")
        )
        for count, right, given in worst
    ]  # fmt: skip
    return paragraph("Confused most by the student, over all seeds: ", joined(told, "; "), ".")


def _matrix(labels: Sequence[str], counts: Counts) -> Markup:
    if len(labels) > _MOST_LABELS:
        return paragraph(f"The matrix of all {len(labels)} labels is in the evaluation's tasks.json.", css="grey")
    caption = "Confusions of the student, over all seeds"
    corner = element("td", "Right \\ given", css="grey")
    columns = (element("th", element("span", label), scope="col", dir="auto") for label in labels)
    rows = []
    for right, (label, row) in enumerate(zip(labels, counts, strict=True)):
        cells = (_cell(count, sum(row), is_right=right == given) for given, count in enumerate(row))
        rows.append(element("tr", element("th", label, scope="row", dir="auto"), *cells))
    whole = element(
        "table",
        element("caption", caption),
        element("thead", element("tr", corner, *columns)),
        element("tbody", *rows),
        css="matrix",
    )
    return element("div", whole, css="scroll", tabindex="0", role="group", aria_label=caption)


def _cell(count: float, total: float, *, is_right: bool) -> Markup:
    """A count, the darker the larger a share of its row it is: mistakes in the student's colour, hits in grey."""
    shade = min(SHADES, int(SHADES * count / total + 0.999)) if total and count else 0
    kind = "hit" if is_right else "miss"
    return element("td", f"{count:,.0f}", css=f"number {kind}-{shade}" if shade else "number grey")
