"""Training pairs without faces: random textures under smooth and affine fields.

Flow networks are usually trained on such motion first (Dosovitskiy et al., "FlowNet", ICCV 2015: flying chairs before
natural scenes). `benchmarks/facial_data.py` measures what faces add to it.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from mer.decflow.data.degradation import degrade
from mer.decflow.data.pairs import Pair, pixel_coordinates
from mer.decflow.data.skin_motion import STEEPEST
from mer.decflow.data.warped_photos import sample_bicubic

_MARGIN = 16  # pixels of texture around the frame


def generic_pair(rng: np.random.Generator, size: int) -> Pair:
    """One pair, `size` x `size`. The mask is the whole frame, and head flow is zero."""
    flow = smooth_field(rng, size) + affine_field(rng, size)
    texture = draw_texture(rng, size + 2 * _MARGIN)
    points = pixel_coordinates(size) + _MARGIN
    frames = [sample_bicubic(texture, points + field) for field in (flow, np.zeros_like(flow))]
    onset, apex = degrade(frames, rng, noise=(0.3, 3.0))
    head = np.zeros((size, size, 2), np.float32)
    return Pair(onset, apex, flow.astype(np.float32), head, np.ones((size, size), np.uint8))


def draw_texture(rng: np.random.Generator, size: int) -> NDArray[np.uint8]:
    """Noise at several scales under overlapping polygons and ellipses, `(size, size, 3)`."""
    image = np.full((size, size, 3), rng.uniform(60, 200, 3))
    for width in np.exp(rng.uniform(np.log(0.8), np.log(size / 4), 4)):
        noise = cv2.GaussianBlur(rng.normal(0, 1, (size, size, 3)), (0, 0), width)
        image += noise / noise.std() * rng.uniform(3, 25)
    for _ in range(rng.integers(0, 25)):
        color = tuple(rng.uniform(20, 235, 3))
        center, radius = rng.uniform(0, size, 2), size * np.exp(rng.uniform(np.log(0.02), np.log(0.3)))
        layer = image.copy()
        if rng.random() < 0.5:
            corners = center + radius * rng.normal(0, 0.7, (rng.integers(3, 8), 2))
            cv2.fillPoly(layer, [corners.round().astype(np.int32)], color, cv2.LINE_AA)
        else:
            axes = (radius * rng.uniform(0.3, 1, 2)).astype(int).tolist()
            cv2.ellipse(layer, center.astype(int).tolist(), axes, rng.uniform(0, 180), 0, 360, color, -1, cv2.LINE_AA)
        opacity = rng.uniform(0.3, 1)
        image = (1 - opacity) * image + opacity * layer
    image = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.5, 1.0))
    return np.clip(np.rint(image), 0, 255).astype(np.uint8)


def smooth_field(rng: np.random.Generator, size: int) -> NDArray[np.float64]:
    """Smooth noise whose longest vector is 0.2 to 6 px at 128 px, log-uniform."""
    width = np.exp(rng.uniform(np.log(0.06), np.log(0.3))) * size
    field = np.stack([cv2.GaussianBlur(rng.normal(0, 1, (size, size)), (0, 0), width) for _ in range(2)], axis=-1)
    longest = np.exp(rng.uniform(np.log(0.2), np.log(6))) * size / 128
    slope = max(np.abs(np.gradient(field[..., n])).max() for n in (0, 1))
    return field * min(longest / np.linalg.norm(field, axis=-1).max(), STEEPEST / slope)


def affine_field(rng: np.random.Generator, size: int) -> NDArray[np.float64]:
    """Rotation, zoom, shear (1.5 % each) and shift (2 % of the frame); standard deviations, at a random strength."""
    strength = np.exp(rng.uniform(np.log(0.05), 0))
    points = pixel_coordinates(size) - (size - 1) / 2
    return strength * (points @ rng.normal(0, 0.015, (2, 2)) + rng.normal(0, 0.02 * size, 2))
