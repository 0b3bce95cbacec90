"""Flow fields as arrays: shape, size, mirror image, cosine transform."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, TypeVar

import cv2
import numpy as np
from scipy.fft import dctn

if TYPE_CHECKING:
    from torch import Tensor

FieldT = TypeVar("FieldT", np.ndarray, "Tensor")


def as_fields(rows: np.ndarray) -> np.ndarray:
    """Flow fields `(n, H, W, 2)`, float32, from fields of that shape or from flattened rows `(n, H * W * 2)`, H = W.

    Raises
    ------
    ValueError
        If the shape is wrong or a value is not finite.
    """
    return as_square(rows, (), (2,), "flow fields (n, H, W, 2) or (n, H * W * 2)")


def as_square(rows: np.ndarray, before: tuple[int, ...], after: tuple[int, ...], expected: str) -> np.ndarray:
    """Arrays `(n, *before, H, W, *after)`, float32, from that shape or flattened rows, H = W, for clips at least 2."""
    rows = np.asarray(rows)
    if rows.ndim == 2:
        values = math.prod(before + after)
        side = int(np.sqrt(rows.shape[1] / values) + 0.5)
        if side < 1 + len(before) or values * side * side != rows.shape[1]:
            raise ValueError(f"expected {expected}, H = W; found rows of {rows.shape[1]} values")
        rows = rows.reshape(len(rows), *before, side, side, *after)
    start = 1 + len(before)
    if rows.ndim != start + 2 + len(after) or rows.shape[1:start] != before or rows.shape[start + 2 :] != after:
        raise ValueError(f"expected {expected}; found {rows.shape}")
    if not np.isfinite(rows).all():
        raise ValueError(f"{int((~np.isfinite(rows)).sum())} values of the {expected.split(' (')[0]} are not finite")
    return np.ascontiguousarray(rows, dtype=np.float32)


def resize(image: np.ndarray, size: int) -> np.ndarray:
    """Resample `(H, W, C)` to `(size, size, C)`, float32; the values keep their unit.

    Shrinking averages over the area of each new pixel, which avoids aliasing and preserves the mean; enlarging
    interpolates linearly.
    """
    image = np.asarray(image, dtype=np.float32)
    if image.shape[:2] == (size, size):
        return image.copy()
    shrinks = size <= min(image.shape[:2])
    out = cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    return out.reshape(size, size, image.shape[2])  # OpenCV drops a single channel


def mirror(field: FieldT) -> FieldT:
    """Flow of the mirrored face: swap left and right and negate u.

    Parameters
    ----------
    field : array (..., H, W, C) or tensor (..., C, H, W)
        The first channel is u. Other channels, such as v and strain, keep their sign.
    """
    if isinstance(field, np.ndarray):
        mirrored = field[..., ::-1, :].copy()
        mirrored[..., 0] *= -1
        return mirrored
    tensor = field.flip(-1)
    tensor[..., 0, :, :] *= -1
    return tensor


def dct(flow: np.ndarray, size: int = 28, keep: int = 8, center: bool = True) -> np.ndarray:
    """Lowest coefficients of the orthonormal discrete cosine transform (type II) of u and v.

    Parameters
    ----------
    flow : (H, W, 2)
        x first, in any unit; resized to `size` x `size` first.
    keep : int
        Frequencies per axis, at most `size`.
    center : bool
        Subtract the median vector first, to remove residual head motion or a constant offset.

    Returns
    -------
    (keep * keep * 2,) float32
        In the order (vertical frequency, horizontal frequency, component); unit of the flow times pixels.
    """
    if not 1 <= keep <= size:
        raise ValueError(f"keep={keep} frequencies per axis; expected 1 to {size} for a field of {size} x {size}")
    field = resize(flow, size)
    if center:
        field = field - np.median(field, axis=(0, 1))
    return dctn(field, axes=(0, 1), norm="ortho")[:keep, :keep].ravel().astype(np.float32)
