"""Bottleneck adapters: nothing changes at the start, only they train, the original stays."""

import pytest
import tiny_tasks
import torch

from core.tasks.adapters import Adapter, frozen_copy, with_adapters

FAMILIES = ["bert", "xlm-roberta", "distilbert"]


def batch(lm):
    ids = torch.randint(5, lm.sizes.vocabulary, (3, 7), generator=torch.Generator().manual_seed(1))
    mask = torch.ones_like(ids)
    mask[1, 4:] = 0
    return ids, mask


@pytest.mark.parametrize("family", FAMILIES)
def test_a_fresh_adapter_changes_nothing(family: str) -> None:
    lm = tiny_tasks.tiny_model(family)
    adapted = with_adapters(lm, 4, seed=1)
    assert torch.equal(lm.hidden_states(*batch(lm)), adapted.hidden_states(*batch(lm)))


@pytest.mark.parametrize("family", FAMILIES)
def test_every_layer_gets_one_and_it_matters(family: str) -> None:
    lm = tiny_tasks.tiny_model(family)
    adapted = with_adapters(lm, 4, seed=1)
    adapters = [module for module in adapted.model.modules() if isinstance(module, Adapter)]
    assert len(adapters) == lm.sizes.layers
    for adapter in adapters:
        before = adapted.hidden_states(*batch(lm))
        with torch.no_grad():
            adapter.up.bias += torch.linspace(-1, 1, lm.sizes.hidden)
        assert not torch.allclose(before, adapted.hidden_states(*batch(lm)))


def test_the_formula() -> None:
    norm = torch.nn.LayerNorm(6)
    adapter = Adapter(norm, 2, torch.Generator().manual_seed(0))
    torch.nn.init.normal_(adapter.up.weight, generator=torch.Generator().manual_seed(1))
    z = torch.randn(2, 3, 6, generator=torch.Generator().manual_seed(2))

    def layer_norm(x):
        return (x - x.mean(-1, keepdim=True)) / (x.var(-1, unbiased=False, keepdim=True) + norm.eps).sqrt()

    inner = (layer_norm(z) @ adapter.down.weight.T).clamp_min(0) @ adapter.up.weight.T
    torch.testing.assert_close(adapter(z), layer_norm(z + inner))


@pytest.mark.parametrize(("factor", "width"), [(1, 32), (4, 8), (5, 6), (32, 1), (100, 1)])
def test_the_bottleneck_is_at_least_one_wide(factor: int, width: int) -> None:
    adapted = with_adapters(tiny_tasks.tiny_model(), factor, seed=1)
    assert {module.down.out_features for module in adapted.model.modules() if isinstance(module, Adapter)} == {width}


@pytest.mark.parametrize("family", FAMILIES)
def test_only_adapters_want_a_gradient_and_each_gets_one(family: str) -> None:
    lm = tiny_tasks.tiny_model(family)
    adapted = with_adapters(lm, 4, seed=1)
    wanting = {name for name, parameter in adapted.model.named_parameters() if parameter.requires_grad}
    assert wanting and all(".down." in name or ".up." in name for name in wanting)
    # Zero at the start, `up` hides `down` from the gradient for one step.
    for module in adapted.model.modules():
        if isinstance(module, Adapter):
            torch.nn.init.normal_(module.up.weight, generator=torch.Generator().manual_seed(3))
    (adapted.hidden_states(*batch(lm)) ** 3).sum().backward()
    with_gradient = {name for name, p in adapted.model.named_parameters() if p.grad is not None and p.grad.any()}
    assert with_gradient == wanting


def test_the_original_stays_and_shares_nothing() -> None:
    lm = tiny_tasks.tiny_model()
    before, modules = tiny_tasks.tensors(lm), [type(module) for module in lm.model.modules()]
    adapted = with_adapters(lm, 4, seed=1)
    with torch.no_grad():
        for parameter in adapted.model.parameters():
            parameter.add_(1)
    assert tiny_tasks.same(before, lm)
    assert [type(module) for module in lm.model.modules()] == modules
    assert all(parameter.requires_grad for parameter in lm.model.parameters())


def test_first_values_come_from_the_seed_alone() -> None:
    lm = tiny_tasks.tiny_model()
    state = torch.random.get_rng_state()
    first, again, other = (with_adapters(lm, 4, seed) for seed in (1, 1, 2))
    assert torch.equal(state, torch.random.get_rng_state())
    assert tiny_tasks.same(tiny_tasks.tensors(first), again)
    assert not tiny_tasks.same(tiny_tasks.tensors(first), other)


def test_a_frozen_copy_keeps_tied_tensors_tied() -> None:
    lm = tiny_tasks.tiny_model()
    copied = frozen_copy(lm)
    assert copied.decoder[0] is copied.module(lm.family.embedding).weight
    assert copied.decoder[0] is not lm.decoder[0]
    assert not any(parameter.requires_grad for parameter in copied.model.parameters())
