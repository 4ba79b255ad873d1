"""What a run writes of its recipe, and finds again."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from core.errors import InputError, Stopped
from core.events import Event, Stage
from core.recipe import load
from core.recipe_text import reasons_in
from core.run import RunFolder
from core.session import execute
from resources import sample
from tests.journeys import journey, recipe


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


def test_a_run_that_was_cut_off_before_it_began_says_so(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    folder.original_recipe.touch()
    for text in (recipe(), folder.given_recipe()):
        with pytest.raises(InputError, match="before it began"):
            execute(folder, original=text, base=tmp_path, resume=True)
