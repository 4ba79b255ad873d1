"""All readers that are fuzzed, by name."""

from __future__ import annotations

from benchmarks.fuzz.models import READERS as MODELS
from benchmarks.fuzz.reader import Reader
from benchmarks.fuzz.runs import READERS as RUNS
from benchmarks.fuzz.texts import READERS as TEXTS

READERS: dict[str, Reader] = {**TEXTS, **MODELS, **RUNS}
