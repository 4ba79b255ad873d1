"""A teacher whose weights are pickled: asks whether they may be read, and writes them anew as safetensors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import appdirs
from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QMessageBox, QWidget

from core.wording import clean
from gui.widgets.exporting import MakingBar, free_name


class ConversionBar(MakingBar):
    """Converts after consent; the new folder lies in the user's data folder, beside the runs'."""

    converted = Signal(str, str)
    """The teacher as the recipe called it, and the new folder."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._model = ""

    def ask(self, model: str, base: Path) -> None:
        """Ask for consent, then convert; nothing is read where the user doesn't give it."""
        if self.making:
            return
        box = QMessageBox(self)
        box.setObjectName("question-convert")
        box.setIcon(QMessageBox.Icon.Question)
        box.setWindowTitle("Monoglot")
        box.setTextFormat(Qt.TextFormat.PlainText)
        box.setText(self.tr("Read the pickled weights of {}?").format(clean(model)))
        box.setInformativeText(
            self.tr(
                "A pickle (pytorch_model.bin) is a kind of file that can carry code. Only tensors are taken from it, "
                "and nothing in it is run; a file with anything else is refused. They are written into a new folder "
                "as safetensors; the old one stays as it is. Go on if you trust where the model comes from."
            )
        )
        yes = box.addButton(self.tr("Convert"), QMessageBox.ButtonRole.AcceptRole)
        yes.setObjectName("button-convert-yes")
        no = box.addButton(self.tr("Leave it"), QMessageBox.ButtonRole.RejectRole)
        no.setObjectName("button-convert-no")
        box.setDefaultButton(no)
        box.setEscapeButton(no)
        box.exec()
        agreed = box.clickedButton() is yes
        box.deleteLater()
        if agreed:
            self._convert(model, base)

    def _convert(self, model: str, base: Path) -> None:
        name = Path(model).name.lstrip(".") or "model"
        out = free_name(Path(appdirs.user_data_dir("monoglot", False)) / "models" / name)
        self._model = model
        asked = {"model": model, "base": str(base), "out": str(out)}
        self._start("convert", asked, self.tr("Converting and checking the model…"))

    def _made_words(self, found: dict[str, Any]) -> tuple[Path, str]:
        folder = Path(found["folder"])
        self.converted.emit(self._model, str(folder))
        return folder, self.tr("Converted and checked: {folder}").format(folder=folder)
