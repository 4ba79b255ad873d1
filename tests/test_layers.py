"""Which layers stay, and that only those run."""

from __future__ import annotations

import pytest
import torch
from conftest import build
from hypothesis import given, settings
from hypothesis import strategies as st

from core.compression.layers import LAYER_SELECTIONS, cut_layers, select_layers
from core.errors import InputError
from core.models import LanguageModel

IDS = torch.tensor([[5, 9, 30, 41, 17], [8, 22, 6, 1, 1]])
MASK = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]])


def logits(lm: LanguageModel) -> torch.Tensor:
    with torch.no_grad():
        return lm.model(IDS, attention_mask=MASK).logits


@pytest.mark.parametrize(
    ("how", "n", "k", "expected"),
    [
        ("last", 12, 6, [6, 7, 8, 9, 10, 11]),
        ("first", 12, 6, [0, 1, 2, 3, 4, 5]),
        ("stride", 12, 6, [0, 2, 4, 6, 8, 10]),
        ("stride", 12, 4, [0, 3, 6, 9]),
        ("stride", 12, 5, [0, 2, 4, 7, 9]),
        ("stride", 12, 1, [0]),
        ("first_last", 12, 6, [0, 1, 2, 9, 10, 11]),
        ("first_last", 12, 5, [0, 1, 2, 10, 11]),
        ("first_last", 12, 1, [0]),
        ("last", 12, 1, [11]),
    ],
)
def test_selections(how: str, n: int, k: int, expected: list[int]) -> None:
    assert select_layers(n, k, how, seed=0) == expected


@settings(deadline=None)
@given(st.data(), st.integers(1, 48), st.sampled_from(sorted(LAYER_SELECTIONS)), st.integers(0, 2**32))
def test_every_selection_gives_that_many_distinct_ascending_layers(data, n, how, seed) -> None:
    k = data.draw(st.integers(1, n))
    kept = select_layers(n, k, how, seed)
    assert len(kept) == k
    assert kept == sorted(set(kept))
    assert set(kept) <= set(range(n))
    assert select_layers(n, n, how, seed) == list(range(n))


def test_random_follows_its_seed_only() -> None:
    draws = [tuple(select_layers(12, 6, "random", seed)) for seed in range(20)]
    assert draws == [tuple(select_layers(12, 6, "random", seed)) for seed in range(20)]
    assert len(set(draws)) > 10


def test_a_selection_that_does_not_exist_is_refused_with_those_that_do() -> None:
    with pytest.raises(InputError, match=r"'middle', which doesn't exist.*last, first, stride, first_last, random"):
        select_layers(12, 6, "middle", seed=0)


@pytest.mark.parametrize(("k", "nearest"), [(0, 1), (-3, 1), (13, 12)])
def test_an_impossible_number_of_layers_is_refused_with_the_nearest(k: int, nearest: int) -> None:
    with pytest.raises(InputError, match=f"targets.layers is {k}, .*nearest is {nearest}"):
        select_layers(12, k, "last", seed=0)


def test_keeping_every_layer_changes_nothing(lm: LanguageModel) -> None:
    assert torch.equal(logits(cut_layers(lm, range(4))), logits(lm))


@pytest.mark.parametrize("keep", [[0, 2], [3], [1, 2, 3]])
def test_only_the_kept_layers_run(lm: LanguageModel, keep: list[int]) -> None:
    same = build(lm.config["model_type"], tied=lm.sizes.tied)
    path, _, _ = same.family.layer.rpartition(".")
    layers = same.model.get_submodule(path)
    for layer in reversed(range(4)):
        if layer not in keep:
            del layers[layer]
    small = cut_layers(lm, keep)
    assert small.sizes.layers == len(keep)
    assert torch.equal(logits(small), logits(same))


def test_layers_that_are_shared_are_not_copied(lm: LanguageModel) -> None:
    small = cut_layers(lm, [1, 2], share=True)
    assert torch.equal(logits(small), logits(cut_layers(lm, [1, 2])))
    ours = {tensor.data_ptr() for tensor in lm.model.parameters()}
    assert {tensor.data_ptr() for tensor in small.model.parameters()} <= ours
