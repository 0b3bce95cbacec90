"""Windows over the parts of the face on an aligned crop, and statistics of the flow in each window."""

from functools import lru_cache

import numpy as np

from mer.face import crop_landmarks, region_mask
from mer.features.fields import resize
from mer.features.strain import magnitude, strain

# The parts that expressions move, in the order of the windows. Eyeballs are left out: gaze is not an expression.
FACE_REGIONS = (
    "forehead", "right_brow", "left_brow", "glabella", "right_lids", "left_lids", "nose",
    "right_cheek", "left_cheek", "mouth", "chin",
)  # fmt: skip


@lru_cache(maxsize=8)
def region_windows(size: int) -> np.ndarray:
    """Weights `(11, size, size)` of each pixel in each of :data:`FACE_REGIONS` of the canonical face.

    A weight is the share of the pixel that lies in the region. The crop has to be aligned by :func:`mer.face.align`;
    for other alignments use :func:`mer.features.grid_windows`. The result is cached and read-only.
    """
    fine = size * max(1, -(-224 // size))  # masks are drawn at 224 pixels or more, then averaged down
    landmarks = crop_landmarks(fine)
    masks = [region_mask(landmarks, region, fine)[..., None] for region in FACE_REGIONS]
    windows = np.stack([resize(mask, size)[..., 0] for mask in masks])
    windows.flags.writeable = False
    return windows


REGION_STATISTICS = ("u", "v", "magnitude", "strain", "divergence", "rotation")


def region_statistics(flow: np.ndarray, windows: np.ndarray, center: bool = True) -> np.ndarray:
    """Weighted mean of motion, strain, divergence and rotation in each window.

    Parameters
    ----------
    flow : (H, W, 2)
        x first, in any unit; at least 2 x 2 pixels.
    windows : (R, H, W)
        Weight of each pixel in each window, from :func:`region_windows` or :func:`mer.features.grid_windows`.
    center : bool
        Subtract the median vector first, to remove residual head motion or a constant offset.

    Returns
    -------
    (R * 6,) float32
        For each window, the means of u, v, magnitude, strain, divergence `u_x + v_y` and rotation `v_x - u_y`; the last
        three are derivatives per pixel. Zeros for an empty window.
    """
    if windows.shape[1:] != flow.shape[:2]:
        raise ValueError(f"the windows are {windows.shape[1:]} but the flow is {flow.shape[:2]}")
    if center:
        flow = flow - np.median(flow, axis=(0, 1))
    (u_y, u_x), (v_y, v_x) = np.gradient(flow[..., 0]), np.gradient(flow[..., 1])
    maps = np.stack([flow[..., 0], flow[..., 1], magnitude(flow), strain(flow), u_x + v_y, v_x - u_y])
    weights = windows.reshape(len(windows), -1)
    total = weights.sum(1, keepdims=True)
    means = weights @ maps.reshape(len(maps), -1).T / np.where(total > 0, total, 1)
    return means.ravel().astype(np.float32)
