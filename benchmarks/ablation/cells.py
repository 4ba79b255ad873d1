"""One cell, in a process of its own: the pipeline's stages on the texts that all cells of a grid share."""

from __future__ import annotations

import json
import shutil
import signal
import sys
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.ablation.grid import Cell
from benchmarks.ablation.pool import BUSY, DONE
from benchmarks.ablation.scoring import model_digest
from benchmarks.ablation.store import Store
from core.analysis.preview import recipe_sizes
from core.corpus.prepare import prepare
from core.errors import InputError, Stopped
from core.events import Event, Loss
from core.preflight import check_teacher
from core.recipe import Recipe, from_mapping, settings
from core.recipe_text import mapping_to_toml, to_toml
from core.run import RunFolder, settle_folder
from core.run_context import RunContext
from core.sealing import write_atomic, write_json

_STOPPED = 130
_NOTED = ("parameters", "validation_loss", "seconds", "learning_rate", "steps", "tokens", "best_step", "layers")
"""Of a stage's report, what the result keeps where it is there."""


@dataclass(frozen=True, slots=True)
class Order:
    """What a child is told to run."""

    store: str
    cell: Cell
    recipe: Mapping[str, Any]
    """The recipe's content."""
    corpus_seed: int
    """The teacher's: no cell may validate on texts that the teacher has learnt from."""
    share: int = 0
    """Bytes of the teacher's answers that are kept on disk for other cells; 0: none."""

    def to_json(self) -> str:
        """As text, for the child's standard input."""
        return json.dumps(asdict(self))

    @staticmethod
    def of(text: str) -> Order:
        """The other way round."""
        content = json.loads(text)
        return Order(**{**content, "cell": Cell(**content["cell"])})


def run_cell(order: Order) -> int:
    """Run a cell, or go on with it; returns the process' exit status.

    Raises:
        InputError: its recipe can't be run, or the cell was begun with another one.
    """
    store = Store(Path(order.store))
    folder = store.cell(order.cell)
    if folder.running():
        return BUSY
    if not folder.original_recipe.exists():
        folder.create(mapping_to_toml(order.recipe))
    elif tomllib.loads(folder.given_recipe()) != order.recipe:
        raise InputError(
            f"{folder.path} was begun with other settings.", hint="Move it away to run the cell as the grid is now."
        )
    with folder.locked():
        ctx = RunContext(folder)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: setattr(ctx, "stop_signal", True))
        try:
            results, shared = _work(folder, order, store, ctx)
        except Stopped:
            ctx.finish("stopped")
            return _STOPPED
        except BaseException as error:
            ctx.finish("failed", error=f"{type(error).__name__}: {error}")
            raise
        ctx.finish("finished")
        store.result_file(order.cell).parent.mkdir(exist_ok=True)
        write_json(store.result_file(order.cell), _result(order, folder, results) | {"shared": shared})
        for model in folder.stages.glob("*/model"):
            shutil.rmtree(model)
    return DONE


def _work(folder: RunFolder, order: Order, store: Store, ctx: RunContext) -> tuple[dict[str, Any], int]:
    """The run's results, and how many of the teacher's answers came from disk."""
    from core.distillation.answers import OnDisk
    from core.pipeline import run
    from core.resolve import resolve, set_up_torch
    from core.workspace import Workspace

    recipe = folder.read_recipe() if folder.recipe.exists() else from_mapping(order.recipe)
    checked = check_teacher(recipe, folder.path)
    recipe = resolve(recipe, checked.family, checked.sizes)
    write_atomic(folder.recipe, to_toml(recipe).encode())
    settle_folder(folder)
    stages = recipe_sizes(checked.config, recipe, recipe.targets.vocabulary_size).stages
    work = Workspace(folder, recipe, checked, ctx, [stage.name for stage in stages], times_models=False)
    ctx.resume_at(*_last_mark(work))
    set_up_torch(recipe.schedule)
    work.corpus = prepare(recipe.corpus, folder.path, order.corpus_seed, store.corpus, ctx)
    if order.share:
        work.answers = OnDisk(store.answers, order.share)
    results = run(work)
    return results, work.answers.found if isinstance(work.answers, OnDisk) else 0


def _last_mark(work: Any) -> tuple[int, float, list[str]]:
    """Length of the event log, seconds of work and what was told to be doubtful at the run's last safe point."""
    mark: dict[str, Any] = {"events_length": 0, "seconds": 0.0}
    for name in work.stages:
        if not work.finished(name):
            mark = work.checkpointed(name).get("mark", mark)
            break
        mark = work.report(name)["mark"]
    return int(mark["events_length"]), float(mark["seconds"]), list(mark.get("warnings", ()))


def _result(order: Order, folder: RunFolder, results: Mapping[str, Any]) -> dict[str, Any]:
    """What the table needs of a cell."""
    reports = [
        json.loads((stage / "report.json").read_text(encoding="utf-8")) for stage in sorted(folder.stages.iterdir())
    ]
    stages = {report["name"]: {name: report[name] for name in _NOTED if name in report} for report in reports}
    return {
        "cell": asdict(order.cell),
        "model": str(folder.student),
        "digest": model_digest(folder.student),
        "settings": _settings(folder.read_recipe()),
        "results": dict(results),
        "stages": stages,
        "curve": curve(folder.read_events()),
    }


def _settings(recipe: Recipe) -> dict[str, Any]:
    return {key: value for key, value in settings(recipe).items() if key.startswith(("method.", "schedule."))}


def curve(events: Iterable[tuple[float, Event]]) -> list[dict[str, Any]]:
    """A run's validation losses, in order; tokens are counted over all stages."""
    points: list[dict[str, Any]] = []
    before, stage = 0, ""
    for _, event in events:
        if isinstance(event, Loss) and event.split == "validation":
            if stage and event.stage != stage:
                before = points[-1]["tokens"]
            stage = event.stage
            points.append({"stage": stage, "step": event.step, "tokens": before + event.tokens, "mlm": event.mlm})
    return points


if __name__ == "__main__":
    try:
        sys.exit(run_cell(Order.of(sys.stdin.read())))
    except InputError as fault:
        sys.exit("\n".join(f"{one.problem} {one.hint}" for one in fault.faults))
