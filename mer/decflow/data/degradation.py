"""Degradation of frames by a camera: color, light, blur, noise and compression."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

LUMA = np.array([[0.299], [0.587], [0.114]], np.float32)


def degrade(
    frames: list[NDArray[np.uint8]],
    rng: np.random.Generator,
    *,
    noise: tuple[float, float] = (0.3, 4.0),
    light: float = 0.06,
    coarse: float = 0.4,
) -> list[NDArray[np.uint8]]:
    """Frames of one pair, degraded as by a camera. Nothing moves, so flows stay exact.

    Color and blur are common to the frames; light, noise and compression artifacts differ between them.

    Parameters
    ----------
    frames : list of uint8 (H, W, 3)
    noise : (float, float)
        Range of the noise, gray levels, log-uniform.
    light : float
        Relative change of brightness between the frames.
    coarse : float
        Share of pairs that are blurred, and of pairs that are compressed.
    """
    height, width = frames[0].shape[:2]
    gamma, gain, offset = np.exp(rng.normal(0, 0.2)), rng.uniform(0.7, 1.1), rng.uniform(0, 20)
    tint = np.exp(rng.normal(0, 0.06, 3)).astype(np.float32)
    gray = rng.random() < 0.15
    blur = rng.uniform(0.3, 1.2) if rng.random() < coarse else 0.0
    grain = np.float32(np.exp(rng.uniform(*np.log(noise))))
    quality = int(rng.uniform(60, 98)) if rng.random() < coarse else None
    levels = (255 * (np.arange(256, dtype=np.float32) / 255) ** gamma * gain + offset).astype(np.float32)
    degraded = []
    for frame in frames:
        image = levels[frame] * tint
        if gray:
            image = np.repeat(image @ LUMA, 3, axis=2)
        shading = rng.normal(0, light / 2) + cv2.resize(
            rng.normal(0, light / 3, (3, 3)).astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC
        )
        image *= (1 + shading)[..., None].astype(np.float32)
        if blur:
            image = cv2.GaussianBlur(image, (0, 0), blur * rng.uniform(0.9, 1.1))
        image += grain * rng.standard_normal((height, width, 1), np.float32)
        image += grain / 2 * rng.standard_normal(image.shape, np.float32)
        pixels = np.clip(np.rint(image), 0, 255).astype(np.uint8)
        if quality is not None:
            _, data = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])
            pixels = cv2.imdecode(data, cv2.IMREAD_COLOR)
        degraded.append(pixels)
    return degraded
