"""A self-contained HTML page around its content: no scripts, no files beside it, nothing fetched."""

from __future__ import annotations

from pathlib import Path

from core.errors import InputError
from core.export.markup import Markup, joined, text
from core.export.style import style
from core.sealing import write_atomic

_POLICY = "default-src 'none'; style-src 'unsafe-inline'"


def document(title: str, *content: Markup) -> str:
    """The whole page; `title` is escaped like all other words."""
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta name="color-scheme" content="light dark">\n<title>{text(title)} – Monoglot</title>\n'
        f"<style>{style()}</style>\n</head>\n<body>\n{joined(content)}\n</body>\n</html>\n"
    )


def write_page(path: Path, page: str, hint: str) -> None:
    """Write a page; a file that is there already is replaced, anything else never.

    Raises:
        InputError: it can't be written; `hint` says what to do.
    """
    try:
        if path.exists() and not path.is_file():
            what = "a folder" if path.is_dir() else "no file"
            raise InputError(f"{path} can't be written: it is {what}.", hint=hint)
        write_atomic(path, page.encode("utf-8", "replace"))
    except OSError as error:
        raise InputError(f"{path} can't be written: {error.strerror}.", hint=hint) from error
