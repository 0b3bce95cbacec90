"""DecFlow as flow methods: two frames in, a `Flow` out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from mer.decflow.lite import MULTIPLE
from mer.face.align import face_mask, mean_landmarks
from mer.face.regions import OUTER_EYE_CORNERS
from mer.flow import Flow
from mer.flow.rigid_head import BORDER, soft_mask
from mer.utils.torch_setup import find_device

if TYPE_CHECKING:
    from torch import Tensor


def decflow(
    onset: NDArray[np.uint8],
    apex: NDArray[np.uint8],
    *,
    landmarks: NDArray[np.float32] | None = None,
    device: str = "auto",
    weights: str = "decflow",
) -> Flow:
    """Facial, head and expression flow by the lite network.

    Parameters
    ----------
    onset, apex : uint8 (H, W, 3)
        RGB, aligned face crops.
    landmarks : float32 (478, 3), optional
        The onset's; without them the mean face is assumed where alignment puts it.
    device : str
        `auto`, `cpu` or `cuda`.
    weights : str
        Name or path; see :mod:`mer.decflow.weights`.
    """
    import torch

    from mer.decflow.prior import face_map, start_flows
    from mer.decflow.weights import load_network

    height, width = _check(onset, apex)
    points = mean_landmarks((height, width)) if landmarks is None else np.asarray(landmarks, np.float32)
    device = find_device(device)
    network = load_network("lite", weights, device)
    frames = [_pad(frame, MULTIPLE, 0) for frame in (onset, apex)]
    arrays = [
        *(frame.transpose(2, 0, 1) for frame in frames),
        face_map(points, frames[0].shape[:2]),
        start_flows(frames[0], frames[1], points),
    ]
    with torch.inference_mode(), _few_threads(height * width):
        tensors = [torch.from_numpy(np.ascontiguousarray(a, np.float32))[None].to(device) for a in arrays]
        ((facial, head),) = network(*tensors)
    # Outside the face there is no expression.
    facial, head = (_field(f, (height, width)) for f in (facial, head))
    mask = face_mask(points, (height, width))
    unit = float(np.linalg.norm(np.subtract(*points[list(OUTER_EYE_CORNERS), :2])))
    share = soft_mask(mask, BORDER * unit)[..., None]
    return Flow.split(facial, facial + share * (head - facial), mask)


def decflow_paper(
    onset: NDArray[np.uint8],
    apex: NDArray[np.uint8],
    *,
    landmarks: NDArray[np.float32] | None = None,
    device: str = "auto",
    weights: str = "decflow-paper",
    iterations: int = 12,
) -> Flow:
    """Facial, head and expression flow by the published network, with the authors' converted weights.

    The fields are the network's own in every pixel, outside the face too.

    Parameters
    ----------
    onset, apex : uint8 (H, W, 3)
        RGB.
    landmarks : float32 (478, 3), optional
        The onset's; they give the mask alone. Without them, the whole crop counts as face.
    device : str
        `auto`, `cpu` or `cuda`.
    weights : str
        Name or path; see :mod:`mer.decflow.weights`.
    iterations : int
        12 as in the authors' evaluation; their demonstration takes 24.
    """
    import torch

    from mer.decflow.paper import SMALLEST
    from mer.decflow.weights import load_network

    height, width = _check(onset, apex)
    device = find_device(device)
    network = load_network("paper", weights, device)
    frames = [_pad(frame, 8, SMALLEST) for frame in (onset, apex)]
    with torch.inference_mode():
        tensors = [torch.from_numpy(f.transpose(2, 0, 1).astype(np.float32))[None].to(device) for f in frames]
        ((facial, head),) = network(*tensors, iterations)
    mask = None if landmarks is None else face_mask(landmarks, (height, width))
    return Flow.split(_field(facial, (height, width)), _field(head, (height, width)), mask)


@contextmanager
def _few_threads(pixels: int) -> Iterator[None]:
    """One thread for small frames: at 224 px a second one doubles the work and gains nothing; at 480 px it helps."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1 if pixels <= 320 * 320 else threads)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _check(onset: np.ndarray, apex: np.ndarray) -> tuple[int, int]:
    if onset.shape != apex.shape or onset.ndim != 3 or onset.shape[2] != 3 or onset.dtype != np.uint8:
        raise ValueError(
            f"the frames are {onset.dtype} {onset.shape} and {apex.dtype} {apex.shape}; "
            "expected uint8 (height, width, 3), the same for both"
        )
    return onset.shape[0], onset.shape[1]


def _pad(frame: NDArray[np.uint8], multiple: int, smallest: int) -> NDArray[np.uint8]:
    """The frame with its last row and column repeated until both sides fit."""
    height, width = frame.shape[:2]
    down, right = (max(-(-n // multiple) * multiple, smallest) - n for n in (height, width))
    return np.asarray(cv2.copyMakeBorder(frame, 0, down, 0, right, cv2.BORDER_REPLICATE), np.uint8)


def _field(tensor: Tensor, shape: tuple[int, int]) -> NDArray[np.float32]:
    """`(1, 2, H, W)` as `(H, W, 2)` without its padding."""
    height, width = shape
    return np.asarray(tensor[0, :, :height, :width].float().permute(1, 2, 0).cpu().numpy())
