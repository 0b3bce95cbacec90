"""Figures with matplotlib. Every function draws into `ax`, or into new axes by default, and returns the axes.

The figures are readable without color: lightness, line style, markers or arrows repeat what color shows. Flow is drawn
in the colors of the Middlebury benchmark; `arrows=True` also shows its direction without color.
"""

from mer.report.figures.curves import plot_curve, plot_spotting, plot_training
from mer.report.figures.fields import flow_to_rgb, plot_arrows, plot_field, plot_flow, plot_strain, plot_wheel
from mer.report.figures.results import plot_confusion, plot_subjects

__all__ = [
    "flow_to_rgb",
    "plot_arrows",
    "plot_confusion",
    "plot_curve",
    "plot_field",
    "plot_flow",
    "plot_spotting",
    "plot_strain",
    "plot_subjects",
    "plot_training",
    "plot_wheel",
]
