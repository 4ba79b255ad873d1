import json
import math
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tiny_tasks import toy_task

from benchmarks.ablation import commands
from benchmarks.ablation.cells import Order, curve, run_cell
from benchmarks.ablation.folds import folded, limited, merged
from benchmarks.ablation.grid import Cell, Filter, Grid, Scoring, Sources, TaskScoring, load_grid, parse_grid
from benchmarks.ablation.page import curve_table, page
from benchmarks.ablation.pool import BUSY, DONE, Job, last_words, run_jobs
from benchmarks.ablation.rows import mean_drop, rows_of, spread, unfinished
from benchmarks.ablation.scoring import found_scores, model_digest, to_json, units_of, work
from benchmarks.ablation.store import Store
from core.context import Quiet
from core.corpus.prepare import prepare
from core.errors import InputError
from core.events import Loss, Message
from core.recipe import from_mapping
from core.sealing import write_json
from core.tasks.examples import TaskData, TextExample
from core.tasks.scores import macro_f1
from resources import sample

GRIDS = Path(__file__).parents[1] / "benchmarks" / "grids"
SOURCES = Sources(model="sample", data="sample")


def content(**more: Any) -> dict[str, Any]:
    return {
        "title": "Widths",
        "about": "Why.",
        "seeds": [1, 2],
        "teacher": {"name": "teacher", "set": {"teacher.adapt_steps": 7}},
        "base": {"language": {"code": "mlt"}, "schedule": {"batch_tokens": 512, "learning_rate": 1e-3}},
        "variants": [
            {"name": "truncate", "reference": True, "set": {"method.hidden_reduction": "truncate"}},
            {"name": "svd", "set": {"method.hidden_reduction": "svd", "schedule.learning_rate": 5e-4}},
        ],
        "sizes": [{"name": "half", "targets": {"hidden_size": 64}}, {"name": "whole", "targets": {}}],
        "budgets": [{"name": "2", "distil_steps": 2}],
    } | more


# -- grids -------------------------------------------------------------------------------------------------------------


def test_cells_are_every_combination() -> None:
    cells = parse_grid(content()).cells
    assert len(cells) == len(set(cells)) == 2 * 2 * 1 * 2
    assert cells[0].name == "truncate.half.2.s1"


def test_filters_keep_what_one_of_them_names() -> None:
    grid = parse_grid(content(cells=[{"variants": ["svd"], "seeds": [2]}, {"sizes": ["whole"], "seeds": [1]}]))
    assert {cell.name for cell in grid.cells} == {
        "svd.half.2.s2", "svd.whole.2.s2", "truncate.whole.2.s1", "svd.whole.2.s1",
    }  # fmt: skip


def test_a_cell_is_the_base_with_its_variant_size_budget_and_seed() -> None:
    grid = parse_grid(content())
    recipe = from_mapping(grid.cell_recipe(grid.cells[-1], "/teacher", Sources(model="", data="/data")))
    assert (recipe.name, recipe.seed) == ("svd.whole.2.s2", 2)
    assert (recipe.method.hidden_reduction, recipe.schedule.learning_rate) == ("svd", 5e-4)
    assert (recipe.schedule.distil_steps, recipe.schedule.batch_tokens, recipe.schedule.threads) == (2, 512, 1)
    assert recipe.corpus.sources == (str(Path("/data/corpus.txt")),)
    # The teacher's run adapted it already.
    assert (recipe.teacher.model, recipe.teacher.adapt_steps) == ("/teacher", 0)
    assert grid.teacher_recipe(SOURCES)["teacher"] == {"adapt_steps": 7, "model": "sample"}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"colour": 1}, "unknown key colour"),
        ({"seeds": []}, "lacks seeds"),
        ({"variants": []}, "no variants"),
        ({"base": {"corpus": {"max_length": 64}}}, r"lacks base\.language\.code"),
        ({"budgets": [{"name": "2"}]}, "lacks distil_steps"),
        ({"cells": [{"variants": ["rotate"]}]}, "variants hold no 'rotate'"),
        ({"budgets": [{"name": "2", "distil_steps": 2}] * 2}, "Two of the budgets are called '2'"),
        ({"scoring": [{"name": "a", "method": "guess", "seeds": [1]}]}, "no method 'guess'"),
        (
            {"scoring": [{"name": "a", "method": "probe", "seeds": [1], "tasks": [{"kind": "topic", "folds": 1}]}]},
            "topic has 1 folds",
        ),
    ],
)
def test_a_wrong_grid_is_told_of(change: dict[str, Any], says: str) -> None:
    with pytest.raises(InputError, match=says):
        parse_grid(content(**change))


def test_what_no_recipe_may_say_is_told_with_its_cell() -> None:
    grid = parse_grid(content(sizes=[{"name": "odd", "targets": {"hiden_size": 3}}]))
    with pytest.raises(InputError) as caught:
        grid.check()
    assert caught.value.faults[0].problem.startswith("truncate.odd.2.s1: The recipe has an unknown key")


@pytest.mark.parametrize("path", sorted(GRIDS.glob("*.toml")), ids=lambda path: path.stem)
def test_every_grid_of_the_repository_can_be_run(path: Path) -> None:
    grid = load_grid(path)
    assert grid.cells
    assert set(grid.references) <= {cell.variant for cell in grid.cells}


# -- folds -------------------------------------------------------------------------------------------------------------


def test_folds_part_all_texts_and_never_share_one() -> None:
    data = toy_task()
    texts = {example.text for example in (*data.train, *data.validation, *data.test)}
    tested: list[str] = []
    for fold in range(5):
        part = folded(data, fold, 5)
        train, validation, test = ([one.text for one in split] for split in (part.train, part.validation, part.test))
        assert len(train) + len(validation) + len(test) == len({*train, *validation, *test}) == len(texts)
        tested += test
    assert sorted(tested) == sorted(texts)


def test_a_fold_goes_by_the_text_alone() -> None:
    data = toy_task()
    moved = TaskData(
        kind=data.kind, labels=data.labels, train=data.test, validation=data.train, test=data.validation
    )  # fmt: skip
    assert set(folded(data, 2, 5).test) == set(folded(moved, 2, 5).test)


def test_more_folds_than_texts_are_refused() -> None:
    few = tuple(TextExample(f"text {number}", "a") for number in range(3))
    data = TaskData(kind="topic", labels=("a",), train=few, validation=few, test=few)
    assert len(list(merged(data))) == 3
    with pytest.raises(InputError, match="Use fewer folds"):
        [folded(data, fold, 50) for fold in range(50)]


def test_limits_take_the_first_examples() -> None:
    data = toy_task()
    assert limited(data, 5, 0, 7) == TaskData(
        kind=data.kind, labels=data.labels, train=data.train[:5], validation=data.validation, test=data.test[:7]
    )


# -- children ----------------------------------------------------------------------------------------------------------


def test_a_job_that_fails_stops_no_other(tmp_path: Path) -> None:
    texts = {"good": "[1]", "bad": "[1", "after": "[2]"}
    jobs = [Job(name, ["json.tool"], text, tmp_path / "logs" / name) for name, text in texts.items()]
    told: list[str] = []
    codes = run_jobs(jobs, 1, lambda job, code, seconds: told.append(job.name))
    assert codes == {"good": 0, "bad": 1, "after": 0}
    assert told == list(texts)
    assert "Expecting" in last_words(jobs[1].log)


# -- a cell, and scores of its model -----------------------------------------------------------------------------------


@pytest.fixture
def handlers() -> Iterator[None]:
    """A cell's process hears of signals in its own way."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def tiny_grid() -> Grid:
    scoring = {"name": "probes", "method": "probe", "seeds": [1, 2], "epochs": 1, "train_limit": 30}
    task = {"kind": "topic", "folds": 2}
    base = content()["base"] | {"corpus": {"limit": 60, "max_length": 32}}
    sizes = [{"name": "half", "targets": {"layers": 2, "hidden_size": 64}}]
    return parse_grid(content(base=base, sizes=sizes, scoring=[scoring | {"tasks": [task]}]))


def order_of(grid: Grid, store: Store, **keys: Any) -> Order:
    cell = grid.cells[0]
    recipe = grid.cell_recipe(cell, str(sample.teacher_folder()), SOURCES)
    return Order(store=str(store.path), cell=cell, recipe=recipe | keys, corpus_seed=42, share=1_000_000)


def test_a_cell_runs_on_the_shared_texts_is_kept_and_scored(tmp_path: Path, handlers: None) -> None:
    grid, store = tiny_grid(), Store(tmp_path)
    order = order_of(grid, store)
    assert run_cell(order) == DONE
    result = store.result(order.cell)
    assert result is not None
    student = store.cell(order.cell).student
    assert result["digest"] == model_digest(student) != model_digest(sample.teacher_folder())
    assert result["settings"]["method.hidden_reduction"] == "truncate"
    shared = prepare(from_mapping(order.recipe).corpus, tmp_path, 42, store.corpus, Quiet())
    assert shared.report.kept == 60  # made once: the same settings and seed are found there
    tokens = [point["tokens"] for point in result["curve"]]
    assert tokens == sorted(tokens) and tokens[-1] == sum(stage.get("tokens", 0) for stage in result["stages"].values())
    assert [path.name for path in store.cell(order.cell).stages.glob("*/model")] == []

    # Another run that asks the teacher the same gets its answers from disk, and comes out the same.
    other = Store(tmp_path / "other")
    shutil.copytree(store.answers, other.answers)
    assert run_cell(order_of(grid, other)) == DONE
    again = other.result(order.cell)
    assert again is not None and again["shared"] > 0
    assert (again["digest"], again["curve"]) == (result["digest"], result["curve"])

    with pytest.raises(InputError, match="begun with other settings"):
        run_cell(order_of(grid, store, seed=9))
    with store.cell(order.cell).locked():
        assert run_cell(order) == BUSY

    [scoring] = grid.scoring
    store.scores.mkdir()
    units = list(units_of(scoring, str(student), result["digest"]))
    assert len({unit.file for unit in units}) == len(units) == 4
    assert work(to_json(units[:3], SOURCES, "mlt", store.scores)) == 0
    assert found_scores(scoring, result["digest"], [store.scores]) == {}  # a fold is missing
    assert work(to_json(units, SOURCES, "mlt", store.scores)) == 0
    found = found_scores(scoring, result["digest"], [tmp_path, store.scores])
    parts = [json.loads((store.scores / unit.file).read_text(encoding="utf-8")) for unit in units[:2]]
    pooled = [[label for part in parts for label in part[side]] for side in ("gold", "predictions")]
    assert found["topic"][0] == pytest.approx(macro_f1(*pooled))
    assert len(found["topic"]) == 2
    assert not list(store.scores.glob("*.lock"))


def test_a_unit_that_fails_stops_no_other(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scoring = Scoring(name="a", method="probe", seeds=(1,), tasks=(TaskScoring(kind="pos", epochs=1),), cells=Filter())
    units = list(units_of(scoring, str(tmp_path / "none"), "0" * 64))
    assert work(to_json(units, SOURCES, "mlt", tmp_path)) == 1
    assert "pos probe seed 1: failed" in capsys.readouterr().out


def test_a_corpus_that_is_split_in_another_way_is_refused() -> None:
    grid = tiny_grid()
    made = from_mapping(grid.teacher_recipe(SOURCES) | {"corpus": {"sources": ["sample"], "limit": 70}})
    with pytest.raises(InputError, match=r"truncate\.half\.2\.s1 has corpus\.limit = 60, .* with 70"):
        commands._check_split(grid.cells[0], from_mapping(grid.cell_recipe(grid.cells[0], "t", SOURCES)), made)


def test_tokens_of_a_curve_go_on_from_stage_to_stage() -> None:
    def loss(stage: str, step: int, tokens: int, split: str = "validation") -> tuple[float, Any]:
        return 0.0, Loss(stage=stage, step=step, tokens=tokens, mlm=1.0, kd=None, total=1.0, split=split)  # type: ignore[arg-type]

    events = [
        loss("layers", 0, 0),
        loss("layers", 1, 10, "train"),
        (0.0, Message(level="info", text="")),
        loss("layers", 2, 25),
        loss("hidden", 0, 0),
        loss("hidden", 2, 30),
    ]
    assert [(point["stage"], point["tokens"]) for point in curve(events)] == [
        ("layers", 0), ("layers", 25), ("hidden", 25), ("hidden", 55),
    ]  # fmt: skip


# -- the page ----------------------------------------------------------------------------------------------------------


def result(cell: Cell, ours: float, theirs: float = 2.0, **more: Any) -> dict[str, Any]:
    rate = 5e-4 if cell.variant == "svd" else 1e-3
    stage = {"seconds": 10.0, "learning_rate": rate}
    return {
        "cell": {"variant": cell.variant, "size": cell.size, "budget": cell.budget, "seed": cell.seed},
        "digest": f"{cell.variant}{cell.seed}".ljust(64, "0"),
        "results": {
            "student": {"parameters": 250, "mlm_loss": ours},
            "teacher": {"parameters": 500, "mlm_loss": theirs},
        },
        "stages": {"layers": stage, "hidden": stage, "evaluate": {"seconds": 99.0}},
        "curve": [{"stage": "layers", "step": 0, "tokens": 0, "mlm": 6.0}, {"tokens": 100, "mlm": ours}],
    } | more


@pytest.fixture
def measured(tmp_path: Path) -> tuple[Store, Grid]:
    """Two variants and seeds at one size: gaps 1 and 2 of truncate, 0.5 and 0.7 of svd; one cell of another failed."""
    grid = parse_grid(content(
        sizes=[{"name": "half", "targets": {"hidden_size": 64}}],
        variants=[*content()["variants"], {"name": "rotate", "set": {}}, {"name": "per_head", "set": {}}],
        cells=[{"variants": ["truncate", "svd"]}, {"variants": ["rotate", "per_head"], "seeds": [1]}],
        scoring=[{"name": "probes", "method": "probe", "seeds": [1], "tasks": [{"kind": "topic"}, {"kind": "pos"}]}],
    ))  # fmt: skip
    store = Store(tmp_path)
    for folder in ("results", "scores", "cells/rotate.half.2.s1"):
        (tmp_path / folder).mkdir(parents=True)
    teacher = {"digest": "teacher".ljust(64, "0"), "original": 1000, "parameters": 500}
    write_json(store.teacher_file, teacher | {"results": {"student": {"mlm_loss": 2.0}}})
    for cell in grid.cells[:2] + grid.cells[4:]:
        gap = {"truncate": cell.seed, "svd": 0.3 + 0.2 * cell.seed}[cell.variant]
        write_json(store.result_file(cell), result(cell, 2.0 + gap))
    write_json(store.cell(Cell(variant="rotate", size="half", budget="2", seed=1)).status,
               {"state": "failed", "error": "It broke."})  # fmt: skip
    for name, scores in {"teacher": (90, 80), "truncate1": (70, 70), "truncate2": (72, 70), "svd1": (85, 80)}.items():
        for unit, right in zip(units_of(grid.scoring[0], "", name.ljust(64, "0")), scores, strict=True):
            gold, said = [["A"] * 100], [["A"] * right + ["B"] * (100 - right)]
            # One label of two is never right: macro F1 of a and a wrong b is half of a's.
            write_json(store.scores / unit.file, {"gold": gold, "predictions": said} if unit.task.kind == "pos" else
                       {"gold": ["A"] * right + ["B"] * (100 - right), "predictions": ["A"] * 100})  # fmt: skip
    return store, grid


def test_rows_hold_gaps_over_seeds_best_first(measured: tuple[Store, Grid]) -> None:
    store, grid = measured
    best, worst = rows_of(grid, store)
    assert (best.variant, worst.variant) == ("svd", "truncate")
    assert best.gaps == pytest.approx([0.5, 0.7]) and worst.gaps == pytest.approx([1, 2])
    assert best.rates == [5e-4]
    assert best.seconds == [20, 20]
    assert {cell.name: error for cell, error in unfinished(grid, store)} == {
        "rotate.half.2.s1": "It broke.", "per_head.half.2.s1": None,
    }  # fmt: skip


def test_the_page_shows_shares_of_the_reference_and_what_failed(measured: tuple[Store, Grid]) -> None:
    store, grid = measured
    text, pictures = page([(store, grid)], "ablations")
    lines = text.splitlines()
    assert "| svd | half | 2 | 2 | 250 | 75.0 % | 0.0005 | 2.600 ± 0.141 | 0.600 ± 0.141 | 0.40 | 20 |" in lines
    assert "| truncate | half | 2 | 2 | 250 | 75.0 % | 0.001 | 3.500 ± 0.707 | 1.500 ± 0.707 | 1.00 | 20 |" in lines
    assert "- rotate.half.2.s1: It broke." in lines
    assert "1 of 6 cells have not been run." in lines
    macro = {right: 100 * (2 * right / (100 + right)) / 2 for right in (90, 85, 72, 70)}
    assert f"| teacher |  |  | 1 | {macro[90]:.1f} | 80.0 |  |  |" in lines
    least = ((macro[90] - (macro[70] + macro[72]) / 2) + 10) / 2
    drop = (macro[90] - macro[85]) / 2
    assert f"| svd | half | 2 | 1 | {macro[85]:.1f} | 80.0 | {drop:.2f} | {drop / least:.2f} |" in lines
    assert f"| {least:.2f} | 1.00 |" in text
    [(name, svg)] = pictures.items()
    assert f"ablations/{name}" in text
    assert svg.startswith("<svg xmlns=") and svg.count('class="line"') == 2


def test_several_learning_rates_of_the_reference_count_by_the_best(measured: tuple[Store, Grid]) -> None:
    store, _ = measured
    both = parse_grid(content(
        sizes=[{"name": "half", "targets": {}}],
        variants=[{"name": name, "set": {}, "reference": True} for name in ("truncate", "svd")],
    ))  # fmt: skip
    text, _ = page([(store, both)], "p")
    assert "| 1.500 ± 0.707 | 2.50 | 20 |" in text


def test_a_page_of_nothing_says_so(tmp_path: Path) -> None:
    text, pictures = page([(Store(tmp_path), parse_grid(content()))], "p")
    assert "Nothing has been measured yet." in text and "8 of 8 cells" in text
    assert pictures == {}


def test_a_drop_needs_every_task_on_both_sides() -> None:
    tasks = (TaskScoring(kind="topic"), TaskScoring(kind="pos"))
    scoring = Scoring(name="a", method="probe", seeds=(1,), tasks=tasks, cells=Filter())
    teacher = {"topic": [80.0, 90.0], "pos": [70.0]}
    assert mean_drop(scoring, teacher, {"topic": [75.0], "pos": [68.0, 70.0]}) == pytest.approx((10 + 1) / 2)
    assert mean_drop(scoring, teacher, {"topic": [75.0]}) is None


def test_spreads() -> None:
    assert spread([1234.5], 1) == "1,234.5"
    assert spread([1.0, 3.0], 2) == f"2.00 ± {math.sqrt(2):.2f}"


def test_a_curves_table_shows_the_nearest_validation_after_a_cut() -> None:
    lines = curve_table({"a": [(0, 6.0), (50, 3.0), (50, 5.0), (100, 4.0)]}).splitlines()
    assert lines[-1] == "| a | 6.000 | 5.000 | 5.000 | 4.000 | 4.000 |"


def test_the_commands_need_a_model_and_data(tmp_path: Path) -> None:
    options = SimpleNamespace(out=tmp_path, grid=GRIDS / "sample.toml", sample=False, model="", data="")
    with pytest.raises(InputError, match="Give --model and --data"):
        commands.run(options)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="no grid's work"):
        commands.score(SimpleNamespace(**{**vars(options), "grid": None}))  # type: ignore[arg-type]
