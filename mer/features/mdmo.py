"""Main directional mean optical flow (MDMO).

Liu, Zhang, Yan, Wang, Zhao and Fu, "A main directional mean optical flow feature for spontaneous micro-expression
recognition", IEEE Transactions on Affective Computing 2016. The paper bounds its 36 regions by 66 landmarks of another
face model; here, each region holds the pixels nearest to one of 36 points of the face mesh.
"""

from functools import lru_cache

import numpy as np

from mer.face import crop_landmarks
from mer.face.regions import OUTER_EYE_CORNERS

# Pairs of (right, left) points, then the points on the midline.
_PAIRS = (
    (69, 299), (104, 333),  # forehead
    (55, 285), (52, 282), (46, 276),  # brows, inner to outer
    (130, 359), (27, 257), (23, 253),  # lids: outer corner, above, below
    (198, 420), (48, 278),  # side and wing of the nose
    (50, 280), (205, 425), (187, 411),  # cheeks
    (61, 291), (40, 270), (91, 321),  # mouth: corner, upper and lower lip
)  # fmt: skip
_MIDDLE = (9, 6, 17, 199)  # glabella, root of the nose, lower lip, chin
MDMO_POINTS = tuple(point for pair in _PAIRS for point in pair) + _MIDDLE
_RADIUS = 0.25  # largest distance of a pixel from the point of its region, in interocular distances


@lru_cache(maxsize=8)
def mdmo_regions(size: int) -> np.ndarray:
    """Region of each pixel of an aligned crop, `(size, size)`: 0 to 35, or -1 outside all regions.

    The regions are those of the canonical face, so the crop has to be aligned by :func:`mer.face.align`; with other
    alignments they do not follow the anatomy. The result is cached and read-only.
    """
    landmarks = crop_landmarks(size)
    y, x = np.mgrid[:size, :size]
    points = landmarks[list(MDMO_POINTS), :2]
    distance = np.hypot(x[..., None] - points[:, 0], y[..., None] - points[:, 1])
    interocular = np.linalg.norm(np.subtract(*landmarks[list(OUTER_EYE_CORNERS)]))
    regions = np.where(distance.min(-1) <= _RADIUS * interocular, distance.argmin(-1), -1)
    regions.flags.writeable = False
    return regions


def mdmo(flow: np.ndarray, bins: int = 8, beta: float = 0.8) -> np.ndarray:
    """Mean length and angle of the main direction in each of 36 regions of the face.

    The main direction of a region is its most frequent orientation bin. Only the vectors in that bin are averaged; the
    mean lengths are divided by the largest over all regions.

    Parameters
    ----------
    flow : (H, W, 2)
        x first, on an aligned crop, H = W.
    bins : int
        Orientation bins. The first is centered on motion to the right; the others follow clockwise in the image.
    beta : float
        Weight of the lengths; the angles are weighted by `1 - beta`.

    Returns
    -------
    (72,) float32
        `beta` times the lengths (0 to 1) of the regions, then `1 - beta` times their angles (-pi to pi). Zeros for
        regions without motion or without pixels.
    """
    if flow.shape[0] != flow.shape[1]:
        raise ValueError(f"MDMO needs a square crop of the face; the flow is {flow.shape[0]} x {flow.shape[1]}")
    region = mdmo_regions(len(flow)).ravel()
    vectors = flow.reshape(-1, 2)[region >= 0].astype(np.float64)
    region = region[region >= 0]
    n = len(MDMO_POINTS)
    bin_ = np.round(np.arctan2(vectors[:, 1], vectors[:, 0]) * (bins / (2 * np.pi))).astype(int) % bins
    moves = (vectors != 0).any(1)
    counts = np.bincount((region * bins + bin_)[moves], minlength=n * bins).reshape(n, bins)
    main = (bin_ == counts.argmax(1)[region]) & moves
    # The angle of the summed vectors, unlike the mean of the angles, is well defined across the jump at pi.
    total = np.maximum(np.bincount(region[main], minlength=n), 1)
    length = np.bincount(region[main], np.hypot(*vectors[main].T), n) / total
    sums = [np.bincount(region[main], vectors[main, axis], n) for axis in (0, 1)]
    angle = np.arctan2(sums[1], sums[0])
    return np.concatenate([beta * length / (length.max() or 1), (1 - beta) * angle]).astype(np.float32)
