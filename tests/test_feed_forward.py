"""The importance of feed-forward units is what it claims to be, and dropping units is exact."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import replace

import pytest
import torch
from conftest import build
from torch.nn.functional import cross_entropy

from core.compression.cutting import cut
from core.compression.feed_forward import cut_feed_forward, importance, strongest
from core.compression.layers import cut_layers
from core.context import Quiet
from core.corpus.batches import MaskedBatch
from core.errors import InputError, Stopped
from core.models import LanguageModel

PLACES = torch.tensor([1, 3, 6, 14])  # of 3 × 6, none in the padding


def batches() -> list[MaskedBatch]:
    """Two batches of three texts with four masked places each."""
    generator = torch.Generator().manual_seed(11)
    mask = (torch.arange(6) < torch.tensor([[6], [4], [3]])).long()
    return [
        MaskedBatch(
            input_ids=torch.randint(5, 50, (3, 6), generator=generator),
            attention_mask=mask,
            positions=PLACES,
            labels=torch.randint(5, 50, (4,), generator=generator),
        )
        for _ in range(2)
    ]


def loss(lm: LanguageModel, batch: MaskedBatch) -> torch.Tensor:
    """The masked-LM loss the long way: every logit, with ignored labels."""
    labels = torch.full((18,), -100)
    labels[batch.positions] = batch.labels
    logits = lm.model(batch.input_ids, attention_mask=batch.attention_mask).logits
    return cross_entropy(logits.flatten(0, 1), labels, ignore_index=-100)


def first_of(lm: LanguageModel) -> Iterator[torch.nn.Module]:
    return (lm.module(lm.family.feed_forward_in, layer) for layer in range(lm.sizes.layers))


@pytest.fixture
def own(lm: LanguageModel) -> LanguageModel:
    """A float64 copy of the model that a test may change."""
    return LanguageModel(copy.deepcopy(lm.model).double(), lm.tokenizer)


def test_importance_is_the_papers_formula(own: LanguageModel) -> None:
    expected = torch.zeros(4, 20, dtype=torch.float64)
    for batch in batches():
        own.model.zero_grad()
        loss(own, batch).backward()
        for layer, module in enumerate(first_of(own)):
            rows = zip(module.weight.tolist(), module.weight.grad.tolist(), strict=True)
            biases = zip(module.bias.tolist(), module.bias.grad.tolist(), strict=True)
            for unit, ((row, by_row), (bias, by_bias)) in enumerate(zip(rows, biases, strict=True)):
                by_weights = sum(weight * gradient for weight, gradient in zip(row, by_row, strict=True))
                expected[layer, unit] += abs(by_weights + bias * by_bias)
    scores = importance(own, batches(), Quiet())
    assert scores.shape == (4, 20)
    torch.testing.assert_close(scores, expected, rtol=1e-9, atol=1e-12)


def test_importance_is_the_first_order_change_of_the_loss(own: LanguageModel) -> None:
    batch, step = batches()[0], 1e-6
    scores = importance(own, [batch], Quiet())
    with torch.no_grad():
        before = loss(own, batch)
        for layer, module in enumerate(first_of(own)):
            for unit in (0, 7, 19):
                kept = module.weight[unit].clone(), module.bias[unit].clone()
                module.weight[unit] *= 1 - step
                module.bias[unit] *= 1 - step
                change = float((loss(own, batch) - before).abs()) / step
                module.weight[unit], module.bias[unit] = kept
                assert change == pytest.approx(float(scores[layer, unit]), rel=1e-3, abs=1e-8)


def test_a_unit_without_weights_has_no_importance(own: LanguageModel) -> None:
    with torch.no_grad():
        for layer, module in enumerate(first_of(own)):
            module.weight[layer] = 0
            module.bias[layer] = 0
    scores = importance(own, batches(), Quiet())
    assert (scores.diagonal() == 0).all()
    assert (scores.sum(dim=1) > 0).all()


def test_importance_leaves_the_model_as_it_was(own: LanguageModel) -> None:
    own.model.requires_grad_(False).train()
    next(own.model.parameters()).requires_grad_(True)
    before = {name: tensor.clone() for name, tensor in own.model.state_dict().items()}
    importance(own, batches(), Quiet())
    assert [parameter.requires_grad for parameter in own.model.parameters()].count(True) == 1
    assert all(parameter.grad is None for parameter in own.model.parameters())
    assert own.model.training
    assert all(torch.equal(tensor, before[name]) for name, tensor in own.model.state_dict().items())


def test_dropout_and_no_grad_around_it_change_nothing(own: LanguageModel) -> None:
    expected = importance(own, batches(), Quiet())
    own.model.train()
    with torch.no_grad():
        assert torch.equal(importance(own, iter(batches()), Quiet()), expected)


def test_a_batch_without_masks_adds_nothing_and_none_at_all_is_refused() -> None:
    lm = build("bert", tied=True)
    empty = replace(batches()[0], positions=PLACES[:0], labels=PLACES[:0])
    assert torch.equal(importance(lm, [*batches(), empty], Quiet()), importance(lm, batches(), Quiet()))
    for nothing in ([], [empty]):
        with pytest.raises(InputError, match=r"no token that the teacher knows.*corpus\.sources"):
            importance(lm, nothing, Quiet())


def test_importance_stops_when_asked_and_tells_how_far_it_is() -> None:
    seen: list[tuple[int, int]] = []

    class Impatient(Quiet):
        def progress(self, done: int, total: int) -> None:
            seen.append((done, total))

        def check(self) -> None:
            if seen:
                raise Stopped

    lm = build("distilbert", tied=True)
    with pytest.raises(Stopped):
        importance(lm, batches(), Impatient())
    assert seen == [(1, 2)]
    assert all(parameter.requires_grad for parameter in lm.model.parameters())


def test_the_strongest_stay_and_the_first_of_equals() -> None:
    scores = torch.tensor([[0.0, 3.0, 1.0, 2.0], [1.0, 1.0, 1.0, 1.0], [0.0, 5.0, 0.0, 0.0]])
    assert strongest(scores, 2).tolist() == [[1, 3], [0, 1], [0, 1]]
    assert strongest(scores, 4).tolist() == [[0, 1, 2, 3]] * 3
    assert strongest(torch.ones(1, 5000), 3000).tolist() == [list(range(3000))]


def test_keeping_every_unit_changes_nothing(lm: LanguageModel) -> None:
    batch = batches()[0]
    same = cut_feed_forward(lm, [list(range(20))] * 4)
    assert torch.equal(loss(same, batch), loss(lm, batch))


def test_dropping_units_equals_zeroing_what_they_put_out(lm: LanguageModel) -> None:
    keep = strongest(torch.rand(4, 20, generator=torch.Generator().manual_seed(2)), 7)
    assert len({tuple(row) for row in keep.tolist()}) == 4, "the layers should differ"
    small = cut_feed_forward(lm, keep)
    zeroed = copy.deepcopy(lm.model)
    for layer in range(4):
        out = LanguageModel(zeroed, lm.tokenizer).module(lm.family.feed_forward_out, layer)
        dropped = [unit for unit in range(20) if unit not in keep[layer].tolist()]
        with torch.no_grad():
            out.weight[:, dropped] = 0
    batch = batches()[0]
    with torch.no_grad():
        arguments = {"input_ids": batch.input_ids, "attention_mask": batch.attention_mask}
        torch.testing.assert_close(small.model(**arguments).logits, zeroed(**arguments).logits, rtol=1e-5, atol=1e-6)
    assert small.sizes.feed_forward == 7
    assert small.config[lm.family.config_keys["feed_forward"]] == 7


def test_layers_and_units_can_go_in_one_cut(lm: LanguageModel) -> None:
    keep = strongest(torch.rand(4, 20, generator=torch.Generator().manual_seed(4)), 7)
    sizes = replace(lm.sizes, layers=2, feed_forward=7)
    at_once = cut(lm, sizes, {"feed_forward": keep}, layers=[1, 3])
    one_by_one = cut_layers(cut_feed_forward(lm, keep), [1, 3])
    assert torch.equal(loss(at_once, batches()[0]), loss(one_by_one, batches()[0]))
