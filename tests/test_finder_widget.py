"""The teacher finder of the set-up: when it can be asked, what it shows of the answer, and what it passes on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtWidgets import QPushButton, QWidget
from pytestqt.qtbot import QtBot
from test_results_page import FakeJob

from core.errors import Fault
from core.teacher_finder import TeacherElsewhere
from gui.draft import Draft
from gui.pages.setup.teacher_finder import TeacherFinder
from gui.text import count
from gui.theme import theme

pytestmark = pytest.mark.qt_log_ignore("propagateSizeHints")  # what the offscreen platform says of windows that grow
XLM_R = "FacebookAI/xlm-roberta-base"
VOLUME = {"code": "slk", "size_gib": 23.2, "tokens_millions": 3525.0, "corpus": "CC-100", "source": "s", "note": "",
          "doubt": ""}  # fmt: skip


def teacher(model: str, **changes: Any) -> dict[str, Any]:
    found = {
        "model": model, "name": model, "parameters": 1_234_567, "tokens_a_word": 1.456, "unknown_tokens": 3,
        "unknown_share": 0.0123, "split_share": 0.5, "masked_accuracy": 55.55, "without_accuracy": "", "volume": None,
        "volume_words": "how much Slovak it saw isn't known",
    }  # fmt: skip
    return {**found, **changes}


FOUND = {
    "language": "slk",
    "texts": 300,
    "words": 6123,
    "order": "…",
    "teachers": [
        teacher("sample"),
        teacher("/models/<b>mine", masked_accuracy=None, without_accuracy="its folder holds no weights in safetensors"),
    ],
    "elsewhere": [
        {
            **TeacherElsewhere(model=XLM_R, parameters=278_000_000, volume=None, volume_words="saw it").to_json(),
            "volume": VOLUME,
        }
    ],
    "left_out": ["/models/broken has no config.json."],
}


class Jobs(list[FakeJob]):
    """The jobs that were made, and what they were asked."""

    asked: list[tuple[str, dict[str, Any]]]


@pytest.fixture
def jobs(monkeypatch: pytest.MonkeyPatch) -> Jobs:
    made = Jobs()
    made.asked = []

    def make(name: str, arguments: dict[str, Any], parent: Any) -> FakeJob:
        made.asked.append((name, arguments))
        made.append(FakeJob(parent))
        made[-1].cancel = made[-1].end  # type: ignore[attr-defined]
        return made[-1]

    monkeypatch.setattr("gui.pages.setup.teacher_finder.Job", make)
    return made


@pytest.fixture
def draft(qapp: object) -> Draft:
    return Draft()


@pytest.fixture
def finder(draft: Draft, qtbot: QtBot) -> Iterator[TeacherFinder]:
    theme()  # whose style sheet has its own measures
    holder = QWidget()
    qtbot.addWidget(holder)
    made = TeacherFinder(draft, holder)
    made.resize(1100, 400)
    holder.show()
    draft.changed.connect(made.refresh)
    yield made


def ready(draft: Draft) -> None:
    draft.set("language.code", "slk")
    draft.set("corpus.sources", ["/texts/a.txt", "hub:x/y"])


def cells(finder: TeacherFinder) -> list[list[str]]:
    rows = map(finder.table.topLevelItem, range(finder.table.topLevelItemCount()))
    return [[row.text(column) for column in range(6)] for row in rows]


def test_it_waits_for_a_language_and_texts_of_this_machine(finder: TeacherFinder, draft: Draft) -> None:
    assert not finder.button.isEnabled() and "First choose the language" in finder.why.text()
    draft.set("language.code", "slk")
    draft.set("corpus.sources", ["hub:x/y"])
    assert not finder.button.isEnabled()
    ready(draft)
    assert finder.button.isEnabled() and finder.button.toolTip() and finder.button.accessibleName()


def test_every_teacher_here_is_tried_on_the_texts(finder: TeacherFinder, draft: Draft, jobs: Jobs) -> None:
    ready(draft)
    draft.choose_teacher("/models/typed")
    finder.set_models(["sample"])
    finder.button.click()
    question = {"sources": ["/texts/a.txt"], "base": str(Path.home()), "language": "slk"}
    assert jobs.asked == [("teachers", {**question, "models": ["sample", "/models/typed"]})]
    assert finder.button.text() == "Cancel" and not finder.bar.isHidden()
    jobs[0].progress.emit(2, 5)
    assert (finder.bar.value(), finder.bar.maximum()) == (2, 5)
    finder.button.click()
    assert jobs[0].ended and finder.button.text().startswith("Compare") and finder.bar.isHidden()


def test_what_was_measured_is_told_and_what_was_not(finder: TeacherFinder, draft: Draft, jobs: Jobs) -> None:
    ready(draft)
    finder.button.click()
    jobs[0].done.emit(FOUND)
    assert cells(finder) == [
        ["Built-in sample", "1.2 M", "1.46", "1.23 %", "55.5 %", "–"],
        ["models/<b>mine", "1.2 M", "1.46", "1.23 %", "–", "–"],
        ["XLM-R base", "278 M", "–", "–", "–", "23.2 GiB"],
    ]
    words = finder.note.text()
    assert f"300 of your texts ({count(6123)} words)" in words and "doesn't sort them" in words
    assert "models/<b>mine guesses nothing: its folder holds no weights" in words
    assert "aren't on this machine" in words and "Left out: /models/broken has no config.json." in words
    assert "<b>" not in finder.table.topLevelItem(1).toolTip(0)  # it would be read as rich text


def test_a_teacher_is_chosen_in_its_row(finder: TeacherFinder, draft: Draft, jobs: Jobs, qtbot: QtBot) -> None:
    ready(draft)
    finder.chosen.connect(draft.choose_teacher)
    finder.button.click()
    jobs[0].done.emit(FOUND)
    buttons = finder.table.findChildren(QPushButton)
    assert [button.text() for button in buttons] == ["Choose"] * 3 and all(button.toolTip() for button in buttons)
    qtbot.waitUntil(lambda: all(button.width() >= button.sizeHint().width() > 50 for button in buttons))
    assert all(button.height() >= 28 for button in buttons)
    buttons[2].click()
    assert draft.value("teacher.model") == XLM_R
    assert [button.text() for button in buttons] == ["Choose", "Choose", "Chosen"] and not buttons[2].isEnabled()
    finder.table.itemActivated.emit(finder.table.topLevelItem(0), 0)
    assert draft.value("teacher.model") == "sample"


def test_other_texts_are_another_question(finder: TeacherFinder, draft: Draft, jobs: Jobs) -> None:
    ready(draft)
    finder.button.click()
    jobs[0].done.emit(FOUND)
    draft.set("seed", 7)
    assert finder.table.isVisibleTo(finder)
    draft.set("corpus.sources", ["/texts/b.txt"])
    assert not finder.table.isVisibleTo(finder) and not finder.note.isVisibleTo(finder)
    finder.button.click()
    draft.set("language.code", "ces")
    assert jobs[1].ended and finder.button.text().startswith("Compare")


def test_a_fault_is_told_where_it_was_asked(finder: TeacherFinder, draft: Draft, jobs: Jobs) -> None:
    ready(draft)
    finder.button.click()
    jobs[0].failed.emit((Fault("No such file.", "Choose another."),))
    assert "No such file" in finder.problems.accessibleName() and finder.button.isEnabled()
    finder.button.click()
    assert finder.problems.isHidden()
