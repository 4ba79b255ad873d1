from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest
from PySide6.QtCore import QObject, QPoint, Qt, Signal
from PySide6.QtGui import QWheelEvent
from PySide6.QtWidgets import QAbstractButton, QAbstractSpinBox, QComboBox, QLabel, QSlider
from pytestqt.qtbot import QtBot

from core.errors import Fault
from core.recipe import parse
from gui.coverage import CoverageCurve
from gui.draft import Draft
from gui.pages.setup import latest_job, vocabulary
from gui.pages.setup.corpus_report import CorpusReport
from gui.pages.setup.target import TargetSection
from gui.pages.setup.vocabulary import VocabularyView
from gui.pages.setup.vocabulary_details import kept_words
from gui.plots.vocabulary import VocabularyPlot
from gui.settings import SettingsFile
from gui.text import count
from gui.widgets.pieces import PiecesText, lay_out

CURVE = [[200, 0.4], [400, 0.7], [800, 0.9], [1600, 1.0]]
EVIL = "<b>ħobż</b>&"


def answer(size: int = 400, **changes: Any) -> dict[str, Any]:
    return {
        "curve": CURVE,
        "smallest": 200,
        "chosen": {"size": size, "coverage": 0.7},
        "kept": {"special": 5, "words": 0, "alphabet": 195, "count": size - 200, "merge": 0},
        "fertility": {"before": 1.875, "after": 2.08},
        "unknown": {"before": 3, "after": 3},
        "split": 0.041,
        "held_out": 877,
        "worst": [
            {"word": f"{EVIL}{n}", "count": n, "before": [f"{EVIL}{n}"], "after": [EVIL, str(n)]} for n in range(12)
        ],
        "example": {"text": f"Il {EVIL}", "before": ["Il", EVIL], "after": ["I", "l", EVIL]},
        **changes,
    }


class StubJob(QObject):
    """A job that answers when the test says so."""

    progress = Signal(object, object)
    done = Signal(object)
    failed = Signal(object)
    made: ClassVar[list[StubJob]] = []

    def __init__(self, name: str, arguments: dict[str, Any], parent: QObject) -> None:
        super().__init__(parent)
        assert name == "vocabulary"
        self.recipe = parse(arguments["recipe"])
        self.cancelled = False
        self.made.append(self)

    def start(self) -> None:
        pass

    def cancel(self) -> None:
        self.cancelled = True


@pytest.fixture
def jobs(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[StubJob]]:
    monkeypatch.setattr(latest_job, "Job", StubJob)
    monkeypatch.setattr(vocabulary, "_WAIT_MILLISECONDS", 10)
    StubJob.made = []
    yield StubJob.made
    StubJob.made = []


@pytest.fixture
def settings(tmp_path: Path) -> SettingsFile:
    return SettingsFile(tmp_path / "settings.json")


@pytest.fixture
def target(qtbot: QtBot, jobs: list[StubJob], settings: SettingsFile) -> TargetSection:
    draft = Draft()
    made = TargetSection(draft, settings)
    draft.changed.connect(made.refresh)
    qtbot.addWidget(made, before_close_func=TargetSection.end)
    made.resize(1100, 700)
    made.show()
    draft.choose_teacher("sample")
    qtbot.waitUntil(lambda: draft.sizes is not None)
    draft.set("corpus.sources", ["sample"])
    draft.set("targets.vocabulary_size", 400)
    return made


def running(jobs: list[StubJob], qtbot: QtBot, number: int = 1) -> StubJob:
    qtbot.waitUntil(lambda: len(jobs) == number)
    return jobs[-1]


@pytest.fixture
def view(target: TargetSection, jobs: list[StubJob], qtbot: QtBot) -> VocabularyView:
    """With an answer for 400 tokens."""
    running(jobs, qtbot).done.emit(answer())
    return target.vocabulary


def slider(target: TargetSection) -> QSlider:
    return target.sliders["vocabulary_size"].slider


def megabytes(draft: Draft) -> float:
    assert draft.estimate is not None
    return draft.estimate.student.megabytes


# -- the curve ---------------------------------------------------------------------------------------------------


def test_a_curve_is_joined_over_the_logarithm() -> None:
    curve = CoverageCurve(CURVE)
    assert (curve.smallest, curve.largest) == (200, 1600)
    assert [curve.share_at(size) for size in (1, 200, 400, 9999)] == pytest.approx([0.4, 0.4, 0.7, 1])
    assert curve.share_at(200 * 2**0.5) == pytest.approx(0.55)
    assert [curve.size_at(place) for place in (0, 9)] == [200, 1600]
    assert curve.size_at(2.7) == 500 and curve.round_sizes() == [200, 500, 1000]


def test_it_is_asked_of_what_shapes_it_and_nothing_else(
    target: TargetSection, jobs: list[StubJob], qtbot: QtBot
) -> None:
    recipe = running(jobs, qtbot).recipe
    assert recipe.teacher.model == "sample" and recipe.targets.vocabulary_size == 400 and recipe.targets.layers is None
    assert target.vocabulary.bar.isVisible() and not target.vocabulary.content.isVisible()
    target.draft.set("targets.layers", 1)
    target.draft.set("schedule.threads", 1)
    qtbot.wait(40)
    assert len(jobs) == 1 and not jobs[0].cancelled


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("targets.vocabulary_size", 500),
        ("targets.vocabulary_multiple", 8),
        ("method.vocabulary_frequency", "token"),
        ("corpus.least_letters", 0),
        ("corpus.sources", ["/elsewhere.txt"]),
    ],
)
def test_a_job_for_old_values_is_cancelled(
    target: TargetSection, jobs: list[StubJob], qtbot: QtBot, key: str, value: object
) -> None:
    running(jobs, qtbot)
    target.draft.set(key, value)
    assert jobs[0].cancelled
    running(jobs, qtbot, 2).done.emit(answer())
    assert target.vocabulary.content.isVisible() and not target.vocabulary.bar.isVisible()


def test_the_chosen_point_stands_on_both_curves(view: VocabularyView) -> None:
    size, share, cost = view.plot.chosen
    assert (size, share) == (400, pytest.approx(0.7)) and cost == pytest.approx(megabytes(view.draft))
    assert "400 tokens" in view.summary.text() and "70.0 %" in view.summary.text()
    assert "70.0 %" in view.plot.accessibleDescription()


def test_the_point_follows_the_sliders(target: TargetSection, view: VocabularyView) -> None:
    for position in range(1, slider(target).maximum()):
        slider(target).setValue(position)
        size = target.draft.value("targets.vocabulary_size")
        found = view.plot.chosen
        assert found[0] == size and found[1] == pytest.approx(CoverageCurve(CURVE).share_at(size))
        if size <= 1600:
            assert found[2] == pytest.approx(megabytes(target.draft))
    before = view.plot.chosen[2]
    target.sliders["layers"].slider.setValue(1)
    assert view.plot.chosen[2] < before
    slider(target).setValue(slider(target).maximum())
    assert view.plot.chosen is None and "all" in view.summary.text()


def test_more_than_occur_is_told(target: TargetSection, view: VocabularyView) -> None:
    target.draft.set("targets.vocabulary_size", 1700)
    assert f"only {count(1600)} occur" in view.summary.text()


def test_a_click_and_a_drag_set_the_size_as_one_change(
    target: TargetSection, view: VocabularyView, qtbot: QtBot
) -> None:
    plot = view.plot
    places = [QPoint(int(plot.width() * share), 60) for share in (0.5, 0.7, 0.99)]
    qtbot.mousePress(plot.viewport(), Qt.MouseButton.LeftButton, pos=places[0])
    first = target.draft.value("targets.vocabulary_size")
    assert 200 < first < 1600 and first == plot._size_at(places[0].toPointF()) and first % 10 == 0
    assert target.sliders["vocabulary_size"].value == plot.chosen[0] == first
    for place in places[1:]:
        plot.mouseMoveEvent(_move(place))
    assert target.draft.value("targets.vocabulary_size") == 1600
    qtbot.mouseRelease(plot.viewport(), Qt.MouseButton.LeftButton, pos=places[2])
    target.draft.undo()
    assert target.draft.value("targets.vocabulary_size") == 400


def _move(place: QPoint, button: Qt.MouseButton = Qt.MouseButton.LeftButton) -> Any:
    from PySide6.QtCore import QEvent
    from PySide6.QtGui import QMouseEvent

    none = Qt.MouseButton.NoButton
    position = place.toPointF()
    return QMouseEvent(QEvent.Type.MouseMove, position, position, none, button, Qt.KeyboardModifier.NoModifier)


def test_what_is_pointed_at_is_told(view: VocabularyView) -> None:
    before = view.draft.to_toml()
    view.plot.mouseMoveEvent(_move(QPoint(view.plot.width() // 2, 60), Qt.MouseButton.NoButton))
    words = view.plot._told.text()
    assert view.plot._told.isVisible() and all(part in words for part in ("tokens", "%", "MB"))
    assert view.draft.to_toml() == before


def test_keys_go_from_step_to_step_and_to_the_ends(target: TargetSection, view: VocabularyView, qtbot: QtBot) -> None:
    def size_after(key: Qt.Key) -> int:
        qtbot.keyClick(view.plot, key)
        return int(target.draft.value("targets.vocabulary_size"))

    assert size_after(Qt.Key.Key_Right) == 450 and size_after(Qt.Key.Key_Left) == 400
    assert size_after(Qt.Key.Key_End) == 1600 and size_after(Qt.Key.Key_Home) == 200


def test_the_wheel_scrolls_the_page(view: VocabularyView) -> None:
    wheel = QWheelEvent(
        QPoint(5, 5).toPointF(), QPoint(5, 5).toPointF(), QPoint(), QPoint(0, -120), Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier, Qt.ScrollPhase.NoScrollPhase, False,
    )  # fmt: skip
    view.plot.wheelEvent(wheel)
    assert not wheel.isAccepted()


def test_an_old_curve_stays_and_is_dimmed_only_where_it_may_be_wrong(
    target: TargetSection, view: VocabularyView, jobs: list[StubJob], qtbot: QtBot
) -> None:
    dims: Callable[[], bool] = lambda: view.plot._shares.opacity() < 1  # noqa: E731
    target.draft.set("targets.vocabulary_size", 500)
    assert not dims() and not view.sentence.isEnabled() and view.content.isVisible()
    target.draft.set("method.vocabulary_frequency", "token")
    assert dims() and view.content.isVisible() and view.bar.isVisible()
    running(jobs, qtbot, 2).done.emit(answer(500))
    assert not dims() and view.sentence.isEnabled() and not view.bar.isVisible()


# -- where it can't be known, and faults -------------------------------------------------------------------------


def test_why_it_cant_be_known_is_one_sentence(target: TargetSection, jobs: list[StubJob], qtbot: QtBot) -> None:
    running(jobs, qtbot)
    view = target.vocabulary
    for sources, words in ((None, "Choose your text"), (["sample", "hub:x/y"], "in files")):
        target.draft.set("corpus.sources", sources)
        assert words in view.summary.text() and not view.content.isVisible()
        target.draft.set("corpus.sources", ["sample"])
    target.draft.choose_teacher("bert-base-multilingual-cased-that-is-not-here")
    qtbot.waitUntil(lambda: not target.draft.looking)
    assert not view.isVisible()  # nothing is known of it, so nothing can be set
    target.draft.choose_teacher("xlm-roberta-base")
    qtbot.waitUntil(lambda: "once the teacher is on this machine" in view.summary.text())
    qtbot.wait(40)
    assert all(job.cancelled for job in jobs)


def test_a_fault_stands_in_its_place_and_the_curve_stays(
    target: TargetSection, view: VocabularyView, jobs: list[StubJob], qtbot: QtBot
) -> None:
    target.draft.set("targets.vocabulary_size", 100)
    assert f"{count(200)} are always kept" in view.summary.text()
    fault = Fault("Too <small>.", "The nearest is 200.", "targets.vocabulary_size")
    with qtbot.waitSignal(target.judged):
        running(jobs, qtbot, 2).failed.emit((fault,))
    assert target.has_faults and view.refused == (fault,)
    assert view.problems.isVisible() and "Too <small>." in view.problems.accessibleName()
    assert view.content.isVisible() and not view.sentence.isVisible() and not view.words.isVisible()
    target.draft.set("targets.vocabulary_size", 400)
    assert not view.problems.isVisible() and not target.has_faults
    running(jobs, qtbot, 3).done.emit(answer())
    assert not view.problems.isVisible() and view.words.isVisible()
    target.draft.set("corpus.sources", ["/nowhere"])
    running(jobs, qtbot, 4).failed.emit((Fault("No file.", "Mend it.", "corpus.sources"),))
    assert view.problems.isVisible() and not view.content.isVisible()


def test_folded_it_asks_nothing_and_stays_so(
    target: TargetSection, view: VocabularyView, jobs: list[StubJob], settings: SettingsFile, qtbot: QtBot
) -> None:
    target.draft.set("targets.vocabulary_size", 500)
    view.fold.click()
    assert not view.content.isVisible() and not view.bar.isVisible()
    qtbot.wait(40)
    assert len(jobs) == 1 and not SettingsFile(settings.path).value.vocabulary_shown
    slider(target).setValue(3)
    view.fold.click()
    assert view.content.isVisible() and settings.value.vocabulary_shown
    running(jobs, qtbot, 2)
    view.fold.click()
    assert jobs[1].cancelled


def test_nothing_is_asked_before_it_is_looked_at(qtbot: QtBot, jobs: list[StubJob], settings: SettingsFile) -> None:
    draft = Draft()
    target = TargetSection(draft, settings)
    draft.changed.connect(target.refresh)
    qtbot.addWidget(target, before_close_func=TargetSection.end)
    draft.choose_teacher("sample")
    draft.set("corpus.sources", ["sample"])
    qtbot.waitUntil(lambda: draft.sizes is not None)
    qtbot.wait(60)
    assert not jobs
    target.show()
    running(jobs, qtbot)


# -- by coverage -------------------------------------------------------------------------------------------------


def test_a_coverage_of_a_recipe_is_shown_and_kept(
    target: TargetSection, jobs: list[StubJob], qtbot: QtBot, tmp_path: Path
) -> None:
    recipe = '[teacher]\nmodel = "sample"\n[corpus]\nsources = ["sample"]\n[targets]\nvocabulary_coverage = 0.999\n'
    draft, view = target.draft, target.vocabulary
    assert draft.load_text(recipe, tmp_path) == ()
    qtbot.waitUntil(lambda: draft.estimate is not None)
    assert view.by.currentIndex() == 1 and view.coverage.text() == "99.9 %"
    assert "to cover 99.9 % of the text's tokens" in view.summary.text()
    words = target.findChild(QLabel, "label-estimate").text()
    assert "at most" in words and draft.is_at_most
    running(jobs, qtbot, len(jobs) + 1).done.emit(answer(900))
    assert draft.covering == 900 and target.sliders["vocabulary_size"].value == 900 and view.plot.chosen[0] == 900
    assert "at most" not in target.findChild(QLabel, "label-estimate").text()
    assert "900 tokens" in view.summary.text()
    number = len(jobs)
    qtbot.wait(40)
    assert len(jobs) == number  # to know the size asks nothing new
    draft.save(tmp_path / "kept.toml")
    kept = parse((tmp_path / "kept.toml").read_text(encoding="utf-8") + '[language]\ncode = "mlt"\n')
    assert kept.targets.vocabulary_coverage == 0.999 and kept.targets.vocabulary_size is None


def test_size_and_coverage_take_each_others_place(target: TargetSection, view: VocabularyView) -> None:
    draft = target.draft
    view.by.activated.emit(1)
    assert draft.value("targets.vocabulary_coverage") == 0.7 and draft.value("targets.vocabulary_size") is None
    view.coverage.setValue(85)
    assert draft.value("targets.vocabulary_coverage") == 0.85
    target.sliders["vocabulary_size"].field.setValue(500)
    assert draft.value("targets.vocabulary_coverage") is None and draft.value("targets.vocabulary_size") == 500
    view.by.activated.emit(1)
    slider(target).setValue(1)
    slider(target).setValue(slider(target).maximum())
    assert "vocabulary" not in draft.to_toml()
    view.by.activated.emit(1)
    assert draft.value("targets.vocabulary_coverage") == 0.999
    view.by.activated.emit(0)
    assert "vocabulary" not in draft.to_toml()


def test_a_coverage_is_its_own_only_as_long_as_what_was_counted_holds(
    target: TargetSection, view: VocabularyView, jobs: list[StubJob], qtbot: QtBot
) -> None:
    draft = target.draft
    view.by.activated.emit(1)
    running(jobs, qtbot, 2).done.emit(answer(640))
    assert draft.covering == 640
    draft.set("corpus.limit", 5)
    assert draft.covering is None and draft.is_at_most
    draft.undo()
    assert draft.covering == 640
    view.by.activated.emit(0)
    assert draft.value("targets.vocabulary_size") == 640


# -- words -------------------------------------------------------------------------------------------------------


def test_what_is_kept_and_why_in_a_sentence() -> None:
    found = answer(6000, kept={"special": 5, "words": 12, "alphabet": 776, "count": 5000, "merge": 207})
    assert kept_words(found) == (
        f"{count(6000)} tokens: 5 special, 12 of your list, 776 alphabet, {count(5000)} by frequency, "
        "207 that others are built from; "
        "70.0 % of the text's tokens; 1.88 → 2.08 tokens a word; no new unknown tokens"
    )
    assert "2 new unknown tokens" in kept_words(answer(unknown={"before": 1, "after": 3}))


def test_words_and_example_show_their_pieces_as_they_are(view: VocabularyView) -> None:
    assert len(view.words.rows) == 8 and "4.1 %" in view.words.note.text()
    before, after, times = view.words.rows[3]
    assert (before.pieces, after.pieces, times.text()) == ((f"{EVIL}3",), (EVIL, "3"), "3")
    assert after.text == f"{EVIL}3" and view.example.after.text == f"Il {EVIL}"
    assert after.accessibleName() == f"{EVIL} · 3" and "&lt;b&gt;" in after.toolTip()
    for label in view.findChildren(QLabel):
        assert label.textFormat() != Qt.TextFormat.RichText


def test_no_broken_words_and_no_example_leave_nothing_behind(
    target: TargetSection, view: VocabularyView, jobs: list[StubJob], qtbot: QtBot
) -> None:
    target.draft.set("targets.vocabulary_size", 1600)
    running(jobs, qtbot, 2).done.emit(answer(1600, worst=[], example=None))
    assert "No word" in view.words.note.text() and not any(row[0].isVisible() for row in view.words.rows)
    assert not view.example.isVisible()


@pytest.mark.parametrize(
    ("text", "pieces", "shown"),
    [
        ("moja mbili", ["mo", "ja", "mbi", "li"], [(0, 2), (2, 2), (5, 3), (8, 2)]),
        ("a 😀 b", ["a", "😀", "·", "b"], [(0, 1), (2, 1), (3, 1), (5, 1)]),
        ("aab", ["a", "a", "b"], [(0, 1), (1, 1), (2, 1)]),
        ("l·l", ["l", "·", "l"], [(0, 1), (1, 1), (2, 1)]),
        ("x", [], []),
    ],
)
def test_pieces_have_their_places_in_the_text(text: str, pieces: list[str], shown: list[tuple[int, int]]) -> None:
    assert lay_out(text, pieces)[1] == shown


@pytest.mark.parametrize("text", ["مرحبا بالعالم", "moja mbili", "a😀𝔞b", ""])
def test_every_second_piece_is_on_another_ground(qtbot: QtBot, text: str) -> None:
    pieces = PiecesText()
    qtbot.addWidget(pieces)
    pieces.show_pieces(text, list(text.replace(" ", "")))
    pieces.resize(300, pieces.sizeHint().height())
    image = pieces.grab().toImage()
    grounds = {image.pixelColor(x, 4).name() for x in range(image.width())}
    assert len(grounds) >= (3 if text else 1)
    ends = [span.start + span.length for span in pieces._grounds()]
    assert not text or ends[-1] == len(text.encode("utf-16-le")) // 2


def test_wrapped_pieces_take_the_lines_they_need(qtbot: QtBot) -> None:
    pieces = PiecesText(wrapped=True)
    qtbot.addWidget(pieces)
    pieces.show_pieces("moja mbili " * 40, ["moja", "mbili"] * 40)
    assert pieces.heightForWidth(200) > 4 * pieces.heightForWidth(5000) and pieces.hasHeightForWidth()


# -- the text's report -------------------------------------------------------------------------------------------


def test_the_report_says_what_a_run_keeps(qtbot: QtBot) -> None:
    report = CorpusReport(None)
    qtbot.addWidget(report)
    report.show_found({"files": 1, "texts": 3})
    assert report.isHidden()  # an answer without these fields
    report.show_found(
        {
            "files": 1,
            "kept": 4000,
            "dropped": {"empty": 0, "repeated": 20, "short": 3, "other_script": 0},
            "scripts": {"Latin": 0.97, "Arabic": 0.03},
            "complaints": [{"file": f"/a/{EVIL}.txt", "line": 1200, "problem": f"repeats {EVIL}"}],
            "complaint_count": 60,
        }
    )
    assert report.kept.text() == (
        f"A run keeps {count(4000)} texts and leaves out 20 repeated, 3 too short. Letters: Latin 97.0 %, Arabic 3.0 %."
    )
    assert report.fold.text().startswith("60") and report.list.isHidden()
    report.show()
    report.fold.click()
    assert report.list.isVisible() and report.list.topLevelItemCount() == 2
    item = report.list.topLevelItem(0)
    assert (item.text(0), item.text(1)) == (
        f"{EVIL}.txt".rpartition("/")[2],
        count(1200),
    ) and "&lt;b&gt;" in item.toolTip(2)
    report.show_found({})
    assert report.isHidden()


# -- everybody ---------------------------------------------------------------------------------------------------


def test_every_control_can_be_heard_reached_and_hit(view: VocabularyView) -> None:
    view.by.activated.emit(1)
    kinds = (QAbstractButton, QAbstractSpinBox, QComboBox)
    controls = [widget for kind in kinds for widget in view.findChildren(kind) if widget.isVisible()]
    assert len(controls) == 3
    for control in controls:
        assert control.accessibleName() and control.toolTip() and control.height() >= 28
        assert control.focusPolicy() & Qt.FocusPolicy.TabFocus
    plot = view.findChild(VocabularyPlot)
    assert plot.accessibleName() and plot.focusPolicy() & Qt.FocusPolicy.TabFocus
