"""A portrait: a picture of one face with its landmarks and a matte, from a photograph or generated."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from mer.face.canonical import N_LANDMARKS

PICTURES = {".jpg", ".jpeg", ".png", ".webp", ".bmp"}
_SIZE = 512  # larger photographs are reduced to this
_FACE_OF_SIZE = 0.42  # distance of the outer face points as a share of it


@dataclass(frozen=True, eq=False)
class Portrait:
    """A picture that a head can be made of.

    Attributes
    ----------
    name : str
    image : uint8 (H, W, 3)
    matte : float32 (H, W)
        How much of each pixel is the person, 0 to 1; the rest is background.
    landmarks : float32 (478, 3)
    """

    name: str
    image: np.ndarray
    matte: np.ndarray
    landmarks: np.ndarray


class PortraitError(ValueError):
    """A picture that cannot be used as a portrait; the message says why."""


def find_pictures(folder: str | Path) -> list[Path]:
    """The pictures in a folder and the folders in it, in the order of their names."""
    folder = Path(folder)
    if not folder.is_dir():
        raise FileNotFoundError(f"no such folder: {folder}")
    files = sorted(p for p in folder.rglob("*") if p.suffix.lower() in PICTURES and not p.name.startswith("."))
    if not files:
        raise FileNotFoundError(f"no pictures ({', '.join(sorted(PICTURES))}) in {folder}")
    return files


def load_portrait(path: str | Path, landmarks: np.ndarray | None = None) -> Portrait:
    """Read a photograph and find its landmarks and its matte.

    Landmarks that are not given come from `landmarks478.json` beside it (file name to `{"lm": 478 x [x, y, z]}`) where
    there is one, and from :func:`mer.face.detect_faces` otherwise. `PortraitError` says why a picture cannot be used:
    no face, eyes shut, mouth open (what lies behind the lips cannot be told from the skin), head turned away.
    """
    path = Path(path)
    image = _read(path)
    if landmarks is None:
        landmarks = _find_landmarks(path, image)
    fault = unsuitable(landmarks)
    if fault:
        raise PortraitError(f"{path}: {fault}")
    image, landmarks = _frame(image, landmarks)
    return Portrait(path.stem, image, matte_of(image, landmarks), landmarks)


def unsuitable_picture(path: str | Path) -> tuple[str, np.ndarray | None]:
    """Why a picture cannot be used (or an empty string), and its landmarks if they had to be found."""
    path = Path(path)
    try:
        listed = _listed_landmarks(path)
        if listed is not None:
            return unsuitable(listed), None
        found = _find_landmarks(path, _read(path))
    except (PortraitError, OSError) as error:
        return str(error), None
    return unsuitable(found), found


def _read(path: Path) -> np.ndarray:
    encoded = np.fromfile(path, np.uint8) if path.stat().st_size else np.zeros(0, np.uint8)
    decoded = cv2.imdecode(encoded, cv2.IMREAD_COLOR) if len(encoded) else None
    if decoded is None:
        raise PortraitError(f"{path}: not a readable picture")
    return cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB)


def _find_landmarks(path: Path, image: np.ndarray) -> np.ndarray:
    listed = _listed_landmarks(path)
    if listed is not None:
        return listed
    from mer.face import detect_faces

    faces = detect_faces(image)
    if not faces:
        raise PortraitError(f"{path}: no face found")
    return np.asarray(faces[0].landmarks, np.float32)


def unsuitable(landmarks: np.ndarray) -> str:
    """Why a face cannot be made into a head, or an empty string."""
    unit = np.linalg.norm(landmarks[263, :2] - landmarks[33, :2])
    gap = np.linalg.norm(landmarks[13, :2] - landmarks[14, :2]) / unit
    right = np.linalg.norm(landmarks[159, :2] - landmarks[145, :2]) / np.linalg.norm(
        landmarks[33, :2] - landmarks[133, :2]
    )
    left = np.linalg.norm(landmarks[386, :2] - landmarks[374, :2]) / np.linalg.norm(
        landmarks[263, :2] - landmarks[362, :2]
    )
    side = (landmarks[234, 2] - landmarks[454, 2]) / np.linalg.norm(landmarks[454] - landmarks[234])
    if unit < 40:
        return f"the face is too small: {unit:.0f} px between the outer corners of the eyes, at least 40 are needed"
    if gap > 0.05:
        return "the mouth is open"
    if min(left, right) < 0.16:
        return "an eye is shut"
    if abs(side) > np.sin(np.deg2rad(15)):
        return "the head is turned by more than 15 degrees"
    return ""


def _listed_landmarks(path: Path) -> np.ndarray | None:
    listed = path.with_name("landmarks478.json")
    if not listed.exists():
        return None
    try:
        entry = _read_list(str(listed), listed.stat().st_mtime_ns).get(path.name)
        points = None if entry is None else np.array(entry["lm"], np.float32)
    except (ValueError, KeyError, TypeError, UnicodeDecodeError) as error:
        raise PortraitError(f"{listed}: not a list of landmarks ({error})") from error
    if points is not None and points.shape != (N_LANDMARKS, 3):
        raise PortraitError(f"{listed}: {path.name} has landmarks of shape {points.shape}, expected ({N_LANDMARKS}, 3)")
    return points


_lists: dict[tuple[str, int], dict] = {}


def _read_list(path: str, changed: int) -> dict:
    if (path, changed) not in _lists:
        _lists[path, changed] = json.loads(Path(path).read_text(encoding="utf-8"))
    return _lists[path, changed]


def _frame(image: np.ndarray, landmarks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Bring a photograph to a common frame: 512 px, the face upright in its middle, edges repeated."""
    scale = _FACE_OF_SIZE * _SIZE / float(np.linalg.norm(landmarks[454, :2] - landmarks[234, :2]))
    dx, dy = landmarks[263, :2] - landmarks[33, :2]
    angle = np.arctan2(dy, dx)
    turn = scale * np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    middle = landmarks[[33, 263, 152], :2].mean(axis=0)
    shift = np.array([_SIZE / 2, _SIZE * 0.5]) - turn @ middle
    matrix = np.column_stack([turn, shift])
    if scale < 0.7:  # what will be lost must not fold into the picture
        image = cv2.GaussianBlur(image, (0, 0), 0.5 / scale)
    framed = cv2.warpAffine(image, matrix, (_SIZE, _SIZE), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    points = np.column_stack([landmarks[:, :2] @ turn.T + shift, landmarks[:, 2] * scale])
    return framed, points.astype(np.float32)


def matte_of(image: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
    """How much of each pixel is the person, float32 `(H, W)`: by MediaPipe's segmentation where it is there,
    else GrabCut.
    """
    rough = _segment(image)
    if rough is None:
        rough = _grab_cut(image, landmarks)
    # A guided filter takes the edge to where the picture has it, hair by hair (He, Sun & Tang, TPAMI 2013).
    guide = image.astype(np.float32) / 255
    fine = cv2.ximgproc.guidedFilter(guide, rough, 9, 1e-4) if hasattr(cv2, "ximgproc") else rough
    fine = np.clip((fine - 0.15) / 0.7, 0, 1)
    oval = cv2.convexHull(landmarks[:468, :2].round().astype(np.int32))
    return cv2.fillConvexPoly(np.ascontiguousarray(fine, np.float32), oval, 1.0)


_segmenter: list = []


def _segment(image: np.ndarray) -> np.ndarray | None:
    try:
        import mediapipe

        if not _segmenter:
            _segmenter.append(mediapipe.solutions.selfie_segmentation.SelfieSegmentation(model_selection=0))
    except (ImportError, AttributeError):  # newer releases of mediapipe carry no models
        return None
    return np.asarray(_segmenter[0].process(image).segmentation_mask, np.float32).copy()


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
    whole = (0, 0, width, height)  # not looked at where labels are given
    cv2.grabCut(image, labels, whole, np.zeros((1, 65)), np.zeros((1, 65)), 4, cv2.GC_INIT_WITH_MASK)
    return np.isin(labels, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.float32)
