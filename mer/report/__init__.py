"""Reports: one HTML file that needs nothing else, on screen or on paper."""

from mer.report.confusions import with_pictures, worst_confusions
from mer.report.page import render_comparison, render_report, render_unit_report
from mer.report.video import render_video_report

__all__ = [
    "render_comparison",
    "render_report",
    "render_unit_report",
    "render_video_report",
    "with_pictures",
    "worst_confusions",
]
