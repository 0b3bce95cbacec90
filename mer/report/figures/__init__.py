"""Figures with matplotlib. Every function draws into the `ax` that it is given, or into a new one, and returns it.

They read without color too: what matters is told by lightness, line style, marker or arrow as well. The keys to the
flow's colors are Middlebury's, which the field knows; `arrows=True` tells directions to those who can't see them.
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
