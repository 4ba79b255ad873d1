"""Names of data sets lead to the hub and to nothing on this machine, whatever `datasets` would make of them."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import datasets
import pytest

from core.context import Quiet
from core.corpus.hub import read_hub
from core.errors import InputError
from core.hub_data import hub_builder, is_hub_name
from core.tasks.hub import read_hub as read_task


@pytest.mark.parametrize("name", ["imdb", "Davlan/sib200", "cis-lmu/GlotCC-V1", "a_b/c.d", "x" * 96])
def test_names_of_the_hub(name: str) -> None:
    assert is_hub_name(name)


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", "/a", "/a/b", "a/", "../x", "./x", "a/../b", "a/b/c", "a\\b", "~/x", "a--b", "a..b", "a/b.git",
     "-a", "a.", "a b", "ħ/x", "a\n", "x" * 97, "C:x", "hf://datasets/a/b"],
)  # fmt: skip
def test_all_else_is_no_name(name: str) -> None:
    assert not is_hub_name(name)


@pytest.fixture
def local(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A working folder with files that `datasets` reads where it is given their names."""
    (tmp_path / "loc").mkdir()
    for folder in (tmp_path, tmp_path / "loc"):
        for split in ("train", "validation", "test"):
            (folder / f"{split}.txt").write_text("private\n")
            (folder / f"{split}.csv").write_text("text,label\nprivate,a\n")
    monkeypatch.chdir(tmp_path)


@pytest.mark.usefixtures("local")
@pytest.mark.parametrize("name", ["text", "csv", "loc"])
def test_files_of_this_machine_are_no_data_sets_of_the_hub(name: str) -> None:
    with pytest.raises(InputError, match=f"'{name}' would be read from files of this machine, not from the hub"):
        list(read_hub(f"hub:{name}", Quiet()))
    with pytest.raises(InputError, match=f"'{name}' would be read from files of this machine, not from the hub"):
        read_task("topic", f"hub:{name}")


def _builds(monkeypatch: pytest.MonkeyPatch, repo_id: str | None, *files: str) -> None:
    config = SimpleNamespace(data_files={"train": ["hf://datasets/a/b@0a1b/x.txt", *files]})
    builder = SimpleNamespace(repo_id=repo_id, config=config)
    monkeypatch.setattr(datasets, "load_dataset_builder", lambda name, configuration: builder)


def test_what_was_found_elsewhere_than_on_the_hub_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    _builds(monkeypatch, "a/b", "hf://datasets/a/b@0a1b/data/y.txt")
    assert hub_builder("a/b", None).repo_id == "a/b"
    _builds(monkeypatch, None)
    with pytest.raises(InputError, match="would be read from files of this machine"):
        hub_builder("a/b", None)


@pytest.mark.parametrize(
    "file",
    [
        "/home/me/letters.txt",
        "file:///home/me/letters.txt",
        "letters.txt",
        "https://example.org/x.txt",
        "hf://datasets/a/other@0a1b/x.txt",
        "hf://datasets/a/b@0a1b/../../x.txt",
        "hf://datasets/a/b@0a1b/x.zip::/home/me/letters.zip",
    ],
)
def test_a_data_set_reads_its_own_files_alone(file: str, monkeypatch: pytest.MonkeyPatch) -> None:
    _builds(monkeypatch, "a/b", file)
    for read in (lambda: list(read_hub("hub:a/b", Quiet())), lambda: read_task("topic", "hub:a/b")):
        with pytest.raises(InputError, match=r"data set 'a/b' names a file that isn't its own: .*Choose another"):
            read()
