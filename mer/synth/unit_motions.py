"""Flow of rendered micro-expressions without drawing a picture: exact, labeled, and thousands of clips a second.

A micro-expression moves a face so little that its flow is the sum of what each action unit does alone. So a face is
projected once, the motion that each unit gives to every pixel of the aligned crop is kept (:class:`UnitMotions`), and a
clip is a weighted sum. Who shows which units is drawn from :data:`PATTERNS`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from scipy.spatial.transform import Rotation

from mer.face import crop_landmarks, face_mask
from mer.face.align import CROP_CENTER, CROP_SCALE
from mer.face.canonical import canonical_landmarks
from mer.synth.animation import draw_units
from mer.synth.blendshapes import ACTION_UNITS, shape_offsets, shape_weights
from mer.synth.face_model import FaceModel
from mer.synth.fit import DISTANCE

SIZE = 56  # of a field, pixels: 23.5 to an interocular distance


def _sided(unit: str) -> tuple[str, ...]:
    return (f"L{unit}", f"R{unit}") if any("*" in shape for shape in ACTION_UNITS[unit]) else (unit,)


# Every unit that a face can show, each side by itself.
UNITS: tuple[str, ...] = tuple(sided for unit in ACTION_UNITS for sided in _sided(unit))
_PAIRED = np.array([unit[0] == "R" for unit in UNITS])  # follows its left side

# The classes of the composite protocol of MEGC 2019 -> units and how often, as :func:`mer.synth.animation.draw_units`
# reads them. After the coding of CASME II (Yan et al., PLoS ONE 2014) and SAMM (Davison et al., IEEE TAC 2018) as
# their papers tell it, and the objective classes of Davison, Merghani & Yap (J. Imaging 2018).
PATTERNS: dict[str, dict[str, float]] = {
    "negative": {
        "4": 16, "4+7": 13, "/4": 2, "7": 4, "4+9": 4, "4+7+9": 3, "9": 3, "4+5": 1, "4+7(45)": 3, "10": 3, "/10": 3,
        "4+10": 2, "9+10": 2, "7+10": 1, "14": 6, "/14": 8, "15": 4, "/15": 1, "17": 5, "15+17": 4, "14+17": 2,
        "1+4": 2, "4+15": 1, "4+17": 2, "4+14": 2, "1+4+15": 1, "20": 2, "24": 3, "23": 2, "17+24": 2, "1+2+4": 2,
        "9+17": 1,
    },
    "positive": {
        "12": 30, "/12": 20, "6+12": 22, "6+/12": 5, "/6+/12": 5, "12(25)": 5, "6": 4, "6+7+12": 3, "7+/12": 2,
        "12(17)": 2, "12(24)": 2,
    },
    "surprise": {
        "1+2": 30, "/2": 7, "/1+/2": 8, "1+2+5": 13, "5": 8, "1+2(25)": 8, "2": 6, "1": 4, "1+2(26)": 4, "25(26)": 7,
        "5+25": 2, "1+2+5+25": 3,
    },
}  # fmt: skip
CLASS_COUNTS = {"negative": 250, "positive": 109, "surprise": 83}  # clips of the composite protocol


@dataclass(frozen=True, eq=False)
class UnitMotions:
    """What each action unit does to one face, on the grid of the aligned crop (:mod:`mer.face.align`).

    Attributes
    ----------
    name : str
        What made it.
    fields : float32 (units, S, S, 2)
        Displacement at full intensity, in interocular distances, x first; the order is that of :data:`UNITS`.
    depth : float32 (S, S)
        Of the skin, in interocular distances, larger is farther; it decides what a turn of the head does.
    mask : bool (S, S)
        The face, from mid-forehead to chin; the fields fade out around it.
    """

    name: str
    fields: np.ndarray
    depth: np.ndarray
    mask: np.ndarray


def face_motions(model: FaceModel, rng: np.random.Generator, size: int = SIZE, variety: float = 1.0) -> UnitMotions:
    """A new person: identity, proportions and pose are drawn, then the face model is seen from the front.

    Parameters
    ----------
    model : FaceModel
    rng : Generator
    size : int
        Side of the fields, pixels.
    variety : float
        Factor of how far people differ; 0 is the model's own neutral face.
    """
    from mer.synth.raster import interpolate, rasterize

    shape = model.vertices
    if len(model.identity):
        spread = 0.25 if model.name == "makehuman" else 0.8  # MakeHuman's modes are extremes, not deviations
        shape = shape + np.einsum("k,kvd->vd", rng.normal(0, spread * variety, len(model.identity)), model.identity)
    marks = model.landmarks(shape)
    origin, unit = marks[[33, 263]].mean(0), np.linalg.norm(marks[263] - marks[33])
    stretch = np.exp(rng.normal(0, [0.04, 0.05, 0.05]) * variety)
    turn = Rotation.from_euler("zxy", rng.normal(0, [1.5, 4.0, 4.0]) * variety, degrees=True).as_matrix()
    to_crop = (turn * stretch).T / unit
    points = (shape - origin) @ to_crop
    scale, middle = CROP_SCALE * size, (size - 1) / 2
    screen = points * scale
    screen[:, :2] += middle - scale * np.array(CROP_CENTER[:2])
    screen[:, 2] = points[:, 2] + DISTANCE
    index, weights = rasterize(screen, model.triangles, size, size)
    offsets = interpolate(_offsets(model), model.triangles, index, weights)
    depth = interpolate(points[:, 2:].copy(), model.triangles, index, weights)
    grid = _fill(np.concatenate([offsets, depth], axis=-1), index >= 0)
    fields = (grid[..., :-1].reshape(size, size, len(UNITS), 3) @ to_crop)[..., :2]
    fields = np.ascontiguousarray(fields.transpose(2, 0, 1, 3), np.float32)
    mask = face_mask(model_landmarks(model, screen), size).astype(bool)
    return UnitMotions(model.name, fields * _fade(mask), _bounded(grid[..., -1]), mask)


def model_landmarks(model: FaceModel, vertices: np.ndarray) -> np.ndarray:
    """The 478 landmarks on a surface, zeros for those that the model has not."""
    marks = np.zeros((len(model.corners), 3))
    marks[model.marked] = model.landmarks(vertices)
    return marks


def _fade(mask: np.ndarray) -> np.ndarray:
    """1 on the face, falling to 0 around it, since skin goes on beyond the oval: `(S, S, 1)`."""
    away = cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, 5) / (CROP_SCALE * len(mask))
    return np.exp(-((away / 0.15) ** 2))[..., None].astype(np.float32)


def _bounded(depth: np.ndarray) -> np.ndarray:
    """Beyond the ears the skin ends and depth means nothing."""
    return np.clip(depth, -0.6, 0.6).astype(np.float32)


@lru_cache(maxsize=4)
def _offsets(model: FaceModel) -> np.ndarray:
    """Offsets `(V, units * 3)` of the skin for each unit at full intensity."""
    out = np.zeros((len(model.vertices), len(UNITS), 3))
    for k, unit in enumerate(UNITS):
        for shape, weight in shape_weights({unit: 1.0}, model.name).items():
            out[:, k] += weight * shape_offsets(model, shape)
    return out.reshape(len(out), -1)


def _fill(values: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Values `(S, S, n)` where no skin is seen, between the lids or outside the face: those of the nearest pixel."""
    _, nearest = cv2.distanceTransformWithLabels(
        (~known).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    of_label = np.zeros(nearest.max() + 1, int)
    of_label[nearest[known]] = np.flatnonzero(known)
    return values.reshape(-1, values.shape[-1])[of_label[nearest]]


# Displacements as one would draw them, at full strength: landmark on the subject's right, or on the middle line; its
# motion outward and down; its reach; all in interocular distances.
_DRAWN: dict[str, list[tuple[int, float, float, float]]] = {
    "1": [(107, 0.00, -0.08, 0.15), (66, 0.00, -0.06, 0.15)],
    "2": [(70, 0.01, -0.07, 0.15), (105, 0.00, -0.05, 0.15)],
    "4": [(107, -0.05, 0.05, 0.15), (105, -0.02, 0.04, 0.16)],
    "5": [(159, 0.00, -0.04, 0.08)],
    "6": [(50, 0.01, -0.05, 0.20), (145, 0.00, -0.02, 0.10)],
    "7": [(145, 0.00, -0.03, 0.10), (159, 0.00, 0.02, 0.07)],
    "9": [(48, 0.01, -0.05, 0.13), (107, -0.02, 0.04, 0.13)],
    "10": [(37, 0.00, -0.06, 0.12), (205, 0.01, -0.03, 0.15)],
    "12": [(61, 0.06, -0.06, 0.17), (205, 0.02, -0.04, 0.20)],
    "14": [(61, 0.05, 0.00, 0.13)],
    "15": [(61, 0.01, 0.06, 0.13)],
    "16": [(84, 0.00, 0.05, 0.11)],
    "17": [(199, 0.00, -0.06, 0.19), (17, 0.00, -0.04, 0.12)],
    "18": [(61, -0.06, 0.00, 0.15), (291, 0.06, 0.00, 0.15)],
    "20": [(61, 0.07, 0.01, 0.17)],
    "22": [(0, 0.00, -0.04, 0.15), (17, 0.00, 0.05, 0.15)],
    "23": [(61, -0.02, 0.00, 0.12)],
    "24": [(37, 0.00, 0.03, 0.10), (84, 0.00, -0.04, 0.12)],
    "25": [(84, 0.00, 0.05, 0.13), (37, 0.00, -0.01, 0.10)],
    "26": [(199, 0.00, 0.10, 0.30), (17, 0.00, 0.09, 0.20)],
    "27": [(199, 0.00, 0.22, 0.32), (17, 0.00, 0.20, 0.22)],
    "28": [(37, 0.00, 0.04, 0.11), (84, 0.00, -0.05, 0.12)],
    "29": [(199, 0.00, -0.02, 0.25)],
    "34": [(205, 0.05, 0.00, 0.22)],
    "45": [(159, 0.00, 0.08, 0.08)],
}


def drawn_motions(rng: np.random.Generator, size: int = SIZE, variety: float = 1.0) -> UnitMotions:
    """A person drawn by hand: bumps of displacement at landmarks, each of its own place, direction and reach.

    Needs no face model. Faces are the canonical one with other proportions.
    """
    scale = CROP_SCALE * size
    marks = crop_landmarks(size).astype(float)
    center = marks[[33, 263]].mean(0)
    marks = center + (marks - center) * np.exp(rng.normal(0, [0.05, 0.07, 0.1]) * variety)
    y, x = np.mgrid[:size, :size]
    mirror = _mirror_points()
    bumps: dict[str, np.ndarray] = {}
    for unit, parts in _DRAWN.items():
        for sided in _sided(unit):
            field = np.zeros((size, size, 2))
            for point, outward, down, reach in parts:
                right = sided[0] != "L"
                at = marks[point if right else mirror[point], :2] + rng.normal(0, 0.04 * scale * variety, 2)
                length = np.hypot(outward, down)
                vector = np.array([-outward if right else outward, down]) + rng.normal(0, 0.25 * length * variety, 2)
                across, along = reach * scale * np.exp(rng.normal(0, 0.25 * variety, 2))
                bump = np.exp(-((x - at[0]) ** 2 / across**2 + (y - at[1]) ** 2 / along**2) / 2)
                field += bump[..., None] * vector
            bumps[sided] = field
    mask = face_mask(marks, size).astype(bool)
    depth = _smooth_depth(marks, size) / scale
    fields = np.stack([bumps[unit] for unit in UNITS]).astype(np.float32)
    return UnitMotions("drawn", fields * _fade(mask), _bounded(depth), mask)


def blended_motions(people: Sequence[UnitMotions], rng: np.random.Generator) -> UnitMotions:
    """Of several faces one whose every unit moves as a random mixture of theirs: nobody knows how a unit looks on a
    stranger, and face models differ in it more than people do.
    """
    share = rng.dirichlet(np.full(len(people), 0.7), len(UNITS)).astype(np.float32)
    share[1:] = np.where(_PAIRED[1:, None], share[:-1], share[1:])  # both sides of a unit alike
    fields = np.einsum("up,puyxd->uyxd", share, np.stack([p.fields for p in people]))
    first = people[int(rng.integers(len(people)))]
    return UnitMotions("blended", fields, first.depth, first.mask)


@lru_cache(maxsize=1)
def _mirror_points() -> np.ndarray:
    """The landmark on the other side of the face for each, `(478,)`."""
    marks = canonical_landmarks()
    return ((marks[:, None] * [-1, 1, 1] - marks[None]) ** 2).sum(-1).argmin(1)


def _smooth_depth(marks: np.ndarray, size: int) -> np.ndarray:
    """The landmarks' depth, `(size, size)`, averaged over those around."""
    at = np.arange(size)[:, None]
    near_x, near_y = (np.exp(-((at - marks[:, k]) ** 2) / (2 * (size / 14) ** 2)) + 1e-5 for k in (0, 1))
    return (near_y * marks[:, 2]) @ near_x.T / (near_y @ near_x.T)


def draw_intensities(label: str, rng: np.random.Generator, amount: float) -> np.ndarray:
    """Intensities `(units,)` of an expression of a class, 0 to 1; those of its units are about `amount`.

    The two sides of a unit differ by a fifth on average, as they do on people.
    """
    patterns = PATTERNS[label]
    share = np.array(list(patterns.values()), float)
    pattern = list(patterns)[rng.choice(len(share), p=share / share.sum())]
    intensity = np.zeros(len(UNITS))
    lean = np.clip(rng.normal(0, 0.3), -0.9, 0.9)
    for unit in draw_units([pattern], rng):
        strength = amount * rng.uniform(0.5, 1.0)
        if unit in UNITS:
            intensity[UNITS.index(unit)] = strength
            continue
        for side, factor in (("L", 1 + lean), ("R", 1 - lean)):
            intensity[UNITS.index(side + unit)] = strength * factor
    return np.clip(intensity, 0, 1)


def expression_flow(motions: UnitMotions, intensities: np.ndarray) -> np.ndarray:
    """Flow `(..., S, S, 2)` in interocular distances of intensities `(..., units)`."""
    moved = np.flatnonzero(np.any(intensities.reshape(-1, len(UNITS)), axis=0))
    return np.tensordot(intensities[..., moved].astype(np.float32), motions.fields[moved], 1)


def head_flow(motions: UnitMotions, motion: Sequence[float] | np.ndarray) -> np.ndarray:
    """Flow `(S, S, 2)`, interocular distances, of a small motion of the head, to first order.

    Parameters
    ----------
    motion : (6,)
        Shift to the right, shift down, growth (a share), and rotation about the axes right, down and away, radians.
    """
    size = len(motions.depth)
    across, down, growth, pitch, yaw, roll = motion
    axis = (np.arange(size) - (size - 1) / 2) / (CROP_SCALE * size)
    x, y = np.meshgrid(axis + CROP_CENTER[0], axis + CROP_CENTER[1])
    z = motions.depth
    u = across + growth * x + yaw * z - roll * y
    v = down + growth * y - pitch * z + roll * x
    return np.stack([u, v], axis=-1).astype(np.float32)
