"""Synthetic motion of a face, as numbers."""

from __future__ import annotations

import numpy as np

from mer.spotting.face_motion import HEAD_POINTS, POINTS, REGION_OF, Motion


def bump(n: int, onset: int, apex: int, offset: int) -> np.ndarray:
    """0 up to the onset, 1 at the apex, 0 from the offset on, smooth between: `(n,)`."""
    t = np.arange(n)
    level = np.minimum(np.clip((t - onset) / (apex - onset), 0, 1), np.clip((offset - t) / (offset - apex), 0, 1))
    return level**2 * (3 - 2 * level)


def motion(courses: dict[str, np.ndarray], n: int = 600, rate: float = 30.0, noise: float = 0.05) -> Motion:
    """Motion of regions along the given courses `(n,)`, percent; `head` moves the whole head."""
    rng = np.random.default_rng(0)
    sites = rng.normal(0, noise, (n, len(POINTS), 2))
    head = rng.normal(0, noise, (n, len(HEAD_POINTS), 2))
    for region, course in courses.items():
        if region == "head":
            head[..., 1] += course[:, None]
        else:
            sites[:, np.array(REGION_OF) == region, 1] += course[:, None]
    numbers = np.arange(n)
    return Motion(numbers, numbers / rate, rate, sites.astype(np.float32), head.astype(np.float32), [])
