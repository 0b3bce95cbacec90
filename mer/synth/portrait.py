"""A portrait: a picture of one face with its landmarks and a matte, from a photograph or generated."""

import json
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from mer.face.canonical import N_LANDMARKS

PICTURE_SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".bmp"}
SIZE = 512  # side of a portrait, pixels
_FACE_WIDTH = 0.42  # between the outermost points of the face, as a share of the side


@dataclass(frozen=True, eq=False)
class Portrait:
    """A picture from which a head can be made."""

    name: str
    image: np.ndarray  # uint8 (H, W, 3)
    matte: np.ndarray  # float32 (H, W), share of each pixel that belongs to the person, 0 to 1
    landmarks: np.ndarray  # float32 (478, 3)


class PortraitError(ValueError):
    """The picture cannot be used as a portrait; the message gives the reason."""


def find_pictures(folder: str | Path) -> list[Path]:
    """The pictures in a folder and its subfolders, sorted by path; `FileNotFoundError` if there are none."""
    folder = Path(folder)
    if not folder.is_dir():
        raise FileNotFoundError(f"no such folder: {folder}")
    files = sorted(p for p in folder.rglob("*") if p.suffix.lower() in PICTURE_SUFFIXES and not p.name.startswith("."))
    if not files:
        raise FileNotFoundError(f"no pictures ({', '.join(sorted(PICTURE_SUFFIXES))}) in {folder}")
    return files


def load_portrait(path: str | Path, landmarks: np.ndarray | None = None) -> Portrait:
    """Read a photograph, bring it to a common size and pose, and compute its matte.

    Landmarks (478, 3), in pixels of the photograph, are by default read from `landmarks478.json` beside it (file name
    to `{"lm": 478 x [x, y, z]}`) or detected. `PortraitError` if the picture has no face, closed eyes, an open mouth
    (which hides the skin behind the lips), or a turned head.
    """
    path = Path(path)
    image = _read(path)
    if landmarks is None:
        landmarks = _find_landmarks(path, image)
    fault = portrait_fault(landmarks)
    if fault:
        raise PortraitError(f"{path}: {fault}")
    image, landmarks = frame_portrait(image, landmarks)
    return Portrait(path.stem, image, compute_matte(image, landmarks), landmarks)


def picture_fault(path: str | Path) -> tuple[str, np.ndarray | None]:
    """Why a picture cannot be used (or an empty string), and its landmarks if they had to be detected."""
    path = Path(path)
    try:
        listed = listed_landmarks(path)
        if listed is not None:
            return portrait_fault(listed), None
        detected = _find_landmarks(path, _read(path))
    except (PortraitError, OSError) as error:
        return str(error), None
    return portrait_fault(detected), detected


def portrait_fault(landmarks: np.ndarray) -> str:
    """Why a head cannot be made from a face with these landmarks, or an empty string."""

    def distance(i: int, j: int) -> np.floating[Any]:
        return np.linalg.norm(landmarks[i, :2] - landmarks[j, :2])

    interocular = distance(263, 33)
    opening = min(distance(159, 145) / distance(33, 133), distance(386, 374) / distance(263, 362))
    turn = (landmarks[234, 2] - landmarks[454, 2]) / np.linalg.norm(landmarks[454] - landmarks[234])
    if interocular < 40:
        return f"the face is too small: {interocular:.0f} px between the eyes' outer corners, expected at least 40"
    if distance(13, 14) / interocular > 0.05:
        return "the mouth is open"
    if opening < 0.16:
        return "an eye is shut"
    if abs(turn) > np.sin(np.deg2rad(15)):
        return "the head is turned by more than 15 degrees"
    return ""


def _read(path: Path) -> np.ndarray:
    encoded = np.fromfile(path, np.uint8) if path.stat().st_size else np.zeros(0, np.uint8)
    decoded = cv2.imdecode(encoded, cv2.IMREAD_COLOR) if len(encoded) else None
    if decoded is None:
        raise PortraitError(f"{path}: not a readable picture")
    return cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB)


def _find_landmarks(path: Path, image: np.ndarray) -> np.ndarray:
    listed = listed_landmarks(path)
    if listed is not None:
        return listed
    from mer.face import detect_faces

    faces = detect_faces(image)
    if not faces:
        raise PortraitError(f"{path}: no face found")
    return np.asarray(faces[0].landmarks, np.float32)


def listed_landmarks(path: Path) -> np.ndarray | None:
    """Landmarks (478, 3) of a picture from `landmarks478.json` beside it, or None if they are not listed."""
    table = path.with_name("landmarks478.json")
    if not table.exists():
        return None
    try:
        entry = _read_landmark_table(str(table), table.stat().st_mtime_ns).get(path.name)
        points = None if entry is None else np.array(entry["lm"], np.float32)
    except (ValueError, KeyError, TypeError, UnicodeDecodeError) as error:
        raise PortraitError(f"{table}: not a list of landmarks ({error})") from error
    if points is not None and points.shape != (N_LANDMARKS, 3):
        raise PortraitError(f"{table}: {path.name} has landmarks of shape {points.shape}, expected ({N_LANDMARKS}, 3)")
    return points


@cache
def _read_landmark_table(path: str, changed: int) -> dict[str, Any]:
    return json.loads(Path(path).read_text(encoding="utf-8"))


def frame_portrait(image: np.ndarray, landmarks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rotate, scale and crop a photograph to `SIZE`, the face upright in the center; edge pixels are repeated."""
    scale = _FACE_WIDTH * SIZE / float(np.linalg.norm(landmarks[454, :2] - landmarks[234, :2]))
    dx, dy = landmarks[263, :2] - landmarks[33, :2]
    angle = np.arctan2(dy, dx)
    turn = scale * np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    center = landmarks[[33, 263, 152], :2].mean(axis=0)
    shift = np.array([SIZE / 2, SIZE * 0.5]) - turn @ center
    if scale < 0.7:  # against aliasing
        image = cv2.GaussianBlur(image, (0, 0), 0.5 / scale)
    matrix = np.column_stack([turn, shift])
    framed = cv2.warpAffine(image, matrix, (SIZE, SIZE), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    points = np.column_stack([landmarks[:, :2] @ turn.T + shift, landmarks[:, 2] * scale])
    return framed, points.astype(np.float32)


def compute_matte(image: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
    """Share of each pixel that belongs to the person, float32 `(H, W)`, by MediaPipe, or by GrabCut if it has no model.

    A guided filter then moves the edge to that of the picture (He, Sun & Tang, TPAMI 2013).
    """
    rough = _segment(image)
    if rough is None:
        rough = _grab_cut(image, landmarks)
    guide = image.astype(np.float32) / 255
    fine = cv2.ximgproc.guidedFilter(guide, rough, 9, 1e-4) if hasattr(cv2, "ximgproc") else rough
    fine = np.clip((fine - 0.15) / 0.7, 0, 1)
    oval = cv2.convexHull(landmarks[:468, :2].round().astype(np.int32))
    return cv2.fillConvexPoly(np.ascontiguousarray(fine, np.float32), oval, 1.0)


@lru_cache(maxsize=1)
def _segmenter() -> Any:
    """MediaPipe's segmentation of people, or None; newer releases of mediapipe do not include models."""
    try:
        import mediapipe

        return mediapipe.solutions.selfie_segmentation.SelfieSegmentation(model_selection=0)
    except (ImportError, AttributeError):
        return None


def _segment(image: np.ndarray) -> np.ndarray | None:
    segmenter = _segmenter()
    return None if segmenter is None else np.array(segmenter.process(image).segmentation_mask, np.float32)


def _grab_cut(image: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
    height, width = image.shape[:2]
    face = landmarks[:468, :2]
    low, high = face.min(axis=0), face.max(axis=0)
    span = high - low
    labels = np.full((height, width), cv2.GC_BGD, np.uint8)
    middle = tuple(int(v) for v in (low + high) / 2 - [0, 0.1 * span[1]])
    cv2.ellipse(labels, middle, (int(0.95 * span[0]), int(0.95 * span[1])), 0, 0, 360, int(cv2.GC_PR_FGD), -1)
    labels[int(high[1]) :] = cv2.GC_PR_FGD
    cv2.fillConvexPoly(labels, cv2.convexHull(face.round().astype(np.int32)), int(cv2.GC_FGD))
    cv2.setRNGSeed(0)
    unused = (0, 0, width, height)  # OpenCV requires a rectangle but ignores it in this mode
    cv2.grabCut(image, labels, unused, np.zeros((1, 65)), np.zeros((1, 65)), 4, cv2.GC_INIT_WITH_MASK)
    return np.isin(labels, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.float32)
