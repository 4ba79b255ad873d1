"""launch.py makes the environment and hands over; here with a fake pip, so without network and fast."""

import ast
import contextlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tomllib
from collections import namedtuple
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
Usage = namedtuple("Usage", "total used free")

NO_NETWORK_LOG = """\
WARNING: Retrying (Retry(total=0)) after connection broken by 'NewConnectionError(\
'<HTTPSConnection object>: Failed to establish a new connection: [Errno -3] \
Temporary failure in name resolution')': /simple/torch/
ERROR: Could not find a version that satisfies the requirement torch==2.13.0 (from versions: none)
ERROR: No matching distribution found for torch==2.13.0
"""


@pytest.fixture
def launch(tmp_path: Path) -> ModuleType:
    """launch.py in a project folder of its own, with nothing made yet."""
    for name in ("launch.py", "pyproject.toml", "packaging/constraints.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(REPOSITORY / name, tmp_path / name)
    spec = importlib.util.spec_from_file_location("launch_under_test", tmp_path / "launch.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class FakeSetUp:
    """Stands for the commands that make an environment: `venv` makes the two programs, `pip` answers as told."""

    def __init__(self, launch: ModuleType) -> None:
        self.launch = launch
        self.commands: list[str] = []
        self.pip: Callable[[], tuple[int, str]] = lambda: (0, "Successfully installed\n")

    def __call__(self, command: list[str], lock: object) -> int:
        status, output = 0, ""
        if "venv" in command:
            self.commands.append("venv")
            for program in (self.launch.PYTHON, self.launch.MONOGLOT):
                os.makedirs(os.path.dirname(program), exist_ok=True)
                Path(program).write_text("#!/bin/sh\n")
            Path(self.launch.ENVIRONMENT, "pyvenv.cfg").touch()
        else:
            self.commands.append("pip " + command[-1])
            status, output = self.pip()
        Path(self.launch.LOG).write_text(output)
        return status


@pytest.fixture
def set_up(launch: ModuleType, monkeypatch: pytest.MonkeyPatch) -> FakeSetUp:
    fake = FakeSetUp(launch)
    monkeypatch.setattr(launch, "run_logged", fake)
    monkeypatch.setattr(launch, "NEEDED_BYTES", 0)
    return fake


# Old Pythons


@pytest.mark.parametrize("version", [(3, 6, 15), (3, 10, 13)])
def test_an_old_python_is_told_what_it_needs(launch, monkeypatch, capsys, version) -> None:
    monkeypatch.setattr(launch.sys, "version_info", version)
    assert launch.main([]) == 2
    error, hint = capsys.readouterr().err.splitlines()
    assert error == f"error: Monoglot needs Python 3.11 or newer; this is Python 3.{version[1]}."
    assert hint.startswith("hint: ")
    assert not Path(launch.ENVIRONMENT).exists()


def test_a_newer_python_beside_the_old_one_is_named(launch, monkeypatch) -> None:
    def only_3_12_starts(command: list[str], **_: object) -> bytes:
        if command[0] == "python3.13":  # as a version manager's placeholder does
            raise subprocess.CalledProcessError(127, command)
        if command[0] != "python3.12":
            raise FileNotFoundError(command[0])
        return b""

    monkeypatch.setattr(launch.subprocess, "check_output", only_3_12_starts)
    with pytest.raises(launch.Trouble) as caught:
        launch.require_python((3, 8, 18))
    assert caught.value.hint.endswith("python3.12 launch.py")


def test_this_python_is_new_enough(launch) -> None:
    launch.require_python((3, 11, 0))
    launch.require_python((4, 0, 0))


def test_an_old_python_can_parse_it_and_its_words_are_ascii() -> None:
    source = (REPOSITORY / "launch.py").read_text(encoding="utf-8")
    tree = ast.parse(source, feature_version=(3, 6))
    futures = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module == "__future__"]
    assert not futures  # "annotations" is a SyntaxError before 3.7
    assert source.isascii()
    assert len(source.splitlines()) < 400


# The stamp


def test_first_start_makes_the_environment_and_the_second_does_nothing(launch, set_up) -> None:
    launch.make_environment()
    launch.make_environment()
    assert set_up.commands == ["venv", "pip ."]


def test_tests_add_their_tools_once_and_later_updates_keep_them(launch, set_up) -> None:
    launch.make_environment()
    launch.make_environment(test=True)
    launch.make_environment(test=True)
    launch.make_environment()
    Path(launch.ROOT, "pyproject.toml").write_text("# changed")
    launch.make_environment()
    assert set_up.commands == ["venv", "pip .", "pip .[test]", "pip .[test]"]


@pytest.mark.parametrize("name", ["pyproject.toml", "packaging/constraints.txt", "gui/__init__.py"])
def test_a_changed_input_is_brought_up_to_date_in_place(launch, set_up, name) -> None:
    launch.make_environment()
    Path(launch.ROOT, name).parent.mkdir(exist_ok=True)
    with Path(launch.ROOT, name).open("a") as file:
        file.write("# changed\n")
    assert launch.environment_state(test=False) == "stale"
    launch.make_environment()
    assert set_up.commands == ["venv", "pip .", "pip ."]
    assert launch.environment_state(test=False) == "ready"


@pytest.mark.parametrize("other", [["3.99", None], [None, "/moved/from/here"]])
def test_another_python_or_a_moved_folder_needs_a_new_environment(launch, set_up, monkeypatch, other) -> None:
    launch.make_environment()
    monkeypatch.setattr(launch, "MADE_FOR", [new or old for new, old in zip(other, launch.MADE_FOR, strict=True)])
    launch.make_environment()
    assert set_up.commands == ["venv", "pip ."] * 2


@pytest.mark.parametrize("damage", ["no stamp", "cut stamp", "foreign stamp", "no python", "no monoglot"])
def test_a_half_made_environment_is_made_anew(launch, set_up, damage) -> None:
    launch.make_environment()
    remains = Path(launch.ENVIRONMENT, "lib", "half-installed")
    remains.parent.mkdir()
    remains.touch()
    if os.name == "posix":
        Path(launch.ENVIRONMENT, "link").symlink_to(launch.ROOT)  # goes, and what it points to stays
    if damage == "no stamp":
        Path(launch.STAMP).unlink()
    elif damage == "cut stamp":
        Path(launch.STAMP).write_text(Path(launch.STAMP).read_text()[:20])
    elif damage == "foreign stamp":
        Path(launch.STAMP).write_text("[]")
    else:
        Path(launch.PYTHON if damage == "no python" else launch.MONOGLOT).unlink()
    launch.make_environment()
    assert set_up.commands == ["venv", "pip ."] * 2
    assert not remains.exists()
    assert launch.environment_state(test=False) == "ready"


def test_an_interrupted_pip_leaves_no_stamp(launch, set_up, capsys) -> None:
    def interrupted() -> tuple[int, str]:
        raise KeyboardInterrupt

    set_up.pip = interrupted
    assert launch.main(["run", "x"]) == 130
    assert "Stopped" in capsys.readouterr().err
    assert launch.environment_state(test=False) == "broken"


def test_an_interrupted_update_is_not_trusted_either(launch, set_up) -> None:
    launch.make_environment()
    Path(launch.ROOT, "pyproject.toml").write_text("# changed")

    def interrupted() -> tuple[int, str]:
        raise KeyboardInterrupt

    set_up.pip = interrupted
    with pytest.raises(KeyboardInterrupt):
        launch.make_environment()
    assert launch.environment_state(test=False) == "broken"


def test_a_folder_that_is_no_environment_is_left_alone(launch, set_up, capsys) -> None:
    mine = Path(launch.ENVIRONMENT, "thesis.txt")
    mine.parent.mkdir()
    mine.write_text("years of work")
    assert launch.main([]) == 2
    assert "is no Python environment" in capsys.readouterr().err
    assert mine.read_text() == "years of work"
    assert set_up.commands == []


@pytest.mark.skipif(os.name == "nt", reason="links need a privilege there")
def test_a_link_to_another_disk_stays_a_link(launch, set_up, tmp_path_factory) -> None:
    elsewhere = tmp_path_factory.mktemp("disk")
    (elsewhere / "pyvenv.cfg").touch()
    Path(launch.ENVIRONMENT).symlink_to(elsewhere, target_is_directory=True)
    launch.make_environment()
    assert Path(launch.ENVIRONMENT).is_symlink()
    assert (elsewhere / "launch.json").exists()


# Expected trouble


def trouble_of(launch: ModuleType, capsys: pytest.CaptureFixture[str]) -> tuple[str, str]:
    """Start once and return what the error and the hint say."""
    assert launch.main([]) == 2
    printed = capsys.readouterr().err
    assert "Traceback" not in printed
    error, hint = printed.split("error: ", 1)[1].split("hint: ", 1)
    return error.strip(), hint.strip()


def test_no_network_is_recognised(launch, set_up, capsys) -> None:
    set_up.pip = lambda: (1, "Collecting appdirs\n" * 50 + NO_NETWORK_LOG)
    error, hint = trouble_of(launch, capsys)
    assert error == "Cannot reach the package index."
    assert "what was downloaded is kept" in hint
    assert launch.environment_state(test=False) == "broken"


def test_no_network_during_an_update_keeps_the_environment(launch, set_up, capsys) -> None:
    launch.make_environment()
    Path(launch.ROOT, "pyproject.toml").write_text("# changed")
    set_up.pip = lambda: (1, NO_NETWORK_LOG)
    assert trouble_of(launch, capsys)[0] == "Cannot reach the package index."
    assert launch.environment_state(test=False) == "stale"


def test_a_connection_that_recovered_is_not_blamed(launch, set_up, capsys) -> None:
    set_up.pip = lambda: (1, NO_NETWORK_LOG.splitlines()[0] + "\n" + "Collecting more\n" * 40 + "ERROR: it broke\n")
    error, hint = trouble_of(launch, capsys)
    assert error.endswith("ERROR: it broke")
    assert launch.LOG in hint


def test_a_missing_build_names_the_pythons_that_have_one(launch, set_up, capsys) -> None:
    set_up.pip = lambda: (1, "ERROR: No matching distribution found for torch==2.13.0\n")
    error, hint = trouble_of(launch, capsys)
    assert "torch==2.13.0" in error
    assert "3.11" in hint


@pytest.mark.parametrize("words", ["[Errno 28] No space left on device", "not enough space on the disk"])
def test_a_disk_that_fills_up_is_recognised(launch, set_up, capsys, words) -> None:
    set_up.pip = lambda: (1, f"ERROR: Could not install packages due to an OSError: {words}\n")
    error, hint = trouble_of(launch, capsys)
    assert error == "The disk is full."
    assert "Make room" in hint


def test_too_little_disk_is_said_before_anything_is_made(launch, set_up, monkeypatch, capsys) -> None:
    monkeypatch.setattr(launch, "NEEDED_BYTES", 3 * 10**9)
    monkeypatch.setattr(launch.shutil, "disk_usage", lambda path: Usage(9e9, 7.8e9, 1.2e9))
    error, _ = trouble_of(launch, capsys)
    assert error == "The disk has 1.2 GB free; the environment needs about 3 GB."
    assert set_up.commands == []


@pytest.mark.parametrize(
    ("debian", "root", "prefix", "words"),
    [
        (True, False, "/usr", "sudo apt install python{0}.{1}-venv"),
        (True, True, "/usr", None),  # installs it
        (True, True, "/opt/python", "Install a whole Python"),  # Debian's package is not this Python's
        (False, False, "/usr", "Install a whole Python"),
    ],
)
def test_a_python_that_cannot_make_environments(
    launch, set_up, monkeypatch, capsys, debian, root, prefix, words
) -> None:
    installed: list[str] = []
    monkeypatch.setattr(launch.importlib.util, "find_spec", lambda name: None if name == "ensurepip" else object())
    monkeypatch.setattr(launch.sys, "base_prefix", prefix)
    monkeypatch.setattr(launch, "is_debian", lambda as_root=False: debian and (root or not as_root))
    monkeypatch.setattr(launch, "apt_install", installed.append)
    if words:
        error, hint = trouble_of(launch, capsys)
        assert "ensurepip" in error
        assert words.format(*sys.version_info) in hint
        assert set_up.commands == installed == []
    else:
        launch.make_environment()
        assert installed == [f"python{sys.version_info[0]}.{sys.version_info[1]}-venv"]
        assert set_up.commands == ["venv", "pip ."]


def test_a_folder_that_cannot_be_written(launch, set_up, monkeypatch, capsys) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied", launch.LOCK)

    monkeypatch.setattr(launch, "open", refuse, raising=False)
    error, hint = trouble_of(launch, capsys)
    assert error == f"{launch.LOCK} cannot be written."
    assert launch.ROOT in hint


def test_an_incomplete_copy_is_said_to_be_one(launch, set_up, capsys) -> None:
    Path(launch.ROOT, "pyproject.toml").unlink()
    error, hint = trouble_of(launch, capsys)
    assert "pyproject.toml" in error
    assert "complete" in hint


# Two starts at once


@pytest.mark.skipif(os.name == "nt", reason="the holder of the lock is a POSIX child here")
def test_a_second_start_waits_and_then_finds_the_work_done(launch, set_up, monkeypatch, capsys) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", "import fcntl, sys; f = open(sys.argv[1], 'w'); fcntl.flock(f, fcntl.LOCK_EX); "
                               "print('held', flush=True); sys.stdin.read()", launch.LOCK],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    assert holder.stdin and holder.stdout
    assert holder.stdout.readline() == b"held\n"

    def other_finishes(_: float) -> None:
        with monkeypatch.context() as patch:
            patch.setattr(launch, "the_only_one", contextlib.nullcontext)
            launch.make_environment()
        holder.kill()  # killed, not closed: the lock it leaves behind must not block
        holder.wait()

    monkeypatch.setattr(launch.time, "sleep", other_finishes)
    launch.make_environment()
    holder.stdin.close()
    holder.stdout.close()
    assert "Another start" in capsys.readouterr().err
    assert set_up.commands == ["venv", "pip ."]  # the other's; none of ours


# Handing over


@pytest.fixture
def handed_over(launch: ModuleType, set_up: FakeSetUp, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    commands: list[list[str]] = []
    monkeypatch.setattr(launch, "hand_over", lambda command: commands.append(command) or 0)
    return commands


@pytest.mark.parametrize(
    ("words", "passed"),
    [
        ([], ["sample"]),
        (["--headless"], ["sample"]),
        (["--headless", "--tiny"], ["sample", "--tiny"]),
        (["run", "a b.toml", "--json"], ["run", "a b.toml", "--json"]),
    ],
)
def test_words_reach_monoglot(launch, handed_over, monkeypatch, words, passed) -> None:
    monkeypatch.setattr(launch.sys, "platform", "linux")
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    assert launch.main(words) == 0
    assert handed_over == [[launch.MONOGLOT, *passed]]


@pytest.mark.parametrize(
    ("words", "display", "passed"),
    [([], ":0", ["--sample"]), ([], "", ["sample"]), (["--headless"], ":0", ["sample"])],
)
def test_the_window_opens_where_it_can_be_seen(launch, handed_over, monkeypatch, words, display, passed) -> None:
    monkeypatch.setattr(launch.sys, "platform", "linux")
    monkeypatch.setenv("DISPLAY", display)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    asked: list[str] = []
    monkeypatch.setattr(launch, "require_qt", asked.append)
    assert launch.main(words) == 0
    assert handed_over == [[launch.MONOGLOT, *passed]]
    assert asked == ([""] if passed == ["--sample"] else [])  # headless, a missing library is no obstacle


@pytest.mark.skipif(os.name == "nt", reason="the program is a shell script here")
def test_words_status_and_folder_through_a_real_process(launch, set_up, tmp_path, monkeypatch) -> None:
    launch.make_environment()
    monoglot = Path(launch.MONOGLOT)
    monoglot.write_text('#!/bin/sh\nprintf "%s|" "$@"\npwd\necho "${PYTHONPATH-unset}"\nexit 7\n')
    monoglot.chmod(0o755)
    elsewhere = tmp_path / "my texts"
    elsewhere.mkdir()
    monkeypatch.setenv("PYTHONPATH", "/another/python")
    command = [sys.executable, launch.__file__, "run", "a b.toml", ""]
    result = subprocess.run(command, cwd=elsewhere, capture_output=True, text=True, check=False)
    assert result.returncode == 7
    assert result.stdout == f"run|a b.toml||{elsewhere}\nunset\n"
    assert result.stderr == ""  # quiet about what is fine


def test_a_status_by_signal_is_passed_on_as_shells_do(launch) -> None:
    assert launch.run_to_end([sys.executable, "-c", "raise SystemExit(5)"], dict(os.environ), None) == 5
    if os.name == "posix":
        killed = [sys.executable, "-c", "import os; os.kill(os.getpid(), 9)"]
        assert launch.run_to_end(killed, dict(os.environ), None) == 137


# launch.py test


class Checks:
    """Stands for the checks: `statuses` are what they shall end with, `started` those that ran, in order."""

    def __init__(self) -> None:
        self.statuses: dict[str, int] = {}
        self.started: list[str] = []

    def run(self, command: list[str]) -> int:
        self.started.append(command[2])
        return self.statuses.get(command[2], 0)


@pytest.fixture
def checks(launch: ModuleType, set_up: FakeSetUp, monkeypatch: pytest.MonkeyPatch) -> Checks:
    fake = Checks()
    monkeypatch.setattr(launch, "require_qt", lambda platform: None)
    monkeypatch.setattr(launch, "capture", lambda command, _: (fake.run(command), "what is wrong\n"))
    monkeypatch.setattr(launch, "run_to_end", lambda command, *_: fake.run(command))
    return fake


def test_every_check_runs_and_pytest_comes_last(launch, checks, capsys) -> None:
    assert launch.main(["test"]) == 0
    assert checks.started == ["ruff", "ruff", "mypy", "pytest"]
    assert "what is wrong" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("faults", "status"), [({"ruff": 1}, 1), ({"mypy": 2}, 1), ({"pytest": 5}, 5), ({"mypy": 1, "pytest": 3}, 3)]
)
def test_any_failed_check_fails_the_whole_and_none_is_left_out(launch, checks, capsys, faults, status) -> None:
    checks.statuses = faults
    assert launch.main(["test"]) == status
    assert checks.started == ["ruff", "ruff", "mypy", "pytest"]
    assert ("what is wrong" in capsys.readouterr().err) == ("ruff" in faults or "mypy" in faults)


def test_with_words_only_pytest_runs(launch, checks) -> None:
    checks.statuses = {"ruff": 1}
    assert launch.main(["test", "tests/test_x.py", "-k", "y"]) == 0
    assert checks.started == ["pytest"]


def test_pytest_gets_its_words(launch, set_up, monkeypatch) -> None:
    commands: list[list[str]] = []
    monkeypatch.setattr(launch, "require_qt", lambda platform: None)
    monkeypatch.setattr(launch, "run_to_end", lambda command, *_: commands.append(command) or 0)
    launch.main(["test", "tests/test_x.py", "-k", "y or z"])
    assert commands == [[launch.PYTHON, "-m", "pytest", "tests/test_x.py", "-k", "y or z"]]


# Qt's system libraries

MISSING = "ImportError: libEGL.so.1: cannot open shared object file: No such file or directory"


def test_missing_qt_libraries_are_installed_as_root_on_debian(launch, monkeypatch) -> None:
    installed: list[str] = []
    monkeypatch.setattr(launch, "is_debian", lambda as_root=False: True)
    monkeypatch.setattr(launch, "apt_install", installed.append)
    monkeypatch.setattr(launch, "capture", lambda *_: (0, "") if installed else (1, "Traceback\n" + MISSING + "\n"))
    launch.require_qt("offscreen")
    assert installed == [launch.QT_PACKAGES]
    assert "libegl1" in installed[0].split()


def test_missing_qt_libraries_are_named_to_everybody_else(launch, monkeypatch) -> None:
    monkeypatch.setattr(launch, "is_debian", lambda as_root=False: not as_root)
    monkeypatch.setattr(launch, "capture", lambda *_: (1, "Traceback\n" + MISSING + "\n"))
    monkeypatch.setattr(launch.shutil, "which", lambda tool: "/usr/bin/dnf" if tool == "dnf" else None)
    with pytest.raises(launch.Trouble) as caught:
        launch.require_qt("offscreen")
    assert caught.value.problem == "Qt cannot start: " + MISSING
    assert caught.value.hint.startswith("sudo dnf install mesa-libEGL")


def test_a_qt_that_dies_without_words_is_still_a_fault(launch, monkeypatch) -> None:
    monkeypatch.setattr(launch, "capture", lambda *_: (-6, ""))
    assert launch.qt_fault("offscreen") == "exit status -6"


# What is packaged


def test_every_resource_would_be_packaged() -> None:
    table = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]
    suffixes = {pattern.removeprefix("**/*") for pattern in table["package-data"]["resources"]} | {".py", ".pyc"}
    files = [path for path in (REPOSITORY / "resources").rglob("*") if path.is_file()]
    assert files
    assert [str(path) for path in files if path.suffix not in suffixes] == []


def test_packaging_and_tests_are_not_packages() -> None:
    assert not (REPOSITORY / "packaging" / "__init__.py").exists()
    table = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]
    assert {name.split(".")[0] for name in table["packages"]["find"]["include"]} == {"core", "gui", "resources"}


def test_every_dependency_is_pinned_exactly() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lines = (REPOSITORY / "packaging" / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = dict(line.split("==") for line in lines if line and not line.startswith("#"))
    names = {name.lower().replace("_", "-") for name in pins}
    wanted = project["dependencies"] + project["optional-dependencies"]["test"]
    asked = {"".join(c if c.isalnum() or c in "-_" else " " for c in line).split()[0].lower() for line in wanted}
    assert asked - names == set()
    assert all("+" not in version for version in pins.values())  # a local version resolves on one system only


def test_the_stamp_is_what_the_state_reads(launch, set_up) -> None:
    launch.make_environment(test=True)
    stamp = json.loads(Path(launch.STAMP).read_text())
    assert stamp == {"made for": launch.MADE_FOR, "inputs": launch.inputs(), "test": True}
