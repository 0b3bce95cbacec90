"""The semantic prior of the lite network: which point of a face each pixel shows.

A map of canonical face coordinates, interpolated between landmarks. It needs no licensed model, and where no landmarks
are known it falls back on those of the mean face at the place where alignment puts it.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import LinearNDInterpolator

from mer.face.align import face_mask
from mer.face.canonical import canonical_landmarks
from mer.face.regions import OUTER_EYE_CORNERS
from mer.flow.classical import dis
from mer.flow.rigid_head import RigidHead

CHANNELS = 5  # canonical x, y, z; depth of the landmarks; 1 inside the face
STRIDE = 4  # pixels of the frame per cell of the map

_FAR = 1.6  # interocular distances from the face's middle to a ring of points that stands for the rest of the head
_BACK = 1.1  # depth of that ring
_MIDDLE = 0.35  # canonical y of the face's middle


def face_map(landmarks: NDArray[np.float32], shape: tuple[int, int]) -> NDArray[np.float32]:
    """Canonical face coordinates of each cell of a frame.

    Parameters
    ----------
    landmarks : float32 (478, 3)
        MediaPipe's face-mesh points in pixels of the frame, z smaller is nearer.
    shape : (height, width)
        Of the frame, multiples of 4.

    Returns
    -------
    float32 (5, height / 4, width / 4)
        Canonical x, y and z; the landmarks' own depth, from the eyes; 1 inside the face oval, 0 outside. Lengths are in
        interocular distances. Outside the face the coordinates go on smoothly to a ring behind it.
    """
    height, width = shape
    if height % STRIDE or width % STRIDE:
        raise ValueError(f"the frame is {height} x {width}; both sides must be multiples of {STRIDE}")
    landmarks = np.asarray(landmarks, np.float64)
    canonical = canonical_landmarks().astype(np.float64)
    right, left = landmarks[list(OUTER_EYE_CORNERS)]
    unit = max(float(np.linalg.norm(left - right)), 1e-6)
    depth = (landmarks[:, 2] - (left[2] + right[2]) / 2) / unit

    # x, y in the frame as an affine function of canonical x, y, to place the ring.
    design = np.column_stack([canonical[:, :2], np.ones(len(canonical))])
    affine, *_ = np.linalg.lstsq(design, landmarks[:, :2], rcond=None)
    ring = _ring()
    points = np.concatenate([landmarks[:, :2], np.column_stack([ring[:, :2], np.ones(len(ring))]) @ affine])
    values = np.column_stack([np.concatenate([canonical, ring]), np.concatenate([depth, ring[:, 2]])])

    y, x = np.mgrid[: height // STRIDE, : width // STRIDE] * STRIDE + (STRIDE - 1) / 2
    coordinates = LinearNDInterpolator(points, values)(x, y)
    outside = np.isnan(coordinates[..., 0])
    if outside.any():  # beyond the ring: its nearest point
        away = (x[outside][:, None] - points[-len(ring) :, 0]) ** 2 + (
            y[outside][:, None] - points[-len(ring) :, 1]
        ) ** 2
        coordinates[outside] = values[-len(ring) :][away.argmin(axis=1)]

    inside = face_mask((landmarks - (STRIDE - 1) / 2) / STRIDE, (height // STRIDE, width // STRIDE))
    return np.concatenate([coordinates.transpose(2, 0, 1), inside[None]]).astype(np.float32)


@lru_cache(maxsize=1)
def _ring() -> NDArray[np.float64]:
    angle = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    return np.column_stack([_FAR * np.sin(angle), _MIDDLE - _FAR * np.cos(angle), np.full(24, _BACK)])


def start_flows(
    onset: NDArray[np.uint8], apex: NDArray[np.uint8], landmarks: NDArray[np.float32]
) -> NDArray[np.float32]:
    """The fields that the lite network starts from, on the 1/4 grid, `(4, H/4, W/4)` in pixels of the frame.

    The facial flow is DIS (Kroeger et al., ECCV 2016), the head flow a robust rigid fit to it (:mod:`mer.flow.rigid_head`);
    together 45 ms at 224 px.
    """
    facial, shape = dis(onset, apex), onset.shape[:2]
    rigid = RigidHead.from_landmarks(landmarks, shape)
    try:
        head = rigid.flow(*rigid.fit(facial, face_mask(landmarks, shape)))
    except ValueError:  # hardly any face in the frame: nothing says that it moves
        head = np.zeros_like(facial)
    return np.concatenate([cells(facial), cells(head)])


def cells(field: NDArray[np.float32]) -> NDArray[np.float32]:
    """`(H, W, 2)` averaged over cells of 4 x 4 pixels: `(2, H/4, W/4)`, still in pixels of the frame."""
    height, width = field.shape[:2]
    return np.ascontiguousarray(
        field.reshape(height // STRIDE, STRIDE, width // STRIDE, STRIDE, 2).mean(axis=(1, 3)).transpose(2, 0, 1)
    )
