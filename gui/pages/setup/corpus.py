"""Part 3: the text that the student learns from."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import (
    QFileDialog,
    QHBoxLayout,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QMenu,
    QProgressBar,
    QPushButton,
    QTextEdit,
)

from core.errors import Fault
from core.known_data import KnownData
from gui.draft import Draft
from gui.icons import icon
from gui.pages.setup.corpus_report import CorpusReport
from gui.pages.setup.language import LanguageFacts
from gui.pages.setup.latest_job import LatestJob
from gui.pages.setup.section import Section, plain_label
from gui.text import bytes_size, count, plain_tip
from gui.theme import SPACE
from gui.widgets.drop_area import DropArea
from gui.widgets.problem import ProblemCard

_SOURCE = Qt.ItemDataRole.UserRole
_SAMPLE_LANGUAGE = "mlt"
"""The language of the recipe's source "sample"."""


class CorpusSection(Section):
    """Files and folders, public texts, the sample: dropped, chosen or pasted; then what is in them."""

    def __init__(self, draft: Draft) -> None:
        super().__init__("3", "corpus", draft)
        self.set_title(self.tr("Text"))
        self._found: dict[str, Any] | None = None
        self._job = LatestJob("corpus", self)
        self._job.started.connect(self._on_started)
        self._job.progress.connect(self._on_progress)
        self._job.done.connect(self._on_done)
        self._job.failed.connect(self._on_failed)
        self._build()

    @property
    def is_ready(self) -> bool:
        """Whether there is a source."""
        return bool(self.draft.value("corpus.sources"))

    @property
    def sources(self) -> list[str]:
        """The sources that the draft holds."""
        return list(self.draft.value("corpus.sources") or ())

    def _build(self) -> None:
        buttons = QHBoxLayout()
        buttons.setSpacing(SPACE.s)
        self.button_sample = self._button(self.tr("Sample text"), "", self._add_sample, buttons)
        self.button_sample.setToolTip(self.tr("Add the built-in sample's text, which is generated Maltese."))
        files = self._button(self.tr("Add files…"), "file", self._browse_files, buttons)
        files.setToolTip(self.tr("Add text files: .txt, .txt.gz, .jsonl, .csv, .tsv, .parquet or .conllu."))
        folder = self._button(self.tr("Add a folder…"), "folder", self._browse_folder, buttons)
        folder.setToolTip(self.tr("Add every text file in a folder."))
        self.button_public = self._button(self.tr("Public texts"), "download", None, buttons)
        self.button_public.setMenu(QMenu(self))
        self.button_public.setToolTip(self.tr("Add a public collection in this language; the run downloads it."))
        self.button_remove = self._button(self.tr("Remove"), "remove", self._remove, buttons)
        self.button_remove.setToolTip(self.tr("Take the chosen sources out of the list; the files stay as they are."))
        buttons.addStretch()
        self.body.addLayout(buttons)

        self.field = QLineEdit(self)
        self.field.setObjectName("field-source")
        self.field.setPlaceholderText(self.tr("Or paste a path, or hub:data set:configuration:column, then Enter"))
        self.field.setAccessibleName(self.tr("Add a source by path or name"))
        self.field.setToolTip(self.tr("A file, a folder, a pattern such as texts/*.txt, or a data set of the hub."))
        self.field.returnPressed.connect(self._add_typed)
        self.body.addWidget(self.field)

        self.list = QListWidget(self)
        self.list.setObjectName("list-sources")
        self.list.setAccessibleName(self.tr("Sources of text"))
        self.list.setToolTip(self.tr("Where the text comes from; drop files and folders anywhere on this card."))
        self.list.setSelectionMode(QListWidget.SelectionMode.ExtendedSelection)
        self.list.setFixedHeight(92)
        self.list.itemSelectionChanged.connect(self._on_selection)
        delete = QAction(self.list)
        delete.setShortcuts([QKeySequence(Qt.Key.Key_Delete), QKeySequence(Qt.Key.Key_Backspace)])
        delete.setShortcutContext(Qt.ShortcutContext.WidgetShortcut)
        delete.triggered.connect(self._remove)
        self.list.addAction(delete)
        self.body.addWidget(self.list)

        self.bar = QProgressBar(self)
        self.bar.setAccessibleName(self.tr("Reading the text"))
        self.bar.hide()
        self.body.addWidget(self.bar)
        self.counts = plain_label("", self)
        self.body.addWidget(self.counts)
        self.report = CorpusReport(self)
        self.body.addWidget(self.report)
        self.warnings = ProblemCard(self)
        self.body.addWidget(self.warnings)
        self.preview = QTextEdit(self)  # unlike QPlainTextEdit, it sets each text on the side where its script begins
        self.preview.setAcceptRichText(False)
        self.preview.setObjectName("preview-text")
        self.preview.setReadOnly(True)
        self.preview.setTabChangesFocus(True)
        self.preview.setAccessibleName(self.tr("First texts"))
        self.preview.setToolTip(self.tr("The first texts as they will be read; long ones are cut here."))
        self.preview.setFixedHeight(132)
        self.body.addWidget(self.preview)
        self.add_next()
        drop = DropArea(self)
        drop.dropped.connect(self.add_paths)
        drop.leave_to_card(self.field)
        self.preview.setAcceptDrops(False)

    def _button(self, text: str, sign: str, act: object, row: QHBoxLayout) -> QPushButton:
        button = QPushButton(icon(sign), text, self) if sign else QPushButton(text, self)
        if act is not None:
            button.clicked.connect(act)
        row.addWidget(button)
        return button

    # -- what is shown -------------------------------------------------------------------------------------------

    def opened(self) -> None:
        """Look at the files anew: they may have changed."""
        if self.is_ready:
            self._job.ask(self._question(), again=True)

    def _question(self) -> dict[str, Any]:
        settings = {name: self.draft.effective(f"corpus.{name}") for name in ("least_letters", "other_scripts")}
        return {"sources": self.sources, "base": str(self.draft.base), **settings}

    def end(self) -> None:
        """End what is under way."""
        self._job.forget()

    def refresh(self) -> None:
        """Show the sources that the draft holds."""
        sources = self.sources
        shown = [self.list.item(row).data(_SOURCE) for row in range(self.list.count())]
        if sources != shown:
            self.list.clear()
            for source in sources:
                item = QListWidgetItem(self.tr("Built-in sample (Maltese)") if source == "sample" else source)
                item.setData(_SOURCE, source)
                self.list.addItem(item)
            self._on_selection()
        if sources:
            if self._job.ask(self._question()):
                self._found = None
        else:
            self._job.forget()
            self._found = None
            self.bar.hide()
        self.button_sample.setVisible(self.draft.value("language.code") in (None, _SAMPLE_LANGUAGE))
        self._show_found()

    def show_language(self, facts: LanguageFacts | None) -> None:
        """Offer the public texts of a language."""
        fill_menu(self.button_public.menu(), facts.corpora if facts else (), self._add_public)
        self.button_public.setEnabled(not self.button_public.menu().isEmpty())

    def _show_found(self) -> None:
        words = self.found_words()
        if not self.is_ready:
            self.set_summary(
                self.tr("Add text in the language: drop files here. More is better; a few MB is a start."), todo=True
            )
        else:
            self.set_summary(words or self._named(self.sources))
        self.counts.setText(words)
        self.counts.setVisible(bool(words))
        found = self._found or {}
        self.report.show_found(found)
        self.warnings.show_warnings(found.get("warnings", ()))
        text = "\n".join(found.get("first", ()))
        if text != self.preview.toPlainText():
            self.preview.setPlainText(text)
        self.preview.setVisible(bool(text))

    def found_words(self) -> str:
        """What the sources hold, in a line; empty where that isn't known."""
        found = self._found
        if not found:
            return ""
        parts = []
        if found["files"]:
            files = self.tr("1 file") if found["files"] == 1 else self.tr("{} files").format(count(found["files"]))
            parts += [files, self.tr("{} texts").format(count(found["texts"])), bytes_size(found["bytes"])]
        hub = [source for source in self.sources if source.startswith("hub:")]
        if hub:
            parts.append(self._named(hub))
        if found["warnings"]:
            number = len(found["warnings"])
            parts.append(self.tr("1 warning") if number == 1 else self.tr("{} warnings").format(count(number)))
        return " · ".join(parts)

    def _named(self, sources: Sequence[str]) -> str:
        first = sources[0] if sources[0].startswith("hub:") else Path(sources[0]).name
        more = len(sources) - 1
        return first if not more else self.tr("{} and {} more").format(first, count(more))

    # -- what the user does --------------------------------------------------------------------------------------

    def add(self, sources: Iterable[str]) -> None:
        """Append sources, each only once."""
        present = self.sources
        joined = list(dict.fromkeys([*present, *sources]))
        if joined != present:
            self.draft.set("corpus.sources", joined)
            self.draft.seal()

    def add_paths(self, paths: Iterable[Path]) -> None:
        """Append files and folders."""
        self.add(map(str, paths))

    def _add_typed(self) -> None:
        # Several paths may be pasted at once: the field turns line ends into spaces only where Qt is told to.
        typed = [line.strip().strip('"') for line in self.field.text().replace("\u2028", "\n").splitlines()]
        self.add([entry.removeprefix("file://") for entry in typed if entry])
        self.field.clear()

    def _add_sample(self) -> None:
        self.add(["sample"])

    def _add_public(self, source: str) -> None:
        self.add([source])

    def _browse_files(self) -> None:
        kinds = (
            self.tr("Texts") + " (*.txt *.gz *.jsonl *.csv *.tsv *.parquet *.conllu);;" + self.tr("All files") + " (*)"
        )
        files, _ = QFileDialog.getOpenFileNames(self, self.tr("Choose text files"), "", kinds)
        self.add(files)

    def _browse_folder(self) -> None:
        folder = QFileDialog.getExistingDirectory(self, self.tr("Choose a folder of texts"))
        if folder:
            self.add([folder])

    def _remove(self) -> None:
        chosen = {item.data(_SOURCE) for item in self.list.selectedItems()}
        left = [source for source in self.sources if source not in chosen]
        if chosen:
            self.draft.set("corpus.sources", left or None)
            self.draft.seal()

    def _on_selection(self) -> None:
        self.button_remove.setEnabled(bool(self.list.selectedItems()))

    # -- what the job says ---------------------------------------------------------------------------------------

    def _on_started(self) -> None:
        self.bar.setRange(0, 0)
        self.bar.show()

    def _on_progress(self, done: int, total: int) -> None:
        # In thousandths: a Qt bar counts to two thousand million, and texts may have more bytes.
        self.bar.setRange(0, 1000 if total else 0)
        self.bar.setValue(1000 * done // total if total else 0)

    def _on_done(self, found: dict[str, Any]) -> None:
        self.bar.hide()
        self._found = found
        self._show_found()
        if self.draft.recipe() is None:
            self.show_faults(())  # what it told of is mended

    def _on_failed(self, faults: Sequence[Fault]) -> None:
        # The check of the whole recipe tells of them, in their place; before it can, this part does.
        self.bar.hide()
        self._found = None
        self._show_found()
        if self.draft.recipe() is None:
            self.show_faults(faults)


def fill_menu(menu: QMenu, known: Sequence[KnownData], choose: object) -> None:
    """Offer known data; `choose` takes a source."""
    menu.clear()
    menu.setToolTipsVisible(True)
    for data in known:
        action = menu.addAction(f"{data.title} ({data.licence})".replace("&", "&&"))
        action.setToolTip(plain_tip(data.source))
        action.setData(data.source)
        action.triggered.connect(lambda _=False, source=data.source: choose(source))
