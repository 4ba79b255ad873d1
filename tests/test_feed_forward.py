"""Scores of feed-forward units are what they claim to be, and dropping units is exact."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import torch
from conftest import build
from torch.nn.functional import cross_entropy

from core import recipe
from core.compression.cutting import cut
from core.compression.feed_forward import FEED_FORWARD_SCORES, UnitScores, cut_feed_forward, score_units, strongest
from core.compression.layers import cut_layers
from core.context import Quiet
from core.corpus.batches import MaskedBatch
from core.errors import InputError, Stopped
from core.models import LanguageModel

PLACES = torch.tensor([1, 3, 6, 14])  # of 3 × 6, none in the padding
LENGTHS = [6, 4, 3]

every_score = pytest.mark.parametrize("how", sorted(FEED_FORWARD_SCORES))


def batches() -> list[MaskedBatch]:
    """Two batches of three texts with four masked places each."""
    generator = torch.Generator().manual_seed(11)
    return [
        MaskedBatch(
            input_ids=torch.randint(5, 50, (3, 6), generator=generator),
            attention_mask=(torch.arange(6) < torch.tensor(LENGTHS)[:, None]).long(),
            positions=PLACES,
            labels=torch.randint(5, 50, (4,), generator=generator),
        )
        for _ in range(2)
    ]


def loss(lm: LanguageModel, batch: MaskedBatch, reduction: str = "mean") -> torch.Tensor:
    """The masked-LM loss the long way: every logit, with ignored labels."""
    labels = torch.full((batch.input_ids.numel(),), -100)
    labels[batch.positions] = batch.labels
    logits = lm.model(batch.input_ids, attention_mask=batch.attention_mask).logits
    return cross_entropy(logits.flatten(0, 1), labels, ignore_index=-100, reduction=reduction)


def first_of(lm: LanguageModel) -> Iterator[torch.nn.Module]:
    return (lm.module(lm.family.feed_forward_in, layer) for layer in range(lm.sizes.layers))


def second_of(lm: LanguageModel) -> Iterator[torch.nn.Module]:
    return (lm.module(lm.family.feed_forward_out, layer) for layer in range(lm.sizes.layers))


def activations(lm: LanguageModel, batch: MaskedBatch) -> tuple[torch.Tensor, torch.Tensor]:
    """Each layer's activations and their gradients by the summed loss, (layers, texts, tokens, units)."""
    seen: list[torch.Tensor] = []

    def keep(_module: torch.nn.Module, inputs: Any) -> None:
        inputs[0].retain_grad()
        seen.append(inputs[0])

    handles = [module.register_forward_pre_hook(keep) for module in second_of(lm)]
    loss(lm, batch, "sum").backward()
    for handle in handles:
        handle.remove()
    return torch.stack([a.detach() for a in seen]), torch.stack([a.grad for a in seen])


def one_by_one(batch: MaskedBatch) -> list[MaskedBatch]:
    """The batch's texts, each alone and without padding."""
    texts = []
    for row, length in enumerate(LENGTHS):
        ours = batch.positions // 6 == row
        ids = batch.input_ids[row : row + 1, :length]
        texts.append(MaskedBatch(ids, torch.ones_like(ids), batch.positions[ours] % 6, batch.labels[ours]))
    return texts


def same(one: UnitScores, other: UnitScores, rtol: float = 1e-9) -> None:
    torch.testing.assert_close(one.scores, other.scores, rtol=rtol, atol=1e-12)
    torch.testing.assert_close(one.means, other.means, rtol=rtol, atol=1e-12)


@pytest.fixture
def own(lm: LanguageModel) -> LanguageModel:
    """A float64 copy of the model that a test may change."""
    return LanguageModel(copy.deepcopy(lm.model).double(), lm.tokenizer)


def test_first_order_is_the_papers_formula(own: LanguageModel) -> None:
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
    scores = score_units(own, batches(), "first_order", Quiet()).scores
    assert scores.shape == (4, 20)
    torch.testing.assert_close(scores, expected, rtol=1e-9, atol=1e-12)


def test_first_order_is_the_first_order_change_of_the_loss(own: LanguageModel) -> None:
    batch, step = batches()[0], 1e-6
    scores = score_units(own, [batch], "first_order", Quiet()).scores
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


def test_activation_scores_and_means_add_up_over_tokens(own: LanguageModel) -> None:
    scores, sums = torch.zeros(2, 4, 20, dtype=torch.float64)
    for batch in batches():
        values, gradients = activations(own, batch)
        for text, length in enumerate(LENGTHS):
            for token in range(length):
                scores += (values[:, text, token] * gradients[:, text, token]).abs()
                sums += values[:, text, token]
    found = score_units(own, batches(), "activation", Quiet())
    assert found.scores.dtype == found.means.dtype == torch.float64
    same(found, UnitScores(scores, sums / (2 * sum(LENGTHS))))


def test_activation_is_the_first_order_change_of_the_loss_token_by_token(own: LanguageModel) -> None:
    batch, step, layer, unit = batches()[0], 1e-6, 1, 7
    changes = 0.0
    with torch.no_grad():
        before = loss(own, batch, "sum")
        for text, length in enumerate(LENGTHS):
            for token in range(length):

                def quieter(_module: Any, inputs: Any, place: tuple[int, int] = (text, token)) -> Any:
                    changed = inputs[0].clone()
                    changed[(*place, unit)] *= 1 - step
                    return (changed,)

                handle = own.module(own.family.feed_forward_out, layer).register_forward_pre_hook(quieter)
                changes += float((loss(own, batch, "sum") - before).abs()) / step
                handle.remove()
    scores = score_units(own, [batch], "activation", Quiet()).scores
    assert changes == pytest.approx(float(scores[layer, unit]), rel=1e-3, abs=1e-7)


def test_wanda_is_the_root_mean_square_of_what_a_unit_writes(own: LanguageModel) -> None:
    squares = torch.zeros(4, 20, dtype=torch.float64)
    for batch in batches():
        values = activations(own, batch)[0]
        for layer, module in enumerate(second_of(own)):
            for unit in range(20):
                for text, length in enumerate(LENGTHS):
                    for token in range(length):
                        written = module.weight[:, unit].detach() * values[layer, text, token, unit]
                        squares[layer, unit] += float(written.square().sum())
    found = score_units(own, batches(), "wanda", Quiet())
    torch.testing.assert_close(found.scores, (squares / (2 * sum(LENGTHS))).sqrt(), rtol=1e-9, atol=1e-12)


def test_wanda_runs_nothing_backwards(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("a gradient was asked for")

    monkeypatch.setattr(torch.autograd, "grad", refuse)
    score_units(build("bert", tied=True), batches(), "wanda", Quiet())


def test_every_score_tells_the_same_means(own: LanguageModel) -> None:
    means = [score_units(own, batches(), how, Quiet()).means for how in sorted(FEED_FORWARD_SCORES)]
    for other in means[1:]:
        torch.testing.assert_close(means[0], other, rtol=1e-12, atol=0)


@every_score
def test_padding_does_not_count(own: LanguageModel, how: str) -> None:
    found = score_units(own, batches(), how, Quiet())
    other_padding = []
    for batch in batches():
        ids = batch.input_ids.where(batch.attention_mask.bool(), (batch.input_ids + 1) % 45 + 5)
        ids = torch.nn.functional.pad(ids, (0, 3), value=9)
        mask = torch.nn.functional.pad(batch.attention_mask, (0, 3))
        places = batch.positions // 6 * 9 + batch.positions % 6
        other_padding.append(MaskedBatch(ids, mask, places, batch.labels))
    same(score_units(own, other_padding, how, Quiet()), found)


@every_score
def test_the_order_of_batches_and_of_texts_does_not_count(own: LanguageModel, how: str) -> None:
    turned = []
    for batch in reversed(batches()):
        places = (2 - batch.positions // 6) * 6 + batch.positions % 6
        order = places.argsort()
        turned.append(
            MaskedBatch(batch.input_ids.flip(0), batch.attention_mask.flip(0), places[order], batch.labels[order])
        )
    same(score_units(own, turned, how, Quiet()), score_units(own, batches(), how, Quiet()))


@pytest.mark.parametrize("how", ["activation", "wanda"])
def test_how_text_is_cut_into_batches_does_not_count(own: LanguageModel, how: str) -> None:
    alone = [text for batch in batches() for text in one_by_one(batch)]
    same(score_units(own, alone, how, Quiet()), score_units(own, batches(), how, Quiet()))


def test_a_unit_that_hears_nothing_has_no_first_order_importance(own: LanguageModel) -> None:
    with torch.no_grad():
        for layer, module in enumerate(first_of(own)):
            module.weight[layer] = 0
            module.bias[layer] = 0
    scores = score_units(own, batches(), "first_order", Quiet()).scores
    assert (scores.diagonal() == 0).all()
    assert (scores.sum(dim=1) > 0).all()


@every_score
def test_units_that_write_nothing_are_the_weakest_and_go_unnoticed(lm: LanguageModel, how: str) -> None:
    own = LanguageModel(copy.deepcopy(lm.model), lm.tokenizer)
    with torch.no_grad():
        for layer, module in enumerate(second_of(own)):
            module.weight[:, layer : layer + 5] = 0
    found = score_units(own, batches(), how, Quiet())
    keep = strongest(found.scores, 15)
    assert keep.tolist() == [[unit for unit in range(20) if unit not in range(at, at + 5)] for at in range(4)]
    for batch in batches():
        for small in (cut_feed_forward(own, keep), cut_feed_forward(own, keep, found.means)):
            torch.testing.assert_close(loss(small, batch), loss(own, batch), rtol=1e-6, atol=1e-6)


@every_score
def test_scoring_leaves_the_model_as_it_was(own: LanguageModel, how: str) -> None:
    own.model.requires_grad_(False).train()
    next(own.model.parameters()).requires_grad_(True)
    before = {name: tensor.clone() for name, tensor in own.model.state_dict().items()}
    score_units(own, batches(), how, Quiet())
    assert [parameter.requires_grad for parameter in own.model.parameters()].count(True) == 1
    assert all(parameter.grad is None for parameter in own.model.parameters())
    assert all(not module._forward_pre_hooks for module in own.model.modules())
    assert own.model.training
    assert all(torch.equal(tensor, before[name]) for name, tensor in own.model.state_dict().items())


@every_score
def test_dropout_and_no_grad_around_it_change_nothing(own: LanguageModel, how: str) -> None:
    expected = score_units(own, batches(), how, Quiet())
    own.model.train()
    with torch.no_grad():
        found = score_units(own, iter(batches()), how, Quiet())
    assert torch.equal(found.scores, expected.scores)
    assert torch.equal(found.means, expected.means)


@pytest.mark.parametrize("how", ["first_order", "activation"])
def test_a_batch_without_masks_adds_to_the_means_only(how: str) -> None:
    lm = build("bert", tied=True)
    empty = replace(batches()[0], positions=PLACES[:0], labels=PLACES[:0])
    found, expected = (score_units(lm, seen, how, Quiet()) for seen in ([*batches(), empty], batches()))
    assert torch.equal(found.scores, expected.scores)
    once_more = score_units(lm, [*batches(), batches()[0]], how, Quiet())
    torch.testing.assert_close(found.means, once_more.means)
    assert not torch.equal(found.means, expected.means)


@every_score
def test_text_without_masks_is_refused(how: str) -> None:
    lm = build("bert", tied=True)
    empty = replace(batches()[0], positions=PLACES[:0], labels=PLACES[:0])
    for nothing in ([], [empty]):
        with pytest.raises(InputError, match=r"no token that the teacher knows.*corpus\.sources"):
            score_units(lm, nothing, how, Quiet())


def test_a_score_that_does_not_exist_is_refused_with_those_that_do() -> None:
    with pytest.raises(InputError, match=r"'magnitude', which doesn't exist.*first_order, activation, wanda"):
        score_units(build("bert", tied=True), batches(), "magnitude", Quiet())


def test_the_recipe_knows_every_score_by_name() -> None:
    assert set(recipe.FEED_FORWARD_SCORES) == {"auto", *FEED_FORWARD_SCORES}


@every_score
def test_scoring_stops_when_asked_and_tells_how_far_it_is(how: str) -> None:
    seen: list[tuple[int, int]] = []

    class Impatient(Quiet):
        def progress(self, done: int, total: int) -> None:
            seen.append((done, total))

        def check(self) -> None:
            if seen:
                raise Stopped

    lm = build("distilbert", tied=True)
    with pytest.raises(Stopped):
        score_units(lm, batches(), how, Impatient())
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


def test_units_that_never_change_go_unnoticed_when_their_mean_is_folded_in(lm: LanguageModel) -> None:
    own = LanguageModel(copy.deepcopy(lm.model), lm.tokenizer)
    keep = strongest(torch.rand(4, 20, generator=torch.Generator().manual_seed(5)), 12)
    with torch.no_grad():
        for layer, module in enumerate(first_of(own)):
            dropped = [unit for unit in range(20) if unit not in keep[layer].tolist()]
            module.weight[dropped] = 0
            module.bias[dropped] = 1 + torch.arange(8.0)
    means = score_units(own, batches()[:1], "wanda", Quiet()).means
    folded, bare = cut_feed_forward(own, keep, means), cut_feed_forward(own, keep)
    for batch in batches():
        arguments = {"input_ids": batch.input_ids, "attention_mask": batch.attention_mask}
        with torch.no_grad():
            expected = own.model(**arguments).logits
            torch.testing.assert_close(folded.model(**arguments).logits, expected, rtol=1e-4, atol=1e-5)
            assert (bare.model(**arguments).logits - expected).abs().max() > 0.1


def test_folding_keeps_the_mean_of_what_the_first_block_writes(own: LanguageModel) -> None:
    means = score_units(own, batches(), "wanda", Quiet()).means
    small = cut_feed_forward(own, [[3, 8, 14]] * 4, means)

    def mean_written(lm: LanguageModel) -> torch.Tensor:
        written: list[torch.Tensor] = []
        module = LanguageModel(lm.model.double(), lm.tokenizer).module(lm.family.feed_forward_out, 0)
        handle = module.register_forward_hook(lambda _m, _i, output: written.append(output))
        with torch.no_grad():
            for batch in batches():
                lm.hidden_states(batch.input_ids, batch.attention_mask)
        handle.remove()
        real = [out[batch.attention_mask.bool()] for out, batch in zip(written, batches(), strict=True)]
        return torch.cat(real).mean(0)

    # The new model holds float32.
    torch.testing.assert_close(mean_written(small), mean_written(own), rtol=1e-5, atol=1e-6)


def test_folding_changes_nothing_but_the_second_bias(lm: LanguageModel) -> None:
    keep, means = [[0, 4, 19]] * 4, torch.rand(4, 20, generator=torch.Generator().manual_seed(6), dtype=torch.float64)
    folded, bare = (cut_feed_forward(lm, keep, given).model.state_dict() for given in (means, None))
    changed = {name for name in bare if not torch.equal(folded[name], bare[name])}
    layers = (lm.family.layer.format(layer=layer) for layer in range(4))
    assert changed == {f"{layer}.{lm.family.feed_forward_out}.bias" for layer in layers}
    for layer, module in enumerate(second_of(lm)):
        name = f"{lm.family.layer.format(layer=layer)}.{lm.family.feed_forward_out}.bias"
        for row in (0, 23):
            weights, mean = module.weight[row].tolist(), means[layer].tolist()
            dropped = [weights[unit] * mean[unit] for unit in range(20) if unit not in keep[layer]]
            expected = bare[name][row].item() + math.fsum(dropped)
            assert float(folded[name][row]) == pytest.approx(expected, rel=1e-6, abs=1e-7)


def test_with_every_unit_kept_there_is_no_mean_to_fold(lm: LanguageModel) -> None:
    whole = cut_feed_forward(lm, [list(range(20))] * 4, torch.ones(4, 20, dtype=torch.float64))
    assert all(torch.equal(tensor, lm.model.state_dict()[name]) for name, tensor in whole.model.state_dict().items())
