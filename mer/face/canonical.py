"""The mean face: the shape that alignment, MTCNN's landmarks and the depth of the head refer to.

`canonical.npz` is the mean of 626 generated faces of SFHQ and SFHQ-T2I (David Beniaguev, MIT license), computed by
`benchmarks/canonical.py`. No photograph of a real person was used.
"""

from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

N_LANDMARKS = 478  # MediaPipe face mesh with irises


@lru_cache(maxsize=1)
def _load() -> NDArray[np.float32]:
    with np.load(Path(__file__).with_name("canonical.npz"), allow_pickle=False) as archive:
        return archive["landmarks"]


def canonical_landmarks() -> NDArray[np.float32]:
    """The landmarks of the mean face, frontal, symmetric and with a closed mouth, in interocular distances.

    :func:`mer.face.crop_landmarks` gives the same landmarks in pixels of the aligned crop.

    Returns
    -------
    float32 (478, 3)
        MediaPipe's face-mesh points: x to the right of the image, y down, smaller z is nearer. The origin is midway
        between the outer corners of the eyes (points 33 and 263), and the unit is the distance between them. Each call
        returns a new array.
    """
    return _load().copy()


@lru_cache(maxsize=1)
def mirrored_landmarks() -> NDArray[np.intp]:
    """For each of the 478 points, the index of its mirror image on the other side of the canonical face."""
    points = canonical_landmarks()
    distance = np.linalg.norm(points[:, None] - points[None] * [-1, 1, 1], axis=2)
    return distance.argmin(axis=1)
