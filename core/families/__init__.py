"""One declarative table per architecture. A new architecture is a new table, listed here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from core.errors import InputError
from core.families import bert, distilbert, modernbert, xlm_roberta
from core.families.table import PARTS, REDUCIBLE, Axis, Family, Part, Reducible, Sizes, Tensor
from core.rules import shown

__all__ = ["FAMILIES", "PARTS", "REDUCIBLE", "Axis", "Family", "Part", "Reducible", "Sizes", "Tensor", "family_of"]

FAMILIES: tuple[Family, ...] = (bert.FAMILY, xlm_roberta.FAMILY, distilbert.FAMILY, modernbert.FAMILY)


def family_of(config: Mapping[str, Any]) -> Family:
    """The family of a model, by the `model_type` of its config.json.

    Raises:
        InputError: no table knows this architecture.
    """
    model_type = config.get("model_type")
    for family in FAMILIES:
        if model_type in family.model_types:
            return family
    known = ", ".join(name for family in FAMILIES for name in family.model_types)
    raise InputError(
        f"The architecture {shown(model_type)} is not supported.", hint=f"Choose a model of one of: {known}."
    )
