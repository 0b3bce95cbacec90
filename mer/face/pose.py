"""Similarity transforms between two sets of points in three dimensions, in closed form and robustly."""

from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike, NDArray

# Interocular distances; a point further from its fitted position gets weight 0. Faces differ from the mean by less.
_OUTLIER = 0.25


def similarities(source: np.ndarray, target: np.ndarray, weight: np.ndarray) -> tuple[np.ndarray, ...]:
    """The similarities that map points to others with the least squared error.

    The closed form of Umeyama, "Least-squares estimation of transformation parameters between two point patterns",
    IEEE TPAMI 13, 1991.

    Parameters
    ----------
    source, target : (..., n, 3)
    weight : (..., n)

    Returns
    -------
    scale : (...)
    rotation : (..., 3, 3)
    translation : (..., 3)
        `target` is about `scale * source @ rotation.T + translation`.
    """
    weight = (weight / weight.sum(-1, keepdims=True))[..., None]
    source_mean, target_mean = (weight * source).sum(-2), (weight * target).sum(-2)
    source, target = source - source_mean[..., None, :], target - target_mean[..., None, :]
    u, d, vt = np.linalg.svd(np.swapaxes(target, -1, -2) @ (weight * source))
    proper = np.sign(np.linalg.det(u @ vt))  # -1 if the best fit is a reflection
    d[..., 2] *= proper
    u[..., :, 2] *= proper[..., None]
    rotation = u @ vt
    scale = d.sum(-1) / np.maximum((weight * source**2).sum((-1, -2)), 1e-12)
    translation = target_mean - scale[..., None] * (rotation @ source_mean[..., None])[..., 0]
    return scale, rotation, translation


def fit_pose(points: ArrayLike, canonical: ArrayLike) -> tuple[float, NDArray[np.float64], NDArray[np.float64]]:
    """Scale, rotation `(3, 3)` and translation `(3,)` that map `canonical` to `points`, both `(n, 3)`.

    The fit is robust: it starts from the least median of squares over all triples of points (Rousseeuw, "Least median
    of squares regression", JASA 79, 1984) and continues with least squares, iteratively reweighted by Tukey's
    biweight, so that outliers get weight 0.
    """
    points, canonical = np.asarray(points, np.float64), np.asarray(canonical, np.float64)
    triples = np.array(list(combinations(range(len(points)), 3)))
    scale, rotation, translation = similarities(canonical[triples], points[triples], np.ones(triples.shape))
    fitted = scale[:, None, None] * canonical @ np.swapaxes(rotation, 1, 2) + translation[:, None, :]
    # Distances in units of the canonical points, so that shrinking everything to a point is not a good fit.
    distance = np.linalg.norm(fitted - points, axis=2) / np.maximum(scale[:, None], 1e-12)
    best = np.median(distance, axis=1).argmin()
    distance, last = distance[best], np.zeros(len(points))
    for _ in range(50):
        # The limit grows if most points are far away.
        limit = max(_OUTLIER, 2 * float(np.median(distance)))
        weight = np.clip(1 - (distance / limit) ** 2, 0, None) ** 2
        if np.abs(weight - last).max() < 1e-6:
            break
        last = weight
        scale, rotation, translation = similarities(canonical, points, weight)
        distance = np.linalg.norm(scale * canonical @ rotation.T + translation - points, axis=1) / scale
    return float(scale), rotation, translation
