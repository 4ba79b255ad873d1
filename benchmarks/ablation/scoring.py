"""Scores of model folders on tasks: each training is a unit of its own, kept as a file, whoever asks for it."""

from __future__ import annotations

import contextlib
import hashlib
import json
import sys
import time
import traceback
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.ablation.folds import digest, folded, limited
from benchmarks.ablation.grid import Scoring, Sources, TaskScoring
from core.context import Quiet
from core.locking import try_lock
from core.recipe import Schedule
from core.sealing import write_json
from core.tasks.data import load_task
from core.tasks.examples import TaskData, gold
from core.tasks.kinds import kind_of
from core.tasks.scores import score

_MODEL_FILES = ("config.json", "model.safetensors", "tokenizer.json")


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """One training of a task on one model."""

    model: str
    """Its folder."""
    digest: str
    """What its files hold, see `model_digest`."""
    method: str
    task: TaskScoring
    seed: int
    fold: int | None = None
    """From 0; None: the splits are used as they are."""

    @property
    def file(self) -> str:
        """Name of the file with what came out: the same for the same model and settings, wherever the model is."""
        settings = hashlib.sha256(json.dumps([self.method, asdict(self.task)]).encode()).hexdigest()
        fold = "" if self.fold is None else f"-f{self.fold}"
        return f"{self.digest[:16]}-{self.task.kind}-{self.method}-{settings[:10]}-s{self.seed}{fold}.json"


def model_digest(folder: Path) -> str:
    """What tells this model from others: a hash of its configuration, weights and tokenizer."""
    found = hashlib.sha256()
    for name in _MODEL_FILES:
        with open(folder / name, "rb") as file:
            found.update(hashlib.file_digest(file, "sha256").digest())
    return found.hexdigest()


def units_of(scoring: Scoring, model: str, digest: str) -> Iterator[Unit]:
    """Every training that scoring a model this way takes."""
    for task in scoring.tasks:
        for seed in scoring.seeds:
            for fold in range(task.folds) if task.folds else (None,):
                yield Unit(model=model, digest=digest, method=scoring.method, task=task, seed=seed, fold=fold)


def found_scores(scoring: Scoring, digest: str, folders: Sequence[Path]) -> dict[str, list[float]]:
    """Each task's main score, one a seed, of tasks for which every training is there.

    Args:
        scoring: how.
        digest: the model's.
        folders: where score files may be.
    """
    found: dict[str, list[float]] = {}
    for task in scoring.tasks:
        seeds: dict[int, list[Mapping[str, Any]]] = {}
        units = [unit for unit in units_of(scoring, "", digest) if unit.task == task]
        for unit in units:
            content = next((read for read in (_read(folder / unit.file) for folder in folders) if read), None)
            if content is not None:
                seeds.setdefault(unit.seed, []).append(content)
        if sum(map(len, seeds.values())) == len(units):
            found[task.kind] = [_pooled(task.kind, parts) for parts in seeds.values()]
    return found


def _pooled(kind: str, parts: Sequence[Mapping[str, Any]]) -> float:
    """The main score over the predictions of all folds at once."""
    right = [label for part in parts for label in part["gold"]]
    said = [label for part in parts for label in part["predictions"]]
    return score(kind, right, said)[kind_of(kind).metric]


def _read(path: Path) -> dict[str, Any] | None:
    with contextlib.suppress(OSError, ValueError):
        return dict(json.loads(path.read_text(encoding="utf-8")))
    return None


# -- in a child process ------------------------------------------------------------------------------------------------


def to_json(units: Sequence[Unit], sources: Sources, language: str, folder: Path) -> str:
    """What `work` is given."""
    return json.dumps(
        {"units": [asdict(u) for u in units], "sources": asdict(sources), "language": language, "folder": str(folder)}
    )


def work(given: str) -> int:
    """Train and score what of these units nobody else has done or is doing; several processes may share a list.

    Returns:
        How many went wrong.
    """
    content = json.loads(given)
    units = [Unit(**{**unit, "task": TaskScoring(**unit["task"])}) for unit in content["units"]]
    sources, folder = Sources(**content["sources"]), Path(content["folder"])
    tasks = _Tasks(sources, content["language"])
    wrong = 0
    from core.resolve import set_up_torch

    set_up_torch(Schedule(device="cpu", precision="float32", threads=1))
    models = _Models()
    for unit in units:
        with _alone(folder / unit.file) as mine:
            if not mine:
                continue
            try:
                data = tasks(unit)
                before = _read(folder / unit.file)
                if before is not None and before["data"] == digest(data):
                    continue
                started = time.monotonic()
                content = _score(unit, models(unit), data)
                write_json(folder / unit.file, content | {"seconds": time.monotonic() - started})
                shown = f"{content['score']:.2f} ({content['epochs']} epochs, {time.monotonic() - started:.0f} s)"
            except Exception as error:
                traceback.print_exc()
                wrong += 1
                shown = f"failed: {error}"
        place = "" if unit.fold is None else f" fold {unit.fold + 1}"
        print(f"{unit.model}: {unit.task.kind} {unit.method} seed {unit.seed}{place}: {shown}", flush=True)
    return wrong


def _score(unit: Unit, lm: Any, data: TaskData) -> dict[str, Any]:
    from core.tasks.training import train_and_score

    task = unit.task
    result = train_and_score(
        lm,
        data,
        method=unit.method,
        seed=unit.seed,
        epochs=task.epochs,
        patience=task.patience,
        learning_rate=task.learning_rate or None,
        batch_size=task.batch_size or None,
        reduction_factor=None,
        ctx=Quiet(),
    )
    return {
        "unit": asdict(unit),
        "data": digest(data),
        "score": result.scores[kind_of(task.kind).metric],
        "validation": result.validation,
        "best_epoch": result.best_epoch,
        "epochs": result.epochs,
        "gold": gold(data.test),
        "predictions": result.predictions,
    }


class _Tasks:
    """Tasks' data, each read once."""

    def __init__(self, sources: Sources, language: str) -> None:
        self._sources, self._language = sources, language
        self._known: dict[str, TaskData] = {}

    def __call__(self, unit: Unit) -> TaskData:
        task = unit.task
        if task.kind not in self._known:
            source = self._sources.task(task.kind)
            self._known[task.kind] = load_task(task.kind, source, Path.cwd(), self._language)
        data = self._known[task.kind]
        data = data if unit.fold is None else folded(data, unit.fold, task.folds)
        return limited(data, task.train_limit, task.validation_limit, task.test_limit)


class _Models:
    """The model that is worked with, as units of one follow each other."""

    def __init__(self) -> None:
        self._digest = ""
        self._lm: Any = None

    def __call__(self, unit: Unit) -> Any:
        from core.models import load

        if unit.digest != self._digest:
            self._lm, self._digest = load(Path(unit.model))[0], unit.digest
        return self._lm


@contextlib.contextmanager
def _alone(path: Path) -> Iterator[bool]:
    """Whether no other process is at this file; none will be meanwhile."""
    lock = path.with_suffix(".lock")
    with open(lock, "ab+") as file:
        mine = try_lock(file)
        yield mine
        if mine:
            # While it is held: who opened it before finds the file that this process wrote.
            with contextlib.suppress(OSError):  # Windows keeps it while it is open
                lock.unlink()


if __name__ == "__main__":
    sys.exit(1 if work(sys.stdin.read()) else 0)
