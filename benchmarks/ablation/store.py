"""Where a grid's work lives on disk. No torch.

setup.json            the grid file and where model and data are, as last given
teachers/NAME/        the teacher's run
teacher.json          what the table needs of it
corpus/               the texts, split once for all cells by the teacher's seed
cells/CELL/           each cell's run; of a finished one the student stays
results/CELL.json     what the table needs of a finished cell
scores/*.json         each training of a task, see `benchmarks.ablation.scoring`
logs/                 what the child processes said
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.ablation.grid import Cell, Grid, Sources, load_grid
from core.errors import InputError
from core.locking import try_lock
from core.run import RunFolder
from core.sealing import write_json

_WAIT_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Store:
    """The paths of a grid's work."""

    path: Path

    @property
    def teacher_file(self) -> Path:
        """What the table needs of the teacher."""
        return self.path / "teacher.json"

    @property
    def corpus(self) -> Path:
        """The prepared texts."""
        return self.path / "corpus"

    @property
    def scores(self) -> Path:
        """A file a training of a task."""
        return self.path / "scores"

    @property
    def answers(self) -> Path:
        """What the teacher said, for cells that read the same batches."""
        return self.path / "answers"

    def teacher(self, name: str) -> RunFolder:
        """The run that makes the teacher."""
        return RunFolder(self.path / "teachers" / name)

    def cell(self, cell: Cell) -> RunFolder:
        """A cell's run."""
        return RunFolder(self.path / "cells" / cell.name)

    def log(self, name: str) -> Path:
        """What a child process said."""
        return self.path / "logs" / f"{name}.log"

    def result_file(self, cell: Cell) -> Path:
        """What the table needs of a cell."""
        return self.path / "results" / f"{cell.name}.json"

    def result(self, cell: Cell) -> dict[str, Any] | None:
        """A finished cell's result."""
        return read_json(self.result_file(cell))

    def read_teacher(self) -> dict[str, Any]:
        """What the table needs of the teacher.

        Raises:
            InputError: there is no teacher yet.
        """
        content = read_json(self.teacher_file)
        if content is None:
            raise InputError(f"{self.path} has no teacher yet.", hint="Run the grid first, with the same --out.")
        return content

    def set_up(self, grid: Path, sources: Sources) -> None:
        """Keep what this folder is worked on with."""
        self.path.mkdir(parents=True, exist_ok=True)
        write_json(self.path / "setup.json", {"grid": str(grid.absolute()), **asdict(sources)})

    def read_setup(self) -> tuple[Grid, Sources]:
        """The grid, as its file is now, and the sources that this folder was last worked on with.

        Raises:
            InputError: there is no such work here, or its grid is gone or wrong.
        """
        content = read_json(self.path / "setup.json")
        if content is None:
            raise InputError(f"There is no grid's work in {self.path}.", hint="Check the folder, or run a grid there.")
        return load_grid(Path(content["grid"])), Sources(model=content["model"], data=content["data"])

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Wait until no other process makes what all cells share."""
        self.path.mkdir(parents=True, exist_ok=True)
        with open(self.path / "lock", "ab+") as file:
            while not try_lock(file):
                time.sleep(_WAIT_SECONDS)
            yield


def read_json(path: Path) -> dict[str, Any] | None:
    """A JSON file's content; None where there is none, or none that can be read."""
    with contextlib.suppress(OSError, ValueError):
        return dict(json.loads(path.read_text(encoding="utf-8")))
    return None
