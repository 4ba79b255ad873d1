"""What a reader is to the fuzzer: cases, and a function that reads one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from hypothesis import strategies as st

Outcome = Literal["read", "refused"]
"""A right result, or a clear message; whatever else happens is a fault of ours."""


@dataclass(frozen=True, slots=True)
class Reader:
    """Something that reads what strangers write."""

    name: str
    title: str
    """What it reads, in words."""
    cases: Callable[[], st.SearchStrategy[Any]]
    begin: Callable[[Path], Callable[[Any], Outcome]]
    """From an empty folder: what reads one case after the other, each as if it were the first."""
