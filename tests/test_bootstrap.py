"""Intervals and the paired test against scoring again, other people's code, exact values and simulated truth."""

from __future__ import annotations

import random
from math import comb
from typing import Any

import numpy as np
import pytest
from scipy import stats

from benchmarks.coverage import Population, coverage, entities, labelled, tagged
from core.analysis import bootstrap
from core.analysis import paired as pairing
from core.analysis.bootstrap import interval, resampled
from core.analysis.paired import over_seeds, paired
from core.tasks.counts import Questions, accuracy, needed, summed_score
from core.tasks.examples import TextExample, TokenExample
from core.tasks.scores import main_score
from core.tasks.summary import compared, summarise

TEXT_LABELS = ("a", "b", "c")
NER_TAGS = ("B-LOC", "B-PER", "I-LOC", "I-PER", "O")


def case(kind: str, count: int = 40, seed: int = 1, noise: float = 0.3) -> tuple[Questions, list[Any]]:
    """Made-up examples, and answers of which some are wrong; a text label and an entity type hardly ever occur."""
    rng = random.Random(seed)
    if kind == "topic":
        labels: tuple[str, ...] = TEXT_LABELS
        examples: list[Any] = [TextExample(str(number), rng.choice("aab")) for number in range(count - 1)]
        examples.append(TextExample("", "c"))
        answers: list[Any] = [rng.choice(TEXT_LABELS) if rng.random() < noise else e.label for e in examples]
    else:
        labels = NER_TAGS if kind == "ner" else ("A", "B", "C")
        examples = []
        for _ in range(count):
            tags = tuple(rng.choice(labels) for _ in range(rng.randint(1, 9)))
            examples.append(TokenExample(tuple("w" * len(tags)), tags))
        answers = [tuple(rng.choice(labels) if rng.random() < noise else t for t in e.tags) for e in examples]
    return Questions(kind, labels, tuple(examples)), answers


# -- counts ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["topic", "ner", "pos"])
@pytest.mark.parametrize("seed", range(5))
def test_a_resample_as_a_weighted_sum_scores_as_its_examples_do(kind: str, seed: int) -> None:
    questions, answers = case(kind, seed=seed)
    counts = needed(kind, questions.counts(answers))
    assert float(summed_score(kind)(counts.sum(0))) == pytest.approx(
        main_score(kind, questions.gold, answers), abs=1e-10
    )
    chosen = random.Random(seed).choices(range(40), k=40)
    weights = np.bincount(chosen, minlength=40)[None]
    again = main_score(kind, [questions.gold[i] for i in chosen], [answers[i] for i in chosen])
    summed = summed_score(kind)(bootstrap.weighted_sums(weights, counts))
    assert summed.shape == (1,) and summed[0] == pytest.approx(again, abs=1e-10)


def test_nothing_right_and_nothing_there_score_0() -> None:
    questions = Questions("ner", NER_TAGS, (TokenExample(("w",), ("O",)),))
    assert summed_score("ner")(questions.counts([("O",)]).sum(0)) == 0
    assert summed_score("ner")(questions.counts([("B-PER",)]).sum(0)) == 0


# -- intervals -------------------------------------------------------------------------------------------------------


def right_or_wrong(right: int, count: int) -> Any:
    """Counts of texts of one label, so many of them right: accuracy, shape (count, 1, 1, 3)."""
    hits = np.arange(count) < right
    return np.stack([hits, np.ones(count), np.ones(count)], axis=-1)[:, None, None].astype(float)


@pytest.mark.parametrize(("right", "count"), [(45, 50), (120, 200), (3, 30)])
def test_the_interval_is_scipys(right: int, count: int) -> None:
    low, high = interval(right_or_wrong(right, count), accuracy, 1)
    hits = 100.0 * (np.arange(count) < right)
    theirs = stats.bootstrap((hits,), np.mean, method="BCa", n_resamples=20_000, rng=1).confidence_interval
    # Scores of so few texts take few values: one step may lie between two samples of resamples.
    assert (low, high) == pytest.approx((theirs.low, theirs.high), abs=100.5 / count)


def test_the_same_seed_gives_the_same_interval_whatever_the_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    questions, answers = case("ner", 300)
    counts = needed("ner", questions.counts(answers))[:, None]
    first = interval(counts, summed_score("ner"), 5)
    assert first == interval(counts, summed_score("ner"), 5) != interval(counts, summed_score("ner"), 6)
    monkeypatch.setattr(bootstrap, "_AT_ONCE", 1000)
    assert first == interval(counts, summed_score("ner"), 5)


def test_seeds_see_the_same_resamples() -> None:
    counts = right_or_wrong(70, 100)
    opposite = counts.copy()
    opposite[..., 0] = 1 - counts[..., 0]
    both = np.concatenate([counts, opposite], axis=1)
    # What one of them loses in a resample, the other one wins.
    assert set(resampled(both, lambda sums: accuracy(sums).mean(-1), 1)) == {50.0}


def test_nothing_but_right_or_wrong_answers_still_leave_doubt() -> None:
    unlikely = 0.025 ** (1 / 60)  # what fewer texts than this share are like is missed by 60 of them in 2.5 % of cases
    assert interval(right_or_wrong(60, 60), accuracy, 1) == pytest.approx((100 * unlikely, 100))
    assert interval(right_or_wrong(0, 60), accuracy, 1) == pytest.approx((0, 100 * (1 - unlikely)))


def test_one_example_says_next_to_nothing() -> None:
    low, high = interval(right_or_wrong(1, 1), accuracy, 1)
    assert low == pytest.approx(2.5) and high == 100


# -- two models ------------------------------------------------------------------------------------------------------


def discordant(only_first: int, only_second: int, both: int = 50) -> tuple[Any, Any]:
    hits = [(1, 0)] * only_first + [(0, 1)] * only_second + [(1, 1)] * both
    sides = np.array(hits, dtype=float).T
    return tuple(np.stack([side, np.ones_like(side), np.ones_like(side)], axis=-1)[:, None, None] for side in sides)


@pytest.mark.parametrize(("more", "fewer"), [(15, 5), (9, 6), (12, 1), (4, 0)])
def test_of_accuracy_the_p_value_is_mcnemars(more: int, fewer: int) -> None:
    # Swapping an example on which both are right, or both wrong, changes nothing; the others are coins.
    total = more + fewer
    exact = min(1.0, 2 * sum(comb(total, k) for k in range(fewer + 1)) / 2**total)
    for sides in (discordant(more, fewer), discordant(fewer, more)):
        assert paired(*sides, accuracy, 3).p == pytest.approx(exact, abs=4 * (exact * (1 - exact) / 9999) ** 0.5 + 1e-4)


def test_models_that_say_the_same_are_not_distinguishable() -> None:
    found = paired(*discordant(0, 0), accuracy, 1)
    assert found.p == 1 and not found.distinguishable
    assert found.interval[0] == -found.interval[1] < 0


def test_a_large_difference_is_and_its_interval_holds_it() -> None:
    first, second = discordant(40, 2)
    found = paired(first, second, accuracy, 1)
    assert found.p == 0.0001 and found.distinguishable
    assert 0 < found.interval[0] < 100 * 38 / 92 < found.interval[1]
    turned = paired(second, first, accuracy, 1)
    assert turned.interval == pytest.approx((-found.interval[1], -found.interval[0]), abs=1.2)


def test_pairing_tells_more_than_two_intervals(monkeypatch: pytest.MonkeyPatch) -> None:
    # The second model has the same texts right but for nine: apart, each interval holds the other's score.
    first, second = discordant(9, 0, both=150)
    assert interval(first, accuracy, 1)[0] < float(accuracy(second.sum(0))[0]) + 6
    assert paired(first, second, accuracy, 1).distinguishable


def test_the_noise_of_seeds_is_welchs() -> None:
    first, second = [80.0, 82.0, 84.0], [75.0, 77.0, 79.0]
    theirs = stats.ttest_ind(first, second, equal_var=False).confidence_interval()
    assert over_seeds(first, second) == pytest.approx((theirs.low, theirs.high), abs=2e-3)
    many = [float(n % 7) for n in range(20)], [float(n % 5) for n in range(20)]
    theirs = stats.ttest_ind(*many, equal_var=False).confidence_interval()
    assert over_seeds(*many) == pytest.approx((theirs.low, theirs.high), abs=5e-3)
    assert over_seeds([80.0], [75.0]) is None
    assert over_seeds([80.0, 80.0], [75.0, 75.0]) == (5.0, 5.0)


# -- summaries -------------------------------------------------------------------------------------------------------


def test_a_summary_has_the_scores_and_one_interval() -> None:
    questions, answers = case("pos")
    others = case("pos", noise=0.5)[1]
    found = summarise(questions, [answers, others], 7)
    runs = [main_score("pos", questions.gold, given) for given in (answers, others)]
    assert found["runs"] == runs and found["mean"] == pytest.approx(sum(runs) / 2)
    assert found["interval"][0] < found["mean"] < found["interval"][1]
    assert "interval" not in found["f1"] and found["f1"]["runs"] == pytest.approx(runs)
    assert summarise(questions, [answers], 7)["sd"] is None


@pytest.mark.parametrize("kind", ["topic", "ner", "pos"])
def test_teacher_and_student_are_compared_on_the_same_examples(kind: str) -> None:
    questions, teacher = case(kind, 150, noise=0.05)
    student = case(kind, 150, noise=0.6)[1]
    found = compared(questions, [teacher, teacher], [student, student], 1)
    assert found["drop"] == pytest.approx(found["teacher"]["mean"] - found["student"]["mean"])
    low, high = found["paired"]["interval"]
    assert low < found["drop"] < high
    assert found["paired"]["distinguishable"] and found["paired"]["examples"] == 150
    assert found["labels"] == (["LOC", "PER"] if kind == "ner" else list(questions.labels))
    assert compared(questions, [teacher], [student], 1)["paired"]["seeds"] is None


# -- simulated truth -------------------------------------------------------------------------------------------------

SETS = 300
SIMULATED = {
    "macro F1": labelled((0.45, 0.35, 0.2), (2.0, 1.5, 1.0), 100),
    "entity F1": entities(2.0, 100),
    "accuracy": tagged(2.5, 100),
}


@pytest.fixture
def few_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bootstrap, "RESAMPLES", 400)
    monkeypatch.setattr(pairing, "PERMUTATIONS", 399)


@pytest.mark.parametrize("population", SIMULATED.values(), ids=SIMULATED)
@pytest.mark.usefixtures("few_resamples")
def test_intervals_hold_the_truth_as_often_as_they_say(population: Population) -> None:
    found = coverage(population, SETS, 1)
    assert 0.93 <= found["bca"] <= 0.97
    assert found["alarms"] <= 0.07


@pytest.mark.usefixtures("few_resamples")
def test_tokens_taken_for_examples_would_hold_it_too_rarely() -> None:
    sentences = SIMULATED["accuracy"]

    def tokens(rng: np.random.Generator, count: int, seeds: int) -> Any:
        """Each token an example of its own."""
        drawn = sentences.draw(rng, count, 1)[:, 0, 0]
        right = np.concatenate([np.arange(length) < hits for hits, length, _ in drawn])
        one = np.ones(len(right))
        return np.repeat(np.stack([right, one, one], axis=-1)[:, None, None], seeds, axis=1)

    naive = Population(accuracy, tokens, sentences.truth, sentences.examples)
    assert coverage(naive, 40, 1)["bca"] < 0.85
