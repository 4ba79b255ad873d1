"""What a grid file says: the cells to run, as recipes, and how to score their models. No torch.

    title = "…"                     about = "…"              conclusion = "…", once there is one
    seeds = [1, 2, 3]
    [teacher]                       name, and set = {"teacher.adapt_steps" = 400, …}: recipe keys of its own run
    [base.corpus] …                 what every recipe of the grid says
    [[variants]]                    name, set = {"method.hidden_reduction" = "rotate"}, reference = true for the one
                                    (or those) that the gaps are told against
    [[sizes]]                       name, targets = {hidden_size = 192, …}
    [[budgets]]                     name, distil_steps = 100
    [[cells]]                       variants, sizes, budgets, seeds: lists; what none of them names isn't run
    [[scoring]]                     name, method, seeds, defaults of its tasks, lists as in [[cells]]; [[scoring.tasks]]

Variants, sizes and budgets may each `set` further recipe keys; the last of the three wins.
"""

from __future__ import annotations

import itertools
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Any, TypeVar

from core.errors import Fault, InputError, gathering
from core.recipe import from_mapping
from core.tasks.kinds import KINDS, METHODS

T = TypeVar("T")

_PINNED = {"schedule.device": "cpu", "schedule.precision": "float32", "schedule.threads": 1}
"""What makes a cell come out the same on every machine of a kind."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """One way of making the student."""

    name: str
    set: Mapping[str, Any]
    """Recipe keys and their values."""
    reference: bool = False
    """Whether gaps are told against this one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How small the student is made."""

    name: str
    targets: Mapping[str, Any]
    set: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """How long the student learns."""

    name: str
    distil_steps: int
    set: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Some of the cells: an empty list means all."""

    variants: tuple[str, ...] = ()
    sizes: tuple[str, ...] = ()
    budgets: tuple[str, ...] = ()
    seeds: tuple[int, ...] = ()

    def takes(self, cell: Cell) -> bool:
        """Whether a cell is one of them."""
        return all(
            not names or name in names
            for names, name in (
                (self.variants, cell.variant),
                (self.sizes, cell.size),
                (self.budgets, cell.budget),
                (self.seeds, cell.seed),
            )
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One run of a grid."""

    variant: str
    size: str
    budget: str
    seed: int

    @property
    def name(self) -> str:
        """Its folder's name."""
        return f"{self.variant}.{self.size}.{self.budget}.s{self.seed}"


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskScoring:
    """How a task is trained and scored. Limits are numbers of first examples, 0 takes all."""

    kind: str
    folds: int = 0
    """The splits are merged and every part is scored once by a model that learnt from the others; 0: as they are."""
    epochs: int = 20
    patience: int = 5
    train_limit: int = 0
    validation_limit: int = 0
    test_limit: int = 0
    learning_rate: float = 0.0
    """0: the method's own."""
    batch_size: int = 0
    """0: the method's own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scoring:
    """One way of scoring models, and of which cells."""

    name: str
    method: str
    seeds: tuple[int, ...]
    tasks: tuple[TaskScoring, ...]
    cells: Filter


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """Where the model and the data are on this machine."""

    model: str
    """What `teacher.model` takes."""
    data: str
    """A folder with corpus.txt and a folder a kind of task, or "sample"."""

    @property
    def corpus(self) -> str:
        """What `corpus.sources` takes."""
        return self.data if self.data == "sample" else str(Path(self.data) / "corpus.txt")

    def task(self, kind: str) -> str:
        """What `load_task` takes."""
        return self.data if self.data == "sample" else str(Path(self.data) / kind)


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """A grid file's content."""

    title: str
    about: str
    conclusion: str
    teacher: str
    """The name of the teacher's run."""
    teacher_set: Mapping[str, Any]
    base: Mapping[str, Any]
    """Recipe keys that every run has, such as "corpus.max_length"."""
    variants: tuple[Variant, ...]
    sizes: tuple[Size, ...]
    budgets: tuple[Budget, ...]
    seeds: tuple[int, ...]
    filters: tuple[Filter, ...]
    scoring: tuple[Scoring, ...]

    @property
    def language(self) -> str:
        """ISO 639-3 code of the texts."""
        return str(self.base["language.code"])

    @property
    def cells(self) -> tuple[Cell, ...]:
        """Every cell that is to be run, the first seeds first."""
        every = (
            Cell(variant=variant.name, size=size.name, budget=budget.name, seed=seed)
            for seed, budget, size, variant in itertools.product(self.seeds, self.budgets, self.sizes, self.variants)
        )
        return tuple(cell for cell in every if not self.filters or any(one.takes(cell) for one in self.filters))

    @property
    def references(self) -> tuple[str, ...]:
        """Names of the variants that gaps are told against."""
        return tuple(variant.name for variant in self.variants if variant.reference)

    def teacher_recipe(self, sources: Sources) -> dict[str, Any]:
        """The content of the recipe that makes the teacher: it adapts, and may cut the vocabulary."""
        keys = {**self.base, **self.teacher_set, **_PINNED}
        keys |= {"name": self.teacher, "teacher.model": sources.model, "corpus.sources": [sources.corpus]}
        return nested(keys)

    def cell_recipe(self, cell: Cell, teacher: str, sources: Sources) -> dict[str, Any]:
        """The content of a cell's recipe.

        Args:
            cell: one of this grid's.
            teacher: the folder of the adapted teacher.
            sources: where the corpus is.
        """
        size, budget = _named(self.sizes, cell.size), _named(self.budgets, cell.budget)
        keys: dict[str, Any] = {**self.base, **{f"targets.{key}": value for key, value in size.targets.items()}}
        keys |= {"schedule.distil_steps": budget.distil_steps}
        keys |= {**_named(self.variants, cell.variant).set, **size.set, **budget.set, **_PINNED}
        keys |= {"name": cell.name, "seed": cell.seed, "teacher.model": teacher, "teacher.adapt_steps": 0}
        return nested({**keys, "corpus.sources": [sources.corpus]})

    def check(self) -> None:
        """Check what every run would be told.

        Raises:
            InputError: a key or value that no recipe may have, each named with its cell.
        """
        nowhere = Sources(model="model", data="data")
        faults: list[Fault] = []
        with gathering(faults):
            from_mapping(self.teacher_recipe(nowhere))
        for cell in self.cells:
            try:
                from_mapping(self.cell_recipe(cell, "teacher", nowhere))
            except InputError as error:
                faults += [Fault(f"{cell.name}: {fault.problem}", fault.hint) for fault in error.faults]
        if faults:
            raise InputError.of(faults)


def nested(keys: Mapping[str, Any]) -> dict[str, Any]:
    """Tables from dotted keys: {"method.alpha": 1} becomes {"method": {"alpha": 1}}."""
    content: dict[str, Any] = {}
    for key, value in keys.items():
        table, dot, name = key.partition(".")
        if dot:
            content.setdefault(table, {})[name] = value
        else:
            content[key] = value
    return content


def flat(tables: Mapping[str, Any]) -> dict[str, Any]:
    """The other way round."""
    keys: dict[str, Any] = {}
    for key, value in tables.items():
        if isinstance(value, Mapping):
            keys |= {f"{key}.{name}": inner for name, inner in value.items()}
        else:
            keys[key] = value
    return keys


def load_grid(path: Path) -> Grid:
    """Read and check a grid file.

    Raises:
        InputError: it can't be read, or something in it is wrong.
    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"The grid {path} can't be read: {error.strerror}.", hint="Check the path.") from None
    except ValueError as error:
        raise InputError(f"{path} is not TOML: {error}.", hint="Mend the line that it names.") from None
    grid = parse_grid(content)
    grid.check()
    return grid


def parse_grid(content: Mapping[str, Any]) -> Grid:
    """A grid from a file's content; what its recipes say is left to `Grid.check`.

    Raises:
        InputError: a table or key that grids don't have, or lack.
    """
    known = ("title", "about", "conclusion", "seeds", "teacher", "base")
    _only(content, (*known, "variants", "sizes", "budgets", "cells", "scoring"), "The grid")
    teacher = _table(content, "teacher", ("name", "set"))
    grid = Grid(
        title=_need(content, "title", str, "The grid"),
        about=_need(content, "about", str, "The grid").strip(),
        conclusion=str(content.get("conclusion", "")).strip(),
        teacher=_need(teacher, "name", str, "[teacher]"),
        teacher_set=dict(teacher.get("set", {})),
        base=flat(_table(content, "base")),
        variants=_entries(content, "variants", Variant, set={}),
        sizes=_entries(content, "sizes", Size, set={}),
        budgets=_entries(content, "budgets", Budget, set={}),
        seeds=tuple(_need(content, "seeds", list, "The grid")),
        filters=tuple(_filter(entry, "[[cells]]") for entry in content.get("cells", ())),
        scoring=tuple(_scoring(entry) for entry in content.get("scoring", ())),
    )
    if "language.code" not in grid.base:
        raise InputError("The grid lacks base.language.code.", hint='Add [base.language] with code = "eng" or another.')
    _check_names(grid)
    return grid


def _scoring(entry: Mapping[str, Any]) -> Scoring:
    where = f"The scoring {entry.get('name', '')!r}"
    shared = [field.name for field in fields(TaskScoring) if field.name != "kind"]
    which = [field.name for field in fields(Filter) if field.name != "seeds"]
    _only(entry, ("name", "method", "seeds", "tasks", "cell_seeds", *shared, *which), where)
    method = _need(entry, "method", str, where)
    if method not in METHODS:
        raise InputError(f"{where}: there is no method {method!r}.", hint=f"Choose one of: {', '.join(METHODS)}.")
    defaults = {name: entry[name] for name in shared if name in entry}
    tasks = tuple(_build(TaskScoring, {**defaults, **task}, f"{where}: a task") for task in entry.get("tasks", ()))
    for task in tasks:
        if task.kind not in KINDS:
            raise InputError(f"{where}: there is no task {task.kind!r}.", hint=f"Choose one of: {', '.join(KINDS)}.")
        if task.folds == 1 or task.folds < 0:
            raise InputError(f"{where}: {task.kind} has {task.folds} folds.", hint="Give 2 or more, or 0 for none.")
    chosen = {name: entry[name] for name in which if name in entry} | {"seeds": entry.get("cell_seeds", ())}
    return Scoring(
        name=_need(entry, "name", str, where),
        method=method,
        seeds=tuple(_need(entry, "seeds", list, where)),
        tasks=tasks,
        cells=_filter(chosen, where),
    )


def _filter(entry: Mapping[str, Any], where: str) -> Filter:
    return _build(Filter, {key: tuple(value) for key, value in entry.items()}, where)


def _check_names(grid: Grid) -> None:
    """Names that stand twice, or that a list has and no table does."""
    known = {
        "variants": [one.name for one in grid.variants],
        "sizes": [one.name for one in grid.sizes],
        "budgets": [one.name for one in grid.budgets],
        "scoring": [one.name for one in grid.scoring],
    }
    faults = [
        Fault(f"Two of the {key} are called {name!r}.", "Give one of them another name.")
        for key, names in known.items()
        for name in sorted({name for name in names if names.count(name) > 1})
    ]
    for one in (*grid.filters, *(entry.cells for entry in grid.scoring)):
        for key in ("variants", "sizes", "budgets"):
            faults += [
                Fault(f"The {key} hold no {name!r}.", f"There are: {', '.join(known[key])}.")
                for name in getattr(one, key)
                if name not in known[key]
            ]
    if faults:
        raise InputError.of(faults)


def _entries(content: Mapping[str, Any], key: str, kind: type[T], **defaults: Any) -> tuple[T, ...]:
    entries = content.get(key, ())
    if not entries:
        raise InputError(f"The grid has no {key}.", hint=f"Add at least one table [[{key}]].")
    return tuple(_build(kind, {**defaults, **entry}, f"[[{key}]]") for entry in entries)


def _build(kind: type[T], entry: Mapping[str, Any], where: str) -> T:
    known = fields(kind)  # type: ignore[arg-type]
    _only(entry, [field.name for field in known], where)
    lacking = [field.name for field in known if field.default is MISSING and field.name not in entry]
    if lacking:
        raise InputError(f"{where} lacks {', '.join(lacking)}.", hint="Add it.")
    return kind(**entry)


def _table(content: Mapping[str, Any], name: str, known: Sequence[str] = ()) -> Mapping[str, Any]:
    table = content.get(name)
    if not isinstance(table, Mapping):
        raise InputError(f"The grid has no table [{name}].", hint="Add it; benchmarks/grids/sample.toml shows how.")
    if known:
        _only(table, known, f"[{name}]")
    return table


def _need(table: Mapping[str, Any], key: str, kind: type[T], where: str) -> T:
    value = table.get(key)
    if not isinstance(value, kind) or not value:
        raise InputError(f"{where} lacks {key}.", hint="Add it; benchmarks/grids/sample.toml shows how.")
    return value


def _only(table: Mapping[str, Any], known: Sequence[str], where: str) -> None:
    unknown = [key for key in table if key not in known]
    if unknown:
        raise InputError(f"{where} has an unknown key {unknown[0]}.", hint=f"It may have: {', '.join(known)}.")


def _named(entries: Sequence[Any], name: str) -> Any:
    return next(entry for entry in entries if entry.name == name)
