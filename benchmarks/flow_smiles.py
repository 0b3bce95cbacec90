"""Motions measured on real faces, shown on photographs of others: a test set for `benchmarks/flow.py`.

A person photographed neutral and smiling gives 478 displacements of landmarks, after removing the head's motion (a
similarity in space fitted to forehead, temples, eye corners and bridge of the nose). Thin plates through them, fixed on
a ring around the face, are the field of the expression. The whole field is shown, or its part in the upper or lower
half of the face, forward or backward, scaled to a largest displacement of 0.25 to 2 px. Head, camera and images are as
in `benchmarks/flow_warped.py`.

No training data has such fields: neither the bumps, patches and noise of `mer.decflow.data.warped_photos` nor the
shapes of the face models. The images are still synthetic: warped photographs.
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
    """Skin motion: the smiling face, aligned by the resting landmarks (Umeyama, 1991), minus the neutral one."""
    right, left = neutral[list(OUTER_EYE_CORNERS)]
    x = np.array([*(left - right)[:2], 0]) / np.linalg.norm((left - right)[:2])
    axes = np.stack([x, [-x[1], x[0], 0], [0, 0, 1]])
    before, after = ((points - neutral.mean(axis=0)) @ axes.T / interocular(neutral) for points in (neutral, smiling))
    a, b = after[RESTING], before[RESTING]
    u, stretch, vt = np.linalg.svd((b - b.mean(axis=0)).T @ (a - a.mean(axis=0)))
    sign = np.array([1, 1, np.sign(np.linalg.det(u @ vt))])
    scale = (stretch * sign).sum() / ((a - a.mean(axis=0)) ** 2).sum()
    aligned = scale * (after - a.mean(axis=0)) @ (u * sign @ vt).T + b.mean(axis=0)
    return (aligned - before)[:, :2]


def smile_pairs(photo: Photo, motions: list[Array], seed: list[int]) -> Iterator[dict]:
    """Onset, apex and exact flows of one photograph, for every peak."""
    view = Rendering(photo.file, photo.landmarks.astype(float))
    for number, peak in enumerate(PEAKS):
        rng = np.random.default_rng([*seed, number])
        head = head_field(view.points, view.grid, rng)
        expression = expression_field(view, motions[rng.integers(len(motions))], peak, rng)
        frames = [view(view.grid), view(inverse(head + expression, view.grid))]
        noisy = [np.clip(np.rint(f + rng.normal(0, NOISE, f.shape)), 0, 255).astype(np.uint8) for f in frames]
        yield {
            "peak": peak, "frames": noisy, "mask": view.mask, "head": on_pixels(head),
            "expression": on_pixels(expression),
            "landmarks": view.points + rng.normal(0, LANDMARK_NOISE, view.points.shape),
        }  # fmt: skip


def expression_field(view: Rendering, motion: Array, peak: float, rng: np.random.Generator) -> Array:
    """The motion as a field `(2, n, n)` on the fine samples, the longest vector `peak` px long."""
    points, eyes = view.points[:468, :2], interocular(view.points)
    moved = motion[:468] * eyes
    part = rng.choice(["whole", "upper", "lower"])
    if part != "whole":
        nose = view.points[1, 1] - 0.15 * eyes
        below = 1 / (1 + np.exp(-(points[:, 1] - nose) / (0.08 * eyes)))
        moved = moved * (below if part == "lower" else 1 - below)[:, None]
    inside = np.setdiff1d(np.arange(468), OVAL)[::3]
    oval = points[list(OVAL)]
    ring = oval.mean(axis=0) + 1.25 * (oval - oval.mean(axis=0))
    centers = np.vstack([points[inside], points[list(OVAL)], ring])
    values = np.vstack([moved[inside], 0.3 * moved[list(OVAL)], 0 * ring])  # hair and ears restrain the outline
    plates = RBFInterpolator(centers, values, smoothing=50.0)
    step = 8
    coarse = view.grid[:, ::step, ::step]
    field = plates(coarse.reshape(2, -1).T).reshape(*coarse.shape[1:], 2)
    place = np.indices(view.grid.shape[1:]) / step
    field = np.stack([map_coordinates(field[..., n], place, order=3, mode="nearest") for n in (0, 1)])
    outside = cv2.distanceTransform(1 - view.mask, cv2.DIST_L2, 5)
    fade = cv2.resize(np.clip(1 - outside / (0.25 * eyes), 0, 1).astype(np.float64), field.shape[:0:-1])
    return field * fade * rng.choice([-1, 1]) * peak / np.hypot(*(field * fade)).max()
