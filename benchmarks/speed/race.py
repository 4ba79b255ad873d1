"""Who is sooner at a validation loss, the reference or we: the sides one after the other. No torch."""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.speed.children import ROOT, ask
from benchmarks.speed.page import race_table
from benchmarks.speed.results import keep
from benchmarks.speed.texts import MEAN, drawn_lengths, joined, read_lines
from core.errors import InputError
from core.preflight import teacher_here
from core.recipe_text import mapping_to_toml
from core.run import RunFolder
from core.sealing import write_atomic
from core.sources import check_model_folder
from core.trim import tokenizer_without_torch

TRAIN, HELD_OUT = "train.txt", "held-out.txt"
"""Texts and lines that both sides read."""
_HELD_OUT = 20
"""One line in so many is validated on."""
COMPARED = (
    "Both are validated on the same texts and masked places: held-out lines whose tokens are all kept, joined; and "
    "over the kept tokens only, the reference's student being trimmed to them for it. Clocks stand still while models "
    "are loaded and validated, and while the corpus is read and cleaned; the reference's also while it is tokenised. "
    "Ours counts all else that a run does before its last step: the vocabulary's choice and proof, tokenising, the "
    "choice of layers, the trials of learning rates with their validations, and its own first validation."
)


def run(options: argparse.Namespace) -> int:
    """Prepare what both sides share, let them learn, and show the curves."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = (options.work or Path(scratch)).absolute()
        folder.mkdir(parents=True, exist_ok=True)
        setting = _setting(options, folder)
        _write_texts(options, folder)
        setting["teacher"] = str(_teacher(options, folder))
        found = {"kind": "race", **_told(options), "compared": COMPARED}
        for side in ("reference", "ours"):
            print(f"{side} …", file=sys.stderr, flush=True)
            shutil.rmtree(folder / side, ignore_errors=True)
            # A cache of its own: what an earlier run tokenised and counted is to be done again.
            with tempfile.TemporaryDirectory() as cache:
                found[side] = ask(f"benchmarks.speed.race_{side}", setting, {"XDG_CACHE_HOME": cache})
    found["reached"] = reached(found["reference"], found["ours"])
    keep(found, options.out)
    print(race_table(found))
    return 0


def reached(reference: Mapping[str, Any], ours: Mapping[str, Any]) -> dict[str, float] | None:
    """Where ours is first validated at the reference's last loss or below; None where it never is."""
    target = reference["curve"][-1]["loss"]
    for point in ours["curve"]:
        if point["loss"] <= target:
            return {**point, "times_sooner": reference["curve"][-1]["seconds"] / point["seconds"]}
    return None


def _setting(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """What the sides are told."""
    return {
        "folder": str(folder),
        "steps": options.steps,
        "batch": options.batch,
        "our_steps": options.our_steps or max(1, round(options.steps * options.batch * MEAN / options.batch_tokens)),
        "batch_tokens": options.batch_tokens,
        "vocabulary": options.vocabulary,
        "language": options.language,
        "precision": options.precision,
        "seed": options.seed,
    }


def _told(options: argparse.Namespace) -> dict[str, Any]:
    """What the result says of how it was made."""
    names = ("steps", "batch", "batch_tokens", "vocabulary", "precision", "adapt_steps", "seed")
    model, text = (f"{path.parent.name}/{path.name}" for path in (options.teacher.absolute(), options.text.absolute()))
    return {"model": model, "text": text, **{name: getattr(options, name) for name in names}}


def _write_texts(options: argparse.Namespace, folder: Path) -> None:
    """Lines to validate on as they are, and all others joined to texts."""
    config = check_model_folder(options.teacher, weights=False)
    lines: list[str] = []
    held_out: list[str] = []
    for number, line in enumerate(read_lines(options.text)):
        (lines if number % _HELD_OUT else held_out).append(line)
    aims = drawn_lengths(len(lines), options.seed)
    texts = joined(lines, aims, tokenizer_without_torch(options.teacher, config))
    for name, content in ((TRAIN, texts), (HELD_OUT, held_out)):
        write_atomic(folder / name, "".join(f"{line}\n" for line in content).encode())


def _teacher(options: argparse.Namespace, folder: Path) -> Path:
    """The folder of a teacher with a masked-language head: as it is given, or adapted by a run of ours."""
    given: Path = options.teacher.absolute()
    here = teacher_here(str(given), folder)
    if here is None:
        raise InputError(f"There is no model in {given}.", hint="Check the path.")
    if not options.adapt_steps:
        if not here.has_head:
            raise InputError("The model has no masked-language head.", hint="Set --adapt-steps to a few hundred.")
        return given
    run = RunFolder(folder / "adapted")
    if run.read_status().get("state") != "finished":
        recipe = folder / "adapt.toml"
        content = {
            "teacher": {"model": str(given), "adapt_steps": options.adapt_steps},
            "language": {"code": options.language},
            "corpus": {"sources": [str(folder / TRAIN)]},
            "schedule": {"batch_tokens": 2048, "device": "cpu"},
        }
        write_atomic(recipe, mapping_to_toml(content).encode())
        resume = ["--resume"] if run.original_recipe.exists() else []
        print("adapting the teacher …", file=sys.stderr, flush=True)
        command = [sys.executable, "-m", "core.cli", "run", str(recipe), "--out", str(run.path), *resume]
        if subprocess.run(command, cwd=ROOT, stdout=sys.stderr, check=False).returncode:
            raise InputError("The teacher could not be adapted.", hint="See what the run said above.")
    return run.student
