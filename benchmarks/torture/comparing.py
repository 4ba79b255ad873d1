"""Whether a run that was disturbed ended as one that nobody touched. No torch."""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

from core.events import Done, Event, Message, Progress
from core.run import RunFolder

_LEFTOVERS = (".new", ".old", ".taken")


def student_bytes(folder: Path) -> dict[str, bytes]:
    """Every file of the finished model."""
    files = sorted((folder / "student").rglob("*"))
    return {str(path.relative_to(folder / "student")): path.read_bytes() for path in files if path.is_file()}


def timeless(folder: Path) -> dict[str, Any]:
    """results.json without what may differ from run to run."""
    results = json.loads((folder / "results.json").read_text(encoding="utf-8"))
    del results["throughput"]
    for stage in results["stages"]:
        del stage["seconds"]
    return dict(results)


def told(folder: RunFolder) -> list[Event]:
    """What events.jsonl tells besides progress and messages, which depend on the clock and on stops."""
    return [event for _, event in folder.read_events() if not isinstance(event, (Progress, Message, Done))]


def leftovers(folder: Path) -> list[str]:
    """Files and folders that were to be there for a moment only."""
    found = (path for path in folder.rglob("*") if path.name.startswith(".") and path.suffix in _LEFTOVERS)
    return sorted(path.relative_to(folder).as_posix() for path in found)


def differences(
    folder: RunFolder, whole: RunFolder, *, events: bool = True, without: Collection[str] = ()
) -> list[str]:
    """What differs between a run and the undisturbed one; nothing where all is well.

    Args:
        folder: the run that was disturbed.
        whole: the one that wasn't.
        events: whether what the log tells must be the same too.
        without: files of the student that may differ.
    """
    if folder.read_status().get("state") != "finished":
        return [f"its status says {folder.read_status().get('state')}"]
    if not folder.results.is_file():
        return ["it has no results.json"]
    ours, theirs = student_bytes(folder.path), student_bytes(whole.path)
    found = [
        f"student/{name}"
        for name in sorted(ours.keys() | theirs.keys())
        if name not in without and ours.get(name) != theirs.get(name)
    ]
    if timeless(folder.path) != timeless(whole.path):
        found.append("results.json")
    if events and told(folder) != told(whole):
        found.append("events.jsonl")
    return found + [f"left behind: {name}" for name in leftovers(folder.path)]


def finished_stages(folder: RunFolder) -> dict[str, bytes]:
    """The reports of the stages that are done, by the names of their folders; a report holds when its stage ended."""
    return {path.parent.name: path.read_bytes() for path in folder.stages.glob("[0-9][0-9]-*/report.json")}


def redone(before: dict[str, bytes], folder: RunFolder) -> list[str]:
    """Stages that were done before and aren't any more, or were done again."""
    now = finished_stages(folder)
    return sorted(name for name, report in before.items() if now.get(name) != report)
