"""Where a task's labelled data comes from: a folder, the hub, or the built-in sample. No torch."""

from __future__ import annotations

import os
from pathlib import Path

from core.errors import Fault, InputError
from core.tasks.examples import SPLITS, SplitRead, TaskData, TextExample, TokenExample, assemble
from core.tasks.formats import read_examples
from core.tasks.hub import full_source, read_hub
from core.tasks.kinds import KINDS, kind_of
from core.tasks.schemes import to_iob2
from resources import sample

__all__ = ["KINDS", "TaskData", "TextExample", "TokenExample", "load_task", "task_faults"]


def load_task(kind: str, source: str, base: Path, language: str = "mlt") -> TaskData:
    """The examples of a task.

    Args:
        kind: one of `KINDS`.
        source: a folder with train, validation and test (absolute, or relative to `base`), "hub:NAME",
            "hub:NAME:CONFIG" or "sample".
        base: the recipe's folder.
        language: ISO 639-3 code; which language of the sample, or of a known hub set without a configuration.

    Raises:
        InputError: there is no such data, or it is not as it should be; all files' faults at once.
    """
    kind_of(kind)
    if source.startswith("hub:"):
        return assemble(kind, read_hub(kind, full_source(kind, source, language)))
    return assemble(kind, _read_folder(kind, _folder(kind, source, base, language)))


def task_faults(kind: str, source: str, base: Path, language: str = "mlt") -> list[Fault]:
    """What keeps a task from running, found before anything is downloaded: hub data is not looked at."""
    try:
        kind_of(kind)
        if source.startswith("hub:"):
            full_source(kind, source, language)
        else:
            load_task(kind, source, base, language)
    except InputError as error:
        return list(error.faults)
    return []


def _folder(kind: str, source: str, base: Path, language: str) -> Path:
    if source == "sample":
        if language not in sample.LANGUAGES:
            raise InputError(
                f"The built-in sample has no tasks in the language {language!r}.",
                hint=f"Choose one of its languages ({', '.join(sample.LANGUAGES)}), or give a folder.",
            )
        return sample.task_folder(kind, language)
    # os.path where Path's methods raise: an unknown user's home, a name that is too long.
    folder = base / os.path.expanduser(source)
    if not os.path.isdir(folder):
        raise InputError(
            f"There is no folder {folder}.",
            hint='Choose the folder that holds train, validation and test, or write "hub:NAME" for hub data.',
        )
    return folder


def _read_folder(kind: str, folder: Path) -> dict[str, SplitRead]:
    suffix = KINDS[kind].suffix
    splits: dict[str, SplitRead] = {}
    faults: list[Fault] = []
    for split in SPLITS:
        path = folder / f"{split}{suffix}"
        try:
            if not path.is_file():
                raise _missing(kind, path)
            splits[split] = _read_file(kind, path)
        except InputError as error:
            faults.extend(error.faults)
    if faults:
        raise InputError.of(faults)
    return splits


def _read_file(kind: str, path: Path) -> SplitRead:
    placed = read_examples(path)
    if kind != "ner":
        return SplitRead(str(path), placed)
    return SplitRead(str(path), *to_iob2(str(path), placed, mend=False))


def _missing(kind: str, path: Path) -> InputError:
    """A split that isn't there, perhaps because the data are another kind's."""
    others = sorted(
        f"{path.stem}{other.suffix}" for other in KINDS.values() if path.with_suffix(other.suffix).is_file()
    )
    held = f"{path.parent} holds {others[0]}, but no {path.name}" if others else f"{path.parent} holds no {path.name}"
    return InputError(f"{held}.", hint=f"A task of the kind {kind} reads {', '.join(s + path.suffix for s in SPLITS)}.")
