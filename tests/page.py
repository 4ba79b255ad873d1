"""A report page, taken apart: its elements close, and what there is to look at is kept."""

from __future__ import annotations

from html.parser import HTMLParser

from core.export.report import write_report
from core.run import RunFolder

VOID = {"meta", "br"}


class Page(HTMLParser):
    """Checks that every element that opens closes and that none can run a script."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.words: list[str] = []
        self.addresses: list[str] = []
        self.ids: list[str] = []
        self.feed(html)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.addresses += [value or "" for name, value in attributes if name in ("src", "href")]
        self.ids += [value or "" for name, value in attributes if name == "id"]
        assert not any(name.startswith("on") or name == "style" for name, _ in attributes)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.words.append(data)

    @property
    def text(self) -> str:
        """All words, one space between them."""
        return " ".join(" ".join(self.words).split())


def page_of(folder: RunFolder) -> Page:
    """The report of a run, written anew."""
    return Page(write_report(folder).read_text(encoding="utf-8"))
