"""The recipe: everything that shapes a run, as frozen dataclasses, read from and written to TOML."""

from __future__ import annotations

import datetime
import os
import tomllib
from collections.abc import Mapping
from dataclasses import MISSING, Field, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import resources
from core.errors import Fault, InputError
from core.patterns import from_base
from core.rules import Choice, Name, Number, Refused, Rule, Several, Text, nearest, shown
from core.secrets import holds_secret
from core.small_files import read_text
from core.wording import clean, shortened

LAYER_SELECTIONS = ("auto", "last", "first", "stride", "first_last", "random", "measured")
FEED_FORWARD_SCORES = ("auto", "first_order", "activation", "wanda")
HIDDEN_REDUCTIONS = ("auto", "truncate", "svd", "per_head", "importance", "importance_gradient", "rotate")
VOCABULARY_FREQUENCIES = ("document", "token")
KD_LOSSES = ("auto", "mse", "kl")
MOST_BYTES = 2**20
"""Of a recipe: one that a person wrote is a page."""
LEAST_LETTERS = 5
"""Of a text, unless the recipe says otherwise."""
_MOST_UNKNOWN = 50
"""Unknown keys that are named, a table: a file of thousands is no recipe."""
_DEEPEST = 32
"""Tables and lists within each other."""
TASK_KINDS = ("topic", "sentiment", "ner", "pos")


def _be(rule: Rule, default: Any = MISSING) -> Any:
    """A field that holds what `rule` allows; without a default it must be there."""
    return field(default=default, metadata={"rule": rule})


@dataclass(frozen=True, slots=True, kw_only=True)
class Teacher:
    """The model that is made smaller."""

    model: str = _be(Text())
    """A hub name, a local folder, or "sample"."""
    adapt_steps: int = _be(Number(low=0), 0)
    """Optimiser steps of masked-language training on the corpus before anything else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Language:
    """The language that the student keeps."""

    code: str = _be(Text())
    """ISO 639-3."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Corpus:
    """Unlabelled text of the language."""

    sources: tuple[str, ...] = _be(Several(Text()))
    limit: int = _be(Number(low=0), 100_000)
    """Texts at most; 0 takes all."""
    validation_fraction: float = _be(Number(low=0, high=0.5, whole=False, above=True), 0.02)
    max_length: int = _be(Number(low=8), 256)
    """Tokens a sequence at most, special ones included; capped by the teacher's."""
    least_letters: int = _be(Number(low=0), LEAST_LETTERS)
    """Texts with fewer letters are dropped."""
    other_scripts: str = _be(Choice(("drop", "keep")), "drop")
    """What becomes of texts in a script that the corpus isn't written in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Targets:
    """The student's sizes; None keeps the teacher's."""

    layers: int | None = _be(Number(low=1), None)
    intermediate_size: int | None = _be(Number(low=1), None)
    hidden_size: int | None = _be(Number(low=1), None)
    attention_heads: int | None = _be(Number(low=1), None)
    vocabulary_size: int | None = _be(Number(low=1), None)
    """Every token counts, special ones and the alphabet included."""
    vocabulary_coverage: float | None = _be(Number(low=0, high=1, whole=False, above=True), None)
    """Instead of a size: share of the corpus' tokens that are kept."""
    vocabulary_multiple: int = _be(Number(low=1, high=1024), 1)
    """The vocabulary's size is rounded up to a multiple of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """How the model is cut and what it learns from."""

    preset: str = _be(Choice(("paper", "fast", "balanced", "best")), "balanced")
    layer_selection: str = _be(Choice(LAYER_SELECTIONS), "auto")
    feed_forward_score: str = _be(Choice(FEED_FORWARD_SCORES), "auto")
    """What tells which feed-forward units matter."""
    hidden_reduction: str = _be(Choice(HIDDEN_REDUCTIONS), "auto")
    mean_folding: str = _be(Choice(("auto", "on", "off")), "auto")
    """Whether the mean of what is dropped goes into the biases."""
    distil_after: str = _be(Choice(("auto", "each", "all")), "auto")
    """One distillation after the layers and one after the width (each, paper), or both as one after all cuts."""
    distil_from: str = _be(Choice(("auto", "teacher", "previous")), "auto")
    """What the second distillation learns from: the teacher, or the model before the width was cut (paper)."""
    rounds: int | str = _be(Number(low=1, high=8, auto=True), "auto")
    """In how many steps, with learning between them, a width is cut."""
    vocabulary_order: str = _be(Choice(("first", "last")), "first")
    vocabulary_frequency: str = _be(Choice(VOCABULARY_FREQUENCIES), "document")
    """What the most frequent tokens are: in the most texts (paper), or the most often."""
    vocabulary_words: str | None = _be(Text(), None)
    """A file of words, one a line, whose tokens are always kept."""
    kd_loss: str = _be(Choice(KD_LOSSES), "auto")
    alpha: float | str = _be(Number(low=0, high=1, whole=False, auto=True), "auto")
    """Weight of the masked-language loss; the teacher's word has the rest."""
    temperature: float = _be(Number(low=0, whole=False, above=True), 1.0)
    """Of the KL loss."""
    hidden_weight: float | str = _be(Number(low=0, whole=False, auto=True), "auto")
    """Weight of the distance between the hidden states, beside the loss above; 0 leaves it out."""
    masked_share: float | str = _be(Number(low=0, high=0.5, whole=False, above=True, auto=True), "auto")
    """Of the tokens that the student learns from; validation texts always have 0.15."""
    dropout: str = _be(Choice(("auto", "on", "off")), "auto")
    """Whether the student learns with its teacher's dropout."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """How long and on what the student learns."""

    distil_steps: int = _be(Number(low=1), 2000)
    """Optimiser steps of each of the two distillations."""
    batch_tokens: int = _be(Number(low=16), 8192)
    """Non-padding tokens an optimiser step."""
    learning_rate: float | str = _be(Number(low=0, whole=False, above=True, auto=True), "auto")
    warmup_fraction: float = _be(Number(low=0, high=1, whole=False), 0.06)
    decay: str = _be(Choice(("auto", "linear", "cosine")), "auto")
    """How the learning rate falls to nothing after the warm-up."""
    patience: int = _be(Number(low=0), 0)
    """A distillation ends after so many validations without a better loss; 0: never early."""
    evaluate_every: int = _be(Number(low=0), 0)
    """Steps between validations; 0: twenty times a distillation."""
    checkpoint_minutes: float = _be(Number(low=0, whole=False), 5.0)
    precision: str = _be(Choice(("auto", "float32", "bfloat16")), "auto")
    device: str = _be(Choice(("auto", "cpu", "cuda", "mps")), "auto")
    threads: int | str = _be(Number(low=1, auto=True), "auto")
    """CPU threads; pinned together with device and precision, a run gives the same bytes again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A downstream task that teacher and student are scored on."""

    kind: str = _be(Choice(TASK_KINDS))
    source: str = _be(Text())
    """A folder with train, validation and test; "hub:NAME[:CONFIGURATION]"; or "sample"."""
    name: str = _be(Name(), "")
    method: str = _be(Choice(("adapter", "probe", "full")), "adapter")
    seeds: tuple[int, ...] = _be(Several(Number(low=0, high=2**32 - 1)), (1, 2, 3))
    epochs: int = _be(Number(low=1), 20)
    patience: int = _be(Number(low=1), 5)
    learning_rate: float | str = _be(Number(low=0, whole=False, above=True, auto=True), "auto")
    batch_size: int | str = _be(Number(low=1, auto=True), "auto")
    reduction_factor: int | str = _be(Number(low=1, auto=True), "auto")
    folds: int | str = _be(Number(low=0, high=20, auto=True), "auto")
    """Cross-validation over all splits in so many folds; 0: the test split alone; auto: only where that is tiny."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """A run, as data."""

    name: str = _be(Name(), "")
    seed: int = _be(Number(low=0, high=2**32 - 1), 42)
    teacher: Teacher
    language: Language
    corpus: Corpus
    targets: Targets = Targets()
    method: Method = Method()
    schedule: Schedule = Schedule()
    tasks: tuple[Task, ...] = ()


TABLES: dict[str, type[Any]] = {
    "teacher": Teacher,
    "language": Language,
    "corpus": Corpus,
    "targets": Targets,
    "method": Method,
    "schedule": Schedule,
}


def load(path: Path) -> Recipe:
    """Read and check a recipe file; relative paths in it stay relative (see `absolute`).

    Raises:
        InputError: unreadable, not TOML, or with faults: all of them at once.
    """
    return parse(read(path), origin=str(path))


def read(path: Path) -> str:
    """A recipe file's text.

    Raises:
        InputError: there is none, or it can't be read.
    """
    try:
        return read_text(path, MOST_BYTES)
    except FileNotFoundError:
        raise InputError(f"There is no recipe {path}.", hint="Check the path.") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not UTF-8 (byte {error.start}).", hint="Save the recipe as UTF-8.") from None
    except OSError as error:
        raise InputError(f"The recipe {path} can't be read: {error.strerror}.", hint="Check the file.") from None
    except ValueError as error:
        raise InputError(f"{path} is no recipe: {error}.", hint="Choose the file that the recipe is in.") from None


def parse(text: str, origin: str = "the recipe") -> Recipe:
    """Read and check a recipe's text.

    Raises:
        InputError: not TOML, or with faults: all of them at once.
    """
    try:
        content = read_toml(text)
    except ValueError as error:
        raise InputError(f"{origin} is not TOML: {error}.", hint="Mend the line that it names.") from None
    recipe = from_mapping(content)
    if holds_secret(text):  # a run keeps its recipe, and people pass recipes on
        raise InputError(
            f"{origin} holds an access token or a password.",
            hint="Take it out, and make a new one on huggingface.co; sign in with: hf auth login, or set HF_TOKEN.",
        )
    return recipe


def read_toml(text: str) -> dict[str, Any]:
    """What a text in TOML holds.

    Raises:
        ValueError: it is no TOML, or nests deeper than any recipe.
    """
    try:
        content = tomllib.loads(text)
        # Dotted keys nest without bound, and then whatever looks at the content is lost in it.
        if _depth(content) > _DEEPEST:
            raise ValueError("it nests too deeply")
    except RecursionError:
        raise ValueError("it nests too deeply") from None
    return content


def _depth(content: Any) -> int:
    deepest, left = 0, [(content, 0)]
    while left:
        value, depth = left.pop()
        deepest = max(deepest, depth)
        if isinstance(value, dict | list):
            left += [(inner, depth + 1) for inner in (value.values() if isinstance(value, dict) else value)]
    return deepest


def from_mapping(content: Mapping[str, Any]) -> Recipe:
    """Check a recipe's content, filling in the preset's values and the defaults.

    Raises:
        InputError: unknown keys, wrong types, values out of range: all of them at once.
    """
    faults: list[Fault] = []
    top = {name: value for name, value in content.items() if name not in (*TABLES, "tasks")}
    values: dict[str, Any] = _read(Recipe, "", top, faults, skip=(*TABLES, "tasks"))
    method = content.get("method", {})
    preset = _by_table(preset_values(method.get("preset") if isinstance(method, Mapping) else None))
    for name, table in TABLES.items():
        given = content.get(name, {})
        if not isinstance(given, Mapping):
            faults.append(Fault(f"{name} is {shown(given)}.", f"Write a table: [{name}].", name))
            continue
        values[name] = _build(table, f"{name}.", {**preset.get(name, {}), **given}, faults)
    values["tasks"] = _tasks(content.get("tasks", []), faults)
    targets: Targets | None = values.get("targets")
    if targets and targets.vocabulary_size is not None and targets.vocabulary_coverage is not None:
        problem = "The recipe says both targets.vocabulary_size and targets.vocabulary_coverage."
        faults.append(Fault(problem, "Leave one of them out.", "targets.vocabulary_coverage"))
    if faults:
        raise InputError.of(faults)
    recipe = Recipe(**values)
    if not recipe.name:
        recipe = replace(recipe, name=f"{recipe.language.code}-{datetime.date.today().isoformat()}")
    return recipe


def preset_values(name: object) -> dict[str, Any]:
    """What a preset says itself, by key; the default one's for None, nothing for a name that is none."""
    presets = tomllib.loads((Path(resources.__file__).parent / "presets.toml").read_text(encoding="utf-8"))
    preset = presets.get(Method().preset if name is None else name, {}) if isinstance(name, (str, type(None))) else {}
    return {f"{table}.{key}": value for table, entries in preset.items() for key, value in entries.items()}


def _by_table(values: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    tables: dict[str, dict[str, Any]] = {}
    for key, value in values.items():
        table, _, name = key.partition(".")
        tables.setdefault(table, {})[name] = value
    return tables


def _tasks(given: Any, faults: list[Fault]) -> tuple[Task, ...]:
    """The tasks, each named after its kind where it has no name."""
    if not isinstance(given, list) or not all(isinstance(entry, Mapping) for entry in given):
        faults.append(Fault(f"tasks is {shown(given)}.", "Write each task as a table of its own: [[tasks]].", "tasks"))
        return ()
    tasks: list[Task] = []
    for index, entry in enumerate(given):
        task = _build(Task, f"tasks[{index}].", entry, faults)
        if task is None:
            continue
        task = task if task.name else replace(task, name=task.kind)
        if task.folds == 1:
            hint = "Write 2 or more, or 0 to score the test split alone."
            faults.append(Fault(f"tasks[{index}].folds is 1.", hint, f"tasks[{index}].folds"))
        if task.name in {other.name for other in tasks}:
            key = f"tasks[{index}].name"
            faults.append(Fault(f"Two tasks are called {task.name!r}.", f"Give tasks[{index}] another name.", key))
        tasks.append(task)
    return tuple(tasks)


def _build(table: type[Any], prefix: str, given: Mapping[str, Any], faults: list[Fault]) -> Any:
    """An instance of `table`, or None where something it needs is missing or wrong."""
    before = len(faults)
    values = _read(table, prefix, given, faults)
    return table(**values) if len(faults) == before else None


def _read(
    table: type[Any], prefix: str, given: Mapping[str, Any], faults: list[Fault], skip: tuple[str, ...] = ()
) -> dict[str, Any]:
    """The checked values of a table's keys; what is wrong joins `faults`."""
    known: dict[str, Field[Any]] = {entry.name: entry for entry in fields(table) if entry.name not in skip}
    values: dict[str, Any] = {}
    unknown = 0
    for key, value in given.items():
        if key not in known:
            if unknown == _MOST_UNKNOWN:
                continue
            allowed = (*known, *skip)
            hint = nearest(key, allowed)
            faults.append(
                Fault(f"The recipe has an unknown key {prefix}{shortened(clean(key), 80)}.", hint, f"{prefix}{key}")
            )
            unknown += 1
            continue
        try:
            values[key] = known[key].metadata["rule"].read(f"{prefix}{key}", value)
        except Refused as refused:
            faults.append(refused.fault.about(f"{prefix}{key}"))
    for key, entry in known.items():
        if entry.default is MISSING and key not in given:
            hint = "Add it; the README lists every key."
            faults.append(Fault(f"The recipe lacks {prefix}{key}.", hint, f"{prefix}{key}"))
    return values


def absolute(recipe: Recipe, base: Path) -> Recipe:
    """The recipe with every path absolute, relative ones taken from `base`."""

    def path(source: str, *, must_exist: bool) -> str:
        if source == "sample" or source.startswith("hub:"):
            return source
        full = os.path.join(base.absolute(), os.path.expanduser(source))
        return full if os.path.exists(full) or not must_exist else source

    def pattern(source: str) -> str:
        return source if source == "sample" or source.startswith("hub:") else from_base(source, base.absolute())

    words = recipe.method.vocabulary_words
    return replace(
        recipe,
        teacher=replace(recipe.teacher, model=path(recipe.teacher.model, must_exist=True)),
        corpus=replace(recipe.corpus, sources=tuple(map(pattern, recipe.corpus.sources))),
        method=replace(recipe.method, vocabulary_words=words and path(words, must_exist=False)),
        tasks=tuple(replace(task, source=path(task.source, must_exist=False)) for task in recipe.tasks),
    )


def settings(recipe: Recipe) -> dict[str, Any]:
    """Every value by its key, such as "targets.layers"; tasks by their names: "tasks.ner.epochs"."""
    values: dict[str, Any] = {"name": recipe.name, "seed": recipe.seed}
    tables = {name: getattr(recipe, name) for name in TABLES}
    for prefix, table in (tables | {f"tasks.{task.name}": task for task in recipe.tasks}).items():
        values |= {f"{prefix}.{entry.name}": getattr(table, entry.name) for entry in fields(table)}
    return values
