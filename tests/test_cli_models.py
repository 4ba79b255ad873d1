"""Commands on models and finished runs: `trim`, `export`, `report`, `compare`."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from commands import told
from conftest import build
from finished_run import RESULTS, finished_run
from safetensors.torch import load_file, save_file
from toy_tokenizers import LATIN, model, wordpiece

from core import cli
from core.context import Quiet
from core.errors import Stopped
from core.export.huggingface import export_student
from core.models import load, save
from core.run import RunFolder
from core.scratch import scratch_beside
from core.terminal import TerminalContext

pytestmark = pytest.mark.usefixtures("own_places")


# -- trim ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def trimmable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with a teacher without weights and a text."""
    monkeypatch.chdir(tmp_path)
    save(model("bert", wordpiece(), tied=True), tmp_path / "teacher")
    (tmp_path / "teacher" / "model.safetensors").unlink()
    (tmp_path / "a.txt").write_text("\n".join(LATIN), encoding="utf-8")
    return tmp_path


def test_trim_tells_what_it_kept_and_proved(trimmable: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["trim", "./teacher", "--corpus", "a.txt", "--size", "170", "--out", "small"]
    assert cli.main(command) == 0
    out, err = capsys.readouterr()
    report = json.loads((trimmable / "small" / "vocabulary.json").read_text(encoding="utf-8"))
    assert out.splitlines()[-1] == str(trimmable / "small")
    assert f"{report['kept']['alphabet']} alphabet" in out and f"{100 * report['coverage']:.2f} %" in out
    assert "Proved on 1 held-out texts" in out and "holds no weights" in out
    assert "20 kept" in err, "what the corpus holds is told on the other stream"


def test_trim_takes_a_coverage_a_multiple_a_frequency_and_words(
    trimmable: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (trimmable / "words.txt").write_text("medvede", encoding="utf-8")
    command = ["trim", "./teacher", "--corpus", "a.txt", "--coverage", "0.9", "--multiple", "8"]
    command += ["--frequency", "token", "--words", "words.txt", "--out", "small", "--json"]
    assert cli.main(command) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["vocabulary"]["after"] % 8 == 0 and report["vocabulary"]["wanted"] is None
    assert report["coverage"] >= 0.9 and report["kept"]["words"] > 0
    assert report == json.loads((trimmable / "small" / "vocabulary.json").read_text(encoding="utf-8"))


def test_trim_refuses_words_that_are_not_there(trimmable: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["trim", "./teacher", "--corpus", "a.txt", "--size", "170", "--words", "no.txt", "--out", "small"]
    assert cli.main(command) == 2
    assert "no.txt" in told(capsys)[0] and not (trimmable / "small").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
def test_trim_refuses_a_link_that_leads_nowhere(trimmable: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (trimmable / "loop").symlink_to("loop")
    command = ["trim", "./teacher", "--corpus", "a.txt", "--size", "170", "--out", "loop"]
    assert cli.main(command) == 2
    assert "loop is a link that leads nowhere" in told(capsys)[0]


# -- export, report, compare -----------------------------------------------------------------------------------------


@pytest.fixture
def done(tmp_path: Path) -> RunFolder:
    """A finished run with a student."""
    lm = build("bert", tied=True)
    results = json.loads(json.dumps(RESULTS))
    results["student"]["parameters"] = sum(lm.parameters.values())
    run = finished_run(tmp_path / "done", results=results)
    save(lm, run.student)
    (run.student / "README.md").write_text("# Card", encoding="utf-8")
    return run


def test_export_is_a_whole_copy(done: RunFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "new" / "student"
    assert cli.main(["export", str(done.path), "--format", "hf", "--out", str(out)]) == 0
    assert capsys.readouterr().out == f"{out}\n"
    assert {path.name: path.read_bytes() for path in out.iterdir()} == {
        path.name: path.read_bytes() for path in done.student.iterdir()
    }
    assert load(out)[1]
    assert [path.name for path in out.parent.iterdir()] == ["student"]


def test_export_shows_its_progress(
    done: RunFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.terminal._LINE_SECONDS", 0)
    assert cli.main(["export", str(done.path), "--format", "hf", "--out", str(tmp_path / "out")]) == 0
    size = sum(path.stat().st_size for path in done.student.iterdir())
    assert f"  {size:,} of {size:,}" in capsys.readouterr().err


def test_a_student_that_was_kept_can_be_exported(
    done: RunFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    done.status.write_text('{"state": "stopped"}')
    done.results.unlink()
    out = tmp_path / "out"
    assert cli.main(["export", str(done.path), "--format", "hf", "--out", str(out)]) == 0
    assert load(out)[1]

    weights = load_file(done.student / "model.safetensors")
    del weights["cls.predictions.transform.dense.weight"]
    save_file(weights, done.student / "model.safetensors", {"format": "pt"})
    assert cli.main(["export", str(done.path), "--format", "hf", "--out", str(tmp_path / "other")]) == 2
    assert "is not whole" in told(capsys)[0]
    assert not (tmp_path / "other").exists()


def test_export_can_be_stopped_and_leaves_nothing(done: RunFolder, tmp_path: Path) -> None:
    class Impatient(Quiet):
        def progress(self, done: int, total: int) -> None:
            raise Stopped

    before = set(tmp_path.iterdir())
    with pytest.raises(Stopped):
        export_student(done, tmp_path / "out", Impatient())
    assert set(tmp_path.iterdir()) == before


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGTERM that can be handled")
def test_a_terminated_export_leaves_nothing(done: RunFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def terminated(self: TerminalContext, done: int, total: int) -> None:
        os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(TerminalContext, "progress", terminated)
    before, handler = set(tmp_path.iterdir()), signal.getsignal(signal.SIGTERM)
    assert cli.main(["export", str(done.path), "--format", "hf", "--out", str(tmp_path / "out")]) == cli.STOPPED
    assert set(tmp_path.iterdir()) == before and signal.getsignal(signal.SIGTERM) == handler


def test_what_killed_exports_left_goes_with_the_next_one(tmp_path: Path) -> None:
    for name in ("killed", "somebodys"):
        with scratch_beside(tmp_path / "out") as scratch:
            (scratch / "student").mkdir()
            shutil.copytree(scratch, tmp_path / f".monoglot-{name}")
    (tmp_path / ".monoglot-somebodys" / "lock").unlink()
    with scratch_beside(tmp_path / "out") as alive, scratch_beside(tmp_path / "out") as other:
        found = {path.name for path in tmp_path.iterdir()}
        assert found == {alive.name, other.name, ".monoglot-somebodys"}


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
def test_a_link_that_leads_out_of_the_student_is_not_exported(
    done: RunFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "secret").write_text("secret")
    (done.student / "again.md").symlink_to("README.md")
    (done.student / "notes.txt").symlink_to(tmp_path / "secret")
    out = tmp_path / "out"
    assert cli.main(["export", str(done.path), "--format", "hf", "--out", str(out)]) == 2
    assert "notes.txt is a link that leads out" in told(capsys)[0] and not out.exists()
    (done.student / "notes.txt").unlink()
    assert cli.main(["export", str(done.path), "--format", "hf", "--out", str(out)]) == 0
    assert (out / "again.md").read_text(encoding="utf-8") == "# Card" and not (out / "again.md").is_symlink()


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
def test_export_follows_a_link_to_an_empty_folder_and_refuses_others(
    done: RunFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty").mkdir()
    for name, target in (("link", "empty"), ("dangling", "nothing"), ("loop", "loop")):
        (tmp_path / name).symlink_to(tmp_path / target)
    command = ["export", str(done.path), "--format", "hf", "--out"]
    assert cli.main([*command, str(tmp_path / "link")]) == 0
    assert (tmp_path / "link").is_symlink() and load(tmp_path / "empty")[1]
    for name in ("dangling", "loop"):
        capsys.readouterr()
        assert cli.main([*command, str(tmp_path / name)]) == 2
        assert f"{name} is a link that leads nowhere" in told(capsys)[0]
    assert cli.main([*command, str(tmp_path / "loop" / "out")]) == 2


def test_export_goes_into_an_empty_folder_only(
    done: RunFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    assert cli.main(["export", str(done.path), "--format", "hf", "--out", str(out)]) == 0
    assert cli.main(["export", str(done.path), "--format", "hf", "--out", str(out)]) == 2
    assert "not an empty folder" in told(capsys)[0]
    assert cli.main(["export", str(done.path), "--format", "hf", "--out", str(out / "config.json" / "x")]) == 2
    assert "can't be written" in told(capsys)[0]


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda run: run.status.write_text('{"state": "stopped"}'), "not finished"),
        (lambda run: (run.status.write_text('{"state": "running"}'), run.results.unlink()), "not finished"),
        (lambda run: (run.student / "README.md").unlink(), "lacks README.md"),
        (lambda run: (run.student / "model.safetensors").write_bytes(b"x" * 100), "not a safetensors file"),
        (lambda run: run.results.write_text('{"student": {"parameters": 7}}'), "instead of 7"),
        (lambda run: run.results.write_text('{"student": 3}'), "not whole"),
        (lambda run: run.results.unlink(), "no results"),
    ],
)
def test_export_refuses_what_is_not_whole(
    done: RunFolder, tmp_path: Path, spoil: Callable[[RunFolder], Any], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    spoil(done)
    before = set(tmp_path.iterdir())
    assert cli.main(["export", str(done.path), "--format", "hf", "--out", str(tmp_path / "out")]) == 2
    assert words in told(capsys)[0]
    assert set(tmp_path.iterdir()) - {tmp_path / "home"} == before - {tmp_path / "home"}


def test_report_names_its_page(done: RunFolder, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["report", str(done.path)]) == 0
    page = Path(capsys.readouterr().out.rstrip("\n"))
    assert page == done.report and page.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")


def test_compare_tells_text_or_json(done: RunFolder, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["compare", str(done.path), str(done.path)]) == 0
    assert "names (F1)" in capsys.readouterr().out
    assert cli.main(["compare", str(done.path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["settings"] == {}


def test_compare_writes_a_page(done: RunFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "page.html"
    assert cli.main(["compare", str(done.path), "--out", str(page)]) == 0
    assert "names (F1)" in capsys.readouterr().out
    assert page.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    assert cli.main(["compare", str(done.path), "--out", str(tmp_path / "no" / "page.html")]) == 2
    assert "can't be written" in told(capsys)[0]
