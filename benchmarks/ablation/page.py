"""The page: every grid's words, tables and curves, as Markdown and SVG. No torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path
from statistics import fmean

from benchmarks.ablation.grid import Grid, Scoring
from benchmarks.ablation.rows import (
    Point,
    Row,
    Scored,
    reference_drops,
    reference_gaps,
    rows_of,
    scored,
    spread,
    teacher_scores,
    unfinished,
)
from benchmarks.ablation.store import Store
from core.export.drawing import HEIGHT, WIDTH, si
from core.export.plots import Line, line_plot
from core.wording import metric

_HEAD = """\
# Ablations

What each choice of method is worth, by measurement; made by `python -m benchmarks.ablation table` from the grids in
`benchmarks/grids` and never by hand. How to run a grid stands in `benchmarks/ablation/__main__.py`.

- **Loss** is the masked-language loss in nats on all validation texts, which neither the teacher nor a student has
  learnt from; **gap** is how much it is above the adapted teacher's on the same tokens and masks.
- **±** is the sample standard deviation over the seeds of the runs, of scores also over those of the tasks' training; a
  number without it is of one seed. Seeds vary the order of the texts, the masks and dropout, not the teacher.
- Gaps and drops are told as shares of the **reference**'s, at its best learning rate of those that were tried.
- **Compression** is against the teacher as it came, with its whole vocabulary. **Drop** is the teacher's score less the
  student's, in points, the mean over the tasks.
- All runs of a grid have the same texts and, within a budget, the same number of optimiser steps; best first.
- **Seconds** are those of the stages, on one thread; with * the teacher's answers were there from another run, which
  changes no number but this one.
"""
_SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)
"""Of a curve's tokens, where its table has a column."""
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8a939c", "#000000")
_LABELS = 110
"""Room for long names beside the plot."""


def page(grids: Sequence[tuple[Store, Grid]], pictures: str) -> tuple[str, dict[str, str]]:
    """The whole page.

    Args:
        grids: each folder with its grid.
        pictures: the folder beside the page that the pictures will be in.

    Returns:
        The Markdown, and the pictures by file name.
    """
    drawn: dict[str, str] = {}
    folders = [store.scores for store, _ in grids]
    sections = [_HEAD, *(_section(store, grid, folders, pictures, drawn) for store, grid in grids)]
    return "\n".join(sections).rstrip("\n") + "\n", drawn


def _section(store: Store, grid: Grid, folders: Sequence[Path], pictures: str, drawn: dict[str, str]) -> str:
    rows = rows_of(grid, store)
    parts = [f"## {grid.title}", grid.about]
    parts += [grid.conclusion] if grid.conclusion else []
    parts += (
        [_teacher_line(store, rows), _loss_table(rows, grid, store)] if rows else ["Nothing has been measured yet."]
    )
    for scoring in grid.scoring:
        parts += _score_table(scoring, rows, grid, store, folders)
    for (size, budget), group in groupby(rows, key=lambda row: row.place):
        curves = {row.variant: row.curve for row in group if row.curve}
        if curves:
            name = f"{store.path.name}-{size}-{budget}.svg".replace(" ", "-")
            drawn[name] = picture(f"Loss against tokens: {grid.title}, {size}, {budget}", curves)
            parts += [f"### Loss against distillation tokens: {size}, {budget}", curve_table(curves)]
            parts += [f"![Validation loss against distillation tokens]({pictures}/{name})"]
    parts += _missing(grid, store)
    return "\n\n".join(parts) + "\n"


def _teacher_line(store: Store, rows: Sequence[Row]) -> str:
    teacher = store.read_teacher()
    by_seed = {seed: loss for row in rows for seed, loss in row.teacher_losses.items()}
    losses = ", ".join(f"{by_seed[seed]:.3f}" for seed in sorted(by_seed))
    return (
        f"Teacher: {teacher['original']:,} parameters as it came, {teacher['parameters']:,} adapted and trimmed; loss "
        f"{losses} with the masks of seed {', '.join(map(str, sorted(by_seed)))}."
    )


def _loss_table(rows: Sequence[Row], grid: Grid, store: Store) -> str:
    best = reference_gaps(rows, grid.references)
    original = store.read_teacher()["original"]
    shared = f"gap / {_reference_name(grid)}" if best else ""
    head = ["variant", "size", "budget", "seeds", "parameters", "compression", "learning rate", "loss", "gap"]
    lines = []
    for row in rows:
        share = [f"{fmean(row.gaps) / best[row.place]:.2f}" if row.place in best else "–"] if best else []
        rates = ", ".join(f"{rate:g}" for rate in row.rates)
        sizes = [f"{row.parameters:,}", f"{100 * (1 - row.parameters / original):.1f} %"]
        cells = [row.variant, row.size, row.budget, str(len(row.results)), *sizes, rates or "–"]
        seconds = f"{fmean(row.seconds):,.0f}{' *' if row.shared else ''}"
        lines.append([*cells, spread(row.losses, 3), spread(row.gaps, 3), *share, seconds])
    return markdown_table([*head, *([shared] if best else []), "seconds"], lines, words=3)


def _reference_name(grid: Grid) -> str:
    """What to call the references: the one, or the best of them."""
    first, *others = grid.references
    return "best reference" if others else first


def _score_table(scoring: Scoring, rows: Sequence[Row], grid: Grid, store: Store, folders: Sequence[Path]) -> list[str]:
    teacher = teacher_scores(scoring, store, folders) if store.teacher_file.exists() else {}
    found = scored(rows, scoring, teacher, folders)
    if not (teacher or found):
        return []
    best = reference_drops(found, grid.references)
    tasks = [task.kind for task in scoring.tasks]
    head = ["variant", "size", "budget", "models", *tasks, "mean drop"]
    lines = [["teacher", "", "", "1", *(_score(teacher.get(task)) for task in tasks), "", *([""] if best else [])]]
    lines += [_score_line(one, tasks, best) for one in found]
    heads = [*head, *([f"drop / {_reference_name(grid)}"] if best else [])]
    return [f"### Tasks: {scoring.name}", _how(scoring), markdown_table(heads, lines, words=3)]


def _score_line(one: Scored, tasks: Sequence[str], best: Mapping[tuple[str, str], float]) -> list[str]:
    row = one.row
    least = best.get(row.place)
    share = "–" if one.drop is None or not least or least <= 0 else f"{one.drop / least:.2f}"
    scores = [_score(one.scores.get(task)) for task in tasks]
    drop = "–" if one.drop is None else f"{one.drop:.2f}"
    return [row.variant, row.size, row.budget, str(one.cells), *scores, drop, *([share] if best else [])]


def _score(values: Sequence[float] | None) -> str:
    return spread(values, 1) if values else "–"


def _how(scoring: Scoring) -> str:
    """A sentence on how models were scored."""
    from core.tasks.kinds import KINDS

    tasks = []
    for task in scoring.tasks:
        facts = [f"{metric(KINDS[task.kind].metric)}, at most {task.epochs} epochs"]
        facts += [f"cross-validated in {task.folds} folds of all examples"] if task.folds else []
        limits = {"train": task.train_limit, "validation": task.validation_limit, "test": task.test_limit}
        facts += [f"the first {limit:,} examples of {split}" for split, limit in limits.items() if limit]
        tasks.append(f"{task.kind}: {', '.join(facts)}")
    seeds = ", ".join(map(str, scoring.seeds))
    return f"Method: {scoring.method}; seeds: {seeds}. {'; '.join(tasks)}."


def curve_table(curves: Mapping[str, Sequence[Point]]) -> str:
    """The curves at some numbers of tokens: the validation that is nearest, after a cut where there is one at it."""
    most = max(tokens for points in curves.values() for tokens, _ in points)
    marks = [share * most for share in _SHARES]
    lines = [
        [name, *(f"{min(reversed(points), key=lambda point: abs(point[0] - mark))[1]:.3f}" for mark in marks)]
        for name, points in curves.items()
    ]
    return markdown_table(["variant", *(f"{si(mark)} tokens" for mark in marks)], lines, words=1)


def picture(title: str, curves: Mapping[str, Sequence[Point]]) -> str:
    """The curves as an SVG file that stands alone."""
    lines = [
        Line(name, points, f"--c{number % len(_COLOURS)}", dashed=number >= len(_COLOURS))
        for number, (name, points) in enumerate(curves.items())
    ]
    svg = line_plot(title, "distillation tokens", "validation loss", lines)
    colours = " ".join(f"--c{number}: {colour};" for number, colour in enumerate(_COLOURS))
    style = (
        f"<style>svg {{ {colours} }} text {{ font: 12px sans-serif; }} .small {{ fill: #58616b; font-size: 11px; }} "
        "path { fill: none; } .grid { stroke: #d5d9de; } .line { stroke-width: 2; stroke-linejoin: round; }</style>"
        '<rect width="100%" height="100%" fill="#ffffff"/>'
    )
    before = f'<svg viewBox="0 0 {WIDTH} {HEIGHT}"'
    after = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH + _LABELS} {HEIGHT}"'
    start = svg.index(">") + 1
    return svg[:start].replace(before, after) + style + svg[start:] + "\n"


def _missing(grid: Grid, store: Store) -> list[str]:
    """What isn't in the tables, and why."""
    left = unfinished(grid, store)
    failed = [f"- {cell.name}: {error}" for cell, error in left if error is not None]
    parts = ["Failed:\n\n" + "\n".join(failed)] if failed else []
    waiting = len(left) - len(failed)
    return [*parts, f"{waiting} of {len(grid.cells)} cells have not been run."] if waiting else parts


def markdown_table(head: Sequence[str], lines: Sequence[Sequence[str]], words: int) -> str:
    """A table; all columns but the first `words` stand on the right."""
    marks = ["---"] * words + ["---:"] * (len(head) - words)
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (head, marks, *lines))
