"""Face detection by MTCNN: five points per face, and the landmarks of the mean face fitted to them.

Zhang et al., "Joint face detection and alignment using multitask cascaded convolutional networks", IEEE SPL 23, 2016,
as implemented in facenet-pytorch, whose wheel contains the weights.
"""

import os
import threading
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mer.face.canonical import canonical_landmarks
from mer.face.pose import similarities
from mer.utils.opencv import explain_import_error, import_cv2

MIN_SCORE = 0.9  # clouds and letters had scores up to 0.76; those of faces are rarely below 0.99
# The face-mesh points nearest to MTCNN's five, on photographs: irises, tip of the nose, corners of the mouth.
FIVE_POINTS = (468, 473, 4, 61, 291)
_WEIGHTS = np.array([4, 4, 2, 0.5, 0.5])  # the corners of the mouth move with expressions
_LONGEST = 960  # pixels; larger images are downscaled, since the network sees a face in 48 x 48 pixels
_one_at_a_time = threading.Lock()  # the smallest face size is an attribute of the network


def find_five_points(image: NDArray[np.uint8]) -> list[tuple[NDArray[np.float64], NDArray[np.float64], float]]:
    """The faces in an RGB image: five points `(5, 2)`, box `(4,)` as x0, y0, x1, y1, and the probability.

    The points are the subject's right eye, left eye, nose, right and left corner of the mouth. The smallest width of a
    face is 20 pixels, or 1/24 of the longer side of the image; the time is inversely proportional to its square.
    """
    import torch

    shrink = max(1.0, max(image.shape) / _LONGEST)
    if shrink > 1:
        size = (round(image.shape[1] / shrink), round(image.shape[0] / shrink))
        cv2 = import_cv2()
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    smallest = max(20.0, max(image.shape) / 24)
    if min(image.shape[:2]) < smallest:
        return []
    with _one_at_a_time, torch.inference_mode():
        network = load_mtcnn()
        network.min_face_size = smallest
        boxes, scores, points = network.detect(image, landmarks=True)
    if boxes is None:
        return []
    in_image = [(np.asarray(xy, np.float64) + 0.5) * shrink - 0.5 for xy in (points, boxes)]  # integers: pixel centers
    return [(five, box, float(score)) for five, box, score in zip(*in_image, scores) if score >= MIN_SCORE]


def load_mtcnn() -> Any:
    """The network of this process; `ImportError` if it cannot be loaded."""
    return _load(os.getpid())


@lru_cache(maxsize=1)
def _load(_process: int) -> Any:
    from mer.utils.torch_setup import import_torchvision

    try:
        import_torchvision()
        from facenet_pytorch import MTCNN
    except ImportError as error:
        raise ImportError(explain_import_error(error, "MTCNN", "facenet-pytorch==2.5.3")) from error
    return MTCNN(keep_all=True, device="cpu")


def landmarks_from_five(points: NDArray[np.float64]) -> NDArray[np.float32]:
    """The mean face, rotated and scaled to fit five points: `(478, 3)` from `(5, 2)`, pixels.

    It has the position and approximately the pose of the face, but the features of the mean face and no expression. On
    photographs, the rms distance from the face mesh is 4 % of the interocular distance (`benchmarks/face.py`).
    """
    canonical = canonical_landmarks().astype(np.float64)
    five = canonical[list(FIVE_POINTS)]
    # The depth of the points is unknown: it starts as that of a frontal face and is updated from the fitted pose. The
    # iteration stops early, while the rotation is underestimated, since five points cannot distinguish a nod from a
    # long nose.
    depth = np.linalg.norm(points[1] - points[0]) / np.linalg.norm(five[1] - five[0]) * five[:, 2]
    for _ in range(6):
        scale, rotation, translation = similarities(five, np.column_stack([points, depth]), _WEIGHTS)
        depth = (scale * five @ rotation.T + translation)[:, 2]
    return (scale * canonical @ rotation.T + translation).astype(np.float32)
