"""A scene and its pictures: pose, light, camera, background, and what a real camera does to a picture."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import cv2
import numpy as np
from scipy.spatial.transform import Rotation

from mer.flow import Flow
from mer.synth.blendshapes import shape_weights
from mer.synth.fit import DISTANCE, Camera
from mer.synth.head import EYE_RADIUS, MOUTH, SHEET, Head
from mer.synth.raster import cover, displace, interpolate, opacity, paint, rasterize


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

    @cached_property
    def texture(self) -> np.ndarray:
        """The head's texture without what is too fine for this camera."""
        reduced = self.head.camera.focal / self.camera.focal
        if reduced <= 1.1:
            return self.head.texture
        return cv2.GaussianBlur(self.head.texture, (0, 0), 0.5 * float(np.sqrt(reduced**2 - 1)))


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


def render(scene: Scene, state: State) -> np.ndarray:
    """The picture, float32 (size, size, 3), 0 to 255, before noise and compression; 2 x 2 rays go through each
    pixel.
    """
    head, size = scene.head, scene.size
    shape = surface(scene, state)
    points = scene.camera.project(move_head(scene, shape, state))
    points[:, :2] = 2 * points[:, :2] + 0.5
    index = cover(points, head.triangles, 2 * size, 2 * size)
    looks = np.column_stack([head.places, _shade(scene, shape, state)])
    picture = paint(points, head.triangles, index, looks, scene.texture, scene.background)
    return np.clip(picture * np.float32(state.exposure), 0, 255)


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


def label_pair(scene: Scene, first: State, second: State) -> Labels:
    """The exact flow from one state to another.

    Each pixel of the first picture is a point of a triangle; the same point is projected with the second state's
    expression and head pose (facial flow), and with the first's expression and the second's head pose (head flow).
    """
    head, size = scene.head, scene.size
    before, after = surface(scene, first), surface(scene, second)
    start, end = move_head(scene, before, first), move_head(scene, after, second)
    end_head = move_head(scene, before, second)
    points = scene.camera.project(start)
    index, weights = rasterize(points, head.triangles, size, size)
    index[~opacity(points, head.triangles, index, head.places, head.texture)] = -1
    facial = displace(start, end, head.triangles, index, weights, scene.camera.focal)
    of_head = displace(start, end_head, head.triangles, index, weights, scene.camera.focal)
    part = np.where(index >= 0, head.part[head.triangles[index, 0]], 255).astype(np.uint8)
    flow = Flow.split(facial[..., :2].astype(np.float32), of_head[..., :2].astype(np.float32), part < SHEET)
    return Labels(flow, _occluded(scene, end, index >= 0, facial), part)


def _occluded(scene: Scene, end: np.ndarray, solid: np.ndarray, facial: np.ndarray) -> np.ndarray:
    """Points hidden by what stands before them in the second picture, or outside of it."""
    head, size = scene.head, scene.size
    points = scene.camera.project(end)
    index, weights = rasterize(points, head.triangles, size, size)
    index[~opacity(points, head.triangles, index, head.places, head.texture)] = -1
    depth = interpolate(end[:, 2:].copy(), head.triangles, index, weights)[..., 0]
    depth[index < 0] = np.inf
    y, x = np.mgrid[:size, :size]
    place_x, place_y = x + facial[..., 0], y + facial[..., 1]
    outside = (place_x < -0.5) | (place_x > size - 0.5) | (place_y < -0.5) | (place_y > size - 0.5)
    # The farthest of the four pixels around: an edge of the face next to the point does not hide it.
    column = np.clip(np.floor(place_x).astype(int), 0, size - 2)
    row = np.clip(np.floor(place_y).astype(int), 0, size - 2)
    behind = np.maximum(depth[:-1], depth[1:])
    behind = np.maximum(behind[:, :-1], behind[:, 1:])[row, column]
    hidden = np.where(solid, facial[..., 2] > behind + 0.02, index >= 0)
    return (outside | hidden).astype(np.uint8)


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
