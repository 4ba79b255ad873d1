"""The head of the set-up page: preset, recipe files, back and forth."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtGui import QKeySequence
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QPushButton, QToolButton, QWidget

from core.recipe import Method
from gui.draft import Draft
from gui.icons import icon
from gui.theme import SPACE, set_role
from gui.widgets.calm_wheel import CalmWheel
from gui.widgets.elided import ElidedLabel
from gui.widgets.label import Label


class Header(QWidget):
    """Asks for files to be opened and saved; all else it does itself."""

    open_wanted = Signal()
    save_wanted = Signal()

    def __init__(self, draft: Draft, parent: QWidget) -> None:
        super().__init__(parent)
        self._draft = draft
        presets = {
            "balanced": (
                self.tr("Balanced"),
                self.tr("A good student in reasonable time: 2,000 steps of each distillation."),
            ),
            "fast": (self.tr("Fast"), self.tr("A first look: a quarter of the steps of Balanced.")),
            "best": (self.tr("Best"), self.tr("Four times the steps of Balanced, for the best student.")),
            "paper": (
                self.tr("As in the paper"),
                self.tr("The published method, step for step; to compare with (arXiv 2505.16956)."),
            ),
        }
        self._about = {name: about for name, (_, about) in presets.items()}
        title = Label(self.tr("Set up"), self)
        set_role(title, "title")
        self.about = ElidedLabel(parent=self)
        set_role(self.about, "note")
        self.preset = QComboBox(self)
        self.preset.setObjectName("combo-preset")
        self.preset.setAccessibleName(self.tr("Preset"))
        self.preset.setToolTip(self.tr("Sets method and schedule at once; what you set yourself stays."))
        for name, (words, about) in presets.items():
            self.preset.addItem(self.tr("Preset: {}").format(words), name)
            self.preset.setItemData(self.preset.count() - 1, about, 3)  # Qt.ItemDataRole.ToolTipRole
        self.preset.activated.connect(self._on_preset)
        CalmWheel(self.preset)
        self.undo = self._tool("undo", self.tr("Undo"), QKeySequence.StandardKey.Undo)
        self.undo.setToolTip(self.tr("Take back the last change."))
        self.undo.clicked.connect(draft.undo)
        self.redo = self._tool("redo", self.tr("Redo"), QKeySequence.StandardKey.Redo)
        self.redo.setToolTip(self.tr("Make the change again that was taken back."))
        self.redo.clicked.connect(draft.redo)
        load = QPushButton(self.tr("Open recipe…"), self)
        load.setShortcut(QKeySequence(QKeySequence.StandardKey.Open))
        load.setToolTip(self.tr("Take up a recipe from a file."))
        load.clicked.connect(self.open_wanted)
        self.save = QPushButton(self.tr("Save recipe…"), self)
        self.save.setShortcut(QKeySequence(QKeySequence.StandardKey.Save))
        self.save.setToolTip(self.tr("Write what is set here as a file, which also runs without a window."))
        self.save.clicked.connect(self.save_wanted)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(SPACE.s)
        row.addWidget(title)
        row.addSpacing(SPACE.s)
        for widget in (self.about, self.preset, self.undo, self.redo, load, self.save):
            row.addWidget(widget, 1 if widget is self.about else 0)

    def refresh(self) -> None:
        """Show the draft's preset and what can be taken back."""
        preset = self._draft.effective("method.preset")
        self.preset.setCurrentIndex(self.preset.findData(preset))
        self.about.setText(self._about.get(preset, ""))
        self.undo.setEnabled(self._draft.can_undo)
        self.redo.setEnabled(self._draft.can_redo)
        self.save.setEnabled(not self._draft.is_empty)

    def _tool(self, sign: str, name: str, key: QKeySequence.StandardKey) -> QToolButton:
        button = QToolButton(self)
        button.setIcon(icon(sign))
        button.setAccessibleName(name)
        button.setShortcut(QKeySequence(key))
        return button

    def _on_preset(self, index: int) -> None:
        preset = self.preset.itemData(index)
        self._draft.set("method.preset", None if preset == Method().preset else preset)
        self._draft.seal()
