"""What several runs have in common, so that they can be held against each other, and what they don't."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

from core.recipe import Recipe, settings

T = TypeVar("T")
_UNTOLD = ("name",)
"""Settings that shape nothing."""


def differing_settings(recipes: Sequence[Recipe]) -> dict[str, tuple[Any, ...]]:
    """By the recipe's key, the values of all recipes in their order, for keys that differ only; None: absent."""
    told = [settings(recipe) for recipe in recipes]
    keys = dict.fromkeys(key for setting in told for key in setting if key not in _UNTOLD)
    values = {key: tuple(setting.get(key) for setting in told) for key in keys}
    return {key: row for key, row in values.items() if any(value != row[0] for value in row)}


def most_shared(sets: Sequence[frozenset[T]]) -> frozenset[T]:
    """The set that the most of these hold; of several such ones the largest, then the one that sorts first.

    Returns:
        The empty set where all of them are empty.
    """
    found = {one for one in sets if one}
    # Whatever several sets hold lies within what they all have in common: intersections are all there is to look at.
    while new := {one & other for one in found for other in sets if one & other} - found:
        found |= new
    if not found:
        return frozenset()
    return min(found, key=lambda one: (-sum(one <= other for other in sets), -len(one), sorted(map(repr, one))))
