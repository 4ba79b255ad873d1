"""The paper's published scores, with the sizes of its models as far as they are told. No torch."""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import resources
from core.analysis.size import estimate
from core.languages import check_language
from core.teachers import KnownTeacher, known_teacher

TOPIC = "topic"
"""The kind of task that the scores of single models are of."""


@dataclass(frozen=True, slots=True)
class PublishedPoint:
    """A score of one of the paper's models."""

    label: str
    """What is told of the model."""
    language: str | None
    """ISO 639-3; None: not told."""
    score: float
    """F1, 0-100."""
    parameters: tuple[int, int]
    """The fewest and the most that the model may have had, by its architecture; equal where it is known."""


@dataclass(frozen=True, slots=True)
class Published:
    """Points that may stand behind one's own."""

    title: str
    """What the scores are, and what isn't known of the sizes."""
    source: str
    points: tuple[PublishedPoint, ...]


def published_for(kinds: Collection[str], language: str) -> Published:
    """The paper's points that come nearest to scores on tasks of these kinds.

    Args:
        kinds: of the tasks.
        language: ISO 639-3.
    """
    return published_topic() if set(kinds) == {TOPIC} else published_average(language)


@cache
def published_topic() -> Published:
    """Topic classification of single models, in one language that isn't told."""
    paper = _paper()
    reduced, points = paper["reduced"], []
    for entry in paper[TOPIC]:
        teacher = _known(entry["teacher"])
        hidden = entry.get("hidden")
        if hidden is None:
            whole = _parameters(teacher, None, None, None)
            points.append(PublishedPoint(f"{teacher.title}, not compressed", None, entry["f1"], (whole, whole)))
            continue
        ends = tuple(_parameters(teacher, reduced, hidden, size) for size in (reduced["vocabulary"], None))
        points.append(PublishedPoint(f"{teacher.title}, hidden {hidden}", None, entry["f1"], (ends[0], ends[1])))
    title = (
        "F1 of topic classification in one language, adapters of reduction factor 2; sizes from the paper's "
        f"vocabulary of {reduced['vocabulary']:,} to the teacher's own, as which one was used isn't told"
    )
    return Published(title, paper["source"], tuple(points))


@cache
def published_average(language: str) -> Published:
    """F1 averaged over tasks, by size of the vocabulary.

    Args:
        language: ISO 639-3; where the paper has no such language, the points are of all that it has.
    """
    paper = _paper()
    average, reduced = paper["average"], paper["reduced"]
    teachers = [_known(name) for name in dict.fromkeys(entry["teacher"] for entry in paper[TOPIC])]
    of = [language] if language in average["f1"] else list(average["f1"])
    points = []
    for code in of:
        for vocabulary, score in zip(average["vocabulary"], average["f1"][code], strict=True):
            sizes = [
                _parameters(teacher, reduced, hidden, vocabulary or None)
                for teacher in teachers
                for hidden in reduced["hidden"]
            ]
            tokens = f"{vocabulary:,} tokens" if vocabulary else "vocabulary not cut"
            points.append(PublishedPoint(f"{check_language(code)}, {tokens}", code, score, (min(sizes), max(sizes))))
    title = "F1 averaged over tasks; sizes over the paper's teachers and widths, as which ones were used isn't told"
    return Published(title, paper["source"], tuple(points))


def _parameters(
    teacher: KnownTeacher, reduced: Mapping[str, Any] | None, hidden: int | None, vocabulary: int | None
) -> int:
    """Exact number of parameters of a teacher cut to these sizes; None: its own."""
    cut = reduced or {}
    return estimate(
        teacher.config,
        layers=cut.get("layers"),
        feed_forward=cut.get("feed_forward"),
        heads=cut.get("heads"),
        hidden=hidden,
        vocabulary=vocabulary,
        hidden_reduction="truncate",
        vocabulary_order="last",
    ).student.parameters


def _known(name: str) -> KnownTeacher:
    found = known_teacher(name)
    if found is None:
        raise LookupError(f"resources/teachers.toml lacks {name}")
    return found


@cache
def _paper() -> dict[str, Any]:
    return tomllib.loads((Path(resources.__file__).parent / "paper.toml").read_text(encoding="utf-8"))
