"""A small set of clips to try everything on: one photograph, moved by drawn action units.

The photograph is the portrait of the astronaut Eileen Collins (NASA, public domain) that comes with scikit-image. Its
shape, tone and side are varied to stand for several people; brows, cheeks and mouth are moved by smooth drawn fields.
So the set is synthetic: it shows that the chain works, and says nothing about accuracy on people.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd

from mer.datasets.video import write_video
from mer.face import detect_faces
from mer.utils.atomic_files import write_whole
from mer.utils.progress import Track

NOTE = (
    "Synthetic: one photograph (NASA, public domain) moved by drawn action units. "
    "It shows that the chain works; its scores say nothing about accuracy on people."
)
FPS = 50
FRAMES = 20  # 0.4 s, a typical micro-expression
SIDE = 288  # of a frame, pixels
STRENGTH = (0.03, 0.2)  # of the action units below: peaks of 0.1 to 1 px in the aligned crop

# Action unit -> (landmark on the subject's right, its mirror image on the left, outward, down, reach), in interocular
# distances at full strength; a point on the middle line has no mirror image.
ACTION_UNITS: dict[int, list[tuple[int, int | None, float, float, float]]] = {
    1: [(107, 336, 0.00, -0.07, 0.16)],
    2: [(70, 300, 0.01, -0.06, 0.16)],
    4: [(107, 336, -0.04, 0.04, 0.16), (105, 334, -0.01, 0.03, 0.16)],
    6: [(50, 280, 0.01, -0.04, 0.20)],
    7: [(145, 374, 0.00, -0.03, 0.10)],
    9: [(48, 278, 0.00, -0.04, 0.14), (107, 336, -0.02, 0.03, 0.12)],
    10: [(37, 267, 0.00, -0.04, 0.12)],
    12: [(61, 291, 0.05, -0.05, 0.18)],
    14: [(61, 291, 0.04, 0.00, 0.12)],
    15: [(61, 291, 0.01, 0.06, 0.14)],
    17: [(199, None, 0.00, -0.05, 0.18)],
    25: [(17, None, 0.00, 0.05, 0.14)],
}
# The sets that the literature ties to each class of the composite protocol.
EXPRESSIONS: dict[str, list[tuple[int, ...]]] = {
    "negative": [(4,), (4, 7), (4, 9), (9, 10), (14,), (15, 17)],
    "positive": [(12,), (6, 12)],
    "surprise": [(1, 2), (1, 2, 25)],
}


def make_sample_set(
    out: str | Path,
    people: int = 8,
    clips: int = 3,
    seed: int = 0,
    track: Track | None = None,
) -> Path:
    """Write `out/<subject>/<clip>.mp4`, `labels.csv` and `NOTE.txt`, the layout that `mer extract-flow` reads.

    Parameters
    ----------
    out : str or Path
        The folder, made if need be.
    people, clips : int
        People, and clips for each person and class (negative, positive, surprise).
    seed : int
        The same seed gives the same clips.
    track : function, optional
        Wraps the iterator over people, to show progress.

    Returns
    -------
    Path
        `out`.
    """
    from skimage.data import astronaut

    out = Path(out)
    photograph = astronaut()
    faces = detect_faces(photograph)
    if not faces:
        raise ValueError("the detector finds no face in the sample photograph; `mer doctor` checks the installation")
    rows = []
    for person in track(range(people), people, "people") if track else range(people):
        subject = f"p{person + 1:02d}"
        rng = np.random.default_rng([seed, person])
        portrait, landmarks = _portrait(photograph, faces[0].landmarks, rng)
        for label, sets in EXPRESSIONS.items():
            for k in range(clips):
                units = sets[rng.integers(len(sets))]
                clip, apex = f"{label[:3]}_{k + 1}", int(rng.integers(7, 13))
                write_video(out / subject / f"{clip}.mp4", _frames(portrait, landmarks, units, apex, rng), SIDE, FPS)
                # Every third clip goes without an apex, as in SMIC, so that it has to be spotted.
                rows.append(
                    {
                        "subject": subject,
                        "clip": clip,
                        "label": label,
                        "onset": 0,
                        "apex": apex if k % 3 < 2 else "",
                        "offset": FRAMES - 1,
                        "fps": FPS,
                        "aus": "+".join(map(str, units)),
                        "dataset": "sample",
                    }
                )
    with write_whole(out / "labels.csv") as file:
        pd.DataFrame(rows).to_csv(file, index=False, lineterminator="\n")
    with write_whole(out / "NOTE.txt") as file:
        file.write(NOTE + "\n")
    return out


def _portrait(photograph: np.ndarray, landmarks: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Another person from the photograph: `(SIDE, SIDE, 3)` and its landmarks `(478, 2)`."""
    import cv2

    center, reach = landmarks[:, :2].mean(0), 1.2 * np.ptp(landmarks[:, 1])
    scale = SIDE / (2 * reach) * rng.uniform(0.9, 1.1)
    stretch = np.diag([rng.uniform(0.92, 1.08), rng.uniform(0.94, 1.06)]) * scale
    matrix = np.hstack([stretch, (SIDE / 2 - stretch @ center)[:, None]])
    image = cv2.warpAffine(photograph, matrix, (SIDE, SIDE), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)
    points = landmarks[:, :2] @ stretch.T + matrix[:, 2]
    for _ in range(6):  # a longer chin, a rounder cheek
        shift = rng.normal(0, 0.03, 2) * SIDE / 3
        anchor = points[rng.integers(len(points))]
        field = _bump(anchor, SIDE / 6)[..., None] * shift
        image = _warp(image, field)
        points = points + np.exp(-((points - anchor) ** 2).sum(1, keepdims=True) / (2 * (SIDE / 6) ** 2)) * shift
    tone = rng.uniform(0.85, 1.1) * rng.uniform(0.94, 1.06, 3)
    return np.clip(image * tone, 0, 255).astype(np.uint8), points


def _frames(
    portrait: np.ndarray, landmarks: np.ndarray, units: tuple[int, ...], apex: int, rng: np.random.Generator
) -> Iterable[np.ndarray]:
    distance = float(np.linalg.norm(landmarks[33] - landmarks[263]))
    field = expression_field(landmarks, units, distance, rng)
    turn, shift = rng.normal(0, 0.5, 3), rng.normal(0, 1.0, 2)
    head = _head_field(landmarks, distance, turn, shift)
    light = rng.uniform(-0.02, 0.02)
    for t in range(FRAMES):
        strength = t / apex if t <= apex else 1 - 0.8 * (t - apex) / (FRAMES - apex)
        frame = _warp(portrait, strength**1.5 * field + t / FRAMES * head) * (1 + light * t / FRAMES)
        yield np.clip(frame + rng.normal(0, 1.0, frame.shape), 0, 255).astype(np.uint8)


def expression_field(
    landmarks: np.ndarray, units: tuple[int, ...], distance: float, rng: np.random.Generator
) -> np.ndarray:
    """The drawn motion of a set of action units, `(SIDE, SIDE, 2)`, pixels: Gaussian displacements at landmarks."""
    field = np.zeros((SIDE, SIDE, 2))
    strength, lean = rng.uniform(*STRENGTH), rng.uniform(-0.6, 0.6)  # lean: how one-sided
    for unit in units:
        for right, left, outward, down, reach in ACTION_UNITS[unit]:
            sides = [(right, -1.0, 1 + lean), (left, 1.0, 1 - lean)] if left is not None else [(right, 0.0, 1.0)]
            for point, out, share in sides:
                motion = np.array([out * outward, down]) * distance * strength * share * rng.uniform(0.8, 1.2)
                field += _bump(landmarks[point], reach * distance)[..., None] * motion
    return field


def _head_field(landmarks: np.ndarray, distance: float, turn: np.ndarray, shift: np.ndarray) -> np.ndarray:
    """A small turn of the head, degrees about x, y, z, with the face as a dome, and a shift in pixels."""
    center = landmarks.mean(0)
    y, x = np.mgrid[:SIDE, :SIDE] - center[::-1, None, None]
    depth = 0.6 * distance * np.exp(-(x**2 + y**2) / (2 * (1.1 * distance) ** 2))
    pitch, yaw, roll = np.radians(turn)
    return np.stack([yaw * depth - roll * y + shift[0], -pitch * depth + roll * x + shift[1]], axis=-1)


def _bump(center: np.ndarray, reach: float) -> np.ndarray:
    y, x = np.mgrid[:SIDE, :SIDE]
    return np.exp(-((x - center[0]) ** 2 + (y - center[1]) ** 2) / (2 * reach**2))


def _warp(image: np.ndarray, field: np.ndarray) -> np.ndarray:
    """The image with each point moved by about `field`, pixels (the field is taken at the point of arrival)."""
    import cv2

    y, x = np.mgrid[: image.shape[0], : image.shape[1]]
    from_x, from_y = (x - field[..., 0]).astype(np.float32), (y - field[..., 1]).astype(np.float32)
    return cv2.remap(image.astype(np.float32), from_x, from_y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)
