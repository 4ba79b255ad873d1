"""Scores a label, confusion and worst kept examples, against scikit-learn, seqeval and values worked out by hand."""

from __future__ import annotations

import json

import pytest
from seqeval.metrics import classification_report
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support
from test_bootstrap import case

from core.tasks.counts import Questions
from core.tasks.details import by_label, details, supports
from core.tasks.examples import TextExample, TokenExample

NAMES = ("precision", "recall", "f1")


@pytest.mark.parametrize("kind", ["topic", "pos"])
def test_scores_of_labels_are_scikit_learns(kind: str) -> None:
    questions, answers = case(kind)
    flat = ([(one,) if isinstance(one, str) else one for one in side] for side in (questions.gold, answers))
    gold, given = ([label for labels in side for label in labels] for side in flat)
    theirs = precision_recall_fscore_support(gold, given, labels=list(questions.labels), zero_division=0)
    found = by_label(questions, [answers])
    for place, label in enumerate(questions.labels):
        assert [found[label][name] for name in NAMES] == pytest.approx([100 * row[place] for row in theirs[:3]])
    assert list(supports(questions).values()) == list(theirs[3])
    shown = details(questions, [answers], [answers])["confusion"]
    assert shown["labels"] == list(questions.labels)
    assert shown["teacher"] == confusion_matrix(gold, given, labels=list(questions.labels)).tolist()


def test_scores_of_entity_types_are_seqevals_and_the_mean_over_seeds() -> None:
    questions, answers = case("ner")
    others = case("ner", noise=0.6)[1]
    gold, *sides = ([list(tags) for tags in side] for side in (questions.gold, answers, others))
    reports = [classification_report(gold, side, output_dict=True, zero_division=0) for side in sides]
    found = by_label(questions, [answers, others])
    assert list(found) == ["LOC", "PER"]
    for type_ in found:
        named = ("precision", "recall", "f1-score")
        means = [sum(100 * report[type_][name] for report in reports) / 2 for name in named]
        assert [found[type_][name] for name in NAMES] == pytest.approx(means)
        assert supports(questions)[type_] == reports[0][type_]["support"]


SENTENCE = TokenExample(("Maria", "Borg", "went", "to", "Rome"), ("B-PER", "I-PER", "O", "O", "B-LOC"))
TAGS = ("B-LOC", "B-PER", "I-LOC", "I-PER", "O")


def test_entities_are_confused_by_type() -> None:
    questions = Questions("ner", TAGS, (SENTENCE,))
    teacher = [[SENTENCE.tags], [SENTENCE.tags]]
    student = [[("B-LOC", "I-PER", "O", "O", "O")], [("B-PER", "B-PER", "O", "B-LOC", "B-LOC")]]
    found = details(questions, teacher, student)
    assert found["confusion"]["labels"] == ["O", "LOC", "PER"]
    assert found["confusion"]["teacher"] == [[4, 0, 0], [0, 2, 0], [0, 0, 4]]
    assert found["confusion"]["student"] == [[3, 1, 0], [1, 1, 0], [0, 1, 3]]
    # seqeval, too, takes a type that changes within for a new entity.
    assert found["worst"] == [
        {
            "text": "Maria Borg went to Rome",
            "gold": ["Maria Borg/PER", "Rome/LOC"],
            "teacher": ["Maria Borg/PER", "Rome/LOC"],
            "student": ["Maria/LOC", "Borg/PER"],
        }
    ]


def test_the_worst_kept_examples_are_those_that_the_teacher_had_right() -> None:
    examples = tuple(TextExample(text, "a") for text in ("both", "lost", "once", "neither", "won"))
    questions = Questions("topic", ("a", "b"), examples)
    teacher = [["a", "a", "a", "b", "b"]] * 2
    student = [["a", "b", "a", "b", "a"], ["a", "b", "b", "b", "a"]]
    found = details(questions, teacher, student)["worst"]
    assert [entry["text"] for entry in found] == ["lost", "once"]
    assert found[1] == {"text": "once", "gold": "a", "teacher": "a", "student": "b"}
    assert details(questions, student, student)["worst"] == []


def test_of_tags_only_the_words_that_differ_are_shown() -> None:
    tags = ("ADJ", "NOUN", "VERB")
    questions = Questions("pos", tags, (TokenExample(("big", "dogs", "run"), tags),))
    found = details(questions, [[tags]], [[("ADJ", "VERB", "VERB")]])["worst"]
    assert found == [
        {"text": "big dogs run", "gold": ["dogs/NOUN"], "teacher": ["dogs/NOUN"], "student": ["dogs/VERB"]}
    ]


def test_long_texts_are_cut_and_few_are_shown() -> None:
    examples = tuple(TextExample("é" * 400 + str(number), "a") for number in range(50))
    found = details(Questions("topic", ("a", "b"), examples), [["a"] * 50], [["b"] * 50])["worst"]
    assert len(found) == 20 and {len(entry["text"]) for entry in found} == {300}
    name = TokenExample(("x" * 500,), ("B-PER",))
    found = details(Questions("ner", TAGS, (name,)), [[name.tags]], [[("O",)]])["worst"]
    assert len(found[0]["gold"][0]) < 80 and found[0]["student"] == []
    assert json.loads(json.dumps(found, allow_nan=False)) == found
