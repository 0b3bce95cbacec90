"""A face model: a skin mesh, its expression shapes, and the position of the 478 landmarks on it."""

from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from mer.face.canonical import N_LANDMARKS


class FaceModelError(ValueError):
    """The face model file cannot be used; the message gives the reason."""


@dataclass(frozen=True, eq=False)
class FaceModel:
    """The skin of a head, in any unit of length. x points to the image's right, y down, z away from the camera.

    Expressions have the model's own names. Landmarks that the model lacks (the irises) have the vertices -1.
    """

    name: str
    vertices: np.ndarray  # (V, 3), the neutral face
    triangles: np.ndarray  # int32 (T, 3)
    expressions: dict[str, np.ndarray]  # vertex offsets (V, 3) of each shape at full strength
    identity: np.ndarray  # (K, V, 3), vertex offsets of the modes at one standard deviation; `K` may be 0
    landmark_vertices: np.ndarray  # int32 (478, 3), the vertices of the triangle that contains each landmark
    landmark_weights: np.ndarray  # (478, 3), barycentric weights in that triangle

    @property
    def has_landmark(self) -> np.ndarray:
        """Bool (478,): which landmarks the model has."""
        return self.landmark_vertices[:, 0] >= 0

    def landmarks(self, vertices: np.ndarray) -> np.ndarray:
        """The n landmarks that the model has, `(..., n, 3)`, on a mesh `(..., V, 3)` of the same topology."""
        corners, weights = self.landmark_vertices[self.has_landmark], self.landmark_weights[self.has_landmark]
        return np.einsum("...nkd,nk->...nd", vertices[..., corners, :], weights)

    def all_landmarks(self, vertices: np.ndarray) -> np.ndarray:
        """The 478 landmarks `(478, 3)` on a mesh `(V, 3)`; those that the model lacks are 0."""
        points = np.zeros((N_LANDMARKS, 3))
        points[self.has_landmark] = self.landmarks(vertices)
        return points


def make_face_model(
    name: str,
    vertices: np.ndarray,
    triangles: np.ndarray,
    expressions: dict[str, np.ndarray],
    identity: np.ndarray,
    landmark_vertices: np.ndarray,
    landmark_weights: np.ndarray,
) -> FaceModel:
    """Check a model's arrays and keep its largest connected surface, the skin; `FaceModelError` if they do not fit.

    Eyes, teeth and tongue are dropped, because :mod:`mer.synth.head` adds its own.
    """
    vertices, triangles = np.asarray(vertices, float), np.asarray(triangles, np.int64)
    count = len(vertices)
    if vertices.shape[1:] != (3,) or triangles.shape[1:] != (3,) or not len(triangles):
        raise FaceModelError(
            f"{name}: expected vertices (V, 3) and triangles (T, 3), got {vertices.shape} and {triangles.shape}"
        )
    if triangles.min() < 0 or triangles.max() >= count:
        raise FaceModelError(f"{name}: a triangle refers to vertex {triangles.max()}, but there are only {count}")
    for key, offsets in expressions.items():
        if offsets.shape != vertices.shape:
            raise FaceModelError(f"{name}: expression {key!r} has shape {offsets.shape}, expected {vertices.shape}")
    if identity.shape[1:] != vertices.shape:
        raise FaceModelError(f"{name}: the identity modes have shape {identity.shape}, expected (K, {count}, 3)")
    if not all(np.isfinite(a).all() for a in (vertices, identity, *expressions.values())):
        raise FaceModelError(f"{name}: contains values that are not finite; the file is damaged")

    edges = np.concatenate([triangles[:, :2], triangles[:, 1:]])
    graph = coo_matrix((np.ones(len(edges)), (edges[:, 0], edges[:, 1])), shape=(count, count))
    component = connected_components(graph, directed=False)[1]
    keep = component == np.bincount(component).argmax()
    new_index = np.where(keep, np.cumsum(keep) - 1, -1)
    lost = (landmark_vertices >= 0).all(axis=1) & (new_index[landmark_vertices] < 0).any(axis=1)
    landmark_vertices = np.where(
        (landmark_vertices[:, :1] >= 0) & ~lost[:, None], new_index[landmark_vertices], -1
    ).astype(np.int32)
    return FaceModel(
        name,
        vertices[keep],
        new_index[triangles[keep[triangles].all(axis=1)]].astype(np.int32),
        {key: np.asarray(offsets, float)[keep] for key, offsets in expressions.items()},
        np.asarray(identity, float)[:, keep],
        landmark_vertices,
        landmark_weights,
    )


def no_landmarks() -> tuple[np.ndarray, np.ndarray]:
    """Landmark vertices and weights of a model without landmarks."""
    return np.full((N_LANDMARKS, 3), -1, np.int32), np.zeros((N_LANDMARKS, 3))


def closest_points(points: np.ndarray, vertices: np.ndarray, triangles: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The closest point of a mesh to each of `points (n, 3)`: the vertices of its triangle and their weights, `(n, 3)`.

    Only the 24 triangles with the nearest centers are searched.
    """
    from scipy.spatial import cKDTree

    centers = vertices[triangles].mean(axis=1)
    candidates = cKDTree(centers).query(points, k=min(24, len(triangles)))[1].reshape(len(points), -1)
    a, b, c = (vertices[triangles[candidates, k]] for k in range(3))
    weights = _closest_weights(points[:, None], a, b, c)
    distance = np.linalg.norm(np.einsum("nkc,cnkd->nkd", weights, np.stack([a, b, c])) - points[:, None], axis=-1)
    row, best = np.arange(len(points)), distance.argmin(axis=1)
    return triangles[candidates[row, best]].astype(np.int32), weights[row, best]


def _closest_weights(p: np.ndarray, a: np.ndarray, b: np.ndarray, c: np.ndarray) -> np.ndarray:
    """Barycentric weights `(..., 3)` of the point of each triangle that is closest to `p`."""
    ab, ac, ap = b - a, c - a, p - a
    d00, d01, d11 = (ab * ab).sum(-1), (ab * ac).sum(-1), (ac * ac).sum(-1)
    d20, d21 = (ap * ab).sum(-1), (ap * ac).sum(-1)
    area = np.maximum(d00 * d11 - d01 * d01, 1e-20)
    v, w = (d11 * d20 - d01 * d21) / area, (d00 * d21 - d01 * d20) / area
    inside = np.stack([1 - v - w, v, w], axis=-1)
    # If the projection falls outside the triangle, the closest point lies on an edge.
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
