"""Histograms of oriented optical flow (HOOF) in windows of the face.

Chaudhry et al., "Histograms of oriented optical flow and Binet-Cauchy kernels on nonlinear dynamical systems for the
recognition of human actions", CVPR 2009, describe the whole image by one histogram. Here every window of the face has
one.
"""

from functools import lru_cache

import numpy as np

from mer.features.fields import resize


@lru_cache(maxsize=16)
def grid_windows(size: int, blocks: int) -> np.ndarray:
    """Weights `(blocks ** 2, size, size)` of overlapping square windows on a `blocks` x `blocks` grid.

    Each window falls off linearly to the centers of its neighbors. The weights at every pixel sum to one, and small
    alignment errors change the histograms only slightly. The result is cached and read-only.
    """
    centers = (np.arange(blocks) + 0.5) * size / blocks - 0.5
    position = np.clip(np.arange(size), centers[0], centers[-1])
    along = np.clip(1 - np.abs(position - centers[:, None]) * blocks / size, 0, None)  # (blocks, size)
    windows = np.einsum("ay,bx->abyx", along, along).reshape(blocks**2, size, size).astype(np.float32)
    windows.flags.writeable = False
    return windows


def hoof(flow: np.ndarray, windows: np.ndarray, bins: int = 8, center: bool = True) -> np.ndarray:
    """Orientation histogram of each window; each vector votes with its magnitude.

    Parameters
    ----------
    flow : (H, W, 2)
        x first, in any unit.
    windows : (R, H, W)
        Weight of each pixel in each window, from :func:`grid_windows` or :func:`mer.features.region_windows`.
    bins : int
        Orientation bins. The first is centered on motion to the right; the others follow clockwise in the image, since
        y points down. Each vote is split linearly between the two nearest bins.
    center : bool
        Subtract the median vector first, to remove residual head motion or a constant offset.

    Returns
    -------
    (R * bins,) float32
        In the unit of the flow times pixels.
    """
    if windows.shape[1:] != flow.shape[:2]:
        raise ValueError(f"the windows are {windows.shape[1:]} but the flow is {flow.shape[:2]}")
    vectors = flow.reshape(-1, 2)
    if center:
        vectors = vectors - np.median(vectors, axis=0)
    length = np.hypot(vectors[:, 0], vectors[:, 1])
    turn = np.arctan2(vectors[:, 1], vectors[:, 0]) * (bins / (2 * np.pi)) % bins
    lower = np.floor(turn)
    share = turn - lower
    pixel = np.arange(len(vectors))
    votes = np.zeros((len(vectors), bins), dtype=np.float32)
    votes[pixel, lower.astype(int) % bins] = length * (1 - share)
    votes[pixel, (lower.astype(int) + 1) % bins] = length * share
    return (windows.reshape(len(windows), -1) @ votes).ravel()


def block_hoof(flow: np.ndarray, size: int = 28, blocks: int = 7, bins: int = 8) -> np.ndarray:
    """Square roots of orientation histograms on a grid: `(blocks ** 2 * bins,)` from flow `(H, W, 2)`.

    The flow is first resized to `size` x `size`. The square root keeps strong motion from dominating: the Euclidean
    distance between the roots is, up to a factor, the Hellinger distance between the histograms.
    """
    return np.sqrt(hoof(resize(flow, size), grid_windows(size, blocks), bins))
