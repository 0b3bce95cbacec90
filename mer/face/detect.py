"""Face detection: the faces in an image and their 478 landmarks, by one of two detectors."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mer.face.mesh import find_meshes, load_mesh
from mer.face.mtcnn import find_five_points, landmarks_from_five, load_mtcnn

# Faces that are large in the frame have higher scores; misplaced meshes had scores of 0.51 to 0.77.
CONFIDENT = 0.8


@dataclass(frozen=True, eq=False)
class Face:
    """A face in an image.

    Attributes
    ----------
    landmarks : float32 (478, 3)
        MediaPipe's face-mesh points with irises: x and y in pixels of the image, with integers at the centers of
        pixels; z in the same unit, smaller is nearer. Points may be outside the image. :mod:`mer.face.regions` lists
        the points of each part of the face.
    box : float32 (4,)
        x0, y0, x1, y1 of the landmarks, pixels.
    score : float
        Confidence of the detector, 0 to 1; NaN if it gives none.
    """

    landmarks: NDArray[np.float32]
    box: NDArray[np.float32]
    score: float


def detect_faces(image: np.ndarray, method: str = "mediapipe") -> list[Face]:
    """The faces in an image, the largest first.

    Parameters
    ----------
    image : uint8 (H, W, 3), or (H, W) gray
        RGB.
    method : str
        One of :data:`DETECTORS`.

    Raises
    ------
    ValueError
        For an unknown method, or an array that is not an image.
    ImportError, FileNotFoundError
        If the detector cannot run; the message says what to do.

    Examples
    --------
    >>> from skimage.data import astronaut
    >>> [face] = detect_faces(astronaut())
    >>> face.landmarks.shape
    (478, 3)
    """
    check_detector(method)
    faces = DETECTORS[method](_as_rgb(image))
    return sorted(faces, key=lambda face: -float(np.prod(face.box[2:] - face.box[:2])))


def detect_mediapipe(image: NDArray[np.uint8]) -> list[Face]:
    """MediaPipe's face mesh, the default: 478 points measured in the image, in about 20 ms.

    The detector of the face mesh misses or misplaces faces that are small in the frame. If it is not confident of any
    face, MTCNN detects faces, and the mesh is fitted to the part of the image around each of them. If this finds no
    face either, the faces with low confidence are returned.
    """
    first = [_face(landmarks, score) for landmarks, score in find_meshes(image)]
    confident = [face for face in first if not face.score < CONFIDENT]  # NaN with a task file, which gives no score
    if confident or _fault("mtcnn"):
        return confident or first
    return _detect_with_both(image) or first


def _detect_with_both(image: NDArray[np.uint8]) -> list[Face]:
    """Faces that MTCNN detects and to which the face mesh can be fitted."""
    faces = []
    for _, box, score in find_five_points(image):
        part, corner = _surroundings(image, box)
        center = (box[:2] + box[2:]) / 2
        for landmarks, _ in find_meshes(part):
            landmarks[:, :2] += corner
            face = _face(landmarks, score)
            if np.all(face.box[:2] < center) and np.all(center < face.box[2:]):
                faces.append(face)
                break
    return faces


def detect_mtcnn(image: NDArray[np.uint8]) -> list[Face]:
    """MTCNN: five points measured in the image, from which the other landmarks are estimated.

    The 478 points are those of the mean face, rotated and scaled to fit the two eyes, the nose and the corners of the
    mouth. They suffice to align a face, and to locate its regions to within a few percent of the interocular distance,
    but show no raised brow and no open mouth. This detector does not need MediaPipe and finds small faces.
    """
    return [_face(landmarks_from_five(points), score) for points, _, score in find_five_points(image)]


DETECTORS: dict[str, Callable[[NDArray[np.uint8]], list[Face]]] = {
    "mediapipe": detect_mediapipe,
    "mtcnn": detect_mtcnn,
}
_LOADERS: dict[str, Callable[[], object]] = {"mediapipe": load_mesh, "mtcnn": load_mtcnn}


def check_detector(method: str) -> None:
    """`ValueError` for a name not in :data:`DETECTORS`; `ImportError` or `OSError` if the detector cannot run."""
    if method not in DETECTORS:
        raise ValueError(f"unknown face detector {method!r}; expected {', '.join(DETECTORS)}")
    if method in _LOADERS:
        _LOADERS[method]()


def detector_status() -> dict[str, str]:
    """Detector -> why it cannot run, in one line, or an empty string if it can."""
    return {name: _fault(name) for name in DETECTORS}


def _fault(method: str) -> str:
    try:
        check_detector(method)
    except (ImportError, OSError, ValueError, RuntimeError) as error:
        return " ".join(str(error).split()) or type(error).__name__
    return ""


def _face(landmarks: NDArray[np.float32], score: float) -> Face:
    box = np.concatenate([landmarks[:, :2].min(0), landmarks[:, :2].max(0)])
    return Face(landmarks, box, score)


def _surroundings(image: NDArray[np.uint8], box: NDArray[np.float64]) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """The square around a box with twice its size, black outside the image, and the position of its corner."""
    side = max(8, round(2 * float(max(box[2] - box[0], box[3] - box[1]))))
    left, top = (round(float(middle) - side / 2) for middle in (box[:2] + box[2:]) / 2)
    part = np.zeros((side, side, 3), np.uint8)
    inside = image[max(top, 0) : top + side, max(left, 0) : left + side]
    y, x = max(-top, 0), max(-left, 0)
    part[y : y + inside.shape[0], x : x + inside.shape[1]] = inside
    return part, np.array([left, top], np.float32)


def _as_rgb(image: np.ndarray) -> NDArray[np.uint8]:
    image = np.asarray(image)
    if (
        image.dtype != np.uint8
        or image.ndim not in (2, 3)
        or 0 in image.shape
        or image.shape[2:] not in ((), (1,), (3,))
    ):
        raise ValueError(
            f"the image is {image.dtype} {image.shape}; expected uint8 (height, width, 3), RGB, or (height, width)"
        )
    if image.shape[2:] != (3,):
        image = np.repeat(image.reshape(*image.shape[:2], 1), 3, axis=2)
    return np.ascontiguousarray(image)
