"""Cross-validation: which tasks get it, and that no text is on two sides."""

from __future__ import annotations

import dataclasses
import random
from collections import Counter

import pytest
from tiny_tasks import toy_task

from core.errors import InputError
from core.recipe import Task
from core.scoring import Unit, planned, units
from core.tasks.examples import TaskData, TextExample
from core.tasks.folds import AUTO_FOLDS, TINY, folded, folds_of, merged, text_of


@pytest.mark.parametrize("kind", ["topic", "pos"])
@pytest.mark.parametrize("folds", [2, 5, 7])
def test_every_text_is_tested_once_and_never_learnt_from_in_its_fold(kind: str, folds: int) -> None:
    data = toy_task(kind)
    parts = folded(data, folds)
    texts = sorted(map(text_of, merged(data)))
    assert sorted(text_of(example) for part in parts for example in part.test) == texts
    for part in parts:
        sides = [set(map(text_of, split)) for split in (part.train, part.validation, part.test)]
        assert all(sides) and sum(map(len, sides)) == len(set.union(*sides)) == len(texts)
        assert len(part.validation) == pytest.approx(len(part.train) / 7, abs=1)
        assert part.labels == data.labels
    sizes = [len(part.test) for part in parts]
    assert max(sizes) - min(sizes) <= 1


def test_each_fold_has_its_share_of_every_label() -> None:
    shares = [Counter(example.label for example in part.test) for part in folded(toy_task(), 5)]
    for label in ("low", "high"):
        assert max(share[label] for share in shares) - min(share[label] for share in shares) <= 1


def test_folds_hang_on_the_texts_alone() -> None:
    data = toy_task()
    everything = [*data.train, *data.validation, *data.test]
    random.Random(1).shuffle(everything)
    moved = dataclasses.replace(
        data, train=tuple(everything[:10]), validation=tuple(everything[10:20]), test=tuple(everything[20:])
    )
    assert folded(moved, 4) == folded(data, 4)


def test_a_text_that_two_splits_hold_counts_once() -> None:
    data = toy_task()
    leaking = dataclasses.replace(data, test=(*data.train[:20], *data.test))
    assert folded(leaking, 3) == folded(data, 3)


def test_only_a_tiny_test_split_is_cross_validated_by_itself() -> None:
    tiny, enough = toy_task(), toy_task(train=200)
    assert folds_of("auto", tiny) == AUTO_FOLDS  # 60 texts
    assert folds_of("auto", dataclasses.replace(enough, test=enough.train[: TINY["text"]])) == 0
    assert folds_of("auto", dataclasses.replace(enough, test=enough.train[: TINY["text"] - 1])) == AUTO_FOLDS
    assert folds_of("auto", toy_task("pos")) == AUTO_FOLDS
    many = toy_task("pos", train=400)
    assert sum(len(sentence.labels) for sentence in many.train) >= TINY["token"]
    assert folds_of("auto", dataclasses.replace(many, test=many.train)) == 0
    assert (folds_of(0, tiny), folds_of(3, enough)) == (0, 3)


def few(count: int) -> TaskData:
    texts = [TextExample(str(number), "ab"[number % 2]) for number in range(count)]
    return TaskData(
        kind="topic", labels=("a", "b"), train=tuple(texts[:-2]), validation=(texts[-2],), test=(texts[-1],)
    )


def test_folds_that_the_data_cannot_fill_are_refused() -> None:
    with pytest.raises(InputError, match="7 different examples, too few for 4 folds") as caught:
        folds_of(4, few(7))
    assert "at most 3" in caught.value.faults[0].hint
    assert folds_of(3, few(7)) == 3 and all(part.train and part.validation for part in folded(few(7), 3))
    with pytest.raises(InputError) as caught:
        folds_of(2, few(3))
    assert caught.value.faults[0].hint == "Set its folds to 0."
    # By itself, it does what can be done.
    assert [folds_of("auto", few(count)) for count in (3, 4, 7, 30)] == [0, 2, 3, AUTO_FOLDS]


def test_answers_of_all_folds_come_together_in_the_order_of_what_is_tested() -> None:
    task = Task(kind="pos", source="sample", name="tags", seeds=(1, 2), folds=3)
    plan = planned(task, toy_task("pos"))
    done = {}
    for unit in units([plan], ["teacher", "student"]):
        tags = [tag for sentence in plan.parts[unit.fold].test for tag in sentence.labels]
        wrong = unit.who == "student" and unit.seed == 2 and unit.fold == 1
        done[unit.key] = " ".join("0" if wrong else str("ABC".index(tag)) for tag in tags)
    assert len(done) == 12 and plan.folds == 3
    assert plan.answers("teacher", done) == [plan.questions.gold] * 2
    first, second = plan.answers("student", done)
    assert first == plan.questions.gold != second
    assert [Unit(plan, "teacher", 1, fold).is_last_fold for fold in range(3)] == [False, False, True]
    assert planned(dataclasses.replace(task, folds=0), toy_task("pos")).folds is None
