"""Runs side by side as one self-contained HTML page: tables, curves, size against score, the law of the volume."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from core.analysis.compare import Comparison
from core.analysis.pareto import FrontGroup
from core.analysis.volume_law import LeftOut, VolumeLaw
from core.export.comparison_figures import curve_plot, front_plot, volume_plot
from core.export.comparison_text import (
    curve_words,
    front_words,
    legend,
    names,
    outcome_rows,
    point_words,
    settings_rows,
)
from core.export.document import document, write_page
from core.export.markup import NOTHING, Markup, bullets, element, figure, joined, paragraph, table, user
from core.export.measures import Row
from core.wording import clean, number, parameters


def write_comparison(comparison: Comparison, path: Path) -> None:
    """Write the page; a file that is there already is replaced.

    Raises:
        InputError: it can't be written.
    """
    write_page(path, comparison_page(comparison), "Choose another file for the page.")


def comparison_page(comparison: Comparison) -> str:
    """The page. Everything that comes from runs is escaped."""
    runs = comparison.runs
    title = f"{len(runs)} run{'' if len(runs) == 1 else 's'} compared"
    shown = [
        _section("Results", _results(comparison)),
        _section("Settings that differ", _settings(comparison)),
        _section("Validation loss", _curves(comparison)),
        _section("Size against score", joined(_front(group) for group in comparison.fronts)),
        _section("Drop against what the teacher had read", _volumes(comparison)),
    ]
    head = element("header", element("h1", title), paragraph(joined(map(user, names(runs)), ", "), css="grey"))
    return document(title, head, element("main", *shown))


def _section(title: str, content: Markup) -> Markup:
    return element("section", element("h2", title), content) if content else NOTHING


def _results(comparison: Comparison) -> Markup:
    rows = outcome_rows(comparison)
    return joined((_table("What came of them", comparison, rows), paragraph(legend(comparison), css="grey")))


def _settings(comparison: Comparison) -> Markup:
    rows = settings_rows(comparison)
    return _table("By the recipe's key", comparison, rows) if rows else NOTHING


def _table(caption: str, comparison: Comparison, rows: Sequence[Row]) -> Markup:
    return table(caption, ("", *map(user, names(comparison.runs))), rows)


def _curves(comparison: Comparison) -> Markup:
    plot = curve_plot(list(zip(names(comparison.runs), comparison.curves, strict=True)))
    if not plot:
        return NOTHING
    words = paragraph(curve_words(comparison), css="grey")
    return joined((figure("Validation loss over the tokens learnt from", plot), words))


def _front(group: FrontGroup) -> Markup:
    rows = [
        (user(point.name), parameters(point.parameters), number(point.score), "yes" if point.on_front else "no")
        for point in group.points
    ]
    caption = f"{group.language_name}: the smallest first"
    note, behind = front_words(group)
    return joined(
        (
            figure(f"{group.language_name}: size against score", front_plot(group)),
            table(caption, ("Model", "Parameters", "Score", "On the Pareto front"), rows),
            paragraph(note),
            paragraph(behind, css="grey"),
        )
    )


def _volumes(comparison: Comparison) -> Markup:
    return joined((*map(volume_law_section, comparison.volumes.laws), _left_out(comparison.volumes.left_out)))


def volume_law_section(law: VolumeLaw) -> Markup:
    """A law's plot, its points in words and what can be said of it; for this page and for a report."""
    plot = volume_plot(law)
    return joined(
        (
            element("h3", clean(law.source)),
            figure("Drop against the volume of text that the teacher had seen", plot) if plot else NOTHING,
            bullets(user(point_words(point)) for point in law.points),
            joined(map(paragraph, law.words)),
        )
    )


def _left_out(left_out: Sequence[LeftOut]) -> Markup:
    return bullets(joined((user(left.name), f" is left out: {left.why}")) for left in left_out) if left_out else NOTHING
