"""Motions measured on real faces, shown on other people's photographs: a test set for `benchmarks/flow.py`.

A person photographed once neutral and once smiling gives 478 displacements of landmarks: those that remain when the
head's own motion, a similarity in space fitted to forehead, temples, eye corners and bridge of the nose, is taken out.
Thin plates through them, held still on a ring about the face, are the expression's field. It is shown in full, or the
part of it in the upper or the lower half of the face, forward or backward, scaled to a largest displacement of 0.25 to
2 px. The head turns before a camera as in `benchmarks/flow_warped.py`, and the pictures are made as there.

No training data has fields of this kind: neither the bumps, patches and noise of `mer.decflow.data.warped_photos` nor the
shapes of the face models. What comes out is synthetic all the same: a photograph, warped.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from flow_warped import LANDMARK_NOISE, NOISE, Rendering, head_field, interocular, inverse, on_pixels
from numpy.typing import NDArray
from scipy.interpolate import RBFInterpolator
from scipy.ndimage import map_coordinates

from mer.datasets.person_split import person_of
from mer.decflow.data.warped_photos import Photo, read_photos
from mer.face.regions import OUTER_EYE_CORNERS, OVAL, REGIONS

PEAKS = (0.25, 0.5, 1.0, 2.0)  # px, the longest vector
RESTING = [*REGIONS["forehead"], 6, 168, 197, 8, 9, 33, 133, 362, 263, 127, 356, 162, 389]

Array = NDArray[np.float64]


def smiles(faces: Path) -> list[Array]:
    """Displacements `(478, 2)` of the `test` people of the London set, in interocular distances of an upright face."""
    sides = [
        {person_of(photo.file.name): photo.landmarks.astype(float) for photo in read_photos([faces / name], "test")}
        for name in ("london_neutral", "london_smiling")
    ]
    return [displacement(sides[0][name], sides[1][name]) for name in sorted(sides[0].keys() & sides[1].keys())]


def displacement(neutral: Array, smiling: Array) -> Array:
    """How the skin moved: the smiling face laid upon the neutral one by what rests (Umeyama, 1991), less that one."""
    right, left = neutral[list(OUTER_EYE_CORNERS)]
    x = np.array([*(left - right)[:2], 0]) / np.linalg.norm((left - right)[:2])
    axes = np.stack([x, [-x[1], x[0], 0], [0, 0, 1]])
    before, after = ((points - neutral.mean(axis=0)) @ axes.T / interocular(neutral) for points in (neutral, smiling))
    a, b = after[RESTING], before[RESTING]
    u, stretch, vt = np.linalg.svd((b - b.mean(axis=0)).T @ (a - a.mean(axis=0)))
    sign = np.array([1, 1, np.sign(np.linalg.det(u @ vt))])
    scale = (stretch * sign).sum() / ((a - a.mean(axis=0)) ** 2).sum()
    laid = scale * (after - a.mean(axis=0)) @ (u * sign @ vt).T + b.mean(axis=0)
    return (laid - before)[:, :2]


def smile_pairs(photo: Photo, motions: list[Array], seed: list[int]) -> Iterator[dict]:
    """Onset, apex and exact flows of one photograph, for every peak."""
    show = Rendering(photo.file, photo.landmarks.astype(float))
    for number, peak in enumerate(PEAKS):
        rng = np.random.default_rng([*seed, number])
        head = head_field(show.points, show.grid, rng)
        expression = expression_field(show, motions[rng.integers(len(motions))], peak, rng)
        frames = [show(show.grid), show(inverse(head + expression, show.grid))]
        noisy = [np.clip(np.rint(f + rng.normal(0, NOISE, f.shape)), 0, 255).astype(np.uint8) for f in frames]
        yield {
            "peak": peak, "frames": noisy, "mask": show.mask, "head": on_pixels(head),
            "expression": on_pixels(expression),
            "landmarks": show.points + rng.normal(0, LANDMARK_NOISE, show.points.shape),
        }  # fmt: skip


def expression_field(show: Rendering, motion: Array, peak: float, rng: np.random.Generator) -> Array:
    """The motion as a field `(2, n, n)` on the fine samples, the longest vector `peak` px long."""
    points, unit = show.points[:468, :2], interocular(show.points)
    moved = motion[:468] * unit
    part = rng.choice(["whole", "upper", "lower"])
    if part != "whole":
        nose = show.points[1, 1] - 0.15 * unit
        below = 1 / (1 + np.exp(-(points[:, 1] - nose) / (0.08 * unit)))
        moved = moved * (below if part == "lower" else 1 - below)[:, None]
    inside = np.setdiff1d(np.arange(468), OVAL)[::3]
    oval = points[list(OVAL)]
    ring = oval.mean(axis=0) + 1.25 * (oval - oval.mean(axis=0))
    known = np.vstack([points[inside], points[list(OVAL)], ring])
    values = np.vstack([moved[inside], 0.3 * moved[list(OVAL)], 0 * ring])  # hair and ears hold the outline back
    plates = RBFInterpolator(known, values, smoothing=50.0)
    step = 8
    coarse = show.grid[:, ::step, ::step]
    field = plates(coarse.reshape(2, -1).T).reshape(*coarse.shape[1:], 2)
    place = np.indices(show.grid.shape[1:]) / step
    field = np.stack([map_coordinates(field[..., n], place, order=3, mode="nearest") for n in (0, 1)])
    outside = cv2.distanceTransform(1 - show.mask, cv2.DIST_L2, 5)
    fade = cv2.resize(np.clip(1 - outside / (0.25 * unit), 0, 1).astype(np.float64), field.shape[:0:-1])
    return field * fade * rng.choice([-1, 1]) * peak / np.hypot(*(field * fade)).max()
