"""Figures. Every function draws into a matplotlib `ax`, or into a new one, and returns it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from mer.features import magnitude, strain
from mer.flow import Flow

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def flow_to_rgb(flow: np.ndarray, max_magnitude: float | None = None) -> np.ndarray:
    """Flow `(H, W, 2)` in the colors of the Middlebury benchmark, uint8 `(H, W, 3)` RGB.

    The hue is the direction, as in :func:`plot_wheel` (red is to the right, yellow down, cyan to the left, blue to
    violet up); the saturation is the length, white for no motion and full at `max_magnitude`, beyond which the color
    darkens. Baker et al., "A database and evaluation methodology for optical flow", IJCV 2011.

    Parameters
    ----------
    flow : (H, W, 2)
        x first.
    max_magnitude : float, optional
        In the unit of the flow; the longest vector by default. Give one value to pictures that are to be compared.
    """
    length = magnitude(flow)
    longest = float(length.max()) if max_magnitude is None else float(max_magnitude)
    radius = length / longest if longest > 0 else np.zeros_like(length)
    wheel = _color_wheel()
    position = (np.arctan2(flow[..., 1], flow[..., 0]) / (2 * np.pi)) % 1 * len(wheel)
    lower = np.floor(position).astype(int) % len(wheel)
    share = (position - np.floor(position))[..., None]
    hue = (1 - share) * wheel[lower] + share * wheel[(lower + 1) % len(wheel)]
    radius = radius[..., None]
    color = np.where(radius <= 1, 1 - radius * (1 - hue), 0.75 * hue)
    return np.round(255 * color).astype(np.uint8)


@lru_cache(maxsize=1)
def _color_wheel() -> np.ndarray:
    """The 55 hues of the benchmark, `(55, 3)` in 0..1: more steps where the eye tells more hues apart."""
    steps = [(15, 0, 1, 1), (6, 1, 0, -1), (4, 1, 2, 1), (11, 2, 1, -1), (13, 2, 0, 1), (6, 0, 2, -1)]
    hues = []
    for count, full, moving, direction in steps:  # one channel stays full, one goes up or down, the third is zero
        ramp = np.arange(count) / count
        part = np.zeros((count, 3))
        if direction > 0:
            part[:, full], part[:, moving] = 1, ramp
        else:
            part[:, full], part[:, moving] = 1, 1 - ramp
        hues.append(part)
    return np.concatenate(hues)


def _axes(ax: Axes | None, size: tuple[float, float] = (5, 4)) -> Axes:
    if ax is not None:
        return ax
    import matplotlib.pyplot as plt

    return plt.subplots(figsize=size, layout="constrained")[1]


def plot_field(field: np.ndarray, max_magnitude: float | None = None, ax: Axes | None = None) -> Axes:
    """One field `(H, W, 2)` as colors, :func:`flow_to_rgb`."""
    ax = _axes(ax)
    ax.imshow(flow_to_rgb(field, max_magnitude))
    ax.set_axis_off()
    return ax


def plot_wheel(max_magnitude: float | None = None, unit: str = "px", ax: Axes | None = None) -> Axes:
    """The key to the colors: each point of the disc has the color of the motion from the center to it."""
    ax = _axes(ax)
    y, x = np.mgrid[-1:1:101j, -1:1:101j]
    colors = flow_to_rgb(np.dstack([x, y]), 1.0)
    colors[np.hypot(x, y) > 1] = 255
    ax.imshow(colors, extent=(-1, 1, 1, -1))
    for angle in np.arange(0, 2 * np.pi, np.pi / 2):  # the four directions can be told without color
        ax.annotate("", (0.95 * np.cos(angle), 0.95 * np.sin(angle)), (0, 0), arrowprops={"arrowstyle": "->"})
    if max_magnitude is not None:
        ax.set_title(f"rim: {max_magnitude:.2g} {unit}", fontsize="small")
    ax.set_axis_off()
    return ax


def plot_arrows(
    image: np.ndarray, flow: np.ndarray, step: int | None = None, scale: float = 1.0, ax: Axes | None = None
) -> Axes:
    """The flow as arrows over the face.

    Parameters
    ----------
    image : uint8 (H, W, 3)
        The onset's crop, RGB.
    flow : (H, W, 2)
        Pixels of the image, x first.
    step : int, optional
        Pixels between two arrows; 24 arrows across by default.
    scale : float
        Times by which the arrows are longer than the motion: micro-expressions are often below a pixel.
    """
    if image.shape[:2] != flow.shape[:2]:
        raise ValueError(f"the image is {image.shape[:2]}, the flow {flow.shape[:2]}")
    ax = _axes(ax)
    step = step or max(1, round(flow.shape[1] / 24))
    y, x = np.mgrid[step // 2 : flow.shape[0] : step, step // 2 : flow.shape[1] : step]
    vectors = flow[y, x] * scale
    ax.imshow(image)
    ax.quiver(
        x, y, vectors[..., 0], vectors[..., 1], angles="xy", scale_units="xy", scale=1, minlength=0.5, width=0.005,
        color="gold", edgecolor="black", linewidth=0.5,  # light with a dark rim: seen on any skin, and in print
    )  # fmt: skip
    ax.set_axis_off()
    if scale != 1:
        ax.set_title(f"arrows {scale:g} times the motion", fontsize="small")
    return ax


def plot_strain(flow: np.ndarray, max_strain: float | None = None, ax: Axes | None = None) -> Axes:
    """Optical strain of a flow `(H, W, 2)` in pixels: how far the skin is stretched, in per cent."""
    ax = _axes(ax)
    picture = ax.imshow(
        100 * strain(flow), cmap="gray_r", vmin=0, vmax=None if max_strain is None else 100 * max_strain
    )
    ax.figure.colorbar(picture, ax=ax, label="optical strain (%)", shrink=0.8)
    ax.set_axis_off()
    return ax


def plot_flow(flow: Flow, max_magnitude: float | None = None, ax: Axes | None = None) -> Axes:
    """Facial, head and expression flow side by side, in one scale, with the key to the colors.

    The scale is the 99th percentile of the facial flow inside the mask, unless `max_magnitude` (pixels) is given.
    """
    ax = _axes(ax, (10, 2.8))
    if max_magnitude is None:
        inside = magnitude(flow.facial)[flow.mask > 0]
        max_magnitude = float(np.percentile(inside, 99)) if inside.size else 0.0
    height, width = flow.mask.shape
    gap = max(2, width // 16)
    canvas = np.full((height, 4 * width + 3 * gap, 3), 255, np.uint8)
    parts = {"facial": flow.facial, "head": flow.head, "expression": flow.expression}
    for i, (name, field) in enumerate(parts.items()):
        left = i * (width + gap)
        canvas[:, left : left + width] = flow_to_rgb(field, max_magnitude)
        ax.text(left + width / 2, -gap / 2, name, ha="center", va="bottom")
    ax.imshow(canvas)
    ax.set_axis_off()
    share = width / canvas.shape[1]
    wheel = ax.inset_axes((1 - 0.85 * share, 0.15, 0.7 * share, 0.7))  # in the fourth place
    plot_wheel(max_magnitude, ax=wheel)
    return ax


def plot_confusion(counts: np.ndarray, classes: Sequence[str], ax: Axes | None = None) -> Axes:
    """A confusion matrix: counts, and per cent of each row, in shades of gray.

    Parameters
    ----------
    counts : (C, C) or (C, C + 1)
        Truth by row, answer by column, and if need be a last column of clips that failed; means over seeds may be
        fractions.
    classes : sequence of str
    """
    counts = np.asarray(counts, dtype=float)
    if counts.shape not in ((len(classes), len(classes)), (len(classes), len(classes) + 1)):
        raise ValueError(f"expected counts {len(classes)} x {len(classes)}, found {counts.shape}")
    answers = [*classes, "failed"]
    if not counts[:, len(classes) :].any():
        counts, answers = counts[:, : len(classes)], list(classes)
    ax = _axes(ax)
    total = counts.sum(1, keepdims=True)
    share = np.divide(counts, total, out=np.zeros_like(counts), where=total > 0)
    ax.imshow(share, cmap="gray_r", vmin=0, vmax=1)
    for row, column in np.ndindex(counts.shape):
        number = f"{counts[row, column]:.1f}".removesuffix(".0")
        color = "white" if share[row, column] > 0.5 else "black"
        ax.text(column, row, f"{number}\n{100 * share[row, column]:.0f} %", ha="center", va="center", color=color)
    ax.set_xticks(range(len(answers)), answers, rotation=45 if max(map(len, answers)) > 8 else 0)
    ax.set_yticks(range(len(classes)), classes)
    ax.set_xlabel("answer")
    ax.set_ylabel("truth")
    ax.set_xticks(np.arange(len(answers) + 1) - 0.5, minor=True)
    ax.set_yticks(np.arange(len(classes) + 1) - 0.5, minor=True)
    ax.grid(which="minor", color="black", linewidth=0.5)
    ax.tick_params(which="minor", length=0)
    return ax


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
    ax = _axes(ax)
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
