"""What is left of exact flow when a method has estimated it from pictures, and others have published it.

Flow methods smooth; they see no motion where skin has no texture; they see some where noise, light or hair deceive
them; the head moves; the crop is never quite the same. Sets that are published as images lose their zero and their
scale as well: each channel is stretched to 0..255 for itself. A model that is to read such flow has to have seen it.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from mer.face.align import CROP_SCALE, FACE_BOX, Box
from mer.synth.unit_motions import UnitMotions, head_flow


@dataclass(frozen=True)
class Recording:
    """How a person was recorded and the flow estimated; clips of one person share it.

    Attributes
    ----------
    box : tuple of float
        What the crop shows, as :data:`mer.face.align.FACE_BOX`.
    blur : float
        Standard deviation of the smoothing, interocular distances.
    noise, head, border : float
        Strength of false motion, of the head's own, and of what happens around the face, against an expression of 0.01
        interocular distances.
    texture : float32 (S, S)
        Share of the motion that the method sees, 0 to 1.
    """

    box: Box
    blur: float
    noise: float
    head: float
    border: float
    texture: np.ndarray


def draw_recording(rng: np.random.Generator, size: int, hardship: float = 1.0) -> Recording:
    """A person's recording; `hardship` is a factor of all that spoils it."""
    left, top, right, bottom = FACE_BOX
    wide = rng.normal(0, 0.08)
    box = (left - wide + rng.normal(0, 0.03), top + rng.normal(0, 0.12), right + wide + rng.normal(0, 0.03),
           bottom + rng.normal(0, 0.10))  # fmt: skip
    patches = smooth_noise(rng, size, rng.uniform(0.06, 0.2))
    texture = np.clip(1 - hardship * rng.uniform(0, 0.8) * np.clip(patches, 0, 1.25), 0.05, 1)
    return Recording(
        box=box,
        blur=float(rng.uniform(0.015, 0.09)),
        noise=float(hardship * np.exp(rng.normal(np.log(0.15), 0.7))),
        head=float(hardship * np.exp(rng.normal(np.log(0.5), 0.7))),
        border=float(hardship * np.exp(rng.normal(np.log(0.3), 1.0))),
        texture=texture.astype(np.float32),
    )


def smooth_noise(rng: np.random.Generator, size: int, reach: float) -> np.ndarray:
    """Noise `(size, size)` of unit deviation, as smooth as a Gaussian of `reach` interocular distances."""
    noise = cv2.GaussianBlur(rng.standard_normal((size, size), np.float32), (0, 0), max(reach * CROP_SCALE * size, 0.3))
    return noise / max(float(noise.std()), 1e-6)


def estimate(flow: np.ndarray, motions: UnitMotions, recording: Recording, rng: np.random.Generator) -> np.ndarray:
    """Exact expression flow `(S, S, 2)` as a method would report it, with the head's motion: `(S, S, 2)`."""
    size = len(flow)
    # Shift, growth and turns of a head, for the time of a micro-expression.
    motion = rng.normal(0, [0.01, 0.01, 0.006, 0.010, 0.010, 0.006]) * recording.head
    seen = flow + head_flow(motions, motion)
    seen *= recording.texture[..., None]
    seen = cv2.GaussianBlur(seen, (0, 0), max(recording.blur * CROP_SCALE * size, 0.3))
    for reach in (0.03, 0.1, 0.3):
        strength = 0.01 * recording.noise * rng.gamma(1.0)
        seen += strength * np.stack([smooth_noise(rng, size, reach) for _ in "uv"], axis=-1)
    outside = 1 - cv2.GaussianBlur(motions.mask.astype(np.float32), (0, 0), 0.05 * CROP_SCALE * size)
    false = np.stack([smooth_noise(rng, size, 0.15) for _ in "uv"], axis=-1)
    return seen + 0.01 * recording.border * rng.gamma(1.0) * outside[..., None] * false


def as_8bit_image(flow: np.ndarray) -> np.ndarray:
    """Flow `(H, W, 2)` as an 8-bit image shows it, less each channel's median: whole numbers, each channel stretched
    over 0 to 255 for itself.
    """
    low, high = flow.min((0, 1)), flow.max((0, 1))
    image = np.round(255 * (flow - low) / np.maximum(high - low, 1e-9))
    return (image - np.median(image, axis=(0, 1))).astype(np.float32)
