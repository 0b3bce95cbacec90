"""The canonical face: the mean shape that alignment, MTCNN's landmarks and the head's depth refer to.

`canonical.npz` is the mean of 626 generated faces of SFHQ and SFHQ-T2I (David Beniaguev, MIT licence), computed by
`benchmarks/canonical.py`. No photograph of a real person went into it.
"""

from __future__ import annotations

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
    """The mean frontal face with a closed mouth, symmetric.

    Returns
    -------
    float32 (478, 3)
        MediaPipe's face-mesh points; x to the image's right, y down, z smaller is nearer. The origin is midway between
        the outer corners of the eyes and the unit is the distance between them (points 33 and 263). A new array each
        time.
    """
    return _load().copy()
