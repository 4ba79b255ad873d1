"""The training loop: what a step means, and that a stopped training goes on as if nothing had been."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from core.compression.layers import cut_layers
from core.context import Quiet
from core.corpus.batches import MaskedBatch
from core.distillation.answers import OnDisk, Remembered
from core.distillation.checkpoint import Counters, TrainingState, read_about
from core.distillation.data import Steps
from core.distillation.head import fresh_head
from core.distillation.lesson import Lesson
from core.distillation.losses import Distance
from core.distillation.schedule import TrainingSettings
from core.distillation.training import optimizer_for, taught_steps, train
from core.distillation.validation import measure
from core.errors import InputError, Stopped
from core.events import Loss
from core.models import LanguageModel, tensors_of
from tests.conftest import build
from tests.tiny_training import SETTINGS, Recorder, Texts, data_for, distil, hooks, same, texts

LATER_ROUND = (replace(SETTINGS, begin=6, steps=12), Counters(step=6, tokens=100))


@pytest.mark.parametrize(
    ("kind", "settings", "counters"),
    [
        pytest.param("mse", SETTINGS, Counters(), id="mse"),
        pytest.param("kl", SETTINGS, Counters(), id="kl"),
        pytest.param("kl", replace(SETTINGS, hidden_weight=0.7), Counters(), id="hidden states"),
        pytest.param("kl", *LATER_ROUND, id="a later round"),
        pytest.param("kl", replace(SETTINGS, learning_rate=0.3, patience=1, steps=40), Counters(), id="patience"),
    ],
)
def test_stopped_anywhere_it_goes_on_to_the_same_bytes(
    kind: str, settings: TrainingSettings, counters: Counters, tmp_path: Path
) -> None:
    def run(ctx: Recorder, folder: Path | None = None, resume: bool = False) -> LanguageModel:
        return distil(kind, ctx, folder, resume, settings=settings, counters=replace(counters))

    whole = Recorder()
    wanted = run(whole)
    for stop_at in range(1, whole.checks, 9):
        folder = tmp_path / str(stop_at)
        folder.mkdir()
        first, second = Recorder(stop_at), Recorder()
        with pytest.raises(Stopped):
            run(first, folder)
        assert same(run(second, folder, resume=True), wanted)
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
    assert min(event.total for event in found) < found[0].total - 0.05
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
    assert "half the learning rate" in caught.value.faults[0].hint


def test_it_ends_after_so_many_validations_without_a_better_loss() -> None:
    settings = replace(SETTINGS, learning_rate=0.3, steps=40)
    for patience in (1, 3):
        ctx = Recorder()
        distil("kl", ctx, settings=replace(settings, patience=patience))
        totals = [event.total for event in ctx.losses("validation")]
        best = totals.index(min(totals))
        assert len(totals) == best + 1 + patience < 21
        assert ctx.losses("train")[-1].step == settings.interval * (best + patience)
    endless = Recorder()
    distil("kl", endless, settings=settings)
    assert len(endless.losses("validation")) == 21


def test_patience_starts_anew_with_each_better_loss() -> None:
    ctx = Recorder()
    settings = replace(SETTINGS, steps=40, evaluate_every=1, seed=6, patience=3)
    distil("kl", ctx, settings=settings)
    totals = [event.total for event in ctx.losses("validation")]
    worse = [total >= min(totals[:place]) for place, total in enumerate(totals) if place]
    streaks = "".join("w" if is_worse else "b" for is_worse in worse).split("b")
    assert sum(map(len, streaks)) > settings.patience  # more in all than patience, and yet it went on
    assert max(map(len, streaks[:-1])) < settings.patience


def test_a_round_after_one_that_ended_early_begins_at_its_own_first_step() -> None:
    settings, counters = LATER_ROUND
    on_time, early = Recorder(), Recorder()
    wanted = distil("kl", on_time, settings=settings, counters=replace(counters))
    assert same(distil("kl", early, settings=settings, counters=replace(counters, step=2)), wanted)
    assert early.events == on_time.events
    assert on_time.losses("validation")[0].step == 6


def test_a_checkpoint_from_before_rounds_is_taken_up(tmp_path: Path) -> None:
    whole = Recorder()
    wanted = distil("kl", whole)
    with pytest.raises(Stopped):
        distil("kl", Recorder(whole.checks - 2), tmp_path)
    path = tmp_path / "tensors.safetensors"
    older = {name: tensor for name, tensor in load_file(path).items() if not name.startswith("step/")}
    save_file(older, path)
    assert same(distil("kl", Quiet(), tmp_path, resume=True), wanted)


def test_without_dropout_a_model_that_has_it_learns_like_one_that_has_none() -> None:
    off = replace(SETTINGS, dropout=False)
    wanted = distil("kl", dropout=False, settings=SETTINGS)
    assert same(distil("kl", settings=off), wanted)
    assert same(distil("kl", settings=off, dropout=False), wanted)
    assert not same(distil("kl"), wanted)


@pytest.mark.parametrize("kind", ["mse", "kl"])
def test_the_total_is_the_weighted_sum_of_three_terms(kind: str) -> None:
    ctx = Recorder()
    distil(kind, ctx, settings=replace(SETTINGS, alpha=0.3, hidden_weight=0.7))
    for event in (*ctx.losses("train"), *ctx.losses("validation")):
        assert event.kd is not None and event.hidden is not None and event.hidden > 0
        assert event.total == pytest.approx(0.3 * event.mlm + 0.7 * event.kd + 0.7 * event.hidden)


def test_without_a_weight_hidden_states_are_left_alone() -> None:
    ctx = Recorder()
    distil("kl", ctx)
    assert all(event.hidden is None for event in ctx.events if isinstance(event, Loss))


def test_the_map_of_hidden_states_learns_from_where_it_starts() -> None:
    settings = replace(SETTINGS, hidden_weight=10.0, steps=60, evaluate_every=10, dropout=False)
    teacher = build("bert", tied=True)
    student, ctx = cut_layers(teacher, [0, 2]), Recorder()
    state = TrainingState(student, optimizer_for(student))
    lesson = Lesson(teacher, Distance(teacher, "kl", 1.0))
    start, scales = lesson.hidden_map(student, Steps(data_for(teacher), settings.stage, settings.batch_tokens)[0], ctx)
    train(state, data_for(teacher), lesson, settings, ctx, hooks())
    assert state.hidden_map is not None and not torch.equal(state.hidden_map.detach(), start)
    assert state.counters.hidden_scales == scales
    found = [event.hidden or 0.0 for event in ctx.losses("validation")]
    assert found[-1] < 0.9 * found[0]


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


def contents(batches: list[MaskedBatch]) -> set[tuple[int, ...]]:
    return {tuple(batch.input_ids.flatten().tolist()) for batch in batches}


@pytest.mark.parametrize(("batch_tokens", "passes"), [(64, range(4, 7)), (1024, range(2, 4)), (4096, range(4, 6))])
def test_a_step_takes_several_bundles_but_no_tiny_ones(batch_tokens: int, passes: range) -> None:
    data = replace(data_for(build("bert", tied=True), micro_tokens=8192), train=texts(2000, 3))
    steps = Steps(data, "layers", batch_tokens)
    assert all(len(steps[number]) in passes for number in range(4))


def test_an_epoch_later_the_same_bundles_come_in_another_order_with_other_masks() -> None:
    data = data_for(build("bert", tied=True))
    plain = replace(data, masked_share=0.01)  # one token a text: what is left tells the texts
    steps, fresh = Steps(plain, "layers", 64, mask_variants=2), Steps(plain, "layers", 64)
    epochs = [
        set().union(*(contents(of[epoch * of.per_epoch + step]) for step in range(of.per_epoch)))
        for of, count in ((steps, 4), (fresh, 3))
        for epoch in range(count)
    ]
    one, two, again, once_more, *never = epochs
    assert one == again and two == once_more
    assert one != two
    assert len({frozenset(epoch) for epoch in never}) == 3
    assert any(contents(steps[step]) != contents(steps[2 * steps.per_epoch + step]) for step in range(steps.per_epoch))


@pytest.mark.parametrize(
    ("variants", "end", "share"), [(2, 4, 0.5), (2, 2, 0.0), (2, 1, 0.0), (4, 16, 0.75), (0, 9, 0)]
)
def test_what_comes_again_is_counted_in_epochs(variants: int, end: int, share: float) -> None:
    steps = Steps(data_for(build("bert", tied=True)), "layers", 64, mask_variants=variants)
    assert steps.repeated(0, end * steps.per_epoch) == pytest.approx(share)


def test_a_teacher_is_asked_once_for_each_way_to_mask_a_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And what is learnt is the same bits, whether its answers were kept in memory, on disk or nowhere."""
    monkeypatch.setattr("core.distillation.training.MASK_VARIANTS", 2)
    settings = replace(SETTINGS, steps=40, evaluate_every=20, hidden_weight=0.5)
    per_epoch = taught_steps(data_for(build("bert", tied=True)), settings).per_epoch
    assert settings.steps > 3 * per_epoch

    passes = []
    answer = Lesson.answer

    def counted(lesson: Lesson, batch: MaskedBatch, **options: Any) -> dict[str, torch.Tensor]:
        if lesson.answers is None or lesson.answers.get(lesson._question(batch, options.get("layers", 0))) is None:
            passes.append(batch.tokens)
        return answer(lesson, batch, **options)

    monkeypatch.setattr(Lesson, "answer", counted)
    made, asked = [], []
    for answers in (None, Remembered(1 << 30), OnDisk(tmp_path, 1 << 30)):
        passes.clear()
        made.append(distil("kl", settings=settings, answers=answers))
        asked.append(sum(passes))
    assert same(made[0], made[1]) and same(made[0], made[2])
    data = data_for(build("bert", tied=True))
    held_out = sum(batch.tokens for batch in data.validation_batches(settings.validation_tokens))
    # A short text may happen to be masked in the same way twice.
    assert 0.9 < asked[1] / (2 * int(data.train.lengths.sum()) + held_out) <= 1
    assert asked[1] == asked[2]
    assert asked[0] > 1.5 * asked[1]


def test_measuring_leaves_the_model_in_its_mode() -> None:
    lm = build("bert", tied=True)
    batches = data_for(lm).validation_batches()
    lm.model.train()
    found = measure(lm, batches, Quiet())
    assert lm.model.training
    lm.model.eval()
    assert measure(lm, batches, Quiet()) == found
    lesson = Lesson(lm, Distance(lm, "kl", 1.0))
    assert measure(lm, batches, Quiet(), lesson=lesson).kd == pytest.approx(0, abs=1e-6)
    assert measure(lm, batches, Quiet(), lesson=lesson).hidden is None


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
