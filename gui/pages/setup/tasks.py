"""Part 5: the tasks that teacher and student are compared on."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from PySide6.QtWidgets import QFileDialog, QHBoxLayout, QLineEdit, QMenu, QPushButton

from core.known_data import KnownData
from core.tasks.kinds import KINDS
from gui.draft import Draft
from gui.icons import icon
from gui.pages.setup.corpus import fill_menu
from gui.pages.setup.fields import FieldControl
from gui.pages.setup.language import LanguageFacts
from gui.pages.setup.section import Section, plain_label
from gui.pages.setup.task_row import TaskRow
from gui.text import kind_name
from gui.theme import SPACE
from gui.widgets.drop_area import DropArea

_SPLIT = "train"


class TasksSection(Section):
    """A row a task; folders are dropped, chosen or pasted."""

    def __init__(self, draft: Draft) -> None:
        super().__init__("5", "tasks", draft)
        self.set_title(self.tr("Check"))
        self.rows: list[TaskRow] = []
        self._known: tuple[KnownData, ...] = ()
        self._build()

    @property
    def is_ready(self) -> bool:
        """Whether there is a task; a recipe can do without."""
        return bool(self.draft.tasks)

    @property
    def wrong(self) -> list[FieldControl]:
        """The fields of the tasks' settings that hold something that can't be used."""
        return [control for row in self.rows for control in row.wrong]

    def _build(self) -> None:
        self.about = plain_label("note", self)
        self.about.setText(
            self.tr(
                "Teacher and student learn each of these from examples and are scored on others. "
                "A run without them still works; it only says less."
            )
        )
        self.body.addWidget(self.about)
        buttons = QHBoxLayout()
        buttons.setSpacing(SPACE.s)
        self.button_sample = QPushButton(self.tr("Sample tasks"), self)
        self.button_sample.setToolTip(self.tr("Add the built-in sample's four tasks, in the language chosen."))
        self.button_sample.clicked.connect(self._add_sample)
        folder = QPushButton(icon("folder"), self.tr("Add a folder…"), self)
        folder.setToolTip(
            self.tr("A folder with train, validation and test: .tsv, .bio or .conllu; or a folder of such folders.")
        )
        folder.clicked.connect(self._browse)
        self.button_public = QPushButton(icon("download"), self.tr("Public checks"), self)
        self.button_public.setMenu(QMenu(self))
        self.button_public.setToolTip(self.tr("Add a public labelled data set in this language; the run downloads it."))
        self.field = QLineEdit(self)
        self.field.setObjectName("field-task")
        self.field.setPlaceholderText(self.tr("Or paste a folder, or hub:data set:configuration, then Enter"))
        self.field.setAccessibleName(self.tr("Add a task by path or name"))
        self.field.setToolTip(self.tr("A folder with train, validation and test, or a labelled data set of the hub."))
        self.field.returnPressed.connect(self._add_typed)
        for widget in (self.button_sample, folder, self.button_public, self.field):
            buttons.addWidget(widget, 1 if widget is self.field else 0)
        self.body.addLayout(buttons)
        drop = DropArea(self)
        drop.dropped.connect(self.add_paths)
        drop.leave_to_card(self.field)

    # -- what is shown -------------------------------------------------------------------------------------------

    def end(self) -> None:
        """End what is under way."""
        for row in self.rows:
            row.end()

    def opened(self) -> None:
        """Look at the data, which may have changed: while closed, the check of the whole recipe does."""
        for row in self.rows:
            row.refresh(look=True, again=True)

    def refresh(self) -> None:
        """Show the tasks that the draft holds."""
        tasks = self.draft.tasks
        while len(self.rows) > len(tasks):
            self.rows.pop().leave(self)
        while len(self.rows) < len(tasks):
            row = TaskRow(self.draft, len(self.rows), self)
            row.judged.connect(self.judged)
            self.rows.append(row)
            self.body.addWidget(row)
        for row in self.rows:
            row.refresh(look=self.is_open)
        language = self.draft.value("language.code")
        self.button_sample.setEnabled(language is None or _sample_has(language))
        if not tasks:
            self.set_summary(self.tr("Optional: add tasks to see what is lost. Drop folders here."), todo=True)
        else:
            kinds = dict.fromkeys(_shown_name(task) for task in tasks)
            self.set_summary(" · ".join(kinds))

    def show_language(self, facts: LanguageFacts | None) -> None:
        """Offer the public data sets of a language."""
        self._known = facts.tasks if facts else ()
        fill_menu(self.button_public.menu(), self._known, self._add_public)
        for action, data in zip(self.button_public.menu().actions(), self._known, strict=True):
            action.setText(f"{kind_name(data.kind)}: {action.text()}")
        self.button_public.setEnabled(bool(self._known))

    # -- what the user does --------------------------------------------------------------------------------------

    def add_paths(self, paths: Iterable[Path]) -> None:
        """Append the tasks that folders hold."""
        found: list[dict[str, Any]] = []
        for path in paths:
            folder = path if path.is_dir() else path.parent
            taken = {task["kind"] for task in (*self.draft.tasks, *found)}
            # A folder that holds none is added all the same: what is wrong with it is then told where it stands.
            found += tasks_in(folder, taken) or [{"kind": "topic", "source": str(folder)}]
        present = {(task["kind"], task["source"]) for task in self.draft.tasks}
        fresh = [task for task in found if (task["kind"], task["source"]) not in present]
        if fresh:
            self.draft.add_tasks(*fresh)
            self.open()

    def _add_sample(self) -> None:
        present = {task["kind"] for task in self.draft.tasks if task["source"] == "sample"}
        fresh = [{"kind": kind, "source": "sample"} for kind in KINDS if kind not in present]
        if fresh:
            self.draft.add_tasks(*fresh)

    def _add_public(self, source: str) -> None:
        kind = next(data.kind for data in self._known if data.source == source)
        self.draft.add_tasks({"kind": kind, "source": source})

    def _add_typed(self) -> None:
        text = self.field.text().strip().strip('"').removeprefix("file://")
        if text.startswith("hub:"):
            kind = next((data.kind for data in self._known if data.source == text), "topic")
            self.draft.add_tasks({"kind": kind, "source": text})
        elif text:
            self.add_paths([self.draft.base / os.path.expanduser(text)])
        self.field.clear()

    def _browse(self) -> None:
        folder = QFileDialog.getExistingDirectory(self, self.tr("Choose a folder with train, validation and test"))
        if folder:
            self.add_paths([Path(folder)])


def tasks_in(folder: Path, taken: set[str]) -> list[dict[str, Any]]:
    """The tasks in a folder, or in the folders in it, their kinds guessed from files and names.

    Args:
        folder: where to look.
        taken: the kinds that there are already: a second kind of text labels is then the likelier one.
    """
    found: list[dict[str, Any]] = []
    for place in (folder, *sorted(entry for entry in folder.iterdir() if entry.is_dir())):
        for suffix in dict.fromkeys(kind.suffix for kind in KINDS.values()):
            if (place / f"{_SPLIT}{suffix}").is_file():
                kinds = [name for name, kind in KINDS.items() if kind.suffix == suffix]
                found.append({"kind": _likeliest(kinds, place, taken), "source": str(place)})
                taken = {*taken, found[-1]["kind"]}
        if found and place is folder:
            break
    return found


def _likeliest(kinds: list[str], folder: Path, taken: set[str]) -> str:
    named = [kind for kind in kinds if kind[:5] in folder.name.lower()]
    free = [kind for kind in kinds if kind not in taken]
    return (named or free or kinds)[0]


def _sample_has(language: str) -> bool:
    from resources import sample

    return language in sample.LANGUAGES


def _shown_name(task: dict[str, Any]) -> str:
    return task.get("name") or kind_name(task["kind"])
