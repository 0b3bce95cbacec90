"""One similarity transform takes the face of a clip to a square crop: eyes level, always the same size and place.

The transform is computed once, on the onset, from points that expressions hardly move, and applied to every frame. So
what moves in the clip moves in the crop, times the scale: jittering landmarks add nothing to it and hide nothing.
Coordinates are as in OpenCV and in flow: whole numbers at the centers of pixels.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mer.face.canonical import N_LANDMARKS, canonical_landmarks
from mer.face.pose import fit_pose
from mer.face.regions import OUTER_EYE_CORNERS, OVAL, REGIONS, STABLE
from mer.utils.opencv import import_cv2

# Where the canonical face stands in the crop, as shares of its side: the face from the hairline to below the chin takes
# three quarters of the height, and an eighth is left at each end for long faces, open mouths and motion.
CROP_SCALE = 0.42  # one interocular distance
CROP_CENTER = (0.0, 0.33, -0.05)  # the point of the canonical face that comes to the crop's center
_SUB = 4  # fractional bits of polygon corners


@dataclass(frozen=True, eq=False)
class Alignment:
    """The similarity transform from an image to the aligned crop.

    Attributes
    ----------
    matrix : float64 (2, 3)
        Takes a point `(x, y, 1)` of the image to the crop, in pixels: rotation, one scale, translation.
    size : int
        Side of the crop, pixels.
    scale : float
        This face's interocular distance in the crop, pixels: between the outer corners of the eyes, in depth too, so
        that a turned head does not look smaller.
    """

    matrix: NDArray[np.float64]
    size: int
    scale: float

    @property
    def inverse(self) -> NDArray[np.float64]:
        """The transform back, from the crop to the image, `(2, 3)`."""
        return import_cv2().invertAffineTransform(self.matrix)


def align(landmarks: ArrayLike, size: int = 224) -> Alignment:
    """The similarity transform that takes a face to its place in a `size` x `size` crop.

    Parameters
    ----------
    landmarks : (478, 3)
        Face-mesh points, pixels of the image. Corners of the eyes, bridge of the nose and temples
        (:data:`mer.face.regions.STABLE`) are fitted to the canonical face by least squares in three dimensions; points
        far from their place are left out, so that a wrong one does no harm.
    size : int
        Side of the crop, pixels.

    Raises
    ------
    ValueError
        For another shape, points that are not finite or all in one place, or a size below 16.
    """
    points = np.asarray(landmarks, np.float64)
    if points.shape != (N_LANDMARKS, 3):
        raise ValueError(
            f"landmarks have shape {points.shape}; expected ({N_LANDMARKS}, 3), as detect_faces gives them"
        )
    if size < 16:
        raise ValueError(f"a crop of {size} pixels is too small to show a face; 64 is small, 224 is usual")
    if not np.isfinite(points).all():
        raise ValueError("landmarks hold values that are not finite")
    if np.ptp(points[list(STABLE)], axis=0).max() < 1e-3:
        raise ValueError("landmarks all lie in one place")
    stable = list(STABLE)
    size_in_image, rotation, translation = fit_pose(points[stable], canonical_landmarks()[stable])
    # What the image's plane sees of the head's rotation, as near as an in-plane one comes to it.
    turn = math.atan2(rotation[1, 0] - rotation[0, 1], rotation[0, 0] + rotation[1, 1])
    zoom = CROP_SCALE * size / size_in_image
    linear = zoom * np.array([[math.cos(turn), math.sin(turn)], [-math.sin(turn), math.cos(turn)]])
    center = (size_in_image * rotation @ CROP_CENTER + translation)[:2]
    matrix = np.column_stack([linear, (size - 1) / 2 - linear @ center])
    right, left = points[list(OUTER_EYE_CORNERS)]
    return Alignment(matrix, size, zoom * float(np.linalg.norm(left - right)))


def crop_landmarks(size: int = 224) -> NDArray[np.float32]:
    """Where the points of the canonical face come to lie in a `size` x `size` crop, `(478, 3)`, pixels."""
    corner = (size - 1) / 2 - CROP_SCALE * size * np.array(CROP_CENTER[:2])
    return (canonical_landmarks() * (CROP_SCALE * size) + [*corner, 0.0]).astype(np.float32)


def mean_landmarks(shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Landmarks of the mean face at the position that alignment gives it in a crop that need not be square.

    Parameters
    ----------
    shape : (height, width)
        Of the crop, pixels.

    Returns
    -------
    float32 (478, 3)
        Pixels of the crop.
    """
    height, width = shape
    landmarks = crop_landmarks(min(height, width))
    landmarks[:, :2] += np.subtract((width, height), min(height, width)) / 2
    return landmarks


def crop(image: np.ndarray, alignment: Alignment) -> NDArray[np.uint8]:
    """The aligned face: `(size, size, 3)` from a uint8 image `(H, W, 3)`; `(size, size)` from a gray one.

    Each pixel of a crop that is smaller than its source is the mean of an area, since sampling single points would let
    fine structure flicker as it moves. Beyond the image its border goes on, which looks less like motion than a black
    edge or a mirror image would; :func:`frame_mask` says where.
    """
    cv2 = import_cv2()
    scale = math.hypot(*alignment.matrix[0, :2])
    fine = max(1, math.ceil(1 / scale - 1e-6))  # pixels a side, within a pixel of the crop, to be averaged
    if fine == 1:
        return _warp(image, alignment.matrix, alignment.size, cv2.INTER_CUBIC)
    matrix = alignment.matrix * fine
    matrix[:, 2] += (fine - 1) / 2  # keeps the centers of pixels where they are
    warped = _warp(image, matrix, alignment.size * fine, cv2.INTER_LINEAR)
    return cv2.resize(warped, (alignment.size, alignment.size), interpolation=cv2.INTER_AREA)


def _warp(image: np.ndarray, matrix: np.ndarray, size: int, interpolation: int) -> np.ndarray:
    cv2 = import_cv2()
    return cv2.warpAffine(image, matrix, (size, size), flags=interpolation, borderMode=cv2.BORDER_REPLICATE)


def transform(landmarks: ArrayLike, matrix: ArrayLike) -> NDArray[np.float32]:
    """Points `(n, 2)` or `(n, 3)` through a similarity `(2, 3)`, as :attr:`Alignment.matrix`; scales depth too."""
    points, matrix = np.asarray(landmarks, np.float64), np.asarray(matrix, np.float64)
    out = points.copy()
    out[:, :2] = points[:, :2] @ matrix[:, :2].T + matrix[:, 2]
    out[:, 2:] *= math.hypot(*matrix[0, :2])
    return out.astype(np.float32)


def face_mask(landmarks: ArrayLike, size: int | tuple[int, int]) -> NDArray[np.uint8]:
    """The face's oval, from mid-forehead to chin: `(H, W)`, 1 inside and 0 outside.

    Parameters
    ----------
    landmarks : (478, 2 or 3)
        Pixels of the image or crop that the mask is for. They may lie beyond its border.
    size : int or (H, W)
        Size of the mask, pixels.
    """
    return _fill(np.asarray(landmarks, np.float64)[list(OVAL), :2], size)


def region_mask(landmarks: ArrayLike, region: str, size: int | tuple[int, int]) -> NDArray[np.uint8]:
    """One of :data:`mer.face.regions.REGIONS`, as :func:`face_mask`: `(H, W)`, 1 inside the hull of its points."""
    if region not in REGIONS:
        raise ValueError(f"no region {region!r} of the face; there are {', '.join(REGIONS)}")
    if region == "oval":
        return face_mask(landmarks, size)
    cv2 = import_cv2()
    points = np.asarray(landmarks, np.float32)[list(REGIONS[region]), :2]
    return _fill(cv2.convexHull(np.ascontiguousarray(points))[:, 0].astype(np.float64), size)


def frame_mask(alignment: Alignment, frame: tuple[int, int]) -> NDArray[np.uint8]:
    """Where the crop shows the frame of `(H, W)` pixels and not what was made up beyond its border: `(size, size)`."""
    height, width = frame
    corners = [(-0.5, -0.5), (width - 0.5, -0.5), (width - 0.5, height - 0.5), (-0.5, height - 0.5)]
    return _fill(transform(corners, alignment.matrix), alignment.size)


def _fill(polygon: np.ndarray, size: int | tuple[int, int]) -> NDArray[np.uint8]:
    cv2 = import_cv2()
    mask = np.zeros((size, size) if isinstance(size, int) else size, np.uint8)
    corners = np.round(polygon * 2**_SUB).astype(np.int32)
    return cv2.fillPoly(mask, [corners], 1, shift=_SUB)


Box = tuple[float, float, float, float]  # left, top, right, bottom

# Left, top, right and bottom, in interocular distances from the middle between the eyes: ear to ear, mid-forehead to
# chin.
BOX: Box = (-0.80, -0.62, 0.80, 1.28)


def face_box(field: np.ndarray, box: Box = BOX, size: int = 28) -> np.ndarray:
    """Cut a box out of fields on the aligned crop `(S, S, 2)` and resample it to `(size, size, 2)`.

    The values keep their unit. Beyond the crop its border goes on.
    """
    cv2 = import_cv2()
    field = np.asarray(field, np.float32)
    scale = CROP_SCALE * len(field)
    corner = (len(field) - 1) / 2 - scale * np.array(CROP_CENTER[:2])  # the middle between the eyes
    step = np.array([box[2] - box[0], box[3] - box[1]]) * scale / size  # pixels of the crop to one of the box
    start = corner + scale * np.array(box[:2]) + step / 2
    blur = np.sqrt(np.maximum(step**2 - 1, 0.01)) / 2  # so that nothing aliases where it shrinks
    soft = cv2.GaussianBlur(field, (0, 0), sigmaX=float(blur[0]), sigmaY=float(blur[1]))
    matrix = np.array([[step[0], 0, start[0]], [0, step[1], start[1]]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(soft, matrix, (size, size), flags=flags, borderMode=cv2.BORDER_REPLICATE)
