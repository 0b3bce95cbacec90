"""A pair of frames with its exact flows, and the batch of tensors that a network is trained on."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mer.decflow.prior import STRIDE, face_map

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
        0 where the apex hides what the onset shows; None where it is not known.
    """

    onset: NDArray[np.uint8]
    apex: NDArray[np.uint8]
    facial: Array
    head: Array
    mask: NDArray[np.uint8]
    landmarks: Array | None = None
    visible: NDArray[np.uint8] | None = None


def start_flow(onset: NDArray[np.uint8], apex: NDArray[np.uint8]) -> Array:
    """The field that the lite network starts from: DIS (Kroeger et al., ECCV 2016) in 3 to 10 ms, `(H, W, 2)`."""
    gray = [cv2.cvtColor(np.ascontiguousarray(frame), cv2.COLOR_RGB2GRAY) for frame in (onset, apex)]
    dis = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    # From nothing: a field of zeros would count as a start, and DIS then searches less at its coarsest scale.
    return np.asarray(dis.calc(gray[0], gray[1], None), np.float32)  # type: ignore[call-overload]


def cells(field: Array) -> Array:
    """`(H, W, 2)` averaged over cells of 4 x 4 pixels: `(2, H/4, W/4)`, still in pixels of the frame."""
    height, width = field.shape[:2]
    return np.ascontiguousarray(
        field.reshape(height // STRIDE, STRIDE, width // STRIDE, STRIDE, 2).mean(axis=(1, 3)).transpose(2, 0, 1)
    )


def to_tensors(pair: Pair, landmarks: Array) -> dict[str, Tensor]:
    """What the networks and the losses read, for one pair; sides are multiples of 16.

    Returns
    -------
    dict
        `onset`, `apex` `(3, H, W)`; `facial`, `head` `(2, H, W)`; `mask`, `visible` `(1, H, W)`; `prior`
        `(5, H/4, W/4)` drawn from `landmarks`; `start` `(2, H/4, W/4)`. All float32.
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
        "start": cells(start_flow(pair.onset, pair.apex)),
    }
    return {name: torch.from_numpy(np.ascontiguousarray(array, dtype=np.float32)) for name, array in arrays.items()}
