"""The report of an evaluation: one HTML file that needs nothing else, on screen or on paper."""

from mer.report.page import render_comparison, render_report, render_unit_report

__all__ = ["render_comparison", "render_report", "render_unit_report"]
