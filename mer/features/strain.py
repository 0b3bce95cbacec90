"""How fast and how far skin is stretched: magnitude and optical strain."""

from __future__ import annotations

import numpy as np

from mer.features.fields import resize


def magnitude(flow: np.ndarray) -> np.ndarray:
    """Length of each vector: `(..., H, W)` from flow `(..., H, W, 2)`, in the flow's unit."""
    return np.hypot(flow[..., 0], flow[..., 1])


def strain(flow: np.ndarray, spacing: float = 1.0) -> np.ndarray:
    """Optical strain, the norm of the symmetric part of the flow's gradient.

    `sqrt(u_x^2 + v_y^2 + 0.5 (u_y + v_x)^2)` (Shreve et al., "Macro- and micro-expression spotting in long videos using
    spatio-temporal strain", FG 2011). Unlike the flow itself, it is zero where the whole face moves or turns in the
    image plane by a small angle.

    Parameters
    ----------
    flow : (..., H, W, 2)
        x first; at least 2 x 2 pixels.
    spacing : float
        Distance between two pixels in the unit of the flow: 1 for flow in pixels. Then the strain is a pure number.

    Returns
    -------
    (..., H, W)
    """
    if min(flow.shape[-3:-1]) < 2:
        raise ValueError(f"strain needs at least 2 x 2 pixels, the flow is {flow.shape[-3]} x {flow.shape[-2]}")
    u_y, u_x = np.gradient(flow[..., 0], spacing, axis=(-2, -1))
    v_y, v_x = np.gradient(flow[..., 1], spacing, axis=(-2, -1))
    return np.sqrt(u_x**2 + v_y**2 + 0.5 * (u_y + v_x) ** 2)


def uv_strain(flow: np.ndarray, size: int = 28) -> np.ndarray:
    """u, v and strain of one clip as an image `(size, size, 3)`, the input of most shallow networks of the field.

    The strain is that of the full-size `flow` `(H, W, 2)`; all three are then averaged down to `size`.
    """
    return resize(np.dstack([flow, strain(flow)]), size)
