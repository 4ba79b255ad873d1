"""The recipes that are tortured: short ones of the built-in sample that write a checkpoint at every step. No torch."""

from __future__ import annotations

import shutil
from pathlib import Path

import resources
from resources import sample

_SCHEDULE = """
[schedule]
distil_steps = {steps}
batch_tokens = 512
evaluate_every = 2
checkpoint_minutes = 0
device = "cpu"
precision = "float32"
threads = 1
"""
_WHOLE = """
name = "{name}"
[teacher]
model = "sample"
adapt_steps = {adapt_steps}
[language]
code = "mlt"
[corpus]
sources = ["sample"]
limit = 300
validation_fraction = 0.05
max_length = 32
[targets]
layers = 2
intermediate_size = 256
hidden_size = 64
vocabulary_size = 700
[method]
{method}
""" + _SCHEDULE + """
[[tasks]]
kind = "topic"
source = "sample"
method = "probe"
seeds = [1, 2]
epochs = 2
[[tasks]]
kind = "pos"
source = "sample"
seeds = [1]
epochs = 1
"""  # fmt: skip
_OUTSIDE = """
name = "outside"
[teacher]
model = "teacher"
[language]
code = "mlt"
[corpus]
sources = ["texts.txt"]
limit = 200
validation_fraction = 0.05
max_length = 32
[targets]
layers = 2
intermediate_size = 256
hidden_size = 64
vocabulary_size = 900
[method]
distil_after = "each"
""" + _SCHEDULE.format(steps=4) + """
[[tasks]]
kind = "topic"
source = "topic"
method = "probe"
seeds = [1]
epochs = 2
"""  # fmt: skip


def whole(name: str, *, method: str, adapt_steps: int, steps: int) -> str:
    """A recipe of every stage; `method` are lines for [method]."""
    return _WHOLE.format(name=name, method=method, adapt_steps=adapt_steps, steps=steps)


def rounds() -> str:
    """Every stage, adaptation and cuts in rounds of learning included."""
    return whole("rounds", method='distil_after = "each"\nrounds = 2', adapt_steps=6, steps=8)


def tiny() -> str:
    """The sample's tiny recipe, with a checkpoint at every step."""
    text = (Path(resources.__file__).parent / "sample" / "recipe-tiny.toml").read_text(encoding="utf-8")
    return text.replace("threads = 1", "threads = 1\ncheckpoint_minutes = 0")


def outside(folder: Path) -> Path:
    """A recipe whose teacher, text and task lie in a folder beside it, to be changed; returns its path."""
    folder.mkdir(parents=True)
    shutil.copytree(sample.teacher_folder(), folder / "teacher")
    shutil.copyfile(sample.corpus_file(), folder / "texts.txt")
    shutil.copytree(sample.task_folder("topic"), folder / "topic")
    path = folder / "recipe.toml"
    path.write_text(_OUTSIDE, encoding="utf-8")
    return path
