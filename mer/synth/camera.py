"""What stands behind the head, and what a camera does to a picture: blur, noise, compression."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from mer.synth.fit import Camera
from mer.synth.portrait import Portrait


@dataclass(frozen=True)
class Lens:
    """A camera's faults.

    Attributes
    ----------
    blur : float
        Standard deviation, pixels.
    noise : float
        Of the sensor, gray levels; the bright parts have up to twice as much.
    quality : int
        Of JPEG, up to 100.
    """

    blur: float = 0.0
    noise: float = 0.0
    quality: int = 95


def draw_lens(rng: np.random.Generator, strength: float = 1.0) -> Lens:
    """A camera as it may come."""
    blur = float(rng.uniform(0, 0.7) * strength)
    return Lens(blur if blur > 0.3 else 0.0, float(rng.uniform(0.3, 3.0) * strength), int(rng.integers(82, 97)))


def take(picture: np.ndarray, lens: Lens, rng: np.random.Generator) -> np.ndarray:
    """The picture as the sensor gives it, uint8 (H, W, 3); compression comes with the file."""
    if lens.blur:
        picture = cv2.GaussianBlur(picture, (0, 0), lens.blur)
    if lens.noise:
        # Noise that is partly the same in the three colors, as after demosaicing.
        grain = rng.standard_normal(picture.shape, dtype=np.float32)
        grain += rng.standard_normal(picture.shape[:2], dtype=np.float32)[..., None]
        picture = picture + grain * (0.5 * lens.noise * (1 + picture.mean(axis=2, keepdims=True) / 255))
    return np.clip(picture + 0.5, 0, 255).astype(np.uint8)


def draw_background(size: int, camera: Camera, portrait: Portrait, rng: np.random.Generator, own: bool) -> np.ndarray:
    """A background, uint8 (size, size, 3): the photograph's own with the person painted out, or a drawn one."""
    if own:
        return _own_background(size, camera, portrait)
    n = int(rng.integers(2, 6))
    tone = rng.uniform(40, 215) + rng.normal(0, 14, 3)
    field = rng.normal(0, rng.uniform(3, 30), (n, n, 1)) + rng.normal(0, 7, (n, n, 3))
    picture = cv2.resize(field.astype(np.float32), (size, size), interpolation=cv2.INTER_CUBIC)
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


def _own_background(size: int, camera: Camera, portrait: Portrait) -> np.ndarray:
    matte = cv2.dilate((portrait.matte > 0.03).astype(np.uint8), np.ones((9, 9), np.uint8))
    _, nearest = cv2.distanceTransformWithLabels(matte, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    colors = np.zeros((nearest.max() + 1, 3), np.float32)
    colors[nearest[matte == 0]] = portrait.image[matte == 0]
    filled = colors[nearest]
    soft = cv2.GaussianBlur(filled, (0, 0), 12)
    share = cv2.GaussianBlur(matte.astype(np.float32), (0, 0), 4)[..., None]
    filled = share * soft + (1 - share) * filled
    unit = np.linalg.norm(portrait.landmarks[263, :2] - portrait.landmarks[33, :2])
    middle = portrait.landmarks[[33, 263], :2].mean(axis=0)
    zoom = camera.focal / 10 / unit
    matrix = np.array([[zoom, 0, camera.center[0] - zoom * middle[0]], [0, zoom, camera.center[1] - zoom * middle[1]]])
    view = cv2.warpAffine(filled, matrix, (size, size), flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REFLECT)
    return np.clip(view, 0, 255).astype(np.uint8)
