"""Opens the window."""

from __future__ import annotations

import os
import signal
import sys

from core.errors import InputError


def main(*, sample: bool = False) -> int:
    """Open the window and stay until it is closed.

    Args:
        sample: start the built-in sample in it.

    Returns:
        The exit status.

    Raises:
        InputError: there is no screen, or a system library that Qt needs is missing.
    """
    _require_screen()
    try:
        from PySide6.QtWidgets import QApplication
    except ImportError as error:
        raise InputError(
            f"The window can't be opened: {error}.",
            hint="Start it with python3 launch.py, which says what to install; every command works without a window.",
        ) from error
    app = QApplication(sys.argv[:1])
    app.setApplicationName("Monoglot")
    app.setDesktopFileName("monoglot")
    speak(app)

    from PySide6.QtCore import Qt

    from gui.hook import Hook
    from gui.settings import SettingsFile
    from gui.window import MainWindow

    window = MainWindow(SettingsFile())
    hook = Hook(window)
    hook.told.connect(window.show_fault, Qt.ConnectionType.QueuedConnection)  # widgets belong to this thread alone
    sys.excepthook = hook
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C in the terminal; a run goes on, as when the window is closed
    window.show()
    if sample:
        window.start_sample()
    return app.exec()


def _require_screen() -> None:
    """Qt would abort the process, without a word that helps."""
    if not sys.platform.startswith("linux") or os.environ.get("QT_QPA_PLATFORM"):
        return
    if not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        raise InputError(
            "There is no screen to open the window on.",
            hint="The commands work without one: monoglot --help; the sample: monoglot sample.",
        )


def speak(app: object) -> None:
    """Texts in the user's language, where there is a translation; numbers as the user's country writes them."""
    from pathlib import Path

    from PySide6.QtCore import QLocale, QTranslator

    import resources

    if QLocale().language() == QLocale.Language.C:  # of nowhere: it doesn't even group digits
        QLocale.setDefault(QLocale(QLocale.Language.English))
    translator = QTranslator(app)  # type: ignore[call-overload]
    folder = Path(resources.__file__).parent / "translations"
    if translator.load(QLocale(), "monoglot", "_", str(folder)):
        app.installTranslator(translator)  # type: ignore[attr-defined]
