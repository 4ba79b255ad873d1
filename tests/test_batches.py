"""Steps, micro-batches and masks: pure functions of what they are given."""

from __future__ import annotations

import itertools

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from core.corpus.batches import VALIDATION_KEY, MaskedBatch, Masker, StepPlan, bundles, split, validation_batches

PAD, CLS, SEP, UNK, MASK = SPECIAL = range(5)
VOCABULARY = 1000


class Rows:
    """Tokenised texts in memory."""

    def __init__(self, *rows: list[int]) -> None:
        self._rows = [np.array(row, dtype=np.uint16) for row in rows]

    @property
    def lengths(self) -> npt.NDArray[np.int64]:
        return np.array([len(row) for row in self._rows], dtype=np.int64)

    def __getitem__(self, index: int) -> npt.NDArray[np.uint16]:
        return self._rows[index]


def some_rows(texts: int, longest: int = 60, seed: int = 0) -> Rows:
    random = np.random.default_rng(seed)
    lengths = random.integers(1, longest, texts, endpoint=True)
    return Rows(*([CLS, *random.integers(5, VOCABULARY, length).tolist(), SEP] for length in lengths))


@pytest.fixture
def masker() -> Masker:
    return Masker(VOCABULARY, MASK, SPECIAL, seed=1)


def row_of(batch: MaskedBatch, row: int) -> tuple[list[int], dict[int, int]]:
    """What the model reads in a row, padding left out, and the labels by column."""
    width = batch.input_ids.shape[1]
    ids = batch.input_ids[row][batch.attention_mask[row] == 1].tolist()
    places = zip(batch.positions.tolist(), batch.labels.tolist(), strict=True)
    return ids, {place % width: label for place, label in places if place // width == row}


# -- the plan --------------------------------------------------------------------------------------------------------


@settings(deadline=None)
@given(st.lists(st.integers(1, 300), min_size=1, max_size=80), st.integers(1, 2000), st.integers(0, 2**64))
def test_an_epoch_takes_every_text_once_in_steps_that_are_never_empty(
    lengths: list[int], budget: int, seed: int
) -> None:
    plan = StepPlan(np.array(lengths), budget, seed)
    for epoch in range(2):
        steps = [plan.texts(epoch * plan.steps_per_epoch + step) for step in range(plan.steps_per_epoch)]
        assert min(map(len, steps)) > 0
        assert sorted(np.concatenate(steps).tolist()) == list(range(len(lengths)))


def test_steps_hold_the_budget_to_a_text() -> None:
    lengths = some_rows(2000).lengths
    plan = StepPlan(lengths, 1024, seed=3)
    tokens = np.array([lengths[plan.texts(step)].sum() for step in range(plan.steps_per_epoch)])
    assert np.abs(tokens - 1024).max() <= lengths.max() + 1024 / (2 * plan.steps_per_epoch)
    assert np.abs(tokens.mean() - 1024) <= 1024 / (2 * plan.steps_per_epoch)


def test_a_corpus_smaller_than_a_step_is_one_step() -> None:
    plan = StepPlan(np.array([5, 6, 7]), 8192, seed=1)
    assert plan.steps_per_epoch == 1
    assert {tuple(sorted(plan.texts(step).tolist())) for step in range(5)} == {(0, 1, 2)}


def test_texts_longer_than_a_step_leave_none_empty() -> None:
    plan = StepPlan(np.array([500, 1, 1, 1]), 100, seed=0)
    assert plan.steps_per_epoch == 4
    assert [len(plan.texts(step)) for step in range(4)] == [1, 1, 1, 1]


def test_any_step_can_be_had_without_those_before_it() -> None:
    lengths = some_rows(300).lengths
    plan = StepPlan(lengths, 500, seed=9)
    in_order = [plan.texts(step).tolist() for step in range(3 * plan.steps_per_epoch)]
    for step in (len(in_order) - 1, 0, plan.steps_per_epoch, 1):
        assert StepPlan(lengths, 500, seed=9).texts(step).tolist() == in_order[step]
        assert plan.texts(step).tolist() == in_order[step]


def test_epochs_and_seeds_differ_in_order() -> None:
    lengths = np.full(50, 10)
    plan = StepPlan(lengths, 100, seed=1)
    orders = [plan.texts(0), plan.texts(plan.steps_per_epoch), StepPlan(lengths, 100, seed=2).texts(0)]
    assert len({tuple(order.tolist()) for order in orders}) == 3


def test_the_order_is_the_same_on_every_machine_and_version() -> None:
    assert StepPlan(np.full(8, 10), 40, seed=42).texts(0).tolist() == [6, 2, 7, 0]


@pytest.mark.parametrize(("lengths", "budget"), [([], 10), ([1], 0)])
def test_a_plan_of_nothing_is_refused(lengths: list[int], budget: int) -> None:
    with pytest.raises(ValueError, match="at least one text"):
        StepPlan(np.array(lengths, dtype=np.int64), budget, seed=0)


# -- micro-batches ---------------------------------------------------------------------------------------------------


@settings(deadline=None)
@given(st.lists(st.integers(1, 300), min_size=1, max_size=60), st.integers(1, 2000))
def test_a_split_holds_every_text_once_within_the_size(lengths: list[int], size: int) -> None:
    parts = split(np.array(lengths), size)
    assert sorted(np.concatenate(parts).tolist()) == list(range(len(lengths)))
    assert all(len(part) == 1 or len(part) * max(lengths[i] for i in part) <= size for part in parts)
    in_order = [lengths[i] for part in parts for i in part]
    assert in_order == sorted(lengths, reverse=True)


def test_a_split_is_the_cheapest_of_all() -> None:
    lengths, size = [9, 9, 8, 4, 4, 3, 1, 1], 64
    cuts = range(1, len(lengths))
    costs = []
    for chosen in range(1 << len(cuts)):
        bounds = [0, *(cut for cut in cuts if chosen >> (cut - 1) & 1), len(lengths)]
        padded = [(stop - start) * lengths[start] for start, stop in itertools.pairwise(bounds)]
        if max(padded) <= size:
            costs.append(sum(padded) + size // 32 * len(padded))
    parts = split(np.array(lengths), size)
    assert sum(len(part) * lengths[part[0]] + size // 32 for part in parts) == min(costs)


def test_little_of_a_split_is_padding() -> None:
    lengths = np.random.default_rng(0).integers(3, 256, 80)
    padded = sum(len(part) * lengths[part].max() for part in split(lengths, 2048))
    assert 1 - lengths.sum() / padded < 0.12


# -- masks -----------------------------------------------------------------------------------------------------------


def test_a_batch_is_the_texts_padded_and_masked(masker: Masker) -> None:
    rows = Rows([CLS, 10, 11, 12, 13, SEP], [CLS, 20, SEP])
    batch = masker.mask(rows, np.array([1, 0]), key=0, pad_id=PAD)
    assert {tensor.dtype for tensor in (batch.input_ids, batch.attention_mask, batch.positions, batch.labels)} == {
        torch.int64
    }
    assert batch.attention_mask.tolist() == [[1, 1, 1, 0, 0, 0], [1, 1, 1, 1, 1, 1]]
    assert batch.input_ids[0, 3:].tolist() == [PAD] * 3
    assert batch.tokens == 9
    assert batch.positions.tolist() == sorted(set(batch.positions.tolist()))
    restored = batch.input_ids.flatten().clone()
    restored[batch.positions] = batch.labels
    assert restored.tolist() == [CLS, 20, SEP, PAD, PAD, PAD, CLS, 10, 11, 12, 13, SEP]
    assert len(row_of(batch, 0)[1]) == len(row_of(batch, 1)[1]) == 1


@pytest.mark.parametrize(("ordinary", "chosen"), [(0, 0), (1, 1), (3, 1), (9, 1), (10, 2), (16, 2), (17, 3), (100, 15)])
def test_fifteen_in_a_hundred_ordinary_tokens_are_chosen(masker: Masker, ordinary: int, chosen: int) -> None:
    rows = Rows([CLS, *range(5, 5 + ordinary), SEP])
    batch = masker.mask(rows, np.array([0]), key=7, pad_id=PAD)
    assert len(batch.labels) == chosen
    assert not set(batch.labels.tolist()) & set(SPECIAL)


def test_splitting_differently_masks_the_same(masker: Masker) -> None:
    rows = some_rows(40)
    together = masker.mask(rows, np.arange(40), key=5, pad_id=PAD)
    for part in split(rows.lengths, 128):
        batch = masker.mask(rows, part, key=5, pad_id=PAD)
        for row, text in enumerate(part):
            assert row_of(batch, row) == row_of(together, int(text))


def test_keys_seeds_and_texts_have_masks_of_their_own(masker: Masker) -> None:
    rows = Rows(*[[CLS, *range(5, 105), SEP]] * 2)
    batches = [masker.mask(rows, np.array([0, 1]), key, PAD) for key in (0, 1)]
    batches.append(Masker(VOCABULARY, MASK, SPECIAL, seed=2).mask(rows, np.array([0, 1]), 0, PAD))
    places = {tuple(row_of(batch, row)[1]) for batch in batches for row in (0, 1)}
    assert len(places) == 6


def test_of_the_chosen_eight_in_ten_are_masked_and_one_replaced(masker: Masker) -> None:
    rows = some_rows(3000)
    batch = masker.mask(rows, np.arange(3000), key=0, pad_id=PAD)
    read = batch.input_ids.flatten()[batch.positions]
    share = {
        "masked": (read == MASK).double().mean().item(),
        "kept": (read == batch.labels).double().mean().item(),
        "replaced": ((read != MASK) & (read != batch.labels)).double().mean().item(),
    }
    # About 14,000 draws: five standard deviations are 0.017 at 0.8 and 0.013 at 0.1.
    assert share == pytest.approx({"masked": 0.8, "kept": 0.1, "replaced": 0.1}, abs=0.017)
    assert not set(read[read != MASK].tolist()) & set(SPECIAL)


def test_every_ordinary_token_and_place_is_drawn_alike() -> None:
    rows = Rows(*[[CLS, *[9] * 20, SEP]] * 4000)
    batch = Masker(15, MASK, SPECIAL, seed=0).mask(rows, np.arange(4000), key=0, pad_id=PAD)
    columns = np.bincount(batch.positions.numpy() % 22, minlength=22)
    assert columns[[0, -1]].tolist() == [0, 0]
    assert np.abs(columns[1:-1] / 600 - 1).max() < 0.2  # 600 expected, five standard deviations 0.19
    read = batch.input_ids.flatten()[batch.positions].numpy()
    drawn = np.bincount(read[read != MASK], minlength=15)
    others = np.delete(drawn[5:], 9 - 5)
    assert np.abs(others / 120 - 1).max() < 0.46  # 120 expected, five standard deviations 0.45


def test_a_batch_without_ordinary_tokens_has_no_labels(masker: Masker) -> None:
    batch = masker.mask(Rows([CLS, UNK, SEP]), np.array([0]), key=0, pad_id=PAD)
    assert batch.labels.shape == batch.positions.shape == (0,)
    assert batch.input_ids.tolist() == [[CLS, UNK, SEP]]


def test_masking_leaves_the_cache_alone(masker: Masker) -> None:
    rows = some_rows(20)
    before = [rows[i].tolist() for i in range(20)]
    masker.mask(rows, np.arange(20), key=0, pad_id=PAD)
    assert [rows[i].tolist() for i in range(20)] == before


def test_a_vocabulary_of_special_tokens_is_refused() -> None:
    with pytest.raises(ValueError, match="every token of the vocabulary is special"):
        Masker(5, MASK, SPECIAL, seed=0)


def test_a_batch_moves_to_a_device_whole(masker: Masker) -> None:
    batch = masker.mask(some_rows(3), np.arange(3), key=0, pad_id=PAD).to("meta")
    assert {
        tensor.device.type for tensor in (batch.input_ids, batch.attention_mask, batch.positions, batch.labels)
    } == {"meta"}


# -- validation ------------------------------------------------------------------------------------------------------


def test_validation_holds_every_text_with_the_same_masks_at_any_size(masker: Masker) -> None:
    rows = some_rows(50)
    for size in (64, 4096):
        batches = validation_batches(rows, masker, size, PAD)
        assert sum(batch.tokens for batch in batches) == rows.lengths.sum()
        widths = [batch.input_ids.shape[1] for batch in batches]
        assert widths == sorted(widths, reverse=True)
        assert sorted(label for batch in batches for label in batch.labels.tolist()) == sorted(
            masker.mask(rows, np.arange(50), VALIDATION_KEY, PAD).labels.tolist()
        )


@pytest.mark.parametrize("limit", [1, 100, 500])
def test_a_limited_validation_takes_a_fixed_part(masker: Masker, limit: int) -> None:
    rows = some_rows(50)
    first, second = (
        [batch.input_ids.tolist() for batch in validation_batches(rows, masker, 256, PAD, limit)] for _ in "ab"
    )
    assert first == second
    tokens = sum(batch.tokens for batch in validation_batches(rows, masker, 256, PAD, limit))
    assert 0 < tokens <= limit or sum(len(batch) for batch in first) == 1
    assert tokens > limit - 62 or limit == 1


@pytest.mark.parametrize("share", [0.15, 0.3, 0.5])
def test_a_share_of_every_text_is_masked_to_the_token(share: float) -> None:
    for length in range(1, 60):
        rows = Rows([CLS, *range(5, 5 + length), SEP])
        batch = Masker(VOCABULARY, MASK, SPECIAL, seed=1, share=share).mask(rows, np.array([0]), 0, PAD)
        assert len(batch.positions) == max(1, (round(100 * share) * length + 50) // 100)


# -- bundles -----------------------------------------------------------------------------------------------------------


@settings(deadline=None)
@given(st.lists(st.integers(1, 300), min_size=1, max_size=200), st.integers(1, 500), st.integers(0, 5))
def test_every_text_is_in_one_bundle_of_its_like(lengths: list[int], most: int, seed: int) -> None:
    found = bundles(np.array(lengths), most, seed)
    assert sorted(np.concatenate(found).tolist()) == list(range(len(lengths)))
    for texts in found:
        sizes = [lengths[text] for text in texts]
        assert len(texts) == 1 or len(texts) * max(sizes) <= most
    for one, next_one in itertools.pairwise(found):
        assert min(lengths[text] for text in one) >= max(lengths[text] for text in next_one)


def test_padding_is_less_than_a_twentieth_of_all_tokens() -> None:
    """Texts of 60 to 512 tokens, median 150."""
    lengths = np.random.default_rng(3).lognormal(np.log(150), 0.6, 3000).clip(60, 512).astype(np.int64)
    found = bundles(lengths, 2048, 1)
    padded = sum(len(texts) * int(lengths[texts].max()) for texts in found)
    assert 1 - lengths.sum() / padded < 0.05


def test_texts_of_one_length_are_bundled_by_the_seed() -> None:
    lengths = np.full(64, 10)
    one, same, other = (bundles(lengths, 80, seed) for seed in (1, 1, 2))
    assert all(np.array_equal(a, b) for a, b in zip(one, same, strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))
