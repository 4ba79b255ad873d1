"""Everything else that a recipe can say, folded away: one control a key, made from the recipe's own fields."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from core.recipe import Corpus, Method, Recipe, Schedule, Targets
from core.resolve import Pick
from core.rules import Rule
from gui.draft import Draft
from gui.pages.setup.field_words import group_of, label_of
from gui.pages.setup.fields import FieldControl, FieldForm
from gui.pages.setup.section import Section
from gui.targets import AXES
from gui.theme import set_role
from gui.widgets.label import Label

_TABLES: dict[str, type[Any]] = {
    "": Recipe,
    "method": Method,
    "schedule": Schedule,
    "corpus": Corpus,
    "targets": Targets,
}
_ELSEWHERE = {
    "corpus.sources",
    "method.preset",
    "targets.vocabulary_coverage",
    *(f"targets.{key}" for key in AXES),
}
"""Keys that other parts of the page set."""


def more_keys() -> dict[str, list[tuple[str, Rule]]]:
    """The keys of this part with their rules, by table."""
    found: dict[str, list[tuple[str, Rule]]] = {}
    for table, kind in _TABLES.items():
        for entry in fields(kind):
            key = f"{table}.{entry.name}" if table else entry.name
            if "rule" in entry.metadata and key not in _ELSEWHERE:
                found.setdefault(table, []).append((key, entry.metadata["rule"]))
    return found


class MoreSection(Section):
    """What beginners can leave alone."""

    def __init__(self, draft: Draft) -> None:
        super().__init__("", "more", draft)
        self.set_title(self.tr("More"))
        self._forms: list[FieldForm] = []

    def opened(self) -> None:
        """Make the controls, the first time."""
        if self._forms:
            return
        for table, entries in more_keys().items():
            heading = Label(group_of(table), self)
            set_role(heading, "strong")
            self.body.addWidget(heading)
            form = FieldForm(entries, self._read, self.draft.set, self)
            form.judged.connect(self.judged)
            self._forms.append(form)
            self.body.addWidget(form)

    @property
    def wrong(self) -> list[FieldControl]:
        """The fields that hold something that can't be used."""
        return [control for form in self._forms for control in form.wrong]

    def field(self, key: str) -> FieldControl | None:
        """The control of a key, once it is made."""
        return next((form.controls[key] for form in self._forms if key in form.controls), None)

    def refresh(self) -> None:
        """Show what the draft holds."""
        keys = [key for entries in more_keys().values() for key, _ in entries]
        given = [label_of(key) for key in keys if self.draft.value(key) is not None]
        if given:
            self.set_summary(self.tr("Set here: {}").format(", ".join(given)))
        else:
            self.set_summary(
                self.tr("Method, schedule and names: the preset decides. Nothing needs to be set here."), todo=True
            )
        for form in self._forms:
            form.refresh()

    def _read(self, key: str) -> tuple[Any, Any, Pick | None]:
        return self.draft.value(key), self.draft.default(key), self.draft.decided(key)
