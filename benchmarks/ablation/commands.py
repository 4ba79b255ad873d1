"""The commands: what is left to do is found out here, and done in child processes."""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.ablation.cells import Order
from benchmarks.ablation.grid import Cell, Grid, Scoring, Sources, load_grid
from benchmarks.ablation.page import page
from benchmarks.ablation.pool import BUSY, DONE, Job, last_words, run_jobs
from benchmarks.ablation.scoring import found_scores, model_digest, to_json, units_of
from benchmarks.ablation.store import Store
from core.context import Quiet
from core.corpus.prepare import prepare
from core.errors import InputError
from core.recipe import Recipe, from_mapping
from core.recipe_text import mapping_to_toml
from core.sealing import write_atomic, write_json

SAMPLE = "sample"
_SPLIT = ("limit", "validation_fraction", "least_letters", "other_scripts")
"""What of a recipe's corpus says which texts are validated on."""


def run(options: argparse.Namespace) -> int:
    """Make the teacher where there is none yet, and run every cell that isn't finished."""
    store, grid, sources = Store(options.out.absolute()), load_grid(options.grid), _given(options)
    if sources is None:
        raise InputError("There is no model or no data.", hint="Give --model and --data, or --sample.")
    store.set_up(options.grid, sources)
    with store.alone():
        made = _teacher(grid, sources, store)
        orders = _orders(grid, sources, store, made, options.share * 1_000_000)
        _prepare_corpus(orders, store)
    left = [order for order in orders if store.result(order.cell) is None]
    print(f"{len(orders)} cells, {len(left)} of them to run.", flush=True)
    jobs = [
        Job(order.cell.name, ["benchmarks.ablation.cells"], order.to_json(), store.log(order.cell.name))
        for order in left
    ]
    status = _done(jobs, options.jobs)
    if not any(store.result(order.cell) is None for order in orders):
        shutil.rmtree(store.answers, ignore_errors=True)
    return status


def score(options: argparse.Namespace) -> int:
    """Score teacher and finished cells as the grid says, or any model folders."""
    store, sources = Store(options.out.absolute()), _given(options)
    if options.grid is not None and sources is not None:
        grid = load_grid(options.grid)
    else:
        grid, sources = store.read_setup()
    chosen = [one for one in grid.scoring if not options.only or one.name in options.only]
    if not chosen:
        known = ", ".join(one.name for one in grid.scoring)
        raise InputError("There is nothing to score.", hint=f"The grid's scorings: {known or 'none'}.")
    models = [_models(options.folder, one, grid, store) for one in chosen]
    units = [
        unit
        for one, named in zip(chosen, models, strict=True)
        for folder, digest in named.items()
        for unit in units_of(one, folder, digest)
    ]
    left = [unit for unit in units if not (store.scores / unit.file).exists()]
    print(f"{len(units)} trainings, {len(left)} of them to do.", flush=True)
    store.scores.mkdir(parents=True, exist_ok=True)
    given = to_json(units, sources, grid.language, store.scores)
    names = [f"scorer-{number}" for number in range(1, options.jobs + 1)]
    status = _done([Job(name, ["benchmarks.ablation.scoring"], given, store.log(name)) for name in names], options.jobs)
    for one, named in zip(chosen, models, strict=True):
        for folder, digest in named.items():
            found = found_scores(one, digest, [store.scores])
            shown = "; ".join(f"{task} {' '.join(f'{value:.2f}' for value in runs)}" for task, runs in found.items())
            print(f"{one.name}, {folder}: {shown or 'nothing yet'}")
    return status


def table(options: argparse.Namespace) -> int:
    """Write the page."""
    stores = [Store(out.absolute()) for out in options.outs]
    options.to.parent.mkdir(parents=True, exist_ok=True)
    pictures = options.to.with_suffix("")
    text, drawn = page([(store, store.read_setup()[0]) for store in stores], pictures.name)
    if drawn:
        pictures.mkdir(exist_ok=True)
    for name, svg in drawn.items():
        write_atomic(pictures / name, svg.encode())
    write_atomic(options.to, text.encode())
    return 0


def _given(options: argparse.Namespace) -> Sources | None:
    """Model and data as the command line says; None where it says nothing of data."""
    if options.sample:
        return Sources(model=SAMPLE, data=SAMPLE)
    if not options.data:
        return None
    model = str(Path(options.model).absolute()) if options.model else ""
    return Sources(model=model, data=str(Path(options.data).absolute()))


def _teacher(grid: Grid, sources: Sources, store: Store) -> dict[str, Any]:
    """What is known of the teacher, whose run is begun, gone on with, or there already."""
    folder = store.teacher(grid.teacher)
    if folder.read_status().get("state") != "finished":
        if not sources.model:
            raise InputError(f"There is no finished run in {folder.path}.", hint="Give --model to have it made.")
        recipe = store.path / "teachers" / f"{grid.teacher}.toml"
        recipe.parent.mkdir(exist_ok=True)
        write_atomic(recipe, mapping_to_toml(grid.teacher_recipe(sources)).encode())
        resume = ["--resume"] if folder.original_recipe.exists() else []
        command = ["core.cli", "run", str(recipe), "--out", str(folder.path), *resume]
        name = f"teacher-{grid.teacher}"
        if _done([Job(name, command, "", store.log(name))], 1):
            raise InputError("The teacher could not be made.", hint=f"See {store.log(name)}.")
    results = folder.read_results()
    content = {
        "name": grid.teacher,
        "model": str(folder.student),
        "digest": model_digest(folder.student),
        "original": results["teacher"]["parameters"],
        "parameters": results["student"]["parameters"],
        "results": results,
    }
    write_json(store.teacher_file, content)
    return content


def _orders(grid: Grid, sources: Sources, store: Store, teacher: dict[str, Any], share: int) -> list[Order]:
    made = store.teacher(grid.teacher).read_recipe()
    orders = [
        Order(
            store=str(store.path),
            cell=cell,
            recipe=grid.cell_recipe(cell, teacher["model"], sources),
            corpus_seed=made.seed,
            share=share,
        )
        for cell in grid.cells
    ]
    for order in orders:
        _check_split(order.cell, from_mapping(order.recipe), made)
    return orders


def _check_split(cell: Cell, recipe: Recipe, made: Recipe) -> None:
    """Refuse texts that are split in another way than the teacher's were."""
    for key in _SPLIT:
        here, there = getattr(recipe.corpus, key), getattr(made.corpus, key)
        if here != there:
            raise InputError(
                f"{cell.name} has corpus.{key} = {here}, its teacher was adapted with {there}.",
                hint="Make them equal: a student must not be validated on what its teacher has learnt from.",
            )


def _prepare_corpus(orders: Sequence[Order], store: Store) -> None:
    if orders:
        corpus = from_mapping(orders[0].recipe).corpus
        prepare(corpus, store.path, orders[0].corpus_seed, store.corpus, Quiet())


def _models(folders: Sequence[Path] | None, scoring: Scoring, grid: Grid, store: Store) -> dict[str, str]:
    """The models to score this way, their digests by their folders."""
    if folders:
        return {str(folder.absolute()): model_digest(folder) for folder in folders}
    teacher = store.read_teacher()
    results = [store.result(cell) for cell in grid.cells if scoring.cells.takes(cell)]
    found = [(content["model"], content["digest"]) for content in [teacher, *filter(None, results)]]
    return dict(found)


def _done(jobs: Sequence[Job], at_once: int) -> int:
    """Run jobs, telling of each; 1 where one of them failed, 3 where another process is at one, else 0."""

    def told(job: Job, code: int, seconds: float) -> None:
        words = {DONE: "done", BUSY: "another process is at it"}
        how = words.get(code) or f"failed ({code}), see {job.log}: {last_words(job.log)}"
        print(f"{job.name}: {how}, {seconds:.0f} s", flush=True)

    codes = set(run_jobs(jobs, at_once, told).values())
    return 1 if codes - {DONE, BUSY} else BUSY if BUSY in codes else 0
