"""Scores of a teacher that was changed are never mixed into a run: between a stop and a resume, or during it."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file, save_file

from benchmarks.torture import injuries
from core import evaluation
from core.context import Quiet
from core.errors import InputError
from core.evaluation import evaluate_model
from core.events import Event, Stage
from core.models import load
from core.recipe import parse
from core.run import RunFolder
from resources import sample
from tests.journeys import journey

_SHORT = """
[teacher]
model = "teacher"
[language]
code = "mlt"
[corpus]
sources = ["sample"]
limit = 60
max_length = 16
[targets]
layers = 2
[method]
layer_selection = "last"
[schedule]
distil_steps = 1
learning_rate = 1e-4
batch_tokens = 128
device = "cpu"
precision = "float32"
threads = 1
"""


class PowerCut(BaseException):
    """Ends a run without asking."""


class _OwnTeacher:
    """A run whose teacher is a folder of its own."""

    def __init__(self, place: Path) -> None:
        self.folder, self.run = place / "teacher", RunFolder(place / "run")
        shutil.copytree(sample.teacher_folder(), self.folder)

    def journey(self, listen: Callable[[Event], None] | None = None) -> dict[str, Any]:
        return journey(self.run.path, text=_SHORT, resume=self.run.path.exists(), listen=listen)


@pytest.fixture
def own(tmp_path: Path) -> _OwnTeacher:
    return _OwnTeacher(tmp_path)


def _at(stage: str, do: Callable[[], None]) -> Callable[[Event], None]:
    return lambda event: do() if event == Stage(name=stage, state="started") else None


def _cut() -> None:
    raise PowerCut


@pytest.mark.parametrize("name", ["model.safetensors", "vocab.txt"])
def test_another_teacher_than_the_run_began_with_is_refused(own: _OwnTeacher, name: str) -> None:
    if name == "vocab.txt":
        tokenizer = own.folder / "tokenizer.json"
        ids = json.loads(tokenizer.read_text("utf-8"))["model"]["vocab"]
        (own.folder / name).write_text("\n".join(sorted(ids, key=ids.__getitem__)), "utf-8")
        (own.folder / "tokenizer_config.json").write_text('{"tokenizer_class": "BertTokenizer"}', "utf-8")
        tokenizer.unlink()
    with pytest.raises(PowerCut):
        own.journey(_at("evaluate", _cut))
    old = (own.folder / name).read_bytes()
    if name == "vocab.txt":
        (own.folder / name).write_bytes(b"\n".join(reversed(old.splitlines())))
    else:
        injuries.flip_a_bit(own.folder / name)
    with pytest.raises(InputError, match="have changed since the run began"):
        own.journey()
    (own.folder / name).write_bytes(old)
    with pytest.raises(PowerCut):  # it goes on
        own.journey(_at("evaluate", _cut))


def test_another_teacher_than_is_being_compressed_is_refused_during_the_run(own: _OwnTeacher) -> None:
    """Renamed over, so that what is loaded anew is another model, of the same shape."""
    weights, old = own.folder / "model.safetensors", own.folder.parent / "old"
    shutil.copy2(weights, old)
    other = {key: tensor.flip(0).contiguous() for key, tensor in load_file(weights).items()}

    def replace_weights() -> None:
        save_file(other, own.folder / "new", {"format": "pt"})
        os.replace(own.folder / "new", weights)

    with pytest.raises(InputError, match="have changed since the run began") as caught:
        own.journey(_at("evaluate", replace_weights))
    assert caught.value.faults[0].hint == "Put the old files back and resume, or start a new run."
    assert own.run.read_stage("layers") and not own.run.results.exists()
    os.replace(old, weights)
    heard: list[Event] = []
    own.journey(heard.append)
    assert {event.name for event in heard if isinstance(event, Stage)} == {"evaluate"}


def test_a_model_that_changes_while_it_is_measured_is_refused(
    own: _OwnTeacher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def load_and_change(folder: Path) -> Any:
        found = load(folder)
        injuries.flip_a_bit(folder / "model.safetensors")
        return found

    monkeypatch.setattr(evaluation, "load", load_and_change)
    with pytest.raises(InputError, match="have changed while they were measured") as caught:
        evaluate_model(own.folder, parse(_SHORT), tmp_path, Quiet())
    assert caught.value.faults[0].hint == "Measure the model again."
