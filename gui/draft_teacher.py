"""What is known of the draft's teacher on this machine: looked up off the window's thread."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, Signal

from core.analysis.duration import Prediction
from core.analysis.preview import recipe_sizes
from core.analysis.size import Estimate
from core.errors import Fault, InputError
from core.families import Sizes, family_of
from core.known_speed import distils, known_prediction
from core.recipe import Recipe
from core.resolve import Pick, choices
from core.teachers import config_here, known_teacher
from gui.lookup import Lookup

Forecast = partial[tuple[bool, Prediction | None]]
"""Whether a run distils at all, and how long it takes where that is known."""


class DraftTeacher(QObject):
    """Follows the teacher's name; knows the sizes of those that are known or here."""

    found = Signal()
    """What was looked up is known now, or that it can't be."""

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._asked: tuple[str, Path] | None = None
        self._config: Mapping[str, Any] | None = None
        self.sizes: Sizes | None = None
        """Where they are known on this machine."""
        self.faults: tuple[Fault, ...] = ()
        """Why it can't be used, as far as its configuration tells."""
        self.looking = False
        """Whether its sizes are being looked up."""
        self._cost: tuple[object, tuple[float, float] | None] = None, None
        self._lookup = Lookup(self)
        self._lookup.found.connect(self._take)

    def follow(self, model: object, base: Path) -> bool:
        """Turn to a teacher by what the recipe calls it; returns whether it is another, and known at once."""
        asked = (model, base) if isinstance(model, str) else None
        if asked == self._asked:
            return False
        self._asked = asked
        self._lookup.forget()
        known = known_teacher(model) if isinstance(model, str) else None
        self._know(known.config if known is not None else None)
        if asked is not None and known is None:
            self.looking = True
            self._lookup.ask(partial(_find_config, *asked))
        return known is not None

    def forget(self) -> None:
        """Look anew when it is turned to next: it may have been mended."""
        self._asked = None

    def estimate(self, recipe: Recipe, vocabulary: int | None) -> Estimate | None:
        """The sizes that a recipe gives with so many tokens; None while the teacher's aren't known.

        Raises:
            InputError: impossible targets.
        """
        return None if self._config is None else recipe_sizes(self._config, recipe, vocabulary)

    def forecast(self, recipe: Recipe, base: Path, sizes: Estimate) -> Forecast | None:
        """What tells a run's time and memory; None while the teacher's sizes aren't known."""
        return None if self._config is None else partial(_forecast, recipe, base, self._config, sizes)

    def choices(self, recipe: Recipe) -> Mapping[str, Pick]:
        """What "auto" becomes in a recipe for this teacher; nothing while its sizes aren't known."""
        if self._config is None or self.sizes is None:
            return {}
        return choices(recipe.method.preset, family_of(self._config))

    def cost(self, recipe: Recipe) -> tuple[float, float] | None:
        """The student's megabytes without any token, and those of each token: it is linear in its vocabulary.

        Returns:
            None where the teacher's sizes aren't known or the targets don't fit it.
        """
        # Kept, as a slider asks at every move: the vocabulary doesn't change it.
        targets = replace(recipe.targets, vocabulary_size=None, vocabulary_coverage=None, vocabulary_multiple=1)
        asked = (self._asked, targets, recipe.method.hidden_reduction)
        if self._cost[0] != asked:
            self._cost = asked, self._cost_of(replace(recipe, targets=targets))
        return self._cost[1]

    def _cost_of(self, recipe: Recipe) -> tuple[float, float] | None:
        own = self.sizes.vocabulary if self.sizes is not None else 0
        try:
            some, all_ = (self.estimate(recipe, size) for size in (1, own))
        except InputError:
            return None
        if some is None or all_ is None:
            return None
        each = (all_.student.megabytes - some.student.megabytes) / max(1, own - 1)
        return some.student.megabytes - each, each

    def _take(self, found: Mapping[str, Any] | InputError | None) -> None:
        self._know(None if isinstance(found, InputError) else found)
        if isinstance(found, InputError):
            self._refuse(found)
        self.found.emit()

    def _know(self, config: Mapping[str, Any] | None) -> None:
        self.looking, self._cost = False, (None, None)
        self._config, self.sizes, self.faults = config, None, ()
        try:
            self.sizes = family_of(config).sizes(config) if config is not None else None
        except InputError as error:
            self._refuse(error)

    def _refuse(self, error: InputError) -> None:
        self._config, self.faults = None, tuple(fault.about("teacher.model") for fault in error.faults)


def _forecast(recipe: Recipe, base: Path, config: Mapping[str, Any], sizes: Estimate) -> tuple[bool, Prediction | None]:
    return distils(recipe, config, sizes), known_prediction(recipe, base, config, sizes)


def _find_config(model: str, base: Path) -> Mapping[str, Any] | InputError | None:
    """A teacher's config.json, or why it can't be used; None: it isn't on this machine."""
    try:
        return config_here(model, base)
    except InputError as error:
        return error
