"""What of a run is whole on disk: the stages that are done, and where the one that was at work goes on. No torch."""

from __future__ import annotations

import contextlib
import itertools
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from core import wording
from core.run import RunFolder
from core.sealing import MANIFEST, sealed
from core.small_files import read_object

_STATE, _MOST_BYTES = "state.json", 2**28
"""In a checkpoint, see `core.distillation.checkpoint`."""


@dataclass(frozen=True, slots=True)
class SafePoint:
    """Where a run can go on."""

    finished: tuple[str, ...] = ()
    """Stages that are done, in order."""
    at_work: str = ""
    """The stage that is to be gone on with; empty where that isn't known."""
    kept: bool = False
    """Whether a checkpoint keeps some of that stage."""
    step: int = 0
    """Of that stage's training, as the checkpoint has it; 0: it isn't counted in steps."""
    total: int = 0
    """Steps of that stage; 0 where they aren't known."""

    @property
    def is_something(self) -> bool:
        """Whether anything has been made that a resumed run needn't make again."""
        return bool(self.finished) or self.kept


def safe_point(folder: RunFolder, *, checked: bool = True) -> SafePoint:
    """What a run's folder holds that a resume takes up; what a cut-off run left half-written counts as not there.

    Args:
        folder: the run's, in which nothing is changed.
        checked: hold every byte against its hash, as a resume does, which takes seconds for a large model; else what
            has been put in its place as a whole counts, as every sealed folder has.
    """
    whole: Callable[[Path], bool] = sealed if checked else _was_sealed
    status = folder.read_status()
    # Up to the first that isn't whole, as a resume takes them: what was built on that is made again.
    there = sorted(folder.stages.glob("[0-9][0-9]-*"))
    in_order = itertools.takewhile(lambda place: place[1].name.startswith(f"{place[0]:02}-"), enumerate(there, start=1))
    kept = list(itertools.takewhile(whole, (path for _, path in in_order)))
    finished = tuple(path.name.partition("-")[2] for path in kept)
    if len(kept) < len(there):
        return SafePoint(finished)
    at_work, total = status.get("stage", ""), status.get("total", 0)
    stage, step = _checkpointed(folder) if whole(folder.checkpoint) else ("", 0)
    if not stage or stage in finished:
        return SafePoint(finished, "" if at_work in finished else at_work)
    return SafePoint(finished, stage, True, step, total if stage == at_work and total >= step else 0)


def safe_words(safe: SafePoint, name: Callable[[str], str] = wording.stage) -> str:
    """What is safe as a sentence.

    Args:
        safe: what there is.
        name: a stage's name for people.
    """
    quoted = [f"“{name(stage)}”" for stage in (*safe.finished, safe.at_work) if stage]
    done, now = quoted[: len(safe.finished)], quoted[-1] if safe.at_work else ""
    sentences = [f"{wording.listing(done)} {'is' if len(done) == 1 else 'are'} finished"] if done else []
    if safe.kept and safe.step:
        of = f" of {safe.total:,}" if safe.total else ""
        sentences.append(f"{now} goes on from step {safe.step:,}{of}")
    elif safe.kept:
        sentences.append(f"{now} goes on from its last checkpoint")
    elif now and done:
        sentences.append(f"{now} starts over")
    if not sentences:
        return "Your recipe and texts: the run had finished nothing yet, and starts over."
    return f"{'; '.join(sentences)}."


def _was_sealed(path: Path) -> bool:
    return os.path.isfile(path / MANIFEST)  # where Path.is_file raises: a folder that can't be read


def _checkpointed(folder: RunFolder) -> tuple[str, int]:
    """Stage and step of the checkpoint; nothing and 0 where it doesn't say."""
    with contextlib.suppress(OSError, ValueError, TypeError, KeyError, AttributeError):
        state = read_object(folder.checkpoint / _STATE, _MOST_BYTES)
        about = state["about"]
        # Where tasks are trained, the steps are those of one training among many.
        return str(about["stage"]), 0 if "unit" in about else int(state.get("counters", {}).get("step", 0))
    return "", 0
