"""What a run was made from, and that it is not resumed with anything else."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from core.context import Quiet
from core.corpus.prepare import PreparedCorpus, prepare
from core.errors import InputError
from core.no_number import only_numbers
from core.origin import check_origin, origin
from core.recipe import Recipe, parse
from core.tasks.examples import TaskData, TextExample
from core.tasks.fingerprint import fingerprint

RECIPE = """
[teacher]
model = "small"
[language]
code = "mlt"
[corpus]
sources = ["texts.txt"]
least_letters = 1
[[tasks]]
kind = "topic"
source = "data/topic"
"""


TEACHER = {"config.json": "c0", "model.safetensors": "5a", "vocab.txt": "70"}
"""Hashes of its files."""


def made(folder: Path, word: str = "kelma") -> tuple[Recipe, dict[str, TaskData], PreparedCorpus, dict[str, str]]:
    """What `check_origin` looks at, in a folder of its own."""
    folder.mkdir()
    (folder / "texts.txt").write_text("".join(f"{word} numru {number}\n" for number in range(40)))
    examples = (TextExample("tajjeb", "a"), TextExample("hażin", "b"))
    task = TaskData(kind="topic", labels=("a", "b"), train=examples, validation=examples, test=examples)
    recipe = parse(RECIPE)
    return recipe, {"topic": task}, prepare(recipe.corpus, folder, 1, folder / "corpus", Quiet()), dict(TEACHER)


def test_the_same_is_the_same_and_an_older_version_knew_less(tmp_path: Path) -> None:
    recipe, *now = made(tmp_path / "a")
    known: dict[str, Any] = json.loads(json.dumps(origin(now[0], now[1], now[2], Quiet())))
    assert check_origin(known, recipe, *now)
    _, *again = made(tmp_path / "b")
    assert check_origin(known, recipe, *again)
    for older in ({}, {"corpus": known["corpus"], "tasks": known["tasks"]}, {**known, "task_sha256": "?"}):
        assert not check_origin(older, recipe, *now)


def test_all_that_changed_is_named(tmp_path: Path) -> None:
    recipe, tasks, corpus, teacher = made(tmp_path / "a")
    known = origin(tasks, corpus, teacher, Quiet())
    changed = {"topic": replace(tasks["topic"], test=(*tasks["topic"].test, TextExample("ġdid", "a")))}
    _, _, other, _ = made(tmp_path / "b", "oħra")
    with pytest.raises(InputError) as caught:
        check_origin(known, recipe, changed, other, teacher | {"vocab.txt": "07"})
    faults = caught.value.faults
    assert [fault.key for fault in faults] == ["corpus.sources", "tasks.topic.source", "teacher.model"]
    assert "train and validation texts are others" in faults[0].problem and "texts.txt" in faults[0].problem
    assert "data/topic have changed" in faults[1].problem and faults[1].problem.endswith("(test).")
    assert all("Put the old files back" in fault.hint and "new run" in fault.hint for fault in faults)


@pytest.mark.parametrize("tokenizer", ["tokenizer.json", "vocab.txt"])
def test_the_one_hash_that_an_earlier_version_kept_is_compared_as_it_was_made(tmp_path: Path, tokenizer: str) -> None:
    recipe, tasks, corpus, _ = made(tmp_path / "a")
    teacher = {"config.json": "c0", "model.safetensors": "5a", tokenizer: "70"}
    told = [f"{name} {teacher[name]}\n" for name in sorted(teacher) if name != "vocab.txt"]
    known = origin(tasks, corpus, teacher, Quiet())
    known["teacher_sha256"] = hashlib.sha256("".join(told).encode()).hexdigest()
    # A tokenizer in another file was no part of it.
    assert check_origin(known, recipe, tasks, corpus, teacher) == (tokenizer == "tokenizer.json")
    with pytest.raises(InputError, match="files of the teacher small have changed"):
        check_origin(known, recipe, tasks, corpus, teacher | {"config.json": "0c"})


def test_a_fingerprint_is_of_content_and_order() -> None:
    one, other = TextExample("a b", "c"), TextExample("a", "b c")
    assert fingerprint([one, other]) == fingerprint([TextExample("a b", "c"), other])
    assert len({fingerprint(examples) for examples in ([one], [other], [one, other], [other, one], [])}) == 5


def test_what_is_no_number_is_left_out_by_name() -> None:
    given = {"loss": float("nan"), "runs": [1.0, float("inf")], "teacher": {"p": (2.0,), "n": 3, "text": "nan"}}
    found, gone = only_numbers(given)
    assert found == {"loss": None, "runs": [1.0, None], "teacher": {"p": [2.0], "n": 3, "text": "nan"}}
    assert gone == ["loss", "runs[1]"]
