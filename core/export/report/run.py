"""All that the page tells of a run, read from its folder once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from core import recipe as recipes
from core.errors import InputError
from core.events import Event
from core.languages import check_language
from core.recipe import Recipe
from core.recipe_text import reasons_in
from core.run import RunFolder
from core.wording import STAGES


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A run, finished or not; what older runs or unfinished ones lack is empty."""

    recipe: Recipe
    reasons: Mapping[str, str]
    """Why a setting that was left open became what it is, by key."""
    status: Mapping[str, Any]
    results: Mapping[str, Any]
    """results.json; empty before the end."""
    events: Sequence[Event]
    origin: Mapping[str, Any]
    """What was read, see `core.origin`."""
    estimate: Mapping[str, Any]
    details: Mapping[str, Any]
    """Where tasks fail, by task."""
    stages: Mapping[str, Mapping[str, Any]]
    """Reports of the stages that are done, by name."""

    @property
    def language(self) -> str:
        """Its name in English."""
        try:
            return check_language(self.recipe.language.code)
        except InputError:  # a run of a version that knew this code
            return self.recipe.language.code

    @property
    def tasks(self) -> Mapping[str, Mapping[str, Any]]:
        """Scores by task."""
        return self.results.get("tasks") or {}


def read_run(folder: RunFolder) -> Run:
    """What there is of a run.

    Raises:
        InputError: there is no run in the folder.
    """
    if not folder.recipe.is_file():
        raise InputError(f"There is no run in {folder.path}.", hint="Give the folder that holds recipe.toml.")
    written = recipes.read(folder.recipe)
    reports = {name: folder.read_stage(name) for name in STAGES}
    return Run(
        recipe=recipes.parse(written, origin=str(folder.recipe)),
        reasons=reasons_in(written),
        status=folder.read_status(),
        results=folder.read_results() if folder.results.is_file() else {},
        events=[event for _, event in folder.read_events()],
        origin=folder.read_origin(),
        estimate=folder.read_estimate(),
        details=folder.read_details(),
        stages={name: report for name, report in reports.items() if report},
    )
