"""Facial flow between two frames and its decomposition into head flow and expression flow."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Field = NDArray[np.float32]  # (H, W, 2), pixels, x (right) first, then y (down)
Mask = NDArray[np.uint8]  # (H, W), 1 inside the face, 0 outside
UNKNOWN = 1e9  # pixels; Middlebury's .flo marks pixels of unknown flow with components of this size or larger


@dataclass(frozen=True, eq=False)
class Flow:
    """Facial, head and expression flow from the onset to the apex, on the onset's pixel grid.

    The point at `(x, y)` in the onset is at `(x, y) + facial[y, x]` in the apex. `expression = facial - head` is a
    difference per pixel, without warping (FacialFlowNet, Lu et al., ACM MM 2024, Section 3).

    Attributes
    ----------
    facial, head, expression : float32 (H, W, 2)
        Pixels; x (right) first, then y (down).
    mask : uint8 (H, W)
        1 inside the face, 0 outside.
    """

    facial: Field
    head: Field
    expression: Field
    mask: Mask

    @classmethod
    def split(cls, facial: np.ndarray, head: np.ndarray, mask: np.ndarray | None = None) -> Flow:
        """Compute `expression = facial - head`. Without a mask, the whole crop counts as face.

        Raises
        ------
        ValueError
            If the shapes are wrong or differ, or a value is unknown.
        """
        facial, head = check_field(facial, "facial flow"), check_field(head, "head flow")
        if facial.shape != head.shape:
            raise ValueError(f"facial and head flow differ in shape: {facial.shape} and {head.shape}")
        height_width = facial.shape[:2]
        mask = np.ones(height_width, np.uint8) if mask is None else (np.asarray(mask) != 0).astype(np.uint8)
        if mask.shape != height_width:
            raise ValueError(f"the mask is {mask.shape} but the flow is {height_width}")
        return cls(facial, head, facial - head, mask)


def check_field(field: np.ndarray, name: str = "flow") -> Field:
    """Return `field` as float32 `(H, W, 2)`; `ValueError` for another shape or if the flow of a pixel is unknown."""
    field = np.asarray(field)
    if field.ndim != 3 or field.shape[2] != 2 or 0 in field.shape:
        raise ValueError(f"{name} has shape {field.shape}; expected (height, width, 2), x first")
    field = np.ascontiguousarray(field, dtype=np.float32)
    known = np.abs(field) < UNKNOWN  # False for NaN
    if not known.all():
        raise ValueError(
            f"{name} has {int((~known).sum())} values that are not finite or mark unknown flow (1e9 pixels or more); "
            "mer needs the flow of every pixel"
        )
    return field
