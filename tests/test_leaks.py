"""Test examples that stand in other splits or in the corpus."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from core.errors import Stopped
from core.tasks.examples import TaskData, TextExample, TokenExample
from core.tasks.leaks import Leaks, find_leaks, leak_warning

LONG = "Il-kelb kiel il-ħobż kollu u mbagħad raqad fuq is-sufan"


def topic(train: list[str], validation: list[str], test: list[str]) -> TaskData:
    splits = {
        name: tuple(TextExample(text, "a") for text in texts)
        for name, texts in (("train", train), ("validation", validation), ("test", test))
    }
    return TaskData(kind="topic", labels=("a", "b"), **splits)


def sentence(words: str) -> TokenExample:
    tokens = tuple(words.split())
    return TokenExample(tokens, ("O",) * len(tokens))


def counts(leaks: Leaks) -> tuple[int, int, int]:
    return leaks.train, leaks.validation, leaks.corpus


def test_nothing_leaks_from_different_texts() -> None:
    leaks = find_leaks({"t": topic(["one two"], ["three"], ["one", "two one", "one two three"])}, ["four one", "on e"])
    # "on e" is "one" without its space; spaces don't count.
    assert counts(leaks["t"]) == (0, 0, 1)
    leaks = find_leaks({"t": topic(["one two"], ["three"], ["two one", "one two three"])}, ["four one"])
    assert leaks["t"] == Leaks(tests=2, train=0, validation=0, corpus=0, examples=())
    assert leak_warning("t", leaks["t"]) is None


def test_case_and_spaces_make_no_difference_and_all_else_does() -> None:
    data = topic(
        ["A  GOAL in\tRabat"], ["a goal in Rabat!"], ["A goal in Rabat", "a goal  in rabat", "a göal in Rabat"]
    )
    leaks = find_leaks({"t": data}, ["a go\u0308al in Rabat"])["t"]  # an o and a mark is an ö
    assert counts(leaks) == (2, 0, 1)
    assert leaks.examples == ("a goal  in rabat", "A goal in Rabat", "a göal in Rabat")


def test_tokens_are_found_in_running_text() -> None:
    test = (sentence("Mort id - dar , u rqadt ."), sentence("Le !"))
    data = TaskData(kind="ner", labels=("O", "B-X"), train=(sentence("Iva ."),), validation=(test[1],), test=test)
    leaks = find_leaks({"ner": data}, ["Mort id-dar, u rqadt.", "Iva."])["ner"]
    assert counts(leaks) == (0, 1, 1)
    assert leaks.examples == ("Mort id - dar , u rqadt .", "Le !")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (LONG, 1),
        (f"Qabel. {LONG.upper()} u wara.", 1),
        (f"Qabel.{LONG}", 0),  # not at a word's beginning
        (LONG[:-1], 0),
        ("Qabel. Il-kelb kiel u wara", 0),
    ],
)
def test_a_passage_is_found_inside_a_longer_text(text: str, found: int) -> None:
    data = topic(["x"], ["y"], [LONG, "Il-kelb kiel"])
    assert counts(find_leaks({"t": data}, ["ħaġa oħra", text])["t"]) == (0, 0, found)


def test_a_passage_that_begins_like_another_one_is_told_from_it() -> None:
    data = topic(["x"], ["y"], [f"{LONG} illum", f"{LONG} lbieraħ", LONG])
    assert counts(find_leaks({"t": data}, [f"u {LONG} lbieraħ kmieni"])["t"]) == (0, 0, 2)


def test_several_tasks_share_one_look_at_the_corpus() -> None:
    read = []

    def corpus() -> Iterator[str]:
        for text in ("one", "two"):
            read.append(text)
            yield text

    tasks = {"a": topic(["x"], ["y"], ["ONE", "z"]), "b": topic(["x"], ["two"], ["two", "one"])}
    leaks = find_leaks(tasks, corpus())
    assert read == ["one", "two"]
    assert [counts(found) for found in leaks.values()] == [(0, 0, 1), (0, 1, 2)]
    assert find_leaks({}, corpus()) == {} and read == ["one", "two"]


def test_the_longest_examples_are_shown_cut() -> None:
    texts = [f"{'w' * length} end" for length in (10, 200, 30, 20, 40, 50)]
    leaks = find_leaks({"t": topic(texts, ["y"], [*texts, texts[0]])})["t"]
    assert counts(leaks) == (7, 0, 0)
    assert [len(text) for text in leaks.examples] == [120, 54, 44, 34, 24]
    assert leaks.examples[0].endswith("w…")
    assert leaks.to_json() == {
        "test_in_train": 7, "test_in_validation": 0, "test_in_corpus": 0, "examples": list(leaks.examples),
    }  # fmt: skip


def test_the_warning_says_how_many_where_and_what_to_do() -> None:
    leaks = Leaks(tests=1800, train=1200, validation=0, corpus=3, examples=("a b", "c"))
    warning = leak_warning("ner", leaks)
    assert warning is not None
    assert "Task ner" in warning and "1,200 in its train split, 3 in the corpus (of 1,800), such as “a b”" in warning
    assert "validation" not in warning and "take them out" in warning


def test_a_long_search_can_be_stopped() -> None:
    def stop() -> None:
        raise Stopped

    data = {"t": topic(["x"], ["y"], ["z"])}
    find_leaks(data, ["short"], stop)
    with pytest.raises(Stopped):
        find_leaks(data, ["long " * 300_000], stop)
