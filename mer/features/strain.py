"""Flow magnitude and optical strain."""

import numpy as np

from mer.features.fields import resize


def magnitude(flow: np.ndarray) -> np.ndarray:
    """Length of each vector: `(..., H, W)` from flow `(..., H, W, 2)`, in the flow's unit."""
    return np.hypot(flow[..., 0], flow[..., 1])


def strain(flow: np.ndarray, spacing: float = 1.0) -> np.ndarray:
    """Optical strain: the norm of the symmetric part of the flow gradient.

    `sqrt(u_x^2 + v_y^2 + 0.5 (u_y + v_x)^2)` (Shreve et al., "Macro- and micro-expression spotting in long videos using
    spatio-temporal strain", FG 2011). Unlike the flow, it is zero for a translation or small in-plane rotation of the
    whole face.

    Parameters
    ----------
    flow : (..., H, W, 2)
        x first; at least 2 x 2 pixels.
    spacing : float
        Distance between adjacent pixels in the unit of the flow: 1 for flow in pixels. The strain is dimensionless.

    Returns
    -------
    (..., H, W)
    """
    if min(flow.shape[-3:-1]) < 2:
        raise ValueError(f"strain needs at least 2 x 2 pixels; the flow is {flow.shape[-3]} x {flow.shape[-2]}")
    u_y, u_x = np.gradient(flow[..., 0], spacing, axis=(-2, -1))
    v_y, v_x = np.gradient(flow[..., 1], spacing, axis=(-2, -1))
    return np.sqrt(u_x**2 + v_y**2 + 0.5 * (u_y + v_x) ** 2)


def uv_strain(flow: np.ndarray, size: int = 28) -> np.ndarray:
    """u, v and strain as an image `(size, size, 3)`, the usual input of shallow networks for micro-expressions.

    The strain is computed from the full-size `flow` `(H, W, 2)`; then all three channels are resized to `size`.
    """
    return resize(np.dstack([flow, strain(flow)]), size)
