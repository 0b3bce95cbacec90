"""The versions of MediaPipe that provide the face mesh, and the errors if none is usable."""

import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from mer.face import canonical_landmarks, detect_faces, detector_status, mesh, mtcnn
from mer.utils import opencv

LIBGL = "libGL.so.1: cannot open shared object file: No such file or directory"

bundled_mesh = pytest.mark.skipif(sys.version_info >= (3, 13), reason="MediaPipe has no face mesh in its wheel")


@pytest.fixture(autouse=True)
def _clear_cache(monkeypatch):
    monkeypatch.delenv(mesh.VARIABLE, raising=False)
    mesh._load.cache_clear()
    yield
    mesh._load.cache_clear()


@pytest.fixture
def new_mediapipe(monkeypatch):
    """A fake mediapipe as on Python 3.13, with the tasks interface and no models; it finds the mean face everywhere."""

    class FaceLandmarker:
        calls: list = []  # noqa: RUF012

        @classmethod
        def create_from_options(cls, options):
            if options.base_options.model_asset_buffer == b"not a model":
                raise RuntimeError("Unable to open zip archive.")
            cls.calls.append(options)
            return cls()

        def detect(self, image):
            assert image.image_format == "srgb"
            if not image.data.any():
                return SimpleNamespace(face_landmarks=[])
            height, width = image.data.shape[:2]
            points = canonical_landmarks() * (0.2 * width) + [width / 2, height / 2, 0]
            points /= [width, height, width]
            return SimpleNamespace(face_landmarks=[[SimpleNamespace(x=x, y=y, z=z) for x, y, z in points]])

    package, tasks, python, vision = (
        ModuleType(name) for name in ("mediapipe", "mediapipe.tasks", "mediapipe.tasks.python", "vision")
    )
    package.__version__ = "1.2.2"
    package.Image = lambda image_format, data: SimpleNamespace(image_format=image_format, data=data)
    package.ImageFormat = SimpleNamespace(SRGB="srgb")
    package.tasks, tasks.python, python.vision = tasks, python, vision
    python.BaseOptions = lambda **options: SimpleNamespace(**options)
    vision.FaceLandmarkerOptions = lambda **options: SimpleNamespace(**options)
    vision.RunningMode = SimpleNamespace(IMAGE="image")
    vision.FaceLandmarker = FaceLandmarker
    for name, module in {
        "mediapipe": package,
        "mediapipe.tasks": tasks,
        "mediapipe.tasks.python": python,
        "mediapipe.tasks.python.vision": vision,
    }.items():
        monkeypatch.setitem(sys.modules, name, module)
    return FaceLandmarker


def break_import(name, message, folder, monkeypatch):
    """Make `import name` raise an ImportError with this message."""
    (folder / f"{name}.py").write_text(f"raise ImportError({message!r})\n")
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.delitem(sys.modules, name, raising=False)


@bundled_mesh
def test_the_models_of_the_wheel_are_loaded_once(astronaut):
    detect_faces(astronaut)
    assert mesh.load_mesh() is mesh.load_mesh()
    assert mesh._load.cache_info().misses == 1


def test_a_task_file_of_the_user_is_used(new_mediapipe, monkeypatch, tmp_path, astronaut):
    task = tmp_path / "face_landmarker.task"
    task.write_bytes(b"a model")
    monkeypatch.setenv(mesh.VARIABLE, str(task))
    [face] = detect_faces(astronaut[:400])
    expected = canonical_landmarks() * (0.2 * 512) + [256, 200, 0]
    np.testing.assert_allclose(face.landmarks, expected, atol=1e-3)
    assert np.isnan(face.score)
    [options] = new_mediapipe.calls
    assert options.base_options.model_asset_buffer == b"a model"
    assert options.running_mode == "image"
    assert options.num_faces > 1
    assert detector_status()["mediapipe"] == ""


def test_a_new_mediapipe_without_a_task_file_is_an_error(new_mediapipe, astronaut):
    with pytest.raises(ImportError, match=r"mediapipe 1\.2\.2 has no face-mesh models.*--align mtcnn.*MER_FACE_LAND"):
        detect_faces(astronaut)
    assert "MER_FACE_LANDMARKER" in detector_status()["mediapipe"]
    assert detector_status()["mtcnn"] == ""
    assert len(detect_faces(astronaut, "mtcnn")) == 1


def test_a_missing_task_file_is_an_error(monkeypatch, tmp_path, astronaut):
    monkeypatch.setenv(mesh.VARIABLE, str(tmp_path / "gone.task"))
    with pytest.raises(FileNotFoundError, match=r"MER_FACE_LANDMARKER is .*gone\.task, which does not exist"):
        detect_faces(astronaut)
    assert "gone.task" in detector_status()["mediapipe"]


@pytest.mark.parametrize("which", ["real", "fake"])
def test_another_file_is_not_a_task(which, request, monkeypatch, tmp_path, astronaut):
    if which == "fake":
        request.getfixturevalue("new_mediapipe")
    task = tmp_path / "letter.task"
    task.write_bytes(b"not a model")
    monkeypatch.setenv(mesh.VARIABLE, str(task))
    with pytest.raises(ValueError, match=r"letter\.task, which is not a face_landmarker\.task file"):
        detect_faces(astronaut)


def test_a_landmarker_without_irises_is_an_error(new_mediapipe, monkeypatch, tmp_path, astronaut):
    task = tmp_path / "old.task"
    task.write_bytes(b"a model")
    monkeypatch.setenv(mesh.VARIABLE, str(task))
    monkeypatch.setattr(
        new_mediapipe,
        "detect",
        lambda self, image: SimpleNamespace(face_landmarks=[[SimpleNamespace(x=0.0, y=0.0, z=0.0)] * 468]),
    )
    with pytest.raises(ValueError, match=r"returns 468 points; expected 478"):
        detect_faces(astronaut)


def test_a_missing_mediapipe_is_an_error(monkeypatch, astronaut):
    monkeypatch.setitem(sys.modules, "mediapipe", None)
    with pytest.raises(
        ImportError, match=r"MediaPipe is not installed; run `python -m pip install mediapipe==0\.10\.14`"
    ):
        detect_faces(astronaut)


def test_missing_system_libraries_are_named(monkeypatch, tmp_path, astronaut):
    break_import("mediapipe", LIBGL, tmp_path, monkeypatch)
    with pytest.raises(ImportError, match=r"MediaPipe cannot load \(libGL.*apt-get install libgl1 libglib2\.0-0"):
        detect_faces(astronaut)
    assert "libgl1" in detector_status()["mediapipe"]


def test_an_opencv_that_cannot_load_is_an_error(monkeypatch, tmp_path):
    assert opencv.import_cv2() is sys.modules["cv2"]
    break_import("cv2", LIBGL, tmp_path, monkeypatch)
    with pytest.raises(ImportError, match=r"OpenCV cannot load \(libGL.*apt-get install libgl1 libglib2\.0-0"):
        opencv.import_cv2()
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(
        ImportError, match=r"OpenCV is not installed; run `python -m pip install opencv-contrib-python`"
    ):
        opencv.import_cv2()


def test_a_missing_mtcnn_is_an_error(monkeypatch, astronaut):
    mtcnn._load.cache_clear()
    monkeypatch.setitem(sys.modules, "facenet_pytorch", None)
    with pytest.raises(
        ImportError, match=r"MTCNN is not installed; run `python -m pip install facenet-pytorch==2\.5\.3`"
    ):
        detect_faces(astronaut, "mtcnn")


@bundled_mesh
def test_the_face_mesh_works_without_mtcnn(monkeypatch):
    mtcnn._load.cache_clear()
    monkeypatch.setitem(sys.modules, "facenet_pytorch", None)
    assert detect_faces(np.zeros((480, 640, 3), np.uint8)) == []
    assert detector_status()["mediapipe"] == ""


def test_output_of_cpp_code_is_suppressed(capfd):
    with mesh._quiet():
        import os

        os.write(2, b"INFO: Created TensorFlow Lite XNNPACK delegate for CPU.\n")
    sys.stderr.write("shown\n")
    assert capfd.readouterr().err == "shown\n"
