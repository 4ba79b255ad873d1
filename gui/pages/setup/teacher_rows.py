"""The teachers that the set-up lists, with what is known of each. No widgets; read off the window's thread."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from core.analysis.size import estimate
from core.errors import InputError
from core.sources import check_model_folder, local_folder
from core.teachers import KnownTeacher, known_teachers, on_this_machine


@dataclass(frozen=True, slots=True)
class Row:
    """A teacher in the list; None where it isn't known."""

    source: str
    title: str
    parameters: int | None
    megabytes: float | None
    languages: int | None
    licence: str
    here: bool


def rows(recent: Sequence[str]) -> tuple[Row, ...]:
    """The sample, the known teachers by size, and those of the recent folders that still hold one."""
    known = sorted(map(_known_row, known_teachers()), key=lambda row: row.parameters or 0)
    folders = [row for source in recent if (row := _folder_row(source)) is not None]
    return (*filter(None, [_folder_row("sample")]), *known, *folders)


def _known_row(teacher: KnownTeacher) -> Row:
    size = estimate(teacher.config, hidden_reduction="truncate", vocabulary_order="first").teacher
    # The hub's cache knows a model only by the name that it was downloaded by.
    here = next(filter(on_this_machine, teacher.names), None)
    return Row(
        here or teacher.names[0],
        teacher.title,
        size.parameters,
        size.megabytes,
        teacher.languages,
        teacher.licence,
        here is not None,
    )


def _folder_row(source: str) -> Row | None:
    """A folder's row; None where it is no model's any more."""
    try:
        folder = local_folder(source, Path.home())
        assert folder is not None
        config = check_model_folder(folder, weights=False)
        size = estimate(config, hidden_reduction="truncate", vocabulary_order="first").teacher
    except InputError:
        return None
    languages = 4 if source == "sample" else None
    licence = "apache-2.0" if source == "sample" else ""
    return Row(source, short_name(source), size.parameters, size.megabytes, languages, licence, True)


def short_name(model: str) -> str:
    """A hub name as it is; a folder by its last two names."""
    path = Path(model)
    return "/".join(path.parts[-2:]) if path.is_absolute() else model
