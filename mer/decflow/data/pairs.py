"""A pair of frames with exact flows, and the tensors that a network is trained on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mer.decflow.prior import face_map, initial_flows

Array = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Pair:
    """Two frames and the flows between them.

    Attributes
    ----------
    onset, apex : uint8 (H, W, 3)
        RGB.
    facial, head : float32 (H, W, 2)
        Pixels, x first, on the onset's grid; expression flow is their difference.
    mask : uint8 (H, W)
        1 where the onset shows the face.
    landmarks : float32 (478, 3) or None
        Of the onset.
    visible : uint8 (H, W) or None
        0 where a pixel of the onset is hidden in the apex; None if unknown.
    """

    onset: NDArray[np.uint8]
    apex: NDArray[np.uint8]
    facial: Array
    head: Array
    mask: NDArray[np.uint8]
    landmarks: Array | None = None
    visible: NDArray[np.uint8] | None = None


def pixel_coordinates(size: int) -> NDArray[np.float64]:
    """Coordinates `(size, size, 2)` of the pixels of a square frame, x first."""
    return np.stack(np.meshgrid(np.arange(size), np.arange(size)), axis=-1).astype(np.float64)


def to_tensors(pair: Pair, landmarks: Array) -> dict[str, Tensor]:
    """The inputs of the networks and of the loss for one pair, whose sides are multiples of 32.

    Returns
    -------
    dict
        `onset`, `apex` `(3, H, W)`; `facial`, `head` `(2, H, W)`; `mask`, `visible` `(1, H, W)`; `prior`
        `(5, H/4, W/4)`, computed from `landmarks`; `start` `(4, H/4, W/4)`, the initial flows. All float32.
    """
    height, width = pair.mask.shape
    visible = np.ones((height, width), np.uint8) if pair.visible is None else pair.visible
    arrays = {
        "onset": pair.onset.transpose(2, 0, 1),
        "apex": pair.apex.transpose(2, 0, 1),
        "facial": pair.facial.transpose(2, 0, 1),
        "head": pair.head.transpose(2, 0, 1),
        "mask": pair.mask[None],
        "visible": visible[None],
        "prior": face_map(landmarks, (height, width)),
        "start": initial_flows(pair.onset, pair.apex, landmarks),
    }
    return {name: torch.from_numpy(np.ascontiguousarray(array, dtype=np.float32)) for name, array in arrays.items()}
