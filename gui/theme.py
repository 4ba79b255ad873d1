"""The window's looks: design tokens from `resources/theme.toml` as a palette, a style sheet and measures."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtGui import QColor, QFont, QPalette
from PySide6.QtWidgets import QApplication, QWidget

import resources

_ICONS = Path(resources.__file__).parent / "icons"
_DROP = (_ICONS / "drop.svg").as_posix()
"""A combo box's arrow; style sheets take a file only, so it is of a grey that both themes can carry."""
_TICKS = tuple((_ICONS / f"tick-{ink}.svg").as_posix() for ink in ("light", "dark"))
"""What stands in a checked box, in the light theme and in the dark one: light on dark, dark on light."""

Choice = Literal["system", "light", "dark"]


@dataclass(frozen=True, slots=True)
class Space:
    """Distances in pixels."""

    xs: int
    s: int
    m: int
    l: int  # noqa: E741 (large, as in the tokens)
    xl: int


@dataclass(frozen=True, slots=True)
class Size:
    """Measures in pixels: corner radius, least height of a target, fonts."""

    radius: int
    target: int
    small: int
    normal: int
    large: int
    huge: int


@dataclass(frozen=True, slots=True)
class Colors:
    """The colours of one theme as "#rrggbb"; one meaning, one colour."""

    page: str
    card: str
    field: str
    rule: str
    edge: str
    text: str
    grey: str
    accent: str
    on_accent: str
    good: str
    warn_page: str
    warn_text: str
    bad_page: str
    bad_text: str
    teacher: str
    student: str
    mlm: str
    kd: str
    hidden: str
    total: str
    validation: str
    embeddings: str
    attention: str
    feed_forward: str
    head: str


@cache
def _tokens() -> dict[str, dict[str, str | int]]:
    return tomllib.loads((Path(resources.__file__).parent / "theme.toml").read_text(encoding="utf-8"))


SPACE = Space(**_tokens()["space"])  # type: ignore[arg-type]
SIZE = Size(**_tokens()["size"])  # type: ignore[arg-type]
LIGHT = Colors(**_tokens()["light"])  # type: ignore[arg-type]
DARK = Colors(**_tokens()["dark"])  # type: ignore[arg-type]


class Theme(QObject):
    """The theme in use; `changed` tells whoever paints by hand to take the new colours."""

    changed = Signal()

    def __init__(self, app: QApplication) -> None:
        """`app` gets the palette and the style sheet."""
        super().__init__(app)
        self._app = app
        self._choice: Choice = "system"
        self.colors = LIGHT
        app.setStyle("Fusion")
        app.styleHints().colorSchemeChanged.connect(self._apply)
        self._apply()

    @property
    def choice(self) -> Choice:
        """What the user chose."""
        return self._choice

    @property
    def is_dark(self) -> bool:
        """Whether the dark colours are in use."""
        return self.colors is DARK

    def choose(self, choice: Choice) -> None:
        """Use light or dark, or what the system says."""
        self._choice = choice
        self._apply()

    def _apply(self) -> None:
        system_dark = self._app.styleHints().colorScheme() == Qt.ColorScheme.Dark
        colors = DARK if self._choice == "dark" or (self._choice == "system" and system_dark) else LIGHT
        self.colors = colors
        self._app.setPalette(_palette(colors))
        self._app.setFont(_font(self._app.font(), SIZE.normal))
        self._app.setStyleSheet(_style_sheet(colors))
        self.changed.emit()


def theme() -> Theme:
    """The application's theme."""
    app = QApplication.instance()
    assert isinstance(app, QApplication)
    found = app.findChild(Theme)
    return found if found is not None else Theme(app)


def set_role(widget: QWidget, role: str) -> None:
    """Give a widget one of the style sheet's roles: title, heading, number, note, card, warn, bad, good, primary."""
    if widget.property("role") == role:
        return  # to polish takes a while
    widget.setProperty("role", role)
    widget.style().unpolish(widget)
    widget.style().polish(widget)


def _font(font: QFont, pixels: int) -> QFont:
    font.setPixelSize(pixels)
    font.setFeature(QFont.Tag("tnum"), 1)  # tabular figures: numbers that change don't dance
    return font


def _palette(colors: Colors) -> QPalette:
    roles = QPalette.ColorRole
    palette = QPalette(QColor(colors.card), QColor(colors.page))
    for role, color in {
        roles.Window: colors.page,
        roles.WindowText: colors.text,
        roles.Base: colors.field,
        roles.AlternateBase: colors.card,
        roles.ToolTipBase: colors.card,
        roles.ToolTipText: colors.text,
        roles.PlaceholderText: colors.grey,
        roles.Text: colors.text,
        roles.Button: colors.card,
        roles.ButtonText: colors.text,
        roles.BrightText: colors.bad_text,
        roles.Link: colors.accent,
        roles.LinkVisited: colors.accent,
        roles.Highlight: colors.accent,
        roles.HighlightedText: colors.on_accent,
        roles.Accent: colors.accent,
        roles.Light: colors.card,
        roles.Midlight: colors.rule,
        roles.Mid: colors.rule,
        roles.Dark: colors.edge,
        roles.Shadow: colors.edge,
    }.items():
        palette.setColor(role, QColor(color))
    for role in (roles.WindowText, roles.Text, roles.ButtonText):
        palette.setColor(QPalette.ColorGroup.Disabled, role, QColor(colors.edge))
    return palette


def _style_sheet(colors: Colors) -> str:
    return f"""
    QLabel[role="title"] {{ font-size: {SIZE.huge}px; font-weight: 600; }}
    QLabel[role="heading"] {{ font-size: {SIZE.large}px; font-weight: 600; }}
    QLabel[role="number"] {{ font-size: {SIZE.huge}px; font-weight: 600; }}
    QLabel[role="strong"] {{ font-weight: 600; }}
    QLabel[role="note"] {{ color: {colors.grey}; }}
    QLabel[role="small"] {{ color: {colors.grey}; font-size: {SIZE.small}px; }}
    QLabel[role="good"] {{ color: {colors.good}; }}
    QLabel[role="bad"] {{ color: {colors.bad_text}; }}
    QLabel[role="warn"] {{ color: {colors.warn_text}; }}
    QFrame[role="card"] {{
        background: {colors.card}; border: 1px solid {colors.rule}; border-radius: {SIZE.radius}px;
    }}
    QFrame[role="warn"] {{
        background: {colors.warn_page}; border: 1px solid {colors.warn_text}; border-radius: {SIZE.radius}px;
    }}
    QFrame[role="warn"] QLabel {{ color: {colors.warn_text}; }}
    QFrame[role="bad"] {{
        background: {colors.bad_page}; border: 1px solid {colors.bad_text}; border-radius: {SIZE.radius}px;
    }}
    QFrame[role="bad"] QLabel {{ color: {colors.bad_text}; }}
    QLabel[role="warn"], QLabel[role="bad"] {{ background: transparent; border: 0; }}
    QPushButton, QComboBox, QAbstractSpinBox, QLineEdit, QToolButton {{
        min-height: {SIZE.target - 8}px; padding: 3px {SPACE.s}px; border: 1px solid {colors.edge};
        border-radius: {SIZE.radius}px; background: {colors.field}; color: {colors.text};
    }}
    QComboBox::drop-down {{ border: 0; width: 24px; }}
    QComboBox::down-arrow {{ image: url("{_DROP}"); width: 12px; height: 12px; }}
    QAbstractSpinBox::up-button, QAbstractSpinBox::down-button {{ width: 0; border: 0; }}
    QComboBox QLineEdit, QAbstractSpinBox QLineEdit {{
        min-height: 0; padding: 0 {SPACE.xs}px; border: 0; background: transparent;
    }}
    QPushButton {{ padding: 3px {SPACE.m}px; background: {colors.card}; }}
    QToolButton {{ background: {colors.card}; }}
    QPushButton:hover, QToolButton:hover, QComboBox:hover {{ border-color: {colors.accent}; }}
    QPushButton:pressed, QToolButton:pressed, QToolButton:checked {{ background: {colors.rule}; }}
    QPushButton:disabled, QToolButton:disabled, QComboBox:disabled, QAbstractSpinBox:disabled, QLineEdit:disabled {{
        color: {colors.edge}; border-color: {colors.rule};
    }}
    QPushButton:focus, QToolButton:focus, QComboBox:focus, QAbstractSpinBox:focus, QLineEdit:focus,
    QListView:focus, QTreeView:focus, QTableView:focus, QPlainTextEdit:focus,
    QTextEdit:focus {{
        border: 2px solid {colors.accent};
    }}
    QPushButton[role="primary"] {{
        background: {colors.accent}; color: {colors.on_accent}; border: 1px solid {colors.accent}; font-weight: 600;
    }}
    QPushButton[role="primary"]:focus {{ border: 2px solid {colors.text}; }}
    QPushButton[role="primary"]:disabled {{
        background: {colors.rule}; color: {colors.grey}; border-color: {colors.rule};
    }}
    QToolButton[role="flat"], QPushButton[role="flat"] {{ border: 1px solid transparent; background: transparent; }}
    QToolButton[role="flat"]:checked {{ background: {colors.rule}; border-color: {colors.edge}; }}
    QToolButton[role="flat"]:hover, QPushButton[role="flat"]:hover {{ border-color: {colors.edge}; }}
    QToolButton[role="flat"]:focus, QPushButton[role="flat"]:focus {{ border: 2px solid {colors.accent}; }}
    QToolButton[role="rail"] {{
        border: 2px solid transparent; background: transparent; padding: {SPACE.s}px {SPACE.xs}px;
        font-size: {SIZE.small}px;
    }}
    QToolButton[role="rail"]:checked {{ background: {colors.rule}; }}
    QToolButton[role="rail"]:hover {{ border-color: {colors.rule}; }}
    QToolButton[role="rail"]:focus {{ border-color: {colors.accent}; }}
    QListView, QTreeView, QTableView, QPlainTextEdit, QTextEdit {{
        background: {colors.field}; border: 1px solid {colors.rule}; border-radius: {SIZE.radius}px;
    }}
    QListView::item, QTreeView::item {{ min-height: {SIZE.target}px; }}
    QTreeView::item, QTableView::item {{ padding: 0 {SPACE.s}px; }}
    QCheckBox::indicator, QTreeView::indicator {{
        width: 14px; height: 14px; border: 1px solid {colors.edge}; border-radius: 3px; background: {colors.field};
    }}
    QCheckBox::indicator:checked, QTreeView::indicator:checked {{
        border-color: {colors.accent}; background: {colors.accent}; image: url("{_TICKS[colors is DARK]}");
    }}
    QCheckBox::indicator:disabled {{ border-color: {colors.rule}; background: {colors.page}; }}
    QCheckBox::indicator:focus {{ border: 2px solid {colors.accent}; }}
    QTableCornerButton::section {{ background: {colors.page}; border: 0; border-bottom: 1px solid {colors.rule}; }}
    QHeaderView::section {{
        background: {colors.page}; color: {colors.grey}; border: 0; border-bottom: 1px solid {colors.rule};
        padding: {SPACE.xs}px {SPACE.s}px;
    }}
    QScrollArea, QScrollArea > QWidget > QWidget[role="page"] {{ background: transparent; border: 0; }}
    QProgressBar {{
        border: 0; border-radius: 3px; background: {colors.rule}; max-height: 6px; min-height: 6px; color: transparent;
    }}
    QProgressBar::chunk {{ background: {colors.accent}; border-radius: 3px; }}
    QSlider {{ min-height: {SIZE.target}px; }}
    QToolTip {{
        background: {colors.card}; color: {colors.text}; border: 1px solid {colors.edge}; padding: {SPACE.xs}px;
    }}
    QStatusBar {{ border-top: 1px solid {colors.rule}; color: {colors.grey}; }}
    QStatusBar::item {{ border: 0; }}
    """
