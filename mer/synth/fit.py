"""Fit a face model to the landmarks of a portrait: pose, identity, expression, and then the rest by a smooth warp.

Everything happens in the portrait's space: a pinhole camera at the origin looks along z, a face stands `DISTANCE`
interocular distances away, and that distance is the unit.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.interpolate import RBFInterpolator
from scipy.optimize import lsq_linear

from mer.synth.blendshapes import shape_offsets
from mer.synth.face_model import FaceModel, FaceModelError

DISTANCE = 10.0  # about 90 cm, a portrait's usual distance
# Shapes that a quiet portrait may hold; the rest of them cannot be told from identity.
_EXPRESSION = (
    "browDownLeft", "browDownRight", "browInnerUp", "browOuterUpLeft", "browOuterUpRight",
    "eyeBlinkLeft", "eyeBlinkRight",
    "eyeWideLeft", "eyeWideRight", "jawOpen", "mouthSmileLeft", "mouthSmileRight", "mouthFrownLeft", "mouthFrownRight",
    "mouthPucker", "mouthStretchLeft", "mouthStretchRight", "cheekSquintLeft", "cheekSquintRight",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Camera:
    """A pinhole: `x = focal * X / Z + center_x`, in pixels, and likewise y."""

    focal: float
    center: tuple[float, float]

    def project(self, points: np.ndarray) -> np.ndarray:
        """Points in space `(..., 3)` to `(..., 3)`: x, y in pixels, and the depth."""
        depth = points[..., 2:]
        return np.concatenate([self.focal * points[..., :2] / depth + np.asarray(self.center), depth], axis=-1)


@dataclass(frozen=True, eq=False)
class Fit:
    """A face model fitted to a portrait.

    Attributes
    ----------
    vertices : float64 (V, 3)
        The model's surface in the portrait's space.
    landmarks : float64 (478, 3)
        The portrait's landmarks there.
    camera : Camera
        Of the portrait.
    expression : dict of str to float
        What the portrait's own expression was found to be, by shape.
    offsets : function
        A shape's name and the numbers of `n` vertices to the offsets of those on this face, `(n, 3)`.
    """

    vertices: np.ndarray
    landmarks: np.ndarray
    camera: Camera
    expression: dict[str, float]
    offsets: Callable[[str, np.ndarray], np.ndarray]


def fit_face(model: FaceModel, landmarks: np.ndarray) -> Fit:
    """Fit `model` to `landmarks`, float32 (478, 3), pixels.

    Pose, the modes of identity and the expression are found by bounded least squares with a prior; what they cannot
    explain is taken up by a smooth warp of space, through which the expression shapes go too, so that on a face with
    narrow eyes a blink moves the lid less.
    """
    if model.marked.sum() < 50:
        raise FaceModelError(f"the face model {model.name!r} has only {model.marked.sum()} landmarks, too few to fit")
    unit = float(np.linalg.norm(landmarks[263, :2] - landmarks[33, :2]))
    middle = landmarks[[33, 263], :2].mean(axis=0)
    camera = Camera(DISTANCE * unit, (float(middle[0]), float(middle[1])))
    level = landmarks[[33, 263], 2].mean()
    depth = DISTANCE + (landmarks[:, 2:] - level) / unit
    target = np.concatenate([(landmarks[:, :2] - middle) / camera.focal * depth, depth], axis=1).astype(float)
    goal = target[model.marked]

    neutral = model.landmarks(model.vertices)
    names, shapes = [], []
    for name in _EXPRESSION:
        try:
            shape = shape_offsets(model, name)
        except FaceModelError:
            continue
        names.append(name)
        shapes.append(shape)
    basis = np.concatenate([model.identity, np.array(shapes).reshape(-1, *model.vertices.shape)])
    marks = model.landmarks(basis)
    modes = len(model.identity)
    weight = np.sqrt(np.array([1.0, 1.0, 0.15]))  # depths from a picture are the least sure
    coefficients = np.zeros(len(basis))
    # A mode at one standard deviation counts as a landmark that is off by `tolerance` of the interocular distance.
    tolerance = np.concatenate([np.full(modes, 0.15), np.full(len(names), 0.35)])
    low = np.concatenate([np.full(modes, -2.5), np.zeros(len(names))])
    high = np.concatenate([np.full(modes, 2.5), np.ones(len(names))])
    for _ in range(3):
        scale, turn, shift = similarity(neutral + np.tensordot(coefficients, marks, 1), goal)
        if not len(basis):
            break
        columns = (scale * marks @ turn.T * weight).reshape(len(basis), -1).T
        rest = ((goal - (scale * neutral @ turn.T + shift)) * weight).ravel()
        columns = np.concatenate([columns, np.diag(tolerance)])
        q, r = np.linalg.qr(columns)  # the same minimum from a tenth of the rows
        coefficients = lsq_linear(r, np.concatenate([rest, np.zeros(len(basis))]) @ q, (low, high), max_iter=30).x
    scale, turn, shift = similarity(neutral + np.tensordot(coefficients, marks, 1), goal)
    fitted = scale * (model.vertices + np.tensordot(coefficients, basis, 1)) @ turn.T + shift

    found = model.landmarks(fitted)
    residual = (goal - found) * [1.0, 1.0, 0.5]
    warp = RBFInterpolator(found, residual, kernel="linear", smoothing=2e-3, degree=1)
    moved = warp(fitted)

    def offsets(shape: str, rows: np.ndarray) -> np.ndarray:
        raw = scale * shape_offsets(model, shape)[rows] @ turn.T
        active = np.abs(raw).max(axis=1) > 1e-6
        out = np.zeros_like(raw)
        if active.any():
            at = rows[active]
            out[active] = raw[active] + warp(fitted[at] + raw[active]) - moved[at]
        return out

    expression = {name: float(c) for name, c in zip(names, coefficients[modes:]) if c > 1e-3}
    return Fit(fitted + moved, target, camera, expression, offsets)


def similarity(source: np.ndarray, target: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
    """Scale, rotation and shift that take `source` to `target`, both `(n, 3)`, in least squares (Umeyama, TPAMI
    1991).
    """
    a, b = source - source.mean(axis=0), target - target.mean(axis=0)
    u, s, vt = np.linalg.svd(b.T @ a)
    signs = np.array([1.0, 1.0, np.sign(np.linalg.det(u @ vt))])
    turn = (u * signs) @ vt
    scale = float((s * signs).sum() / (a * a).sum())
    return scale, turn, target.mean(axis=0) - scale * turn @ source.mean(axis=0)
