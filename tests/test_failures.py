"""Every way in which a run can end, told in one table's words."""

from __future__ import annotations

import errno
import json
import os
import sys
import time
from pathlib import Path

import pytest

from core import run_end, session
from core.errors import InputError, Stopped
from core.failures import KINDS, explained, failure_of, told
from core.run import RunFolder
from core.run_context import RunContext
from core.run_end import failure_of_run
from core.safe_point import SafePoint, safe_point, safe_words
from core.sealing import replace_folder

SafetensorError = type("SafetensorError", (Exception,), {})
OutOfMemoryError = type("OutOfMemoryError", (RuntimeError,), {})
LocalEntryNotFoundError = type("LocalEntryNotFoundError", (OSError,), {})
GatedRepoError = type("GatedRepoError", (OSError,), {})
RECIPE = """
teacher.model = "sample"
language.code = "mlt"
corpus.sources = ["sample"]
"""


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    folder = RunFolder(tmp_path / "run")
    folder.create(RECIPE, needed_bytes=1)
    return folder


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "disk_full"),
        (SafetensorError("I/O error: No space left on device (os error 28)"), "disk_full"),
        (PermissionError(errno.EACCES, "Permission denied", "/data/run/status.json"), "no_access"),
        (OSError(errno.EROFS, "Read-only file system", "/data/run"), "disk_read_only"),
        (OSError(errno.EIO, "Input/output error"), "disk_fault"),
        (FileNotFoundError(errno.ENOENT, "No such file or directory", "/no-such-disk/run/status.json"), "folder_gone"),
        (MemoryError(), "out_of_memory"),
        (OutOfMemoryError("CUDA out of memory."), "out_of_memory"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes."), "out_of_memory"),
        (ConnectionResetError(errno.ECONNRESET, "Connection reset by peer"), "no_network"),
        (OSError(errno.ETIMEDOUT, "Connection timed out"), "no_network"),
        (OSError(errno.ETIMEDOUT, "Connection timed out", "/mnt/nas/run/status.json"), "disk_fault"),
        (OSError(errno.ECONNREFUSED, "Connection refused", "/mnt/nas/run"), "disk_fault"),
        (OSError(errno.ECONNRESET, "Connection reset by peer", "/mnt/nas/run"), "disk_fault"),
        (OSError(errno.EHOSTUNREACH, "No route to host", "/mnt/nas/run"), "disk_fault"),
        (OSError(errno.ENETUNREACH, "Network is unreachable", "/mnt/nas/run"), "disk_fault"),
        (LocalEntryNotFoundError("nothing in the cache"), "no_network"),
        (GatedRepoError("403"), "hub_refuses"),
        (ModuleNotFoundError("No module named 'transformers.gone'"), "wrong_versions"),
        (SafetensorError("Error while deserializing header: InvalidHeaderLength"), "damaged"),
        (InputError("The loss is no number.", hint="Resume.", kind="diverged"), "diverged"),
        (InputError("a", hint="b", key="corpus.sources"), "data"),
        (InputError("a", hint="b", key="tasks.ner.source"), "data"),
        (InputError("a", hint="b", key="teacher.model"), "teacher"),
        (InputError("a", hint="b", kind="pickle_only"), "pickle_only"),
        (InputError("a", hint="b"), "input"),
        (KeyboardInterrupt(), "stopped"),
        (Stopped(), "stopped"),
        (BrokenPipeError(errno.EPIPE, "Broken pipe"), "bug"),
        (FileNotFoundError(errno.ENOENT, "No such file or directory", os.path.abspath("nothing-here")), "bug"),
        (KeyError("hidden"), "bug"),
    ],
)
def test_each_error_is_of_its_kind(error: BaseException, kind: str) -> None:
    failure = failure_of(error)
    assert failure.kind == kind
    assert failure.what_happened and failure.next_step and "{" not in failure.what_happened + failure.next_step


def test_what_led_to_an_error_of_the_input_tells_its_kind_but_its_own_words_are_told() -> None:
    error = InputError("The copy can't be written.", hint="Make room.")
    error.__cause__ = OSError(errno.ENOSPC, "No space left on device")
    failure = failure_of(error)
    assert (failure.kind, failure.what_happened, failure.next_step) == (
        "disk_full",
        "The copy can't be written.",
        "Make room.",
    )


def test_only_a_run_is_resumed() -> None:
    full = OSError(errno.ENOSPC, "No space left on device")
    in_run, elsewhere = (explained(full, in_run=in_run) for in_run in (True, False))
    assert in_run is not None and "resume" in in_run.faults[0].hint
    assert elsewhere is not None and "resume" not in elsewhere.faults[0].hint
    assert explained(KeyError("hidden")) is None


def test_the_table_is_whole() -> None:
    assert len({kind.name for kind in KINDS}) == len(KINDS)
    for kind in KINDS:
        for text in (kind.generally, kind.step(), kind.step(in_run=False)):
            assert text[0].isupper() and text.count("{") == 0, text
        assert kind.generally.endswith(".")


def test_the_table_in_the_docs_is_this_one() -> None:
    page = (Path(__file__).parent.parent / "docs" / "failures.md").read_text(encoding="utf-8")
    rows = [line for line in page.splitlines() if line.startswith("| `")]
    assert rows == [f"| `{kind.name}` | {kind.generally} | {kind.step()} |" for kind in KINDS]


# -- how a run ended -------------------------------------------------------------------------------------------------


def _end(folder: RunFolder, error: BaseException) -> None:
    with pytest.raises(BaseException), session._ending(RunContext(folder)):  # noqa: B017
        raise error


def test_the_status_tells_kind_and_what_is_safe_in_the_words_of_the_table(folder: RunFolder) -> None:
    _end(folder, MemoryError())
    status = folder.read_status()
    assert (status["state"], status["kind"]) == ("failed", "out_of_memory")
    assert status["error"] == told("out_of_memory").what_happened and "starts over" in status["safe"]
    failure = failure_of_run(folder)
    assert failure is not None and failure.next_step == status["hint"] and failure.action == "resume"


def test_a_fault_of_ours_is_told_without_its_innards(folder: RunFolder) -> None:
    _end(folder, KeyError("hidden"))
    assert folder.read_status()["error"] == "KeyError: 'hidden'"
    failure = failure_of_run(folder)
    assert failure is not None and failure.kind == "bug" and "hidden" not in failure.what_happened


def test_what_older_and_newer_versions_left_is_told_too(folder: RunFolder) -> None:
    folder.status.write_text(json.dumps({"state": "failed", "error": "The disk is full.", "hint": "Free some."}))
    older = failure_of_run(folder)
    folder.status.write_text(json.dumps({"state": "failed", "error": "The moon fell.", "hint": "Go.", "kind": "moon"}))
    newer = failure_of_run(folder)
    folder.status.write_text(json.dumps({"state": "failed"}))
    silent = failure_of_run(folder)
    assert older is not None and (older.kind, older.what_happened) == ("input", "The disk is full.")
    assert newer is not None and (newer.what_happened, newer.action) == ("The moon fell.", "resume")
    assert silent is not None and "no reason" in silent.what_happened


def test_a_run_that_went_without_a_word_was_killed_or_the_machine_went_down(
    folder: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert failure_of_run(folder) is not None  # not even begun, yet nobody works on it
    for state in ("stopped", "finished"):
        folder.status.write_text(json.dumps({"state": state}))
        assert failure_of_run(folder) is None
    folder.status.write_text(json.dumps({"state": "running"}))
    for booted, kind in ((None, "killed"), (time.time() - 3600, "killed"), (time.time() + 3600, "power_loss")):
        monkeypatch.setattr(run_end, "booted_at", lambda booted=booted: booted)
        failure = failure_of_run(folder)
        assert failure is not None and failure.kind == kind


def test_a_run_of_a_later_version_is_left_alone(folder: RunFolder) -> None:
    folder.status.write_text(json.dumps({"state": "failed", "version": "99.1"}))
    with pytest.raises(InputError, match=r"Monoglot 99\.1") as caught:
        session.execute(folder, original=folder.given_recipe(), base=folder.path, resume=True)
    assert caught.value.faults[0].kind == "wrong_versions"


# -- what is safe ----------------------------------------------------------------------------------------------------


def _stage(folder: RunFolder, name: str) -> Path:
    folder.stages.mkdir(exist_ok=True)
    replace_folder(folder.stages / name, lambda path: (path / "report.json").write_text("{}") and None, seal=True)
    return folder.stages / name


def _checkpoint(folder: RunFolder, stage: str, **more: object) -> None:
    state = json.dumps({"about": {"stage": stage}, **more})
    replace_folder(folder.checkpoint, lambda path: (path / "state.json").write_text(state) and None, seal=True)


def test_what_is_safe_is_read_from_whole_stages_and_the_checkpoint(folder: RunFolder) -> None:
    assert safe_point(folder) == SafePoint() and not safe_point(folder).is_something
    _stage(folder, "01-vocabulary")
    layers = _stage(folder, "02-layers")
    folder.status.write_text(json.dumps({"state": "running", "stage": "hidden", "done": 820, "total": 2000}))
    assert safe_point(folder) == SafePoint(("vocabulary", "layers"), "hidden")
    _checkpoint(folder, "hidden", counters={"step": 812})
    found = safe_point(folder)
    assert found == SafePoint(("vocabulary", "layers"), "hidden", True, 812, 2000)
    assert safe_words(found, str) == "“vocabulary” and “layers” are finished; “hidden” goes on from step 812 of 2,000."
    vocabulary = folder.stages / "01-vocabulary"
    (layers / "report.json").write_text("[]")  # a flipped bit: only looking at every byte tells
    assert safe_point(folder) == SafePoint(("vocabulary",))
    assert safe_point(folder, checked=False).finished == ("vocabulary", "layers")
    (folder.checkpoint / "state.json").write_text("{")
    assert not safe_point(folder).kept and safe_point(folder, checked=False).step == 0
    (vocabulary / "report.json").write_text("[]")  # what was built on it is made again
    assert safe_point(folder) == SafePoint()


def test_of_trained_tasks_no_step_of_one_training_is_told_as_the_stages(folder: RunFolder) -> None:
    folder.status.write_text(json.dumps({"state": "running", "stage": "evaluate", "done": 1, "total": 24}))
    state = json.dumps({"about": {"stage": "evaluate", "unit": "topic/teacher/1/0"}, "counters": {"step": 20}})
    replace_folder(folder.checkpoint, lambda path: (path / "state.json").write_text(state) and None, seal=True)
    assert safe_point(folder) == SafePoint((), "evaluate", True, 0, 24)
    assert safe_words(safe_point(folder), str) == "“evaluate” goes on from its last checkpoint."


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pipes in folders")
def test_a_pipe_in_the_checkpoint_keeps_nobody_waiting(folder: RunFolder) -> None:
    folder.checkpoint.mkdir()
    (folder.checkpoint / "manifest.json").write_text("{}")
    os.mkfifo(folder.checkpoint / "state.json")
    assert safe_point(folder, checked=False) == SafePoint()


@pytest.mark.parametrize(
    ("safe", "words"),
    [
        (SafePoint(), "Your recipe and texts: the run had finished nothing yet, and starts over."),
        (SafePoint((), "adapt"), "Your recipe and texts: the run had finished nothing yet, and starts over."),
        (SafePoint(("layers",)), "“layers” is finished."),
        (SafePoint(("layers",), "hidden"), "“layers” is finished; “hidden” starts over."),
        (SafePoint((), "evaluate", True), "“evaluate” goes on from its last checkpoint."),
        (SafePoint((), "hidden", True, 3), "“hidden” goes on from step 3."),
    ],
)
def test_what_is_safe_is_a_sentence(safe: SafePoint, words: str) -> None:
    assert safe_words(safe, str) == words
