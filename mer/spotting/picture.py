"""The curve of a long video as a picture."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def plot_spotting(curve: pd.DataFrame, intervals: pd.DataFrame, threshold: float, ax: Axes | None = None) -> Axes:
    """Strength over time; intervals are shaded, with their number above and a line at the apex.

    Micro-expressions are dark and macro-expressions light, so that it can be read without colors.

    Parameters
    ----------
    curve, intervals, threshold
        As in :class:`mer.spotting.Spotting`.
    """
    if ax is None:
        import matplotlib.pyplot as plt

        ax = plt.subplots(figsize=(12, 4), layout="constrained")[1]
    ax.plot(curve["time"], curve["strength"], color="black", linewidth=0.9)
    ax.axhline(threshold, color="dimgray", linestyle="--", linewidth=1)
    for row in intervals.itertuples():
        shade = "0.62" if row.kind == "micro" else "0.86"
        ax.axvspan(row.onset_time, row.offset_time, color=shade, linewidth=0, zorder=0)
        ax.axvline(row.apex_time, color="black", linestyle=":", linewidth=1)
        ax.annotate(
            str(row.Index + 1), (row.apex_time, 1), xycoords=("data", "axes fraction"), xytext=(0, 3),
            textcoords="offset points", ha="center", fontsize="small",
        )  # fmt: skip
    lost = curve["strength"].isna().to_numpy()
    if lost.any():
        times = curve["time"].to_numpy()
        step = float(np.median(np.diff(times))) if len(times) > 1 else 1.0
        for time in times[lost]:
            ax.axvspan(time - step / 2, time + step / 2, ymax=0.03, color="black", linewidth=0)
    top = float(np.nanmax(curve["strength"])) if not lost.all() else threshold
    ax.set_ylim(0, 1.1 * max(top, 1.2 * threshold))
    notes = "dark: micro, light: macro, dotted: apex, broken line: threshold"
    ax.set_xlabel(f"seconds ({notes}{'; bar below: no face' if lost.any() else ''})")
    ax.set_ylabel("strength")
    ax.margins(x=0)
    return ax
