"""Figures of evaluation results."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from mer.report.figures.axes import new_axes

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes


def plot_confusion(counts: np.ndarray, classes: Sequence[str], ax: Axes | None = None) -> Axes:
    """Plot a confusion matrix with counts and row percentages, in shades of gray.

    Parameters
    ----------
    counts : (C, C) or (C, C + 1)
        True classes in rows, predicted classes in columns; an optional last column counts failed clips. Means over
        seeds may be fractions.
    classes : sequence of str
    """
    # scikit-learn's ConfusionMatrixDisplay shows either counts or percentages and has no column for failed clips.
    counts = np.asarray(counts, dtype=float)
    if counts.shape not in ((len(classes), len(classes)), (len(classes), len(classes) + 1)):
        raise ValueError(f"expected counts {len(classes)} x {len(classes)}; found {counts.shape}")
    columns = [*classes, "failed"]
    if not counts[:, len(classes) :].any():
        counts, columns = counts[:, : len(classes)], list(classes)
    ax = new_axes(ax)
    total = counts.sum(1, keepdims=True)
    share = np.divide(counts, total, out=np.zeros_like(counts), where=total > 0)
    ax.imshow(share, cmap="gray_r", vmin=0, vmax=1)
    for row, column in np.ndindex(counts.shape):
        number = f"{counts[row, column]:.1f}".removesuffix(".0")
        color = "white" if share[row, column] > 0.5 else "black"
        ax.text(column, row, f"{number}\n{100 * share[row, column]:.0f} %", ha="center", va="center", color=color)
    ax.set_xticks(range(len(columns)), columns)
    if len(columns) * max(map(len, columns)) > 36:
        ax.tick_params("x", labelrotation=45)
    ax.set_yticks(range(len(classes)), classes)
    ax.set_xlabel("predicted class")
    ax.set_ylabel("true class")
    ax.set_xticks(np.arange(len(columns) + 1) - 0.5, minor=True)
    ax.set_yticks(np.arange(len(classes) + 1) - 0.5, minor=True)
    ax.grid(which="minor", color="black", linewidth=0.5)
    ax.tick_params(which="minor", length=0)
    return ax


def plot_subjects(predictions: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Plot which clips of which people are recognized: one column per person, one box per clip.

    A black box is correct, a white box is wrong, and gray means that seeds disagree. A cross marks a clip without flow,
    which counts as wrong. Within a database, people are sorted from best to worst. Unlike a mean, the figure shows if a
    method works only for some people.

    Parameters
    ----------
    predictions : DataFrame
        One row per clip and seed with the columns `dataset, subject, clip, onset, label, prediction`, as in
        `predictions.csv` or :attr:`mer.evaluation.result.Result.predictions`.
    """
    from matplotlib.collections import PatchCollection
    from matplotlib.patches import Patch, Rectangle
    from matplotlib.ticker import MaxNLocator

    predicted = predictions["prediction"].fillna("")
    rows = predictions.assign(correct=(predicted == predictions["label"]).astype(float), failed=predicted == "")
    clips = rows.groupby(["dataset", "subject", "clip", "onset"], sort=False)[["correct", "failed"]].mean()
    clips = clips.reset_index()
    people = clips.groupby(["dataset", "subject"], sort=False)["correct"].mean()
    columns = [
        [(dataset, subject) for subject in group.sort_values(ascending=False, kind="stable").index.get_level_values(1)]
        for dataset, group in people.groupby(level=0, sort=False)
    ]
    ax = new_axes(ax, (max(4.0, 0.25 * len(people) + 1), 3))
    boxes, shades, ticks, crosses, x = [], [], [], [], 0
    for column in columns:
        if len(columns) > 1:
            ax.annotate(
                column[0][0], (x + len(column) / 2 - 0.5, 1), xycoords=("data", "axes fraction"), xytext=(0, 3),
                textcoords="offset points", ha="center", va="bottom",
            )  # fmt: skip
        for dataset, subject in column:
            own = clips[(clips["dataset"] == dataset) & (clips["subject"] == subject)]
            own = own.sort_values("correct", ascending=False)[["correct", "failed"]]
            for y, (correct, failed) in enumerate(own.to_numpy()):
                boxes.append(Rectangle((x - 0.42, y + 0.06), 0.84, 0.88))
                shades.append(str(1 - correct))
                if failed:
                    crosses.append((x, y + 0.5))
            ticks.append((x, subject))
            x += 1
        x += 1  # gap between databases
    ax.add_collection(PatchCollection(boxes, facecolor=shades, edgecolor="black", linewidth=0.6))
    failed_key: list[Any] = []
    if crosses:
        failed_key = ax.plot(*np.transpose(crosses), "x", color="black", markersize=4, label="no flow")
    crowded = len(people) > 12
    ax.set_xticks(*zip(*ticks), rotation=90 if crowded else 0, fontsize="x-small" if crowded else "small")
    ax.tick_params(axis="x", length=0)
    ax.yaxis.set_major_locator(MaxNLocator(5, integer=True))
    ax.set(xlim=(-1, x - 1), ylim=(0, None), ylabel="clips")
    ax.spines[["top", "right"]].set_visible(False)
    key: list[Any] = [
        Patch(facecolor=shade, edgecolor="black", label=name) for name, shade in (("correct", "0"), ("wrong", "1"))
    ]
    ax.legend(handles=key + failed_key, fontsize="small", frameon=False, loc="lower left", bbox_to_anchor=(1, 0))
    return ax
