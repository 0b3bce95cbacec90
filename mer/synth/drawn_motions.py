"""Motion of action units drawn by hand, on faces that vary around the canonical one; no face model is needed."""

import numpy as np

from mer.face import crop_landmarks, face_mask
from mer.face.align import CROP_SCALE
from mer.face.canonical import mirrored_landmarks
from mer.synth.drawn_units import FLOW_UNITS
from mer.synth.unit_motions import SIZE, UNITS, UnitMotions, clip_depth, fade_outside, sides_of


def drawn_motions(rng: np.random.Generator, size: int = SIZE, variety: float = 1.0) -> UnitMotions:
    """Draw a person: proportions of the face, and place, direction and reach of each unit's bumps.

    `variety` is a factor of the differences between people; 0 is the canonical face with the table's own values.
    """
    interocular = CROP_SCALE * size
    landmarks = crop_landmarks(size).astype(float)
    eyes = landmarks[[33, 263]].mean(0)
    landmarks = eyes + (landmarks - eyes) * np.exp(rng.normal(0, [0.05, 0.07, 0.1]) * variety)
    y, x = np.mgrid[:size, :size]
    mirror = mirrored_landmarks()
    fields: dict[str, np.ndarray] = {}
    for number, bumps in FLOW_UNITS.items():
        for unit in sides_of(number):
            field = np.zeros((size, size, 2))
            for landmark, outward, down, reach in bumps:
                right = unit[0] != "L"
                center = landmarks[landmark if right else mirror[landmark], :2]
                center = center + rng.normal(0, 0.04 * interocular * variety, 2)
                length = np.hypot(outward, down)
                vector = np.array([-outward if right else outward, down]) + rng.normal(0, 0.25 * length * variety, 2)
                across, along = reach * interocular * np.exp(rng.normal(0, 0.25 * variety, 2))
                bump = np.exp(-((x - center[0]) ** 2 / across**2 + (y - center[1]) ** 2 / along**2) / 2)
                field += bump[..., None] * vector
            fields[unit] = field
    mask = face_mask(landmarks, size).astype(bool)
    depth = _smooth_depth(landmarks, size) / interocular
    stacked = np.stack([fields[unit] for unit in UNITS]).astype(np.float32)
    return UnitMotions("drawn", stacked * fade_outside(mask), clip_depth(depth), mask)


def _smooth_depth(landmarks: np.ndarray, size: int) -> np.ndarray:
    """Depth `(size, size)`: at each pixel, a Gaussian-weighted mean over the landmarks."""
    pixel = np.arange(size)[:, None]
    near_x, near_y = (np.exp(-((pixel - landmarks[:, k]) ** 2) / (2 * (size / 14) ** 2)) + 1e-5 for k in (0, 1))
    return (near_y * landmarks[:, 2]) @ near_x.T / (near_y @ near_x.T)
