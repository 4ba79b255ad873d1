"""A teacher's answers: remembered or computed they are the same bits; the map of hidden states is the least squares."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from core.compression.layers import cut_layers
from core.context import Quiet
from core.corpus.batches import MaskedBatch
from core.distillation.answers import Remembered
from core.distillation.data import Steps
from core.distillation.lesson import Lesson, at_tokens
from core.distillation.losses import Distance
from core.errors import Stopped
from core.models import LanguageModel
from tests.conftest import FAMILY_TYPES, build
from tests.tiny_training import SETTINGS, Recorder, data_for, distil, same


class Counting(Remembered):
    """Counts what was found and what was put."""

    def __init__(self, most: int = 1 << 30) -> None:
        super().__init__(most)
        self.found = self.put_in = 0

    def get(self, key: str) -> Mapping[str, Tensor] | None:
        found = super().get(key)
        self.found += found is not None
        return found

    def put(self, key: str, answers: Mapping[str, Tensor]) -> None:
        self.put_in += 1
        super().put(key, answers)


def lesson_of(lm: LanguageModel, kind: str = "mse", answers: Remembered | None = None) -> Lesson:
    return Lesson(lm, Distance(lm, kind, 1.0), answers)


def batches(lm: LanguageModel, tokens: int = 64, step: int = 0) -> list[MaskedBatch]:
    return Steps(data_for(lm), "layers", tokens)[step]


def states(lm: LanguageModel, batch: MaskedBatch) -> Tensor:
    return lm.hidden_states(batch.input_ids, batch.attention_mask).flatten(0, 1).detach()


def wide(lm: LanguageModel, tokens: int = 400) -> list[MaskedBatch]:
    """Texts of several lengths beside each other: some places are padding."""
    found = batches(lm, tokens)
    assert any(batch.tokens < batch.attention_mask.numel() for batch in found)
    return found


@pytest.mark.parametrize("kind", ["mse", "kl"])
@pytest.mark.parametrize("hidden_weight", [0.0, 0.5])
def test_remembered_and_computed_answers_teach_the_same_bits(kind: str, hidden_weight: float) -> None:
    settings, answers = replace(SETTINGS, hidden_weight=hidden_weight), Counting()
    first, second, plain = Recorder(), Recorder(), Recorder()
    wanted = distil(kind, plain, settings=settings)
    assert same(distil(kind, first, settings=settings, answers=answers), wanted)
    asked = answers.put_in
    assert same(distil(kind, second, settings=settings, answers=answers), wanted)
    assert answers.put_in == asked  # the second time the teacher was asked nothing
    assert first.events == second.events == plain.events


def test_validation_texts_are_asked_for_once() -> None:
    answers = Counting()
    distil("kl", settings=SETTINGS, answers=answers)
    validations = 4 * len(data_for(build("bert", tied=True)).validation_batches(SETTINGS.validation_tokens))
    assert answers.found == validations * 3 // 4


@pytest.mark.parametrize("change", ["text", "masks", "padding", "places", "hidden", "teacher", "precision", "split"])
def test_another_question_gets_another_answer(change: str) -> None:
    lm, answers = build("bert", tied=True), Counting()
    batch = batches(lm, 400)[0]
    lesson_of(lm, "kl", answers).answer(batch)
    match change:
        case "text":
            ids = batch.input_ids.clone()
            ids[0, 1] = 5 + (ids[0, 1] - 4) % 40
            lesson_of(lm, "kl", answers).answer(replace(batch, input_ids=ids))
        case "masks":
            lesson_of(lm, "kl", answers).answer(replace(batch, positions=batch.positions[1:], labels=batch.labels[1:]))
        case "padding":
            shorter = batch.attention_mask.clone()
            shorter[0, -1] = 0
            lesson_of(lm, "kl", answers).answer(replace(batch, attention_mask=shorter))
        case "places":
            assert len(lesson_of(lm, "mse", answers).answer(batch)["features"]) == batch.tokens
        case "hidden":
            assert "hidden" in lesson_of(lm, "kl", answers).answer(batch, layers=4)
        case "teacher":
            other = build("bert", tied=True)
            with torch.no_grad():
                other.decoder[1][7] += 1e-3
            lesson_of(other, "kl", answers).answer(batch)
        case "precision":
            with torch.autocast("cpu", dtype=torch.bfloat16):
                lesson_of(lm, "kl", answers).answer(batch)
        case "split":  # the same numbers in another shape
            ids, mask = (tensor.reshape(1, -1) for tensor in (batch.input_ids, batch.attention_mask))
            short = slice(0, lm.max_length)
            one = MaskedBatch(ids[:, short], mask[:, short], batch.positions[:1], batch.labels[:1])
            two = MaskedBatch(
                one.input_ids.reshape(2, -1), one.attention_mask.reshape(2, -1), one.positions, one.labels
            )
            lesson_of(lm, "kl", answers).answer(one)
            lesson_of(lm, "kl", answers).answer(two)
    assert answers.found == 0


def test_answers_are_the_teachers_at_tokens_only() -> None:
    lm = build("bert", tied=True)
    for batch in wide(lm):
        everywhere, masked = (lesson_of(lm, kind).answer(batch, layers=4) for kind in ("mse", "kl"))
        real = batch.attention_mask.flatten().bool()
        assert torch.equal(everywhere["hidden"][-1], states(lm, batch)[real].bfloat16())
        torch.testing.assert_close(everywhere["features"], lm.head_features(states(lm, batch)[real]))
        torch.testing.assert_close(masked["features"], lm.head_features(states(lm, batch)[batch.positions]))


def test_no_more_is_kept_than_there_is_room_for() -> None:
    answers = {"features": torch.zeros(10, 10)}
    memory = Remembered(2 * 400)
    for key in "abc":
        memory.put(key, answers)
    assert [memory.get(key) is not None for key in "abc"] == [True, True, False]
    memory.put("d", {"features": torch.zeros(0, 10)})
    assert memory.get("d") is not None
    assert Remembered(0).get("a") is None


def test_too_little_room_changes_nothing_of_what_is_learnt() -> None:
    wanted, answers = distil("mse"), Counting(12_000)
    for _ in range(2):
        assert same(distil("mse", answers=answers), wanted)
    assert 0 < answers.found < answers.put_in


def all_states(lm: LanguageModel, text: list[MaskedBatch]) -> torch.Tensor:
    """Every layer's states at the tokens of a text, shape (layers, tokens, hidden), float64."""
    with torch.no_grad():
        made = [at_tokens(lm.layer_states(batch.input_ids, batch.attention_mask), batch) for batch in text]
    return torch.cat(made, dim=1).double()


def test_the_last_of_the_layers_states_are_the_hidden_states() -> None:
    for kind in FAMILY_TYPES:
        lm = build(kind, tied=True)
        batch = batches(lm, 400)[0]
        every = lm.layer_states(batch.input_ids, batch.attention_mask)
        assert len(every) == lm.sizes.layers
        assert torch.equal(every[-1], lm.hidden_states(batch.input_ids, batch.attention_mask))


def test_each_layer_is_compared_with_the_one_that_ends_as_deep() -> None:
    teacher = build("bert", tied=True)
    batch = batches(teacher, 400)[0]
    every = all_states(teacher, [batch]).float()
    for layers, as_deep in ((1, [3]), (2, [1, 3]), (3, [0, 1, 3]), (4, [0, 1, 2, 3])):
        assert torch.equal(lesson_of(teacher).answer(batch, layers=layers)["hidden"], every[as_deep].bfloat16())


def test_the_maps_are_the_ridge_least_squares_on_tokens() -> None:
    teacher = build("bert", tied=True)
    student = cut_layers(teacher, [0, 2])
    text = wide(teacher)
    found, scales = lesson_of(teacher).hidden_map(student, text, Quiet())
    assert found.shape == (2, 24, 24) and found.dtype == torch.float32
    for layer, (own, theirs) in enumerate(
        zip(all_states(student, text), all_states(teacher, text)[[1, 3]], strict=True)
    ):
        theirs = theirs.bfloat16().double()  # as answers are kept
        # A ridge is a least squares with rows more, here of weight (share * mean of the diagonal) ** 0.5.
        weight = (1e-4 * own.square().sum() / own.shape[1]) ** 0.5
        rows = torch.cat([own, weight * torch.eye(own.shape[1], dtype=torch.float64)])
        aims = torch.cat([theirs, torch.zeros(own.shape[1], theirs.shape[1], dtype=torch.float64)])
        torch.testing.assert_close(found[layer].double(), torch.linalg.lstsq(rows, aims).solution, rtol=1e-4, atol=1e-5)
        assert scales[layer] == pytest.approx((theirs - theirs.mean(0)).square().sum(1).mean().item(), rel=1e-6)


def test_the_maps_of_a_teacher_to_itself_leave_states_as_they_are() -> None:
    lm = build("bert", tied=True)
    text = batches(lm, 400)
    found, _ = lesson_of(lm).hidden_map(lm, text, Quiet())
    for layer, own in enumerate(all_states(lm, text).float()):
        assert (own @ found[layer] - own).norm() < 0.02 * own.norm()


def test_the_maps_do_not_depend_on_how_a_step_is_split() -> None:
    teacher = build("bert", tied=True)
    student = cut_layers(teacher, [0, 2])
    (one, scales), (many, others) = (
        lesson_of(teacher).hidden_map(student, Steps(data_for(teacher, size), "layers", 400)[0], Quiet())
        for size in (1000, 12)
    )
    torch.testing.assert_close(one, many, rtol=1e-4, atol=1e-4)
    assert scales == pytest.approx(others, rel=1e-6)


def test_a_teacher_whose_states_never_change_has_no_scale_of_nothing() -> None:
    teacher = build("bert", tied=True)
    with torch.no_grad():
        norm = teacher.model.bert.encoder.layer[-1].output.LayerNorm
        norm.weight.zero_()
    student = cut_layers(build("bert", tied=True), [0, 2])
    found, scales = lesson_of(teacher).hidden_map(student, batches(teacher), Quiet())
    assert min(scales) > 0 and torch.isfinite(found).all()


def test_the_map_is_asked_between_batches_whether_to_go_on() -> None:
    teacher = build("bert", tied=True)
    text = Steps(data_for(teacher, 12), "layers", 400)[0]
    with pytest.raises(Stopped):
        lesson_of(teacher).hidden_map(teacher, text, Recorder(stop_at=len(text)))
