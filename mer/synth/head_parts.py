"""The parts of a head mesh: the front of the face model, eyes, mouth, and the sheet around the face.

All coordinates are in portrait space (see :mod:`mer.synth.fit`), so lengths are interocular distances.
"""

from typing import NamedTuple

import cv2
import numpy as np
from scipy.sparse import coo_matrix, csr_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from mer.face.regions import INNER_LIPS, OVAL, REGIONS
from mer.synth.camera import DISTANCE, Camera
from mer.synth.face_model import FaceModel
from mer.synth.fit import Fit
from mer.synth.raster import visible_triangles


class EyeSurface(NamedTuple):
    """The front of an eyeball: a paraboloid around the z axis with its apex at (x, y, z)."""

    x: float
    y: float
    z: float
    curvature: float

    def depth(self, xy: np.ndarray) -> np.ndarray:
        """z at points `(..., 2)`."""
        return self.z + self.curvature * ((xy - [self.x, self.y]) ** 2).sum(axis=-1)


def face_front(fit: Fit, model: FaceModel, height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Vertices (numbers in the model) and renumbered triangles of the skin visible from the front, inside the oval."""
    points = fit.camera.project(fit.vertices)
    index = visible_triangles(points, model.triangles, height, width)
    visible = np.zeros(len(fit.vertices), bool)
    visible[model.triangles[np.unique(index[index >= 0])]] = True
    for _ in range(3):  # the inner side of the lips and the edges of the lids become visible when they move
        visible[model.triangles[visible[model.triangles].any(axis=1)]] = True
    oval = fit.camera.project(fit.landmarks[list(OVAL)])[:, :2]
    center = oval.mean(axis=0)
    polygon = (center + 0.99 * (oval - center)).astype(np.float32)
    inside = np.array([cv2.pointPolygonTest(polygon, (float(x), float(y)), False) >= 0 for x, y, _ in points])
    # Leave out the walls of the mouth and of the eye sockets, and the back of the head.
    x_y, z = fit.vertices[:, :2], fit.vertices[:, 2]
    shallow = z < DISTANCE + 0.75
    lips = fit.landmarks[list(INNER_LIPS)]
    in_mouth = (np.abs(x_y - lips[:, :2].mean(axis=0)) < [0.3, 0.12]).all(axis=1)
    shallow &= ~(in_mouth & (z > lips[:, 2].mean() + 0.16))
    for side in ("left", "right"):
        lids = fit.landmarks[list(REGIONS[f"{side}_eye"])]
        in_eye = (np.abs(x_y - lids[:, :2].mean(axis=0)) < [0.2, 0.1]).all(axis=1)
        shallow &= ~(in_eye & (z > lids[:, 2].mean() + 0.12))
    keep = visible & inside & shallow
    triangles = model.triangles[keep[model.triangles].all(axis=1)]
    vertex_ids = np.unique(triangles)
    new_index = np.full(len(keep), -1)
    new_index[vertex_ids] = np.arange(len(vertex_ids))
    return vertex_ids, new_index[triangles]


def eye_mesh(landmarks: np.ndarray, side: str) -> tuple[np.ndarray, np.ndarray, EyeSurface]:
    """The front of the eyeball, just behind the lids: vertices, triangles, and the surface that they lie on."""
    lids = landmarks[list(REGIONS[f"{side}_eye"])]
    center = lids[:, :2].mean(axis=0)
    curvature = 1.6  # flatter than a sphere, because the corners of the eye lie outside it
    behind = lids[:, 2] + 0.01 - curvature * ((lids[:, :2] - center) ** 2).sum(axis=1)
    z = float(np.percentile(behind, 60))
    half_width = 0.62 * np.ptp(lids[:, 0])
    x, y = np.meshgrid(np.linspace(-half_width, half_width, 15), np.linspace(-0.15, 0.15, 11))
    grid = np.column_stack([x.ravel() + center[0], y.ravel() + center[1], z + curvature * (x**2 + y**2).ravel()])
    return grid, grid_triangles(11, 15), EyeSurface(float(center[0]), float(center[1]), z, curvature)


def mouth_mesh(landmarks: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Upper teeth, lower teeth and the dark throat behind them.

    Returns vertices, triangles, uv in the mouth's page of the texture, and each vertex's share of the jaw's motion.
    """
    lips = landmarks[list(INNER_LIPS)]
    x0, y0 = landmarks[[78, 308], 0].mean(), landmarks[[13, 14], 1].mean()
    z0 = lips[:, 2].min() + 0.10
    half_width = 0.42 * np.ptp(lips[:, 0])
    vertices, triangles, uv, jaw = [], [], [], []
    # Top and bottom (y), depth behind the lips, rows of the page, share of the jaw's motion.
    layers = (
        (-0.16, 0.045, 0.0, 0.02, 0.32, 0.0),
        (0.05, 0.20, 0.02, 0.36, 0.64, 1.0),
        (-0.12, 0.16, 0.2, 0.70, 0.98, 1.0),
    )
    u, v = (axis.ravel() for axis in np.meshgrid(np.linspace(-1, 1, 13), np.linspace(0, 1, 4)))
    for k, (top, bottom, depth, first_row, last_row, share) in enumerate(layers):
        throat = depth >= 0.1
        x = x0 + half_width * (1.25 if throat else 1.0) * u
        vertices.append(np.column_stack([x, y0 + top + (bottom - top) * v, z0 + depth + 0.16 * u**2]))
        triangles.append(grid_triangles(4, 13) + k * len(u))
        uv.append(np.column_stack([0.02 + 0.96 * (u + 1) / 2, first_row + (last_row - first_row) * v]))
        jaw.append(share * (v if throat else np.ones(len(v))))
    return np.concatenate(vertices), np.concatenate(triangles), np.concatenate(uv), np.concatenate(jaw)


def outer_border(skin: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """Numbers of the vertices on the outer edge of the face: the largest loop of edges that belong to one triangle."""
    edges = np.sort(np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]]), axis=1)
    unique, times = np.unique(edges, axis=0, return_counts=True)
    single = unique[times == 1]
    graph = coo_matrix((np.ones(len(single)), (single[:, 0], single[:, 1])), shape=(len(skin), len(skin)))
    component = connected_components(graph, False)[1]
    loops = [np.flatnonzero(component == label) for label in np.unique(component[single[:, 0]])]
    return max(loops, key=lambda loop: np.ptp(skin[loop, :2], axis=0).sum())


def bind_landmarks(model: FaceModel, vertices: np.ndarray, vertex_ids: np.ndarray) -> csr_matrix:
    """Weights `(478, n)` of the skin's n vertices in each landmark; the nearest stands in for one that was cut away."""
    nearest = cKDTree(vertices[vertex_ids]).query(vertices)[1]
    present = model.has_landmark
    rows = np.repeat(np.flatnonzero(present), 3)
    columns = nearest[model.landmark_vertices[present]].ravel()
    shape = (len(present), len(vertex_ids))
    return csr_matrix((model.landmark_weights[present].ravel(), (rows, columns)), shape=shape)


def sheet_mesh(
    skin: np.ndarray, border: np.ndarray, camera: Camera, height: int, width: int, matte: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """The relief around the face, which carries hair, ears, neck and clothes.

    It is level with the border of the face, slopes away outside it, and is hidden behind the face inside it. Returns
    vertices `(n, 3)`, triangles, how much each vertex follows those of the border, `(n, len(border))`, and offsets
    `(n, 3)` that remove the step behind the face, for smooth shading.
    """
    rim = skin[border]
    rim_xy = camera.project(rim)[:, :2]
    margin, n = 0.25, 56
    x, y = np.meshgrid(
        np.linspace(-margin * width, (1 + margin) * width, n), np.linspace(-margin * height, (1 + margin) * height, n)
    )
    nodes = np.column_stack([x.ravel(), y.ravel()])
    interocular = camera.focal / DISTANCE
    distance = np.linalg.norm(nodes[:, None] - rim_xy[None], axis=-1) / interocular
    nearest = distance.min(axis=1)
    hull = cv2.convexHull(rim_xy.astype(np.float32))
    inside = np.array([cv2.pointPolygonTest(hull, (float(px), float(py)), False) > 0 for px, py in nodes])
    weight = 1 / (distance**3 + 1e-4)
    weight /= weight.sum(axis=1, keepdims=True)
    cell = width * (1 + 2 * margin) / (n - 1) / interocular
    ramp = np.clip((nearest - 1.2 * cell) / 0.2, 0, 1)
    rim_depth = weight @ rim[:, 2]
    depth = rim_depth + np.where(
        inside,
        0.01 + 0.5 * ramp * ramp * (3 - 2 * ramp),
        0.01 + 0.9 * (1 - np.exp(-(nearest**2) / (0.25 * nearest + 0.3))),
    )
    vertices = np.column_stack([(nodes - np.asarray(camera.center)) / camera.focal * depth[:, None], depth])
    triangles = grid_triangles(n, n)
    # Drop the triangles that show only background.
    person = cv2.dilate((matte > 0.01).astype(np.uint8), np.ones((9, 9), np.uint8))
    column = np.clip(nodes[:, 0].round().astype(int), 0, width - 1)
    row = np.clip(nodes[:, 1].round().astype(int), 0, height - 1)
    step = int(np.ceil(width * (1 + 2 * margin) / (n - 1)))
    solid = cv2.dilate(person, np.ones((2 * step + 1, 2 * step + 1), np.uint8))[row, column] > 0
    triangles = triangles[solid[triangles].any(axis=1)]
    binding = weight * np.exp(-((nearest / 0.3) ** 2))[:, None]
    level_depth = rim_depth + np.where(inside, 0.0, depth - rim_depth)
    level = vertices * (level_depth / depth)[:, None] - vertices
    return vertices, triangles, binding, level


def border_blend(skin: np.ndarray, border: np.ndarray, sheet: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For each vertex of the skin, the nearest vertex of the sheet, and its proximity to the border (1 on it)."""
    nearest = cKDTree(sheet[:, :2]).query(skin[:, :2])[1]
    distance = cKDTree(skin[border, :2]).query(skin[:, :2])[0]
    return nearest, np.exp(-((distance / 0.18) ** 2))


def vertex_normals(vertices: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """Unit normals toward the camera, `(V, 3)`: the area-weighted mean over the adjacent triangles."""
    a, b, c = (vertices[triangles[:, k]] for k in range(3))
    area_normal = np.cross(b - a, c - a)
    area_normal *= -np.sign(area_normal[:, 2:])  # every triangle faces the camera
    corners = triangles.ravel()
    normal = np.stack([np.bincount(corners, np.repeat(area_normal[:, k], 3), len(vertices)) for k in range(3)], axis=1)
    return normal / np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-12)


def grid_triangles(rows: int, columns: int) -> np.ndarray:
    """Triangles `(t, 3)` of a grid of vertices that are numbered row by row."""
    corner = (np.arange(rows - 1)[:, None] * columns + np.arange(columns - 1)).ravel()
    lower = np.column_stack([corner, corner + 1, corner + columns])
    upper = np.column_stack([corner + 1, corner + columns + 1, corner + columns])
    return np.concatenate([lower, upper]).astype(np.int64)
