"""How long a run of the set-up takes here and how much memory, and the button that measures it."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QWidget

from core.analysis.duration import Prediction
from core.errors import Fault
from gui.draft import Draft
from gui.jobs import Job
from gui.lookup import Lookup
from gui.text import memory, percent, span
from gui.theme import SPACE, set_role
from gui.widgets.elided import ElidedLabel


class TimeRow(QWidget):
    """Follows the draft; hidden where nothing is distilled or its sizes aren't known."""

    measured = Signal()
    """A measurement has ended, well or not."""

    def __init__(self, draft: Draft, parent: QWidget) -> None:
        super().__init__(parent)
        self._draft = draft
        self._asked: object = None
        self._job: Job | None = None
        self._lookup = Lookup(self)
        self._lookup.found.connect(self._on_found)
        self.label = ElidedLabel(parent=self)
        self.label.setObjectName("label-time")
        self.label.setAccessibleName(self.tr("Time and memory of the run"))
        self.button = QPushButton(self)
        self.button.setObjectName("button-measure")
        self.button.clicked.connect(self._on_clicked)
        self._offer()
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(SPACE.m)
        row.addWidget(self.label, 1)
        row.addWidget(self.button)
        self.hide()

    @property
    def measuring(self) -> bool:
        """Whether a measurement is going on."""
        return self._job is not None

    def refresh(self) -> None:
        """Ask what is known of the draft's run, if it is another one."""
        question = self._draft.forecast
        told = None if question is None else (question.args, question.keywords)
        if told == self._asked:
            return
        self._asked = told
        if question is None:
            self._lookup.forget()
            self.setVisible(self.measuring)
        else:
            self._lookup.ask(question)

    def end(self) -> None:
        """End what is under way."""
        self._lookup.forget()
        if self._job is not None:
            self._job.cancel()
            self._job = None

    def _on_found(self, found: tuple[bool, Prediction | None]) -> None:
        distils, known = found
        self.setVisible(distils or self.measuring)
        if self.measuring:
            return  # its progress is shown; what it finds is asked for when it ends
        set_role(self.label, "note" if known is None else "")
        self.button.setVisible(known is None or not known.exact)
        self._offer()
        if known is None:
            self.label.setText(self.tr("How long it takes on this machine isn't known yet."))
            return
        words = self.tr("About {}, {} of memory on this machine").format(span(known.seconds), memory(known.memory.mid))
        self.label.setText(words if known.exact else self.tr("{}; measured with other settings").format(words))

    def _on_clicked(self) -> None:
        if self._job is not None:
            self._job.cancel()
            self._ended()
            return
        estimate = self._draft.estimate
        if self._draft.recipe() is None or estimate is None:
            return
        asked = {"recipe": self._draft.to_toml(), "base": str(self._draft.base)}
        vocabulary = estimate.student.sizes.vocabulary
        self._job = Job("measure", {**asked, "vocabulary": vocabulary}, self)
        self._job.progress.connect(self._on_progress)
        self._job.done.connect(self._on_done)
        self._job.failed.connect(self._on_failed)
        self._name_button(self.tr("Cancel"))
        self.button.setToolTip(self.tr("Ends the measurement; nothing of it stays behind."))
        set_role(self.label, "note")
        self.label.setText(self.tr("Measuring with a few steps…"))
        self._job.start()

    def _on_progress(self, done: int, total: int) -> None:
        self.label.setText(self.tr("Measuring with a few steps… {}").format(percent(done / max(1, total), 0)))

    def _on_done(self, result: object) -> None:
        self._ended()

    def _on_failed(self, faults: Sequence[Fault]) -> None:
        self._ended(again=False)
        set_role(self.label, "bad")
        self.label.setText(" ".join(f"{fault.problem} {fault.hint}" for fault in faults))
        self._offer()

    def _ended(self, *, again: bool = True) -> None:
        self._job = None
        if again:
            self._asked = None
            self.refresh()
        self.measured.emit()

    def _offer(self) -> None:
        """Let the button begin a measurement."""
        self._name_button(self.tr("Measure how long…"))
        tip = self.tr("Tries a few steps of this very set-up, with made-up weights: some seconds, no download.")
        self.button.setToolTip(tip)

    def _name_button(self, text: str) -> None:
        self.button.setText(text)
        self.button.setAccessibleName(text)
