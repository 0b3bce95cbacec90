"""A small file with FLAME's keys, and landmarks of a frontal portrait."""

from __future__ import annotations

import numpy as np

from mer.face.canonical import canonical_landmarks


def portrait_landmarks() -> np.ndarray:
    """The canonical face with 100 px between the eyes."""
    points = canonical_landmarks() * 100
    points[:, :2] += 256
    return points


def flame_arrays() -> dict[str, np.ndarray]:
    """The smallest mesh with a nose that has FLAME's keys."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[-0.12:0.14:32j, -0.09:0.09:28j]
    z = 0.06 - 4.0 * (x**2 + 0.6 * y**2) + 0.025 * np.exp(-((x / 0.012) ** 2) - ((y - 0.0) / 0.02) ** 2)
    vertices = np.stack([x, y, z], axis=-1).reshape(-1, 3)
    corner = (np.arange(31)[:, None] * 28 + np.arange(27)).ravel()
    faces = np.concatenate([np.c_[corner, corner + 1, corner + 28], np.c_[corner + 1, corner + 29, corner + 28]])
    centers = np.array(
        [[0, -0.1, -0.05], [0, -0.05, -0.05], [0, -0.02, 0.0], [0.032, 0.035, 0.04], [-0.032, 0.035, 0.04]]
    )
    regressor = np.stack(
        [np.linalg.lstsq(np.c_[vertices, np.ones(len(vertices))].T, np.append(c, 1), rcond=None)[0] for c in centers]
    )
    weights = np.zeros((len(vertices), 5))
    weights[:, 2] = np.clip(-(vertices[:, 1] + 0.02) / 0.05, 0, 1)
    weights[:, 1] = 1 - weights[:, 2]
    middles = vertices[rng.integers(len(vertices), size=400)]
    bumps = np.exp(-((vertices[:, None] - middles) ** 2).sum(-1) / 0.03**2)  # (V, 400)
    directions = bumps[:, None, :] * rng.normal(0, 0.004, (1, 3, 400))
    return {
        "v_template": vertices,
        "f": faces.astype(np.uint32),
        "shapedirs": directions,
        "J_regressor": regressor,
        "weights": weights,
    }
