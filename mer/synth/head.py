"""A head that can be rendered: the fitted face, eyes, teeth, and a sheet that carries hair, ears, neck and clothes.

All of it is one mesh in the portrait's space whose colors come from one texture with three pages side by side: the
portrait, the portrait with its eyes made whole, and the inside of the mouth. The sheet is the portrait as a relief: level
with the rim of the face, sloping away from the camera beyond it, and hidden behind it. It moves with the head, and so
does everything on it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np
from scipy.sparse import coo_matrix, csr_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from mer.face.regions import INNER_LIPS, OVAL, REGIONS
from mer.synth.fit import Camera, Fit, fit_face
from mer.synth.model import FaceModel
from mer.synth.portrait import Portrait
from mer.synth.raster import rasterize

SKIN, EYE, MOUTH, SHEET = range(4)  # parts; the first three are the face
EYE_RADIUS = 0.14  # of an eyeball, in interocular distances
_LIFT = 0.012  # how far a lid passes in front of the eye, in interocular distances
_MOUTH_PAGE = 192  # pixels


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
    marks, unit = fit.landmarks, fit.camera.focal / 10
    kept, faces = _front(fit, model, height, width)
    skin = fit.vertices[kept]
    pieces, tris, parts, pages, count = [skin], [faces], [np.full(len(skin), SKIN)], [], len(skin)
    pages.append(fit.camera.project(skin)[:, :2])

    eyes = []
    for side in ("left", "right"):
        surface, eye = _eye(marks, side)
        v, t = surface
        pieces.append(v), tris.append(t + count), parts.append(np.full(len(v), EYE))
        pages.append(fit.camera.project(v)[:, :2] + [width, 0])
        eyes.append(eye)
        count += len(v)

    v, t, uv, jaw_share = _mouth(marks)
    pieces.append(v), tris.append(t + count), parts.append(np.full(len(v), MOUTH))
    pages.append(uv * (_MOUTH_PAGE - 1) + [2 * width, 0])
    mouth = slice(count, count + len(v))
    count += len(v)

    border = _border(skin, faces)
    v, t, spread, relief = _sheet(skin, border, fit.camera, height, width, portrait.matte)
    pieces.append(v), tris.append(t + count), parts.append(np.full(len(v), SHEET))
    pages.append(fit.camera.project(v)[:, :2])
    total = count + len(v)

    rows = np.concatenate([np.arange(len(skin)), np.repeat(np.arange(count, total), len(border))])
    columns = np.concatenate([np.arange(len(skin)), np.tile(border, len(v))])
    values = np.concatenate([np.ones(len(skin)), spread.ravel()])
    strong = values > 1e-4
    follow = csr_matrix((values[strong], (rows[strong], columns[strong])), shape=(total, len(skin)))
    jaw = np.zeros(total)
    jaw[mouth] = jaw_share
    number = np.full(len(fit.vertices), -1)
    number[kept] = np.arange(len(kept))
    lips = tuple(int(number[model.corners[i][model.weights[i].argmax()]]) for i in (13, 14))
    pivot = np.array([0.0, 0.9, 10 + 1.0])  # where the neck carries the skull
    pivot[0] = marks[[234, 454], 0].mean()
    texture = _texture(portrait, unit)
    return Head(
        portrait.name, np.concatenate(pieces), np.concatenate(tris).astype(np.int32),
        np.concatenate(parts).astype(np.uint8), np.concatenate(pages), texture, fit.camera, pivot, marks, fit, kept,
        follow, relief, _beside(skin, border, v + relief), lips, _landmarks_on_skin(model, fit.vertices, kept), jaw, eyes,
    )  # fmt: skip


def _front(fit: Fit, model: FaceModel, height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """The model's vertices that make the face, and their triangles: seen from the front, within the oval."""
    points = fit.camera.project(fit.vertices)
    index, _ = rasterize(points, model.triangles, height, width)
    seen = np.zeros(len(fit.vertices), bool)
    seen[model.triangles[np.unique(index[index >= 0])]] = True
    for _ in range(3):  # the inside of the lips and the edges of the lids come to light when they move
        seen[model.triangles[seen[model.triangles].any(axis=1)]] = True
    oval = fit.camera.project(fit.landmarks[list(OVAL)])[:, :2]
    middle = oval.mean(axis=0)
    polygon = np.float32(middle + 0.99 * (oval - middle))
    inside = np.array([cv2.pointPolygonTest(polygon, (float(x), float(y)), False) >= 0 for x, y in points[:, :2]])
    # Not the walls of the mouth and of the sockets, nor the back of the head.
    shallow = fit.vertices[:, 2] < 10 + 0.75
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


def _eye(marks: np.ndarray, side: str) -> tuple[tuple[np.ndarray, np.ndarray], np.ndarray]:
    """The front of an eyeball, just behind the lids: its mesh, and its middle with its curvature."""
    lids = marks[list(REGIONS[f"{side}_eye"])]
    middle = lids[:, :2].mean(axis=0)
    bend = 1.6  # flatter than a ball, since the corners of the eye lie outside it
    behind = lids[:, 2] + 0.01 - bend * ((lids[:, :2] - middle) ** 2).sum(axis=1)
    z = float(np.percentile(behind, 60))
    half_width = 0.62 * np.ptp(lids[:, 0])
    x, y = np.meshgrid(np.linspace(-half_width, half_width, 15), np.linspace(-0.15, 0.15, 11))
    grid = np.column_stack([x.ravel() + middle[0], y.ravel() + middle[1], z + bend * (x**2 + y**2).ravel()])
    return (grid, _grid_triangles(11, 15)), np.array([middle[0], middle[1], z, bend])


def _mouth(marks: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Upper teeth, lower teeth and the dark behind them: vertices, triangles, places in their page, share of the jaw."""
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
    """The weights of the skin's vertices in each landmark. A vertex that was cut away counts as the nearest kept one."""
    stand_in = cKDTree(vertices[kept]).query(vertices)[1]
    rows = np.repeat(np.flatnonzero(model.marked), 3)
    corners = stand_in[model.corners[model.marked]].ravel()
    shape = (len(model.corners), len(kept))
    return csr_matrix((model.weights[model.marked].ravel(), (rows, corners)), shape=shape)


def _sheet(
    skin: np.ndarray, border: np.ndarray, camera: Camera, height: int, width: int, matte: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """The relief around the face: vertices, triangles, how each follows the border `(n, len(border))`, its step undone."""
    rim = skin[border]
    rim_xy = camera.project(rim)[:, :2]
    margin, n = 0.25, 56
    x, y = np.meshgrid(
        np.linspace(-margin * width, (1 + margin) * width, n), np.linspace(-margin * height, (1 + margin) * height, n)
    )
    nodes = np.column_stack([x.ravel(), y.ravel()])
    unit = camera.focal / 10
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


def _texture(portrait: Portrait, unit: float) -> np.ndarray:
    """The three pages side by side, float32 (h, 2 w + mouth, 4)."""
    height, width = portrait.matte.shape
    person = _without_background(portrait.image, portrait.matte)
    page = np.dstack([person, portrait.matte * 255]).astype(np.float32)
    eyes = np.dstack([_whole_eyes(portrait), np.full((height, width), 255.0)]).astype(np.float32)
    skin = np.median(portrait.image[_disc(portrait.matte.shape, portrait.landmarks[195], 0.15 * unit)], axis=0)
    mouth = np.full((height, _MOUTH_PAGE, 4), 255, np.float32)
    mouth[:_MOUTH_PAGE, :, :3] = _mouth_page(skin)
    return np.ascontiguousarray(np.concatenate([page, eyes, mouth], axis=1))


def _without_background(image: np.ndarray, matte: np.ndarray) -> np.ndarray:
    """The person's own color at every pixel: where the matte is thin, that of the nearest pixel that is all person."""
    solid = cv2.erode((matte > 0.9).astype(np.uint8), np.ones((3, 3), np.uint8))
    _, label = cv2.distanceTransformWithLabels(1 - solid, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    colors = np.zeros((label.max() + 1, 3), np.float32)
    colors[label[solid > 0]] = image[solid > 0]
    spread = cv2.GaussianBlur(colors[label], (0, 0), 2)
    own = np.clip((matte - 0.6) / 0.35, 0, 1)[..., None]
    return own * image + (1 - own) * spread


def _disc(shape: tuple[int, ...], middle: np.ndarray, radius: float) -> np.ndarray:
    y, x = np.mgrid[: shape[0], : shape[1]]
    return (x - middle[0]) ** 2 + (y - middle[1]) ** 2 <= radius**2


def _whole_eyes(portrait: Portrait) -> np.ndarray:
    """The portrait with each eye continued under its lids: the iris by its own ring of colors, the white by its own."""
    out = portrait.image.astype(np.float32)
    marks = portrait.landmarks
    for side in ("left", "right"):
        iris = marks[list(REGIONS[f"{side}_iris"]), :2]
        radius = float(np.linalg.norm(iris[1:] - iris[0], axis=1).mean())
        left, top = np.clip((iris[0] - 5 * radius).astype(int), 0, np.array(out.shape[1::-1]) - 8)
        window = (slice(top, top + int(10 * radius)), slice(left, left + int(10 * radius)))
        image = portrait.image[window]
        rim, middle = marks[list(REGIONS[f"{side}_eye"]), :2] - [left, top], iris[0] - [left, top]
        y, x = np.mgrid[: image.shape[0], : image.shape[1]].astype(np.float32)
        opening = np.zeros(image.shape[:2], np.uint8)
        cv2.fillPoly(opening, [np.round(rim * 16).astype(np.int32)], 1, shift=4)
        shrink = max(1, round(0.10 * radius * 2))
        trusted = cv2.erode(opening, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * shrink + 1, 2 * shrink + 1))) > 0
        ring = np.hypot(x - middle[0], y - middle[1]) / radius
        white = trusted & (ring > 1.25)
        if white.sum() >= 6:
            bright = image[white].astype(float)
            white_color = np.median(bright[bright.sum(axis=1) >= np.median(bright.sum(axis=1))], axis=0)
        else:
            white_color = np.array([190.0, 180, 175])
        colors = np.empty((12, 3))
        for k in range(12):
            belt = trusted & (ring >= k / 10) & (ring < (k + 1) / 10)
            colors[k] = np.median(image[belt], axis=0) if belt.sum() > 2 else colors[k - 1] if k else [40, 30, 25]
        edges = (np.arange(12) + 0.5) / 10
        whole = np.stack(
            [np.interp(ring, np.append(edges, 1.3), np.append(colors[:, c], white_color[c])) for c in range(3)], -1
        )
        # The lid above throws a shadow.
        below = np.clip((y - rim[:, 1].min()) / (0.8 * radius), 0, 1)[..., None]
        whole *= 0.72 + 0.28 * below
        share = cv2.GaussianBlur(trusted.astype(np.float32), (0, 0), 0.6 * shrink)[..., None]
        near = np.hypot(x - middle[0], (y - middle[1])) < 4 * radius
        out[window] = np.where(near[..., None], share * image + (1 - share) * whole, image)
    return out


def _mouth_page(skin: np.ndarray) -> np.ndarray:
    """Upper teeth, lower teeth and throat, float32 (192, 192, 3)."""
    n = _MOUTH_PAGE
    v, u = np.mgrid[:n, :n] / (n - 1)
    gum = 0.55 * np.array([190.0, 95, 90]) + 0.15 * skin
    white = np.array([205.0, 195, 178])
    page = np.zeros((n, n, 3))
    for row0, row1, gum_side, teeth in ((0.0, 0.34, -1, 8), (0.34, 0.67, 1, 10)):
        inside = (v >= row0) & (v < row1)
        across = (u - 0.5) * 2
        slot = np.abs(((u - 0.5) * teeth) % 1 - 0.5)  # 0.5 in the gap between two teeth
        gap = np.clip((slot - 0.42) / 0.08, 0, 1)
        along = (v - row0) / (row1 - row0)
        toward_gum = 1 - along if gum_side < 0 else along
        arch = 0.42 - 0.08 * np.cos(((u - 0.5) * teeth) * 2 * np.pi)
        is_gum = np.clip((toward_gum - arch - 0.15) / 0.06, 0, 1)
        tooth = white * (1 - 0.45 * gap[..., None]) * (1 - 0.55 * across[..., None] ** 2)
        color = tooth * (1 - is_gum[..., None]) + gum * (1 - 0.5 * across[..., None] ** 2) * is_gum[..., None]
        page[inside] = color[inside]
    throat = np.array([70.0, 26, 24]) * (0.35 + 0.9 * np.clip((v - 0.67) / 0.33, 0, 1))[..., None]
    page[v >= 0.67] = throat[v >= 0.67]
    return page
