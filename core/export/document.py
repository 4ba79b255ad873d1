"""A self-contained HTML page around its content: no scripts, no files beside it, nothing fetched."""

from __future__ import annotations

from core.export.markup import Markup, joined, text
from core.export.style import style

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
