"""The coarse shape of a field: its lowest spatial frequencies."""

from __future__ import annotations

import numpy as np
from scipy.fft import dctn

from mer.features.fields import resize


def dct(flow: np.ndarray, size: int = 28, keep: int = 8, center: bool = True) -> np.ndarray:
    """Lowest coefficients of the orthonormal discrete cosine transform (type II) of u and v.

    Parameters
    ----------
    flow : (H, W, 2)
        x first, in any unit; averaged down to `size` x `size`.
    keep : int
        Frequencies per axis, at most `size`.
    center : bool
        Subtract the median vector first: what is left of the head's motion, or a shifted zero.

    Returns
    -------
    (keep * keep * 2,) float32
        Vertical frequency, horizontal frequency, u and v; in the unit of the flow times pixels.
    """
    if not 1 <= keep <= size:
        raise ValueError(f"{keep} frequencies per axis of a field of {size} x {size}; expected 1 to {size}")
    field = resize(flow, size)
    if center:
        field = field - np.median(field, axis=(0, 1))
    return dctn(field, axes=(0, 1), norm="ortho")[:keep, :keep].ravel().astype(np.float32)
