"""The similarity that takes the canonical face to where a face stands, in closed form and robustly."""

from __future__ import annotations

from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike, NDArray

# A point further than this from its place, in interocular distances, has no say. The shapes of people explain less.
_OUTLIER = 0.25


def similarities(source: np.ndarray, target: np.ndarray, weight: np.ndarray) -> tuple[np.ndarray, ...]:
    """The similarities that take `source (..., n, 3)` best to `target (..., n, 3)`: scale, rotation, translation.

    Weighted least squares in closed form (Umeyama, IEEE TPAMI 13, 1991).
    """
    weight = (weight / weight.sum(-1, keepdims=True))[..., None]
    source_mean, target_mean = (weight * source).sum(-2), (weight * target).sum(-2)
    source, target = source - source_mean[..., None, :], target - target_mean[..., None, :]
    u, d, vt = np.linalg.svd(np.swapaxes(target, -1, -2) @ (weight * source))
    proper = np.sign(np.linalg.det(u @ vt))  # -1 where the best fit would be a mirror image
    d[..., 2] *= proper
    u[..., :, 2] *= proper[..., None]
    rotation = u @ vt
    scale = d.sum(-1) / np.maximum((weight * source**2).sum((-1, -2)), 1e-12)
    translation = target_mean - scale[..., None] * (rotation @ source_mean[..., None])[..., 0]
    return scale, rotation, translation


def fit_pose(points: ArrayLike, canonical: ArrayLike) -> tuple[float, NDArray[np.float64], NDArray[np.float64]]:
    """Scale, rotation `(3, 3)` and translation `(3,)` that take canonical points to `points`, both `(n, 3)`.

    Robust: it starts from the least median of squares over all triples of points (Rousseeuw, JASA 79, 1984) and goes on
    with least squares, reweighted by Tukey's biweight, so that a point far from its place has no say.
    """
    points, canonical = np.asarray(points, np.float64), np.asarray(canonical, np.float64)
    triples = np.array(list(combinations(range(len(points)), 3)))
    scale, rotation, translation = similarities(canonical[triples], points[triples], np.ones(triples.shape))
    fitted = scale[:, None, None] * canonical @ np.swapaxes(rotation, 1, 2) + translation[:, None, :]
    # The distance in the canonical face's unit, so that a fit that shrinks everything to a point is not a good one.
    distance = np.linalg.norm(fitted - points, axis=2) / np.maximum(scale[:, None], 1e-12)
    best = np.median(distance, axis=1).argmin()
    distance, last = distance[best], np.zeros(len(points))
    for _ in range(50):
        # Where most points are far off, they all keep a say.
        reach = max(_OUTLIER, 2 * float(np.median(distance)))
        weight = np.clip(1 - (distance / reach) ** 2, 0, None) ** 2
        if np.abs(weight - last).max() < 1e-6:
            break
        last = weight
        scale, rotation, translation = similarities(canonical, points, weight)
        distance = np.linalg.norm(scale * canonical @ rotation.T + translation - points, axis=1) / scale
    return float(scale), rotation, translation
