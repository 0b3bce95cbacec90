"""Reports and figures from plain values; nothing is computed here."""

from mer.report.page import render_comparison, render_report, render_unit_report

__all__ = ["render_comparison", "render_report", "render_unit_report"]
