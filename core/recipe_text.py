"""Recipes as TOML text: writes them, with the reasons of what was decided above the values, and finds those again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields
from types import MappingProxyType
from typing import Any

from core.recipe import TABLES, Recipe


def to_toml(recipe: Recipe, reasons: Mapping[str, str] = MappingProxyType({})) -> str:
    """The recipe as TOML text that `parse` reads back to an equal recipe.

    Args:
        recipe: the recipe.
        reasons: by key, a sentence that stands above its value, as a comment.
    """
    content: dict[str, Any] = {"name": recipe.name, "seed": recipe.seed}
    content |= {name: _entries(getattr(recipe, name)) for name in TABLES}
    return mapping_to_toml({**content, "tasks": [_entries(task) for task in recipe.tasks]}, reasons)


def mapping_to_toml(content: Mapping[str, Any], reasons: Mapping[str, str] = MappingProxyType({})) -> str:
    """A recipe's content as TOML text: what it says, in the order of the recipe's tables, and nothing else."""
    lines = [f"{key} = {_value(value)}" for key, value in content.items() if key not in (*TABLES, "tasks")]
    for name in TABLES:
        if name in content:
            lines += ["", f"[{name}]"]
            for key, value in content[name].items():
                reason = reasons.get(f"{name}.{key}")
                lines += [f"# {reason}", f"{key} = {_value(value)}"] if reason else [f"{key} = {_value(value)}"]
    for task in content.get("tasks", ()):
        lines += ["", "[[tasks]]", *(f"{key} = {_value(value)}" for key, value in task.items())]
    return "\n".join(lines).lstrip("\n") + "\n"


def reasons_in(text: str) -> dict[str, str]:
    """The reasons that `to_toml` wrote, by key; any comment above a table's value counts as one."""
    found: dict[str, str] = {}
    table = comment = ""
    for line in text.split("\n"):  # not the ends of lines that only Unicode knows: values may hold them
        if line.startswith("["):
            table = line.strip("[]")
        key, equals, _ = line.partition(" = ")
        if comment and equals and table in TABLES:
            found[f"{table}.{key}"] = comment
        comment = line[2:] if line.startswith("# ") else ""
    return found


def _entries(table: Any) -> dict[str, Any]:
    values = ((entry.name, getattr(table, entry.name)) for entry in fields(table))
    return {key: value for key, value in values if value is not None}


def _value(value: Any) -> str:
    if isinstance(value, str):
        # TOML's basic strings are JSON's, but that TOML wants DEL escaped too.
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, (tuple, list)):
        return "[" + ", ".join(_value(entry) for entry in value) + "]"
    return repr(value)
