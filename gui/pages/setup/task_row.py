"""One task of the set-up: its kind, source and method, what its data hold, and its finer settings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QComboBox, QFrame, QHBoxLayout, QToolButton, QVBoxLayout, QWidget

from core.errors import Fault
from core.recipe import Task
from core.tasks.kinds import KINDS, METHODS
from core.wording import clean
from gui.draft import Draft
from gui.icons import icon
from gui.pages.setup.fields import FieldControl, FieldForm
from gui.pages.setup.latest_job import LatestJob
from gui.pages.setup.section import plain_label
from gui.text import count, kind_name, leaks
from gui.theme import SPACE, set_role
from gui.widgets.calm_wheel import CalmWheel
from gui.widgets.elided import ElidedLabel

_IN_ROW = ("kind", "source", "method")
_SHOWN_LABELS = 8


class TaskRow(QFrame):
    """The draft's task of one index."""

    judged = Signal()
    """What was typed into a field of its settings turned out to be wrong, or no longer is."""

    def __init__(self, draft: Draft, index: int, parent: QWidget) -> None:
        super().__init__(parent)
        self._draft = draft
        self._index = index
        self._found: dict[str, Any] | None = None
        self._form: FieldForm | None = None
        self._job = LatestJob("task", self)
        self._job.done.connect(self._on_done)
        self._job.failed.connect(self._on_failed)
        self._method_names = {
            "adapter": self.tr("adapter: a small part is trained"),
            "probe": self.tr("probe: only reads the model out; quick"),
            "full": self.tr("full: the whole model is trained"),
        }
        self._build()

    def _build(self) -> None:
        self.kind = QComboBox(self)
        for name in KINDS:
            self.kind.addItem(kind_name(name), name)
        self.kind.setAccessibleName(self.tr("Kind of task"))
        self.kind.setToolTip(self.tr("What is to be recognised in a text."))
        self.kind.activated.connect(self._on_kind)
        self.source = ElidedLabel(parent=self)
        self.method = QComboBox(self)
        for name in METHODS:
            self.method.addItem(self._method_names[name], name)
        self.method.setAccessibleName(self.tr("Method of training"))
        self.method.setToolTip(self.tr("How a model is taught the task; the paper trains adapters."))
        self.method.activated.connect(self._on_method)
        CalmWheel(self.kind, self.method)
        self.options = _tool("more", self.tr("Settings of this task"), self)
        self.options.setToolTip(self.tr("Show name, seeds and how long it is trained."))
        self.options.setCheckable(True)
        self.options.toggled.connect(self._show_options)
        remove = _tool("remove", self.tr("Remove this task"), self)
        remove.setToolTip(self.tr("Take the task out of the list; its files stay as they are."))
        remove.clicked.connect(self._on_remove)
        row = QHBoxLayout()
        row.setSpacing(SPACE.s)
        row.addWidget(self.kind)
        row.addWidget(self.source, 1)
        row.addWidget(self.method)
        row.addWidget(self.options)
        row.addWidget(remove)
        self.counts = plain_label("note", self)
        self.leaks = plain_label("warn", self)
        self.leaks.hide()
        self._rows = QVBoxLayout(self)
        self._rows.setContentsMargins(0, 0, 0, 0)
        self._rows.setSpacing(SPACE.xs)
        self._rows.addLayout(row)
        self._rows.addWidget(self.counts)
        self._rows.addWidget(self.leaks)

    @property
    def wrong(self) -> list[FieldControl]:
        """The fields of its settings that hold something that can't be used."""
        return self._form.wrong if self._form is not None else []

    def end(self) -> None:
        """End what is under way."""
        self._job.forget()

    def leave(self, heir: QObject) -> None:
        """It is taken out; what is under way ends with `heir`."""
        self._job.leave_to(heir)
        self.hide()
        self.deleteLater()

    def refresh(self, *, look: bool, again: bool = False) -> None:
        """Show the task; `look` at its data too, `again` where that was done before."""
        task = self._draft.tasks[self._index]
        self.kind.setCurrentIndex(self.kind.findData(task["kind"]))
        self.method.setCurrentIndex(self.method.findData(task.get("method", METHODS[0])))
        source = task["source"]
        self.source.setText(self.tr("Built-in sample") if source == "sample" else source)
        language = self._draft.value("language.code")
        if look and language:
            arguments = {"kind": task["kind"], "source": source, "base": str(self._draft.base), "language": language}
            if self._job.ask(arguments, again=again):
                self._found = None
        if self._form is not None:
            self._form.refresh()
        self._show_counts(source)

    def _show_counts(self, source: str) -> None:
        found = self._found
        text = ""
        if source.startswith("hub:"):
            text = self.tr("Downloaded and looked at when the run starts.")
        elif found and found["splits"]:
            splits = [found["splits"].get(name, 0) for name in ("train", "validation", "test")]
            text = self.tr("{} examples to learn from, {} to choose by, {} to score.").format(*map(count, splits))
            labels = [f"{label} {count(number)}" for label, number in found["labels"].items()]
            more = f", … ({count(len(labels))})" if len(labels) > _SHOWN_LABELS else ""
            text += " " + self.tr("Labels: {}.").format(", ".join(labels[:_SHOWN_LABELS]) + more)
            text = "\n".join([text, *found["notes"]])
        self.counts.setText(text)
        self.counts.setVisible(bool(text))
        self.leaks.setText(self._leak_words(found or {}))
        self.leaks.setVisible(bool(self.leaks.text()))

    def _leak_words(self, found: dict[str, Any]) -> str:
        """What to say of test examples that are seen before the test, and what to do; empty where there are none."""
        seen = leaks(found.get("leaks"))
        if not seen:
            return ""
        advice = self.tr(
            "For example “{}”. What was seen before flatters a score: take them out there, or out of the test split."
        )
        return f"{seen} {advice.format(clean(found['leaks']['examples'][0]))}"

    def _show_options(self, shown: bool) -> None:
        if self._form is None:
            entries = [
                (f"tasks.{entry.name}", entry.metadata["rule"]) for entry in fields(Task) if entry.name not in _IN_ROW
            ]
            self._form = FieldForm(entries, self._read, self._write, self, columns=4)
            self._form.judged.connect(self.judged)
            self._rows.addWidget(self._form)
        self._form.setVisible(shown)

    def _read(self, key: str) -> tuple[Any, Any, None]:
        name = key.rpartition(".")[2]
        task = self._draft.tasks[self._index]
        default = task["kind"] if name == "name" else next(e.default for e in fields(Task) if e.name == name)
        return task.get(name), default, None  # what is left open here goes by kind and method

    def _write(self, key: str, value: Any) -> None:
        self._draft.set_task(self._index, key.rpartition(".")[2], value)

    def _on_kind(self, index: int) -> None:
        self._draft.set_task(self._index, "kind", self.kind.itemData(index))

    def _on_method(self, index: int) -> None:
        method = self.method.itemData(index)
        self._draft.set_task(self._index, "method", None if method == METHODS[0] else method)

    def _on_remove(self) -> None:
        self._draft.remove_task(self._index)

    def _on_done(self, found: dict[str, Any]) -> None:
        self._found = found
        self._show_counts(self._draft.tasks[self._index]["source"])

    def _on_failed(self, faults: Sequence[Fault]) -> None:
        text = " ".join(f"{fault.problem} {fault.hint}" for fault in faults[:1])
        self.counts.setText(text)
        self.counts.setVisible(True)
        self.leaks.hide()


def _tool(sign: str, name: str, parent: QWidget) -> QToolButton:
    button = QToolButton(parent)
    button.setIcon(icon(sign))
    button.setAccessibleName(name)
    set_role(button, "flat")
    return button
