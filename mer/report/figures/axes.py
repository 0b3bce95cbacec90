"""Axes and colors shared by all figures."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Okabe & Ito's palette for color-blind readers, in an order that also differs in lightness, for print in gray.
COLORS = ("#000000", "#0072B2", "#E69F00", "#009E73", "#CC79A7")


def new_axes(ax: Axes | None, size: tuple[float, float] = (5, 4)) -> Axes:
    if ax is not None:
        return ax
    import matplotlib.pyplot as plt

    return plt.subplots(figsize=size, layout="constrained")[1]
