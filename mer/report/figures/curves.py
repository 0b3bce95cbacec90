"""Curves over time: motion in a video, errors during training."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mer.report.figures.axes import COLORS, new_axes

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes


def plot_curve(
    values: np.ndarray,
    times: np.ndarray | None = None,
    *,
    marks: dict[str, float] | None = None,
    threshold: float | None = None,
    unit: str = "frame",
    label: str = "motion",
    ax: Axes | None = None,
) -> Axes:
    """Plot a curve over time, such as the motion in a video.

    Parameters
    ----------
    values : (n,)
    times : (n,), optional
        Times of the values, in `unit`; 0, 1, ... by default.
    marks : dict, optional
        Maps names to times, such as `{"onset": 12, "apex": 20}`; drawn as labeled vertical lines.
    threshold : float, optional
        Drawn as a dashed horizontal line.
    unit, label : str
        Labels of the horizontal and vertical axis.
    """
    ax = new_axes(ax)
    times = np.arange(len(values)) if times is None else times
    ax.plot(times, values, color="black", linewidth=1.2)
    if threshold is not None:
        ax.axhline(threshold, color="dimgray", linestyle="--", linewidth=1)
    for (name, time), style in zip((marks or {}).items(), ("-", ":", "-.", "--") * len(marks or {})):
        ax.axvline(time, color="black", linestyle=style, linewidth=1)
        ax.annotate(f" {name}", (time, 1), xycoords=("data", "axes fraction"), va="top", fontsize="small")
    ax.set_xlabel(unit)
    ax.set_ylabel(label)
    ax.margins(x=0)
    return ax


def plot_spotting(
    curve: np.ndarray | pd.DataFrame,
    intervals: pd.DataFrame | None = None,
    truth: pd.DataFrame | None = None,
    *,
    column: str = "value",
    threshold: float | None = None,
    fps: float | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Plot the motion in a long video with the predicted and the true expressions.

    Parameters
    ----------
    curve : (n,) or DataFrame
        Motion at frames 0, 1, ..., or a table with the columns `frame` and `column`. NaN means that no face was found,
        which is drawn as a black bar at the top.
    intervals, truth : DataFrame, optional
        One row per expression: `onset` and `offset` in frames, optionally `apex` and `kind`. Predicted intervals are
        shaded, micro darker than macro, with a triangle at the apex; true intervals are hatched bars at the bottom.
    column : str
        Column of the curve, such as `strength` of :func:`mer.spotting.spot`.
    threshold : float, optional
        Drawn as a dashed horizontal line.
    fps : float, optional
        Frames per second. If given, the time axis is in seconds, otherwise in frames.
    """
    import pandas as pd

    table = curve if isinstance(curve, pd.DataFrame) else pd.DataFrame({"frame": range(len(curve)), column: curve})
    frames, values, rate = table["frame"].to_numpy(), table[column].to_numpy(float), fps or 1.0
    ax = plot_curve(
        values, frames / rate, threshold=threshold, unit="time (s)" if fps else "frame",
        label="motion" if column == "value" else column, ax=new_axes(ax, (9, 3)),
    )  # fmt: skip
    low, high = ax.get_ylim()
    if truth is not None:
        ax.set_ylim(low - 0.08 * (high - low), high)  # room for the bars
    for row in _rows(truth):
        _span(ax, row, rate, (0, 0.06), facecolor="white", edgecolor="black", hatch="////", label="ground truth")
    for row in _rows(intervals):
        kind = row.get("kind", "predicted")
        _span(ax, row, rate, (0, 1), color="0.65" if kind == "micro" else "0.85", linewidth=0, zorder=0, label=kind)
        if row.get("apex", np.nan) == row.get("apex", np.nan):
            height = np.interp(row["apex"], frames, values)
            ax.plot(row["apex"] / rate, height, "v", color=COLORS[2], markeredgecolor="black", label="apex")
    for first, last in _runs(np.isnan(values)):
        _span(ax, {"onset": frames[first], "offset": frames[last]}, rate, (0.97, 1), color="black", label="no face")
    key = dict(zip(*reversed(ax.get_legend_handles_labels())))  # one entry per label
    if key:
        ax.legend(
            key.values(), key.keys(), fontsize="small", frameon=False, loc="lower left", bbox_to_anchor=(0, 1), ncols=5
        )
    return ax


def _span(ax: Axes, row: dict, rate: float, height: tuple[float, float], **style: Any) -> None:
    ax.axvspan(row["onset"] / rate, row["offset"] / rate, *height, **style)


def _runs(condition: np.ndarray) -> np.ndarray:
    """First and last index of each run of True, `(runs, 2)`."""
    edges = np.diff(np.concatenate([[0], condition.astype(int), [0]]))
    return np.column_stack([np.flatnonzero(edges == 1), np.flatnonzero(edges == -1) - 1])


def _rows(table: pd.DataFrame | None) -> list[dict]:
    return [] if table is None else table.to_dict("records")


def plot_training(
    log: pd.DataFrame | str | Path,
    columns: tuple[str, ...] = ("expression", "head", "facial"),
    *,
    relative: bool = False,
    ax: Axes | None = None,
) -> Axes:
    """Plot errors against training steps of DecFlow, on validation data (bold) and training data (thin).

    Parameters
    ----------
    log : DataFrame or path
        `log.csv` of a run, with the columns `step, part, loss, facial, head, expression, none, seconds`; `none` is the
        error of the zero-flow baseline. With a column `stage`, the stages are drawn one after another.
    columns : tuple of str
        Errors to draw.
    relative : bool
        Divide the errors by that of the zero-flow baseline, so that stages with different data are comparable. By
        default, errors are in pixels.
    """
    import pandas as pd

    table = log if isinstance(log, pd.DataFrame) else pd.read_csv(log)
    missing = {"step", "part", "none", *columns} - set(table.columns)
    if missing:
        raise ValueError(f"not a training log: it lacks {', '.join(sorted(missing))}")
    stage = table["stage"] if "stage" in table else pd.Series(1, index=table.index)
    lengths = table["step"].groupby(stage).max()
    starts = lengths.cumsum() - lengths
    table = table.assign(step=table["step"] + stage.map(starts), stage=stage)
    ax = new_axes(ax, (7, 4))
    names = list(columns) + ([] if relative else ["none"])
    styles = dict(zip(names, zip(COLORS, "o^sD")))
    styles["none"] = ("0.5", "")
    for name in names:
        color, marker = styles[name]
        for part, rows in table.groupby("part"):
            bold = part == "val" or "val" not in set(table["part"])
            if name == "none" and not bold:
                continue
            for i, (_, own) in enumerate(rows.groupby("stage")):
                values = own[name] / own["none"] if relative else own[name]
                ax.plot(
                    own["step"], values, color=color, marker=marker if bold else "", markersize=4,
                    linewidth=1.8 if bold else 0.8, alpha=1 if bold else 0.45,
                    linestyle=":" if name == "none" else "-",
                    label="" if i or not bold else "zero flow" if name == "none" else name,
                )  # fmt: skip
    if relative:
        ax.axhline(1, color="0.5", linestyle=":", linewidth=1.8, label="zero flow")
    for i, (number, start) in enumerate(starts.items()):
        if len(starts) > 1:
            ax.axvline(start, color="0.7", linewidth=0.8, zorder=0)
            ax.annotate(
                f" {'' if i else 'stage '}{number}", (start, 1), xycoords=("data", "axes fraction"), va="top",
                fontsize="x-small",
            )  # fmt: skip
    ax.set(xlabel="step", ylabel="error / error of zero flow" if relative else "endpoint error (px)")
    ax.set_ylim(bottom=0)
    ax.margins(x=0.01)
    ax.legend(fontsize="small", frameon=False, ncols=len(names) + 1, loc="lower left", bbox_to_anchor=(0, 1))
    return ax
