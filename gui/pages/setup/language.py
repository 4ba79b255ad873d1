"""Part 2: the language that the student keeps."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

from PySide6.QtCore import QEvent, QObject, Qt, QTimer, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QHeaderView, QLineEdit, QTreeWidget, QTreeWidgetItem

from core.known_data import KnownData, known_corpora, known_tasks
from core.languages import LanguageEntry, all_languages, find_languages
from core.pretraining import Volume, pretraining_volume
from gui.draft import Draft
from gui.lookup import Lookup
from gui.pages.setup.section import Section, plain_label
from gui.pages.setup.volume_words import cell, in_short, note
from gui.text import count, kind_name, plain_tip
from resources import sample

_CODE = Qt.ItemDataRole.UserRole
_MOST = 30
_PAUSE_MILLISECONDS = 120


@dataclass(frozen=True, slots=True)
class LanguageFacts:
    """What is known here of a language, for one teacher."""

    entry: LanguageEntry
    volume: Volume | None
    """What the teacher read of it; None where that isn't known."""
    corpora: tuple[KnownData, ...]
    tasks: tuple[KnownData, ...]

    @property
    def name(self) -> str:
        """Its name in a sentence: "Swahili" for "Swahili (individual language)"."""
        return self.entry.name.partition(" (")[0]


class LanguageSection(Section):
    """Search by any name or code; badges say what there is of a language."""

    facts_found = Signal(object)
    """`LanguageFacts` of the language chosen; None where there is none."""
    listed = Signal()
    """The list shows what was searched for."""

    def __init__(self, draft: Draft) -> None:
        super().__init__("2", "language", draft)
        self.set_title(self.tr("Language"))
        self.facts: LanguageFacts | None = None
        self._asked: tuple[str | None, str | None, Path] = (None, None, Path())
        self._search = Lookup(self)
        self._search.found.connect(self._show_found)
        self._look = Lookup(self)
        self._look.found.connect(self._show_facts)
        self._pause = QTimer(self, singleShot=True, interval=_PAUSE_MILLISECONDS)
        self._pause.timeout.connect(self._find)
        self._build()

    @property
    def is_ready(self) -> bool:
        """Whether a language is chosen."""
        return bool(self.draft.value("language.code"))

    def _build(self) -> None:
        self.field = QLineEdit(self)
        self.field.setObjectName("field-language")
        self.field.setClearButtonEnabled(True)
        self.field.setPlaceholderText(self.tr("Search: a name in English or in the language itself, or a code"))
        self.field.setAccessibleName(self.tr("Search for a language"))
        self.field.setToolTip(self.tr("Finds 7,900 languages by name or code; Enter takes the first."))
        self.field.textChanged.connect(self._pause.start)
        self.field.returnPressed.connect(self._take_first)
        self.field.installEventFilter(self)
        self.body.addWidget(self.field)
        self.list = QTreeWidget(self)
        self.list.setObjectName("list-languages")
        self.list.setAccessibleName(self.tr("Languages found"))
        self.list.setToolTip(self.tr("A click chooses a language."))
        self.list.setRootIsDecorated(False)
        self.list.setUniformRowHeights(True)
        self.list.setHeaderLabels(
            [
                self.tr("Language"),
                self.tr("Own name"),
                self.tr("Code"),
                self.tr("Teacher read"),
                self.tr("Public texts"),
                self.tr("Public checks"),
            ]
        )
        header = self.list.header()
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        header.setStretchLastSection(False)
        self.list.setFixedHeight(184)
        self.list.itemClicked.connect(self._on_item)
        self.list.itemActivated.connect(self._on_item)
        self.body.addWidget(self.list)
        self.note = plain_label("note", self)
        self.body.addWidget(self.note)
        self.add_next()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """The arrow down goes from the search into the list."""
        if event.type() == QEvent.Type.KeyPress and isinstance(event, QKeyEvent) and event.key() == Qt.Key.Key_Down:
            self.list.setFocus()
            if self.list.currentItem() is None:
                self.list.setCurrentItem(self.list.topLevelItem(0))
            return True
        return False

    def opened(self) -> None:
        """Ready to search."""
        self.field.setFocus()
        self._find()

    def end(self) -> None:
        """End what is under way."""
        self._pause.stop()
        self._search.forget()
        self._look.forget()

    def refresh(self) -> None:
        """Show the language that the draft holds."""
        asked = self.draft.value("language.code"), self.draft.value("teacher.model"), self.draft.base
        if asked != self._asked:
            former, self._asked = self._asked, asked
            if asked[0] != former[0]:
                self.facts = None
            self._look.ask(partial(_facts_of, *asked))
            self._mark_chosen()
            if self.is_open and asked[1] != former[1]:
                self._find()
        if not self.is_ready:
            self.set_summary(self.tr("Choose the language that the small model keeps."), todo=True)
        elif self.facts is None:
            self.set_summary(str(asked[0]))
        else:
            entry = self.facts.entry
            own = f" · {entry.own_name}" if entry.own_name and entry.own_name != self.facts.name else ""
            self.set_summary(f"{self.facts.name} ({entry.code}){own}")

    def choose(self, code: str) -> None:
        """Take a language by its code."""
        self.draft.set("language.code", code)
        self.draft.seal()

    def read_words(self) -> str:
        """What the teacher read of the language, as a part of a line; empty where that isn't known."""
        return "" if self.facts is None else in_short(self.facts.volume, self.facts.name)

    def read_note(self) -> str:
        """The same in sentences; empty where no language or no teacher is chosen."""
        teacher = self.draft.value("teacher.model")
        if self.facts is None or not teacher:
            return ""
        return note(self.facts.volume, self.facts.name, self.facts.entry.code, teacher)

    # -- searching -----------------------------------------------------------------------------------------------

    def _find(self) -> None:
        text, teacher = self.field.text(), self.draft.value("teacher.model")
        self._search.ask(partial(_matches, text, teacher, self.draft.base))

    def _show_found(self, found: tuple[LanguageFacts, ...]) -> None:
        self.list.clear()
        for facts in found:
            entry = facts.entry
            tasks = dict.fromkeys(kind_name(data.kind) for data in facts.tasks)
            item = QTreeWidgetItem(
                [
                    entry.name,
                    entry.own_name,
                    entry.code,
                    cell(facts.volume),
                    count(len(facts.corpora)) if facts.corpora else "",
                    ", ".join(tasks),
                ]
            )
            item.setData(0, _CODE, entry.code)
            item.setToolTip(0, plain_tip(", ".join(entry.other_names)))
            self.list.addTopLevelItem(item)
        self._mark_chosen()
        self._show_note(bool(found))
        self.listed.emit()

    def _mark_chosen(self) -> None:
        chosen = self.draft.value("language.code")
        items = map(self.list.topLevelItem, range(self.list.topLevelItemCount()))
        self.list.setCurrentItem(next((item for item in items if item.data(0, _CODE) == chosen), None))

    def _show_note(self, found: bool) -> None:
        text = ""
        if not found and self.field.text().strip():
            text = self.tr("No language has this name or code. Try a part of the name.")
        elif read := self.read_note():
            text = read
        elif not self.is_ready and not self.field.text():
            text = self.tr("Type a few letters.")
        self.note.setText(text)
        self.note.setVisible(bool(text))

    def _show_facts(self, facts: LanguageFacts | None) -> None:
        self.facts = facts
        self.refresh()
        self._show_note(True)
        self.facts_found.emit(facts)

    def _take_first(self) -> None:
        if self._pause.isActive() or not self.list.topLevelItemCount():
            self._pause.stop()
            found = find_languages(self.field.text(), 1)
            if found:
                self.choose(found[0].code)
            self._find()
        else:
            self.choose(self.list.topLevelItem(0).data(0, _CODE))

    def _on_item(self, item: QTreeWidgetItem) -> None:
        self.choose(item.data(0, _CODE))


@cache
def _by_code() -> dict[str, LanguageEntry]:
    return {entry.code: entry for entry in all_languages()}


def _facts_of(code: str | None, teacher: str | None, base: Path) -> LanguageFacts | None:
    entry = _by_code().get(code or "")
    return None if entry is None else _facts(entry, teacher, base)


def _facts(entry: LanguageEntry, teacher: str | None, base: Path) -> LanguageFacts:
    volume = pretraining_volume(teacher, entry.code, base) if teacher else None
    return LanguageFacts(entry, volume, tuple(known_corpora(entry.code)), tuple(known_tasks(entry.code)))


def _matches(text: str, teacher: str | None, base: Path) -> tuple[LanguageFacts, ...]:
    """What a search finds; before one, the languages of the sample."""
    entries = find_languages(text, _MOST) if text.strip() else [_by_code()[code] for code in sample.LANGUAGES]
    return tuple(_facts(entry, teacher, base) for entry in entries)
