"""The hub's token goes to the hub and nowhere else."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from core import cli
from core.errors import Fault, InputError
from core.events import Message
from core.fault_log import log_own_fault
from core.recipe import parse
from core.run import RunFolder
from core.run_context import RunContext
from core.run_layout import check_layout
from core.secrets import without_secrets
from core.sources import download

TOKEN = "hf_AbCdEfGhIjKlMnOpQrStUvWxYz01234567"
pytestmark = pytest.mark.usefixtures("own_places")
RECIPE = '[teacher]\nmodel = "sample"\n[language]\ncode = "mlt"\n[corpus]\nsources = ["sample"]\n'


@pytest.mark.parametrize(
    "text",
    [
        f"401 for https://user:{TOKEN}@huggingface.co/x",
        f"headers: {{'authorization': 'Bearer {TOKEN}', 'x': 'y'}}",
        "Authorization: Basic dXNlcjpwYXNz, next",
        "https://user:pass@example.org/a?b=c",
        f'token = "{TOKEN}"',
        "hf_oauth_eyJhbGciOiJSUzI1NiJ9.eyJ.x-y_z",
        "api_org_AbCdEfGhIjKlMnOpQrSt",
        f"GET /x?token%3D{TOKEN}",
        f"my_{TOKEN}",
        repr(f"a\n{TOKEN}"),
    ],
)
def test_what_opens_something_is_hidden(text: str) -> None:
    hidden = without_secrets(text)
    assert "[hidden]" in hidden and "pass@" not in hidden and "dXNlcjpwYXNz" not in hidden
    assert TOKEN not in hidden and "eyJ" not in hidden and "AbCdEfGh" not in hidden
    assert without_secrets(hidden) == hidden


@pytest.mark.parametrize(
    "text",
    [
        "hf_internal_testing_models/tiny-bert is no model.",
        "hf_multilingualencodersofmine",
        "my_hf_multilingualencodersofmine/selfhf_Encoder",
        "hf://datasets/name/set@refs/convert/parquet/x.parquet",
        "basic preprocessing; the bearer of news",
        "someone@example.org",
        "bert-base-multilingual-cased",
    ],
)
def test_all_else_stays_as_it_is(text: str) -> None:
    assert without_secrets(text) == text


def test_a_token_of_any_form_is_known_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "s3cret-of-a-mirror\n")
    assert without_secrets("GET /x?t=s3cret-of-a-mirror 403") == "GET /x?t=[hidden] 403"
    monkeypatch.setenv("HF_TOKEN", "a")  # no token: it would be found in every word
    assert without_secrets("a banana") == "a banana"


@pytest.mark.parametrize(
    ("variable", "value", "file"),
    [
        ("HF_TOKEN_PATH", "mine", "mine"),
        ("HF_HOME", "hf", "hf/token"),
        ("XDG_CACHE_HOME", "caches", "caches/huggingface/token"),
        ("HOME", "me", "me/.cache/huggingface/token"),
    ],
)
def test_a_token_of_any_form_is_known_from_where_signing_in_keeps_it(
    variable: str, value: str, file: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("HF_TOKEN_PATH", "HF_HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(variable, str(tmp_path / value))
    monkeypatch.setenv("USERPROFILE", os.environ["HOME"])  # where Windows looks for a home
    path = tmp_path / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("s3cret-of-a-login\n")
    assert without_secrets("GET /x?t=s3cret-of-a-login 403") == "GET /x?t=[hidden] 403"


def test_a_token_that_cannot_be_read_hinders_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "nothing", ""):
        monkeypatch.setenv("HF_TOKEN_PATH", str(path))
        assert without_secrets("a banana") == "a banana"


def test_faults_and_their_errors_hold_none() -> None:
    error = InputError(f"no {TOKEN}", hint=f"not {TOKEN}")
    assert TOKEN not in f"{error}{error!r}{error.faults}"
    assert TOKEN not in repr(Fault(f"no {TOKEN}", TOKEN).about("x"))


def test_what_the_hub_says_of_a_failed_request_is_told_without_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    import huggingface_hub

    def refuses(name: str, **given: object) -> str:
        raise OSError(f"403 for https://user:{TOKEN}@huggingface.co/{name}, headers {{'authorization': '{TOKEN}'}}")

    monkeypatch.setenv("HF_TOKEN", TOKEN)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", refuses)
    with pytest.raises(InputError) as caught:
        download("some/model", ["config.json"])
    assert TOKEN not in str(caught.value)
    recipe = tmp_path / "recipe.toml"
    recipe.write_text(RECIPE.replace('"sample"', '"some/model"', 1))
    assert cli.main(["run", str(recipe), "--out", str(tmp_path / "run")]) == 2
    assert TOKEN not in capsys.readouterr().err


def test_a_fault_of_ours_is_logged_without_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    def fails(*given: object) -> None:
        raise RuntimeError(f"Bearer {TOKEN}")

    monkeypatch.setattr(sys, "argv", ["monoglot", "corpus", TOKEN])
    monkeypatch.setattr("core.corpus.survey.survey", fails)
    assert cli.main(["corpus", TOKEN]) == 1
    logs = [path.read_text() for path in tmp_path.rglob("error.log")]
    assert len(logs) == 1 and "RuntimeError: Bearer [hidden]" in logs[0] and "monoglot corpus [hidden]" in logs[0]
    assert TOKEN not in logs[0] + capsys.readouterr().err


def test_where_no_log_can_be_written_the_fault_holds_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("appdirs.user_log_dir", lambda *given: "/dev/null/nowhere")
    try:
        raise RuntimeError(TOKEN)
    except RuntimeError:
        assert TOKEN not in log_own_fault().hint


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights on Windows")
def test_a_link_in_the_logs_place_is_not_written_through(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("appdirs.user_log_dir", lambda *given: str(tmp_path / "logs"))
    folder, outside = RunFolder(tmp_path / "run"), tmp_path / "outside.txt"
    folder.create(RECIPE, needed_bytes=1)
    outside.write_text("mine")
    folder.error_log.symlink_to(outside)
    try:
        raise RuntimeError("a fault")
    except RuntimeError:
        told = log_own_fault(folder.path)
    assert outside.read_text() == "mine" and str(tmp_path / "logs") in told.hint
    with pytest.raises(InputError, match="is a link"):
        check_layout(folder)


def test_events_and_status_hold_none(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    folder.create(RECIPE, needed_bytes=1)
    ctx = RunContext(folder)
    ctx.emit(Message(level="warning", text=f'The hub says: "{TOKEN}"'))
    ctx.finish("failed", error=f"OSError: {TOKEN}")
    assert [event for _, event in folder.read_events()] == [Message(level="warning", text='The hub says: "[hidden]"')]
    assert json.loads(folder.status.read_text())["error"] == "OSError: [hidden]"
    assert not [path for path in folder.path.rglob("*") if path.is_file() and TOKEN.encode() in path.read_bytes()]


@pytest.mark.parametrize("line", [f"# {TOKEN}\n", f'name = "{TOKEN}"\n'])
def test_a_recipe_that_holds_one_is_refused_and_not_kept(
    line: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(InputError, match="token") as caught:
        parse(line + RECIPE)
    assert TOKEN not in str(caught.value)
    recipe = tmp_path / "recipe.toml"
    recipe.write_text(line + RECIPE)
    assert cli.main(["run", str(recipe), "--out", str(tmp_path / "run")]) == 2
    assert not (tmp_path / "run").exists() and TOKEN not in capsys.readouterr().err


def test_a_key_that_nobody_knows_is_told_without_its_value() -> None:
    with pytest.raises(InputError) as caught:
        parse(f'token = "{TOKEN}"\n{RECIPE}')
    assert TOKEN not in str(caught.value)
