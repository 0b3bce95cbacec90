"""A face model: one skin surface, its expression shapes, and where the 478 landmarks lie on it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from mer.face.canonical import N_LANDMARKS


class FaceModelError(ValueError):
    """A face model file that cannot be used; the message says what is wrong with it."""


@dataclass(frozen=True, eq=False)
class FaceModel:
    """The skin of a head. x to the image's right, y down, z away from the camera, as landmarks have it; any unit.

    Attributes
    ----------
    name : str
    vertices : float64 (V, 3)
        The neutral face.
    triangles : int32 (T, 3)
    expressions : dict of str to float64 (V, 3)
        Offsets at full strength, by the model's own names.
    identity : float64 (K, V, 3)
        Offsets of the modes of identity, at one standard deviation; `K` may be 0.
    corners : int32 (478, 3)
        The vertices of the triangle that each landmark lies in; -1 where the model has no such point (the irises).
    weights : float64 (478, 3)
        The landmark's barycentric weights in it.
    """

    name: str
    vertices: np.ndarray
    triangles: np.ndarray
    expressions: dict[str, np.ndarray]
    identity: np.ndarray
    corners: np.ndarray
    weights: np.ndarray

    @property
    def marked(self) -> np.ndarray:
        """Bool (478,): the landmarks that the model has."""
        return self.corners[:, 0] >= 0

    def landmarks(self, vertices: np.ndarray) -> np.ndarray:
        """The landmarks on a surface of this topology, `(..., V, 3)` to `(..., n, 3)`, those of `marked` alone."""
        corners, weights = self.corners[self.marked], self.weights[self.marked]
        return np.einsum("...nkd,nk->...nd", vertices[..., corners, :], weights)


def skin_of(
    name: str,
    vertices: np.ndarray,
    triangles: np.ndarray,
    expressions: dict[str, np.ndarray],
    identity: np.ndarray,
    corners: np.ndarray,
    weights: np.ndarray,
) -> FaceModel:
    """The largest connected surface of a model as a :class:`FaceModel`; eyes, teeth and tongue are mer's own."""
    vertices, triangles = np.asarray(vertices, float), np.asarray(triangles, np.int64)
    count = len(vertices)
    if (
        vertices.ndim != 2
        or vertices.shape[1] != 3
        or triangles.ndim != 2
        or triangles.shape[1] != 3
        or not len(triangles)
    ):
        raise FaceModelError(
            f"{name}: vertices {vertices.shape} and triangles {triangles.shape} are not (V, 3) and (T, 3)"
        )
    if triangles.min() < 0 or triangles.max() >= count:
        raise FaceModelError(f"{name}: a triangle names vertex {triangles.max()}, and there are {count}")
    for key, offsets in expressions.items():
        if offsets.shape != vertices.shape:
            raise FaceModelError(f"{name}: expression {key!r} is {offsets.shape}, the face {vertices.shape}")
    if identity.shape[1:] != vertices.shape:
        raise FaceModelError(f"{name}: the modes of identity are {identity.shape}, expected (K, {count}, 3)")
    if not all(np.isfinite(a).all() for a in (vertices, identity, *expressions.values())):
        raise FaceModelError(f"{name}: holds numbers that are not finite; the file is damaged")

    edges = np.concatenate([triangles[:, :2], triangles[:, 1:]])
    graph = coo_matrix((np.ones(len(edges)), (edges[:, 0], edges[:, 1])), shape=(count, count))
    part = connected_components(graph, directed=False)[1]
    keep = part == np.bincount(part).argmax()
    number = np.where(keep, np.cumsum(keep) - 1, -1)
    lost = (corners >= 0).all(axis=1) & (number[corners] < 0).any(axis=1)
    corners = np.where((corners[:, :1] >= 0) & ~lost[:, None], number[corners], -1)
    return FaceModel(
        name,
        vertices[keep],
        number[triangles[keep[triangles].all(axis=1)]].astype(np.int32),
        {key: np.asarray(offsets, float)[keep] for key, offsets in expressions.items()},
        np.asarray(identity, float)[:, keep],
        corners.astype(np.int32),
        weights,
    )


def closest_points(points: np.ndarray, vertices: np.ndarray, triangles: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The surface point nearest to each of `points`: the triangle's vertices `(n, 3)` and the weights in it
    `(n, 3)`.
    """
    from scipy.spatial import cKDTree

    around = (
        cKDTree(vertices[triangles].mean(axis=1)).query(points, k=min(24, len(triangles)))[1].reshape(len(points), -1)
    )
    a, b, c = (vertices[triangles[around, k]] for k in range(3))
    weights = _weights_on_triangle(points[:, None], a, b, c)
    distance = np.linalg.norm(np.einsum("nkc,cnkd->nkd", weights, np.stack([a, b, c])) - points[:, None], axis=-1)
    row, best = np.arange(len(points)), distance.argmin(axis=1)
    return triangles[around[row, best]].astype(np.int32), weights[row, best]


def _weights_on_triangle(p: np.ndarray, a: np.ndarray, b: np.ndarray, c: np.ndarray) -> np.ndarray:
    """Barycentric weights of the point of each triangle nearest to `p`, `(..., 3)`."""
    ab, ac, ap = b - a, c - a, p - a
    d00, d01, d11 = (ab * ab).sum(-1), (ab * ac).sum(-1), (ac * ac).sum(-1)
    d20, d21 = (ap * ab).sum(-1), (ap * ac).sum(-1)
    area = np.maximum(d00 * d11 - d01 * d01, 1e-20)
    v, w = (d11 * d20 - d01 * d21) / area, (d00 * d21 - d01 * d20) / area
    inside = np.stack([1 - v - w, v, w], axis=-1)
    # Outside, the nearest point lies on an edge.
    edges = []
    for start, end, (i, j) in ((a, b, (0, 1)), (b, c, (1, 2)), (c, a, (2, 0))):
        along = end - start
        t = np.clip(((p - start) * along).sum(-1) / np.maximum((along * along).sum(-1), 1e-20), 0, 1)
        weights = np.zeros_like(inside)
        weights[..., i], weights[..., j] = 1 - t, t
        edges.append((((p - start - t[..., None] * along) ** 2).sum(-1), weights))
    distances = np.stack([d for d, _ in edges])
    on_edge = np.take_along_axis(np.stack([w for _, w in edges]), distances.argmin(0)[None, ..., None], axis=0)[0]
    return np.where((inside >= 0).all(-1, keepdims=True), inside, on_edge)


def no_landmarks() -> tuple[np.ndarray, np.ndarray]:
    """Corners and weights of a model on which no landmark is known yet."""
    return np.full((N_LANDMARKS, 3), -1, np.int32), np.zeros((N_LANDMARKS, 3))
