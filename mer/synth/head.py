"""A head that can be rendered: the fitted face, eyes, teeth, and a sheet with hair, ears, neck and clothes.

Everything is one mesh in portrait space with one texture of three pages side by side: the portrait, the portrait with
completed eyes, and the inside of the mouth. The sheet is a relief of the portrait around the face; it moves rigidly
with the head.
"""

from dataclasses import dataclass, field

import numpy as np
from scipy.sparse import csr_matrix

from mer.synth import head_parts
from mer.synth.camera import DISTANCE, Camera
from mer.synth.face_model import FaceModel
from mer.synth.fit import Fit, fit_face
from mer.synth.head_parts import EyeSurface, vertex_normals
from mer.synth.head_texture import MOUTH_PAGE, make_texture
from mer.synth.portrait import Portrait

SKIN, EYE, MOUTH, SHEET = range(4)  # parts; the first three are the face
EYE_RADIUS = 0.14  # of an eyeball, in interocular distances
_LID_CLEARANCE = 0.012  # between a lid and the eye behind it, in interocular distances


@dataclass(eq=False)
class Head:
    """A textured mesh in portrait space (see :mod:`mer.synth.fit`) with V vertices, the first S of them skin."""

    name: str
    vertices: np.ndarray  # (V, 3), with the expression of the portrait
    triangles: np.ndarray  # int32 (T, 3)
    part: np.ndarray  # uint8 (V,), `SKIN`, `EYE`, `MOUTH` or `SHEET`
    uv: np.ndarray  # (V, 2), texture coordinates, pixels
    texture: np.ndarray  # float32 (h, w, 4), red, green, blue and opacity, 0 to 255
    camera: Camera  # of the portrait
    pivot: np.ndarray  # (3,), the point about which the head turns
    landmarks: np.ndarray  # (478, 3)
    fit: Fit
    skin_ids: np.ndarray  # int (S,), numbers of the skin's vertices in the face model
    skin_binding: csr_matrix  # (V, S), how much each vertex follows the expression of each skin vertex
    landmark_binding: csr_matrix  # (478, S), the same for the landmarks
    jaw_weight: np.ndarray  # (V,), how much a vertex of the mouth follows the chin
    lip_vertices: tuple[int, int]  # in the middle of the inner edge of the upper and the lower lip
    eyes: list[EyeSurface]  # the subject's left and right eye
    sheet_level: np.ndarray  # (n, 3), offsets that remove the sheet's step behind the face, for shading
    border_blend: tuple[np.ndarray, np.ndarray]  # per skin vertex, the nearest sheet vertex and its weight in shading
    _offsets: dict[str, np.ndarray] = field(default_factory=dict)

    def offsets(self, shape: str) -> np.ndarray:
        """Vertex offsets `(V, 3)` of an expression shape at full strength."""
        if shape not in self._offsets:
            skin = self.fit.offsets(shape, self.skin_ids)
            offsets = self.skin_binding @ skin
            if shape.startswith("jaw"):
                chin = np.linalg.norm(self.vertices[: len(skin)] - self.landmarks[175], axis=1).argmin()
                offsets += self.jaw_weight[:, None] * skin[chin]
            self._offsets[shape] = offsets
        return self._offsets[shape]

    def normals(self, vertices: np.ndarray) -> np.ndarray:
        """Unit normals toward the camera, `(V, 3)`; near its border, the skin takes those of the sheet."""
        smooth = vertices.copy()
        sheet = self.part == SHEET
        smooth[sheet] += self.sheet_level
        normal = vertex_normals(smooth, self.triangles)
        nearest, weight = self.border_blend
        skin = slice(len(self.skin_ids))
        normal[skin] += weight[:, None] * (normal[sheet][nearest] - normal[skin])
        return normal / np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-12)

    def expressed(self, weights: dict[str, float], gaze: np.ndarray | None = None) -> np.ndarray:
        """Vertices `(V, 3)` with these weights of the shapes and eyes turned by `gaze`, radians, behind the lids."""
        vertices = self.vertices.copy()
        for shape, weight in weights.items():
            if weight:
                vertices += weight * self.offsets(shape)
        if gaze is not None and np.any(gaze):
            for eye in self.eyes:
                mask = (self.part == EYE) & (np.abs(self.vertices[:, 0] - eye.x) < 0.4)
                vertices[mask, :2] += np.asarray(gaze) * EYE_RADIUS
                vertices[mask, 2] = eye.depth(vertices[mask, :2])
        skin = vertices[: len(self.skin_ids)]
        for eye in self.eyes:
            over_eye = (np.abs(skin[:, 0] - eye.x) < 0.23) & (np.abs(skin[:, 1] - eye.y) < 0.13)
            surface = eye.depth(skin[:, :2]) - _LID_CLEARANCE
            sunken = over_eye & (skin[:, 2] > surface) & (skin[:, 2] < surface + 0.12)
            skin[sunken, 2] = surface[sunken]
        return vertices


def make_head(portrait: Portrait, model: FaceModel) -> Head:
    """Fit `model` to a portrait and add eyes, mouth and sheet."""
    fit = fit_face(model, portrait.landmarks)
    height, width = portrait.matte.shape
    skin_ids, skin_triangles = head_parts.face_front(fit, model, height, width)
    skin = fit.vertices[skin_ids]
    eyes = [head_parts.eye_mesh(fit.landmarks, side) for side in ("left", "right")]
    mouth, mouth_triangles, mouth_uv, mouth_jaw = head_parts.mouth_mesh(fit.landmarks)
    border = head_parts.outer_border(skin, skin_triangles)
    sheet, sheet_triangles, sheet_binding, sheet_level = head_parts.sheet_mesh(
        skin, border, fit.camera, height, width, portrait.matte
    )

    def page_uv(vertices: np.ndarray, page: int) -> np.ndarray:
        return fit.camera.project(vertices)[:, :2] + [page * width, 0]

    meshes = [  # vertices, triangles, part, uv
        (skin, skin_triangles, SKIN, page_uv(skin, 0)),
        *((v, t, EYE, page_uv(v, 1)) for v, t, _ in eyes),
        (mouth, mouth_triangles, MOUTH, mouth_uv * (MOUTH_PAGE - 1) + [2 * width, 0]),
        (sheet, sheet_triangles, SHEET, page_uv(sheet, 0)),
    ]
    starts = np.cumsum([0, *(len(v) for v, _, _, _ in meshes)])
    part = np.concatenate([np.full(len(v), p, np.uint8) for v, _, p, _ in meshes])

    # The skin follows itself, the sheet follows the border of the face.
    rows = np.concatenate([np.arange(len(skin)), np.repeat(np.flatnonzero(part == SHEET), len(border))])
    columns = np.concatenate([np.arange(len(skin)), np.tile(border, len(sheet))])
    values = np.concatenate([np.ones(len(skin)), sheet_binding.ravel()])
    strong = values > 1e-4
    skin_binding = csr_matrix((values[strong], (rows[strong], columns[strong])), shape=(len(part), len(skin)))
    jaw_weight = np.zeros(len(part))
    jaw_weight[part == MOUTH] = mouth_jaw
    landmark_binding = head_parts.bind_landmarks(model, fit.vertices, skin_ids)
    return Head(
        name=portrait.name,
        vertices=np.concatenate([v for v, _, _, _ in meshes]),
        triangles=np.concatenate([t + start for (_, t, _, _), start in zip(meshes, starts)]).astype(np.int32),
        part=part,
        uv=np.concatenate([uv for _, _, _, uv in meshes]),
        texture=make_texture(portrait, fit.camera.focal / DISTANCE),
        camera=fit.camera,
        pivot=np.array([fit.landmarks[[234, 454], 0].mean(), 0.9, DISTANCE + 1.0]),  # where the neck meets the skull
        landmarks=fit.landmarks,
        fit=fit,
        skin_ids=skin_ids,
        skin_binding=skin_binding,
        landmark_binding=landmark_binding,
        jaw_weight=jaw_weight,
        lip_vertices=(int(landmark_binding[13].argmax()), int(landmark_binding[14].argmax())),
        eyes=[surface for _, _, surface in eyes],
        sheet_level=sheet_level,
        border_blend=head_parts.border_blend(skin, border, sheet + sheet_level),
    )
