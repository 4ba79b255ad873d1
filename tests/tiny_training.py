"""A tiny teacher, student and text with a rule in it, and a training that can be stopped anywhere and resumed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from core.compression.layers import cut_layers
from core.context import Quiet
from core.distillation.answers import Answers
from core.distillation.checkpoint import Counters, TrainingState
from core.distillation.data import TextData
from core.distillation.lesson import Lesson
from core.distillation.losses import Distance
from core.distillation.schedule import TrainingSettings
from core.distillation.training import Hooks, optimizer_for, train
from core.errors import Stopped
from core.events import Event, Loss
from core.models import LanguageModel, rebuild, tensors_of
from tests.conftest import build

SETTINGS = TrainingSettings(
    stage="layers",
    steps=6,
    batch_tokens=64,
    learning_rate=3e-3,
    warmup_fraction=0.2,
    evaluate_every=2,
    alpha=0.5,
    seed=5,
    bfloat16=False,
)


@dataclass(frozen=True)
class Texts:
    rows: list[np.ndarray]

    @property
    def lengths(self) -> np.ndarray:
        return np.array([len(row) for row in self.rows])

    def __getitem__(self, index: int) -> np.ndarray:
        return self.rows[index]

    def __len__(self) -> int:
        return len(self.rows)


def texts(count: int, seed: int) -> Texts:
    """Sentences with a rule to learn: every word is followed by the next number."""
    draw = np.random.default_rng(seed)
    return Texts(
        [np.array([2, *(5 + (draw.integers(40) + np.arange(draw.integers(4, 12))) % 40), 3]) for _ in range(count)]
    )


def data_for(lm: LanguageModel, micro_tokens: int = 1000) -> TextData:
    return TextData(texts(40, 1), texts(10, 2), lm.tokenizer, 5, micro_tokens)  # type: ignore[arg-type]


class Recorder(Quiet):
    """Keeps events; stops at the given call of `check`."""

    def __init__(self, stop_at: int | None = None) -> None:
        self.events: list[Event] = []
        self.checks = 0
        self.stop_at = stop_at

    def emit(self, event: Event) -> None:
        self.events.append(event)

    def check(self) -> None:
        self.checks += 1
        if self.checks == self.stop_at:
            raise Stopped

    def losses(self, split: str) -> list[Loss]:
        return [event for event in self.events if isinstance(event, Loss) and event.split == split]


def hooks(folder: Path | None = None) -> Hooks:
    def save(state: TrainingState) -> None:
        if folder is not None:
            state.save(folder, {"stage": "layers"})

    return Hooks(save=save, due=lambda: False, probe=lambda step, lm: [], clock=lambda: 0.0)


def without_dropout(lm: LanguageModel) -> LanguageModel:
    for key in ("hidden_dropout_prob", "attention_probs_dropout_prob"):
        setattr(lm.model.config, key, 0.0)
    return rebuild(lm, lm.sizes, tensors_of(lm))


def distil(
    kind: str = "mse",
    ctx: Quiet | None = None,
    folder: Path | None = None,
    resume: bool = False,
    micro_tokens: int = 1000,
    settings: TrainingSettings = SETTINGS,
    dropout: bool = True,
    answers: Answers | None = None,
    counters: Counters | None = None,
) -> LanguageModel:
    """Two of a teacher's four layers learn from it; `dropout` is what the student is built with."""
    teacher = build("bert", tied=True)
    student = cut_layers(teacher, [0, 2])
    if not dropout:
        student = without_dropout(student)
    state = TrainingState(student, optimizer_for(student), counters or Counters())
    if resume:
        assert folder is not None
        state.load(folder)
    lesson = Lesson(teacher, Distance(teacher, kind, 1.0), answers)
    return train(state, data_for(teacher, micro_tokens), lesson, settings, ctx or Quiet(), hooks(folder))


def same(a: LanguageModel, b: LanguageModel) -> bool:
    return all(torch.equal(tensor, tensors_of(b)[name]) for name, tensor in tensors_of(a).items())
