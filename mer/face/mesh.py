"""Face-mesh landmarks by MediaPipe, with the models in its 0.10.14 wheel or the user's `face_landmarker.task`.

The mesh is that of Kartynnik et al., "Real-time facial surface geometry from monocular video on mobile GPUs", 2019; the
irises are those of Ablavatski et al., "Real-time pupil tracking from monocular video for digital puppetry", 2020. There
is no tracking, so the same image always gives the same landmarks.
"""

import contextlib
import os
import threading
import warnings
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mer.face.canonical import N_LANDMARKS
from mer.utils.opencv import explain_import_error

VARIABLE = "MER_FACE_LANDMARKER"
MAX_FACES = 5
_PACKAGE = "mediapipe==0.10.14"
_GRAPH = "mediapipe/modules/face_landmark/face_landmark_front_cpu.binarypb"

Meshes = list[tuple[NDArray[np.float32], float]]  # landmarks (478, 3) in pixels, and the detector's confidence
_one_at_a_time = threading.Lock()  # a MediaPipe graph is not thread-safe


def find_meshes(image: NDArray[np.uint8]) -> Meshes:
    """The faces in an RGB image, in no particular order.

    MediaPipe's short-range detector finds faces whose interocular distance is at least about 7 % of the longer side of
    the image.
    """
    with _one_at_a_time:
        return load_mesh()(image)


def load_mesh() -> Callable[[NDArray[np.uint8]], Meshes]:
    """The landmark function of this process; `ImportError` or `FileNotFoundError` if it cannot be loaded."""
    # Cached per process, since the threads of a graph do not survive a fork.
    return _load(os.environ.get(VARIABLE, ""), os.getpid())


@lru_cache(maxsize=2)
def _load(task: str, _process: int) -> Callable[[NDArray[np.uint8]], Meshes]:
    try:
        with _quiet():
            import mediapipe
    except ImportError as error:
        raise ImportError(explain_import_error(error, "MediaPipe", _PACKAGE)) from error
    if not task and not hasattr(mediapipe, "solutions"):
        raise ImportError(
            f"mediapipe {mediapipe.__version__} has no face-mesh models: use `--align mtcnn`, or set the environment "
            f"variable {VARIABLE} to the path of MediaPipe's face_landmarker.task"
        )
    if task and not Path(task).is_file():
        raise FileNotFoundError(f"{VARIABLE} is {task}, which does not exist; set it to a face_landmarker.task file")
    with _quiet():
        find = _with_task(mediapipe, Path(task)) if task else _with_models_of_wheel(mediapipe)
        find(np.zeros((64, 64, 3), np.uint8))  # loads the models, which print then
    return find


def _with_models_of_wheel(mediapipe: Any) -> Callable[[NDArray[np.uint8]], Meshes]:
    from mediapipe.python.solution_base import SolutionBase

    warnings.filterwarnings("ignore", message="SymbolDatabase.GetPrototype", category=UserWarning)
    # The graph of mediapipe.solutions.face_mesh.FaceMesh, which does not return the scores of detections.
    graph = SolutionBase(
        binary_graph_path=_GRAPH,
        side_inputs={"num_faces": MAX_FACES, "with_attention": True, "use_prev_landmarks": False},
        outputs=["multi_face_landmarks", "face_detections"],
    )

    def find(image: NDArray[np.uint8]) -> Meshes:
        out = graph.process({"image": image})
        meshes = [_in_pixels(face.landmark, image) for face in out.multi_face_landmarks or []]
        if not meshes:
            return []
        centers, scores = [], []
        for detection in out.face_detections:
            box = detection.location_data.relative_bounding_box
            centers.append([box.xmin + box.width / 2, box.ymin + box.height / 2])
            scores.append(detection.score[0])
        # Some detections have no mesh, so each mesh gets the score of the nearest detection.
        points = np.array(centers) * [image.shape[1], image.shape[0]]
        nearest = [np.linalg.norm(points - mesh[:, :2].mean(0), axis=1).argmin() for mesh in meshes]
        return [(mesh, float(scores[k])) for mesh, k in zip(meshes, nearest)]

    return find


def _with_task(mediapipe: Any, task: Path) -> Callable[[NDArray[np.uint8]], Meshes]:
    from mediapipe.tasks import python as tasks
    from mediapipe.tasks.python import vision

    # As bytes, since on some systems MediaPipe resolves a path relative to its own folder.
    options = vision.FaceLandmarkerOptions(
        base_options=tasks.BaseOptions(model_asset_buffer=task.read_bytes()),
        running_mode=vision.RunningMode.IMAGE,
        num_faces=MAX_FACES,
    )
    try:
        landmarker = vision.FaceLandmarker.create_from_options(options)
    except (RuntimeError, ValueError) as error:
        raise ValueError(f"{VARIABLE} is {task}, which is not a face_landmarker.task file ({error})") from error

    def find(image: NDArray[np.uint8]) -> Meshes:
        out = landmarker.detect(mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=image))
        # This interface returns no confidence; it omits faces below 0.5.
        return [(_in_pixels(face, image), float("nan")) for face in out.face_landmarks]

    return find


def _in_pixels(landmarks: Any, image: NDArray[np.uint8]) -> NDArray[np.float32]:
    """MediaPipe's normalized landmarks in pixels; depth is normalized by the width.

    `x * width` has integers at the centers of pixels, as in OpenCV: landmarks of an image and of its mirror image add
    up to `width - 1`, which is measurable in small images.
    """
    height, width = image.shape[:2]
    points = np.array([(point.x, point.y, point.z) for point in landmarks], np.float32)
    if points.shape != (N_LANDMARKS, 3):
        raise ValueError(f"the face landmarker returns {len(points)} points; expected {N_LANDMARKS}, with irises")
    return points * np.array([width, height, width], np.float32)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Suppress what C++ code writes to stderr: MediaPipe reports each model that it loads."""
    try:
        saved = os.dup(2)
    except OSError:  # no stderr, as under pythonw
        yield
        return
    try:
        with open(os.devnull, "wb") as null:
            os.dup2(null.fileno(), 2)
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
