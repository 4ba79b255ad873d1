"""The background thread and what else the window stands on: settings, recent runs, short jobs, words."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QObject, QProcess
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot
from window_driver import PATIENCE

import resources
from core.errors import Fault, InputError
from core.event_log import EventLog
from core.events import Message, to_record
from core.run import RunFolder
from gui import jobs, text
from gui.controller import RunController, RunState
from gui.jobs import Job
from gui.log_reader import LogReader
from gui.recent import RecentRuns
from gui.settings import Settings, SettingsFile
from gui.worker import Seen

_SETTLED = 1000
"""Milliseconds after which the follower has looked again, and would have told of something else."""


def _say(log: EventLog, *words: str) -> int:
    for word in words:
        log.append(Message(level="info", text=word), 1.0)
    return log.flush()


def _texts(events: list) -> list[str]:
    return [event.text for _, event in events]


class TestLogReader:
    @pytest.fixture
    def log(self, tmp_path: Path) -> Iterator[EventLog]:
        log = EventLog(tmp_path / "events.jsonl")
        yield log
        log.close()

    @pytest.fixture
    def path(self, tmp_path: Path) -> Path:
        return tmp_path / "events.jsonl"

    def test_tells_each_event_once(self, log: EventLog, path: Path) -> None:
        reader = LogReader()
        assert reader.read(path, 10) == (False, [])
        _say(log, "a", "b")
        assert _texts(reader.read(path, 10)[1]) == ["a", "b"]
        _say(log, "c")
        assert _texts(reader.read(path, 10)[1]) == ["c"]
        assert reader.read(path, 10) == (False, [])

    def test_a_long_log_comes_in_portions(self, log: EventLog, path: Path) -> None:
        _say(log, *"abcde")
        reader = LogReader()
        assert [_texts(reader.read(path, 2)[1]) for _ in range(4)] == [["a", "b"], ["c", "d"], ["e"], []]

    def test_half_a_line_waits_for_its_other_half(self, path: Path) -> None:
        line = json.dumps(to_record(Message(level="info", text="whole"), 1.0)) + "\n"
        reader = LogReader()
        path.write_text(line[:20], encoding="utf-8")
        assert reader.read(path, 10) == (False, [])
        path.write_text(line, encoding="utf-8")
        assert _texts(reader.read(path, 10)[1]) == ["whole"]

    def test_a_log_that_was_cut_is_told_anew(self, log: EventLog, path: Path) -> None:
        kept = _say(log, "a")
        _say(log, "b", "c")
        reader = LogReader()
        reader.read(path, 10)
        log.cut(kept)
        cut, events = reader.read(path, 10)
        assert cut and _texts(events) == ["a"]

    def test_a_cut_is_noticed_though_the_log_has_grown_longer_since(self, log: EventLog, path: Path) -> None:
        kept = _say(log, "a")
        _say(log, "b", "c")
        reader = LogReader()
        reader.read(path, 10)
        log.cut(kept)
        _say(log, "other", "words", "and", "more")
        cut, events = reader.read(path, 10)
        assert cut and _texts(events) == ["a", "other", "words", "and", "more"]

    def test_a_line_that_is_no_event_is_passed_over(self, log: EventLog, path: Path) -> None:
        path.write_bytes(b"\xff{\n[1]\n" + b'{"type": "of a later version", "t": 1}\n')
        _say(log, "a")
        assert _texts(LogReader().read(path, 10)[1]) == ["a"]


@pytest.fixture
def controller(qtbot: QtBot, tmp_path: Path) -> Iterator[RunController]:
    made = RunController(runs=tmp_path / "runs")
    yield made
    made.close()
    made.wait()


class TestController:
    def test_a_recipe_with_faults_starts_nothing(self, controller: RunController, tmp_path: Path) -> None:
        with pytest.raises(InputError, match=r"teacher\.model"):
            controller.start('[language]\ncode = "mlt"', tmp_path)
        assert controller.state == RunState()

    def test_what_the_child_refuses_is_told_with_all_its_faults(
        self, controller: RunController, qtbot: QtBot, tmp_path: Path
    ) -> None:
        recipe = '[teacher]\nmodel = "sample"\n[language]\ncode = "qqq"\n[corpus]\nsources = ["nowhere.txt"]\n'
        controller.start(recipe, tmp_path)
        qtbot.waitUntil(lambda: controller.state.phase == "failed", timeout=PATIENCE)
        problems = [fault.problem for fault in controller.state.faults]
        qtbot.wait(_SETTLED)
        assert controller.state.phase == "failed" and [fault.problem for fault in controller.state.faults] == problems
        assert any("qqq" in problem for problem in problems) and any("nowhere.txt" in problem for problem in problems)
        assert all(fault.hint for fault in controller.state.faults)
        assert not (tmp_path / "runs").exists()

    def test_why_a_resume_is_refused_is_told_and_not_how_the_run_ended_before(
        self, controller: RunController, qtbot: QtBot, tmp_path: Path
    ) -> None:
        folder = RunFolder(tmp_path / "run")
        folder.create("name = 3\n", needed_bytes=1)
        before = {
            "state": "failed",
            "pid": 1,
            "error": "The disk is full.",
            "hint": "Free some space.",
            "kind": "disk_full",
        }
        folder.status.write_text(json.dumps(before), encoding="utf-8")
        controller.attach(folder.path)
        qtbot.waitUntil(lambda: controller.state.kind == "disk_full", timeout=PATIENCE)
        controller.resume()
        qtbot.waitUntil(lambda: any("name" in fault.problem for fault in controller.state.faults), timeout=PATIENCE)
        assert (controller.state.phase, controller.state.kind) == ("failed", None)

    def test_a_best_model_is_told_of_where_there_is_one(self, controller: RunController, tmp_path: Path) -> None:
        for kept in (False, True):
            controller.state = RunState(folder=tmp_path, phase="running", wish="stop_keep_best")
            if kept:
                (tmp_path / "student").mkdir()
            controller._on_seen(Seen(tmp_path, "stopped", {}))
            assert ("best model" in controller.state.said) == kept

    def test_a_folder_that_can_not_be_made_is_told(self, qtbot: QtBot, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("", encoding="utf-8")
        controller = RunController(runs=tmp_path / "file" / "runs")
        controller.start_sample(tiny=True)
        qtbot.waitUntil(lambda: controller.state.phase == "failed", timeout=PATIENCE)
        qtbot.wait(_SETTLED)
        assert controller.state.phase == "failed" and "can't be written" in controller.state.faults[0].problem
        controller.close()
        controller.wait()

    def test_a_stop_before_there_is_a_folder_leaves_none(
        self, controller: RunController, qtbot: QtBot, tmp_path: Path
    ) -> None:
        controller.start_sample(tiny=True)
        controller.stop()
        qtbot.waitUntil(lambda: not controller.state.live, timeout=PATIENCE)
        assert controller.state.phase in ("none", "stopped")
        assert controller.state.said

    def test_a_process_that_dies_before_there_is_a_folder_is_told(
        self, controller: RunController, qtbot: QtBot, tmp_path: Path
    ) -> None:
        controller.start_sample(tiny=True)
        qtbot.waitUntil(lambda: bool(controller._worker._children), timeout=PATIENCE)
        controller._worker._children[0].terminate()
        qtbot.waitUntil(lambda: controller.state.phase == "failed", timeout=PATIENCE)

    def test_another_run_can_be_looked_at_meanwhile(
        self, controller: RunController, qtbot: QtBot, tmp_path: Path
    ) -> None:
        other = tmp_path / "runs" / "other"
        other.mkdir(parents=True)
        RunFolder(other).status.write_text('{"state": "finished"}', encoding="utf-8")
        controller.start_sample(tiny=True)
        mine = controller.state.folder
        controller.attach(other)
        qtbot.waitUntil(lambda: controller.state.phase == "finished", timeout=PATIENCE)
        controller.stop()
        qtbot.wait(_SETTLED)
        assert (controller.state.folder, controller.state.phase) == (other, "finished")
        controller.attach(mine)
        qtbot.waitUntil(lambda: controller.state.phase == "running", timeout=PATIENCE)
        controller.stop()
        qtbot.waitUntil(lambda: controller.state.phase == "stopped", timeout=PATIENCE)

    def test_a_run_goes_on_though_the_window_closes_at_once(self, qtbot: QtBot, tmp_path: Path) -> None:
        controller = RunController(runs=tmp_path / "runs")
        recipe = (Path(resources.__file__).parent / "sample" / "recipe-tiny.toml").read_text(encoding="utf-8")
        controller.start(recipe, tmp_path)
        folder = RunFolder(controller.state.folder)
        controller.close()
        controller.wait()
        qtbot.waitUntil(folder.running, timeout=PATIENCE)
        folder.ask("stop")
        qtbot.waitUntil(lambda: not folder.running(), timeout=PATIENCE)

    def test_closing_right_after_a_stop_still_stops(self, qtbot: QtBot, tmp_path: Path) -> None:
        controller = RunController(runs=tmp_path / "runs")
        controller.start_sample(tiny=True)
        folder = RunFolder(controller.state.folder)
        qtbot.waitUntil(folder.running, timeout=PATIENCE)
        controller.stop()
        controller.close()
        controller.wait()
        qtbot.waitUntil(lambda: not folder.running(), timeout=PATIENCE)
        assert folder.read_status()["state"] == "stopped"

    def test_a_folder_of_another_version_is_shown_as_far_as_it_is_known(
        self, controller: RunController, qtbot: QtBot, tmp_path: Path
    ) -> None:
        RunFolder(tmp_path).status.write_text('{"state": ["archived"], "stage": 3, "done": 4}', encoding="utf-8")
        assert RunFolder(tmp_path).read_status() == {"done": 4}
        RunFolder(tmp_path).status.write_text('[["state", "x"], 3]', encoding="utf-8")
        assert RunFolder(tmp_path).read_status() == {}

    def test_an_empty_folder_is_no_run(self, controller: RunController, qtbot: QtBot, tmp_path: Path) -> None:
        controller.attach(tmp_path)
        with qtbot.waitSignal(controller.restarted, timeout=PATIENCE):
            pass
        assert controller.state.phase == "none" and not controller.state.live

    def test_a_run_whose_process_is_gone_is_lost(self, controller: RunController, qtbot: QtBot, tmp_path: Path) -> None:
        folder = tmp_path / "runs" / "dead"
        folder.mkdir(parents=True)
        status = {"state": "running", "pid": 1, "stage": "layers", "done": 3, "total": 9, "eta_seconds": 5.0}
        RunFolder(folder).status.write_text(json.dumps(status), encoding="utf-8")
        controller.attach(folder)
        qtbot.waitUntil(lambda: controller.state.phase == "lost", timeout=PATIENCE)
        assert (controller.state.stage, controller.state.done) == ("layers", 3)


class TestSettings:
    def test_are_there_again_at_the_next_start(self, tmp_path: Path) -> None:
        path = tmp_path / "new" / "settings.json"
        SettingsFile(path).change(theme="dark", runs=("a",))
        assert SettingsFile(path).value == Settings(theme="dark", runs=("a",))

    def test_the_last_run_comes_first_and_once(self, tmp_path: Path) -> None:
        settings = SettingsFile(tmp_path / "settings.json")
        for name in ("a", "b", "a"):
            settings.remember_run(tmp_path / name)
        assert settings.value.runs == (str(tmp_path / "a"), str(tmp_path / "b"))

    def test_a_broken_file_is_set_aside(self, tmp_path: Path) -> None:
        path = tmp_path / "settings.json"
        path.write_text("{", encoding="utf-8")
        assert SettingsFile(path).value == Settings()
        assert (tmp_path / "settings.broken.json").read_text(encoding="utf-8") == "{"

    def test_a_second_broken_file_takes_no_place(self, tmp_path: Path) -> None:
        for broken in ("{", "[3]", "["):
            (tmp_path / "settings.json").write_text(broken, encoding="utf-8")
            assert SettingsFile(tmp_path / "settings.json").value == Settings()
        kept = [tmp_path / f"settings{number}.broken.json" for number in ("", "-2", "-3")]
        assert [path.read_text(encoding="utf-8") for path in kept] == ["{", "[3]", "["]

    def test_what_cant_be_read_stays_as_it_is(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        path = tmp_path / "settings.json"
        SettingsFile(path).change(theme="dark", draft="x")

        def refused(*arguments: object, **more: object) -> str:
            raise PermissionError

        with monkeypatch.context() as patched:
            patched.setattr(Path, "read_text", refused)
            settings = SettingsFile(path)
            settings.change(theme="light")
            assert settings.value == Settings(theme="light")
        assert list(tmp_path.iterdir()) == [path] and SettingsFile(path).value.theme == "dark"
        settings.change(geometry="y")
        assert SettingsFile(path).value == settings.value == Settings(theme="light", draft="x", geometry="y")

    def test_two_windows_keep_what_the_other_wrote(self, tmp_path: Path) -> None:
        first, second = (SettingsFile(tmp_path / "settings.json") for _ in range(2))
        first.change(theme="dark")
        first.remember_run(tmp_path / "a")
        second.remember_run(tmp_path / "b")
        second.change(draft="x")
        first.change(geometry="y")
        runs = (str(tmp_path / "b"), str(tmp_path / "a"))
        assert first.value == Settings(theme="dark", runs=runs, draft="x", geometry="y")
        assert SettingsFile(tmp_path / "settings.json").value == first.value

    def test_entries_of_another_kind_are_dropped_and_those_of_a_later_version_kept(self, tmp_path: Path) -> None:
        path = tmp_path / "settings.json"
        path.write_text('{"version": 9, "theme": 3, "runs": [1], "draft": "x", "later": [1]}', encoding="utf-8")
        settings = SettingsFile(path)
        assert settings.value == Settings(draft="x", extra={"later": [1]})
        settings.change(theme="light")
        assert json.loads(path.read_text(encoding="utf-8"))["later"] == [1]


class TestRecentRuns:
    def test_tells_state_and_sizes_newest_first(self, tmp_path: Path) -> None:
        for age, (name, state) in enumerate((("new", "finished"), ("old", "running"))):
            folder = tmp_path / name
            folder.mkdir()
            RunFolder(folder).recipe.write_text(f'name = "{name}"\n[language]\ncode = "mlt"\n', encoding="utf-8")
            RunFolder(folder).status.write_text(json.dumps({"state": state, "stage": "layers"}), encoding="utf-8")
            results = {"teacher": {"parameters": 100}, "student": {"parameters": 8}}
            RunFolder(folder).results.write_text(json.dumps(results), encoding="utf-8")
            os.utime(RunFolder(folder).status, (1e9 - age, 1e9 - age))
        (tmp_path / "not a run").mkdir()
        new, old = RecentRuns().look(tmp_path, [])
        assert (new.name, new.language, new.phase, new.before, new.after) == ("new", "Maltese", "finished", 100, 8)
        assert (old.name, old.phase, old.stage, old.before) == ("old", "lost", "layers", None)


class TestJob:
    @pytest.fixture
    def parent(self, qapp: QApplication) -> QObject:
        return QObject(qapp)

    def test_brings_what_the_child_found(self, qtbot: QtBot, tmp_path: Path, parent: QObject) -> None:
        (tmp_path / "a.txt").write_text("one\ntwo\n", encoding="utf-8")
        job = Job("corpus", {"sources": ["a.txt"], "base": str(tmp_path)}, parent)
        with qtbot.waitSignal(job.done, timeout=PATIENCE) as told:
            job.start()
        assert told.args[0]["texts"] == 2

    def test_brings_the_faults(self, qtbot: QtBot, tmp_path: Path, parent: QObject) -> None:
        job = Job("corpus", {"sources": ["no.txt"], "base": str(tmp_path)}, parent)
        with qtbot.waitSignal(job.failed, timeout=PATIENCE) as told:
            job.start()
        (fault,) = told.args[0]
        assert isinstance(fault, Fault) and "no.txt" in fault.problem and fault.key == "corpus.sources"

    def test_a_cancelled_one_tells_nothing(self, qtbot: QtBot, tmp_path: Path, parent: QObject) -> None:
        job = Job("corpus", {"sources": ["no.txt"], "base": str(tmp_path)}, parent)
        told: list[object] = []
        job.done.connect(told.append)
        job.failed.connect(told.append)
        with qtbot.waitSignal(job.destroyed, timeout=PATIENCE):
            job.start()
            job.cancel()
        assert told == []

    def test_hands_over_more_than_an_argument_can_hold(self, qtbot: QtBot, tmp_path: Path, parent: QObject) -> None:
        sources = [f"{number} {'x' * 100} ħ.txt" for number in range(3000)]
        job = Job("corpus", {"sources": sources, "base": str(tmp_path)}, parent)
        with qtbot.waitSignal(job.failed, timeout=PATIENCE) as told:
            job.start()
        assert len(told.args[0]) == len(sources)

    @pytest.mark.parametrize("cancelled", [False, True])
    def test_ends_before_the_window_does(self, qtbot: QtBot, tmp_path: Path, parent: QObject, cancelled: bool) -> None:
        job = Job("corpus", {"sources": ["no.txt"], "base": str(tmp_path)}, parent)
        told: list[object] = []
        job.done.connect(told.append)
        job.failed.connect(told.append)
        job.start()
        process = job.findChild(QProcess)
        if cancelled:
            job.cancel()
        job.end()
        assert process.state() == QProcess.ProcessState.NotRunning and told == []
        job.end()
        with qtbot.waitSignal(job.destroyed, timeout=PATIENCE):
            pass
        assert told == []

    @pytest.mark.skipif(sys.platform == "win32", reason="a process of a shell")
    def test_one_that_cant_be_told_to_end_is_killed(self, parent: QObject, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(jobs, "_CANCEL_MILLISECONDS", 100)
        job = Job("corpus", {}, parent)
        process = job.findChild(QProcess)
        process.start("sh", ["-c", "trap '' TERM; echo deaf; while :; do sleep 1; done"])
        assert process.waitForReadyRead(PATIENCE)
        job.end()
        assert process.state() == QProcess.ProcessState.NotRunning or process.waitForFinished(PATIENCE)


@pytest.mark.parametrize(
    ("written", "words"),
    [
        (text.parameters(278_295_186), "278 M"),
        (text.parameters(22_812_688), "22.8 M"),
        (text.parameters(999_999), "1.0 M"),
        (text.megabytes(1113.2), "1.1 GB"),
        (text.bytes_size(6_000_000), "6.0 MB"),
        (text.duration(3725), "1 h 02 min"),
        (text.roughly(130), "about 2 min"),
        (text.percent(0.918), "91.8 %"),
        (text.number(None), "–"),
        (text.score({"mean": 81.42, "sd": 0.61, "runs": [1, 2, 3]}), "81.4 ± 0.6 (3 seeds)"),
        (text.score({"mean": 81.42, "sd": None, "runs": [1]}), "81.4 (1 seed)"),
        (
            text.score({"mean": 81.42, "sd": 0.61, "runs": [1, 2, 3], "interval": [79.04, 83.46]}),
            "81.4 ± 0.6 (3 seeds), 95 % 79.0 to 83.5",
        ),
        (text.stage_name("a_later_one"), "a later one"),
    ],
)
def test_numbers_as_people_read_them(written: str, words: str) -> None:
    assert written == words
