"""Bi-weighted oriented optical flow (Bi-WOOF).

Liong, See, Wong and Phan, "Less is more: micro-expression recognition from video using apex frame", Signal Processing:
Image Communication 2018.
"""

import numpy as np

from mer.features.strain import magnitude, strain


def biwoof(flow: np.ndarray, blocks: int = 5, bins: int = 8) -> np.ndarray:
    """Block-wise orientation histograms, weighted by flow magnitude and by the optical strain of each block.

    Each block's histogram is normalized to sum to one and then multiplied by the sum of the block's optical strain. The
    concatenated vector is divided by its Euclidean norm, so the feature does not depend on the unit of the flow.

    Parameters
    ----------
    flow : (H, W, 2)
        x first; at least `blocks` pixels per side.
    blocks, bins : int
        Blocks per axis, and orientation bins. The first bin starts at motion to the left; bins proceed clockwise.

    Returns
    -------
    (blocks * blocks * bins,) float32
        All zeros if no block is strained.
    """
    height, width = flow.shape[:2]
    if min(height, width) < max(blocks, 2):
        raise ValueError(f"{blocks} x {blocks} blocks need at least as many pixels; the flow is {height} x {width}")
    angle = np.arctan2(flow[..., 1], flow[..., 0])
    bin_ = np.floor((angle + np.pi) * (bins / (2 * np.pi))).astype(int) % bins
    row, column = np.arange(height) * blocks // height, np.arange(width) * blocks // width
    block = row[:, None] * blocks + column
    votes = np.bincount((block * bins + bin_).ravel(), magnitude(flow).ravel(), blocks**2 * bins).reshape(-1, bins)
    weight = np.bincount(block.ravel(), strain(flow).ravel(), blocks**2)
    total = votes.sum(1)
    histogram = (votes * (weight / np.where(total > 0, total, 1))[:, None]).ravel()
    return (histogram / (np.linalg.norm(histogram) or 1)).astype(np.float32)
