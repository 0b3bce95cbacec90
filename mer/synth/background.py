"""Backgrounds behind the head: a photograph without its person, or blurred lights, panels and gradients."""

import cv2
import numpy as np

from mer.synth.camera import DISTANCE, Camera
from mer.synth.nearest_fill import fill_from_nearest
from mer.synth.portrait import Portrait


def draw_background(
    size: int, camera: Camera, portrait: Portrait, rng: np.random.Generator, from_portrait: bool
) -> np.ndarray:
    """A background, uint8 (size, size, 3); either the portrait's, with the person filled in, or generated."""
    if from_portrait:
        return _portrait_background(size, camera, portrait)
    n = int(rng.integers(2, 6))
    tone = rng.uniform(40, 215) + rng.normal(0, 14, 3)
    gradient = rng.normal(0, rng.uniform(3, 30), (n, n, 1)) + rng.normal(0, 7, (n, n, 3))
    picture = cv2.resize(gradient.astype(np.float32), (size, size), interpolation=cv2.INTER_CUBIC)
    y, x = np.mgrid[:size, :size].astype(np.float32) / size
    kind = rng.random()
    if kind < 0.25:  # lights out of focus
        for _ in range(int(rng.integers(4, 16))):
            spot = np.hypot(x - rng.random(), y - rng.random()) < rng.uniform(0.02, 0.09)
            soft = cv2.GaussianBlur(spot.astype(np.float32), (0, 0), size / 90)
            picture = picture + soft[..., None] * rng.uniform(10, 70) * rng.uniform(0.5, 1, 3)
    elif kind < 0.5:  # shelves, panels, windows
        for axis in (x, y):
            for _ in range(int(rng.integers(0, 4))):
                low, high = np.sort(rng.random(2))
                picture = picture + ((axis > low) & (axis < high))[..., None] * rng.normal(0, 18, 3)
        picture = cv2.GaussianBlur(picture, (0, 0), size / 256 * rng.uniform(0.6, 6))
    grain = cv2.GaussianBlur(rng.standard_normal((size, size)).astype(np.float32), (0, 0), size / 256)
    picture = picture + tone + grain[..., None] * rng.uniform(0, 6)
    return np.clip(picture, 0, 255).astype(np.uint8)


def _portrait_background(size: int, camera: Camera, portrait: Portrait) -> np.ndarray:
    person = cv2.dilate((portrait.matte > 0.03).astype(np.uint8), np.ones((9, 9), np.uint8))
    filled = fill_from_nearest(portrait.image.astype(np.float32), person == 0)
    soft = cv2.GaussianBlur(filled, (0, 0), 12)
    share = cv2.GaussianBlur(person.astype(np.float32), (0, 0), 4)[..., None]
    filled = share * soft + (1 - share) * filled
    interocular = np.linalg.norm(portrait.landmarks[263, :2] - portrait.landmarks[33, :2])
    eyes = portrait.landmarks[[33, 263], :2].mean(axis=0)
    zoom = camera.focal / DISTANCE / interocular
    matrix = np.array([[zoom, 0, camera.center[0] - zoom * eyes[0]], [0, zoom, camera.center[1] - zoom * eyes[1]]])
    view = cv2.warpAffine(filled, matrix, (size, size), flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REFLECT)
    return np.clip(view, 0, 255).astype(np.uint8)
