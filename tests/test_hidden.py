"""Narrower models hold the weights they claim to hold."""

from __future__ import annotations

import copy
from dataclasses import replace

import pytest
import torch

from core.compression.hidden import Evidence, low_rank, per_head, svd, truncate
from core.context import Quiet
from core.errors import Stopped
from core.models import LanguageModel, tensors_of

BY_WEIGHTS = {"truncate": truncate, "svd": svd, "per_head": per_head}
"""Those that look at no text; the others are in test_projection."""

IDS = torch.tensor([[5, 9, 30, 41, 17], [8, 22, 6, 1, 1]])
MASK = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]])


def logits(lm: LanguageModel) -> torch.Tensor:
    with torch.no_grad():
        return lm.model(IDS, attention_mask=MASK).logits


def query_names(lm: LanguageModel) -> set[str]:
    names = (f"{lm.family.layer}.{lm.family.query}.{kind}" for kind in ("weight", "bias"))
    return {name.format(layer=layer) for name in names for layer in range(lm.sizes.layers)}


def picked(lm: LanguageModel, hidden: list[int], heads: list[int]) -> dict[str, torch.Tensor]:
    """The teacher's weights at these units, chosen by plain indexing."""
    units = {"hidden": torch.tensor(hidden), "heads": torch.tensor(heads)}
    result = tensors_of(lm)
    for name, entry in lm.family.all_tensors(lm.sizes):
        index = [units.get(axis, torch.arange(lm.sizes.along(axis))) for axis in entry.axes]
        result[name] = result[name][index[0]] if len(index) == 1 else result[name][index[0][:, None], index[1]]
    return result


@pytest.mark.parametrize("name", sorted(BY_WEIGHTS))
def test_keeping_every_unit_changes_nothing(lm: LanguageModel, name: str) -> None:
    assert torch.equal(logits(BY_WEIGHTS[name](lm, 24, 4)), logits(lm))


@pytest.mark.parametrize("name", sorted(BY_WEIGHTS))
@pytest.mark.parametrize(("hidden", "heads"), [(16, 4), (12, 2), (12, 4)])
def test_the_narrower_model_runs_and_has_its_sizes(lm: LanguageModel, name: str, hidden: int, heads: int) -> None:
    small = BY_WEIGHTS[name](lm, hidden, heads)
    assert small.sizes == replace(lm.sizes, hidden=hidden, heads=heads)
    assert logits(small).shape == (2, 5, 50)
    assert sum(small.parameters.values()) == sum(parameter.numel() for parameter in small.model.parameters())


def test_truncate_takes_the_first_units_of_every_weight(lm: LanguageModel) -> None:
    expected = picked(lm, list(range(16)), list(range(16)))
    for name, tensor in tensors_of(truncate(lm, 16, 4)).items():
        assert torch.equal(tensor, expected[name]), name


def test_per_head_keeps_whole_heads_as_they_are(lm: LanguageModel) -> None:
    expected = picked(lm, list(range(12)), list(range(12)))  # heads 0 and 1, of 6 units
    for name, tensor in tensors_of(per_head(lm, 12, 2)).items():
        assert torch.equal(tensor, expected[name]), name


def test_per_head_keeps_the_first_units_of_each_head(lm: LanguageModel) -> None:
    expected = picked(lm, list(range(12)), [0, 1, 2, 6, 7, 8, 12, 13, 14, 18, 19, 20])
    queries = query_names(lm)
    for name, tensor in tensors_of(per_head(lm, 12, 4)).items():
        wanted = expected[name] * (3 / 6) ** 0.5 if name in queries else expected[name]
        torch.testing.assert_close(tensor, wanted)


def test_per_head_leaves_the_scores_of_kept_dimensions(lm: LanguageModel) -> None:
    """A head's scores are those of the teacher's head with its other query and hidden dimensions zeroed."""
    small = per_head(lm, 12, 4)
    x = torch.randn(5, 12, generator=torch.Generator().manual_seed(1))
    padded = torch.cat([x, torch.zeros(5, 12)], dim=1)
    for layer in range(4):
        q, k = (lm.module(path, layer)(padded).view(5, 4, 6) for path in (lm.family.query, lm.family.key))
        q = q * (torch.arange(6) < 3)
        teacher = torch.einsum("ihd,jhd->hij", q, k) / 6**0.5
        q, k = (small.module(path, layer)(x).view(5, 4, 3) for path in (lm.family.query, lm.family.key))
        torch.testing.assert_close(torch.einsum("ihd,jhd->hij", q, k) / 3**0.5, teacher)


def test_svd_of_a_low_rank_model_is_its_truncation(lm: LanguageModel) -> None:
    low = LanguageModel(copy.deepcopy(lm.model), lm.tokenizer)
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for name, tensor in tensors_of(low).items():
            if tensor.ndim == 2:
                rows, columns = tensor.shape
                factors = torch.randn(rows, 9, generator=generator), torch.randn(9, columns, generator=generator)
                low.model.get_parameter(name).copy_(factors[0] @ factors[1])
    expected = tensors_of(truncate(low, 12, 4))
    for name, tensor in tensors_of(svd(low, 12, 4)).items():
        torch.testing.assert_close(tensor, expected[name], rtol=1e-5, atol=1e-5)


def test_svd_replaces_every_matrix_that_is_cut_and_nothing_else(lm: LanguageModel) -> None:
    truncated = tensors_of(truncate(lm, 12, 4))
    teacher = tensors_of(lm)
    for name, tensor in tensors_of(svd(lm, 12, 4)).items():
        wide = teacher[name]
        if wide.ndim == 1 or min(wide.shape) <= 12:
            assert torch.equal(tensor, truncated[name])
        else:
            u, s, v = torch.linalg.svd(wide.double(), full_matrices=False)
            nearest = (u[:, :12] * s[:12] @ v[:12])[: tensor.shape[0], : tensor.shape[1]]
            torch.testing.assert_close(tensor.double(), nearest, rtol=1e-5, atol=1e-6)
            assert not torch.equal(tensor, truncated[name])


@pytest.mark.parametrize("shape", [(7, 5), (5, 7), (6, 6), (40000, 4)])
def test_low_rank_is_the_nearest(shape: tuple[int, int]) -> None:
    matrix = torch.randn(shape, generator=torch.Generator().manual_seed(9))
    u, s, v = torch.linalg.svd(matrix.double(), full_matrices=False)
    for rank in (1, 3):
        near = low_rank(matrix, rank, Quiet())
        assert near.dtype == torch.float32
        torch.testing.assert_close(near.double(), u[:, :rank] * s[:rank] @ v[:rank], rtol=1e-4, atol=1e-5)
    assert torch.equal(low_rank(matrix, min(shape), Quiet()), matrix)


def test_a_stop_is_heeded_between_the_rows_of_a_large_matrix() -> None:
    class Stopping(Quiet):
        checks = 0

        def check(self) -> None:
            self.checks += 1
            if self.checks == 4:  # three pieces of its rows, then the first again
                raise Stopped

    with pytest.raises(Stopped):
        low_rank(torch.ones(40_000, 4), 2, Stopping())


def test_svd_asks_whether_to_go_on(lm: LanguageModel) -> None:
    class Stopping(Quiet):
        def check(self) -> None:
            raise Stopped

    with pytest.raises(Stopped):
        svd(lm, 12, 4, Evidence([], False, Stopping()))
