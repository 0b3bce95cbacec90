"""Windows over the parts of the face, for flow fields on the aligned crop."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from mer.face import crop_landmarks, region_mask
from mer.features.fields import resize

# In the order of the windows. Parts that expressions move; the eyeball's own motion says little.
FACE_REGIONS = (
    "forehead", "right_brow", "left_brow", "glabella", "right_lids", "left_lids", "nose",
    "right_cheek", "left_cheek", "mouth", "chin",
)  # fmt: skip


@lru_cache(maxsize=8)
def region_windows(size: int) -> np.ndarray:
    """Weights `(11, size, size)` of each pixel of a crop in each of :data:`FACE_REGIONS`, the canonical face's.

    A weight is the share of the pixel that lies in the region. For crops of :func:`mer.face.align`; an image that
    somebody else aligned needs :func:`mer.features.grid_windows`. The result is shared: don't write to it.
    """
    fine = size * max(1, -(-224 // size))  # drawn at 224 pixels or more, then averaged down
    landmarks = crop_landmarks(fine)
    masks = [region_mask(landmarks, region, fine)[..., None] for region in FACE_REGIONS]
    windows = np.stack([resize(mask, size)[..., 0] for mask in masks])
    windows.flags.writeable = False
    return windows
