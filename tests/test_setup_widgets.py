from __future__ import annotations

import re
from dataclasses import fields, replace
from pathlib import Path

import pytest
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent, QWheelEvent
from PySide6.QtWidgets import QApplication, QComboBox, QFileDialog, QFrame, QLineEdit, QMenu, QToolButton, QVBoxLayout
from pytestqt.qtbot import QtBot

from core.errors import Fault, InputError
from core.families import Sizes
from core.families.heads import KEEP_NUMBER, resolve_heads
from core.known_data import KnownData
from core.recipe import HIDDEN_REDUCTIONS, Schedule, Task
from core.resolve import Pick
from core.rules import Choice, Number, Several, Text
from gui.pages.setup.choice_words import choice_words
from gui.pages.setup.corpus import fill_menu
from gui.pages.setup.fields import FieldControl, FieldForm
from gui.pages.setup.more import more_keys
from gui.pages.setup.section import merged
from gui.targets import AXES, nearest, paper_widths, steps, suggest, whole_head_widths
from gui.text import count, plain_tip
from gui.widgets.calm_wheel import CalmWheel
from gui.widgets.drop_area import DropArea
from gui.widgets.elided import ElidedLabel
from gui.widgets.size_bar import SizeBar
from gui.widgets.suggested_sizes import SizeGroup
from gui.widgets.target_slider import TargetSlider

TEACHERS = {
    "base": Sizes(
        layers=12, hidden=768, heads=12, feed_forward=3072, vocabulary=250_002, positions=514, types=1, tied=True
    ),
    "tiny": Sizes(layers=1, hidden=4, heads=2, feed_forward=3, vocabulary=40, positions=9, types=0, tied=True),
}


# -- which sizes there are ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("teacher", TEACHERS.values(), ids=TEACHERS)
@pytest.mark.parametrize("reduction", HIDDEN_REDUCTIONS)
def test_every_step_is_a_size_that_the_core_allows(teacher: Sizes, reduction: str) -> None:
    for key, axis in AXES.items():
        found = steps(key, teacher, None, reduction)
        assert list(found) == sorted(set(found)) and found[0] >= 1 and found[-1] == getattr(teacher, axis)
    for width in steps("hidden_size", teacher, None, reduction):
        resolve_heads(teacher, width, None, reduction)
    for width in set(range(1, teacher.hidden + 1)) - set(steps("hidden_size", teacher, None, reduction)):
        with pytest.raises(InputError):
            resolve_heads(teacher, width, None, reduction)


def test_a_number_of_heads_leaves_only_the_widths_that_suit_it() -> None:
    assert steps("hidden_size", TEACHERS["base"], 6, "per_head") == (384,)


@pytest.mark.parametrize("teacher", TEACHERS.values(), ids=TEACHERS)
@pytest.mark.parametrize("reduction", HIDDEN_REDUCTIONS)
def test_a_suggestion_is_possible_and_smaller(teacher: Sizes, reduction: str) -> None:
    for key, size in suggest(teacher, reduction).items():
        assert size in steps(key, teacher, None, reduction) and size < getattr(teacher, AXES[key])


def test_widths_worth_trying_are_whole_heads_and_the_papers() -> None:
    base = TEACHERS["base"]
    for reduction in ("auto", "per_head", "rotate"):
        assert whole_head_widths(base, None, reduction) == (384, 320, 256)
        assert paper_widths(base, None, reduction) == (564, 456, 312)
        assert suggest(base, reduction)["hidden_size"] == 384
    for reduction in KEEP_NUMBER:  # twelve heads of half the width are no whole ones
        assert whole_head_widths(base, None, reduction) == ()
        assert paper_widths(base, None, reduction) == (564, 456, 312)
        assert suggest(base, reduction)["hidden_size"] == 456
    assert whole_head_widths(base, 6, "auto") == (384,) and paper_widths(base, 6, "auto") == ()
    small = replace(base, hidden=384)
    assert whole_head_widths(small, None, "auto") == (192, 160, 128) and paper_widths(small, None, "auto") == ()
    fixed = replace(base, fixed=frozenset(("hidden",)))
    assert whole_head_widths(fixed, None, "auto") == paper_widths(fixed, None, "auto") == ()
    assert whole_head_widths(TEACHERS["tiny"], None, "auto") == (2,)


def test_the_nearest_is_the_smaller_of_two() -> None:
    assert [nearest(value, (2, 4, 10)) for value in (1, 3, 5, 8, 99)] == [2, 2, 4, 10, 10]


def test_what_an_architecture_holds_fast_has_one_step_and_is_not_suggested() -> None:
    teacher = replace(TEACHERS["base"], fixed=frozenset(("hidden", "feed_forward")))
    for key, own in (("hidden_size", 768), ("intermediate_size", 3072)):
        assert steps(key, teacher, None, "auto") == (own,)
    assert set(suggest(teacher, "auto")) == {"layers", "vocabulary_size"}


# -- the slider --------------------------------------------------------------------------------------------------


@pytest.fixture
def slider(qtbot: QtBot) -> TargetSlider:
    made = TargetSlider("slider-hidden", "Width", "hidden size", "What it does.")
    qtbot.addWidget(made)
    return made


def test_slider_and_field_show_the_same(slider: TargetSlider, qtbot: QtBot) -> None:
    slider.set_steps((12, 24, 64, 96), 96, only=True)
    slider.show_value(None)
    assert (slider.slider.value(), slider.field.value()) == (4, 96)
    with qtbot.waitSignal(slider.moved) as told:
        slider.slider.setValue(3)
    assert told.args == [64] and slider.field.value() == 64
    with qtbot.waitSignal(slider.moved) as told:
        slider.field.setValue(70)  # there is no such size
    assert told.args == [64] and slider.field.value() == 64 and slider.slider.value() == 3
    slider.show_value(24)
    assert (slider.slider.value(), slider.value) == (2, 24)


def test_a_size_can_be_taken_from_those_worth_trying(slider: TargetSlider, qtbot: QtBot) -> None:
    slider.set_steps((12, 24, 64, 96), 96, only=True)
    slider.show_value(64)
    slider.suggest([SizeGroup("whole", "Why.", (64, 32)), SizeGroup("paper", "Because.", (24, 64))])
    buttons = slider.suggestions.buttons
    assert list(buttons) == [64, 32, 24] and [size for size in buttons if buttons[size].isChecked()] == [64]
    assert buttons[24].accessibleName() == "Width 24, paper" and buttons[24].toolTip() == "Because."
    with qtbot.waitSignals([slider.moved, slider.settled]):
        buttons[24].click()
    assert slider.value == 24 and buttons[24].isChecked() and not buttons[64].isChecked()
    buttons[24].click()
    assert buttons[24].isChecked(), "what is set can't be unset by it"
    slider.slider.setValue(1)
    assert not any(button.isChecked() for button in buttons.values())
    slider.suggest(())
    assert slider.suggestions.isHidden() and not slider.suggestions.buttons


def test_showing_tells_of_nothing(slider: TargetSlider, qtbot: QtBot) -> None:
    with qtbot.assertNotEmitted(slider.moved):
        slider.set_steps((1, 2, 3), 3, only=False)
        slider.show_value(2)
        slider.clear()


def test_any_size_may_be_typed_where_steps_are_only_stops(slider: TargetSlider, qtbot: QtBot) -> None:
    slider.set_steps((100, 200, 300), 300, only=False)
    with qtbot.waitSignal(slider.moved) as told:
        slider.field.setValue(217)
    assert told.args == [217] and slider.slider.value() == 2 and slider.field.value() == 217


def test_the_arrows_of_the_field_go_from_step_to_step(slider: TargetSlider, qtbot: QtBot) -> None:
    slider.set_steps((100, 200, 300), 300, only=False)
    seen = []
    slider.moved.connect(seen.append)
    slider.show_value(217)
    for steps_up in (1, 1, -1, -2):
        slider.field.stepBy(steps_up)
    assert seen == [300, 200, 100]
    slider.show_value(217)
    slider.field.stepBy(-1)
    assert slider.value == 200


def test_without_a_teacher_there_is_nothing_to_set(slider: TargetSlider) -> None:
    slider.clear()
    assert not slider.isEnabled() and slider.field.text() == "–"
    slider.set_steps((1, 2), 2, only=True)
    slider.show_value(1)
    assert slider.isEnabled() and slider.field.text() == "1"


def test_a_slider_that_is_locked_says_why(slider: TargetSlider) -> None:
    slider.set_steps((1, 2), 2, only=True)
    slider.lock("Because.")
    assert not slider.isEnabled() and slider.slider.toolTip() == slider.field.toolTip() == "Because."
    slider.lock("")
    assert slider.isEnabled() and slider.field.toolTip() == "What it does."


def test_a_file_can_be_chosen_for_a_field(qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> None:
    control = FieldControl("method.vocabulary_words", Text(), None)
    qtbot.addWidget(control)
    control.show_value(None, None)
    button = control.findChild(QToolButton)
    assert button.accessibleName() and button.toolTip()
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: ("", ""))
    with qtbot.assertNotEmitted(control.changed):
        button.click()
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: ("/a/words.txt", ""))
    with qtbot.waitSignal(control.changed) as told:
        button.click()
    assert told.args == ["/a/words.txt"] and control.editor.text() == "/a/words.txt"


def test_each_control_can_be_heard(slider: TargetSlider) -> None:
    for control in (slider.slider, slider.field):
        assert control.accessibleName() and control.toolTip() and control.focusPolicy() & Qt.FocusPolicy.TabFocus


# -- the rest ----------------------------------------------------------------------------------------------------


def test_the_bars_say_their_numbers(qtbot: QtBot) -> None:
    bar = SizeBar()
    qtbot.addWidget(bar)
    bar.show_sizes({"embeddings": 192_400_000, "head": 1000}, {"embeddings": 12_500_000, "head": 100})
    assert "12.5 M" in bar.accessibleDescription() and len(bar.words()) == 2
    bar.resize(400, 60)
    image = bar.grab().toImage()
    row = 8
    colors = {image.pixelColor(x, row).name() for x in range(80, 390)}
    assert len(colors) >= 1 and image.pixelColor(100, row) != image.pixelColor(398, 28)
    bar.show_sizes({}, {})
    assert bar.accessibleDescription() == ""
    bar.grab()


def test_files_dropped_on_a_card_are_told_of(qtbot: QtBot, tmp_path: Path) -> None:
    card = QFrame()
    qtbot.addWidget(card)
    QVBoxLayout(card)
    area = DropArea(card)
    field = QLineEdit(card)
    area.leave_to_card(field)
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(tmp_path / "a.txt")), QUrl("https://example.org/b.txt")])
    assert send_drop(card, data, area, qtbot) == (tmp_path / "a.txt",)
    assert card.styleSheet() == "" and not field.acceptDrops()
    text = QMimeData()
    text.setText("no file")
    enter = drag_enter(text)
    QApplication.sendEvent(card, enter)
    assert not enter.isAccepted()


def drag_enter(data: QMimeData) -> QDragEnterEvent:
    event = QDragEnterEvent(
        QPoint(1, 1), Qt.DropAction.CopyAction, data, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    )
    event.ignore()
    return event


def send_drop(card: QFrame, data: QMimeData, area: DropArea, qtbot: QtBot) -> object:
    enter = drag_enter(data)
    QApplication.sendEvent(card, enter)
    assert enter.isAccepted() and "dashed" in card.styleSheet()
    drop = QDropEvent(
        QPointF(1, 1), Qt.DropAction.CopyAction, data, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    )
    with qtbot.waitSignal(area.dropped) as told:
        QApplication.sendEvent(card, drop)
    return told.args[0]


def test_the_wheel_changes_no_control_that_was_not_chosen(qtbot: QtBot) -> None:
    combo = QComboBox()
    qtbot.addWidget(combo)
    combo.addItems(["a", "b"])
    CalmWheel(combo)
    wheel = QWheelEvent(
        QPointF(5, 5), QPointF(5, 5), QPoint(), QPoint(0, -120), Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier, Qt.ScrollPhase.NoScrollPhase, False,
    )  # fmt: skip
    QApplication.sendEvent(combo, wheel)
    assert combo.currentIndex() == 0 and not wheel.isAccepted()


def test_a_long_line_is_cut_and_never_read_as_rich_text(qtbot: QtBot) -> None:
    label = ElidedLabel("<b>x</b>" * 50)
    qtbot.addWidget(label)
    label.resize(60, 20)
    label.grab()
    assert label.textFormat() == Qt.TextFormat.PlainText and label.toolTip() == plain_tip("<b>x</b>" * 50)
    label.setText("plain")
    assert label.toolTip() == "plain" and label.minimumSizeHint().width() < 60


# -- controls from rules -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rule", "typed", "value"),
    [
        (Number(low=1), "2,000", 2000),
        (Number(low=1), "2000", 2000),
        (Number(low=0, whole=False), "1e-4", 1e-4),
        (Number(low=0, whole=False, auto=True), "Auto", "auto"),
        (Several(Number(low=0)), "1, 2 ;3", (1, 2, 3)),
        (Number(low=1), "", None),
    ],
)
def test_what_is_typed_is_read_by_the_recipes_rule(qtbot: QtBot, rule: object, typed: str, value: object) -> None:
    control = FieldControl("schedule.threads", rule, None)
    qtbot.addWidget(control)
    control.show_value(7 if value is None else None, 5)
    control.editor.setText(typed)
    with qtbot.waitSignal(control.changed) as told:
        control.editor.editingFinished.emit()
    assert told.args == [value]


def test_what_the_rule_refuses_is_told_beside_the_field(qtbot: QtBot) -> None:
    control = FieldControl("schedule.distil_steps", Number(low=1), None)
    qtbot.addWidget(control)
    control.show_value(None, 2000)
    assert count(2000) in control.editor.placeholderText()
    for wrong in ("0", "many", "1.5"):
        control.editor.setText(wrong)
        with qtbot.assertNotEmitted(control.changed):
            control.editor.editingFinished.emit()
        assert control.editor.accessibleDescription() and control.fault.key == control.key
    assert control._wrong.textFormat() == Qt.TextFormat.PlainText  # it quotes what was typed
    control.show_value(4, 2000)
    assert control.editor.text() == "4" and control.editor.accessibleDescription() == "" and control.fault is None


def test_a_default_that_leaves_it_to_the_run_says_so(qtbot: QtBot) -> None:
    control = FieldControl("schedule.evaluate_every", Number(low=0), None)
    qtbot.addWidget(control)
    control.show_value(None, 0)
    assert control.editor.placeholderText() == "default: automatic"


def test_faults_with_the_same_hint_are_told_as_one() -> None:
    faults = [Fault("No train.", "Put it there."), Fault("No test.", "Put it there."), Fault("a", ""), Fault("b", "")]
    assert merged(faults) == [Fault("No train.\nNo test.", "Put it there."), Fault("a", ""), Fault("b", "")]


def test_a_name_in_a_tooltip_is_never_read_as_rich_text(qtbot: QtBot) -> None:
    assert plain_tip("<b>&.txt") == "<span>&lt;b&gt;&amp;.txt</span>"
    assert plain_tip("&lt;b") == "<span>&amp;lt;b</span>" and plain_tip("a < b & c") == "a < b & c"
    menu = QMenu()
    qtbot.addWidget(menu)
    fill_menu(menu, [KnownData("a", "topic", "mlt", "hub:<i>", "mit")], print)
    assert menu.actions()[0].toolTip() == plain_tip("hub:<i>")


def test_a_choice_is_a_list_whose_first_entry_is_the_default(qtbot: QtBot) -> None:
    control = FieldControl("method.kd_loss", Choice(("auto", "mse", "kl")), None)
    qtbot.addWidget(control)
    control.show_value("kl", "auto")
    assert control.editor.currentText() == "odds of the hidden words (kl)"
    for index, value in enumerate((None, "auto", "mse")):
        with qtbot.waitSignal(control.changed) as told:
            control.editor.activated.emit(index)
        assert told.args == [value]


def test_what_auto_becomes_is_shown_with_its_reason(qtbot: QtBot) -> None:
    decided = Pick("mse", "The paper says so.")
    control = FieldControl("method.kd_loss", Choice(("auto", "mse", "kl")), None)
    qtbot.addWidget(control)
    control.show_value(None, "auto")
    assert control.editor.currentText() == "default: automatic (auto)"
    control.show_value(None, "auto", decided)
    assert control.editor.currentText() == "default: raw scores of all words (mse)"
    assert control.editor.toolTip().endswith("The paper says so.")
    control.show_value("kl", "auto", decided)
    assert "paper" not in control.editor.toolTip(), "it is the user's own choice now"
    number = FieldControl("method.rounds", Number(low=1, auto=True), None)
    qtbot.addWidget(number)
    number.show_value(None, "auto", Pick(2, "Much goes."))
    assert (number.editor.placeholderText(), number.editor.text()) == ("default: 2", "")
    number.show_value(None, "auto", Pick("auto", "Found out."))
    assert number.editor.placeholderText() == "default: automatic"
    assert number.editor.toolTip().endswith("Found out.")


def test_every_choice_has_plain_words() -> None:
    for entries in more_keys().values():
        for key, rule in entries:
            if isinstance(rule, Choice):
                words = {choice_words(key, value) for value in rule.allowed}
                assert len(words) == len(rule.allowed)
                assert all(choice_words(key, value).endswith(f" ({value})") for value in rule.allowed)
                assert not words & set(rule.allowed), f"{key} has values without words"


def test_every_key_of_the_recipe_has_a_control_and_plain_words(qtbot: QtBot) -> None:
    keys = {key for entries in more_keys().values() for key, _ in entries}
    assert {f"schedule.{entry.name}" for entry in fields(Schedule)} <= keys
    entries = [entry for group in more_keys().values() for entry in group]
    entries += [(f"tasks.{entry.name}", entry.metadata["rule"]) for entry in fields(Task)]
    form = FieldForm(entries, lambda key: (None, None, None), lambda key, value: None, None)
    qtbot.addWidget(form)
    for key, control in form.controls.items():
        assert control.editor.accessibleName()
        if key not in ("tasks.kind", "tasks.source", "tasks.method"):  # these have rows of their own
            assert re.fullmatch(r"[A-Z0-9].*\.", control.editor.toolTip()), f"{key} has no words"
