"""Aligns a face to a square crop, and locates regions, masks and the face box in it.

One similarity transform per clip makes the eyes level and gives every face the same size and position. It is computed
on the onset, from points that expressions hardly move, and applied to all frames. Motion in the crop is therefore
motion in the video times the scale, and jitter of landmarks in later frames has no effect. Coordinates follow OpenCV:
integers are the centers of pixels.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mer.face.canonical import N_LANDMARKS, canonical_landmarks
from mer.face.pose import fit_pose
from mer.face.regions import OUTER_EYE_CORNERS, OVAL, REGIONS, STABLE
from mer.utils.opencv import import_cv2

# Position of the mean face in the crop. From the hairline to below the chin, it covers three quarters of the height; an
# eighth remains at each end for long faces, open mouths and motion.
CROP_SCALE = 0.42  # interocular distance, as a fraction of the crop's side
CROP_CENTER = (0.0, 0.33, -0.05)  # the point at the center of the crop, in coordinates of `canonical_landmarks`
_FRACTIONAL_BITS = 4  # of polygon corners

Box = tuple[float, float, float, float]  # left, top, right, bottom
# From ear to ear and from mid-forehead to chin, in interocular distances from the midpoint between the eyes.
FACE_BOX: Box = (-0.80, -0.62, 0.80, 1.28)


@dataclass(frozen=True, eq=False)
class Alignment:
    """The similarity transform from an image to the aligned crop.

    Attributes
    ----------
    matrix : float64 (2, 3)
        Maps a point `(x, y, 1)` of the image to the crop, pixels: rotation, uniform scale, translation.
    size : int
        Side of the crop, pixels.
    scale : float
        Interocular distance of this face in the crop, pixels: between the outer corners of the eyes in three
        dimensions, so that it does not shrink when the head turns.
    """

    matrix: NDArray[np.float64]
    size: int
    scale: float

    @property
    def inverse(self) -> NDArray[np.float64]:
        """The inverse transform, from the crop to the image, `(2, 3)`."""
        return import_cv2().invertAffineTransform(self.matrix)


def align(landmarks: ArrayLike, size: int = 224) -> Alignment:
    """The similarity transform from the image to a `size` x `size` crop of the face.

    Parameters
    ----------
    landmarks : (478, 3)
        Face-mesh points, pixels of the image. The mean face is fitted to the corners of the eyes, the bridge of the
        nose and the temples (:data:`mer.face.regions.STABLE`), in three dimensions and robustly
        (:func:`mer.face.pose.fit_pose`).
    size : int
        Side of the crop, pixels.

    Raises
    ------
    ValueError
        For landmarks of another shape, not finite or all at one point, or a size below 16.
    """
    points = np.asarray(landmarks, np.float64)
    if points.shape != (N_LANDMARKS, 3):
        raise ValueError(f"landmarks have shape {points.shape}; expected ({N_LANDMARKS}, 3), as from detect_faces")
    if size < 16:
        raise ValueError(f"a crop of {size} pixels is too small; expected 16 or more, 224 is usual")
    if not np.isfinite(points).all():
        raise ValueError("landmarks are not finite")
    if np.ptp(points[list(STABLE)], axis=0).max() < 1e-3:
        raise ValueError("landmarks are all at one point")
    stable = list(STABLE)
    interocular, rotation, translation = fit_pose(points[stable], canonical_landmarks()[stable])
    # The in-plane rotation that is nearest to the projection of the head's rotation.
    angle = math.atan2(rotation[1, 0] - rotation[0, 1], rotation[0, 0] + rotation[1, 1])
    zoom = CROP_SCALE * size / interocular
    linear = zoom * np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])
    center = (interocular * rotation @ CROP_CENTER + translation)[:2]
    matrix = np.column_stack([linear, (size - 1) / 2 - linear @ center])
    right, left = points[list(OUTER_EYE_CORNERS)]
    return Alignment(matrix, size, zoom * float(np.linalg.norm(left - right)))


def crop_landmarks(size: int | tuple[int, int] = 224) -> NDArray[np.float32]:
    """The landmarks of the mean face at the position where alignment puts every face.

    Parameters
    ----------
    size : int or (H, W)
        Size of the crop, pixels. In a crop that is not square, the face is in the middle square.

    Returns
    -------
    float32 (478, 3)
        :func:`mer.face.canonical_landmarks`, in pixels of the crop.
    """
    height, width = (size, size) if isinstance(size, int) else size
    side = min(height, width)
    landmarks = (canonical_landmarks() * (CROP_SCALE * side) + [*_between_the_eyes(side), 0.0]).astype(np.float32)
    landmarks[:, :2] += np.subtract((width, height), side) / 2
    return landmarks


def _between_the_eyes(size: int) -> NDArray[np.float64]:
    """The midpoint between the outer corners of the eyes in an aligned crop, `(x, y)`, pixels."""
    return (size - 1) / 2 - CROP_SCALE * size * np.array(CROP_CENTER[:2])


def crop(image: np.ndarray, alignment: Alignment) -> NDArray[np.uint8]:
    """Cut the aligned face out of an image.

    A crop that is smaller than its source averages areas, since fine structure would flicker if single points were
    sampled. Outside the image, the border is repeated, which resembles motion less than a black edge or a mirrored
    image; :func:`frame_mask` marks these pixels.

    Parameters
    ----------
    image : uint8 (H, W, 3) or (H, W)
    alignment : Alignment

    Returns
    -------
    uint8 (size, size, 3) or (size, size)
    """
    cv2 = import_cv2()
    scale = math.hypot(*alignment.matrix[0, :2])
    factor = max(1, math.ceil(1 / scale - 1e-6))  # supersampling, per side
    if factor == 1:
        return _warp(image, alignment.matrix, alignment.size, cv2.INTER_CUBIC)
    matrix = alignment.matrix * factor
    matrix[:, 2] += (factor - 1) / 2  # keeps the centers of pixels
    warped = _warp(image, matrix, alignment.size * factor, cv2.INTER_LINEAR)
    return cv2.resize(warped, (alignment.size, alignment.size), interpolation=cv2.INTER_AREA)


def _warp(image: np.ndarray, matrix: np.ndarray, size: int, interpolation: int) -> np.ndarray:
    cv2 = import_cv2()
    return cv2.warpAffine(image, matrix, (size, size), flags=interpolation, borderMode=cv2.BORDER_REPLICATE)


def transform(landmarks: ArrayLike, matrix: ArrayLike) -> NDArray[np.float32]:
    """Apply a similarity `(2, 3)`, such as :attr:`Alignment.matrix`, to points `(n, 2 or 3)`; depth is scaled."""
    points, matrix = np.asarray(landmarks, np.float64), np.asarray(matrix, np.float64)
    out = points.copy()
    out[:, :2] = points[:, :2] @ matrix[:, :2].T + matrix[:, 2]
    out[:, 2:] *= math.hypot(*matrix[0, :2])
    return out.astype(np.float32)


def face_mask(landmarks: ArrayLike, size: int | tuple[int, int]) -> NDArray[np.uint8]:
    """Mask of the face oval, from mid-forehead to chin: `(H, W)`, 1 inside and 0 outside.

    Parameters
    ----------
    landmarks : (478, 2 or 3)
        In pixels of the image or crop; points may be outside.
    size : int or (H, W)
        Size of the mask, pixels.
    """
    return _fill(np.asarray(landmarks, np.float64)[list(OVAL), :2], size)


def region_mask(landmarks: ArrayLike, region: str, size: int | tuple[int, int]) -> NDArray[np.uint8]:
    """Mask of one of :data:`mer.face.regions.REGIONS`: `(H, W)`, 1 inside the convex hull of its landmarks.

    Parameters as for :func:`face_mask`. `ValueError` for an unknown region.
    """
    if region not in REGIONS:
        raise ValueError(f"unknown region {region!r}; expected {', '.join(REGIONS)}")
    if region == "oval":
        return face_mask(landmarks, size)
    cv2 = import_cv2()
    points = np.asarray(landmarks, np.float32)[list(REGIONS[region]), :2]
    return _fill(cv2.convexHull(np.ascontiguousarray(points))[:, 0].astype(np.float64), size)


def frame_mask(alignment: Alignment, frame: tuple[int, int]) -> NDArray[np.uint8]:
    """Mask of the pixels of a crop that show the frame of size `(H, W)`: `(size, size)`, 1 inside and 0 outside."""
    height, width = frame
    corners = [(-0.5, -0.5), (width - 0.5, -0.5), (width - 0.5, height - 0.5), (-0.5, height - 0.5)]
    return _fill(transform(corners, alignment.matrix), alignment.size)


def _fill(polygon: np.ndarray, size: int | tuple[int, int]) -> NDArray[np.uint8]:
    cv2 = import_cv2()
    mask = np.zeros((size, size) if isinstance(size, int) else size, np.uint8)
    corners = np.round(polygon * 2**_FRACTIONAL_BITS).astype(np.int32)
    return cv2.fillPoly(mask, [corners], 1, shift=_FRACTIONAL_BITS)


def face_box(field: np.ndarray, box: Box = FACE_BOX, size: int = 28) -> np.ndarray:
    """Cut a box out of a flow field on the aligned crop and resample it, as published flow images show faces.

    Parameters
    ----------
    field : (S, S, 2)
        On the aligned crop. Outside of it, the border is repeated.
    box : (left, top, right, bottom)
        In interocular distances from the midpoint between the eyes.
    size : int
        Side of the result, pixels.

    Returns
    -------
    float32 (size, size, 2)
        In the same unit as `field`.
    """
    cv2 = import_cv2()
    field = np.asarray(field, np.float32)
    scale = CROP_SCALE * len(field)
    step = np.array([box[2] - box[0], box[3] - box[1]]) * scale / size  # pixels of the crop per pixel of the box
    start = _between_the_eyes(len(field)) + scale * np.array(box[:2]) + step / 2
    blur = np.sqrt(np.maximum(step**2 - 1, 0.01)) / 2  # prevents aliasing
    soft = cv2.GaussianBlur(field, (0, 0), sigmaX=float(blur[0]), sigmaY=float(blur[1]))
    matrix = np.array([[step[0], 0, start[0]], [0, step[1], start[1]]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(soft, matrix, (size, size), flags=flags, borderMode=cv2.BORDER_REPLICATE)
