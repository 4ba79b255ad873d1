"""Sentences of CoNLL-U, as texts and as labelled data: none lost, no two taken for one."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.context import Quiet
from core.corpus.formats import read_file
from core.errors import InputError
from core.tasks.formats import read_examples


def write(folder: Path, rows: str) -> Path:
    """A file of comments, empty lines and words, of which only the numbers are given."""
    path = folder / "a.conllu"
    lines = [row if row[:1] in ("", "#") else f"{row}\tw{row}\t_\tX" + "\t_" * 6 for row in rows.split("|")]
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.mark.parametrize(
    ("rows", "line", "problem"),
    [
        ("# text = a|1|2|3|# text = b|1|2", 5, "this is the sentence's second # text"),
        ("# text = a|# text = b|1", 2, "this is the sentence's second # text"),
        ("1|2|3|1|2", 4, "the number 1 follows 3"),
        ("1|2|4", 3, "the number 4 follows 2"),
        ("1||2|3", 3, "the number 2 comes first"),
        ("1|2|2-3|3", 3, "the number 2-3 follows 2"),
        ("1-999999999|1|2|3", 1, "the range ends with word 999999999, its sentence with word 3"),
        ("1|2-4|2|3||1", 2, "the range ends with word 4, its sentence with word 3"),
        ("1|2-1|2", 2, "the range 2-1 ends before it begins"),
        ("1-3|1|2-3|2|3", 3, "the range 2-3 ends before it begins, or overlaps another"),
    ],
)
def test_what_belongs_to_no_sentence_is_refused(rows: str, line: int, problem: str, tmp_path: Path) -> None:
    path = write(tmp_path, rows)
    for read in (lambda: list(read_file(path, Quiet())), lambda: read_examples(path)):
        with pytest.raises(InputError, match=f"a.conllu, line {line}: {problem}"):
            read()


def test_ranges_empty_nodes_and_comments_are_read_as_they_are_meant(tmp_path: Path) -> None:
    path = write(tmp_path, "# sent_id = a|# text_en = b|0.1|1-2|1|1.1|2|3-3|3|4|4.1|4.2||# text = given|1||1|# later|2")
    assert [text.strip() for _, text in read_file(path, Quiet()) if text] == ["w1-2 w3-3 w4", "given", "w1 w2"]
    assert [len(placed.example.labels) for placed in read_examples(path)] == [4, 1, 2]


def test_each_fault_is_told_once_where_reading_goes_on(tmp_path: Path) -> None:
    path = write(tmp_path, "1|2|1|2|x|4|7-9|7||1")
    told: list[str] = []
    texts = list(read_file(path, Quiet(), lambda path, error: told.append(str(error.faults[0].problem))))
    assert [problem.removeprefix(f"{path}, line ") for problem in told] == [
        "3: the number 1 follows 2.",
        "5, is not a line of CoNLL-U.",
        "7: the number 7-9 follows 4.",
        "7: the range ends with word 9, its sentence with word 7.",
    ]
    assert [line for line, _ in texts] == [1, 10]
