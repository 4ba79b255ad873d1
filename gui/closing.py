"""What is asked when the window is closed while something is under way."""

from __future__ import annotations

from typing import Literal

from PySide6.QtCore import QCoreApplication
from PySide6.QtWidgets import QMessageBox, QWidget

Answer = Literal["go_on", "stop", "stay"]

translate = QCoreApplication.translate


def what_of_the_run(parent: QWidget) -> Answer:
    """Whether a run goes on without the window, is to be stopped, or the window stays."""
    return _ask(  # type: ignore[return-value]
        parent,
        "question-close",
        translate("Closing", "Should the run go on without the window?"),
        translate("Closing", "It needs no window; the next one finds it again. A stopped run can be resumed later."),
        {
            "go_on": (translate("Closing", "Let it go on"), QMessageBox.ButtonRole.AcceptRole),
            "stop": (translate("Closing", "Stop it"), QMessageBox.ButtonRole.DestructiveRole),
            "stay": (translate("Closing", "Stay here"), QMessageBox.ButtonRole.RejectRole),
        },
    )


def end_export(parent: QWidget) -> bool:
    """Whether an export that is under way may be given up."""
    answer = _ask(
        parent,
        "question-export",
        translate("Closing", "An export is still under way. Give it up?"),
        translate("Closing", "Nothing of it stays behind; it can be begun again."),
        {
            "end": (translate("Closing", "Give it up and close"), QMessageBox.ButtonRole.DestructiveRole),
            "stay": (translate("Closing", "Stay here"), QMessageBox.ButtonRole.RejectRole),
        },
    )
    return answer == "end"


def _ask(
    parent: QWidget, name: str, question: str, more: str, answers: dict[str, tuple[str, QMessageBox.ButtonRole]]
) -> str:
    """The key of the answer; the first is at hand, Escape is the last."""
    box = QMessageBox(parent)
    box.setObjectName(name)
    box.setIcon(QMessageBox.Icon.Question)
    box.setWindowTitle("Monoglot")
    box.setText(question)
    box.setInformativeText(more)
    buttons = {box.addButton(text, role): key for key, (text, role) in answers.items()}
    for button, key in buttons.items():
        button.setObjectName(f"button-close-{key.replace('_', '-')}")
    box.setDefaultButton(next(iter(buttons)))
    box.setEscapeButton(list(buttons)[-1])
    box.exec()
    answer = buttons[box.clickedButton()]
    box.deleteLater()
    return answer
