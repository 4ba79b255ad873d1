"""What both sides of the race share: texts, the kept tokens, validation, and a clock that can stand still."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar, cast

import numpy as np
import torch

from benchmarks.speed.race import HELD_OUT, TRAIN
from benchmarks.speed.texts import MOST, Cut, drawn_lengths, ids_of, joined, read_lines
from core.analysis.preview import recipe_sizes
from core.context import Quiet
from core.corpus.batches import MaskedBatch
from core.distillation.data import TextData
from core.distillation.validation import measure
from core.errors import InputError
from core.events import Event
from core.models import LanguageModel, load
from core.preflight import check_teacher
from core.recipe import from_mapping
from core.recipe_text import mapping_to_toml
from core.resolve import resolve, set_up_torch
from core.run import RunFolder
from core.run_context import RunContext
from core.vocabulary.rewriting import numbering
from core.workspace import Workspace

T = TypeVar("T", bound=Workspace)

_POINTS = 40
"""Of our curve, at most, but for its end."""
_VALIDATION_TEXTS = 96
_VALIDATION_TOKENS = 2_048
"""Of a batch, padding included."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What a side is told."""

    folder: str
    """Holds the texts, and takes what a side writes."""
    teacher: str
    steps: int
    """The reference's."""
    batch: int
    """Texts of a step of the reference's."""
    our_steps: int
    batch_tokens: int
    """Of a step of ours."""
    vocabulary: int
    language: str
    precision: str
    seed: int

    def workspace(self, name: str, kind: type[T], hear: Callable[[Event], None] | None = None) -> T:
        """A run of ours that halves the layers and trims the vocabulary, with nothing done yet but reading the text.

        Args:
            name: of its folder.
            kind: of workspace.
            hear: gets every event.
        """
        content = {
            "seed": self.seed,
            "teacher": {"model": self.teacher},
            "language": {"code": self.language},
            "corpus": {"sources": [str(Path(self.folder) / TRAIN)], "max_length": MOST},
            "targets": {"layers": self.layers, "vocabulary_size": self.vocabulary},
            "schedule": {
                "distil_steps": self.our_steps,
                "batch_tokens": self.batch_tokens,
                "device": "cpu",
                "precision": self.precision,
                "evaluate_every": -(-self.our_steps // _POINTS),
            },
        }
        folder = RunFolder(Path(self.folder) / name)
        folder.create(mapping_to_toml(content))
        recipe = from_mapping(content)
        checked = check_teacher(recipe, folder.path)
        recipe = resolve(recipe, checked.family, checked.sizes)
        stages = recipe_sizes(checked.config, recipe, recipe.targets.vocabulary_size).stages
        work = kind(folder, recipe, checked, RunContext(folder, hear), [stage.name for stage in stages])
        set_up_torch(recipe.schedule)
        work.corpus  # noqa: B018 (reading is the point)
        return work

    @property
    def layers(self) -> int:
        """Of the student: half the teacher's."""
        return self.load().sizes.layers // 2

    def load(self) -> LanguageModel:
        """The teacher."""
        return load(Path(self.teacher))[0]

    def validation(self, whole: LanguageModel, trimmed: LanguageModel, kept: Sequence[int]) -> list[MaskedBatch]:
        """Held-out lines of kept tokens only, joined and masked, in the trimmed model's tokens.

        Raises:
            InputError: there is no such line.
            RuntimeError: the trimmed tokenizer cuts a text in another way (a fault of ours).
        """
        new, most = numbering(kept), min(MOST, whole.max_length)
        lines = read_lines(Path(self.folder) / HELD_OUT)
        good = (line for line in lines if all(int(token) in new for token in ids_of(line, whole.tokenizer)))
        texts = joined(good, drawn_lengths(_VALIDATION_TEXTS, self.seed), whole.tokenizer)
        if not texts:
            raise InputError("No held-out line has only tokens that are kept.", hint="Raise --vocabulary.")
        found = []
        for text in texts:
            ids = np.array([new[int(token)] for token in ids_of(text, whole.tokenizer, most)], dtype=np.int64)
            if not np.array_equal(ids, ids_of(text, trimmed.tokenizer, most)):
                raise RuntimeError(f"the trimmed tokenizer cuts {text[:200]!r} in another way")
            found.append(ids)
        cut = cast(Any, Cut(found))
        return TextData(cut, cut, trimmed.tokenizer, self.seed, _VALIDATION_TOKENS).validation_batches()


def given() -> Setting:
    """What standard input says."""
    return Setting(**json.load(sys.stdin))


@dataclass(slots=True)
class Clock:
    """Runs while a side works, and says how long each part took."""

    parts: dict[str, float] = field(default_factory=dict)
    _part: str | None = None
    _since: float = 0.0

    @property
    def seconds(self) -> float:
        """Of all parts so far."""
        return sum(self.parts.values()) + (time.perf_counter() - self._since if self._part is not None else 0.0)

    def begin(self, part: str) -> None:
        """Go on with another part."""
        self.stop()
        self._part, self._since = part, time.perf_counter()

    def stop(self) -> None:
        """Stand still until the next part."""
        if self._part is not None:
            self.parts[self._part] = self.parts.get(self._part, 0.0) + time.perf_counter() - self._since
        self._part = None

    def leave_out(self, since: float) -> None:
        """Let what was done of the running part since then not count."""
        self._since += time.perf_counter() - since


@dataclass(slots=True)
class Curve:
    """A side's validation losses over its own time."""

    clock: Clock
    batches: Sequence[MaskedBatch]
    points: list[dict[str, float]] = field(default_factory=list)

    def add(self, step: int, tokens: int, lm: LanguageModel, since: float | None = None) -> None:
        """Validate a model of the trimmed vocabulary; what is done here, or since then, doesn't count."""
        since = time.perf_counter() if since is None else since
        found = measure(lm, self.batches, Quiet())
        self.clock.leave_out(since)
        seconds = self.clock.seconds
        point = {"step": step, "tokens": tokens, "seconds": seconds, "loss": found.mlm, "accuracy": found.accuracy}
        self.points.append(point)
        print(f"step {step}, {seconds:.0f} s: {found.mlm:.4f}", file=sys.stderr, flush=True)

    def told(self, **more: Any) -> None:
        """Print the last line that a side says."""
        tokens = sum(batch.tokens for batch in self.batches)
        places = sum(len(batch.labels) for batch in self.batches)
        about = {"validation": {"tokens": tokens, "places": places}, "threads": torch.get_num_threads()}
        print(json.dumps({"parts": self.clock.parts, "curve": self.points, **about, **more}))
