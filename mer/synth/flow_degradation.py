"""Turn exact flow into flow as a method would estimate it from pictures, and as published datasets store it.

Flow methods smooth; they miss motion on skin without texture; noise, light and hair cause false motion; the head moves;
the crop varies. Flow published as images also loses its zero and its scale, because each channel is stretched to 0 to
255 separately. A classifier for such flow has to be trained on it.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from mer.face.align import CROP_SCALE, FACE_BOX, Box
from mer.synth.unit_motions import UnitMotions, head_flow


@dataclass(frozen=True)
class Recording:
    """Recording conditions of a person and properties of the flow method, shared by all clips of the person.

    Strengths are relative to an expression of 0.01 interocular distances.
    """

    box: Box  # the crop, as `mer.face.align.FACE_BOX`
    blur: float  # standard deviation of the method's smoothing, interocular distances
    noise: float  # strength of false motion
    head: float  # strength of head motion
    border: float  # strength of motion around the face
    visibility: np.ndarray  # float32 (S, S), detected share of the motion; low where skin has no texture


def draw_recording(rng: np.random.Generator, size: int, hardship: float = 1.0) -> Recording:
    """Draw the recording conditions of a person; `hardship` is a factor of everything that degrades the flow."""
    left, top, right, bottom = FACE_BOX
    widening = rng.normal(0, 0.08)
    box = (left - widening + rng.normal(0, 0.03), top + rng.normal(0, 0.12), right + widening + rng.normal(0, 0.03),
           bottom + rng.normal(0, 0.10))  # fmt: skip
    patches = smooth_noise(rng, size, rng.uniform(0.06, 0.2))
    visibility = np.clip(1 - hardship * rng.uniform(0, 0.8) * np.clip(patches, 0, 1.25), 0.05, 1)
    return Recording(
        box=box,
        blur=float(rng.uniform(0.015, 0.09)),
        noise=float(hardship * np.exp(rng.normal(np.log(0.15), 0.7))),
        head=float(hardship * np.exp(rng.normal(np.log(0.5), 0.7))),
        border=float(hardship * np.exp(rng.normal(np.log(0.3), 1.0))),
        visibility=visibility.astype(np.float32),
    )


def smooth_noise(rng: np.random.Generator, size: int, reach: float) -> np.ndarray:
    """Noise `(size, size)` of unit variance, smoothed by a Gaussian of `reach` interocular distances."""
    noise = cv2.GaussianBlur(rng.standard_normal((size, size), np.float32), (0, 0), max(reach * CROP_SCALE * size, 0.3))
    return noise / max(float(noise.std()), 1e-6)


def degrade_flow(flow: np.ndarray, motions: UnitMotions, recording: Recording, rng: np.random.Generator) -> np.ndarray:
    """Exact expression flow `(S, S, 2)` as a flow method would estimate it, with head motion; the same shape."""
    size = len(flow)
    # Shift, growth and rotations of a head within the duration of a micro-expression.
    motion = rng.normal(0, [0.01, 0.01, 0.006, 0.010, 0.010, 0.006]) * recording.head
    estimated = flow + head_flow(motions, motion)
    estimated *= recording.visibility[..., None]
    estimated = cv2.GaussianBlur(estimated, (0, 0), max(recording.blur * CROP_SCALE * size, 0.3))
    for reach in (0.03, 0.1, 0.3):
        strength = 0.01 * recording.noise * rng.gamma(1.0)
        estimated += strength * np.stack([smooth_noise(rng, size, reach) for _ in "uv"], axis=-1)
    outside = 1 - cv2.GaussianBlur(motions.mask.astype(np.float32), (0, 0), 0.05 * CROP_SCALE * size)
    false_motion = np.stack([smooth_noise(rng, size, 0.15) for _ in "uv"], axis=-1)
    return estimated + 0.01 * recording.border * rng.gamma(1.0) * outside[..., None] * false_motion


def as_8bit_image(flow: np.ndarray) -> np.ndarray:
    """Flow `(H, W, 2)` as 8-bit images store it: channels stretched to 0 to 255 separately, minus their medians."""
    low, high = flow.min((0, 1)), flow.max((0, 1))
    image = np.round(255 * (flow - low) / np.maximum(high - low, 1e-9))
    return (image - np.median(image, axis=(0, 1))).astype(np.float32)
