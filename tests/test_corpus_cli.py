"""`monoglot corpus`: what is shown of text, and when it is refused."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from core.cli import main

LINES = [f"Sentenza numru {number} għall-prova." for number in range(40)]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def put(name: str, texts: list[str]) -> None:
    Path(name).parent.mkdir(exist_ok=True)
    Path(name).write_text("".join(f"{text}\n" for text in texts), encoding="utf-8")


def test_what_was_understood_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    put("texts/a.txt", [*LINES, "", LINES[3], "ab", "Щедрик"])
    put("texts/b.jsonl", ['{"text": "Wieħed għalhekk."}'])
    assert main(["corpus", "texts"]) == 0
    out = capsys.readouterr().out
    assert "2 files of " in out and ", 44 texts\n" in out
    assert "A run keeps 41 of them; dropped: 1 empty, 1 repeated, 1 too short, 1 in another script\n" in out
    assert "Letters: Latin 99." in out
    assert f"The first texts:\n  {LINES[0]}\n" in out and LINES[5] not in out
    assert f"texts/a.txt:42: repeats line 4 of {Path.cwd()}/texts/a.txt\n" in out
    assert "texts/a.txt:43: has fewer than 5 letters: “ab”\n" in out
    assert "texts/a.txt:44: is in another script (Cyrillic): “Щедрик”" in out


def test_json_is_one_object(capsys: pytest.CaptureFixture[str]) -> None:
    put("a.txt", [*LINES, *LINES[:2]])
    assert main(["corpus", "a.txt", "hub:a/b", "--json"]) == 0
    captured = capsys.readouterr()
    found = json.loads(captured.out)
    assert (found["files"], found["texts"], found["kept"], found["complaint_count"]) == (1, 42, 40, 2)
    assert found["dropped"] == {"empty": 0, "repeated": 2, "short": 0, "other_script": 0}


def test_sound_text_has_no_empty_sections(capsys: pytest.CaptureFixture[str]) -> None:
    put("a.txt", LINES)
    assert main(["corpus", "*.txt"]) == 0
    out = capsys.readouterr().out
    assert "Warnings" not in out and "Complaints" not in out and "dropped" not in out


@pytest.mark.parametrize(
    ("name", "texts", "message"),
    [
        ("a.txt", [], "is empty"),
        ("a.txt", LINES[:9], "it would keep only 9 texts of it"),
        ("a.jsonl", ['{"text": "one"}', "two"], "a.jsonl, line 2, is not JSON"),
        ("a.md", LINES, "not of a kind"),
    ],
)
def test_what_a_run_would_refuse_ends_with_2(
    name: str, texts: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    put(name, texts)
    assert main(["corpus", name]) == 2
    err = capsys.readouterr().err
    assert "error: " in err and "hint: " in err and message in err


def test_neither_torch_nor_qt_is_needed() -> None:
    put("a.txt", LINES)
    code = (
        "import sys; from core.cli import main; assert main(['corpus', 'a.txt']) == 0;"
        "print({'torch', 'transformers', 'PySide6', 'pyarrow'} & set(sys.modules))"
    )
    root = Path(__file__).parent.parent
    command = [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(root)!r}); {code}"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, encoding="utf-8")
    assert done.stdout.splitlines()[-1] == "set()"
