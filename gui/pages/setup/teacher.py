"""Part 1: the model that is made smaller."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QCheckBox,
    QFileDialog,
    QHBoxLayout,
    QHeaderView,
    QLineEdit,
    QPushButton,
    QSpinBox,
    QTreeWidget,
    QTreeWidgetItem,
)

from core.errors import Fault
from core.sources import pickled_here
from core.teachers import known_teacher
from gui.draft import Draft
from gui.icons import icon
from gui.lookup import Lookup
from gui.pages.setup.conversion import ConversionBar
from gui.pages.setup.latest_job import LatestJob
from gui.pages.setup.section import Section, merged, plain_label
from gui.pages.setup.teacher_finder import TeacherFinder
from gui.pages.setup.teacher_rows import Row, rows, short_name
from gui.settings import SettingsFile
from gui.text import count, megabytes, parameters
from gui.theme import SPACE, set_role
from gui.widgets.calm_wheel import CalmWheel
from gui.widgets.label import Label
from gui.widgets.problem import Action

_SOURCE = Qt.ItemDataRole.UserRole
_ADAPT_STEPS = 500
_MOST_RECENT = 5


class TeacherSection(Section):
    """Known teachers, the sample, recent folders; any other by its hub name."""

    listed = Signal()
    """The list of teachers is filled."""

    def __init__(self, draft: Draft, settings: SettingsFile) -> None:
        super().__init__("1", "teacher", draft)
        self.set_title(self.tr("Teacher"))
        self._settings = settings
        self._rows: tuple[Row, ...] = ()
        self._read, self._read_note = "", ""
        self._typed = ""
        self._found: dict[str, Any] = {}
        self._listing = Lookup(self)
        self._listing.found.connect(self._show_rows)
        self._look = LatestJob("teacher", self)
        self._look.done.connect(self._on_look)
        self._look.failed.connect(self._on_look_failed)
        self._build()

    @property
    def is_ready(self) -> bool:
        """Whether a teacher is chosen, and nothing is known against it."""
        return bool(self.draft.value("teacher.model")) and not self.draft.teacher_faults

    def _build(self) -> None:
        self.conversion = ConversionBar(self)
        self.conversion.converted.connect(self._on_converted)
        self.add_under_problems(self.conversion)
        self.list = QTreeWidget(self)
        self.list.setObjectName("list-teachers")
        self.list.setAccessibleName(self.tr("Teachers"))
        self.list.setToolTip(self.tr("Models that can be made smaller; a click chooses one."))
        self.list.setRootIsDecorated(False)
        self.list.setHeaderLabels(
            [
                self.tr("Model"),
                self.tr("Parameters"),
                self.tr("Size"),
                self.tr("Languages"),
                self.tr("Licence"),
                self.tr("On this machine"),
            ]
        )
        for column in (1, 2, 3):
            self.list.headerItem().setTextAlignment(column, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        header = self.list.header()
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        header.setStretchLastSection(False)
        self.list.setFixedHeight(212)
        self.list.itemClicked.connect(self._on_item)
        self.list.itemActivated.connect(self._on_item)
        self.body.addWidget(self.list)

        self.name = QLineEdit(self)
        self.name.setObjectName("field-teacher")
        self.name.setPlaceholderText(self.tr("Or a name on the Hugging Face hub, or a folder"))
        self.name.setAccessibleName(self.tr("Teacher by name"))
        self.name.setToolTip(self.tr("The name of a model on the hub, or the folder that a model was saved in."))
        self.name.returnPressed.connect(self._use_name)
        use = QPushButton(self.tr("Use"), self)
        use.setToolTip(self.tr("Take the model of this name as the teacher."))
        use.setAccessibleName(self.tr("Use the teacher of this name"))
        use.clicked.connect(self._use_name)
        browse = QPushButton(icon("folder"), self.tr("Choose a folder…"), self)
        browse.setToolTip(self.tr("Take a model that was saved on this machine."))
        browse.clicked.connect(self._browse)
        row = QHBoxLayout()
        for widget in (self.name, use, browse):
            row.addWidget(widget, 1 if widget is self.name else 0)
        self.body.addLayout(row)

        self.facts = plain_label("note", self)
        self.body.addWidget(self.facts)
        self.volume = plain_label("note", self)
        self.body.addWidget(self.volume)
        self.finder = TeacherFinder(self.draft, self)
        self.finder.chosen.connect(self.choose)
        self.body.addWidget(self.finder)
        self.adapt = QCheckBox(self.tr("Adapt it to the language first"), self)
        self.adapt.setObjectName("check-adapt")
        self.adapt.setMinimumHeight(28)
        self.adapt.setToolTip(self.tr("Trains the teacher on your text before the student learns from it."))
        self.adapt.toggled.connect(self._on_adapt)
        self.adapt_steps = QSpinBox(self)
        self.adapt_steps.setRange(1, 10_000_000)
        self.adapt_steps.setSingleStep(100)
        self.adapt_steps.setGroupSeparatorShown(True)
        self.adapt_steps.setKeyboardTracking(False)
        self.adapt_steps.setAccessibleName(self.tr("Steps of adaptation"))
        self.adapt_steps.setToolTip(self.tr("Optimiser steps on your text; more takes longer and fits it better."))
        self.adapt_steps.valueChanged.connect(self._on_adapt_steps)
        CalmWheel(self.adapt_steps)
        steps = Label(self.tr("steps"), self)
        set_role(steps, "note")
        self.adapt_why = plain_label("note", self)
        row = QHBoxLayout()
        row.setSpacing(SPACE.s)
        for widget in (self.adapt, self.adapt_steps, steps, self.adapt_why):
            row.addWidget(widget, 1 if widget is self.adapt_why else 0)
        self.body.addLayout(row)
        self.add_next()

    def opened(self) -> None:
        """Fill the list; what is on this machine may have changed."""
        self._look_at_it(again=True)
        self._listing.ask(partial(rows, self._settings.value.teachers[:_MOST_RECENT]))
        self.list.setFocus()

    def end(self) -> None:
        """End what is under way."""
        self._look.forget()
        self._listing.forget()
        self.finder.end()
        self.conversion.end()

    def show_faults(self, faults: Sequence[Fault]) -> None:
        """Tell of what is wrong with it; where that is only that its weights are pickled, with the way on."""
        told = tuple(faults) != self.faults
        super().show_faults(faults)
        model, one = self.draft.value("teacher.model"), merged(faults)
        if told and len(one) == 1 and isinstance(model, str) and pickled_here(model, self.draft.base):
            tip = self.tr("Writes its weights anew as safetensors, once you have agreed.")
            convert = Action(self.tr("Convert…"), self._convert, tip)
            hint = self.tr("They can be converted into safetensors, or choose another teacher.")
            self.problems.show_trouble(one[0].problem, hint, convert)

    def show_volume(self, words: str, note: str) -> None:
        """How much of the language it read, as a part of a line and in sentences."""
        if (words, note) != (self._read, self._read_note):
            self._read, self._read_note = words, note
            self.refresh()

    def refresh(self) -> None:
        """Show the teacher that the draft holds."""
        model = self.draft.value("teacher.model")
        self._look_at_it()
        if not isinstance(model, str):
            self.set_summary(
                self.tr("Choose the model to make smaller. The sample is a quick way to look around."), todo=True
            )
        else:
            self.set_summary(self._line(model), unchecked=self._is_unchecked)
            if model == self._typed and self.draft.sizes is not None:
                self._forget_typed()  # only a name that can be used: another can still be mended there
        self.facts.setText(self._facts_line(model))
        self.facts.setVisible(bool(self.facts.text()))
        self.volume.setText(self._read_note if model is not None else "")
        self.volume.setVisible(bool(self.volume.text()))
        self.finder.refresh()
        self._show_adapt(model)
        self._mark_row(model)

    def _look_at_it(self, *, again: bool = False) -> None:
        model = self.draft.value("teacher.model")
        if isinstance(model, str) and known_teacher(model) is None:
            self._look.ask({"model": model, "base": str(self.draft.base)}, again=again)
        else:
            self._look.forget()
            self._found = {}

    # -- what is shown -------------------------------------------------------------------------------------------

    @property
    def _is_unchecked(self) -> bool:
        """Whether only the run will tell what the teacher is."""
        return self.draft.sizes is None and not self.draft.teacher_faults

    def _line(self, model: str) -> str:
        known = known_teacher(model)
        title = known.title if known else self.tr("Built-in sample") if model == "sample" else short_name(model)
        parts = [title]
        size = self.draft.estimate
        if size is not None:
            parts.append(self.tr("{} parameters").format(parameters(size.teacher.parameters)))
            parts.append(megabytes(size.teacher.megabytes))
        elif self.draft.looking:
            parts.append(self.tr("looking at it…"))
        elif self.draft.teacher_faults:
            parts.append(self.tr("can't be used"))
        elif self._is_unchecked:
            parts.append(self.tr("not checked yet"))
        if self._read:
            parts.append(self._read)
        return " · ".join(parts)

    def _facts_line(self, model: str | None) -> str:
        sizes = self.draft.sizes
        if model is None or self.draft.looking:
            return ""
        parts = []
        if sizes is not None:
            parts.append(
                self.tr("{} layers, {} units wide in {} heads, {} inner units, {} words.").format(
                    *map(count, (sizes.layers, sizes.hidden, sizes.heads, sizes.feed_forward, sizes.vocabulary))
                )
            )
        row = next((row for row in self._rows if row.source == model), None)
        if row is not None and not row.here:
            size = megabytes(row.megabytes)
            parts.append(self.tr("It is downloaded when the run starts: about {}.").format(size))
        elif self._is_unchecked:
            parts.append(
                self.tr(
                    "It is downloaded when the run starts; only then it shows how large it is, and whether it exists."
                )
            )
        return " ".join(parts)

    def _show_adapt(self, model: str | None) -> None:
        steps = self.draft.value("teacher.adapt_steps") or 0
        for widget, change in (
            (self.adapt, partial(self.adapt.setChecked, steps > 0)),
            (self.adapt_steps, partial(self.adapt_steps.setValue, steps or _ADAPT_STEPS)),
        ):
            widget.blockSignals(True)
            change()
            widget.blockSignals(False)
        self.adapt.setEnabled(model is not None)
        self.adapt_steps.setEnabled(steps > 0)
        headless = self._found.get("has_head") is False
        self.adapt_why.setText(
            self.tr(
                "This model can't fill in words (it has no masked-language head). "
                "Adapting teaches it to on your text; a student can't learn from it otherwise."
            )
            if headless
            else self.tr("Worth it where the teacher read little of the language.")
        )
        set_role(self.adapt_why, "warn" if headless and not steps else "note")

    def _show_rows(self, found: tuple[Row, ...]) -> None:
        self._rows = found
        self.finder.set_models(row.source for row in found if row.here)
        self.list.clear()
        for row in found:
            item = QTreeWidgetItem(
                [
                    self.tr("Built-in sample: small, made for trying things out")
                    if row.source == "sample"
                    else row.title,
                    parameters(row.parameters),
                    megabytes(row.megabytes),
                    "–" if row.languages is None else count(row.languages),
                    row.licence or "–",
                    self.tr("yes") if row.here else self.tr("to download"),
                ]
            )
            item.setData(0, _SOURCE, row.source)
            for column in (1, 2, 3):
                item.setTextAlignment(column, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
            self.list.addTopLevelItem(item)
        self.refresh()
        self.listed.emit()

    def _mark_row(self, model: str | None) -> None:
        self.list.blockSignals(True)
        self.list.clearSelection()
        for index in range(self.list.topLevelItemCount()):
            item = self.list.topLevelItem(index)
            if item.data(0, _SOURCE) == model:
                self.list.setCurrentItem(item)
        self.list.blockSignals(False)

    # -- what the user does --------------------------------------------------------------------------------------

    def choose(self, source: str) -> None:
        """Take a teacher, by hub name or folder."""
        known = known_teacher(source)
        if known is None and source != "sample" and Path(source).is_absolute():
            self._settings.remember_teacher(Path(source))
        self._found = {}
        self.conversion.clear()
        self.draft.choose_teacher(source)

    def _on_item(self, item: QTreeWidgetItem) -> None:
        self.choose(item.data(0, _SOURCE))

    def _use_name(self) -> None:
        text = self.name.text().strip().strip('"')
        if text:
            self._typed = text
            self.choose(text)
            self.refresh()  # it may be the teacher already

    def _forget_typed(self) -> None:
        if self.name.text().strip().strip('"') == self._typed:
            self.name.clear()
        self._typed = ""

    def _browse(self) -> None:
        folder = QFileDialog.getExistingDirectory(self, self.tr("Choose the folder that the model was saved in"))
        if folder:
            self.choose(folder)

    def _convert(self) -> None:
        model = self.draft.value("teacher.model")
        if model is not None:
            self.conversion.ask(model, self.draft.base)

    def _on_converted(self, model: str, folder: str) -> None:
        if self.draft.value("teacher.model") == model:  # else another was chosen meanwhile
            self.choose(folder)

    def _on_adapt(self, wanted: bool) -> None:
        self.draft.set("teacher.adapt_steps", self.adapt_steps.value() if wanted else None)

    def _on_adapt_steps(self, steps: int) -> None:
        self.draft.set("teacher.adapt_steps", steps)

    def _on_look(self, found: dict[str, Any]) -> None:
        self._found = found
        self.refresh()

    def _on_look_failed(self, faults: Sequence[Fault]) -> None:
        # The check of the whole recipe tells of them, in their place.
        self._found = {}
        self.refresh()
