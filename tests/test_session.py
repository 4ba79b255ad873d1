"""What a run writes of its recipe, and finds again."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.errors import Stopped
from core.events import Event, Stage
from core.recipe import load
from core.recipe_text import reasons_in
from core.run import RunFolder
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
