"""Fit a face model to the landmarks of a portrait: pose, identity and expression, then a smooth warp for the rest.

All coordinates are in portrait space: a pinhole camera at the origin looks along z, the face is `DISTANCE` interocular
distances away, and the interocular distance is the unit of length.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.interpolate import RBFInterpolator
from scipy.optimize import lsq_linear

from mer.synth.blendshapes import shape_offsets
from mer.synth.camera import DISTANCE, Camera
from mer.synth.face_model import FaceModel, FaceModelError

# Shapes that a neutral portrait may show; the others cannot be separated from identity.
_EXPRESSION = (
    "browDownLeft", "browDownRight", "browInnerUp", "browOuterUpLeft", "browOuterUpRight",
    "eyeBlinkLeft", "eyeBlinkRight",
    "eyeWideLeft", "eyeWideRight", "jawOpen", "mouthSmileLeft", "mouthSmileRight", "mouthFrownLeft", "mouthFrownRight",
    "mouthPucker", "mouthStretchLeft", "mouthStretchRight", "cheekSquintLeft", "cheekSquintRight",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Fit:
    """A face model fitted to a portrait, in portrait space."""

    vertices: np.ndarray  # (V, 3), the model's mesh with the portrait's identity and expression
    landmarks: np.ndarray  # (478, 3), of the portrait
    camera: Camera  # of the portrait
    expression: dict[str, float]  # weights of the shapes that the portrait itself shows
    offsets: Callable[[str, np.ndarray], np.ndarray]  # (shape, ids) -> (n, 3) at full strength


def fit_face(model: FaceModel, landmarks: np.ndarray) -> Fit:
    """Fit `model` to `landmarks`, float32 (478, 3), pixels; `FaceModelError` if the model has fewer than 50 landmarks.

    Bounded least squares with a prior finds pose, identity modes and expression. A smooth warp of space explains the
    remaining distance to the landmarks. Expression shapes pass through the same warp, so that a blink moves the lid
    less on a face with narrow eyes.
    """
    n_landmarks = model.has_landmark.sum()
    if n_landmarks < 50:
        raise FaceModelError(f"the face model {model.name!r} has only {n_landmarks} landmarks; a fit needs 50")
    interocular = float(np.linalg.norm(landmarks[263, :2] - landmarks[33, :2]))
    eyes = landmarks[[33, 263], :2].mean(axis=0)
    camera = Camera(DISTANCE * interocular, (float(eyes[0]), float(eyes[1])))
    depth = DISTANCE + (landmarks[:, 2:] - landmarks[[33, 263], 2].mean()) / interocular
    points = np.concatenate([(landmarks[:, :2] - eyes) / camera.focal * depth, depth], axis=1).astype(float)
    target = points[model.has_landmark]

    shapes: dict[str, np.ndarray] = {}
    for name in _EXPRESSION:
        try:
            shapes[name] = shape_offsets(model, name)
        except FaceModelError:
            continue
    basis = np.concatenate([model.identity, np.array([*shapes.values()]).reshape(-1, *model.vertices.shape)])
    neutral, basis_landmarks = model.landmarks(model.vertices), model.landmarks(basis)
    coefficients = _fit_coefficients(neutral, basis_landmarks, target, len(model.identity))
    scale, rotation, translation = similarity(neutral + np.tensordot(coefficients, basis_landmarks, 1), target)
    fitted = scale * (model.vertices + np.tensordot(coefficients, basis, 1)) @ rotation.T + translation

    fitted_landmarks = model.landmarks(fitted)
    residual = (target - fitted_landmarks) * [1.0, 1.0, 0.5]
    warp = RBFInterpolator(fitted_landmarks, residual, kernel="linear", smoothing=2e-3, degree=1)
    warped = warp(fitted)

    def offsets(shape: str, vertex_ids: np.ndarray) -> np.ndarray:
        raw = scale * shape_offsets(model, shape)[vertex_ids] @ rotation.T
        active = np.abs(raw).max(axis=1) > 1e-6
        out = np.zeros_like(raw)
        if active.any():
            ids = vertex_ids[active]
            out[active] = raw[active] + warp(fitted[ids] + raw[active]) - warped[ids]
        return out

    expression = {name: float(c) for name, c in zip(shapes, coefficients[len(model.identity) :]) if c > 1e-3}
    return Fit(fitted + warped, points, camera, expression, offsets)


def _fit_coefficients(neutral: np.ndarray, basis: np.ndarray, target: np.ndarray, n_identity: int) -> np.ndarray:
    """Coefficients of the basis landmarks `(K, n, 3)`, identity modes first, alternating with the pose three times."""
    n_expression = len(basis) - n_identity
    weight = np.sqrt(np.array([1.0, 1.0, 0.15]))  # depth estimated from a picture is the least reliable
    coefficients = np.zeros(len(basis))
    # The prior: a coefficient of 1 costs as much as one landmark that is off by this many interocular distances.
    prior = np.concatenate([np.full(n_identity, 0.15), np.full(n_expression, 0.35)])
    low = np.concatenate([np.full(n_identity, -2.5), np.zeros(n_expression)])
    high = np.concatenate([np.full(n_identity, 2.5), np.ones(n_expression)])
    for _ in range(3 if len(basis) else 0):
        scale, rotation, translation = similarity(neutral + np.tensordot(coefficients, basis, 1), target)
        columns = (scale * basis @ rotation.T * weight).reshape(len(basis), -1).T
        residual = ((target - (scale * neutral @ rotation.T + translation)) * weight).ravel()
        columns = np.concatenate([columns, np.diag(prior)])
        q, r = np.linalg.qr(columns)  # the same minimum from a tenth of the rows
        coefficients = lsq_linear(r, np.concatenate([residual, np.zeros(len(basis))]) @ q, (low, high), max_iter=30).x
    return coefficients


def similarity(source: np.ndarray, target: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
    """Scale, rotation and translation that map `source` to `target`, both `(n, 3)`, in least squares.

    Umeyama, IEEE TPAMI 13, 1991. The weighted :func:`mer.face.pose.similarities` rounds differently, which would change
    the bytes of rendered datasets.
    """
    a, b = source - source.mean(axis=0), target - target.mean(axis=0)
    u, s, vt = np.linalg.svd(b.T @ a)
    signs = np.array([1.0, 1.0, np.sign(np.linalg.det(u @ vt))])
    rotation = (u * signs) @ vt
    scale = float((s * signs).sum() / (a * a).sum())
    return scale, rotation, target.mean(axis=0) - scale * rotation @ source.mean(axis=0)
