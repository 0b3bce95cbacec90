"""A head in front of a camera: its picture in any state of face and head, and the exact flow between two states."""

from dataclasses import dataclass, field
from functools import cached_property

import cv2
import numpy as np
from scipy.spatial.transform import Rotation

from mer.flow import Flow
from mer.synth.blendshapes import shape_weights
from mer.synth.camera import DISTANCE, Camera
from mer.synth.head import EYE_RADIUS, MOUTH, SHEET, Head
from mer.synth.raster import interpolate, rasterize, screen_motion, visible_triangles
from mer.synth.shading import opaque_pixels, shade_pixels

BACKGROUND = 255  # in `Labels.part`


@dataclass(frozen=True, eq=False)
class State:
    """The variable part of a scene: face, eyes, head and light."""

    units: dict[str, float] = field(default_factory=dict)  # intensities of action units, 0 to 1
    gaze: tuple[float, ...] = (0.0, 0.0)  # rotation of the eyes to the image's right and down, radians
    # degrees about the pivot: pitch (positive is down), yaw (to the image's right), roll; roll is applied first
    rotation: tuple[float, ...] = (0.0, 0.0, 0.0)
    # right, down, away from the camera, interocular distances
    translation: tuple[float, ...] = (0.0, 0.0, 0.0)
    # direction to a lamp times its strength; 0 leaves the portrait's light
    light: tuple[float, ...] = (0.0, 0.0, 0.0)
    exposure: float = 1.0  # factor of brightness


@dataclass(frozen=True, eq=False)
class Scene:
    """A head, a background and a camera."""

    head: Head
    face_model: str  # name of the head's face model
    background: np.ndarray  # uint8 (size, size, 3); it does not move
    camera: Camera
    size: int  # side of the picture, pixels

    @cached_property
    def texture(self) -> np.ndarray:
        """The head's texture, blurred if it is finer than the picture, against aliasing."""
        reduction = self.head.camera.focal / self.camera.focal
        if reduction <= 1.1:
            return self.head.texture
        return cv2.GaussianBlur(self.head.texture, (0, 0), 0.5 * float(np.sqrt(reduction**2 - 1)))


@dataclass(frozen=True, eq=False)
class Labels:
    """Exact motion between two pictures, on the pixel grid of the first.

    The mask of the flow is the face. Hair, ears, neck and clothes move with the head; the background has no flow.
    """

    flow: Flow
    occlusion: np.ndarray  # uint8 (size, size), 1 if the point is hidden in the second picture or outside of it
    part: np.ndarray  # uint8 (size, size), `SKIN`, `EYE`, `MOUTH`, `SHEET` or `BACKGROUND`


def expressed_vertices(scene: Scene, state: State) -> np.ndarray:
    """The head's vertices `(V, 3)` with the expression and gaze of a state, before the head moves."""
    return scene.head.expressed(shape_weights(state.units, scene.face_model), np.asarray(state.gaze))


def move_head(scene: Scene, points: np.ndarray, state: State) -> np.ndarray:
    """Points of the head `(n, 3)` after its rotation and translation."""
    pitch, yaw, roll = state.rotation
    rotation = Rotation.from_euler("zxy", [roll, -pitch, yaw], degrees=True).as_matrix()
    pivot = scene.head.pivot
    return (points - pivot) @ rotation.T + (pivot + np.asarray(state.translation))


def render(scene: Scene, state: State) -> np.ndarray:
    """The picture, float32 (size, size, 3), 0 to 255, from 2 x 2 rays per pixel, before noise and compression."""
    head, size = scene.head, scene.size
    vertices = expressed_vertices(scene, state)
    points = scene.camera.project(move_head(scene, vertices, state))
    points[:, :2] = 2 * points[:, :2] + 0.5
    index = visible_triangles(points, head.triangles, 2 * size, 2 * size)
    uv_light = np.column_stack([head.uv, _vertex_light(scene, vertices, state)])
    picture = shade_pixels(points, head.triangles, index, uv_light, scene.texture, scene.background)
    return np.clip(picture * np.float32(state.exposure), 0, 255)


def landmarks_at(scene: Scene, state: State) -> np.ndarray:
    """The 478 landmarks in the picture, float32 (478, 3): x, y and depth, pixels; the irises follow the eyes."""
    head = scene.head
    skin = slice(len(head.skin_ids))
    motion = expressed_vertices(scene, state)[skin] - head.vertices[skin]
    points = head.landmarks + head.landmark_binding @ motion
    points[468:, :2] += np.asarray(state.gaze) * EYE_RADIUS
    projected = scene.camera.project(move_head(scene, points, state))
    scale = scene.camera.focal / DISTANCE
    depth = (projected[:, 2] - projected[:, 2].mean()) * scale
    return np.column_stack([projected[:, :2], depth]).astype(np.float32)


def label_pair(scene: Scene, first: State, second: State) -> Labels:
    """The exact flow from one state to another: each pixel of the first picture is a point of a triangle.

    Facial flow projects this point with the expression and the head pose of the second state; head flow, with the
    expression of the first and the head pose of the second.
    """
    head = scene.head
    before, after = expressed_vertices(scene, first), expressed_vertices(scene, second)
    start, end = move_head(scene, before, first), move_head(scene, after, second)
    end_without_expression = move_head(scene, before, second)
    index, weights = _rasterize_opaque(scene, start)
    facial = screen_motion(start, end, head.triangles, index, weights, scene.camera.focal)
    rigid = screen_motion(start, end_without_expression, head.triangles, index, weights, scene.camera.focal)
    part = np.where(index >= 0, head.part[head.triangles[index, 0]], BACKGROUND).astype(np.uint8)
    flow = Flow.split(facial[..., :2].astype(np.float32), rigid[..., :2].astype(np.float32), part < SHEET)
    return Labels(flow, _occlusion(scene, end, index >= 0, facial), part)


def _rasterize_opaque(scene: Scene, vertices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """As :func:`mer.synth.raster.rasterize`; transparent pixels count as background."""
    head = scene.head
    points = scene.camera.project(vertices)
    index, weights = rasterize(points, head.triangles, scene.size, scene.size)
    index[~opaque_pixels(points, head.triangles, index, head.uv, head.texture)] = -1
    return index, weights


def _occlusion(scene: Scene, end: np.ndarray, on_head: np.ndarray, facial: np.ndarray) -> np.ndarray:
    """`Labels.occlusion`, from the vertices at the end, and motion and end depth of the pixels on the head."""
    size = scene.size
    index, weights = _rasterize_opaque(scene, end)
    depth = interpolate(end[:, 2:].copy(), scene.head.triangles, index, weights)[..., 0]
    depth[index < 0] = np.inf
    y, x = np.mgrid[:size, :size]
    end_x, end_y = x + facial[..., 0], y + facial[..., 1]
    outside = (end_x < -0.5) | (end_x > size - 0.5) | (end_y < -0.5) | (end_y > size - 0.5)
    # The farthest of the four surrounding pixels, so that an edge next to the point does not hide it.
    column = np.clip(np.floor(end_x).astype(int), 0, size - 2)
    row = np.clip(np.floor(end_y).astype(int), 0, size - 2)
    farthest = np.maximum(depth[:-1], depth[1:])
    farthest = np.maximum(farthest[:, :-1], farthest[:, 1:])[row, column]
    hidden = np.where(on_head, facial[..., 2] > farthest + 0.02, index >= 0)
    return (outside | hidden).astype(np.uint8)


def _vertex_light(scene: Scene, vertices: np.ndarray, state: State) -> np.ndarray:
    """Factor of brightness at each vertex, `(V,)`; 1 keeps the light of the portrait."""
    head = scene.head
    light = np.ones(len(vertices))
    lamp = np.asarray(state.light, float)
    if lamp.any():
        turned = State(rotation=state.rotation)
        normal = move_head(scene, head.normals(vertices) + head.pivot, turned) - head.pivot
        light += np.clip(normal @ lamp, -0.1, None) - 0.45 * np.linalg.norm(lamp)
    # Little light enters a mouth that is hardly open.
    upper, lower = head.lip_vertices
    rest = head.landmarks[14, 1] - head.landmarks[13, 1]
    opening = float(rest + (vertices - head.vertices)[lower, 1] - (vertices - head.vertices)[upper, 1])
    light[head.part == MOUTH] *= 0.25 + 0.75 * np.clip((opening - 0.01) / 0.12, 0, 1)
    return light
