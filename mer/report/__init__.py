"""HTML reports and matplotlib figures, rendered from plain values."""

from mer.report.page import render_comparison, render_report, render_unit_report

__all__ = ["render_comparison", "render_report", "render_unit_report"]
