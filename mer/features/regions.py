"""Windows over the parts of the face, for flow fields on the aligned crop, and what moves in each of them."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from mer.face import crop_landmarks, region_mask
from mer.features.fields import resize
from mer.features.strain import magnitude, strain

# In the order of the windows. Parts that expressions move; the eyeball's own motion says little.
FACE_REGIONS = (
    "forehead", "right_brow", "left_brow", "glabella", "right_lids", "left_lids", "nose",
    "right_cheek", "left_cheek", "mouth", "chin",
)  # fmt: skip


@lru_cache(maxsize=8)
def region_windows(size: int) -> np.ndarray:
    """Weights `(11, size, size)` of each pixel of a crop in each of :data:`FACE_REGIONS`, the canonical face's.

    A weight is the share of the pixel that lies in the region. For crops of :func:`mer.face.align`; an image that
    somebody else aligned needs :func:`mer.features.grid_windows`. The result is shared: don't write to it.
    """
    fine = size * max(1, -(-224 // size))  # drawn at 224 pixels or more, then averaged down
    landmarks = crop_landmarks(fine)
    masks = [region_mask(landmarks, region, fine)[..., None] for region in FACE_REGIONS]
    windows = np.stack([resize(mask, size)[..., 0] for mask in masks])
    windows.flags.writeable = False
    return windows


REGION_STATISTICS = ("u", "v", "magnitude", "strain", "divergence", "rotation")


def region_statistics(flow: np.ndarray, windows: np.ndarray, center: bool = True) -> np.ndarray:
    """Weighted means over each window: how a part of the face moves, and how its skin is stretched and turned.

    Parameters
    ----------
    flow : (H, W, 2)
        x first, in any unit; at least 2 x 2 pixels.
    windows : (R, H, W)
        Weight of each pixel in each window: :func:`region_windows`, or :func:`mer.features.grid_windows`.
    center : bool
        Subtract the median vector first: what is left of the head's motion, or a shifted zero.

    Returns
    -------
    (R * 6,) float32
        For each window the means of u, v, length, strain, divergence `u_x + v_y` and rotation `v_x - u_y`; the last
        three per pixel. Zeros for an empty window.
    """
    if windows.shape[1:] != flow.shape[:2]:
        raise ValueError(f"the windows are {windows.shape[1:]}, the flow is {flow.shape[:2]}")
    if center:
        flow = flow - np.median(flow, axis=(0, 1))
    (u_y, u_x), (v_y, v_x) = np.gradient(flow[..., 0]), np.gradient(flow[..., 1])
    maps = np.stack([flow[..., 0], flow[..., 1], magnitude(flow), strain(flow), u_x + v_y, v_x - u_y])
    weights = windows.reshape(len(windows), -1)
    total = weights.sum(1, keepdims=True)
    means = weights @ maps.reshape(len(maps), -1).T / np.where(total > 0, total, 1)
    return means.ravel().astype(np.float32)
