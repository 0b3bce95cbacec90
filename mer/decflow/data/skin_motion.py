"""Random skin motion of three kinds: bumps, patches and smooth noise.

Each kind is a function `(landmarks, x, y, rng, interocular) -> field (h, w, 2)`: the onset's landmarks, coordinates
`(h, w)` in pixels, and the interocular distance in pixels. The amplitude is arbitrary; :func:`skin_flow` scales it.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from mer.decflow.data.pairs import pixel_coordinates
from mer.face.canonical import mirrored_landmarks
from mer.face.regions import REGIONS

# Regions where expressions start.
UPPER = ("right_brow", "left_brow", "glabella", "right_lids", "left_lids", "nose", "right_cheek", "left_cheek")
LOWER = ("mouth", "chin")
STEEPEST = 0.4  # pixels per pixel; with a larger gradient, skin would fold over itself


def skin_flow(
    landmarks: NDArray,
    mask: NDArray[np.uint8],
    rng: np.random.Generator,
    interocular: float,
    largest: tuple[float, float],
) -> NDArray:
    """Skin motion `(size, size, 2)` of one kind, fading out at the edge of the face.

    Parameters
    ----------
    mask : uint8 (size, size)
        The face.
    largest : (float, float)
        Range of the largest displacement in interocular distances, log-uniform.
    """
    size = len(mask)
    amplitude = interocular * np.exp(rng.uniform(*np.log(largest)))
    x, y = np.moveaxis(pixel_coordinates(size)[::2, ::2], 2, 0)
    kind = (bumps, bumps, patches, waves)[rng.integers(4)]
    field = kind(landmarks, x, y, rng, interocular)
    inside = cv2.GaussianBlur(mask[::2, ::2].astype(np.float64), (0, 0), 0.04 * interocular)
    field *= inside[..., None]
    length = np.linalg.norm(field, axis=-1).max()
    slope = max(np.abs(np.gradient(field[..., n])).max() / 2 for n in (0, 1)) + 1e-9
    field *= min(amplitude / max(length, 1e-9), STEEPEST / slope)
    return cv2.resize(field, (size, size), interpolation=cv2.INTER_LINEAR)


def bumps(landmarks: NDArray, x: NDArray, y: NDArray, rng: np.random.Generator, interocular: float) -> NDArray:
    """A few smooth bumps, half of them mirrored across the face."""
    field = np.zeros((*x.shape, 2))
    for _ in range(rng.integers(1, 6)):
        center = _draw_landmark(rng)
        angle = rng.uniform(0, 2 * np.pi)
        along, across = np.exp(rng.uniform(np.log(0.07), np.log(0.4), 2)) * interocular
        height = rng.uniform(0.3, 1)
        direction = rng.normal(0, 1, 2)
        for side in (1, -1) if rng.random() < 0.5 else (1,):
            point = landmarks[center if side == 1 else mirrored_landmarks()[center], :2]
            dx, dy = x - point[0], y - point[1]
            u = dx * np.cos(angle) + side * dy * np.sin(angle)
            v = -side * dx * np.sin(angle) + dy * np.cos(angle)
            bump = height * np.exp(-0.5 * ((u / along) ** 2 + (v / across) ** 2))
            field += bump[..., None] * direction * [side, 1]
    return field


def patches(landmarks: NDArray, x: NDArray, y: NDArray, rng: np.random.Generator, interocular: float) -> NDArray:
    """Patches of skin that a muscle shifts, turns, shears and stretches: affine inside, constant weight at the top."""
    field = np.zeros((*x.shape, 2))
    for _ in range(rng.integers(1, 5)):
        point = landmarks[_draw_landmark(rng), :2]
        dx, dy = (x - point[0]) / interocular, (y - point[1]) / interocular
        radius = np.exp(rng.uniform(np.log(0.15), np.log(0.45)))
        weight = np.exp(-((np.hypot(dx, dy) / radius) ** 4))
        affine = np.stack([dx, dy], axis=-1) @ (rng.normal(0, 1, (2, 2)) / radius) + rng.normal(0, 0.7, 2)
        field += weight[..., None] * affine
    return field


def waves(landmarks: NDArray, x: NDArray, y: NDArray, rng: np.random.Generator, interocular: float) -> NDArray:
    """Smooth noise of one width, everywhere or around one part of the face."""
    width = np.exp(rng.uniform(np.log(0.1), np.log(0.35))) * interocular / 2  # in samples, which are two pixels apart
    field = np.stack([cv2.GaussianBlur(rng.normal(0, 1, x.shape), (0, 0), width) for _ in range(2)], axis=-1)
    if rng.random() < 0.5:
        point = landmarks[_draw_landmark(rng), :2]
        reach = rng.uniform(0.3, 0.8) * interocular
        field *= np.exp(-0.5 * ((x - point[0]) ** 2 + (y - point[1]) ** 2) / reach**2)[..., None]
    return field


def _draw_landmark(rng: np.random.Generator) -> int:
    return int(rng.choice(REGIONS[rng.choice(UPPER if rng.random() < 0.6 else LOWER)]))
