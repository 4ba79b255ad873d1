"""Measured numbers that turn out to be none, such as the loss of a model that is broken: JSON has no word for them."""

from __future__ import annotations

import math
from typing import Any


def only_numbers(content: Any, place: str = "") -> tuple[Any, list[str]]:
    """JSON's content with None for what is infinite or no number, and the places of these, such as "teacher.mlm_loss".

    Args:
        content: mappings, sequences and what JSON knows else.
        place: that of the content itself.
    """
    if isinstance(content, float) and not math.isfinite(content):
        return None, [place]
    if isinstance(content, dict):
        pairs = {key: only_numbers(value, f"{place}.{key}".lstrip(".")) for key, value in content.items()}
        return {key: found for key, (found, _) in pairs.items()}, [gone for _, each in pairs.values() for gone in each]
    if isinstance(content, list | tuple):
        entries = [only_numbers(value, f"{place}[{number}]") for number, value in enumerate(content)]
        return [found for found, _ in entries], [gone for _, each in entries for gone in each]
    return content, []
