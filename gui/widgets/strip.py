"""The stages of a run as a strip: which are done, which is at work and how far it is."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtWidgets import QFrame, QHBoxLayout, QProgressBar, QVBoxLayout, QWidget

from gui import text
from gui.icons import icon
from gui.run_model import StageView
from gui.theme import SPACE, set_role, theme
from gui.widgets.label import Label
from gui.worker import Phase

_ICON = 16
_SIGNS: dict[Phase, str] = {"starting": "play", "queued": "play", "running": "play", "paused": "pause"}
"""Of a stage that is not done; where nobody works on it any more, it is a stop."""


class StageStrip(QWidget):
    """One segment a stage, from left to right."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName(self.tr("Stages"))
        self._row = QHBoxLayout(self)
        self._row.setContentsMargins(0, 0, 0, 0)
        self._row.setSpacing(SPACE.s)
        self._segments: list[StageSegment] = []

    def show_stages(self, stages: Sequence[StageView], phase: Phase) -> None:
        """Show these, of a run that stands so."""
        while len(self._segments) > len(stages):
            self._segments.pop().deleteLater()
        while len(self._segments) < len(stages):
            segment = StageSegment(self)
            self._segments.append(segment)
            self._row.addWidget(segment, 1)
        for segment, stage in zip(self._segments, stages, strict=True):
            segment.show_stage(stage, phase)


class StageSegment(QFrame):
    """One stage: its name, a sign and words for its state, and how far it is."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        set_role(self, "card")
        self._shown: tuple[StageView, Phase] | None = None
        self._sign = Label(parent=self)
        self._sign.setFixedSize(_ICON, _ICON)
        self._name = Label(parent=self)
        self._state = Label(parent=self)
        set_role(self._state, "small")
        self._bar = QProgressBar(self)
        self._bar.setRange(0, 1000)
        self._bar.setTextVisible(False)
        head = QHBoxLayout()
        head.setSpacing(SPACE.xs)
        head.addWidget(self._sign)
        head.addWidget(self._name, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(SPACE.s, SPACE.xs, SPACE.s, SPACE.s)
        column.setSpacing(SPACE.xs)
        column.addLayout(head)
        column.addWidget(self._state)
        column.addWidget(self._bar)
        theme().changed.connect(self._draw)

    def show_stage(self, stage: StageView, phase: Phase) -> None:
        """Show this."""
        if self._shown != (stage, phase):
            self._shown = (stage, phase)
            self._draw()

    def _draw(self) -> None:
        if self._shown is None:
            return
        stage, phase = self._shown
        at_work = phase == "running"
        running = stage.state == "running"
        sign = {"done": "check", "running": _SIGNS.get(phase, "stop"), "waiting": ""}[stage.state]
        if sign:
            self._sign.setPixmap(icon(sign).pixmap(_ICON, _ICON))
        self._sign.setVisible(bool(sign))
        name, words = text.stage_name(stage.name), self._words(stage, at_work=at_work)
        self._name.setText(name)
        set_role(self._name, "strong" if running else "" if stage.state == "done" else "note")
        self._state.setText(words)
        self.setAccessibleName(f"{name}: {words}")
        fraction = {"done": 1.0, "waiting": 0.0, "running": stage.fraction or 0.0}[stage.state]
        # A stage that is at work on something it can't count shows as busy.
        busy = running and at_work and stage.fraction is None
        self._bar.setRange(0, 0 if busy else 1000)
        self._bar.setValue(round(1000 * fraction))

    def _words(self, stage: StageView, *, at_work: bool) -> str:
        if stage.state == "waiting":
            return self.tr("waiting")
        if stage.state == "done":
            return self.tr("done in {}").format(text.duration(stage.seconds))
        words = self.tr("preparing") if not stage.whole else ""
        if stage.fraction is not None:
            share = text.percent(stage.fraction, 0)
            words = f"{words} {share}".strip()
        if at_work and stage.eta_seconds is not None and stage.whole:
            words += " · " + self.tr("{} left").format(text.roughly(stage.eta_seconds))
        return words or self.tr("at work")
