"""The losses, from few logits or none, equal the plain formulas: value and gradient."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from core.analysis.operations import gram_pays, gram_places, gram_products
from core.distillation.gram import GramSquares
from core.distillation.losses import hidden_state_sum
from core.distillation.places import Output, place_sums

VOCABULARY, STUDENT, TEACHER, PLACES = 1037, 24, 40, 23
PRECISE = {torch.float64: 1e-9, torch.float32: 1e-4}
"""Largest relative difference that a result in this precision may have."""


class Case:
    """A student's and a teacher's features and decoders."""

    def __init__(self, dtype: torch.dtype) -> None:
        generator = torch.Generator().manual_seed(3)

        def draw(*shape: int) -> Tensor:
            return torch.randn(*shape, generator=generator, dtype=torch.float64).to(dtype)

        self.weight, self.bias, self.features = (
            draw(*shape).requires_grad_() for shape in ((VOCABULARY, STUDENT), (VOCABULARY,), (PLACES, STUDENT))
        )
        self.theirs = draw(VOCABULARY, TEACHER), draw(VOCABULARY)
        self.answers = draw(PLACES, TEACHER)
        self.labels = torch.randint(VOCABULARY, (PLACES,), generator=generator)

    @property
    def learning(self) -> tuple[Tensor, ...]:
        return self.weight, self.bias, self.features

    def output(self, *, learns: bool = True) -> Output:
        return Output((self.weight, self.bias), self.weight.dtype, learns=learns)

    def logits(self) -> tuple[Tensor, Tensor]:
        """Of both, by the library."""
        return F.linear(self.features, self.weight, self.bias), F.linear(self.answers, *self.theirs)


def cross_entropy(case: Case) -> Tensor:
    return -case.logits()[0].log_softmax(-1)[torch.arange(PLACES), case.labels].sum()


def mean_squares(case: Case) -> Tensor:
    return F.mse_loss(*case.logits()) * PLACES


def divergence(case: Case, heat: float) -> Tensor:
    own, theirs = ((logits / heat).softmax(-1) for logits in case.logits())
    return heat**2 * (theirs * (theirs.log() - own.log())).sum()


def assert_near(found: Tensor, wanted: Tensor, dtype: torch.dtype) -> None:
    """Relative to the largest entry, as a sum of many is only as good as its summands."""
    assert found.dtype == dtype
    assert (found - wanted).abs().max() <= PRECISE[dtype] * wanted.abs().max()


@pytest.fixture(params=PRECISE, ids=["float64", "float32"])
def dtype(request: pytest.FixtureRequest) -> torch.dtype:
    return request.param  # type: ignore[no-any-return]


@pytest.mark.parametrize("most", [1, 4 * VOCABULARY, 1 << 25], ids=["a place", "four places", "all places"])
@pytest.mark.parametrize("kind", ["mse", "kl", "kl at 2 degrees", "none"])
def test_sums_at_places_equal_the_formulas_however_few_logits_exist(dtype: torch.dtype, kind: str, most: int) -> None:
    case = Case(dtype)
    heat = 2.0 if "2" in kind else 1.0
    distance = {"mse": mean_squares(case), "none": torch.zeros((), dtype=dtype)}.get(kind, divergence(case, heat))
    mlm = cross_entropy(case)
    wanted = torch.autograd.grad(0.3 * mlm + 0.7 * distance, case.learning)
    output, teacher = case.output(), Output(case.theirs, dtype, learns=False)
    answers = None if kind == "none" else case.answers
    sums = place_sums(
        case.features, output, labels=case.labels, answers=answers, teacher=teacher, kind=kind[:3].strip(),
        temperature=heat, weights=(0.3, 0.7), most=most,
    )  # fmt: skip
    assert_near(sums.mlm, mlm, dtype)
    assert_near(sums.kd, distance, dtype)
    output.reach()
    for found, gradient in zip((case.weight.grad, case.bias.grad, sums.gradient), wanted, strict=True):
        assert found is not None
        assert_near(found, gradient, dtype)


def test_only_a_measurement_counts_what_is_guessed_right() -> None:
    case = Case(torch.float32)
    right = case.logits()[0].argmax(-1)
    labels = torch.where(torch.arange(PLACES) % 3 == 0, right, (right + 1) % VOCABULARY)
    sums = place_sums(case.features, case.output(learns=False), labels=labels, most=5 * VOCABULARY)
    assert sums.correct == (PLACES + 2) // 3


def test_a_distance_alone_has_its_own_gradient() -> None:
    case = Case(torch.float64)
    output, teacher = case.output(), Output(case.theirs, torch.float64, learns=False)
    sums = place_sums(case.features, output, answers=case.answers, teacher=teacher, kind="mse", weights=(1.0, 0.5))
    (wanted,) = torch.autograd.grad(0.5 * mean_squares(case), [case.features])
    assert_near(sums.gradient, wanted, torch.float64)
    assert sums.mlm == 0


def test_no_places_are_no_loss() -> None:
    case = Case(torch.float32)
    output = case.output()
    sums = place_sums(case.features[:0], output, labels=case.labels[:0])
    assert sums.mlm == 0
    assert not output.weight_gradient.any()


def test_gradients_of_several_parts_add_up() -> None:
    case = Case(torch.float64)
    (wanted,) = torch.autograd.grad(cross_entropy(case), [case.weight])
    output = case.output()
    for part in (slice(0, 5), slice(5, PLACES)):
        place_sums(case.features[part], output, labels=case.labels[part])
    case.weight.grad = torch.ones_like(case.weight)
    output.reach()
    assert case.weight.grad is not None
    assert_near(case.weight.grad - 1, wanted, torch.float64)


@pytest.mark.parametrize("near", [False, True], ids=["far apart", "a hundredth of the squared logit apart"])
def test_gram_equals_the_logits_mean_squared_error_over_micro_batches(dtype: torch.dtype, near: bool) -> None:
    case = Case(dtype)
    if near:  # large numbers are subtracted
        with torch.no_grad():
            case.weight[:], case.bias[:] = case.theirs[0][:, :STUDENT], case.theirs[1]
            case.theirs[0][:, STUDENT:] *= 0.13
            case.features[:] = case.answers[:, :STUDENT]
        assert 0.01 <= mean_squares(case) / case.logits()[1].square().mean(-1).sum() < 0.02
    wanted = mean_squares(case)
    gradients = torch.autograd.grad(wanted, case.learning)

    gram, output = GramSquares(case.theirs), case.output()
    gram.begin(output.decoder)
    total = torch.zeros((), dtype=dtype)
    for part in (slice(0, 5), slice(5, PLACES)):
        loss = gram.sum(case.features[part], case.answers[part])
        loss.backward()
        total = total + loss.detach()
    gram.finish(output)
    output.reach()

    assert_near(total, wanted, dtype)
    for tensor, gradient in zip(case.learning, gradients, strict=True):
        assert tensor.grad is not None
        assert_near(tensor.grad, gradient, dtype)


def test_gram_wants_begin_first() -> None:
    case = Case(torch.float32)
    gram = GramSquares(case.theirs)
    with pytest.raises(RuntimeError, match="begin"):
        gram.sum(case.features, case.answers)
    with pytest.raises(RuntimeError, match="begin"):
        gram.finish(case.output())


def test_gram_is_for_many_tokens_and_logits_for_few() -> None:
    assert gram_pays(384, 384, 8000, places=8192)
    assert not gram_pays(768, 768, 40_000, places=300)


def test_gram_pays_exactly_where_it_takes_fewer_multiplications() -> None:
    """Counted by hand for one place: logits forward, and backward to features and weights; the teacher's forward."""
    student, teacher, vocabulary = 300, 700, 5000
    logits = vocabulary * (student + 2 * student + teacher)
    once, each = gram_products(student, teacher, vocabulary), gram_places(student, teacher, 1)
    assert once == 2 * vocabulary * (student * student + student * teacher)
    places = int(once / (logits - each))
    assert not gram_pays(student, teacher, vocabulary, places)
    assert gram_pays(student, teacher, vocabulary, places + 1)


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
