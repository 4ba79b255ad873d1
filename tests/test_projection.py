"""A change of basis keeps what it claims to keep, and what is dropped is replaced by its mean."""

from __future__ import annotations

import copy
from dataclasses import replace

import pytest
import torch

from core.compression.attention import Attention, factorise, keep_dimensions, keep_heads
from core.compression.basis import chosen_units, principal, shared_covariance, variance
from core.compression.hidden import HIDDEN_REDUCTIONS, Evidence, rotate
from core.compression.refit import Regression, Transform, refit_transform
from core.compression.statistics import Moments, Statistics, gather, stream_norms
from core.context import Quiet
from core.corpus.batches import MaskedBatch
from core.errors import InputError
from core.models import LanguageModel, tensors_of

BY_EVIDENCE = ("importance", "importance_gradient", "rotate")


def batches(seed: int = 3, count: int = 5) -> list[MaskedBatch]:
    """Random texts of 3 to 12 tokens with two masked places each, padded with token 1."""
    generator = torch.Generator().manual_seed(seed)
    made = []
    for _ in range(count):
        lengths = torch.randint(3, 13, (8,), generator=generator)
        mask = (torch.arange(12)[None, :] < lengths[:, None]).long()
        ids = torch.randint(5, 50, (8, 12), generator=generator) * mask + (1 - mask)
        positions = torch.cat([torch.tensor([row * 12, row * 12 + 2]) for row in range(8)])
        made.append(MaskedBatch(ids, mask, positions, torch.randint(5, 50, (16,), generator=generator)))
    return made


def evidence(*, fold_means: bool = True) -> Evidence:
    return Evidence(batches(), fold_means, Quiet())


@pytest.fixture(scope="module")
def statistics(lm: LanguageModel) -> Statistics:
    return gather(lm, batches(), Quiet())


def states(lm: LanguageModel, batch: MaskedBatch) -> torch.Tensor:
    """Hidden states of the real tokens."""
    with torch.no_grad():
        return lm.hidden_states(batch.input_ids, batch.attention_mask)[batch.attention_mask.bool()]


def logits(lm: LanguageModel, batch: MaskedBatch) -> torch.Tensor:
    with torch.no_grad():
        made = lm.model(input_ids=batch.input_ids, attention_mask=batch.attention_mask).logits
    return made[batch.attention_mask.bool()]


@pytest.mark.parametrize("name", BY_EVIDENCE)
@pytest.mark.parametrize("fold_means", [True, False])
def test_a_full_size_cut_keeps_the_function(lm: LanguageModel, name: str, fold_means: bool) -> None:
    same = HIDDEN_REDUCTIONS[name](lm, 24, 4, evidence(fold_means=fold_means))
    for batch in batches(seed=8, count=2):
        torch.testing.assert_close(logits(same, batch), logits(lm, batch), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", BY_EVIDENCE)
@pytest.mark.parametrize(("hidden", "heads"), [(16, 4), (12, 2), (12, 4)])
def test_the_narrower_model_is_a_plain_one_of_its_sizes(lm: LanguageModel, name: str, hidden: int, heads: int) -> None:
    small = HIDDEN_REDUCTIONS[name](lm, hidden, heads, evidence())
    assert small.sizes == replace(lm.sizes, hidden=hidden, heads=heads)
    assert type(small.model) is type(lm.model)
    assert all(torch.isfinite(tensor).all() for tensor in tensors_of(small).values())


def test_the_same_text_gives_the_same_bytes(lm: LanguageModel) -> None:
    one, other = (tensors_of(rotate(lm, 12, 2, evidence())) for _ in range(2))
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_a_model_within_a_subspace_loses_nothing(lm: LanguageModel) -> None:
    """Units that only repeat others carry nothing of their own: half as many directions hold all that there is."""
    found = gather(within_half(lm), batches(), Quiet())
    basis = principal(found, 12).matrix
    for moments in found.stream:
        lost = moments.covariance - basis @ (basis.T @ moments.covariance @ basis) @ basis.T
        assert lost.abs().max() < 1e-5 * moments.covariance.abs().max()


def within_half(lm: LanguageModel) -> LanguageModel:
    """A copy in which every second unit of the stream equals the one before it."""
    made = LanguageModel(copy.deepcopy(lm.model), lm.tokenizer)
    with torch.no_grad():
        for name, entry in lm.family.all_tensors(lm.sizes):
            tensor = made.model.get_parameter(name)
            if "hidden" in entry.axes:
                for dimension in (place for place, axis in enumerate(entry.axes) if axis == "hidden"):
                    index = torch.arange(24) // 2 * 2
                    tensor.copy_(tensor.index_select(dimension, index))
    return made


@pytest.mark.parametrize("k", [1, 2, 7, 23, 24])
def test_the_rotation_is_orthonormal_and_keeps_all_ones(statistics: Statistics, k: int) -> None:
    basis = principal(statistics, k).matrix
    torch.testing.assert_close(basis.T @ basis, torch.eye(k, dtype=torch.float64), rtol=0, atol=1e-10)
    ones = torch.ones(k, dtype=torch.float64) / k**0.5
    torch.testing.assert_close(basis @ ones, torch.ones(24, dtype=torch.float64) / 24**0.5, rtol=0, atol=1e-10)


def test_the_rotation_of_full_width_is_the_identity(statistics: Statistics) -> None:
    torch.testing.assert_close(principal(statistics, 24).matrix, torch.eye(24, dtype=torch.float64), rtol=0, atol=1e-9)


def test_no_choice_of_units_holds_more_variance_than_the_rotation(statistics: Statistics) -> None:
    covariance = shared_covariance(statistics)
    for k in (4, 12, 20):
        rotated, chosen = principal(statistics, k), chosen_units(variance(statistics), k)
        held = [(basis.matrix.T @ covariance @ basis.matrix).trace() for basis in (rotated, chosen)]
        assert held[0] > held[1]


def test_chosen_units_are_the_highest_in_their_order() -> None:
    basis = chosen_units(torch.tensor([1.0, 5.0, 0.0, 5.0, 7.0]), 3)
    assert basis.units.tolist() == basis.matrix.argmax(0).tolist() == [1, 3, 4]
    assert basis.matrix.sum() == 3


def attention_of(lm: LanguageModel, layer: int) -> Attention:
    family = lm.family
    modules = [lm.module(path, layer) for path in (family.query, family.key, family.value, family.attention_output)]
    tensors = [module.get_parameter(kind).detach().double() for module in modules for kind in ("weight", "bias")]
    return Attention(*tensors)


def attend(attention: Attention, x: torch.Tensor, heads: int) -> torch.Tensor:
    """One text's attention output, shape (tokens, hidden), written out."""
    q, k, v = (
        (x @ weight.T + bias).view(len(x), heads, -1).transpose(0, 1)
        for weight, bias in (
            (attention.query, attention.query_bias),
            (attention.key, attention.key_bias),
            (attention.value, attention.value_bias),
        )
    )
    weights = (q @ k.transpose(1, 2) / q.shape[-1] ** 0.5).softmax(-1)
    return (weights @ v).transpose(0, 1).flatten(1) @ attention.output.T + attention.output_bias


def text(seed: int = 2) -> torch.Tensor:
    return torch.randn(9, 24, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def moments_of(x: torch.Tensor) -> Moments:
    return Moments(x.mean(0), (x - x.mean(0)).T @ (x - x.mean(0)) / len(x))


def test_whole_heads_removed_are_heads_zeroed(lm: LanguageModel) -> None:
    attention, x = attention_of(lm, 1), text()
    zeroed = replace(attention, output=attention.output * (torch.arange(24) // 6 != 2))
    kept = keep_heads(attention, torch.tensor([0, 1, 3]), 6, None)
    torch.testing.assert_close(attend(kept, x, 3), attend(zeroed, x, 4))


def test_the_mean_of_removed_heads_is_exact_on_inputs_equal_to_the_mean(lm: LanguageModel) -> None:
    attention, x = attention_of(lm, 0), text()[:1].expand(9, -1)
    # All tokens alike: a head gives its value, whatever it attends to.
    mean = attention.value @ x[0] + attention.value_bias
    kept = keep_heads(attention, torch.tensor([1]), 6, mean)
    torch.testing.assert_close(attend(kept, x, 1), attend(attention, x, 4))


def test_factorised_heads_of_full_width_are_the_same_heads(lm: LanguageModel) -> None:
    attention, x = attention_of(lm, 2), text()
    many = torch.cat([text(seed) for seed in range(6)])
    same = factorise(attention, moments_of(many), 4, 6)
    torch.testing.assert_close(attend(same, x, 4), attend(attention, x, 4), rtol=1e-6, atol=1e-8)


def test_heads_of_low_rank_lose_nothing_when_factorised(lm: LanguageModel) -> None:
    attention, x = attention_of(lm, 2), text()
    low = torch.arange(24) % 6 < 3
    thin = replace(attention, key=attention.key * low[:, None], value=attention.value * low[:, None])
    many = torch.cat([text(seed) for seed in range(6)])
    narrow = factorise(thin, moments_of(many), 4, 3)
    assert narrow.query.shape == (12, 24)
    torch.testing.assert_close(attend(narrow, x, 4), attend(thin, x, 4), rtol=1e-6, atol=1e-8)


def test_dimensions_that_carry_nothing_can_go(lm: LanguageModel) -> None:
    attention, x = attention_of(lm, 3), text()
    useful = torch.arange(24) % 2 == 0
    thin = replace(
        attention,
        key=attention.key * useful[:, None],
        key_bias=attention.key_bias * useful,
        output=attention.output * useful,
    )
    narrow = keep_dimensions(thin, (useful.double(), useful.double()), 4, 3, None)
    torch.testing.assert_close(attend(narrow, x, 4), attend(thin, x, 4))


def test_statistics_are_those_of_the_real_tokens(lm: LanguageModel, statistics: Statistics) -> None:
    last = torch.cat([states(lm, batch) for batch in batches()]).double()
    torch.testing.assert_close(statistics.stream[-1].mean, last.mean(0), rtol=1e-5, atol=1e-6)
    expected = torch.cov(last.T, correction=0)
    torch.testing.assert_close(statistics.stream[-1].covariance, expected, rtol=1e-4, atol=1e-5)
    assert len(statistics.stream) == len(stream_norms(lm)) == 2 * lm.sizes.layers + 1


def test_a_head_that_writes_nothing_has_no_relevance(lm: LanguageModel) -> None:
    silent = LanguageModel(copy.deepcopy(lm.model), lm.tokenizer)
    with torch.no_grad():
        silent.module(lm.family.attention_output, 1).get_parameter("weight")[:, 6:12] = 0
    found = gather(silent, batches(), Quiet())
    assert found.head_relevance[1, 1] == 0
    assert (found.head_relevance[1, [0, 2, 3]] > 0).all()
    assert (found.context_relevance[1, 6:12] == 0).all()


def test_text_without_masked_places_is_refused(lm: LanguageModel) -> None:
    nothing = torch.zeros(0, dtype=torch.int64)
    empty = [replace(batch, positions=nothing, labels=nothing) for batch in batches(count=2)]
    with pytest.raises(InputError, match="no token that the teacher knows"):
        rotate(lm, 12, 2, Evidence(empty, True, Quiet()))


def test_regression_finds_the_line_and_gives_the_mean_where_there_is_none() -> None:
    x = torch.randn(50, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    x[:, 2] = 4
    y = x * torch.tensor([2.0, -1.0, 5.0]) + torch.tensor([0.5, 0.0, 1.0])
    regression = Regression(3)
    regression.add(x[:20], y[:20])
    regression.add(x[20:], y[20:])
    gain, bias = regression.solve()
    torch.testing.assert_close(gain, torch.tensor([2.0, -1.0, 0.0], dtype=torch.float64))
    torch.testing.assert_close(bias, torch.tensor([0.5, 0.0, 21.0], dtype=torch.float64))


def test_a_refit_is_never_worse_than_its_start() -> None:
    generator = torch.Generator().manual_seed(4)
    weight, inputs = torch.randn(6, 6, generator=generator), torch.randn(40, 6, generator=generator)
    start = Transform(weight, torch.zeros(6), torch.ones(6), torch.zeros(6))

    def made(transform: Transform) -> torch.Tensor:
        hidden = torch.nn.functional.gelu(inputs @ transform.weight.T + transform.bias)
        return torch.nn.functional.layer_norm(hidden, (6,), transform.gain, transform.shift, 1e-5)

    def refitted(wanted: torch.Tensor) -> Transform:
        return refit_transform(start, torch.nn.functional.gelu, 1e-5, inputs, wanted, torch.eye(6), Quiet())

    exact = refitted(made(start))
    assert all(torch.equal(getattr(exact, name), getattr(start, name)) for name in ("weight", "bias", "gain", "shift"))
    wanted = torch.randn(40, 6, generator=generator)
    before, after = ((made(one) - wanted).square().sum() for one in (start, refitted(wanted)))
    assert after < 0.8 * before
