"""The commands, in this process with the work stubbed, and as processes of their own."""

from __future__ import annotations

import errno
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from commands import RECIPE, told
from finished_run import RESULTS, events, started_run

from core import cli, session
from core.errors import Fault, InputError, Stopped
from core.export.versions import monoglot_version
from core.run import RunFolder
from core.safe_point import safe_point
from core.sealing import replace_folder, write_json
from core.telling import resuming
from tests.no_network import block_network

ROOT = Path(__file__).parent.parent
pytestmark = pytest.mark.usefixtures("own_places")


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    path = tmp_path / "recipe.toml"
    path.write_text(RECIPE, encoding="utf-8")
    return path


class Stub:
    """In place of `session.execute`: notes what it was asked, then does what it was told."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.does: Callable[[], dict[str, Any]] = lambda: RESULTS

    def __call__(self, folder: RunFolder, **asked: Any) -> dict[str, Any]:
        listen = asked.pop("listen")
        self.asked.append({"folder": folder, **asked})
        for event in events():
            listen(event)
        return self.does()


@pytest.fixture
def stub(monkeypatch: pytest.MonkeyPatch) -> Stub:
    stub = Stub()
    monkeypatch.setattr(session, "execute", stub)
    return stub


def fail(error: BaseException) -> Callable[[], dict[str, Any]]:
    def does() -> dict[str, Any]:
        raise error

    return does


def process(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "core.cli", *arguments],
        cwd=ROOT,
        env={**os.environ, "HF_HUB_OFFLINE": "1", **environment},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )


# -- run and sample --------------------------------------------------------------------------------------------------


def test_run_hands_over_the_recipe_and_ends_with_the_folder(
    recipe: Path, tmp_path: Path, stub: Stub, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["run", str(recipe), "--out", str(tmp_path / "run")]) == 0
    (asked,) = stub.asked
    assert asked == {"folder": RunFolder(tmp_path / "run"), "original": RECIPE, "base": tmp_path, "resume": False}
    out, err = capsys.readouterr()
    assert out.splitlines()[-1] == str(tmp_path / "run")
    assert "80.2 ± 0.6" in out and "22.8 M" in out and "-87.2 %" in out
    assert "The corpus is small." in err


def test_run_tells_json_and_nothing_else_on_stdout(
    recipe: Path, tmp_path: Path, stub: Stub, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "ġdid"
    assert cli.main(["run", str(recipe), "--out", str(out), "--json"]) == 0
    printed = capsys.readouterr().out
    assert json.loads(printed) == {**RESULTS, "run": str(out)}
    assert printed.isascii()


def test_a_run_without_a_folder_gets_one_of_its_own(
    recipe: Path, tmp_path: Path, stub: Stub, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["run", str(recipe)]) == 0
    folder = stub.asked[0]["folder"].path
    assert folder.parent.name == "runs" and folder.name.startswith("small-20")
    assert tmp_path / "home" in folder.parents


def test_resume_takes_the_runs_own_recipe_or_the_one_given(recipe: Path, tmp_path: Path, stub: Stub) -> None:
    run = started_run(tmp_path / "run")
    assert cli.main(["run", "--resume", "--out", str(run.path)]) == 0
    assert cli.main(["run", str(recipe), "--resume", "--out", str(run.path)]) == 0
    own, given = stub.asked
    assert (own["original"], own["resume"]) == (run.given_recipe(), True)
    assert (given["original"], given["resume"], given["base"]) == (RECIPE, True, tmp_path)


@pytest.mark.parametrize(("flags", "name"), [([], "recipe.toml"), (["--tiny"], "recipe-tiny.toml")])
def test_sample_runs_the_built_in_recipe(tmp_path: Path, stub: Stub, flags: list[str], name: str) -> None:
    assert cli.main(["sample", "--out", str(tmp_path / "run"), *flags]) == 0
    base = ROOT / "resources" / "sample"
    assert stub.asked[0]["base"] == base
    assert stub.asked[0]["original"] == (base / name).read_text(encoding="utf-8")


def test_a_stopped_run_says_how_to_go_on(
    recipe: Path, tmp_path: Path, stub: Stub, capsys: pytest.CaptureFixture[str]
) -> None:
    stub.does = fail(Stopped())
    out = tmp_path / "my run"
    assert cli.main(["run", str(recipe), "--out", str(out), "--json"]) == 130
    captured = capsys.readouterr()
    assert captured.out == ""
    assert f"monoglot run --resume --out '{out}'" in captured.err
    stub.does = fail(KeyboardInterrupt())
    assert cli.main(["run", str(recipe), "--out", str(out)]) == 130


@pytest.mark.skipif(os.name == "nt", reason="the shells that it is pasted into are others")
@pytest.mark.parametrize("name", ["d  s", "it's", "a\nb\u202e'\\1", "ħ\u00a0", "\udcff"])
def test_the_command_that_goes_on_can_be_pasted(name: str, tmp_path: Path) -> None:
    command = resuming(tmp_path / name)
    assert not any(mark in command for mark in "\n\u202e\udcff")
    arguments = command.removeprefix("monoglot run --resume --out ")
    printed = subprocess.run(["bash", "-c", f"printf %s {arguments}"], capture_output=True, check=True).stdout
    assert printed == os.fsencode(tmp_path / name)


def test_the_folder_is_printed_with_each_of_its_spaces(
    recipe: Path, tmp_path: Path, stub: Stub, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["run", str(recipe), "--out", str(tmp_path / "d  s")]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == str(tmp_path / "d  s")


def test_a_folder_that_cannot_be_read_tells_its_error_alone(
    recipe: Path, tmp_path: Path, stub: Stub, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def unreadable(*asked: Any, **how: Any) -> Any:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr("core.safe_point.safe_point", unreadable)
    for error in (InputError("A.", hint="B."), PermissionError(errno.EACCES, "Permission denied", "x")):
        stub.does = fail(error)
        assert cli.main(["run", str(recipe), "--out", str(tmp_path / "run")]) == 2
        assert len(told(capsys)) == 2


def test_a_stage_that_cannot_be_read_does_not_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = RunFolder(tmp_path)
    for name in ("01-a", "02-b"):
        replace_folder(folder.stages / name, lambda new: write_json(new / "report.json", {}), seal=True)

    def open_some(path: Path) -> Any:
        if "02-b" in path.parts:
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return open(path, "rb")

    monkeypatch.setattr("core.sealing.open_file", open_some)
    assert safe_point(folder).finished == ("a",)


def test_every_fault_of_the_input_is_told(
    recipe: Path, tmp_path: Path, stub: Stub, capsys: pytest.CaptureFixture[str]
) -> None:
    stub.does = fail(InputError.of([Fault("The corpus\nis \x1b[31mred.", "Paint it."), Fault("B.", "C.")]))
    assert cli.main(["run", str(recipe), "--out", str(tmp_path / "run")]) == 2
    assert told(capsys) == ["error: The corpus is [31mred.", "hint: Paint it.", "error: B.", "hint: C."]


def test_a_fault_of_ours_goes_to_a_log(
    recipe: Path, tmp_path: Path, stub: Stub, capsys: pytest.CaptureFixture[str]
) -> None:
    stub.does = fail(RuntimeError("a secret \x1b[31m detail"))
    run = RunFolder(tmp_path / "run")
    run.create("x", needed_bytes=1)
    assert cli.main(["run", str(recipe), "--out", str(run.path)]) == 1
    error, hint = told(capsys)
    assert "secret" not in error + hint and str(run.path / "error.log") in hint
    assert "RuntimeError: a secret" in (run.path / "error.log").read_text(encoding="utf-8")

    assert cli.main(["run", str(recipe)]) == 1
    log = Path(told(capsys)[1].removeprefix("hint: The details are in ").removesuffix("."))
    assert tmp_path / "home" in log.parents and "Traceback" in log.read_text(encoding="utf-8")


def test_a_reader_that_goes_away_is_no_fault(
    recipe: Path, tmp_path: Path, stub: Stub, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Gone(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError

        def fileno(self) -> int:
            raise OSError

    monkeypatch.setattr(sys, "stderr", Gone())
    monkeypatch.setattr(sys, "stdout", Gone())
    assert cli.main(["run", str(recipe), "--out", str(tmp_path / "run")]) == 0
    assert len(stub.asked) == 1


@pytest.mark.parametrize("name", ["stdout", "stderr"])
def test_a_closed_stream_is_no_fault(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, name, None)
    try:
        assert [cli.main(words) for words in (["--version"], ["run"])] == [0, 2]
    finally:
        getattr(sys, name).close()


def test_an_answer_that_cannot_be_printed_is_no_fault_of_the_work(
    recipe: Path, tmp_path: Path, stub: Stub, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Full(io.StringIO):
        def write(self, text: str) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(sys, "stdout", Full())
    for words in (["run", str(recipe), "--out", str(tmp_path / "run")], ["--help"]):
        assert cli.main(words) == 2
        error, hint = told(capsys)
        assert error == "error: The answer can't be printed: No space left on device." and "done" in hint


def test_ctrl_c_never_ends_in_a_traceback(
    recipe: Path, tmp_path: Path, stub: Stub, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*asked: Any) -> None:
        raise KeyboardInterrupt

    stub.does = fail(InputError("A.", hint="B."))
    monkeypatch.setattr(cli, "refuse", interrupted)
    assert cli.main(["run", str(recipe), "--out", str(tmp_path / "run")]) == 130


@pytest.mark.parametrize("module", ["core.cli", "core.wording"])
def test_ctrl_c_while_the_program_is_read_ends_it_in_silence(module: str) -> None:
    code = f"""
import sys
class Finder:
    def find_spec(name, path, target=None):
        if name == {module!r}:
            raise KeyboardInterrupt
sys.meta_path.insert(0, Finder)
import gui.entry
"""
    ended = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout, ended.stderr) == (130, "", "")


# -- usage -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["run"], "no recipe"),
        (["run", "--resume"], "which run"),
        (["run", "no-such.toml"], "There is no recipe"),
        (["run", "--resume", "--out", "no-such-run"], "There is no run in"),
        (["run", "no-such.toml", "--out", "x" * 300], "too long"),
        (["run", "--resume", "--out", "x" * 300], "too long"),
        (["sample", "--out", "x" * 300], "too long"),
        (["report", "x" * 300], "too long"),
        (["estimate"], "RECIPE"),
        (["estimate", "."], "can't be read"),
        (["dance"], "dance"),
        (["run", "x", "--fast"], "--fast"),
        (["export", "x", "--format", "onnx", "--out", "y"], "onnx"),
        (["export", "no-such-run", "--format", "hf", "--out", "y"], "There is no run"),
        (["report", "no-such-run"], "There is no run"),
        (["compare"], "RUN"),
        (["compare", "no-such-run"], "no recipe"),
        (["trim", "x", "--corpus", "c.txt", "--size", "many", "--out", "y"], "many"),
        (["trim", "x", "--corpus", "c.txt", "--size", "0", "--out", "y"], "--size is 0"),
        (["trim", "x", "--corpus", "c.txt", "--out", "y"], "Neither --size nor --coverage"),
        (["trim", "x", "--corpus", "c.txt", "--size", "9", "--coverage", "0.9", "--out", "y"], "Both --size and"),
        (["trim", "x", "--corpus", "c.txt", "--coverage", "99.9", "--out", "y"], "--coverage is 99.9"),
        (["trim", "x", "--corpus", "c.txt", "--coverage", "nan", "--out", "y"], "--coverage is nan"),
        (["trim", "x", "--corpus", "c.txt", "--size", "9", "--multiple", "0", "--out", "y"], "--multiple is 0"),
        (["trim", "x", "--corpus", "c.txt", "--size", "9", "--frequency", "line", "--out", "y"], "line"),
        (["trim", "./no-such-model", "--corpus", "c.txt", "--size", "9", "--out", "y"], "no model folder"),
    ],
)
def test_what_cannot_be_used_is_told_in_two_lines(
    arguments: list[str],
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli.main(arguments) == 2
    assert words in told(capsys)[0]
    assert not any(path.name != "home" for path in tmp_path.iterdir())


@pytest.mark.parametrize(
    "command",
    [
        ["evaluate", "a.txt", "--recipe"],
        ["trim", "a.txt", "--corpus", "a.txt", "--size", "9", "--out"],
        ["convert", "a.txt", "--from-pickle", "--out"],
        ["estimate"],
    ],
    ids=lambda words: words[0],
)
def test_a_file_is_no_model_and_the_hub_is_not_asked_for_it(
    command: list[str],
    recipe: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    asked = block_network(monkeypatch, tmp_path)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.txt").write_text("one", encoding="utf-8")
    recipe.write_text(RECIPE.replace("xlm-roberta-base", "a.txt"), encoding="utf-8")
    assert cli.main([*command, "small" if command[-1] == "--out" else str(recipe)]) == 2
    assert told(capsys) == [
        f"error: {tmp_path / 'a.txt'} is a file, not a model folder.",
        "hint: Choose the folder that holds config.json.",
    ]
    assert asked() == ""


def test_the_version_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out == f"monoglot {monoglot_version()}\n"


def test_no_word_opens_the_window_or_prints_the_commands(
    capsys: pytest.CaptureFixture[str],
) -> None:
    opened: list[bool] = []

    def window(sample: bool) -> int:
        opened.append(sample)
        return 7

    assert [cli.main(words, window) for words in ([], ["--sample"])] == [7, 7]
    assert opened == [False, True]
    assert cli.main([]) == 0
    printed = capsys.readouterr().out
    words = ("run", "estimate", "evaluate", "trim", "export", "report", "compare", "teachers", "sample")
    assert all(word in printed for word in words)


# -- processes -------------------------------------------------------------------------------------------------------


def test_help_ends_well() -> None:
    ended = process("run", "--help")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "--resume" in ended.stdout


def test_an_unknown_teacher_without_a_network_is_bad_input(recipe: Path, tmp_path: Path) -> None:
    recipe.write_text(RECIPE.replace("xlm-roberta-base", "nobody/has-this-żgħir"))
    ended = process("estimate", str(recipe), HF_HOME=str(tmp_path / "hf"), PYTHONIOENCODING="ascii", PYTHONUTF8="0")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.startswith("error: ") and "\nhint: " in ended.stderr and "Traceback" not in ended.stderr
    assert "\\u017cg\\u0127ir" in ended.stderr
