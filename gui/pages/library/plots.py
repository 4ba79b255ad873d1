"""Plots with words below them, one under the other; one of them can have the page for itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFrame, QScrollArea, QSizePolicy, QVBoxLayout, QWidget

from gui.plots.panel import PlotPanel
from gui.theme import SPACE, set_role
from gui.widgets.label import Label

_HEIGHT = 360


@dataclass(frozen=True, slots=True)
class Entry:
    """A plot to show: words above and below it, and what draws it."""

    heading: str
    draw: Callable[[Any], None] | None
    """Is given the panel; None: there is nothing to draw."""
    words: Sequence[str]
    """A paragraph each."""


class PlotPages(QScrollArea):
    """Keeps its plots: to make one takes a moment."""

    enlarged = Signal(bool)
    """A plot wants the page for itself, or gives it back."""

    def __init__(self, make: Callable[[int, QWidget], PlotPanel], parent: QWidget | None = None) -> None:
        """`make` makes the plot of a number, from 1 on."""
        super().__init__(parent)
        self._make = make
        self._sections: list[_Section] = []
        self._alone: _Section | None = None
        inside = QWidget()
        inside.setProperty("role", "page")
        self._column = QVBoxLayout(inside)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(SPACE.l)
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setWidget(inside)

    @property
    def plots(self) -> list[PlotPanel]:
        """Those that show something."""
        return [section.plot for section in self._sections if section.shown and not section.plot.isHidden()]

    def show_entries(self, entries: Sequence[Entry]) -> None:
        """Show these."""
        while len(self._sections) < len(entries):
            section = _Section(self._make(len(self._sections) + 1, self), self)
            section.plot.enlarge_asked.connect(self._on_enlarge)
            self._sections.append(section)
            self._column.addWidget(section, 1)
        for number, section in enumerate(self._sections):
            section.show_entry(entries[number] if number < len(entries) else None)
        if self._alone is not None and not self._alone.shown:
            self._enlarge(None)
        self._arrange()

    def _on_enlarge(self) -> None:
        asking = next(section for section in self._sections if section.plot is self.sender())
        self._enlarge(None if self._alone is asking else asking)

    def _enlarge(self, section: _Section | None) -> None:
        for one in filter(None, (self._alone, section)):
            one.plot.set_enlarged(one is section)
        self._alone = section
        self._arrange()
        self.enlarged.emit(section is not None)

    def _arrange(self) -> None:
        for section in self._sections:
            section.setVisible(section.shown and self._alone in (None, section))


class _Section(QWidget):
    """One plot with its words."""

    def __init__(self, plot: PlotPanel, parent: QWidget) -> None:
        super().__init__(parent)
        self.plot, self.shown = plot, False
        plot.setMinimumHeight(_HEIGHT)
        # What the words leave of the page, not what a canvas would like.
        plot.canvas.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Ignored)
        self._heading, self._words = Label(parent=self), Label(parent=self)
        for label, role in ((self._heading, "heading"), (self._words, "note")):
            label.setWordWrap(True)
            label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
            set_role(label, role)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, SPACE.s, 0)
        column.setSpacing(SPACE.s)
        column.addWidget(self._heading)
        column.addWidget(plot, 1)
        column.addWidget(self._words)

    def show_entry(self, entry: Entry | None) -> None:
        """Show this; None: nothing."""
        self.shown = entry is not None
        if entry is None:
            return
        for label, words in ((self._heading, entry.heading), (self._words, "\n".join(entry.words))):
            label.setText(words)
            label.setVisible(bool(words))
        self.plot.setVisible(entry.draw is not None)
        if entry.draw is not None:
            entry.draw(self.plot)
