"""The set-up page: what it shows, checks and starts."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from PySide6.QtCore import QObject, QProcess, Qt
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractSpinBox,
    QComboBox,
    QLabel,
    QLineEdit,
    QPushButton,
    QSlider,
)
from pytestqt.qtbot import QtBot
from setup_driver import XLM_R, checked, fill_in_the_sample, find, opened
from window_driver import PATIENCE

from core.recipe import parse
from gui.draft import Draft
from gui.pages.setup import SetupPage
from gui.settings import SettingsFile
from gui.text import count
from resources import sample

pytestmark = pytest.mark.qt_log_ignore("propagateSizeHints")  # what the offscreen platform says of windows that grow


@pytest.fixture
def page(qtbot: QtBot, tmp_path: Path) -> SetupPage:
    return opened(qtbot, tmp_path)


# -- first sight -------------------------------------------------------------------------------------------------


def test_at_first_every_part_says_what_to_do(page: SetupPage) -> None:
    for section in page.sections.values():
        assert section.summary
    button = find(page, QPushButton, "button-compress")
    assert not button.isEnabled()
    assert "Teacher, Language, Text" in page.state.text()
    assert find(page, QLabel, "label-estimate").text() == ""
    assert not any(section.has_faults for section in page.sections.values())


def test_closed_it_fits_a_small_screen(page: SetupPage, qtbot: QtBot) -> None:
    page.teacher.choose(XLM_R)
    qtbot.waitUntil(lambda: page.scroll.verticalScrollBar().maximum() == 0)
    for section in page.sections.values():
        section.button.click()
        assert page.rect().contains(page.button.geometry()) and page.button.isVisible()
    assert page.minimumSizeHint().width() <= 1192


def test_one_part_is_open_at_a_time(page: SetupPage) -> None:
    page.teacher.button.click()
    page.language.button.click()
    opened = [name for name, section in page.sections.items() if section.is_open]
    assert opened == ["language", "targets"]


def test_the_sample_takes_a_few_clicks(page: SetupPage, qtbot: QtBot) -> None:
    with qtbot.waitSignal(page.teacher.listed, timeout=PATIENCE):
        page.teacher.button.click()
    rows = page.teacher.list
    assert rows.topLevelItemCount() == 5
    rows.itemClicked.emit(rows.topLevelItem(0), 0)
    with qtbot.waitSignal(page.language.listed, timeout=PATIENCE):
        page.teacher.next_wanted.emit()
    assert page.language.is_open
    languages = page.language.list
    assert [languages.topLevelItem(row).text(2) for row in range(4)] == list(sample.LANGUAGES)
    languages.itemClicked.emit(languages.topLevelItem(0), 0)
    page.language.next_wanted.emit()
    assert page.corpus.is_open
    page.corpus.button_sample.click()
    page.tasks.button_sample.click()
    checked(page, qtbot)
    qtbot.waitUntil(lambda: page.state.text().startswith("Ready"), timeout=PATIENCE)
    with qtbot.waitSignal(page.compress_requested, timeout=PATIENCE) as told:
        page.button.click()
    recipe = parse(told.args[0])
    assert recipe.targets.layers == 2 and [task.kind for task in recipe.tasks] == ["topic", "sentiment", "ner", "pos"]
    assert told.args[1] == page.draft.base


# -- the rest of the recipe --------------------------------------------------------------------------------------


def test_more_sets_what_else_there_is(page: SetupPage) -> None:
    page.more.open()
    steps = find(page, QLineEdit, "field-schedule.distil_steps")
    assert count(2000) in steps.placeholderText()
    preset = find(page, QComboBox, "combo-preset")
    preset.activated.emit(preset.findData("best"))
    assert page.draft.value("method.preset") == "best" and count(8000) in steps.placeholderText()
    steps.setText("77")
    steps.editingFinished.emit()
    assert page.draft.value("schedule.distil_steps") == 77 and "Steps of learning" in page.more.summary
    page.header.undo.click()
    assert steps.text() == "" and page.draft.value("method.preset") == "best"


def test_what_cant_be_used_in_a_field_stops_the_start(page: SetupPage, qtbot: QtBot) -> None:
    fill_in_the_sample(page, qtbot)
    page.more.open()
    steps = find(page, QLineEdit, "field-schedule.distil_steps")
    steps.setText("abc")
    steps.editingFinished.emit()
    checked(page, qtbot)
    assert page.more.has_faults and page.state.text().startswith("1 thing")
    page.more.open(False)
    with qtbot.assertNotEmitted(page.compress_requested):
        page.button.click()
    assert page.more.is_open and page.focusWidget() is steps
    steps.setText("")
    steps.editingFinished.emit()
    assert not page.more.has_faults and page.state.text().startswith("Ready")
    page.tasks.button_sample.click()
    page.tasks.open()
    page.tasks.rows[0].options.setChecked(True)
    seeds = page.tasks.rows[0].findChild(QLineEdit, "field-tasks.seeds")
    seeds.setText("x")
    seeds.editingFinished.emit()
    assert page.tasks.has_faults


def test_next_goes_through_the_parts_in_order(page: SetupPage) -> None:
    page.teacher.choose(XLM_R)
    page.teacher.open()
    page.teacher.next_wanted.emit()
    assert page.language.is_open
    page.language.next_wanted.emit()
    assert page.corpus.is_open
    page.corpus.next_wanted.emit()
    assert not page.corpus.is_open and page.focusWidget() is find(page, QSlider, "slider-layers")
    page.tasks.open()
    page.tasks.next_wanted.emit()
    assert page.focusWidget() is page.more.button
    page.draft.clear()
    page.corpus.next_wanted.emit()
    assert page.tasks.is_open  # without a teacher, there is no target to set


def test_what_one_thing_mends_is_one_thing(page: SetupPage, qtbot: QtBot, tmp_path: Path) -> None:
    fill_in_the_sample(page, qtbot)
    assert page.tasks.button.text() == "Choose"
    page.tasks.add_paths([tmp_path])
    page.tasks.open(False)
    checked(page, qtbot)
    assert page.state.text().startswith("1 thing"), page.tasks.problems.accessibleName()
    page.button.click()
    checked(page, qtbot)
    assert page.tasks.is_open and page.tasks.isAncestorOf(page.focusWidget())


def test_faults_stand_where_they_belong_all_at_once(page: SetupPage, qtbot: QtBot) -> None:
    page.teacher.choose("sample")
    page.language.choose("zzz")
    page.corpus.add(["/nowhere/a.txt"])
    page.draft.add_tasks({"kind": "ner", "source": "/nowhere/ner"})
    qtbot.waitUntil(lambda: page.draft.sizes is not None, timeout=PATIENCE)
    page.draft.set("targets.attention_heads", 3)
    checked(page, qtbot)
    placed = {name for name, section in page.sections.items() if section.has_faults}
    assert placed == {"language", "corpus", "tasks", "targets"}
    assert page.button.isEnabled() and page.state.text().startswith("4 ")
    with qtbot.assertNotEmitted(page.compress_requested):
        page.button.click()
    assert page.language.is_open
    page.language.choose("mlt")
    checked(page, qtbot)
    assert not page.language.has_faults and page.corpus.has_faults


def test_pressed_while_checking_it_starts_when_all_is_well(page: SetupPage, qtbot: QtBot) -> None:
    fill_in_the_sample(page, qtbot)
    assert page._check.busy
    with qtbot.waitSignal(page.compress_requested, timeout=PATIENCE):
        page.button.click()


def test_what_was_pressed_for_is_what_starts(page: SetupPage, qtbot: QtBot) -> None:
    fill_in_the_sample(page, qtbot)
    page.button.click()
    page.draft.set("seed", 7)
    with qtbot.assertNotEmitted(page.compress_requested):
        checked(page, qtbot)
    assert page.state.text().startswith("Ready")


def test_what_is_mended_on_disk_can_start(page: SetupPage, qtbot: QtBot, tmp_path: Path) -> None:
    path = tmp_path / "late.txt"
    page.teacher.choose("sample")
    page.language.choose("mlt")
    page.corpus.add([str(path)])
    qtbot.waitUntil(lambda: page.corpus.has_faults, timeout=PATIENCE)
    qtbot.waitUntil(lambda: page.draft.estimate is not None, timeout=PATIENCE)
    checked(page, qtbot)
    with qtbot.assertNotEmitted(page.compress_requested):
        page.button.click()
        assert page.state.text().startswith("Checking")
        checked(page, qtbot)
        assert page.corpus.is_open  # the answer still is no
        checked(page, qtbot)
    path.write_text("Sentenza\n" * 50, encoding="utf-8")
    with qtbot.waitSignal(page.compress_requested, timeout=PATIENCE):
        page.button.click()
    assert not page.corpus.has_faults


def test_opening_a_part_looks_at_the_disk_again(page: SetupPage, qtbot: QtBot, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    page.teacher.choose(str(folder))
    page.language.choose("mlt")
    page.corpus.button_sample.click()
    qtbot.waitUntil(lambda: bool(page.draft.teacher_faults), timeout=PATIENCE)
    checked(page, qtbot)
    shutil.copytree(sample.teacher_folder(), folder)
    page.teacher.open()
    qtbot.waitUntil(lambda: page.draft.sizes is not None, timeout=PATIENCE)
    checked(page, qtbot)
    assert not page.teacher.has_faults and page.state.text().startswith("Ready")


def test_the_bar_goes_with_the_last_source(page: SetupPage, qtbot: QtBot) -> None:
    page.corpus.open()
    page.corpus.button_sample.click()
    qtbot.waitUntil(page.corpus.bar.isVisible, timeout=PATIENCE)
    page.corpus.list.selectAll()
    page.corpus.button_remove.click()
    assert page.corpus.bar.isHidden()


def test_a_task_may_go_while_it_is_looked_at(page: SetupPage, qtbot: QtBot) -> None:
    page.language.choose("mlt")
    page.tasks.open()
    page.draft.add_tasks({"kind": "ner", "source": "sample"})
    qtbot.waitUntil(lambda: bool(page.tasks.findChildren(QProcess)), timeout=PATIENCE)
    (process,) = page.tasks.findChildren(QProcess)
    row = page.tasks.rows[0]
    page.draft.remove_task(0)
    with qtbot.waitSignal(row.destroyed, timeout=PATIENCE):
        assert process.state() != QProcess.ProcessState.NotRunning
    page.end()
    assert all(left.state() == QProcess.ProcessState.NotRunning for left in page.findChildren(QProcess))


def test_nothing_runs_when_the_page_has_ended(page: SetupPage, qtbot: QtBot) -> None:
    fill_in_the_sample(page, qtbot)
    qtbot.waitUntil(lambda: len(page.findChildren(QProcess)) > 1, timeout=PATIENCE)
    page.end()
    assert all(left.state() == QProcess.ProcessState.NotRunning for left in page.findChildren(QProcess))


def test_a_draft_that_cant_be_taken_up_is_told_of(qtbot: QtBot, tmp_path: Path) -> None:
    settings = SettingsFile(tmp_path / "settings.json")
    settings.change(draft="[targets]\nlayers = 'six'")
    page = SetupPage(Draft(settings), settings)
    qtbot.addWidget(page, before_close_func=SetupPage.end)
    assert "draft.broken.toml" in page.file_problems.accessibleName()
    page.draft.set("seed", 3)
    assert page.file_problems.isHidden()


def test_a_broken_recipe_is_told_of_and_changes_nothing(page: SetupPage, tmp_path: Path) -> None:
    page.teacher.choose(XLM_R)
    path = tmp_path / "bad.toml"
    path.write_text("[teacher]\nmodell = 'x'\n[schedule]\nseed = 1", encoding="utf-8")
    page.open_recipe(path)
    said = page.file_problems.accessibleName()
    assert all(words in said for words in ("bad.toml", "teacher.modell", "schedule.seed"))
    assert not page.file_problems.isHidden()
    assert page.draft.value("teacher.model") == XLM_R
    page.file_problems.findChild(QPushButton).click()
    assert page.file_problems.isHidden()
    page.open_recipe(path)
    assert not page.file_problems.isHidden()
    page.open_recipe(Path(sample.__file__).parent / "recipe-tiny.toml")
    assert page.file_problems.isHidden() and page.draft.value("corpus.limit") == 200
    page.save_recipe(tmp_path / "good.toml")
    assert parse((tmp_path / "good.toml").read_text(encoding="utf-8")).name == "sample-tiny"
    page.save_recipe(tmp_path / "no folder" / "x.toml")
    assert not page.file_problems.isHidden()


# -- everybody ---------------------------------------------------------------------------------------------------


def test_every_control_can_be_heard_reached_and_hit(page: SetupPage, qtbot: QtBot) -> None:
    fill_in_the_sample(page, qtbot)
    page.tasks.button_sample.click()
    for section in page.sections.values():
        section.open()
        qtbot.wait(20)
        for control in page.findChildren(QObject):
            kinds = (QAbstractButton, QAbstractSpinBox, QComboBox, QSlider, QLineEdit)
            if not isinstance(control, kinds) or not control.isVisible() or control.objectName().startswith("qt_"):
                continue
            if isinstance(control.parent(), (QLineEdit, QAbstractSpinBox, QComboBox)):
                continue  # a part of a control
            name = control.accessibleName() or getattr(control, "text", str)()
            assert name and control.toolTip(), f"{control} {name!r} says nothing of itself"
            assert control.height() >= 28, f"{name} is {control.height()} high"
            if control.isEnabled():
                assert control.focusPolicy() & Qt.FocusPolicy.TabFocus, f"{name} is out of the keyboard's reach"


def test_it_needs_nothing_heavy() -> None:
    code = (
        "import sys, gui.pages.setup, gui.draft\n"
        "print([name for name in ('torch', 'transformers', 'datasets', 'tokenizers') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
