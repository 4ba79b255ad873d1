"""The card of a run that failed, was cut off or waits: what happened, what is safe, the one next step."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from PySide6.QtCore import Qt, QUrl, Signal
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QApplication, QFrame, QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from core.diagnostics import diagnostics
from core.failures import Failure
from core.run import RunFolder
from core.safe_point import SafePoint, safe_point, safe_words
from gui.lookup import Lookup
from gui.text import stage_name
from gui.theme import SPACE, set_role
from gui.widgets.label import Label


class FailureCard(QFrame):
    """Stays until the run goes on; hidden while there is nothing to tell."""

    resume_wanted = Signal()
    settings_wanted = Signal(str)
    """The recipe's key that is to be mended; empty where it is none in particular."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._folder: RunFolder | None = None
        self._failure: Failure | None = None
        self._safe_words = ""
        self._begun = False
        self._lookup = Lookup(self, slow=True)
        self._lookup.found.connect(self._show_safe)
        self._what, self._safe, self._next = Label(parent=self), Label(parent=self), Label(parent=self)
        set_role(self._what, "strong")
        column = QVBoxLayout(self)
        column.setContentsMargins(SPACE.m, SPACE.s, SPACE.m, SPACE.s)
        column.setSpacing(SPACE.xs)
        for label in (self._what, self._safe, self._next):
            label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
            label.setWordWrap(True)
            column.addWidget(label)
        row = QHBoxLayout()
        row.setContentsMargins(0, SPACE.xs, 0, 0)
        row.setSpacing(SPACE.s)
        self._primary = self._button("button-next-step", self._take_next_step)
        set_role(self._primary, "primary")
        self._name(self._primary, self.tr("Resume"))
        self._copy = self._button("button-diagnostics", self._copy_diagnostics)
        self._name(self._copy, self.tr("Copy diagnostics"))
        self._copy.setToolTip(
            self.tr("Versions, machine, recipe, last events and traceback as text, without tokens; nothing is sent.")
        )
        self._open = self._button("button-run-folder", self._open_folder)
        self._name(self._open, self.tr("Open the folder"))
        self._open.setToolTip(self.tr("Shows everything that the run has left on disk."))
        for button in (self._primary, self._copy, self._open):
            row.addWidget(button)
        row.addStretch()
        column.addLayout(row)
        self.hide()

    def show_failure(self, folder: RunFolder | None, failure: Failure, others: Sequence[str], *, begun: bool) -> None:
        """Tell of a failure.

        Args:
            folder: the run's; None where it has none.
            failure: what to tell.
            others: what else is wrong, a line each.
            begun: whether there is a run that can be resumed, or whose settings can be taken up.
        """
        self._folder, self._failure, self._begun = folder, failure, begun
        self._what.setText(failure.what_happened)
        self._next.setText("\n".join((failure.next_step, *others)))
        self._set_look("warn" if failure.action == "wait" else "bad")
        self._name(self._copy, self.tr("Copy diagnostics"))
        # Of a run that waits nothing is at stake: it keeps everything in memory.
        tells_safe = begun and folder is not None and failure.action != "wait"
        self._safe.setVisible(tells_safe)
        self._open.setVisible(begun)
        self._copy.setVisible(failure.action != "wait")
        self._lookup.forget()
        self._show_primary(failure, begun)
        if tells_safe and folder is not None:
            self._show_safe(safe_point(folder, checked=False))
            self._lookup.ask(partial(safe_point, folder))  # every byte of it, which may take seconds
        else:
            self._safe_words = ""
            self._speak()
        self.show()

    def clear(self) -> None:
        """There is nothing to tell."""
        self._failure = None
        self._lookup.forget()
        self.setAccessibleName("")
        self.hide()

    def _set_look(self, role: str) -> None:
        set_role(self, role)
        for label in (self._what, self._safe, self._next):  # whose colour is by the role of what they stand in
            label.style().unpolish(label)
            label.style().polish(label)

    def _show_primary(self, failure: Failure, begun: bool) -> None:
        set_role(self._copy, "primary" if failure.action == "report" else "")
        self._primary.setVisible(failure.action not in ("wait", "report"))
        if begun and failure.action == "settings":
            self._name(self._primary, self.tr("Change the settings"))
            self._primary.setToolTip(self.tr("Takes this run's recipe into the set-up; the run stays as it is."))
        elif begun:
            self._name(self._primary, self.tr("Resume"))
            self._primary.setToolTip(self.tr("Goes on from where the run stands."))
        else:
            self._name(self._primary, self.tr("Back to the set-up"))
            self._primary.setToolTip(self.tr("Shows the recipe: mend it, then try again."))

    def _show_safe(self, safe: SafePoint) -> None:
        self._safe_words = safe_words(safe, stage_name)
        self._safe.setText(self.tr("Safe: {}").format(self._safe_words))
        self._speak()

    def _speak(self) -> None:
        safe = self.tr("What is safe: {}").format(self._safe_words) if self._safe_words else ""
        self.setAccessibleName(" ".join(filter(None, (self._what.text(), safe, self._next.text()))))

    def _take_next_step(self) -> None:
        assert self._failure is not None
        if self._begun and self._failure.action != "settings":
            self.resume_wanted.emit()
        else:
            self.settings_wanted.emit(self._failure.key)

    def _copy_diagnostics(self) -> None:
        assert self._failure is not None
        folder = self._folder if self._begun else None
        text = diagnostics(folder, self._failure, self._safe_words)
        QApplication.clipboard().setText(text)
        self._name(self._copy, self.tr("Diagnostics copied"))

    def _open_folder(self) -> None:
        if self._folder is not None:
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(self._folder.path)))

    def _button(self, name: str, act: object) -> QPushButton:
        button = QPushButton(self)
        button.setObjectName(name)
        button.clicked.connect(lambda: act())  # type: ignore[operator]  # without the button's own state
        return button

    def _name(self, button: QPushButton, title: str) -> None:
        button.setText(title)
        button.setAccessibleName(title)
