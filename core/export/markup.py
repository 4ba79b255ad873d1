"""HTML from words: what isn't `Markup` already is escaped, so that no text from outside becomes part of the page."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from core.wording import clean

_LONG = 16
"""Rows from which a table may be cut between two pages."""


class Markup(str):
    """HTML that is safe as it stands."""

    __slots__ = ()


NOTHING = Markup()


def text(words: object) -> Markup:
    """Words as HTML that shows them; a space at either end stays, as more may follow on the same line."""
    if isinstance(words, Markup):
        return words
    given = str(words)
    before, after = (" " if end.isspace() else "" for end in (given[:1], given[1:][-1:]))
    return Markup(before + escape(clean(given)) + after)


def element(tag: str, *content: object, **attributes: str) -> Markup:
    """An element; `css` is its class, attributes without a value are left out."""
    named = "".join(
        f' {"class" if name == "css" else name.replace("_", "-")}="{text(value)}"'
        for name, value in attributes.items()
        if value
    )
    return Markup(f"<{tag}{named}>{joined(content)}</{tag}>")


def joined(parts: Iterable[object], between: str = "") -> Markup:
    """Several pieces as one."""
    return Markup(text(between).join(text(part) for part in parts))


def user(words: object) -> Markup:
    """Words of the user's, in whatever direction their script runs."""
    return element("bdi", words, dir="auto")


def paragraph(*content: object, css: str = "") -> Markup:
    """A paragraph."""
    return element("p", *content, css=css)


def note(*content: object) -> Markup:
    """A warning that can't be overlooked."""
    return element("p", *content, css="note", role="note", dir="auto")


def bullets(entries: Iterable[object], css: str = "") -> Markup:
    """A list."""
    return element("ul", *(element("li", entry) for entry in entries), css=css)


def link(address: str, words: object) -> Markup:
    """A link; the address must be one of ours: only its own words are escaped."""
    return element("a", words, href=address)


def figure(caption: str, svg: str) -> Markup:
    """A plot of `core.export.plots`, which escapes its own words."""
    return element("figure", element("figcaption", caption, dir="auto"), Markup(svg))


def table(
    caption: str, head: Sequence[object], rows: Sequence[Sequence[object]], *, words: int = 1, css: str = ""
) -> Markup:
    """A table whose first `words` columns are text, the others numbers; a row's first cell names it."""

    def cells(entries: Sequence[object], tag: str, scope: str) -> Iterable[Markup]:
        for column, entry in enumerate(entries):
            is_head = tag == "th" or (scope == "row" and column == 0)
            direction, kind = ("auto", "") if column < words else ("", "number")
            named = "th" if is_head and entry != "" else "td"
            yield element(named, entry, scope=scope if named == "th" else "", dir=direction, css=kind)

    header = element("thead", element("tr", *cells(head, "th", "col"))) if any(head) else NOTHING
    body = element("tbody", *(element("tr", *cells(row, "td", "row")) for row in rows))
    css = f"{css} long".strip() if len(rows) >= _LONG else css
    whole = element("table", element("caption", caption, dir="auto"), header, body, css=css)
    return element("div", whole, css="scroll", tabindex="0", role="group", aria_label=caption)
