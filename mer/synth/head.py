"""A head that can be rendered: the fitted face, eyes, teeth, and a sheet that carries hair, ears, neck and clothes.

All of it is one mesh in the portrait's space whose colors come from one texture with three pages side by side: the
portrait, the portrait with its eyes made whole, and the inside of the mouth. The sheet is the portrait as a relief:
level with the rim of the face, sloping away from the camera beyond it, and hidden behind it. It moves with the head,
and so does everything on it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np
from scipy.sparse import coo_matrix, csr_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from mer.face.regions import INNER_LIPS, OVAL, REGIONS
from mer.synth.face_model import FaceModel
from mer.synth.fit import DISTANCE, Camera, Fit, fit_face
from mer.synth.head_texture import MOUTH_PAGE, make_texture
from mer.synth.portrait import Portrait
from mer.synth.raster import cover

SKIN, EYE, MOUTH, SHEET = range(4)  # parts; the first three are the face
EYE_RADIUS = 0.14  # of an eyeball, in interocular distances
_LIFT = 0.012  # how far a lid passes in front of the eye, in interocular distances


@dataclass(eq=False)
class Head:
    """A mesh with a texture, in the portrait's space (see :mod:`mer.synth.fit`).

    Attributes
    ----------
    name : str
    vertices : float64 (V, 3)
        At the expression of the portrait.
    triangles : int32 (T, 3)
    part : uint8 (V,)
        `SKIN`, `EYE`, `MOUTH` or `SHEET`.
    places : float64 (V, 2)
        Where each vertex lies in the texture, pixels.
    texture : float32 (h, w, 4)
        Red, green, blue and opacity, 0 to 255.
    camera : Camera
        Of the portrait.
    pivot : float64 (3,)
        The point that the head turns about.
    landmarks : float64 (478, 3)
    """

    name: str
    vertices: np.ndarray
    triangles: np.ndarray
    part: np.ndarray
    places: np.ndarray
    texture: np.ndarray
    camera: Camera
    pivot: np.ndarray
    landmarks: np.ndarray
    fit: Fit
    kept: np.ndarray  # the face model's vertices that are in the head
    follow: csr_matrix  # (V, kept): how the rest follows the skin
    relief: np.ndarray  # (sheet, 3): from the sheet to where it would be without its step behind the face
    blend: tuple[
        np.ndarray, np.ndarray
    ]  # per skin vertex, the sheet's vertex beside it and that one's share in shading
    lips: tuple[int, int]  # vertices in the middle of the upper and of the lower lip's inner edge
    follow_landmarks: csr_matrix  # (478, kept): how the landmarks follow the skin
    jaw: np.ndarray  # (V,): how much a vertex of the mouth follows the lower jaw
    eyes: list[np.ndarray]  # left and right: middle x, y, z and the curvature of each eye's surface
    _offsets: dict[str, np.ndarray] = field(default_factory=dict)

    def offsets(self, shape: str) -> np.ndarray:
        """Offsets `(V, 3)` of an expression shape at full strength."""
        if shape not in self._offsets:
            of_skin = self.fit.offsets(shape, self.kept)
            out = self.follow @ of_skin
            if shape.startswith("jaw"):
                chin = np.linalg.norm(self.vertices[: len(of_skin)] - self.landmarks[175], axis=1).argmin()
                out += self.jaw[:, None] * of_skin[chin]
            self._offsets[shape] = out
        return self._offsets[shape]

    def normals(self, vertices: np.ndarray) -> np.ndarray:
        """Unit normals towards the camera, `(V, 3)`, for shading: those of the relief without its step behind the face.

        Along its border the skin takes on the relief's normals, so that no edge shows in the light.
        """
        smooth = vertices.copy()
        sheet = self.part == SHEET
        smooth[sheet] += self.relief
        normal = vertex_normals(smooth, self.triangles)
        beside, share = self.blend
        skin = slice(len(self.kept))
        normal[skin] += share[:, None] * (normal[sheet][beside] - normal[skin])
        return normal / np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-12)

    def expressed(self, weights: dict[str, float], gaze: np.ndarray | None = None) -> np.ndarray:
        """Vertices `(V, 3)` with shapes at the given weights and the eyes turned by `gaze`, `(2,)`, radians.

        A lid slides over the eye and never into it.
        """
        vertices = self.vertices.copy()
        for shape, weight in weights.items():
            if weight:
                vertices += weight * self.offsets(shape)
        if gaze is not None and np.any(gaze):
            turned = np.asarray(gaze) * EYE_RADIUS
            for x, y, z, bend in self.eyes:
                own = (self.part == EYE) & (np.abs(self.vertices[:, 0] - x) < 0.4)
                vertices[own, :2] += turned
                across = vertices[own, :2] - [x, y]
                vertices[own, 2] = z + bend * (across**2).sum(axis=1)
        skin = np.flatnonzero(self.part == SKIN)
        for x, y, z, bend in self.eyes:
            dx, dy = vertices[skin, 0] - x, vertices[skin, 1] - y
            over = (np.abs(dx) < 0.23) & (np.abs(dy) < 0.13)
            surface = z + bend * (dx**2 + dy**2) - _LIFT
            near = skin[over & (vertices[skin, 2] > surface) & (vertices[skin, 2] < surface + 0.12)]
            vertices[near, 2] = (z + bend * ((vertices[near, :2] - [x, y]) ** 2).sum(axis=1)) - _LIFT
        return vertices


def make_head(portrait: Portrait, model: FaceModel) -> Head:
    """Fit `model` to a portrait and build everything around it."""
    fit = fit_face(model, portrait.landmarks)
    height, width = portrait.matte.shape
    marks, unit = fit.landmarks, fit.camera.focal / DISTANCE
    kept, faces = _front(fit, model, height, width)
    skin = fit.vertices[kept]
    eyes = [_eye(marks, side) for side in ("left", "right")]
    mouth, mouth_faces, mouth_places, jaw_share = _mouth(marks)
    border = _border(skin, faces)
    sheet, sheet_faces, spread, relief = _sheet(skin, border, fit.camera, height, width, portrait.matte)

    def on_page(vertices: np.ndarray, page: int) -> np.ndarray:
        return fit.camera.project(vertices)[:, :2] + [page * width, 0]

    pieces = [  # vertices, triangles, part, places in the texture
        (skin, faces, SKIN, on_page(skin, 0)),
        *((v, t, EYE, on_page(v, 1)) for v, t, _ in eyes),
        (mouth, mouth_faces, MOUTH, mouth_places * (MOUTH_PAGE - 1) + [2 * width, 0]),
        (sheet, sheet_faces, SHEET, on_page(sheet, 0)),
    ]
    starts = np.cumsum([0, *(len(v) for v, _, _, _ in pieces)])
    part = np.concatenate([np.full(len(v), p, np.uint8) for v, _, p, _ in pieces])
    total = len(part)

    # The skin follows itself, the sheet the border of the face.
    rows = np.concatenate([np.arange(len(skin)), np.repeat(np.flatnonzero(part == SHEET), len(border))])
    columns = np.concatenate([np.arange(len(skin)), np.tile(border, len(sheet))])
    values = np.concatenate([np.ones(len(skin)), spread.ravel()])
    strong = values > 1e-4
    follow = csr_matrix((values[strong], (rows[strong], columns[strong])), shape=(total, len(skin)))
    jaw = np.zeros(total)
    jaw[part == MOUTH] = jaw_share
    on_skin = _landmarks_on_skin(model, fit.vertices, kept)
    pivot = np.array([marks[[234, 454], 0].mean(), 0.9, DISTANCE + 1.0])  # where the neck carries the skull
    return Head(
        name=portrait.name,
        vertices=np.concatenate([v for v, _, _, _ in pieces]),
        triangles=np.concatenate([t + start for (_, t, _, _), start in zip(pieces, starts)]).astype(np.int32),
        part=part,
        places=np.concatenate([places for _, _, _, places in pieces]),
        texture=make_texture(portrait, unit),
        camera=fit.camera,
        pivot=pivot,
        landmarks=marks,
        fit=fit,
        kept=kept,
        follow=follow,
        relief=relief,
        blend=_beside(skin, border, sheet + relief),
        lips=(int(on_skin[13].argmax()), int(on_skin[14].argmax())),
        follow_landmarks=on_skin,
        jaw=jaw,
        eyes=[eye for _, _, eye in eyes],
    )


def _front(fit: Fit, model: FaceModel, height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """The model's vertices that make the face, and their triangles: seen from the front, within the oval."""
    points = fit.camera.project(fit.vertices)
    index = cover(points, model.triangles, height, width)
    seen = np.zeros(len(fit.vertices), bool)
    seen[model.triangles[np.unique(index[index >= 0])]] = True
    for _ in range(3):  # the inside of the lips and the edges of the lids come to light when they move
        seen[model.triangles[seen[model.triangles].any(axis=1)]] = True
    oval = fit.camera.project(fit.landmarks[list(OVAL)])[:, :2]
    middle = oval.mean(axis=0)
    polygon = (middle + 0.99 * (oval - middle)).astype(np.float32)
    inside = np.array([cv2.pointPolygonTest(polygon, (float(x), float(y)), False) >= 0 for x, y, _ in points])
    # Not the walls of the mouth and of the sockets, nor the back of the head.
    shallow = fit.vertices[:, 2] < DISTANCE + 0.75
    lips = fit.landmarks[list(INNER_LIPS)]
    in_mouth = (np.abs(fit.vertices[:, :2] - lips[:, :2].mean(axis=0)) < [0.3, 0.12]).all(axis=1)
    shallow &= ~(in_mouth & (fit.vertices[:, 2] > lips[:, 2].mean() + 0.16))
    for side in ("left", "right"):
        lids = fit.landmarks[list(REGIONS[f"{side}_eye"])]
        in_eye = (np.abs(fit.vertices[:, :2] - lids[:, :2].mean(axis=0)) < [0.2, 0.1]).all(axis=1)
        shallow &= ~(in_eye & (fit.vertices[:, 2] > lids[:, 2].mean() + 0.12))
    keep = seen & inside & shallow
    faces = model.triangles[keep[model.triangles].all(axis=1)]
    kept = np.unique(faces)
    number = np.full(len(keep), -1)
    number[kept] = np.arange(len(kept))
    return kept, number[faces]


def _eye(marks: np.ndarray, side: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The front of an eyeball, just behind the lids: vertices, triangles, and its middle with its curvature."""
    lids = marks[list(REGIONS[f"{side}_eye"])]
    middle = lids[:, :2].mean(axis=0)
    bend = 1.6  # flatter than a ball, since the corners of the eye lie outside it
    behind = lids[:, 2] + 0.01 - bend * ((lids[:, :2] - middle) ** 2).sum(axis=1)
    z = float(np.percentile(behind, 60))
    half_width = 0.62 * np.ptp(lids[:, 0])
    x, y = np.meshgrid(np.linspace(-half_width, half_width, 15), np.linspace(-0.15, 0.15, 11))
    grid = np.column_stack([x.ravel() + middle[0], y.ravel() + middle[1], z + bend * (x**2 + y**2).ravel()])
    return grid, _grid_triangles(11, 15), np.array([middle[0], middle[1], z, bend])


def _mouth(marks: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Upper teeth, lower teeth and the dark behind them: vertices, triangles, places in their page, share of
    the jaw.
    """
    lips = marks[list(INNER_LIPS)]
    x0, y0 = marks[[78, 308], 0].mean(), marks[[13, 14], 1].mean()
    z0 = lips[:, 2].min() + 0.10
    half = 0.42 * np.ptp(lips[:, 0])
    vertices, triangles, places, jaw = [], [], [], []
    # Height from, height to (down), depth, page rows from and to, follows the jaw.
    parts = (
        (-0.16, 0.045, 0.0, 0.02, 0.32, 0.0),
        (0.05, 0.20, 0.02, 0.36, 0.64, 1.0),
        (-0.12, 0.16, 0.2, 0.70, 0.98, 1.0),
    )
    for top, bottom, back, row0, row1, share in parts:
        across = half * (1.0 if back < 0.1 else 1.25)
        x, y = np.meshgrid(np.linspace(-1, 1, 13), np.linspace(0, 1, 4))
        vertices.append(
            np.column_stack(
                [x0 + across * x.ravel(), y0 + top + (bottom - top) * y.ravel(), z0 + back + 0.16 * x.ravel() ** 2]
            )
        )
        triangles.append(_grid_triangles(4, 13) + sum(len(v) for v in vertices[:-1]))
        places.append(np.column_stack([0.02 + 0.96 * (x.ravel() + 1) / 2, row0 + (row1 - row0) * y.ravel()]))
        jaw.append(share * (np.ones(x.size) if back < 0.1 else y.ravel()))
    return np.concatenate(vertices), np.concatenate(triangles), np.concatenate(places), np.concatenate(jaw)


def _border(skin: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Vertices on the outer edge of the face: of the chains of edges that one triangle alone has, the widest."""
    count = len(skin)
    edges = np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]), axis=1)
    unique, times = np.unique(edges, axis=0, return_counts=True)
    rim = unique[times == 1]
    part = connected_components(coo_matrix((np.ones(len(rim)), (rim[:, 0], rim[:, 1])), shape=(count, count)), False)[1]
    loops = [np.flatnonzero(part == label) for label in np.unique(part[rim[:, 0]])]
    return max(loops, key=lambda loop: np.ptp(skin[loop, :2], axis=0).sum())


def _landmarks_on_skin(model: FaceModel, vertices: np.ndarray, kept: np.ndarray) -> csr_matrix:
    """The weights of the skin's vertices in each landmark. A vertex that was cut away counts as the nearest
    kept one.
    """
    stand_in = cKDTree(vertices[kept]).query(vertices)[1]
    rows = np.repeat(np.flatnonzero(model.marked), 3)
    corners = stand_in[model.corners[model.marked]].ravel()
    shape = (len(model.corners), len(kept))
    return csr_matrix((model.weights[model.marked].ravel(), (rows, corners)), shape=shape)


def _sheet(
    skin: np.ndarray, border: np.ndarray, camera: Camera, height: int, width: int, matte: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """The relief around the face: vertices, triangles, how each follows the border `(n, len(border))`, its step
    undone.
    """
    rim = skin[border]
    rim_xy = camera.project(rim)[:, :2]
    margin, n = 0.25, 56
    x, y = np.meshgrid(
        np.linspace(-margin * width, (1 + margin) * width, n), np.linspace(-margin * height, (1 + margin) * height, n)
    )
    nodes = np.column_stack([x.ravel(), y.ravel()])
    unit = camera.focal / DISTANCE
    apart = np.linalg.norm(nodes[:, None] - rim_xy[None], axis=-1) / unit
    nearest = apart.min(axis=1)
    hull = cv2.convexHull(rim_xy.astype(np.float32))
    inside = np.array([cv2.pointPolygonTest(hull, (float(px), float(py)), False) > 0 for px, py in nodes])
    share = 1 / (apart**3 + 1e-4)
    share /= share.sum(axis=1, keepdims=True)
    cell = width * (1 + 2 * margin) / (n - 1) / unit
    ramp = np.clip((nearest - 1.2 * cell) / 0.2, 0, 1)
    depth = share @ rim[:, 2] + np.where(
        inside,
        0.01 + 0.5 * ramp * ramp * (3 - 2 * ramp),
        0.01 + 0.9 * (1 - np.exp(-(nearest**2) / (0.25 * nearest + 0.3))),
    )
    vertices = np.column_stack([(nodes - np.asarray(camera.center)) / camera.focal * depth[:, None], depth])
    triangles = _grid_triangles(n, n)
    # Where the portrait shows background there is nothing to render.
    wide = cv2.dilate((matte > 0.01).astype(np.uint8), np.ones((9, 9), np.uint8))
    column = np.clip(nodes[:, 0].round().astype(int), 0, width - 1)
    row = np.clip(nodes[:, 1].round().astype(int), 0, height - 1)
    step = int(np.ceil(width * (1 + 2 * margin) / (n - 1)))
    solid = cv2.dilate(wide, np.ones((2 * step + 1, 2 * step + 1), np.uint8))[row, column] > 0
    triangles = triangles[solid[triangles].any(axis=1)]
    spread = share * np.exp(-((nearest / 0.3) ** 2))[:, None]
    level = share @ rim[:, 2] + np.where(inside, 0.0, depth - share @ rim[:, 2])
    relief = vertices * (level / depth)[:, None] - vertices
    return vertices, triangles, spread, relief


def _beside(skin: np.ndarray, border: np.ndarray, relief: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For each vertex of the skin the nearest one of the sheet, and how near it is to the border, 1 on it."""
    beside = cKDTree(relief[:, :2]).query(skin[:, :2])[1]
    apart = cKDTree(skin[border, :2]).query(skin[:, :2])[0]
    return beside, np.exp(-((apart / 0.18) ** 2))


def vertex_normals(vertices: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """Unit normals towards the camera, `(V, 3)`: the mean over the triangles around, by their area."""
    a, b, c = (vertices[triangles[:, k]] for k in range(3))
    of_triangle = np.cross(b - a, c - a)
    of_triangle *= -np.sign(of_triangle[:, 2:])  # all of it is seen from the front
    corners = triangles.ravel()
    normal = np.stack([np.bincount(corners, np.repeat(of_triangle[:, k], 3), len(vertices)) for k in range(3)], axis=1)
    return normal / np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-12)


def _grid_triangles(rows: int, columns: int) -> np.ndarray:
    corner = (np.arange(rows - 1)[:, None] * columns + np.arange(columns - 1)).ravel()
    lower = np.column_stack([corner, corner + 1, corner + columns])
    upper = np.column_stack([corner + 1, corner + columns + 1, corner + columns])
    return np.concatenate([lower, upper]).astype(np.int64)
