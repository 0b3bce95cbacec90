"""Which faces are in a picture, and where their 478 points are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mer.face.mesh import find_meshes, load_mesh
from mer.face.mtcnn import find_five_points, landmarks_from_five, load_mtcnn

# Faces that fill a good part of the frame have scores above this; meshes in the wrong place were given 0.51 to 0.77.
SURE = 0.8


@dataclass(frozen=True, eq=False)
class Face:
    """A face in an image.

    Attributes
    ----------
    landmarks : float32 (478, 3)
        MediaPipe's face-mesh points with irises: x, y in pixels of the image, whole numbers at the centers of pixels;
        z in the same unit, smaller is nearer. They may lie beyond the image's border. :mod:`mer.face.regions` says
        which point is where.
    box : float32 (4,)
        x0, y0, x1, y1 of the landmarks, pixels.
    score : float
        The detector's confidence, 0 to 1; NaN where it gives none.
    """

    landmarks: NDArray[np.float32]
    box: NDArray[np.float32]
    score: float


def detect_faces(image: np.ndarray, method: str = "mediapipe") -> list[Face]:
    """The faces in an image, the largest first; an empty list where there is none.

    Parameters
    ----------
    image : uint8 (H, W, 3), or (H, W) gray
        RGB.
    method : str
        One of :data:`DETECTORS`.

    Raises
    ------
    ValueError
        For another method, or for something that is not an image.
    ImportError, FileNotFoundError
        Where the detector cannot run; the message says what to do.

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
    """MediaPipe's face mesh, the default: 478 points measured in the image, in some 20 ms.

    Its own detector overlooks faces that are small in the frame, or puts them in the wrong place. So where it is sure
    of none, MTCNN looks again, and the mesh is put on a part of the image around each face that it finds. Faces that
    both see come before those that the mesh is not sure of.
    """
    first = [_face(landmarks, score) for landmarks, score in find_meshes(image)]
    sure = [face for face in first if not face.score < SURE]  # a task file tells no score
    if sure or _fault("mtcnn"):
        return sure or first
    return _second_look(image) or first


def _second_look(image: NDArray[np.uint8]) -> list[Face]:
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
    """MTCNN: five points found in the image, the other landmarks guessed.

    The 478 points are those of the mean face, turned and scaled onto the two eyes, the nose and the corners of the
    mouth. That is enough to align a face, and to place regions on it to within a few percent of the interocular
    distance; it shows no raised brow and no open mouth. Needs no MediaPipe and finds small faces by itself.
    """
    return [_face(landmarks_from_five(points), score) for points, _, score in find_five_points(image)]


DETECTORS: dict[str, Callable[[NDArray[np.uint8]], list[Face]]] = {
    "mediapipe": detect_mediapipe,
    "mtcnn": detect_mtcnn,
}
_LOADERS: dict[str, Callable[[], object]] = {"mediapipe": load_mesh, "mtcnn": load_mtcnn}


def check_detector(method: str) -> None:
    """`ValueError` for a name that is not in :data:`DETECTORS`; `ImportError` or `OSError` if it cannot run here."""
    if method not in DETECTORS:
        raise ValueError(f"no face detector {method!r}; there are {', '.join(DETECTORS)}")
    if method in _LOADERS:
        _LOADERS[method]()


def detector_status() -> dict[str, str]:
    """For each of :data:`DETECTORS` why it cannot run here, in one line; the empty string where it can."""
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
    """A square of twice the box's size around it, black beyond the image's border; and its corner in the image."""
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
            f"an image has to be uint8 (height, width, 3) RGB or (height, width) gray, not {image.dtype} {image.shape}"
        )
    if image.shape[2:] != (3,):
        image = np.repeat(image.reshape(*image.shape[:2], 1), 3, axis=2)
    return np.ascontiguousarray(image)
