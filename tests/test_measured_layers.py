"""Layers chosen by loss: the losses are those of the cut models, and the search finds what it says."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from itertools import combinations
from typing import Any

import pytest
import torch
from conftest import build
from torch.nn.functional import cross_entropy

from core.compression.layers import LAYER_SELECTIONS, cut_layers
from core.compression.measured_layers import LayerSet, fixed_patterns, losses_of, measured_layers
from core.context import Quiet
from core.corpus.batches import MaskedBatch
from core.errors import InputError, Stopped
from core.models import LanguageModel


def batches() -> list[MaskedBatch]:
    """Two batches of three texts, one with three and one with five masked places."""
    generator = torch.Generator().manual_seed(3)
    return [
        MaskedBatch(
            input_ids=torch.randint(5, 50, (3, 6), generator=generator),
            attention_mask=(torch.arange(6) < torch.tensor([[6], [4], [3]])).long(),
            positions=torch.tensor(places),
            labels=torch.randint(5, 50, (len(places),), generator=generator),
        )
        for places in ([1, 7, 13], [0, 3, 6, 9, 14])
    ]


def brute_force(lm: LanguageModel, layers: Iterable[int]) -> float:
    """The loss of a model that is really cut, every logit computed."""
    small = cut_layers(lm, tuple(layers)).model
    total = 0.0
    with torch.no_grad():
        for batch in batches():
            logits = small(batch.input_ids, attention_mask=batch.attention_mask).logits.flatten(0, 1)
            total += float(cross_entropy(logits[batch.positions], batch.labels, reduction="sum"))
    return total / 8


@pytest.fixture(scope="module")
def deep() -> LanguageModel:
    """Twelve different layers, each of which changes something."""
    lm = cut_layers(build("bert", tied=True), [0, 1, 2, 3] * 3)
    generator = torch.Generator().manual_seed(9)
    with torch.no_grad():
        for parameter in lm.model.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=generator), alpha=0.1)
    return lm


def test_losses_are_those_of_the_cut_models(lm: LanguageModel) -> None:
    sets = [(3,), (0, 1, 2, 3), (0, 1), (0, 2, 3), (1, 2), (0,), (0, 1, 3)]
    found = losses_of(lm, sets, batches(), Quiet())
    assert set(found) == set(sets)
    for layers, loss in found.items():
        assert loss == pytest.approx(brute_force(lm, layers), rel=1e-5)


def test_what_begins_alike_runs_once(lm: LanguageModel) -> None:
    calls: Counter[int] = Counter()
    sets = [(0, 1, 2), (1, 2, 3), (0, 1, 3), (0, 2, 3)]
    handles = [
        lm.module(lm.family.layer.format(layer=layer)).register_forward_hook(
            lambda *_, layer=layer: calls.update([layer])
        )
        for layer in range(4)
    ]
    losses_of(lm, sets, batches(), Quiet())
    for handle in handles:
        handle.remove()
    beginnings = {layers[:length] for layers in sets for length in (1, 2, 3)}
    assert calls == {layer: 2 * count for layer, count in Counter(begun[-1] for begun in beginnings).items()}


def test_few_sets_are_all_measured(lm: LanguageModel) -> None:
    every = sorted((brute_force(lm, layers), layers) for layers in combinations(range(4), 2))
    found = measured_layers(lm, 2, batches(), Quiet(), most=6)
    assert [candidate.layers for candidate in found] == [layers for _, layers in every]
    assert [candidate.loss for candidate in found] == pytest.approx([loss for loss, _ in every], rel=1e-5)
    names = {candidate.layers: candidate.name for candidate in found}
    assert names == {
        (2, 3): "last",
        (0, 1): "first",
        (0, 2): "stride",
        (0, 3): "first_last",
        (1, 2): None,
        (1, 3): None,
    }


def greedy(lm: LanguageModel, k: int) -> dict[tuple[int, ...], float]:
    """Remove the layer that is missed least, the long way: the last round's sets, and the fixed patterns."""
    left = tuple(range(lm.sizes.layers))
    while True:
        losses = {layers: brute_force(lm, layers) for layers in combinations(left, len(left) - 1)}
        if len(left) == k + 1:
            return losses | {layers: brute_force(lm, layers) for layers in fixed_patterns(lm.sizes.layers, k)}
        left = min(losses, key=lambda layers: losses[layers])


def test_of_many_sets_layers_go_one_by_one(deep: LanguageModel) -> None:
    expected = sorted((loss, layers) for layers, loss in greedy(deep, 6).items())
    found = measured_layers(deep, 6, batches(), Quiet(), most=100)
    assert len(found) in range(7, 12)
    assert [candidate.layers for candidate in found] == [layers for _, layers in expected]
    assert [candidate.loss for candidate in found] == pytest.approx([loss for loss, _ in expected], rel=1e-5)


@pytest.mark.parametrize("most", [1, 2, 4])
def test_the_best_come_first_and_the_best_pattern_is_among_them(deep: LanguageModel, most: int) -> None:
    every = measured_layers(deep, 6, batches(), Quiet(), most=100)
    assert [candidate.name for candidate in every].count(None) >= 5
    best_pattern = next(candidate for candidate in every if candidate.name)
    assert every.index(best_pattern) >= 2, "the test wants a model of which no pattern is the best"
    found = measured_layers(deep, 6, batches(), Quiet(), most=most)
    assert len(found) == most
    assert found[:-1] == every[: most - 1]
    assert found[-1] == (every[most - 1] if best_pattern in every[:most] else best_pattern)


def test_keeping_all_or_one_layer(lm: LanguageModel) -> None:
    (whole,) = measured_layers(lm, 4, batches(), Quiet())
    assert whole == LayerSet((0, 1, 2, 3), whole.loss, "last")
    assert {candidate.layers for candidate in measured_layers(lm, 1, batches(), Quiet())} == {(0,), (1,), (2,), (3,)}


@pytest.mark.parametrize(("n", "k"), [(12, 6), (12, 1), (12, 12), (5, 3)])
def test_fixed_patterns_are_every_selection_but_the_random_one(n: int, k: int) -> None:
    patterns = fixed_patterns(n, k)
    assert set(patterns) == {tuple(select(n, k, 0)) for name, select in LAYER_SELECTIONS.items() if name != "random"}
    assert all(tuple(LAYER_SELECTIONS[name](n, k, 0)) == layers for layers, name in patterns.items())


def test_padding_order_and_texts_without_masks_do_not_count(deep: LanguageModel) -> None:
    empty = replace(batches()[0], positions=torch.tensor([], dtype=torch.int64), labels=torch.tensor([]).long())
    padded = []
    for batch in reversed(batches()):
        ids = torch.nn.functional.pad(batch.input_ids, (0, 3), value=9)
        mask = torch.nn.functional.pad(batch.attention_mask, (0, 3))
        padded.append(MaskedBatch(ids, mask, batch.positions // 6 * 9 + batch.positions % 6, batch.labels))
    found = measured_layers(deep, 6, iter([empty, *padded]), Quiet())
    expected = measured_layers(deep, 6, batches(), Quiet())
    assert [candidate.layers for candidate in found] == [candidate.layers for candidate in expected]
    assert [candidate.loss for candidate in found] == pytest.approx(
        [candidate.loss for candidate in expected], rel=1e-5
    )


def test_the_model_stays_as_it_was() -> None:
    lm = build("distilbert", tied=True)
    expected = measured_layers(lm, 2, batches(), Quiet())
    lm.model.train()
    before = copy.deepcopy(lm.model.state_dict())
    assert measured_layers(lm, 2, batches(), Quiet()) == expected, "dropout was on"
    assert lm.model.training
    assert all(parameter.requires_grad and parameter.grad is None for parameter in lm.model.parameters())
    assert all(torch.equal(tensor, before[name]) for name, tensor in lm.model.state_dict().items())
    assert all(not module._forward_pre_hooks for module in lm.model.modules())


def test_a_loss_that_is_no_number_comes_last() -> None:
    lm = build("bert", tied=True)
    with torch.no_grad():
        lm.module("output.dense", 0).get_parameter("bias").fill_(torch.nan)
    found = measured_layers(lm, 3, batches(), Quiet())
    assert found[0].layers == (1, 2, 3)
    assert all(candidate.loss != candidate.loss for candidate in found[1:])


def test_text_without_masks_is_refused() -> None:
    lm = build("bert", tied=True)
    empty = replace(batches()[0], positions=torch.tensor([], dtype=torch.int64), labels=torch.tensor([]).long())
    for nothing in ([], [empty]):
        with pytest.raises(InputError, match=r"no token that the teacher knows.*corpus\.sources"):
            measured_layers(lm, 2, nothing, Quiet())


@pytest.mark.parametrize(("k", "nearest"), [(0, 1), (5, 4)])
def test_an_impossible_number_of_layers_is_refused_with_the_nearest(k: int, nearest: int) -> None:
    with pytest.raises(InputError, match=f"targets.layers is {k}, .*nearest is {nearest}"):
        measured_layers(build("bert", tied=True), k, batches(), Quiet())


class Watched(Quiet):
    """Remembers how far the work was, and stops it at a number of questions."""

    def __init__(self, stop_at: int | None = None) -> None:
        self.seen: list[tuple[int, int]] = []
        self._left = stop_at

    def progress(self, done: int, total: int) -> None:
        self.seen.append((done, total))

    def check(self) -> None:
        if self._left is not None:
            self._left -= 1
            if self._left < 0:
                raise Stopped


@pytest.mark.parametrize("k", [6, 11])
def test_progress_grows_to_its_end(deep: LanguageModel, k: int) -> None:
    ctx = Watched()
    measured_layers(deep, k, batches(), ctx)
    assert [done for done, _ in ctx.seen] == sorted(done for done, _ in ctx.seen)
    assert len({total for _, total in ctx.seen}) == 1
    assert ctx.seen[-1][0] == ctx.seen[-1][1]


def test_it_stops_between_layers() -> None:
    lm = build("xlm-roberta", tied=True)
    before: Any = [parameter.requires_grad for parameter in lm.model.parameters()]
    ctx = Watched(stop_at=1)
    with pytest.raises(Stopped):
        measured_layers(lm, 3, batches(), ctx)
    assert ctx.seen == []
    assert [parameter.requires_grad for parameter in lm.model.parameters()] == before
