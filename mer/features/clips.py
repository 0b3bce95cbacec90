"""Features of whole clips: aligned gray frames `(T, H, W)` in temporal order."""

from functools import lru_cache

import numpy as np
from scipy.ndimage import shift

from mer.features.fields import as_square

PLANES = ("xy", "xt", "yt")


def as_clips(rows: np.ndarray, frames: int, channels: int = 1) -> np.ndarray:
    """Clips `(n, T, H, W)`, float32, from clips of that shape or from flattened rows `(n, T * H * W)`, H = W.

    With several `channels`, such as u and v of flow, the shape is `(n, T, H, W, channels)`.

    Raises
    ------
    ValueError
        If the shape is wrong or a value is not finite.
    """
    after = () if channels == 1 else (channels,)
    shape = ", ".join(map(str, ("n", "T", "H", "W", *after)))
    expected = f"clips of {frames} frames ({shape}) or flattened rows (docs/models.md, 'Clips')"
    return as_square(rows, (frames,), after, expected)


def resample_time(clip: np.ndarray, frames: int) -> np.ndarray:
    """Resample a clip `(T, H, W)` linearly to `(frames, H, W)`, keeping its first and last frame.

    Papers on LBP-TOP use a smoother temporal interpolation model; the features hardly differ.
    """
    clip = np.asarray(clip, dtype=np.float32)
    at = np.linspace(0, len(clip) - 1, frames)
    before = np.floor(at).astype(int)
    after = np.minimum(before + 1, len(clip) - 1)
    share = (at - before).astype(np.float32).reshape(-1, *[1] * (clip.ndim - 1))
    return clip[before] * (1 - share) + clip[after] * share


def lbp_top(clip: np.ndarray, blocks: int = 5, radii: tuple[int, int, int] = (1, 1, 4), points: int = 8) -> np.ndarray:
    """Local binary patterns on three orthogonal planes (LBP-TOP): block-wise histograms of uniform patterns.

    Zhao and Pietikäinen, "Dynamic texture recognition using local binary patterns with an application to facial
    expressions", IEEE TPAMI 2007.

    Parameters
    ----------
    clip : (T, H, W)
        Gray values. T must exceed twice the temporal radius, and each block must hold a pixel inside the margins.
    blocks : int
        Blocks per image axis.
    radii : (x, y, t)
        Radii of the ellipse of neighbors, in pixels and frames.
    points : int
        Number of equally spaced, linearly interpolated neighbors; the first lies on the first axis of the plane.

    Returns
    -------
    (blocks * blocks * 3 * (points * (points - 1) + 3),) float32
        For each block and plane (xy, xt, yt), the share of pixels with each uniform pattern; the last value is the
        share of all non-uniform patterns.
    """
    clip = np.asarray(clip, dtype=np.float32)
    inner = [n - 2 * r for n, r in zip(clip.shape, radii[::-1])]  # t, y, x
    if clip.ndim != 3 or inner[0] < 1 or min(inner[1:]) < blocks:
        raise ValueError(f"a clip of shape {clip.shape} is too small for radii {radii} and {blocks} x {blocks} blocks")
    center = tuple(slice(r, n - r) for n, r in zip(clip.shape, radii[::-1]))
    row, column = np.arange(inner[1]) * blocks // inner[1], np.arange(inner[2]) * blocks // inner[2]
    block = np.broadcast_to(row[:, None] * blocks + column, inner)
    # scikit-image's local_binary_pattern has circular neighborhoods only; planes with time need ellipses.
    labels, n_labels = _uniform_labels(points), points * (points - 1) + 3
    histograms = []
    for plane in PLANES:
        first, second = (("x", "y", "t").index(axis) for axis in plane)
        code = np.zeros(inner, dtype=np.intp)
        for k in range(points):
            offset = np.zeros(3)  # t, y, x
            offset[2 - first] = radii[first] * np.cos(2 * np.pi * k / points)
            offset[2 - second] = radii[second] * np.sin(2 * np.pi * k / points)
            neighbor = shift(clip, -np.round(offset, 9), order=1, mode="nearest", prefilter=False)[center]
            code |= (neighbor >= clip[center] - 1e-4).astype(np.intp) << k  # equal values stay equal despite rounding
        counts = np.bincount((block * n_labels + labels[code]).ravel(), minlength=blocks**2 * n_labels)
        counts = counts.reshape(-1, n_labels)
        histograms.append(counts / counts.sum(1, keepdims=True))
    return np.stack(histograms, 1).ravel().astype(np.float32)


@lru_cache(maxsize=4)
def _uniform_labels(points: int) -> np.ndarray:
    """Label of each of the `2 ** points` patterns; all patterns with more than two transitions share the last label."""
    codes = np.arange(2**points)
    bits = (codes[:, None] >> np.arange(points)) & 1
    uniform = (bits != np.roll(bits, 1, axis=1)).sum(1) <= 2
    return np.where(uniform, np.cumsum(uniform) - 1, uniform.sum())


def hog3d(clip: np.ndarray, blocks: int = 4, times: int = 2) -> np.ndarray:
    """Cell-wise histograms of spatio-temporal gradients (3DHOG).

    Kläser, Marszałek and Schmid, "A spatio-temporal descriptor based on 3D-gradients", BMVC 2008; for
    micro-expressions, Polikovsky, Kameda and Ohta, ICDP 2009. Each gradient `(x, y, t)` votes, weighted by its length,
    for the nearest faces of an icosahedron; each cell's histogram is divided by its Euclidean norm.

    Parameters
    ----------
    clip : (T, H, W)
        Gray values; at least `max(times, 2)` frames and `max(blocks, 2)` pixels per side.
    blocks, times : int
        Cells per image axis and along time.

    Returns
    -------
    (times * blocks * blocks * 20,) float32
    """
    clip = np.asarray(clip, dtype=np.float32)
    if clip.ndim != 3 or len(clip) < max(times, 2) or min(clip.shape[1:]) < max(blocks, 2):
        raise ValueError(f"a clip of shape {clip.shape} is too small for {times} x {blocks} x {blocks} cells")
    gradient = np.stack(np.gradient(clip)[::-1], -1).reshape(-1, 3)  # x, y, t
    length = np.linalg.norm(gradient, axis=1, keepdims=True)
    # The threshold is the cosine between adjacent centers, so a gradient along one center votes for that face only.
    votes = np.clip(gradient / np.where(length > 0, length, 1) @ _icosahedron().T - 5**0.5 / 3, 0, None)
    votes *= length / np.maximum(np.linalg.norm(votes, axis=1, keepdims=True), 1e-6)
    cells = [np.arange(n) * parts // n for n, parts in zip(clip.shape, (times, blocks, blocks))]
    cell = ((cells[0][:, None, None] * blocks + cells[1][:, None]) * blocks + cells[2]).ravel()
    histogram = np.zeros((times * blocks**2, 20))
    np.add.at(histogram, cell, votes)
    norm = np.linalg.norm(histogram, axis=1, keepdims=True)
    return (histogram / np.where(norm > 0, norm, 1)).ravel().astype(np.float32)


@lru_cache(maxsize=1)
def _icosahedron() -> np.ndarray:
    """Unit vectors to the centers of the 20 faces, which are the vertices of a dodecahedron: `(20, 3)`."""
    cube = [(x, y, z) for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)]
    golden = (1 + 5**0.5) / 2
    a, b = 1 / golden, golden
    rest = [np.roll((0, s * a, t * b), k) for k in range(3) for s in (-1, 1) for t in (-1, 1)]
    return np.vstack([cube, rest]) / np.sqrt(3)
