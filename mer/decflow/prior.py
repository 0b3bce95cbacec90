"""What the lite network reads beside the frames: the semantic prior and initial flows.

The semantic prior maps each pixel to its point on the canonical face, interpolated between landmarks. It needs no
licensed face model, and works with the landmarks of the mean face if none are known.
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

# A ring of points around the face represents the rest of the head. Lengths are in interocular distances.
RING_POINTS = 24
RING_RADIUS = 1.6
RING_DEPTH = 1.1
RING_CENTER = 0.35  # canonical y of the middle of the face


def face_map(landmarks: NDArray[np.float32], shape: tuple[int, int]) -> NDArray[np.float32]:
    """Canonical face coordinates of each cell of a frame.

    Parameters
    ----------
    landmarks : float32 (478, 3)
        MediaPipe's face-mesh points in pixels of the frame; a smaller z is nearer.
    shape : (height, width)
        Of the frame, multiples of 4.

    Returns
    -------
    float32 (5, height / 4, width / 4)
        Canonical x, y and z; the landmarks' own depth relative to the eyes; 1 inside the face oval, 0 outside. Lengths
        are in interocular distances. Outside the face the coordinates continue smoothly to a ring behind it.
    """
    height, width = shape
    if height % STRIDE or width % STRIDE:
        raise ValueError(f"the frame is {height} x {width}; both sides must be multiples of {STRIDE}")
    landmarks = np.asarray(landmarks, np.float64)
    canonical = canonical_landmarks().astype(np.float64)
    right, left = landmarks[list(OUTER_EYE_CORNERS)]
    interocular = max(float(np.linalg.norm(left - right)), 1e-6)
    depth = (landmarks[:, 2] - (left[2] + right[2]) / 2) / interocular

    # x, y in the frame as an affine function of canonical x, y, to place the ring.
    design = np.column_stack([canonical[:, :2], np.ones(len(canonical))])
    affine, *_ = np.linalg.lstsq(design, landmarks[:, :2], rcond=None)
    ring = _ring()
    ring_in_frame = np.column_stack([ring[:, :2], np.ones(len(ring))]) @ affine
    ring_values = np.column_stack([ring, ring[:, 2]])
    points = np.concatenate([landmarks[:, :2], ring_in_frame])
    values = np.concatenate([np.column_stack([canonical, depth]), ring_values])

    y, x = np.mgrid[: height // STRIDE, : width // STRIDE] * STRIDE + (STRIDE - 1) / 2
    coordinates = LinearNDInterpolator(points, values)(x, y)
    outside = np.isnan(coordinates[..., 0])
    if outside.any():  # beyond the ring: its nearest point
        dx, dy = (axis[outside][:, None] - ring_in_frame[:, n] for n, axis in enumerate((x, y)))
        coordinates[outside] = ring_values[(dx**2 + dy**2).argmin(axis=1)]

    inside = face_mask((landmarks - (STRIDE - 1) / 2) / STRIDE, (height // STRIDE, width // STRIDE))
    return np.concatenate([coordinates.transpose(2, 0, 1), inside[None]]).astype(np.float32)


@lru_cache(maxsize=1)
def _ring() -> NDArray[np.float64]:
    """Canonical coordinates `(24, 3)` of the ring."""
    angle = np.linspace(0, 2 * np.pi, RING_POINTS, endpoint=False)
    x, y = RING_RADIUS * np.sin(angle), RING_CENTER - RING_RADIUS * np.cos(angle)
    return np.column_stack([x, y, np.full(RING_POINTS, RING_DEPTH)])


def initial_flows(
    onset: NDArray[np.uint8], apex: NDArray[np.uint8], landmarks: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Facial and head flow from which the lite network starts: `(4, H/4, W/4)`, pixels of the frame.

    The facial flow is DIS (Kroeger et al., ECCV 2016), the head flow a robust rigid fit to it
    (:mod:`mer.flow.rigid_head`); together they take 45 ms at 224 px.
    """
    facial, shape = dis(onset, apex), onset.shape[:2]
    rigid = RigidHead.from_landmarks(landmarks, shape)
    try:
        head = rigid.flow(*rigid.fit(facial, face_mask(landmarks, shape)))
    except ValueError:  # too little face in the frame for a fit
        head = np.zeros_like(facial)
    return np.concatenate([cell_means(facial), cell_means(head)])


def cell_means(field: NDArray[np.float32]) -> NDArray[np.float32]:
    """`(H, W, 2)` averaged over cells of 4 x 4 pixels: `(2, H/4, W/4)`, still in pixels of the frame."""
    height, width = field.shape[:2]
    cells = field.reshape(height // STRIDE, STRIDE, width // STRIDE, STRIDE, 2)
    return np.ascontiguousarray(cells.mean(axis=(1, 3)).transpose(2, 0, 1))
