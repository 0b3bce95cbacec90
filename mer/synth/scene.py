"""A scene and its pictures: pose, light, camera, background, and what a real camera does to a picture."""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np
from scipy.spatial.transform import Rotation

from mer.flow import Flow
from mer.synth.aus import shape_weights
from mer.synth.fit import DISTANCE, Camera
from mer.synth.head import MOUTH, SHEET, Head
from mer.synth.raster import interpolate, rasterize, sample


@dataclass(frozen=True, eq=False)
class State:
    """What moves: the face, the eyes, the head, the light.

    Attributes
    ----------
    units : dict of str to float
        Action units with their intensities, 0 to 1.
    gaze : (2,) radians, to the image's right and down
    rotation : (3,) degrees
        Pitch (nods down), yaw (to the image's right) and roll, about the head's pivot, in the order roll, pitch, yaw.
    translation : (3,)
        Interocular distances; x to the right, y down, z away.
    light : (3,)
        Where the light comes from, times its strength; zero for ambient light alone.
    exposure : float
        Factor of the whole picture.
    """

    units: dict[str, float] = field(default_factory=dict)
    gaze: tuple[float, float] = (0.0, 0.0)
    rotation: tuple[float, float, float] = (0.0, 0.0, 0.0)
    translation: tuple[float, float, float] = (0.0, 0.0, 0.0)
    light: tuple[float, float, float] = (0.0, 0.0, 0.0)
    exposure: float = 1.0


@dataclass(frozen=True, eq=False)
class Scene:
    """A head before a background and a camera.

    Attributes
    ----------
    head : Head
    face_model : str
    background : uint8 (size, size, 3)
        It stays put.
    camera : Camera
    size : int
        Pictures are `size` x `size`.
    """

    head: Head
    face_model: str
    background: np.ndarray
    camera: Camera
    size: int


def frame_camera(size: int, interocular: float, middle: tuple[float, float]) -> Camera:
    """A camera that shows the resting face with this interocular distance, pixels, its eyes around `middle`."""
    return Camera(DISTANCE * interocular, middle)


def surface(scene: Scene, state: State) -> np.ndarray:
    """The head's vertices with the expression, before the head moves, `(V, 3)`."""
    return scene.head.expressed(shape_weights(state.units, scene.face_model), np.asarray(state.gaze))


def move_head(scene: Scene, vertices: np.ndarray, state: State) -> np.ndarray:
    """Points of the head under its rigid motion."""
    pitch, yaw, roll = state.rotation
    turn = Rotation.from_euler("zxy", [roll, -pitch, yaw], degrees=True).as_matrix()
    pivot = scene.head.pivot
    return (vertices - pivot) @ turn.T + (pivot + np.asarray(state.translation))


def render(scene: Scene, state: State, samples: int = 2) -> np.ndarray:
    """The picture, float32 (size, size, 3), 0 to 255, before noise and compression.

    `samples` x `samples` rays go through each pixel.
    """
    shape = surface(scene, state)
    return _render(scene, state, shape, samples)


def _render(scene: Scene, state: State, shape: np.ndarray, samples: int) -> np.ndarray:
    head, size = scene.head, scene.size * samples
    points = scene.camera.project(move_head(scene, shape, state))
    points[:, :2] = points[:, :2] * samples + (samples - 1) / 2
    index, weights = rasterize(points, head.triangles, size, size)
    shade = _shade(scene, shape, state)
    seen = interpolate(np.column_stack([head.places, shade]), head.triangles, index, weights)
    color = sample(head.texture, np.ascontiguousarray(seen[..., :2]), index >= 0)
    opacity = np.clip(color[..., 3:] / 255, 0, 1)
    behind = np.repeat(np.repeat(scene.background, samples, axis=0), samples, axis=1)
    picture = opacity * color[..., :3] * seen[..., 2:].astype(np.float32) + (1 - opacity) * behind
    if samples > 1:
        picture = cv2.resize(picture, (scene.size, scene.size), interpolation=cv2.INTER_AREA)
    return np.clip(picture * state.exposure, 0, 255).astype(np.float32)


def _shade(scene: Scene, shape: np.ndarray, state: State) -> np.ndarray:
    """Light at each vertex: 1 where nothing is added to what the portrait already holds."""
    head = scene.head
    shade = np.ones(len(shape))
    light = np.asarray(state.light, float)
    if light.any():
        normal = vertex_normals(shape, head.triangles)
        moved = move_head(scene, normal + scene.head.pivot, State(rotation=state.rotation)) - scene.head.pivot
        shade += np.clip(moved @ light, -0.1, None) - 0.45 * np.linalg.norm(light)
    # Little light falls between lips that are hardly open.
    mouth = head.part == MOUTH
    gap = _mouth_gap(head, shape)
    shade[mouth] *= 0.25 + 0.75 * np.clip((gap - 0.01) / 0.12, 0, 1)
    return shade


def _mouth_gap(head: Head, shape: np.ndarray) -> float:
    upper, lower = head.lips
    rest = head.landmarks[14, 1] - head.landmarks[13, 1]
    return float(rest + (shape - head.vertices)[lower, 1] - (shape - head.vertices)[upper, 1])


def vertex_normals(vertices: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """Unit normals towards the camera, `(V, 3)`."""
    a, b, c = (vertices[triangles[:, k]] for k in range(3))
    of_triangle = np.cross(b - a, c - a)
    of_triangle *= -np.sign(of_triangle[:, 2:])  # all of the relief is seen from the front
    normal = np.stack(
        [np.bincount(triangles.ravel(), np.repeat(of_triangle[:, k], 3), len(vertices)) for k in range(3)], axis=1
    )
    return normal / np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-12)
