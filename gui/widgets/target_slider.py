"""One size of the student: a slider whose steps are sizes, and a field beside it for the exact number."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QAbstractSpinBox, QGridLayout, QSlider, QSpinBox, QWidget

from gui.targets import nearest
from gui.text import count, plain_tip
from gui.theme import SPACE, set_role
from gui.widgets.calm_wheel import CalmWheel
from gui.widgets.label import Label
from gui.widgets.suggested_sizes import SizeGroup, SuggestedSizes


class TargetSlider(QWidget):
    """Slider and field show the same size; at the slider's right end the teacher's own is kept."""

    moved = Signal(int)
    """The size that the user now asks for."""
    settled = Signal()
    """The user let the slider go or left the field."""

    def __init__(self, name: str, words: str, term: str, tooltip: str, parent: QWidget | None = None) -> None:
        """`name` names the slider; `words` and `term` say what it sets, plainly and as the field does."""
        super().__init__(parent)
        self._steps: tuple[int, ...] = ()
        self._own = 0
        self._only_steps = False
        self._tooltip = tooltip
        label = Label(words, self)
        note = Label(term, self)
        set_role(note, "small")
        self.slider = QSlider(Qt.Orientation.Horizontal, self)
        self.slider.setObjectName(name)
        self.field = _StepField(self)
        self._end = Label(parent=self)
        set_role(self._end, "small")
        self.suggestions = SuggestedSizes(words, self)
        label.setToolTip(tooltip)
        spoken = f"{words} ({term})"
        self.slider.setAccessibleName(spoken)
        self.field.setAccessibleName(self.tr("{}, exact").format(spoken))
        CalmWheel(self.slider, self.field)

        row = QGridLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setHorizontalSpacing(SPACE.s)
        row.setVerticalSpacing(0)
        row.addWidget(label, 0, 0, Qt.AlignmentFlag.AlignBottom)
        row.addWidget(note, 1, 0, Qt.AlignmentFlag.AlignTop)
        row.addWidget(self.slider, 0, 1, 2, 1)
        row.addWidget(self.field, 0, 2, 2, 1)
        row.addWidget(self._end, 0, 3, 2, 1)
        row.addWidget(self.suggestions, 2, 0, 1, 4)
        row.setColumnMinimumWidth(0, 128)
        row.setColumnMinimumWidth(3, 64)
        row.setColumnStretch(1, 1)

        self.slider.valueChanged.connect(self._on_slider)
        self.slider.sliderReleased.connect(self.settled)
        self.field.valueChanged.connect(self._on_field)
        self.field.editingFinished.connect(self.settled)
        self.suggestions.chosen.connect(self._on_suggestion)
        self.clear()

    @property
    def value(self) -> int:
        """The size that both show."""
        return self.field.value()

    def clear(self) -> None:
        """There is no teacher."""
        self.lock("")
        self.set_steps((0,), 0, only=True)
        self.field.setSpecialValueText("–")
        self.suggest(())
        self.setEnabled(False)
        self._end.setText("")

    def set_steps(self, steps: Sequence[int], own: int, *, only: bool) -> None:
        """Say which sizes there are.

        Args:
            steps: the slider's, ascending.
            own: the teacher's.
            only: whether no other sizes may be typed; what is typed all the same becomes the nearest of them.
        """
        self.setEnabled(True)
        if (tuple(steps), own, only) == (self._steps, self._own, self._only_steps):
            return
        self._steps, self._own, self._only_steps = tuple(steps), own, only
        for widget in (self.slider, self.field):
            widget.blockSignals(True)
        # From 1, so that the slider of the layers says how many there are.
        self.slider.setRange(1, len(self._steps))
        self.slider.setPageStep(max(1, len(self._steps) // 8))
        self.field.steps = self._steps
        self.field.setSpecialValueText("")
        self.field.setRange(min(1, own), own)
        for widget in (self.slider, self.field):
            widget.blockSignals(False)
        self._end.setText(self.tr("of {}").format(count(own)))

    def suggest(self, groups: Sequence[SizeGroup]) -> None:
        """Offer these sizes below the slider; none: it stands alone."""
        self.suggestions.set_groups(groups)
        self.suggestions.show_value(self.value)

    def lock(self, reason: str) -> None:
        """Say why this size can't be set; empty: it can."""
        self.setEnabled(not reason)
        for widget in (self.slider, self.field):
            widget.setToolTip(plain_tip(reason or self._tooltip))

    def step(self, steps: int) -> None:
        """Go so many steps on, or back."""
        self.field.stepBy(steps)

    def show_value(self, value: int | None) -> None:
        """Show a size without telling of it; None is the teacher's own."""
        shown = self._own if value is None else value
        for widget in (self.slider, self.field):
            widget.blockSignals(True)
        if shown != self.field.value():
            self.field.setValue(shown)
        position = self._steps.index(nearest(shown, self._steps)) + 1
        # A size between two steps leaves the slider alone that shows one of them.
        if position != self.slider.value():
            self.slider.setValue(position)
        for widget in (self.slider, self.field):
            widget.blockSignals(False)
        self.suggestions.show_value(shown)

    def _on_suggestion(self, size: int) -> None:
        self._tell(size)
        self.settled.emit()

    def _on_slider(self, position: int) -> None:
        self._tell(self._steps[position - 1])

    def _on_field(self, value: int) -> None:
        self._tell(nearest(value, self._steps) if self._only_steps else value)

    def _tell(self, value: int) -> None:
        self.show_value(value)
        self.moved.emit(value)


class _StepField(QSpinBox):
    """A number whose arrows go from step to step."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.steps: tuple[int, ...] = (1,)
        self.setGroupSeparatorShown(True)
        self.setKeyboardTracking(False)
        self.setCorrectionMode(QAbstractSpinBox.CorrectionMode.CorrectToNearestValue)
        self.lineEdit().setTextMargins(6, 0, 6, 0)
        self.setFixedWidth(96)

    def stepBy(self, steps: int) -> None:
        """Go to the next step, or to one further on."""
        place = bisect_left(self.steps, self.value())
        exact = place < len(self.steps) and self.steps[place] == self.value()
        wanted = place + steps - (0 if exact or steps < 0 else 1)
        self.setValue(self.steps[min(max(wanted, 0), len(self.steps) - 1)])
