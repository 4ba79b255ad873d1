"""What a run writes of its recipe, and finds again."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pytest
from finished_run import finished_run

from benchmarks.torture.injuries import move_away
from core.errors import InputError, Stopped
from core.events import Event, Stage
from core.recipe import load
from core.recipe_text import reasons_in
from core.run import RunFolder
from core.session import execute
from resources import sample
from tests.journeys import journey, recipe

_PLACES = ("lock", "events.jsonl", "status.json", "control", "recipe.toml", "manifest.json", "results.json", "cache",
          "cache/corpus", "stages", "stages/01-vocabulary", "student", "checkpoint")  # fmt: skip


def _stop_at_once(folder: RunFolder, *, resume: bool) -> bytes:
    """Start or resume a run, stop it in its first stage, and return its recipe.toml."""

    def stop(event: Event) -> None:
        if isinstance(event, Stage):
            folder.ask("stop")

    with pytest.raises(Stopped):
        journey(folder.path, text=recipe('distil_after = "all"'), resume=resume, listen=stop)
    return folder.recipe.read_bytes()


def test_a_resumed_run_keeps_its_choices_and_their_reasons(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    written = _stop_at_once(folder, resume=False)
    reasons = reasons_in(written.decode())
    assert {"method.hidden_reduction", "method.rounds", "targets.attention_heads", "schedule.decay"} <= reasons.keys()
    assert not {"method.distil_after", "targets.layers", "schedule.device"} & reasons.keys()
    assert _stop_at_once(folder, resume=True) == written
    assert load(folder.recipe).method.distil_after == "all"


def test_choices_that_were_not_made_yet_are_made_on_resuming(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    written = _stop_at_once(folder, resume=False)
    # As it lies there while torch is being loaded.
    folder.recipe.write_bytes(folder.original_recipe.read_bytes())
    assert _stop_at_once(folder, resume=True) == written


def _resumed(folder: RunFolder) -> None:
    execute(folder, original=folder.given_recipe(), base=folder.path, resume=True)


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
@pytest.mark.parametrize("place", _PLACES)
def test_a_resumed_run_follows_no_link_out_of_its_folder(tmp_path: Path, place: str) -> None:
    folder, outside = finished_run(tmp_path / "run"), tmp_path / "outside"
    path = folder.path / place
    move_away(path, outside)
    before = {file: file.read_bytes() for file in outside.rglob("*") if file.is_file()}
    with pytest.raises(InputError, match=f"{place} is a link") as caught:
        _resumed(folder)
    assert "then resume" in caught.value.faults[0].hint
    assert path.is_symlink() and {file: file.read_bytes() for file in before} == before


@pytest.mark.parametrize("place", [place for place in _PLACES if place != "cache/corpus"])
def test_what_stands_in_the_wrong_place_is_named(tmp_path: Path, place: str) -> None:
    folder = finished_run(tmp_path / "run")
    path, is_file = folder.path / place, place.split("/")[0] in ("cache", "stages", "student", "checkpoint")
    if path.exists():
        path.rename(tmp_path / "away")
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"") if is_file else path.mkdir()
    with pytest.raises(InputError, match=f"{place} is a {'file' if is_file else 'folder'}, and a run keeps"):
        _resumed(folder)


def test_a_run_that_was_cut_off_as_it_began_is_told(tmp_path: Path) -> None:
    RunFolder(tmp_path).original_recipe.touch()
    with pytest.raises(InputError, match="cut off as it began") as caught:
        RunFolder(tmp_path).given_recipe()
    assert "Delete the folder" in caught.value.faults[0].hint


def test_a_runs_own_recipe_starts_where_it_was_begun(tmp_path: Path) -> None:
    folder, base = RunFolder(tmp_path / "run"), tmp_path / "project"
    shutil.copytree(sample.teacher_folder(), base / "teacher")
    shutil.copy(sample.corpus_file(), base / "a.txt")
    text = recipe().replace('model = "sample"', 'model = "teacher"').replace('["sample"]', '["*.txt"]')
    assert '"teacher"' in text and '"*.txt"' in text

    def stop(event: Event) -> None:
        if isinstance(event, Stage):
            folder.ask("stop")

    def go(start: Path, *, resume: bool) -> bytes:
        with pytest.raises(Stopped):
            execute(folder, original=text, base=start, resume=resume, listen=stop)
        return folder.recipe.read_bytes()

    written = go(base, resume=False)
    folder.recipe.write_bytes(b"#")
    assert go(folder.path, resume=True) == written

    # A run of a version that kept no note of it.
    manifest = folder.path / "manifest.json"
    noted = json.loads(manifest.read_text())
    manifest.write_text(json.dumps({"files": noted["files"]}))
    assert go(folder.path, resume=True) == written
    folder.recipe.write_bytes(b"#")
    with pytest.raises(InputError, match="isn't known") as caught:
        go(folder.path, resume=True)
    assert "monoglot run RECIPE --resume" in caught.value.faults[0].hint
