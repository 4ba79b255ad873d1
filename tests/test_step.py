"""A step's gradient is that of the plain formulas, however its memory is saved; too little memory parts it further."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from core.compression.layers import cut_layers
from core.corpus.batches import MaskedBatch
from core.distillation.checkpoint import TrainingState
from core.distillation.data import Steps
from core.distillation.lesson import Lesson
from core.distillation.losses import Distance
from core.distillation.step import take_step
from core.distillation.training import optimizer_for
from core.errors import InputError
from core.events import Message
from core.models import LanguageModel
from tests.conftest import FAMILY_TYPES, build
from tests.tiny_training import SETTINGS, Recorder, data_for

QUIET = replace(SETTINGS, learning_rate=0.0, dropout=False)


def begun(teacher: LanguageModel, hidden_weight: float = 0.0) -> tuple[TrainingState, list[MaskedBatch]]:
    student = cut_layers(teacher, [0, 2])
    state = TrainingState(student, optimizer_for(student))
    if hidden_weight:
        maps = torch.randn(2, 24, 24, generator=torch.Generator().manual_seed(4))
        state.begin_hidden_map(maps, [2.0, 3.0])
    return state, Steps(data_for(teacher, micro_tokens=60), "layers", 200)[0]


def plain_loss(
    state: TrainingState, teacher: LanguageModel, batches: list[MaskedBatch], kind: str, hidden_weight: float
) -> Tensor:
    """From all logits, as the method is written."""
    mlm, squares, divergences, far = [], [], [], []
    for batch in batches:
        own, theirs = (
            lm.model(batch.input_ids, attention_mask=batch.attention_mask, output_hidden_states=True)
            for lm in (state.lm, teacher)
        )
        real = batch.attention_mask.flatten().bool()
        logits, others = own.logits.flatten(0, 1), theirs.logits.flatten(0, 1).detach()
        mlm.append(F.cross_entropy(logits[batch.positions], batch.labels, reduction="none"))
        squares.append((logits - others)[real].square().mean(-1))
        divergences.append(
            F.kl_div(
                logits[batch.positions].log_softmax(-1), others[batch.positions].softmax(-1), reduction="none"
            ).sum(-1)
        )
        if state.hidden_map is not None:
            said = [states.flatten(0, 1)[real] for states in own.hidden_states[1:]]
            wanted = [theirs.hidden_states[layer].flatten(0, 1)[real].detach() for layer in (2, 4)]
            apart = [(s @ m - w).square().sum(1) for s, m, w in zip(said, state.hidden_map, wanted, strict=True)]
            far.append((apart[0] / 2 + apart[1] / 3) / 2)
    kd = torch.cat(squares if kind == "mse" else divergences)
    loss = 0.5 * torch.cat(mlm).mean() + 0.5 * kd.mean()
    return loss + hidden_weight * torch.cat(far).mean() if far else loss


@pytest.mark.parametrize("tied", [True, False], ids=["tied", "untied"])
@pytest.mark.parametrize("family", FAMILY_TYPES)
@pytest.mark.parametrize(("kind", "hidden_weight"), [("mse", 0.0), ("kl", 0.0), ("kl", 2.0)])
def test_the_gradient_is_that_of_the_plain_formula(family: str, tied: bool, kind: str, hidden_weight: float) -> None:
    teacher = build(family, tied=tied)
    state, batches = begun(teacher, hidden_weight)
    assert len(batches) > 1
    loss = plain_loss(state, teacher, batches, kind, hidden_weight)
    names = [name for name, _ in state._named()]
    wanted = dict(zip(names, torch.autograd.grad(loss, state.learning, allow_unused=True), strict=True))
    length = torch.stack([grad.norm() for grad in wanted.values() if grad is not None]).norm()
    shortened = (1.0 / (length + 1e-6)).clamp_max(1.0)  # as the step clips it

    ctx = Recorder()
    take_step(
        state, batches, Lesson(teacher, Distance(teacher, kind, 1.0)), replace(QUIET, hidden_weight=hidden_weight), ctx
    )
    assert ctx.losses("train")[0].total == pytest.approx(loss.item(), rel=1e-4)
    for name, parameter in state._named():
        gradient = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
        plain = wanted[name]
        if plain is None:
            assert not gradient.any()
        else:
            torch.testing.assert_close(gradient, plain * shortened, rtol=1e-3, atol=1e-5)


class Cramped(Lesson):
    """A lesson on a machine that has memory for so many texts at a time."""

    texts = 1

    def answer(self, batch: MaskedBatch, *, layers: int = 0, again: bool = True) -> dict[str, Tensor]:
        if len(batch.input_ids) > self.texts:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return super().answer(batch, layers=layers, again=again)


def test_too_little_memory_halves_the_micro_batches_and_leaves_the_step_as_it_is() -> None:
    teacher = build("bert", tied=True)
    losses, gradients = [], []
    for kind in (Lesson, Cramped):
        state, batches = begun(teacher)
        assert max(len(batch.input_ids) for batch in batches) > 2 * Cramped.texts
        ctx = Recorder()
        tokens = take_step(state, batches, kind(teacher, Distance(teacher, "kl", 1.0)), QUIET, ctx)
        assert tokens == sum(batch.tokens for batch in batches)
        losses.append(ctx.losses("train")[0].total)
        gradients.append(state.learning[0].grad)
    assert losses[1] == pytest.approx(losses[0], rel=1e-5)
    torch.testing.assert_close(gradients[1], gradients[0], rtol=1e-3, atol=1e-6)
    told = [event.text for event in ctx.events if isinstance(event, Message)]
    assert state.halvings == len(told) > 1
    assert "micro-batches are 2 times smaller" in told[0]
    before = state.halvings
    take_step(state, batches, Cramped(teacher, Distance(teacher, "kl", 1.0)), QUIET, ctx)
    assert state.halvings == before


def test_memory_for_no_text_is_a_clear_error() -> None:
    class Full(Cramped):
        texts = 0

    teacher = build("bert", tied=True)
    state, batches = begun(teacher)
    with pytest.raises(InputError, match="not enough memory for a single text") as caught:
        take_step(state, batches, Full(teacher, Distance(teacher, "kl", 1.0)), QUIET, Recorder())
    assert "corpus.max_length" in caught.value.faults[0].hint


def test_another_error_is_not_taken_for_too_little_memory() -> None:
    class Broken(Lesson):
        def answer(self, batch: MaskedBatch, *, layers: int = 0, again: bool = True) -> dict[str, Tensor]:
            raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    teacher = build("bert", tied=True)
    state, batches = begun(teacher)
    with pytest.raises(RuntimeError, match="mat1"):
        take_step(state, batches, Broken(teacher, Distance(teacher, "kl", 1.0)), QUIET, Recorder())


def test_halves_of_a_batch_are_all_of_it() -> None:
    _, batches = begun(build("bert", tied=True))
    batch = max(batches, key=lambda one: len(one.input_ids))
    first, second = batch.halves()
    assert torch.equal(torch.cat([first.input_ids, second.input_ids]), batch.input_ids)
    assert torch.equal(torch.cat([first.labels, second.labels]), batch.labels)
    for half in (first, second):
        assert len(half.positions)
        assert (half.positions < half.input_ids.numel()).all()
        assert (half.attention_mask.flatten()[half.positions] == 1).all()
    places = torch.cat([first.positions, second.positions + first.input_ids.numel()])
    assert torch.equal(places, batch.positions)
