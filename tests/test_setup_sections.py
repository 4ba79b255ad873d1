"""The parts of the set-up page, one by one."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from PySide6.QtCore import QMimeData, Qt, QUrl
from PySide6.QtWidgets import (
    QComboBox,
    QLabel,
    QLineEdit,
    QMessageBox,
    QPushButton,
    QSlider,
)
from pytestqt.qtbot import QtBot
from safetensors.torch import load_file
from setup_driver import XLM_R, checked, fill_in_the_sample, find, opened
from window_driver import PATIENCE

from core.analysis.size import estimate
from core.languages import find_languages
from core.pretraining import PAPER_SAYS
from core.teachers import known_teacher
from gui.pages.setup import SetupPage
from gui.pages.setup.tasks import tasks_in
from gui.text import count, megabytes, parameters, percent
from gui.widgets.drop_area import DropArea
from resources import sample
from tests.test_setup_widgets import send_drop

pytestmark = pytest.mark.qt_log_ignore("propagateSizeHints")  # what the offscreen platform says of windows that grow


@pytest.fixture
def page(qtbot: QtBot, tmp_path: Path) -> SetupPage:
    return opened(qtbot, tmp_path)


# -- teacher -----------------------------------------------------------------------------------------------------


def test_a_teacher_by_name_or_folder(page: SetupPage, qtbot: QtBot, tmp_path: Path) -> None:
    page.teacher.open()
    page.teacher.name.setText(" someone/unknown ")
    page.teacher.name.returnPressed.emit()
    assert page.draft.value("teacher.model") == "someone/unknown"
    qtbot.waitUntil(lambda: not page.draft.looking, timeout=PATIENCE)
    assert "download" in page.teacher.facts.text()
    page.teacher.choose(XLM_R)
    assert "1.1" in page.teacher.summary and "768" in page.teacher.facts.text()
    page.teacher.choose(str(sample.teacher_folder()))
    assert page.teacher._settings.value.teachers == (str(sample.teacher_folder()),)


def test_a_name_that_cant_be_used_stays_to_be_mended(page: SetupPage, qtbot: QtBot) -> None:
    page.teacher.open()
    for typed, words, mark, ready in (
        ("/nowhere/model", "can't be used", "warning", False),
        ("someone/unknown", "not checked yet", "unchecked", True),
        (XLM_R, "XLM-R", "check", True),
    ):
        page.teacher.name.setText(typed)
        page.teacher.name.returnPressed.emit()
        qtbot.waitUntil(lambda: not page.draft.looking, timeout=PATIENCE)
        assert words in page.teacher.summary
        assert (page.teacher._mark.state, page.teacher.is_ready) == (mark, ready)
        assert page.teacher.name.text() == ("" if typed == XLM_R else typed)
        assert ("To mend: Teacher." in page.state.text()) == (mark == "warning")


def test_adaptation_is_a_number_of_steps(page: SetupPage) -> None:
    page.teacher.choose(XLM_R)
    page.teacher.adapt.click()
    assert page.draft.value("teacher.adapt_steps") == 500
    page.teacher.adapt_steps.setValue(800)
    assert page.draft.value("teacher.adapt_steps") == 800
    page.draft.undo()
    assert not page.teacher.adapt.isChecked() and page.draft.value("teacher.model") == XLM_R


def test_a_teacher_without_a_head_is_offered_one(page: SetupPage, qtbot: QtBot, tmp_path: Path) -> None:
    import torch
    from safetensors.torch import load_file, save_file

    folder = tmp_path / "headless"
    shutil.copytree(sample.teacher_folder(), folder)
    weights = load_file(folder / "model.safetensors")
    save_file(
        {name: value for name, value in weights.items() if not name.startswith("cls")}, folder / "model.safetensors"
    )
    assert isinstance(next(iter(weights.values())), torch.Tensor)
    page.teacher.choose(str(folder))
    qtbot.waitUntil(lambda: "masked-language head" in page.teacher.adapt_why.text(), timeout=PATIENCE)


# -- language ----------------------------------------------------------------------------------------------------


def test_a_language_is_found_and_told_of(page: SetupPage, qtbot: QtBot) -> None:
    page.teacher.choose(XLM_R)
    with qtbot.waitSignal(page.language.listed, timeout=PATIENCE):
        page.language.open()
    with qtbot.waitSignal(page.language.listed, timeout=PATIENCE):
        page.language.field.setText("swahili")
    codes = [page.language.list.topLevelItem(row).text(2) for row in range(page.language.list.topLevelItemCount())]
    assert codes == [entry.code for entry in find_languages("swahili", 30)]
    with qtbot.waitSignal(page.language.facts_found, timeout=PATIENCE):
        page.language.choose("swh")
    assert "Swahili" in page.language.summary and "1.6 GiB" in page.teacher.summary
    assert not page.corpus.button_public.menu().isEmpty() and page.tasks.button_public.isEnabled()
    with qtbot.waitSignal(page.language.facts_found, timeout=PATIENCE):
        page.language.choose("mlt")
    assert "never saw Maltese" in page.teacher.summary
    page.corpus.button_public.menu().actions()[0].trigger()
    assert page.corpus.sources[0].startswith("hub:")


def test_a_pickled_teacher_is_converted_once_the_user_agrees(
    page: SetupPage, qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("appdirs.user_data_dir", lambda *given: str(tmp_path / "data"))
    folder = tmp_path / "<b>old"
    shutil.copytree(sample.teacher_folder(), folder)
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    fill_in_the_sample(page, qtbot)
    page.teacher.choose(str(folder))
    qtbot.waitUntil(lambda: page.teacher.has_faults, timeout=PATIENCE)
    [button] = page.teacher.problems.findChildren(QPushButton)
    assert button.text() == "Convert…" and button.toolTip()
    answers, asked = ["no", "yes"], list[tuple[str, str, Qt.TextFormat]]()

    def answer(box: QMessageBox) -> None:
        asked.append((box.text(), box.informativeText(), box.textFormat()))
        box.findChild(QPushButton, f"button-convert-{answers.pop(0)}").click()

    monkeypatch.setattr(QMessageBox, "exec", answer)
    button.click()
    assert len(asked) == 1 and "<b>old" in asked[0][0] and "can carry code" in asked[0][1]
    assert asked[0][2] == Qt.TextFormat.PlainText
    assert not page.teacher.conversion.making
    button.click()
    made = tmp_path / "data" / "models" / "<b>old"
    qtbot.waitUntil(lambda: page.draft.value("teacher.model") == str(made), timeout=PATIENCE)
    checked(page, qtbot)
    assert not page.teacher.has_faults and (made / "model.safetensors").is_file()
    assert (folder / "pytorch_model.bin").is_file()


def test_what_the_teacher_has_read_is_told_in_sentences(page: SetupPage, qtbot: QtBot, tmp_path: Path) -> None:
    page.teacher.choose(XLM_R)
    with qtbot.waitSignal(page.language.facts_found, timeout=PATIENCE):
        page.language.choose("swh")
    told = page.teacher.volume.text()
    assert told.startswith("XLM-R base saw 1.6 GiB of Swahili in CC-100") and told.endswith(PAPER_SAYS)
    with qtbot.waitSignal(page.language.facts_found, timeout=PATIENCE):
        page.language.choose("mlt")
    assert "never saw Maltese" in page.teacher.volume.text()
    folder = tmp_path / "mine"
    shutil.copytree(sample.teacher_folder(), folder)
    (folder / "pretraining.json").write_text('{"tokens": {"mlt": 388501, "slk": 9}}', encoding="utf-8")
    for code, words in (
        ("mlt", "This teacher saw 389 k tokens of Maltese in the text that mine lists"),
        ("slk", "saw 9 tokens of Slovak"),
        ("swh", "This teacher never saw Swahili (the text that mine lists)"),
    ):
        with qtbot.waitSignal(page.language.facts_found, timeout=PATIENCE):
            page.teacher.choose(str(folder))
            page.language.choose(code)
        assert words in page.teacher.volume.text()
    (folder / "pretraining.json").unlink()
    page.draft.set("language.code", "mlt")
    qtbot.waitUntil(lambda: "isn't known. Its folder can tell" in page.teacher.volume.text(), timeout=PATIENCE)


def test_enter_takes_the_first(page: SetupPage, qtbot: QtBot) -> None:
    page.language.field.setText("slovak")
    page.language.field.returnPressed.emit()  # before the list is there
    assert page.draft.value("language.code") == "slk"
    qtbot.waitUntil(lambda: page.language.list.currentItem() is not None, timeout=PATIENCE)
    assert page.language.list.currentItem().text(2) == "slk"
    with qtbot.waitSignal(page.language.listed, timeout=PATIENCE):
        page.language.field.setText("swahili")
    assert page.language.list.currentItem() is None
    page.language.field.returnPressed.emit()
    assert page.draft.value("language.code") == page.language.list.currentItem().text(2) == "swh"


# -- text --------------------------------------------------------------------------------------------------------


def test_dropped_files_are_read_and_shown_as_they_are(page: SetupPage, qtbot: QtBot, tmp_path: Path) -> None:
    text = tmp_path / "<b>ħobż.txt"
    text.write_text("<i>Il-ktieb</i>\nשלום עולם\n", encoding="utf-8")
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(text))])
    send_drop(page.corpus, data, page.corpus.findChild(DropArea), qtbot)
    assert page.corpus.sources == [str(text)]
    qtbot.waitUntil(lambda: page.corpus.preview.toPlainText() != "", timeout=PATIENCE)
    assert page.corpus.preview.toPlainText() == "<i>Il-ktieb</i>\nשלום עולם"
    assert "1 file · 2 texts" in page.corpus.summary
    page.corpus.list.selectAll()
    page.corpus.button_remove.click()
    assert page.draft.value("corpus.sources") is None and page.corpus.preview.toPlainText() == ""


def test_sources_are_pasted_and_named_once(page: SetupPage) -> None:
    for typed in ('"/a b.txt"', "hub:x/y", "/a b.txt", "file:///c.txt", "  "):
        page.corpus.field.setText(typed)
        page.corpus.field.returnPressed.emit()
    assert page.corpus.sources == ["/a b.txt", "hub:x/y", "/c.txt"]


def test_a_file_that_is_no_text_is_told_before_the_rest_is_set(page: SetupPage, qtbot: QtBot, tmp_path: Path) -> None:
    bad = tmp_path / "bad.txt"
    bad.write_bytes(b"ok\n\xe6\xff\n")
    page.corpus.add_paths([bad])
    qtbot.waitUntil(lambda: page.corpus.has_faults, timeout=PATIENCE)


# -- target ------------------------------------------------------------------------------------------------------


def test_every_move_of_a_slider_shows_the_cores_estimate(page: SetupPage) -> None:
    page.teacher.choose(XLM_R)
    label = find(page, QLabel, "label-estimate")
    keys = {"layers": "layers", "intermediate": "feed_forward", "hidden": "hidden", "vocabulary": "vocabulary"}
    for name in keys:
        slider = find(page, QSlider, f"slider-{name}")
        for position in (slider.maximum(), 1, slider.maximum() // 2):
            slider.setValue(position)
            value = page.draft.value
            expected = estimate(
                known_teacher(XLM_R).config,
                layers=value("targets.layers"),
                feed_forward=value("targets.intermediate_size"),
                hidden=value("targets.hidden_size"),
                vocabulary=value("targets.vocabulary_size"),
                hidden_reduction="auto",
                vocabulary_order="first",
            )
            for words in (
                parameters(expected.student.parameters),
                megabytes(expected.student.megabytes),
                percent(expected.compression),
            ):
                assert words in label.text()
            assert count(expected.student.parameters) in label.toolTip() and page.draft.faults == ()
    assert "exactly" in page.target.exact.text()


def test_the_right_end_keeps_the_teachers_own(page: SetupPage) -> None:
    page.teacher.choose(XLM_R)
    for name in ("layers", "intermediate", "hidden", "vocabulary"):
        slider = find(page, QSlider, f"slider-{name}")
        slider.setValue(slider.maximum())
    assert "targets" not in page.draft.to_toml()
    assert find(page, QSlider, "slider-layers").value() == 12
    page.target.suggest.click()
    assert page.draft.is_suggested and not page.target.suggest.isEnabled()


def test_widths_worth_trying_can_be_taken(page: SetupPage) -> None:
    page.teacher.choose(XLM_R)
    suggestions = page.target.sliders["hidden_size"].suggestions
    assert list(suggestions.buttons) == [384, 320, 256, 564, 456, 312]
    for size, words in ((320, "whole heads"), (312, "as the paper")):
        suggestions.buttons[size].click()
        assert page.draft.value("targets.hidden_size") == size and page.draft.faults == ()
        assert words in suggestions.buttons[size].accessibleName()
    page.draft.undo()
    assert suggestions.buttons[320].isChecked()
    page.draft.set("method.preset", "paper")
    assert list(suggestions.buttons) == [564, 456, 312]
    page.teacher.choose("sample")
    assert not {564, 456, 312} & suggestions.buttons.keys()


def test_what_is_left_open_is_shown_as_it_will_be(page: SetupPage) -> None:
    page.teacher.choose(XLM_R)
    page.sections["more"].open()
    shown = find(page, QComboBox, "field-method.hidden_reduction")
    page.draft.set("method.preset", "paper")
    assert "(truncate)" in shown.currentText()
    assert find(page, QLineEdit, "field-schedule.learning_rate").placeholderText() == "default: 5e-05"
    page.draft.set("method.preset", "balanced")
    assert "(truncate)" not in shown.currentText() and "(auto)" not in shown.currentText()
    shown.activated.emit(shown.findData("svd"))
    assert page.draft.value("method.hidden_reduction") == "svd"


def test_a_vocabulary_that_the_text_forbids_stops_the_start(page: SetupPage, qtbot: QtBot, tmp_path: Path) -> None:
    teacher = tmp_path / "teacher"
    shutil.copytree(sample.teacher_folder(), teacher)
    config = json.loads((teacher / "tokenizer_config.json").read_text(encoding="utf-8"))
    (teacher / "tokenizer_config.json").write_text(json.dumps({**config, "tokenizer_class": "TokenizersBackend"}))
    fill_in_the_sample(page, qtbot)
    page.teacher.choose(str(teacher))
    qtbot.waitUntil(lambda: page.draft.estimate is not None, timeout=PATIENCE)
    page.draft.set("targets.vocabulary_size", 10)
    qtbot.waitUntil(lambda: bool(page.target.vocabulary.refused), timeout=PATIENCE)
    checked(page, qtbot)
    assert page.state.text().startswith("1 thing") and page.target.has_faults
    with qtbot.assertNotEmitted(page.compress_requested):
        page.button.click()
        checked(page, qtbot)
    page.target.suggest.click()
    assert not page.target.has_faults
    qtbot.waitUntil(lambda: page.target.vocabulary.content.isVisible(), timeout=PATIENCE)
    qtbot.waitUntil(lambda: page.state.text().startswith("Ready"), timeout=PATIENCE)
    assert "tokens a word" in page.target.vocabulary.sentence.text()


def test_what_is_typed_becomes_possible(page: SetupPage) -> None:
    page.teacher.choose(XLM_R)
    page.target.sliders["hidden_size"].field.setValue(311)
    assert page.draft.value("targets.hidden_size") == 312
    page.target.sliders["vocabulary_size"].field.setValue(31_234)
    assert page.draft.value("targets.vocabulary_size") == 31_234
    page.draft.undo()
    assert page.target.sliders["vocabulary_size"].value == 40_000


# -- tasks -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", sample.KINDS)
def test_a_tasks_kind_is_guessed(kind: str) -> None:
    folder = sample.task_folder(kind, "swh")
    assert tasks_in(folder, set()) == [{"kind": kind, "source": str(folder)}]


def test_a_folder_of_tasks_adds_them_all(page: SetupPage, qtbot: QtBot) -> None:
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(sample.task_folder("ner", "swh").parent))])
    page.language.choose("swh")
    send_drop(page.tasks, data, page.tasks.findChild(DropArea), qtbot)
    assert sorted(task["kind"] for task in page.draft.tasks) == sorted(sample.KINDS)
    assert page.tasks.is_open
    qtbot.waitUntil(lambda: all("120 examples" in row.counts.text() for row in page.tasks.rows), timeout=PATIENCE)
    page.tasks.add_paths([sample.task_folder("ner", "swh")])
    assert len(page.draft.tasks) == 4


def test_what_is_odd_about_a_tasks_data_is_told(page: SetupPage) -> None:
    page.tasks.add_paths([sample.task_folder("ner", "swh")])
    row = page.tasks.rows[0]
    found = {
        "splits": {"train": 100, "validation": 20, "test": 30},
        "labels": {"B-PER": 50},
        "first": [],
        "notes": ["Tagged in IOB1, read as IOB2."],
        "leaks": {"test_in_train": 3, "test_in_validation": 0, "examples": ["<b>Ana\u202e sema"]},
    }
    row._on_done(found)
    assert row.counts.text().splitlines()[1:] == ["Tagged in IOB1, read as IOB2."]
    assert not row.leaks.isHidden() and row.leaks.textFormat() == Qt.TextFormat.PlainText
    assert "elsewhere too: 3 in train." in row.leaks.text() and "“<b>Ana sema”" in row.leaks.text()
    row._on_done({**found, "leaks": {"test_in_train": 0, "test_in_validation": 0, "examples": []}})
    assert row.leaks.isHidden()


def test_a_task_has_its_own_settings(page: SetupPage) -> None:
    page.tasks.button_sample.click()
    page.tasks.open()
    row = page.tasks.rows[2]
    row.options.setChecked(True)
    seeds = row.findChild(QLineEdit, "field-tasks.seeds")
    seeds.setText("4, 5")
    seeds.editingFinished.emit()
    row.method.activated.emit(1)
    assert page.draft.tasks[2] == {"kind": "ner", "source": "sample", "seeds": [4, 5], "method": "probe"}
    page.draft.remove_task(0)
    assert [row.kind.currentData() for row in page.tasks.rows] == ["sentiment", "ner", "pos"]
