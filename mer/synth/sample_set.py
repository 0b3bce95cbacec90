"""A small set of videos for trying out the toolkit: one photograph, moved by hand-drawn action units.

The photograph is scikit-image's portrait of the astronaut Eileen Collins (NASA, public domain). Its shape, tint and
asymmetry vary to stand for several people; smooth displacement fields move brows, cheeks and mouth. The set is
synthetic: it shows that all steps work, and says nothing about accuracy on people.
"""

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from mer.datasets.video import write_video
from mer.face import detect_faces
from mer.face.canonical import mirrored_landmarks
from mer.synth.drawn_units import VIDEO_UNITS
from mer.utils.atomic_files import write_whole
from mer.utils.progress import Track, untracked

NOTE = (
    "Synthetic: one photograph (NASA, public domain) moved by drawn action units. "
    "It shows that the chain works; its scores say nothing about accuracy on people."
)
FPS = 50
FRAMES = 20  # 0.4 s, the duration of a typical micro-expression
SIDE = 288  # of a frame, pixels
INTENSITY = (0.03, 0.2)  # range of intensities; moves the aligned crop by 0.1 to 1 px

# Classes of the composite protocol -> sets of units that the literature assigns to them.
CLASS_UNITS: dict[str, list[tuple[str, ...]]] = {
    "negative": [("4",), ("4", "7"), ("4", "9"), ("9", "10"), ("14",), ("15", "17")],
    "positive": [("12",), ("6", "12")],
    "surprise": [("1", "2"), ("1", "2", "25")],
}


def make_sample_set(
    out: str | Path,
    people: int = 8,
    clips: int = 3,
    seed: int = 0,
    track: Track | None = None,
) -> Path:
    """Write `out/<subject>/<clip>.mp4`, `labels.csv` and `NOTE.txt`, the layout that `mer extract-flow` reads.

    There are `clips` clips per person and class (negative, positive, surprise).
    """
    from skimage.data import astronaut

    out = Path(out)
    photograph = astronaut()
    faces = detect_faces(photograph)
    if not faces:
        raise ValueError("no face detected in the sample photograph; run `mer doctor` to check the installation")
    rows = []
    for person in (track or untracked)(range(people), people, "people"):
        subject = f"p{person + 1:02d}"
        rng = np.random.default_rng([seed, person])
        portrait, landmarks = _draw_portrait(photograph, faces[0].landmarks, rng)
        for label, unit_sets in CLASS_UNITS.items():
            for k in range(clips):
                units = unit_sets[rng.integers(len(unit_sets))]
                clip, apex = f"{label[:3]}_{k + 1}", int(rng.integers(7, 13))
                write_video(out / subject / f"{clip}.mp4", _frames(portrait, landmarks, units, apex, rng), SIDE, FPS)
                # Every third clip has no apex label, as in SMIC, so that the apex has to be spotted.
                rows.append(
                    {"subject": subject, "clip": clip, "label": label, "onset": 0, "apex": apex if k % 3 < 2 else "",
                     "offset": FRAMES - 1, "fps": FPS, "aus": "+".join(units), "dataset": "sample"}
                )  # fmt: skip
    with write_whole(out / "labels.csv") as file:
        pd.DataFrame(rows).to_csv(file, index=False, lineterminator="\n")
    with write_whole(out / "NOTE.txt") as file:
        file.write(NOTE + "\n")
    return out


def _draw_portrait(
    photograph: np.ndarray, landmarks: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Make another person from the photograph: picture `(SIDE, SIDE, 3)` and landmarks `(478, 2)`."""
    center, reach = landmarks[:, :2].mean(0), 1.2 * np.ptp(landmarks[:, 1])
    scale = SIDE / (2 * reach) * rng.uniform(0.9, 1.1)
    stretch = np.diag([rng.uniform(0.92, 1.08), rng.uniform(0.94, 1.06)]) * scale
    matrix = np.hstack([stretch, (SIDE / 2 - stretch @ center)[:, None]])
    image = cv2.warpAffine(photograph, matrix, (SIDE, SIDE), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)
    points = landmarks[:, :2] @ stretch.T + matrix[:, 2]
    for _ in range(6):  # for example a longer chin or a rounder cheek
        shift = rng.normal(0, 0.03, 2) * SIDE / 3
        anchor = points[rng.integers(len(points))]
        image = _warp(image, _gaussian(anchor, SIDE / 6)[..., None] * shift)
        points = points + np.exp(-((points - anchor) ** 2).sum(1, keepdims=True) / (2 * (SIDE / 6) ** 2)) * shift
    tint = rng.uniform(0.85, 1.1) * rng.uniform(0.94, 1.06, 3)
    return np.clip(image * tint, 0, 255).astype(np.uint8), points


def _frames(
    portrait: np.ndarray, landmarks: np.ndarray, units: tuple[str, ...], apex: int, rng: np.random.Generator
) -> Iterator[np.ndarray]:
    interocular = float(np.linalg.norm(landmarks[33] - landmarks[263]))
    expression = expression_field(landmarks, units, interocular, rng)
    rotation, shift = rng.normal(0, 0.5, 3), rng.normal(0, 1.0, 2)
    head = _head_field(landmarks, interocular, rotation, shift)
    light = rng.uniform(-0.02, 0.02)
    for t in range(FRAMES):
        strength = t / apex if t <= apex else 1 - 0.8 * (t - apex) / (FRAMES - apex)
        frame = _warp(portrait, strength**1.5 * expression + t / FRAMES * head) * (1 + light * t / FRAMES)
        yield np.clip(frame + rng.normal(0, 1.0, frame.shape), 0, 255).astype(np.uint8)


def expression_field(
    landmarks: np.ndarray, units: tuple[str, ...], interocular: float, rng: np.random.Generator
) -> np.ndarray:
    """Displacement `(SIDE, SIDE, 2)`, pixels, of a set of action units at a drawn intensity and asymmetry."""
    field = np.zeros((SIDE, SIDE, 2))
    intensity, asymmetry = rng.uniform(*INTENSITY), rng.uniform(-0.6, 0.6)
    for unit in units:
        for right, outward, down, reach in VIDEO_UNITS[unit]:
            left = mirrored_landmarks()[right]
            midline = [(right, 0.0, 1.0)]
            sides = [(right, -1.0, 1 + asymmetry), (left, 1.0, 1 - asymmetry)] if left != right else midline
            for landmark, sign, share in sides:
                motion = np.array([sign * outward, down]) * interocular * intensity * share * rng.uniform(0.8, 1.2)
                field += _gaussian(landmarks[landmark], reach * interocular)[..., None] * motion
    return field


def _head_field(landmarks: np.ndarray, interocular: float, rotation: np.ndarray, shift: np.ndarray) -> np.ndarray:
    """Displacement of a small head motion: rotation about x, y, z in degrees, with the face as a dome; shift in px."""
    center = landmarks.mean(0)
    y, x = np.mgrid[:SIDE, :SIDE] - center[::-1, None, None]
    depth = 0.6 * interocular * np.exp(-(x**2 + y**2) / (2 * (1.1 * interocular) ** 2))
    pitch, yaw, roll = np.radians(rotation)
    return np.stack([yaw * depth - roll * y + shift[0], -pitch * depth + roll * x + shift[1]], axis=-1)


def _gaussian(center: np.ndarray, deviation: float) -> np.ndarray:
    y, x = np.mgrid[:SIDE, :SIDE]
    return np.exp(-((x - center[0]) ** 2 + (y - center[1]) ** 2) / (2 * deviation**2))


def _warp(image: np.ndarray, field: np.ndarray) -> np.ndarray:
    """Move each point of the image by about `field`, pixels (read at the destination)."""
    y, x = np.mgrid[: image.shape[0], : image.shape[1]]
    from_x, from_y = (x - field[..., 0]).astype(np.float32), (y - field[..., 1]).astype(np.float32)
    return cv2.remap(image.astype(np.float32), from_x, from_y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)
