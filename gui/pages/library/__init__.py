"""The library page: the runs of this machine, held against each other."""

from gui.pages.library.page import LibraryPage

__all__ = ["LibraryPage"]
