"""Scores against values worked out by hand."""

import random

import pytest
from sklearn.metrics import f1_score

from core.tasks.kinds import KINDS
from core.tasks.scores import accuracy, entity_f1, macro_f1, main_score, score, tag_f1


def test_macro_f1_by_hand() -> None:
    # a: precision 2/3, recall 1, F1 4/5; b: precision 1, recall 1/2, F1 2/3.
    assert macro_f1(["a", "a", "b", "b"], ["a", "a", "a", "b"]) == pytest.approx(100 * (4 / 5 + 2 / 3) / 2)


def test_macro_f1_counts_a_label_that_is_never_given_as_zero() -> None:
    # a: precision 3/4, recall 1, F1 6/7; b: 0.
    assert macro_f1(["a", "a", "a", "b"], ["a"] * 4) == pytest.approx(100 * 6 / 7 / 2)
    assert macro_f1(["a", "a"], ["b", "b"]) == 0
    assert macro_f1(["a", "a"], ["a", "a"]) == 100


def test_macro_f1_is_that_of_scikit_learn() -> None:
    draw = random.Random(4)
    for _ in range(20):
        gold, given = (draw.choices("abcd", k=draw.randint(1, 12)) for _ in range(2))
        given = (given * 12)[: len(gold)]
        assert macro_f1(gold, given) == pytest.approx(100 * f1_score(gold, given, average="macro", zero_division=0))


def test_entity_f1_wants_boundaries_and_type() -> None:
    gold = [["B-PER", "I-PER", "O", "B-LOC"], ["B-LOC", "O"]]
    # Right: B-LOC of each sentence. Wrong: the person cut short.
    given = [["B-PER", "O", "O", "B-LOC"], ["B-LOC", "O"]]
    assert entity_f1(gold, given) == pytest.approx(100 * 2 / 3)
    # One right of two given, of three there are: precision 1/2, recall 1/3, F1 2/5.
    given = [["B-ORG", "I-ORG", "O", "B-LOC"], ["O", "O"]]
    assert entity_f1(gold, given) == pytest.approx(40)


def test_entity_f1_without_entities() -> None:
    assert entity_f1([["O", "O"]], [["O", "O"]]) == 0
    assert entity_f1([["B-LOC", "O"]], [["O", "O"]]) == 0
    assert entity_f1([["O", "O"]], [["O", "B-LOC"]]) == 0


def test_part_of_speech_f1_is_the_accuracy() -> None:
    gold = [["NOUN", "NOUN", "VERB"], ["INTJ"], ["ADP", "DET", "NOUN"]]
    given = [["NOUN", "PROPN", "VERB"], ["INTJ"], ["DET", "DET", "NOUN"]]
    assert accuracy(gold, given) == pytest.approx(100 * 5 / 7)
    assert tag_f1(gold, given) == pytest.approx(accuracy(gold, given))


@pytest.mark.parametrize("kind", KINDS)
def test_the_main_metric_comes_first(kind: str) -> None:
    gold = ["a", "b"] if KINDS[kind].unit == "text" else [["B-A", "O"], ["B-B"]]
    scores = score(kind, gold, gold)
    assert next(iter(scores)) == KINDS[kind].metric
    assert set(scores.values()) == {100.0}
    assert main_score(kind, gold, gold) == 100
    assert list(score("pos", [["NOUN"]], [["NOUN"]])) == ["accuracy", "f1"]
