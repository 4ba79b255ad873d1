"""Our step on the texts that the reference reads, with its loss or with the one that we choose ourselves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from benchmarks.speed.cost import Block, Way
from benchmarks.speed.models import Pair
from benchmarks.speed.reference import RATE
from benchmarks.speed.texts import Cut, Ids
from core.context import Quiet
from core.corpus.batches import MASKED_SHARE, MaskedBatch
from core.distillation.checkpoint import TrainingState
from core.distillation.data import Steps, TextData
from core.distillation.lesson import Lesson
from core.distillation.losses import Distance
from core.distillation.schedule import TrainingSettings
from core.distillation.step import take_step
from core.distillation.training import optimizer_for
from core.families import Family
from core.micro_batches import micro_tokens
from core.recipe import Method, Schedule
from core.resolve import choices

STAGE = "speed"
BATCH_TOKENS = Schedule().batch_tokens


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """What our step learns from."""

    kd_loss: str
    alpha: float
    hidden_weight: float
    masked_share: float
    dropout: bool
    trimmed: bool = True
    """Whether the vocabulary was trimmed before."""

    @property
    def way(self) -> Way:
        """What it computes where."""
        return Way(self.kd_loss == "mse", self.hidden_weight > 0)


SAME_LOSS = Variant(kd_loss="mse", alpha=0.5, hidden_weight=0.0, masked_share=MASKED_SHARE, dropout=True)
"""The reference's loss, at the tokens that there are."""


def defaults(family: Family) -> Variant:
    """What a recipe gets that says nothing."""
    picks = choices(Method().preset, family)
    value: dict[str, Any] = {key: picks[f"method.{key}"].value for key in Variant.__slots__ if key != "trimmed"}
    return Variant(**{**value, "dropout": value["dropout"] == "on"})


@dataclass(slots=True)
class Ours:
    """A student that learns as ours do."""

    pair: Pair
    variant: Variant
    bfloat16: bool
    seed: int
    state: TrainingState = field(init=False)
    _lesson: Lesson = field(init=False)
    _settings: TrainingSettings = field(init=False)

    def __post_init__(self) -> None:
        """Set up what a stage sets up before its first step."""
        student, variant = self.pair.student, self.variant
        self.state = TrainingState(student, optimizer_for(student))
        self._lesson = Lesson(self.pair.teacher, Distance(self.pair.teacher, variant.kd_loss, Method().temperature))
        self._settings = TrainingSettings(
            stage=STAGE,
            steps=1_000,
            batch_tokens=BATCH_TOKENS,
            learning_rate=RATE,
            warmup_fraction=0.0,
            evaluate_every=0,
            alpha=variant.alpha,
            hidden_weight=variant.hidden_weight,
            dropout=variant.dropout,
            seed=self.seed,
            bfloat16=self.bfloat16,
        )

    def steps(self, texts: Sequence[Ids]) -> tuple[Steps, int]:
        """Steps over texts, each repeated with other masks until a step is full; and how many there are."""
        tokens = sum(map(len, texts))
        times = max(1, round(BATCH_TOKENS / tokens))
        return self._steps(texts, times), max(1, round(times * tokens / BATCH_TOKENS))

    def small_step(self, texts: Sequence[Ids]) -> Steps:
        """Steps over texts as they are."""
        return self._steps(texts, 1)

    def _steps(self, texts: Sequence[Ids], times: int) -> Steps:
        student, share = self.pair.student, self.variant.masked_share
        micro = micro_tokens(student, "cpu", self.pair.teacher, share, bfloat16=self.bfloat16)
        cut = cast(Any, Cut(texts, times))
        return Steps(TextData(cut, cut, student.tokenizer, self.seed, micro, share), STAGE, BATCH_TOKENS)

    def begin(self, batches: Sequence[MaskedBatch]) -> None:
        """Do what comes before the first step once."""
        if self.variant.hidden_weight:
            self.state.begin_hidden_map(*self._lesson.hidden_map(self.pair.student, batches, Quiet()))

    def step(self, batches: Sequence[MaskedBatch]) -> None:
        """One optimiser step."""
        take_step(self.state, batches, self._lesson, self._settings, Quiet())


def blocks(batches: Sequence[MaskedBatch]) -> list[Block]:
    """What a step reads."""
    found = []
    for batch in batches:
        lengths = batch.attention_mask.sum(1)
        rows, width = batch.attention_mask.shape
        squares = int(lengths.square().sum())
        found.append(Block(rows, width, int(lengths.sum()), squares, len(batch.positions)))
    return found
