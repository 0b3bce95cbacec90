"""Figures of flow fields."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from mer.features import magnitude, strain
from mer.flow import Flow
from mer.report.figures.axes import new_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def flow_to_rgb(flow: np.ndarray, max_magnitude: float | None = None) -> np.ndarray:
    """Color flow `(H, W, 2)` as in the Middlebury benchmark; returns uint8 `(H, W, 3)` RGB.

    Hue shows direction: red right, yellow down, cyan left, blue to violet up (see :func:`plot_wheel`). Saturation shows
    magnitude, from white for zero to full at `max_magnitude`. Colors from Baker et al., "A database and evaluation
    methodology for optical flow", IJCV 2011.

    Parameters
    ----------
    flow : (H, W, 2)
        x first.
    max_magnitude : float, optional
        In the unit of the flow; the largest magnitude by default. Use one value for pictures to be compared.
    """
    length = magnitude(flow)
    longest = float(length.max()) if max_magnitude is None else float(max_magnitude)
    radius = length / longest if longest > 0 else np.zeros_like(length)
    wheel = _color_wheel()
    position = (np.arctan2(flow[..., 1], flow[..., 0]) / (2 * np.pi)) % 1 * len(wheel)
    lower = np.floor(position).astype(int) % len(wheel)
    share = (position - np.floor(position))[..., None]
    hue = (1 - share) * wheel[lower] + share * wheel[(lower + 1) % len(wheel)]
    color = 1 - np.minimum(radius, 1)[..., None] * (1 - hue)
    return np.round(255 * color).astype(np.uint8)


@lru_cache(maxsize=1)
def _color_wheel() -> np.ndarray:
    """The 55 hues of the benchmark, `(55, 3)`, 0 to 1; hues are denser where the eye distinguishes more of them."""
    steps = [(15, 0, 1, 1), (6, 1, 0, -1), (4, 1, 2, 1), (11, 2, 1, -1), (13, 2, 0, 1), (6, 0, 2, -1)]
    hues = []
    for count, full, moving, direction in steps:  # one channel is full, one rises or falls, one is zero
        ramp = np.arange(count) / count
        part = np.zeros((count, 3))
        part[:, full], part[:, moving] = 1, ramp if direction > 0 else 1 - ramp
        hues.append(part)
    return np.concatenate(hues)


def plot_field(
    field: np.ndarray, max_magnitude: float | None = None, *, arrows: bool = False, ax: Axes | None = None
) -> Axes:
    """Plot a field `(H, W, 2)` in the colors of :func:`flow_to_rgb`; `arrows` show directions without color."""
    ax = new_axes(ax)
    ax.imshow(flow_to_rgb(field, max_magnitude))
    if arrows:
        _draw_arrows(ax, field, max_magnitude)
    ax.set_axis_off()
    return ax


def _draw_arrows(ax: Axes, field: np.ndarray, max_magnitude: float | None, left: int = 0) -> None:
    """Thin arrows over a picture at column `left`; an arrow of `max_magnitude` reaches its neighbor."""
    longest = float(magnitude(field).max()) if max_magnitude is None else max_magnitude
    if longest <= 0:
        return
    step = max(1, field.shape[1] // 14)
    _quiver(
        ax, field / longest * step, step, 0.2, left, units="x", width=max(0.7, step / 10), headwidth=3.5,
        headlength=3.5, headaxislength=3, color="black", alpha=0.7,
    )  # fmt: skip


def _quiver(ax: Axes, vectors: np.ndarray, step: int, shortest: float, left: int = 0, **style: Any) -> None:
    """An arrow every `step` pixels, in pixels of the picture; arrows below `shortest` steps would look like dirt."""
    y, x = np.mgrid[step // 2 : vectors.shape[0] : step, step // 2 : vectors.shape[1] : step]
    vectors = vectors[y, x]
    drawn = magnitude(vectors) > shortest * step
    u, v = vectors[drawn].T
    ax.quiver(x[drawn] + left, y[drawn], u, v, angles="xy", scale_units="xy", scale=1, **style)


def plot_wheel(max_magnitude: float | None = None, unit: str = "px", ax: Axes | None = None) -> Axes:
    """Color key of :func:`flow_to_rgb`: each point of the disk has the color of the motion from the center to it."""
    ax = new_axes(ax)
    y, x = np.mgrid[-1:1:401j, -1:1:401j]
    colors = flow_to_rgb(np.dstack([x, y]), 1.0)
    colors[np.hypot(x, y) > 1] = 255
    ax.imshow(colors, extent=(-1, 1, 1, -1))
    for angle in np.arange(0, 2 * np.pi, np.pi / 2):  # directions without color
        ax.annotate("", (0.95 * np.cos(angle), 0.95 * np.sin(angle)), (0, 0), arrowprops={"arrowstyle": "->"})
    if max_magnitude is not None:
        ax.set_title(f"rim: {max_magnitude:.2g} {unit}", fontsize="small")
    ax.set_axis_off()
    return ax


def plot_arrows(
    image: np.ndarray, flow: np.ndarray, step: int | None = None, scale: float = 1.0, ax: Axes | None = None
) -> Axes:
    """Plot flow as arrows over the face.

    Parameters
    ----------
    image : uint8 (H, W, 3)
        Crop of the onset, RGB.
    flow : (H, W, 2)
        Pixels of the image, x first.
    step : int, optional
        Pixels between arrows; by default, 24 arrows fit across the image.
    scale : float
        Length of the arrows relative to the motion. Micro-expressions are often below a pixel.
    """
    if image.shape[:2] != flow.shape[:2]:
        raise ValueError(f"the image is {image.shape[:2]} but the flow is {flow.shape[:2]}")
    ax = new_axes(ax)
    step = step or max(1, round(flow.shape[1] / 24))
    ax.imshow(image)
    # Light arrows with a dark edge are visible on any skin and in print.
    _quiver(ax, flow * scale, step, 0.1, width=0.005, color="gold", edgecolor="black", linewidth=0.5)
    ax.set_axis_off()
    if scale != 1:
        ax.set_title(f"arrows: {scale:g} × motion", fontsize="small")
    return ax


def plot_strain(flow: np.ndarray, max_strain: float | None = None, ax: Axes | None = None) -> Axes:
    """Plot the optical strain of a flow `(H, W, 2)` in pixels, in percent.

    The darkest shade is `max_strain` (0.02 is 2 %), by default the 99.5th percentile.
    """
    ax = new_axes(ax)
    percent = 100 * strain(flow)
    top = float(np.percentile(percent, 99.5)) if max_strain is None else 100 * max_strain
    picture = ax.imshow(percent, cmap="gray_r", vmin=0, vmax=top or 1)
    ax.figure.colorbar(picture, ax=ax, label="optical strain (%)", shrink=0.8, extend="max")
    ax.set_axis_off()
    return ax


def plot_flow(flow: Flow, max_magnitude: float | None = None, *, arrows: bool = True, ax: Axes | None = None) -> Axes:
    """Plot facial, head and expression flow side by side in one scale, with the color key.

    Full color is `max_magnitude` in pixels, by default the 99th percentile of the facial flow inside the mask. `arrows`
    show directions without color.
    """
    ax = new_axes(ax, (10, 2.8))
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
        if arrows:
            _draw_arrows(ax, field, max_magnitude, left)
        ax.text(left + width / 2, -gap / 2, name, ha="center", va="bottom")
    ax.imshow(canvas)
    ax.set_axis_off()
    share = width / canvas.shape[1]
    wheel = ax.inset_axes((1 - 0.85 * share, 0.15, 0.7 * share, 0.7))  # the fourth panel
    plot_wheel(max_magnitude, ax=wheel)
    return ax
