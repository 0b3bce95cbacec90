"""The DecFlow networks as flow methods: two frames in, a `Flow` out.

Functions import torch and the networks when they are called, so that importing this module stays fast. A module-level
placeholder (`lazy_loader.load("torch")`) would not help: SciPy and scikit-learn find it in `sys.modules` and load it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from mer.decflow.prior import face_map, initial_flows
from mer.face.align import crop_landmarks, face_mask
from mer.face.regions import OUTER_EYE_CORNERS
from mer.flow import Flow
from mer.flow.rigid_head import BORDER, soft_mask
from mer.utils.torch_setup import find_device

if TYPE_CHECKING:
    from torch import Tensor

SMALL_FRAME = 320 * 320  # pixels; up to this size a second thread costs more than it saves


def decflow(
    onset: NDArray[np.uint8],
    apex: NDArray[np.uint8],
    *,
    landmarks: NDArray[np.float32] | None = None,
    device: str = "auto",
    weights: str = "decflow",
) -> Flow:
    """Facial, head and expression flow by the lite network.

    Outside the face, head flow equals facial flow, so expression flow is zero there. Identical frames give zero.

    Parameters
    ----------
    onset, apex : uint8 (H, W, 3)
        RGB, aligned face crops.
    landmarks : float32 (478, 3), optional
        Face-mesh points of the onset, pixels; by default the mean face at its place in an aligned crop.
    device : str
        `auto`, `cpu` or `cuda`.
    weights : str
        Name or path; see :mod:`mer.decflow.weights`.
    """
    import torch

    from mer.decflow.lite import MULTIPLE
    from mer.decflow.weights import load_network

    height, width = _check_frames(onset, apex)
    points = crop_landmarks((height, width)) if landmarks is None else np.asarray(landmarks, np.float32)
    device = find_device(device)
    network = load_network("lite", weights, device)
    mask = face_mask(points, (height, width))
    if np.array_equal(onset, apex):
        zero = np.zeros((height, width, 2), np.float32)
        return Flow.split(zero, zero, mask)
    first, second = (_pad(frame, (0, -height % MULTIPLE), (0, -width % MULTIPLE)) for frame in (onset, apex))
    arrays = [
        first.transpose(2, 0, 1),
        second.transpose(2, 0, 1),
        face_map(points, first.shape[:2]),
        initial_flows(first, second, points),
    ]
    with torch.inference_mode(), _one_thread_if_small(height * width):
        inputs = [torch.from_numpy(np.ascontiguousarray(array, np.float32))[None].to(device) for array in arrays]
        facial, head = (_to_array(field)[:height, :width] for field in network(*inputs)[-1])
    interocular = float(np.linalg.norm(np.subtract(*points[list(OUTER_EYE_CORNERS), :2])))
    inside = soft_mask(mask, BORDER * interocular)[..., None]
    return Flow.split(facial, facial + inside * (head - facial), mask)


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

    The three fields are the network's output at every pixel, also outside the face.

    Parameters
    ----------
    onset, apex : uint8 (H, W, 3)
        RGB.
    landmarks : float32 (478, 3), optional
        Face-mesh points of the onset, used for the mask only. Without them, the whole crop counts as face.
    device : str
        `auto`, `cpu` or `cuda`.
    weights : str
        Name or path; see :mod:`mer.decflow.weights`.
    iterations : int
        Refinements: 12 in the authors' evaluation, 24 in their demo.
    """
    import torch

    from mer.decflow.weights import load_network

    height, width = _check_frames(onset, apex)
    device = find_device(device)
    network = load_network("paper", weights, device)
    rows, columns = _paper_padding(height), _paper_padding(width)
    frames = [_pad(frame, rows, columns) for frame in (onset, apex)]
    inside = slice(rows[0], rows[0] + height), slice(columns[0], columns[0] + width)
    with torch.inference_mode():
        inputs = [torch.from_numpy(frame.transpose(2, 0, 1).astype(np.float32))[None].to(device) for frame in frames]
        facial, head = (_to_array(field)[inside] for field in network(*inputs, iterations)[-1])
    mask = None if landmarks is None else face_mask(landmarks, (height, width))
    return Flow.split(facial, head, mask)


@contextmanager
def _one_thread_if_small(pixels: int) -> Iterator[None]:
    """Use one thread for small frames: at 224 px a second one saves no time, at 480 px it does."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1 if pixels <= SMALL_FRAME else threads)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _check_frames(onset: np.ndarray, apex: np.ndarray) -> tuple[int, int]:
    if onset.shape != apex.shape or onset.ndim != 3 or onset.shape[2] != 3 or onset.dtype != np.uint8:
        raise ValueError(
            f"the frames are {onset.dtype} {onset.shape} and {apex.dtype} {apex.shape}; "
            "expected uint8 (height, width, 3), the same for both"
        )
    return onset.shape[0], onset.shape[1]


def _pad(frame: NDArray[np.uint8], rows: tuple[int, int], columns: tuple[int, int]) -> NDArray[np.uint8]:
    """Repeat the border of a frame: rows above and below, columns on the left and right."""
    return np.asarray(cv2.copyMakeBorder(frame, *rows, *columns, cv2.BORDER_REPLICATE), np.uint8)


def _paper_padding(side: int) -> tuple[int, int]:
    """Pixels before and after a side: to a multiple of 8 on both sides, as the authors' demo does.

    Frames below 128 pixels, which their network cannot process, are extended at the end.
    """
    from mer.decflow.paper import SMALLEST

    to_multiple = -side % 8
    before = to_multiple // 2
    return before, max(side + to_multiple, SMALLEST) - side - before


def _to_array(field: Tensor) -> NDArray[np.float32]:
    """`(1, 2, H, W)` as `(H, W, 2)`."""
    return np.asarray(field[0].float().permute(1, 2, 0).cpu().numpy())
