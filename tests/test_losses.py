"""The loss without logits equals the plain formulas, value and gradient."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from core.distillation.losses import (
    GramSquares,
    gram_pays,
    hidden_state_sum,
    logit_square_sum,
    masked_language_sum,
    soft_label_sum,
)

VOCABULARY, STUDENT, TEACHER, PLACES = 37, 6, 10, 23


@pytest.fixture
def parts() -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(3)

    def draw(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator)

    return {
        "weight": draw(VOCABULARY, STUDENT),
        "bias": draw(VOCABULARY),
        "features": draw(PLACES, STUDENT),
        "teacher_weight": draw(VOCABULARY, TEACHER),
        "teacher_bias": draw(VOCABULARY),
        "teacher_features": draw(PLACES, TEACHER),
    }


def plain(parts: dict[str, Tensor]) -> Tensor:
    student = F.linear(parts["features"], parts["weight"], parts["bias"])
    teacher = F.linear(parts["teacher_features"], parts["teacher_weight"], parts["teacher_bias"])
    return F.mse_loss(student, teacher) * PLACES


def test_gram_equals_the_logits_mean_squared_error_over_micro_batches(parts: dict[str, Tensor]) -> None:
    trained = [parts[name].requires_grad_() for name in ("weight", "bias", "features")]
    wanted = plain(parts)
    wanted_gradients = torch.autograd.grad(wanted, trained)

    gram = GramSquares((parts["teacher_weight"], parts["teacher_bias"]))
    gram.begin((parts["weight"], parts["bias"]))
    total = 0.0
    for part in (slice(0, 5), slice(5, PLACES)):
        loss = gram.sum(parts["features"][part], parts["teacher_features"][part])
        loss.backward()
        total += loss.item()
    gram.finish()

    assert total == pytest.approx(wanted.item(), rel=1e-5)
    for tensor, gradient in zip(trained, wanted_gradients, strict=True):
        torch.testing.assert_close(tensor.grad, gradient, rtol=1e-4, atol=1e-5)


def test_gram_wants_begin_first(parts: dict[str, Tensor]) -> None:
    gram = GramSquares((parts["teacher_weight"], parts["teacher_bias"]))
    with pytest.raises(RuntimeError, match="begin"):
        gram.sum(parts["features"], parts["teacher_features"])
    with pytest.raises(RuntimeError, match="begin"):
        gram.finish()


def test_logit_squares_equal_the_librarys_mean_squared_error(parts: dict[str, Tensor]) -> None:
    student = F.linear(parts["features"], parts["weight"], parts["bias"])
    teacher = F.linear(parts["teacher_features"], parts["teacher_weight"], parts["teacher_bias"])
    torch.testing.assert_close(logit_square_sum(student, teacher), plain(parts))


def test_soft_labels_are_zero_where_both_agree_and_the_textbook_sum_otherwise(parts: dict[str, Tensor]) -> None:
    student = F.linear(parts["features"], parts["weight"], parts["bias"])
    teacher = F.linear(parts["teacher_features"], parts["teacher_weight"], parts["teacher_bias"])
    assert soft_label_sum(teacher, teacher.clone(), 2.0).item() == pytest.approx(0, abs=1e-5)
    p, q = (teacher / 2).softmax(-1), (student / 2).softmax(-1)
    by_hand = 4 * (p * (p.log() - q.log())).sum()
    torch.testing.assert_close(soft_label_sum(student, teacher, 2.0), by_hand, rtol=1e-4, atol=1e-4)


def test_masked_language_sum_is_the_negative_log_probability(parts: dict[str, Tensor]) -> None:
    labels = torch.arange(PLACES) % VOCABULARY
    logits = F.linear(parts["features"], parts["weight"], parts["bias"])
    by_hand = -logits.log_softmax(-1)[torch.arange(PLACES), labels].sum()
    torch.testing.assert_close(masked_language_sum(parts["features"], parts["weight"], parts["bias"], labels), by_hand)


def test_gram_is_for_many_tokens_and_logits_for_few() -> None:
    assert gram_pays(384, 384, 8000, tokens=8192)
    assert not gram_pays(768, 768, 40_000, tokens=300)


def test_hidden_states_are_nothing_apart_where_equal_and_one_a_token_at_the_mean() -> None:
    states = (
        torch.randn(2, 50, 8, generator=torch.Generator().manual_seed(1)) * torch.tensor([3.0, 90.0])[:, None, None]
    )
    scales = (states - states.mean(1, keepdim=True)).square().sum(2).mean(1).tolist()
    same = torch.eye(8).expand(2, -1, -1)
    assert hidden_state_sum(states, states.clone(), same, scales).item() == 0
    mean = states.mean(1, keepdim=True).expand_as(states)
    assert hidden_state_sum(mean, states, same, scales).item() == pytest.approx(50, rel=1e-5)
    assert hidden_state_sum(mean / 2, states, 2 * same, scales).item() == pytest.approx(50, rel=1e-5)
