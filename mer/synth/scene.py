"""A scene and its pictures: pose, light, camera, background, and what a real camera does to a picture."""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np
from scipy.spatial.transform import Rotation

from mer.flow import Flow
from mer.synth.aus import shape_weights
from mer.synth.fit import DISTANCE, Camera
from mer.synth.head import EYE_RADIUS, MOUTH, SHEET, Head
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


def landmarks_at(scene: Scene, state: State) -> np.ndarray:
    """Where the 478 landmarks stand in the picture, float32 (478, 3): pixels, and depth in the same unit.

    Points of the face model ride on its triangles; the irises, which it does not have, on the eyes.
    """
    head = scene.head
    shape = surface(scene, state)
    rest = head.landmarks
    points = rest + head.follow_landmarks @ (shape[: len(head.kept)] - head.vertices[: len(head.kept)])
    points[468:, :2] += np.asarray(state.gaze) * EYE_RADIUS
    at = scene.camera.project(move_head(scene, points, state))
    scale = scene.camera.focal / DISTANCE
    return np.column_stack([at[:, :2], (at[:, 2] - at[:, 2].mean()) * scale]).astype(np.float32)


@dataclass(frozen=True, eq=False)
class Labels:
    """What moved between two pictures, on the pixel grid of the first.

    Attributes
    ----------
    flow : Flow
        `facial`, `head`, `expression`, and the face as `mask`. Hair, ears, neck and clothes move with the head and are
        not in the mask; the background has no flow.
    occlusion : uint8 (size, size)
        1 where the point seen in the first picture is not seen in the second: hidden, or outside of it.
    part : uint8 (size, size)
        `SKIN`, `EYE`, `MOUTH`, `SHEET`, or 255 for the background.
    """

    flow: Flow
    occlusion: np.ndarray
    part: np.ndarray


def label(scene: Scene, first: State, second: State) -> Labels:
    """The exact flow from one state to another.

    Each pixel of the first picture is a point of a triangle; the same point is projected with the second state's
    expression and head pose (facial flow), and with the first's expression and the second's head pose (head flow).
    """
    head, size = scene.head, scene.size
    before, after = surface(scene, first), surface(scene, second)
    start, end = move_head(scene, before, first), move_head(scene, after, second)
    end_head = move_head(scene, before, second)
    index, weights = rasterize(scene.camera.project(start), head.triangles, size, size)
    seen = interpolate(np.column_stack([start, end, end_head, head.places]), head.triangles, index, weights)
    solid = index >= 0
    solid &= sample(head.texture, np.ascontiguousarray(seen[..., 9:]), solid)[..., 3] >= 127.5
    seen[~solid, 2] = seen[~solid, 5] = seen[~solid, 8] = 1.0
    here, there, there_head = (scene.camera.project(seen[..., k : k + 3]) for k in (0, 3, 6))
    facial, of_head = (np.where(solid[..., None], to[..., :2] - here[..., :2], 0.0) for to in (there, there_head))
    part = np.where(solid, head.part[head.triangles[index, 0]], 255).astype(np.uint8)
    flow = Flow.split(facial.astype(np.float32), of_head.astype(np.float32), part < SHEET)
    return Labels(flow, _occluded(scene, end, solid, there, size), part)


def _occluded(scene: Scene, end: np.ndarray, solid: np.ndarray, there: np.ndarray, size: int) -> np.ndarray:
    """Points hidden by what stands before them in the second picture, or outside of it."""
    head = scene.head
    index, weights = rasterize(scene.camera.project(end), head.triangles, size, size)
    seen = interpolate(np.column_stack([end[:, 2:], head.places]), head.triangles, index, weights)
    cover = index >= 0
    cover &= sample(head.texture, np.ascontiguousarray(seen[..., 1:]), cover)[..., 3] >= 127.5
    depth = np.where(cover, seen[..., 0], np.inf)
    y, x = np.mgrid[:size, :size]
    place = np.where(solid[..., None], there[..., :2], np.stack([x, y], axis=-1))
    outside = ((place < -0.5) | (place > size - 0.5)).any(axis=-1)
    # The farthest of the four pixels around: an edge of the face next to the point does not hide it.
    column, row = (np.clip(np.floor(place[..., k]).astype(int), 0, size - 2) for k in (0, 1))
    behind = np.max([depth[row + j, column + i] for j in (0, 1) for i in (0, 1)], axis=0)
    hidden = np.where(solid, there[..., 2] > behind + 0.02, cover)
    return (outside | hidden).astype(np.uint8)


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
        normal = move_head(scene, head.normals(shape) + head.pivot, State(rotation=state.rotation)) - head.pivot
        shade += np.clip(normal @ light, -0.1, None) - 0.45 * np.linalg.norm(light)
    # Little light falls between lips that are hardly open.
    mouth = head.part == MOUTH
    gap = _mouth_gap(head, shape)
    shade[mouth] *= 0.25 + 0.75 * np.clip((gap - 0.01) / 0.12, 0, 1)
    return shade


def _mouth_gap(head: Head, shape: np.ndarray) -> float:
    upper, lower = head.lips
    rest = head.landmarks[14, 1] - head.landmarks[13, 1]
    return float(rest + (shape - head.vertices)[lower, 1] - (shape - head.vertices)[upper, 1])
