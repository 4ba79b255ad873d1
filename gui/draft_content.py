"""A recipe's content as the set-up holds it, a mapping as TOML gives it, and the edits that are made to it. No Qt."""

from __future__ import annotations

import contextlib
import copy
import os
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, get_type_hints

from core.errors import InputError
from core.patterns import from_base
from core.recipe import Recipe, Task, from_mapping, load, settings
from core.recipe import absolute as recipe_at
from core.rules import Name, Number, Refused, Rule, Several
from core.run import RunFolder
from gui.targets import AXES

Content = dict[str, Any]

_TABLES = {name: kind for name, kind in get_type_hints(Recipe).items() if is_dataclass(kind)}
_TASK_NEEDS = {"kind", "source"}

_INSTEAD = {
    "targets.vocabulary_size": "vocabulary_coverage",
    "targets.vocabulary_coverage": "vocabulary_size",
}
"""A key → the one of its table that can't be set beside it."""
STAND_INS: Content = {"teacher": {"model": "-"}, "language": {"code": "-"}, "corpus": {"sources": ["-"]}}
"""What a recipe needs, where the user hasn't come to it: the rest can be checked and measured all the same."""


def filled(content: Content) -> Content:
    """The content, with something in place of what is needed and isn't there."""
    filled = dict(content)
    for table, stand_in in STAND_INS.items():
        given = content.get(table, {})
        if isinstance(given, Mapping):
            filled[table] = {**stand_in, **given}
    return filled


def movable_recipe(run: RunFolder) -> Path:
    """Where a run's recipe stands so that it can be taken up anywhere.

    As given, where its paths are absolute; else as run, where they all are but everything left open is decided.
    """
    with contextlib.suppress(InputError):
        given = load(run.original_recipe)
        if recipe_at(given, run.path) == given:
            return run.original_recipe
    return run.recipe


def showable(content: Content) -> Content:
    """What the window's controls can show of a content, be it allowed or not."""
    shown = _showable_entries(Recipe, content)
    for name, table in _TABLES.items():
        if isinstance(content.get(name), Mapping):
            shown[name] = _showable_entries(table, content[name])
    tasks = content.get("tasks", [])
    if isinstance(tasks, list):
        entries = [_showable_entries(Task, task) for task in tasks if isinstance(task, Mapping)]
        shown["tasks"] = [entry for entry in entries if entry.keys() >= _TASK_NEEDS]
    return without_empty(shown)


def _showable_entries(table: type[Any], given: Mapping[str, Any]) -> Content:
    rules = {entry.name: entry.metadata["rule"] for entry in fields(table) if "rule" in entry.metadata}
    return {key: value for key, value in given.items() if key in rules and _is_showable(rules[key], value)}


def _is_showable(rule: Rule, value: Any) -> bool:
    """Whether a value is of the rule's kind; a number may be out of range, a name may be one that can't be used."""
    if isinstance(rule, Several):
        return isinstance(value, list) and all(_is_showable(rule.rule, entry) for entry in value)
    if isinstance(rule, Number) and type(value) in ((int,) if rule.whole else (int, float)):
        return True
    if isinstance(rule, Name):
        return isinstance(value, str)
    try:
        rule.read("", value)
    except Refused:
        return False
    return True


def plain(value: Any) -> Any:
    """A value as TOML would give it back."""
    return list(value) if isinstance(value, tuple) else value


def put(content: Content, key: str, value: Any) -> None:
    """Set a key such as "targets.layers"; None takes it out."""
    table, _, name = key.rpartition(".")
    holder = content.setdefault(table, {}) if table else content
    if value is None:
        holder.pop(name, None)
    else:
        holder[name] = plain(value)
        holder.pop(_INSTEAD.get(key, ""), None)


def put_teacher(content: Content, model: str) -> None:
    """Set the teacher."""
    put(content, "teacher.model", model)
    put(content, "teacher.adapt_steps", None)  # whether a teacher needs it is its own matter


def put_targets(content: Content, targets: Mapping[str, int]) -> None:
    """Set the targets, all of them."""
    for key in (*AXES, "attention_heads", "vocabulary_coverage"):
        put(content, f"targets.{key}", targets.get(key))


def append_tasks(content: Content, tasks: tuple[Mapping[str, Any], ...]) -> None:
    """Append tasks; one whose name is taken gets another."""
    present = content.setdefault("tasks", [])
    for task in tasks:
        taken = {entry.get("name", entry.get("kind")) for entry in present}
        name, number = task.get("name", task["kind"]), 2
        while name in taken:
            name, number = f"{task['kind']}-{number}", number + 1
        present.append({**task, **({} if name == task["kind"] else {"name": name})})


def put_task(content: Content, index: int, key: str, value: Any) -> None:
    """Set a key of a task; None takes it out."""
    put(content["tasks"][index], key, value)


def drop_task(content: Content, index: int) -> None:
    """Take out a task."""
    del content["tasks"][index]


def vocabulary_part(content: Content) -> Content:
    """What decides which tokens are kept, as a recipe of its own; something stands in for what isn't chosen yet."""
    part: Content = {key: content[key] for key in ("seed", "language", "corpus") if key in content}
    for table, names in (("teacher", "model"), ("targets", "vocabulary_"), ("method", ("vocabulary_", "preset"))):
        part[table] = {name: value for name, value in content.get(table, {}).items() if name.startswith(names)}
    return filled(without_empty(part))


@lru_cache(maxsize=16)
def defaults(preset: str | None, language: str | None) -> Mapping[str, Any]:
    """What holds for every key of a recipe that sets only these."""
    given: Content = {"language": {"code": language}} if language else {}
    given |= {"method": {"preset": preset}} if preset else {}
    return MappingProxyType(settings(from_mapping({**STAND_INS, **given})))


def without_empty(content: Content) -> Content:
    """The content without tables that hold nothing."""
    return {key: value for key, value in content.items() if value not in ({}, [])}


def absolute(content: Content, base: Path) -> Content:
    """The content with absolute paths; a teacher that is no folder here keeps its name."""

    def is_local(source: str) -> bool:
        return source != "sample" and not source.startswith("hub:")

    def full(source: str) -> str:
        return os.path.join(base, os.path.expanduser(source)) if is_local(source) else source

    content = copy.deepcopy(content)
    model = content.get("teacher", {}).get("model", "")
    if model and os.path.isdir(full(model)):
        content["teacher"]["model"] = full(model)
    if "vocabulary_words" in content.get("method", {}):
        content["method"]["vocabulary_words"] = full(content["method"]["vocabulary_words"])
    if "corpus" in content and "sources" in content["corpus"]:
        content["corpus"]["sources"] = [
            from_base(source, base) if is_local(source) else source for source in content["corpus"]["sources"]
        ]
    for task in content.get("tasks", ()):
        task["source"] = full(task["source"])
    return content
