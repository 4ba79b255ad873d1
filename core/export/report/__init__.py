"""The report of a run: one self-contained HTML page, a module for each of its sections."""

from core.export.report.page import write_report

__all__ = ["write_report"]
