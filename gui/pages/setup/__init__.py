"""The set-up page: a recipe, made by choosing."""

from gui.pages.setup.page import SetupPage

__all__ = ["SetupPage"]
