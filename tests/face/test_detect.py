import json
import subprocess
import sys

import cv2
import numpy as np
import pytest

from mer.face import DETECTORS, Face, align, crop, detect, detect_faces, detector_status, mesh, transform
from mer.face.regions import INNER_EYE_CORNERS, MOUTH_CORNERS, OUTER_EYE_CORNERS, STABLE

bundled_mesh = pytest.mark.skipif(sys.version_info >= (3, 13), reason="MediaPipe has no face mesh in its wheel")


def read(path):
    return cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)


def frames(path, step=1):
    video = cv2.VideoCapture(str(path))
    number = 0
    while True:
        ok, frame = video.read()
        if not ok:
            return
        if number % step == 0:
            yield cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)
        number += 1


def eye_distance(landmarks):
    right, left = landmarks[list(OUTER_EYE_CORNERS), :2]
    return np.linalg.norm(left - right)


def turned(image, degrees, center):
    matrix = cv2.getRotationMatrix2D(center, degrees, 1.0)
    side = image.shape[0]
    return cv2.warpAffine(image, matrix, (side, side), borderMode=cv2.BORDER_REPLICATE), matrix


@pytest.mark.parametrize("method", DETECTORS)
def test_the_face_in_a_photograph(astronaut, method):
    [face] = detect_faces(astronaut, method)
    assert isinstance(face, Face)
    assert face.landmarks.shape == (478, 3)
    assert face.landmarks.dtype == np.float32
    assert 0.5 < face.score <= 1 or (np.isnan(face.score) and sys.version_info >= (3, 13))  # a task has no score
    x0, y0, x1, y1 = face.box
    assert 160 < x0 < 190
    assert 265 < x1 < 285
    assert 50 < y0 < 85
    assert 160 < y1 < 190
    right, left = face.landmarks[list(OUTER_EYE_CORNERS), 0]
    assert right < left  # the subject's right is on the image's left
    assert face.landmarks[4, 2] == face.landmarks[:, 2].min()


@pytest.mark.parametrize("method", DETECTORS)
def test_the_same_image_gives_the_same_landmarks(astronaut, method):
    first = detect_faces(astronaut, method)[0].landmarks
    detect_faces(astronaut[:, ::-1], method)  # another image in between has no effect
    np.testing.assert_array_equal(detect_faces(astronaut.copy(), method)[0].landmarks, first)


def test_both_detectors_give_nearly_the_same_alignment(astronaut):
    """The five points of MTCNN align the face nearly as the face mesh does."""
    points = detect_faces(astronaut)[0].landmarks
    by_mesh = transform(points, align(points).matrix)
    by_five = transform(points, align(detect_faces(astronaut, "mtcnn")[0].landmarks).matrix)
    assert np.linalg.norm((by_mesh - by_five)[:, :2], axis=1).max() < 12  # of 224 pixels


@bundled_mesh
def test_the_landmarks_are_those_of_the_public_face_mesh(astronaut):
    """Our graph differs from `mediapipe.solutions.face_mesh.FaceMesh` only in what it reports."""
    import mediapipe

    public = mediapipe.solutions.face_mesh.FaceMesh(static_image_mode=True, refine_landmarks=True, max_num_faces=5)
    expected = [[point.x, point.y] for point in public.process(astronaut).multi_face_landmarks[0].landmark]
    public.close()
    height, width = astronaut.shape[:2]
    found = detect_faces(astronaut)[0].landmarks[:, :2]
    np.testing.assert_allclose(found, np.array(expected) * [width, height], atol=1e-3)


@pytest.mark.parametrize("method", DETECTORS)
def test_gray_images_odd_sizes_and_other_memory_layouts(astronaut, method):
    [color] = detect_faces(astronaut, method)
    gray = cv2.cvtColor(astronaut, cv2.COLOR_RGB2GRAY)
    for image in (gray, gray[..., None], astronaut[:333, :401], astronaut[:331, :399][::1, ::1, :]):
        [face] = detect_faces(image, method)
        assert np.abs(face.landmarks - color.landmarks)[list(STABLE), :2].mean() < 3


@pytest.mark.parametrize("method", DETECTORS)
@pytest.mark.parametrize("shape", [(1, 1), (7, 300), (300, 7), (24, 24), (101, 99)])
def test_no_face_in_small_and_uniform_images(method, shape):
    assert detect_faces(np.full((*shape, 3), 128, np.uint8), method) == []


def test_the_largest_face_is_first(astronaut):
    near = astronaut[20:220, 120:320]
    image = np.full((200, 360, 3), 128, np.uint8)
    image[20:180, :160] = cv2.resize(np.ascontiguousarray(near), (160, 160), interpolation=cv2.INTER_AREA)
    image[:, 160:] = near
    for method in DETECTORS:
        faces = detect_faces(image, method)
        assert len(faces) == 2
        assert eye_distance(faces[0].landmarks) > 1.2 * eye_distance(faces[1].landmarks)
        assert faces[0].box[0] > 160


@pytest.mark.parametrize("method", DETECTORS)
@pytest.mark.parametrize("degrees", [-45, -20, 45])
def test_a_tilted_head_is_aligned_upright(astronaut, method, degrees):
    upright = detect_faces(astronaut)[0].landmarks
    center = tuple(float(value) for value in upright[:, :2].mean(0))
    image, matrix = turned(astronaut, degrees, center)
    [face] = detect_faces(image, method)
    eyes = transform(face.landmarks, align(face.landmarks).matrix)[list(OUTER_EYE_CORNERS)]
    assert abs(eyes[1, 1] - eyes[0, 1]) < 6
    true = transform(upright, matrix)
    tolerance = {"mediapipe": 0.05, "mtcnn": 0.2}[method] * eye_distance(true)
    assert np.linalg.norm((face.landmarks - true)[list(STABLE), :2], axis=1).mean() < tolerance


def test_a_mirrored_image_gives_the_mirrored_crop(astronaut):
    plain, mirrored = (np.ascontiguousarray(image) for image in (astronaut, astronaut[:, ::-1]))
    crops = [crop(image, align(detect_faces(image)[0].landmarks)).astype(float) for image in (plain, mirrored)]
    difference = np.abs(crops[0] - crops[1][:, ::-1])[40:180, 50:174]
    assert difference.mean() < 12  # the crops differ by a pixel or two


def test_a_face_partly_outside_the_image(astronaut):
    whole = detect_faces(astronaut)[0].landmarks
    cut = np.ascontiguousarray(astronaut[:, int(whole[33, 0]) - 8 :])  # starts right beside an eye
    [face] = detect_faces(cut)
    assert face.box[0] < 0  # landmarks may be outside the image
    assert crop(cut, align(face.landmarks)).shape == (224, 224, 3)


def test_a_small_face_in_a_large_frame(astronaut):
    """The detector of the face mesh misses it; MTCNN finds it, and the mesh is as accurate."""
    large = detect_faces(astronaut)[0].landmarks
    frame = np.random.default_rng(0).integers(90, 110, (1080, 1920, 3), dtype=np.uint8)
    frame[500:1012, 1300:1812] = astronaut
    assert mesh.find_meshes(frame) == []
    [face] = detect_faces(frame)
    expected = large + [1300, 500, 0]
    assert np.linalg.norm((face.landmarks - expected)[:, :2], axis=1).mean() < 0.03 * eye_distance(large)
    assert 0.9 < face.score <= 1


def test_mtcnn_is_asked_if_the_mesh_is_not_confident(astronaut, monkeypatch):
    [face] = detect_faces(astronaut)
    misplaced = face.landmarks + np.float32([40, 0, 0])
    results = iter([[(misplaced, 0.6)], [(face.landmarks, 0.9)]])
    monkeypatch.setattr(detect, "find_meshes", lambda image: next(results))
    monkeypatch.setattr(detect, "_surroundings", lambda image, box: (image, np.zeros(2, np.float32)))
    [decided] = detect_faces(astronaut)
    np.testing.assert_array_equal(decided.landmarks, face.landmarks)
    # If MTCNN finds none, the face with low confidence is returned.
    monkeypatch.setattr(detect, "find_meshes", lambda image: [(misplaced, 0.6)])
    monkeypatch.setattr(detect, "find_five_points", lambda image: [])
    assert [face.score for face in detect_faces(astronaut)] == [0.6]


def test_without_mtcnn_the_mesh_is_used_alone(astronaut, monkeypatch):
    def missing():
        raise ImportError("MTCNN is not installed")

    monkeypatch.setitem(detect._LOADERS, "mtcnn", missing)
    assert detect_faces(np.zeros((480, 640, 3), np.uint8)) == []
    assert len(detect_faces(astronaut)) == 1
    assert detector_status() == {"mediapipe": "", "mtcnn": "MTCNN is not installed"}
    with pytest.raises(ImportError, match="MTCNN is not installed"):
        detect_faces(astronaut, "mtcnn")


def test_a_detector_can_be_added(astronaut, monkeypatch):
    face = Face(np.zeros((478, 3), np.float32), np.zeros(4, np.float32), 1.0)
    monkeypatch.setitem(DETECTORS, "mine", lambda image: [face])
    assert detect_faces(astronaut, "mine") == [face]
    assert detector_status()["mine"] == ""


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((20, 20, 3)),
        np.zeros((20, 20, 4), np.uint8),
        np.zeros((2, 20, 20, 3), np.uint8),
        np.zeros((0, 20, 3), np.uint8),
        np.zeros(20, np.uint8),
    ],
)
def test_other_arrays_are_refused(image):
    with pytest.raises(ValueError, match=r"uint8 \(height, width, 3\)"):
        detect_faces(image)


def test_an_unknown_detector_is_an_error(astronaut):
    with pytest.raises(ValueError, match=r"unknown face detector 'dlib'; expected mediapipe, mtcnn"):
        detect_faces(astronaut, "dlib")


def test_importing_loads_no_detector():
    code = "import sys, mer.face; print([m for m in ('torch', 'mediapipe', 'matplotlib', 'cv2') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.slow
def test_detection_prints_nothing_to_stderr():
    code = "from skimage.data import astronaut; from mer.face import detect_faces; detect_faces(astronaut())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr == ""


# --- with the photographs and videos ---


@pytest.mark.assets
@pytest.mark.parametrize("folder", ["london_neutral", "london_smiling", "canada", "sfhq", "sfhq_t2i"])
def test_landmarks_of_the_photographs(assets, folder):
    """The landmarks that come with the photographs were measured by the same mesh, on larger originals."""
    table = json.loads((assets / "faces" / folder / "landmarks478.json").read_text())
    distances = []
    for name in sorted(table)[:6]:
        expected = np.array(table[name]["lm"])
        [face, *_] = detect_faces(read(assets / "faces" / folder / name))
        distance = np.linalg.norm((face.landmarks - expected)[:, :2], axis=1) / eye_distance(expected)
        distances.append(distance.mean())
    assert np.median(distances) < 0.02
    assert max(distances) < 0.06


@pytest.mark.assets
def test_landmarks_of_mtcnn_are_near_those_of_the_mesh(assets):
    table = json.loads((assets / "faces" / "canada" / "landmarks478.json").read_text())
    for name in sorted(table)[:4]:
        expected = np.array(table[name]["lm"])
        face = detect_faces(read(assets / "faces" / "canada" / name), "mtcnn")[0]
        distance = np.linalg.norm((face.landmarks - expected)[:, :2], axis=1) / eye_distance(expected)
        assert np.sqrt((distance**2).mean()) < 0.12
        corners = [*OUTER_EYE_CORNERS, *INNER_EYE_CORNERS, *MOUTH_CORNERS]
        assert distance[corners].mean() < 0.06


@pytest.mark.assets
@pytest.mark.parametrize(
    "clip", ["single_face.mp4", "grid_bbaf2n.mpg", "grid_brbk7n.mpg", "grid_id2_vcd_swwp2s.mpg", "grid_lbax4n.mpg"]
)
def test_the_face_of_a_video_is_found_in_every_frame(assets, clip):
    found = [detect_faces(frame) for frame in frames(assets / "videos" / clip, step=3)]
    assert [len(faces) for faces in found] == [1] * len(found)
    positions = np.array([faces[0].landmarks[168, :2] for faces in found])
    assert np.abs(np.diff(positions, axis=0)).max() < 0.2 * eye_distance(found[0][0].landmarks)


@pytest.mark.assets
@pytest.mark.slow
@pytest.mark.parametrize("method", DETECTORS)
def test_no_face_in_a_video_without_faces(assets, method):
    found = [len(detect_faces(frame, method)) for frame in frames(assets / "videos" / "no_face.mp4")]
    assert len(found) == 95
    assert sum(found) == 0


@pytest.mark.assets
@pytest.mark.parametrize("method", DETECTORS)
def test_no_face_in_frames_that_resemble_faces(assets, method):
    """Frames with letters and clouds in which a lower threshold would give faces."""
    chosen = [frame for number, frame in enumerate(frames(assets / "videos" / "no_face.mp4")) if number in (0, 76, 87)]
    assert [detect_faces(frame, method) for frame in chosen] == [[], [], []]
