"""The training loop: what a step means, and that a stopped training goes on as if nothing had been."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch

from core.compression.layers import cut_layers
from core.context import Quiet
from core.distillation.checkpoint import TrainingState, read_about
from core.distillation.data import Steps, TextData
from core.distillation.head import fresh_head
from core.distillation.losses import Distance
from core.distillation.training import Hooks, Lesson, TrainingSettings, optimizer_for, train
from core.distillation.validation import measure
from core.errors import InputError, Stopped
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


def hooks(folder: Path | None = None) -> Hooks:
    def save(state: TrainingState) -> None:
        if folder is not None:
            state.save(folder, {"stage": "layers"})

    return Hooks(save=save, due=lambda: False, probe=lambda step, lm: [], clock=lambda: 0.0)


def distil(
    kind: str = "mse",
    ctx: Quiet | None = None,
    folder: Path | None = None,
    resume: bool = False,
    micro_tokens: int = 1000,
    settings: TrainingSettings = SETTINGS,
    dropout: bool = True,
) -> LanguageModel:
    teacher = build("bert", tied=True)
    student = cut_layers(teacher, [0, 2])
    if not dropout:
        for key in ("hidden_dropout_prob", "attention_probs_dropout_prob"):
            setattr(student.model.config, key, 0.0)
        student = rebuild(student, student.sizes, tensors_of(student))
    state = TrainingState(student, optimizer_for(student))
    if resume:
        assert folder is not None
        state.load(folder)
    lesson = Lesson(teacher, Distance(teacher, kind, 1.0))
    return train(state, data_for(teacher, micro_tokens), lesson, settings, ctx or Quiet(), hooks(folder))


def same(a: LanguageModel, b: LanguageModel) -> bool:
    return all(torch.equal(tensor, tensors_of(b)[name]) for name, tensor in tensors_of(a).items())


@pytest.mark.parametrize("kind", ["mse", "kl"])
def test_stopped_anywhere_it_goes_on_to_the_same_bytes(kind: str, tmp_path: Path) -> None:
    whole = Recorder()
    wanted = distil(kind, whole)
    for stop_at in range(1, whole.checks, 5):
        folder = tmp_path / str(stop_at)
        folder.mkdir()
        first, second = Recorder(stop_at), Recorder()
        with pytest.raises(Stopped):
            distil(kind, first, folder)
        assert same(distil(kind, second, folder, resume=True), wanted)
        assert [*first.events, *second.events] == whole.events
        assert read_about(folder) == {"stage": "layers"}


def test_a_head_with_a_bias_that_no_loss_reaches_goes_on(tmp_path: Path) -> None:
    lm = build("bert", tied=False)
    state = TrainingState(lm, optimizer_for(lm))
    train(state, data_for(lm), None, replace(SETTINGS, steps=2), Quiet(), hooks(None))
    state.save(tmp_path, {})
    again = TrainingState(build("bert", tied=False), optimizer_for(lm))
    again.load(tmp_path)
    assert again.counters == state.counters
    assert all(torch.equal(tensor, tensors_of(lm)[name]) for name, tensor in tensors_of(again.lm).items())


def test_splitting_a_step_for_memory_keeps_its_meaning() -> None:
    settings = replace(SETTINGS, steps=1, warmup_fraction=0.0)
    big, small = Recorder(), Recorder()
    one, many = (
        distil("mse", ctx, settings=settings, micro_tokens=size, dropout=False)
        for ctx, size in ((big, 1000), (small, 12))
    )
    assert small.checks > big.checks  # it really was split
    for event, other in zip(big.events, small.events, strict=True):
        assert isinstance(event, Loss) and isinstance(other, Loss)
        assert event.total == pytest.approx(other.total, rel=1e-4)
        assert event.tokens == other.tokens
    # Adam divides by the gradient's size: compare what it moved by no more than float noise on tiny gradients allows.
    moved = {name: (tensor - tensors_of(many)[name]).abs().max().item() for name, tensor in tensors_of(one).items()}
    assert max(moved.values()) < settings.learning_rate


def test_it_learns_and_returns_its_best_weights() -> None:
    ctx = Recorder()
    settings = replace(SETTINGS, steps=60, evaluate_every=10, learning_rate=1e-2, alpha=0.95)
    best = distil("kl", ctx, settings=settings)
    found = [event for event in ctx.events if isinstance(event, Loss) and event.split == "validation"]
    assert [event.step for event in found] == [0, 10, 20, 30, 40, 50, 60]
    assert min(event.total for event in found) < found[0].total - 0.2
    best_event = min(found, key=lambda event: event.total)
    held_out = data_for(best).validation_batches(settings.validation_tokens)
    assert measure(best, held_out, Quiet()).mlm == pytest.approx(best_event.mlm, rel=1e-6)


def test_without_a_teacher_the_loss_is_the_masked_language_loss() -> None:
    lm, ctx = build("bert", tied=True), Recorder()
    train(TrainingState(lm, optimizer_for(lm)), data_for(lm), None, SETTINGS, ctx, hooks())
    losses = [event for event in ctx.events if isinstance(event, Loss)]
    assert all(event.kd is None for event in losses)
    assert all(event.total == event.mlm for event in losses)


def test_a_loss_that_is_no_number_stops_the_training_with_a_hint() -> None:
    with pytest.raises(InputError, match="no number") as caught:
        distil(settings=replace(SETTINGS, learning_rate=1e30, steps=40))
    assert "learning_rate" in caught.value.faults[0].hint


def test_rates_rise_then_fall_to_nothing() -> None:
    settings = replace(SETTINGS, steps=100, warmup_fraction=0.1, learning_rate=1.0)
    rates = [settings.rate(step) for step in range(101)]
    assert max(rates) == rates[10] == 1.0
    assert rates[:10] == sorted(rates[:10]) and rates[0] > 0
    assert rates[10:] == sorted(rates[10:], reverse=True) and rates[100] == 0
    assert replace(settings, warmup_fraction=0.0).rate(0) == 1.0


def test_steps_are_a_pure_function_of_their_number() -> None:
    lm = build("bert", tied=True)
    one, other = Steps(data_for(lm), "layers", 64), Steps(data_for(lm), "layers", 64)
    later = one[7]
    for step in range(7):
        other[step]
    for batch, again in zip(later, other[7], strict=True):
        assert torch.equal(batch.input_ids, again.input_ids)
    assert not all(
        torch.equal(a.input_ids, b.input_ids) for a, b in zip(later, Steps(data_for(lm), "hidden", 64)[7], strict=False)
    )


def test_measuring_leaves_the_model_in_its_mode() -> None:
    lm = build("bert", tied=True)
    batches = data_for(lm).validation_batches()
    lm.model.train()
    found = measure(lm, batches, Quiet())
    assert lm.model.training
    lm.model.eval()
    assert measure(lm, batches, Quiet()) == found
    teacher = Distance(lm, "kl", 1.0)
    assert measure(lm, batches, Quiet(), teacher=lm, distance=teacher).kd == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("kind", ["bert", "xlm-roberta", "distilbert"])
@pytest.mark.parametrize("tied", [True, False])
def test_a_fresh_head_starts_from_word_frequencies(kind: str, tied: bool) -> None:
    lm = build(kind, tied=tied)
    documents = np.arange(50) * 3
    made = fresh_head(lm, documents)
    weight, bias = made.decoder
    assert torch.equal(weight, made.module(made.family.embedding).weight)
    assert bias.exp().sum().item() == pytest.approx(1, rel=1e-4)
    assert bias.argmax().item() == 49
    ids = torch.randint(5, 50, (4, 9), generator=torch.Generator().manual_seed(0))
    logits = made.head_features(made.hidden_states(ids, torch.ones_like(ids))) @ weight.T
    assert 0.3 < logits.std().item() < 3
    assert torch.equal(made.hidden_states(ids, torch.ones_like(ids)), lm.hidden_states(ids, torch.ones_like(ids)))


def test_text_that_the_teacher_knows_nothing_of_is_refused() -> None:
    lm = build("bert", tied=True)
    data = data_for(lm)
    unknown = replace(data, validation=Texts([np.array([2, 1, 1, 3])]))  # type: ignore[arg-type]
    with pytest.raises(InputError, match="no token that the teacher knows"):
        measure(lm, unknown.validation_batches(), Quiet())
