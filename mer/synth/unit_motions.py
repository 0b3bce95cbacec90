"""Exact flow of rendered micro-expressions without rendering pictures: thousands of labeled clips per second.

A micro-expression moves a face so little that its flow is the sum of the flows of its action units. A face model is
therefore projected once, and the motion of each unit at every pixel of the aligned crop is stored
(:class:`UnitMotions`); the flow of a clip is a weighted sum of these.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from scipy.spatial.transform import Rotation

from mer.face import face_mask
from mer.face.align import CROP_CENTER, CROP_SCALE
from mer.synth.blendshapes import UNIT_SHAPES, has_sides, shape_offsets, shape_weights
from mer.synth.camera import DISTANCE
from mer.synth.expressions import CLASS_PATTERNS, draw_units
from mer.synth.face_model import FaceModel
from mer.synth.nearest_fill import fill_from_nearest

SIZE = 56  # side of a field, pixels; the interocular distance is 23.5


def sides_of(number: str) -> tuple[str, ...]:
    """The units of a number: `("L12", "R12")`, or `("26",)` if it has no sides."""
    return (f"L{number}", f"R{number}") if has_sides(number) else (number,)


UNITS: tuple[str, ...] = tuple(unit for number in UNIT_SHAPES for unit in sides_of(number))  # each side separately
_IS_RIGHT = np.array([unit[0] == "R" for unit in UNITS])  # directly after the same unit on the left


@dataclass(frozen=True, eq=False)
class UnitMotions:
    """Motion of each action unit on one face, on the grid of the aligned crop (:mod:`mer.face.align`)."""

    name: str  # of the face model, `drawn` or `blended`
    fields: np.ndarray  # float32 (units, S, S, 2), x and y at full intensity, interocular distances; order of `UNITS`
    depth: np.ndarray  # float32 (S, S), of the skin, interocular distances, larger is farther
    mask: np.ndarray  # bool (S, S), from mid-forehead to chin; the fields fade out around it


def face_motions(model: FaceModel, rng: np.random.Generator, size: int = SIZE, variety: float = 1.0) -> UnitMotions:
    """Draw a person (identity, proportions, pose) and project the face model from the front.

    `variety` is a factor of the differences between people; 0 is the model's neutral face.
    """
    from mer.synth.raster import interpolate, rasterize

    vertices = model.vertices
    if len(model.identity):
        spread = 0.25 if model.name == "makehuman" else 0.8  # MakeHuman's modes are extremes, not standard deviations
        coefficients = rng.normal(0, spread * variety, len(model.identity))
        vertices = vertices + np.einsum("k,kvd->vd", coefficients, model.identity)
    landmarks = model.landmarks(vertices)
    origin, interocular = landmarks[[33, 263]].mean(0), np.linalg.norm(landmarks[263] - landmarks[33])
    stretch = np.exp(rng.normal(0, [0.04, 0.05, 0.05]) * variety)
    rotation = Rotation.from_euler("zxy", rng.normal(0, [1.5, 4.0, 4.0]) * variety, degrees=True).as_matrix()
    to_crop = (rotation * stretch).T / interocular
    points = (vertices - origin) @ to_crop
    scale, center = CROP_SCALE * size, (size - 1) / 2
    screen = points * scale
    screen[:, :2] += center - scale * np.array(CROP_CENTER[:2])
    screen[:, 2] = points[:, 2] + DISTANCE
    index, weights = rasterize(screen, model.triangles, size, size)
    offsets = interpolate(_unit_offsets(model), model.triangles, index, weights)
    depth = interpolate(points[:, 2:].copy(), model.triangles, index, weights)
    # Between the lids and outside the face there is no skin.
    grid = fill_from_nearest(np.concatenate([offsets, depth], axis=-1), index >= 0)
    fields = (grid[..., :-1].reshape(size, size, len(UNITS), 3) @ to_crop)[..., :2]
    fields = np.ascontiguousarray(fields.transpose(2, 0, 1, 3), np.float32)
    mask = face_mask(model.all_landmarks(screen), size).astype(bool)
    return UnitMotions(model.name, fields * fade_outside(mask), clip_depth(grid[..., -1]), mask)


def fade_outside(mask: np.ndarray) -> np.ndarray:
    """A factor `(S, S, 1)`: 1 on the face, falling smoothly to 0 around it, because skin continues beyond the oval."""
    distance = cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, 5) / (CROP_SCALE * len(mask))
    return np.exp(-((distance / 0.15) ** 2))[..., None].astype(np.float32)


def clip_depth(depth: np.ndarray) -> np.ndarray:
    """Limit the depth, which is meaningless beyond the ears, where the skin ends."""
    return np.clip(depth, -0.6, 0.6).astype(np.float32)


@lru_cache(maxsize=4)
def _unit_offsets(model: FaceModel) -> np.ndarray:
    """Vertex offsets `(V, units * 3)` of each unit at full intensity."""
    out = np.zeros((len(model.vertices), len(UNITS), 3))
    for k, unit in enumerate(UNITS):
        for shape, weight in shape_weights({unit: 1.0}, model.name).items():
            out[:, k] += weight * shape_offsets(model, shape)
    return out.reshape(len(out), -1)


def blended_motions(people: Sequence[UnitMotions], rng: np.random.Generator) -> UnitMotions:
    """One face from several: each unit moves as a random mixture of theirs.

    Face models differ more in the appearance of a unit than people do, so a mixture is often closer to a real face.
    """
    share = rng.dirichlet(np.full(len(people), 0.7), len(UNITS)).astype(np.float32)
    share[1:] = np.where(_IS_RIGHT[1:, None], share[:-1], share[1:])  # the same mixture on both sides
    fields = np.einsum("up,puyxd->uyxd", share, np.stack([p.fields for p in people]))
    shape = people[int(rng.integers(len(people)))]
    return UnitMotions("blended", fields, shape.depth, shape.mask)


def draw_intensities(label: str, rng: np.random.Generator, amount: float) -> np.ndarray:
    """Draw an expression of a class: intensities `(units,)`, 0 to 1, between half of `amount` and `amount`.

    The two sides of a unit differ, as they do on people, with a standard deviation of 0.3.
    """
    patterns = CLASS_PATTERNS[label]
    weights = np.array(list(patterns.values()), float)
    pattern = list(patterns)[rng.choice(len(weights), p=weights / weights.sum())]
    intensity = np.zeros(len(UNITS))
    asymmetry = np.clip(rng.normal(0, 0.3), -0.9, 0.9)
    for unit in draw_units([pattern], rng):
        strength = amount * rng.uniform(0.5, 1.0)
        if unit in UNITS:
            intensity[UNITS.index(unit)] = strength
            continue
        for side, factor in (("L", 1 + asymmetry), ("R", 1 - asymmetry)):
            intensity[UNITS.index(side + unit)] = strength * factor
    return np.clip(intensity, 0, 1)


def expression_flow(motions: UnitMotions, intensities: np.ndarray) -> np.ndarray:
    """Flow `(..., S, S, 2)`, in interocular distances, of intensities `(..., units)`."""
    active = np.flatnonzero(np.any(intensities.reshape(-1, len(UNITS)), axis=0))
    return np.tensordot(intensities[..., active].astype(np.float32), motions.fields[active], 1)


def head_flow(motions: UnitMotions, motion: Sequence[float] | np.ndarray) -> np.ndarray:
    """Flow `(S, S, 2)`, in interocular distances, of a small head motion, to first order.

    `motion` is the shift to the right and down, interocular distances, the relative growth, and the rotation about the
    axes pointing right, down and away from the camera, radians.
    """
    size = len(motions.depth)
    right, down, growth, pitch, yaw, roll = motion
    axis = (np.arange(size) - (size - 1) / 2) / (CROP_SCALE * size)
    x, y = np.meshgrid(axis + CROP_CENTER[0], axis + CROP_CENTER[1])
    z = motions.depth
    flow = [right + growth * x + yaw * z - roll * y, down + growth * y - pitch * z + roll * x]
    return np.stack(flow, axis=-1).astype(np.float32)
