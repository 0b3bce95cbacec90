"""Pictures of what changes with time: motion in a video, errors in training."""

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
    """A curve over time, as of an apex or of the expressions in a long video.

    Parameters
    ----------
    values : (n,)
    times : (n,), optional
        Where the values stand, in `unit`; 0, 1, ... by default.
    marks : dict, optional
        Name -> time, drawn as vertical lines with their names, such as `{"onset": 12, "apex": 20}`.
    threshold : float, optional
        Drawn as a horizontal, broken line.
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
    """The expressions found in a long video: its curve of motion, and what was found and what was labeled.

    Parameters
    ----------
    curve : (n,) or DataFrame
        The motion at frames 0, 1, ..., or the columns `frame` and `column`. Where it is NaN, no face was found: a black
        bar at the top says so.
    intervals, truth : DataFrame, optional
        One row an expression: `onset, offset` in frames and, where known, `apex` and `kind`. What was found is shaded,
        micro darker than macro, its apex a triangle on the curve; the truth is a hatched bar below.
    column : str
        The curve's column, such as `strength` of :func:`mer.spotting.spot`.
    threshold : float, optional
        Drawn as a horizontal, broken line.
    fps : float, optional
        Frames a second: the axis is in seconds then, and else in frames.
    """
    import pandas as pd

    table = curve if isinstance(curve, pd.DataFrame) else pd.DataFrame({"frame": range(len(curve)), column: curve})
    frames, values, rate = table["frame"].to_numpy(), table[column].to_numpy(float), fps or 1.0
    ax = plot_curve(
        values, frames / rate, threshold=threshold, unit="second" if fps else "frame",
        label="motion" if column == "value" else column, ax=new_axes(ax, (9, 3)),
    )  # fmt: skip
    low, high = ax.get_ylim()
    if truth is not None:
        ax.set_ylim(low - 0.08 * (high - low), high)  # so that the bars hide nothing
    for row in _rows(truth):
        _span(ax, row, rate, (0, 0.06), facecolor="white", edgecolor="black", hatch="////", label="labeled")
    for row in _rows(intervals):
        kind = row.get("kind", "found")
        _span(ax, row, rate, (0, 1), color="0.65" if kind == "micro" else "0.85", linewidth=0, zorder=0, label=kind)
        if row.get("apex", np.nan) == row.get("apex", np.nan):
            height = np.interp(row["apex"], frames, values)
            ax.plot(row["apex"] / rate, height, "v", color=COLORS[2], markeredgecolor="black", label="apex")
    for first, last in _runs(np.isnan(values)):
        _span(ax, {"onset": frames[first], "offset": frames[last]}, rate, (0.97, 1), color="black", label="no face")
    key = dict(zip(*reversed(ax.get_legend_handles_labels())))  # one entry of each
    if key:
        ax.legend(
            key.values(), key.keys(), fontsize="small", frameon=False, loc="lower left", bbox_to_anchor=(0, 1), ncols=5
        )
    return ax


def _span(ax: Axes, row: dict, rate: float, height: tuple[float, float], **style: Any) -> None:
    ax.axvspan(row["onset"] / rate, row["offset"] / rate, *height, **style)


def _runs(where: np.ndarray) -> np.ndarray:
    """First and last position of each run of True, `(runs, 2)`."""
    edges = np.diff(np.concatenate([[0], where.astype(int), [0]]))
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
    """The curves of a training run of DecFlow: errors by step, on validation people (bold) and in training (thin).

    Parameters
    ----------
    log : DataFrame or path
        `log.csv` of a run: `step, part, loss, facial, head, expression, none, seconds`, where `none` is the error of
        saying 'no expression'. With a column `stage`, the stages stand one after another.
    columns : tuple of str
        The errors to draw.
    relative : bool
        As shares of the error of saying 'no expression', which can be compared between stages with different data; else
        in pixels.
    """
    import pandas as pd

    table = log if isinstance(log, pd.DataFrame) else pd.read_csv(log)
    missing = {"step", "part", "none", *columns} - set(table.columns)
    if missing:
        raise ValueError(f"no log of a training run: it lacks {', '.join(sorted(missing))}")
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
                    label="" if i or not bold else "'no expression'" if name == "none" else name,
                )  # fmt: skip
    if relative:
        ax.axhline(1, color="0.5", linestyle=":", linewidth=1.8, label="'no expression'")
    for i, (number, start) in enumerate(starts.items()):
        if len(starts) > 1:
            ax.axvline(start, color="0.7", linewidth=0.8, zorder=0)
            ax.annotate(
                f" {'' if i else 'stage '}{number}",
                (start, 1),
                xycoords=("data", "axes fraction"),
                va="top",
                fontsize="x-small",
            )
    ax.set(xlabel="step", ylabel="error / error of 'no expression'" if relative else "end-point error (px)")
    ax.set_ylim(bottom=0)
    ax.margins(x=0.01)
    ax.legend(fontsize="small", frameon=False, ncols=len(names) + 1, loc="lower left", bbox_to_anchor=(0, 1))
    return ax
