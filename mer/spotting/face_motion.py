"""The motion of a face through a long video, without the head's motion: a few numbers per sampled frame.

Flow is measured from a key frame, in which the face is detected and aligned, to each frame after it. After a second, or
when the head has moved away, the next key frame starts where the last one ended. Therefore the jitter of the landmarks
never enters, no motion is lost between frames, and only a key frame and one other frame are in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from mer.datasets.video import Clip
from mer.extraction.expression import closest_face
from mer.extraction.methods import Method, estimate_flow
from mer.face import Alignment, Face, align, crop, detect_faces, transform
from mer.utils.progress import Track

# Face-mesh points whose motion is measured, by region; the cheeks belong to the nose.
SITES: dict[str, tuple[int, ...]] = {
    "brows": (70, 105, 107, 300, 334, 336, 9),
    "eyes": (159, 145, 386, 374),  # upper and lower lid, right and left
    "nose": (188, 412, 64, 294, 50, 280, 205, 425),
    "mouth": (61, 291, 40, 270, 0, 17, 91, 321, 199),
}
REGION_OF = [region for region, points in SITES.items() for _ in points]
POINTS = [point for points in SITES.values() for point in points]
HEAD_POINTS = [33, 263, 152]  # the outer corners of the eyes and the chin: enough to detect any motion of the head
SIZE = 112  # of the crop, pixels
KEY_SECONDS = 1.0  # between two key frames
KEY_MOTION = 12.0  # of the head, percent of the interocular distance: the next key frame comes earlier
SIMILAR = 0.5  # correlation of gray levels with the key frame, below which the face is looked for again
RETRY_SECONDS = 0.2  # between two attempts to find a face
_BLUR = 0.04  # of the flow before it is read at a site, interocular distances


@dataclass(frozen=True, eq=False)
class KeyFrame:
    """A frame in which the face was detected: its number, and the face's box and landmarks in the image."""

    number: int
    box: NDArray[np.float32]  # x0, y0, x1, y1
    landmarks: NDArray[np.float32]  # (478, 3)

    @property
    def face(self) -> Face:
        return Face(self.landmarks, self.box, float("nan"))

    def alignment(self, size: int = 224) -> Alignment:
        """The transform to a crop of `size` pixels, valid for the frames up to the next key frame."""
        return align(self.landmarks, size)


@dataclass(frozen=True, eq=False)
class Motion:
    """The motion of the face in a video, in percent of the interocular distance, from an arbitrary origin.

    Attributes
    ----------
    numbers : int64 (n,)
        Sampled frames.
    times : float64 (n,)
        Seconds.
    rate : float
        Sampled frames per second.
    sites : float32 (n, sites, 2)
        Expression motion at :data:`POINTS`, x first; NaN if no face was found.
    head : float32 (n, 3, 2)
        Head motion at :data:`HEAD_POINTS`.
    keys : list of KeyFrame
    damaged : int
        Sampled frames that cannot be decoded.
    """

    numbers: NDArray[np.int64]
    times: NDArray[np.float64]
    rate: float
    sites: NDArray[np.float32]
    head: NDArray[np.float32]
    keys: list[KeyFrame]
    damaged: int = 0


def track_face(
    clip: Clip,
    numbers: NDArray[np.int64],
    times: NDArray[np.float64],
    rate: float,
    method: Method,
    choose: Callable[[Face], float],
    detector: str = "mediapipe",
    device: str = "auto",
    track: Track | None = None,
) -> Motion:
    """Track the face through frames of a clip.

    Parameters
    ----------
    clip : Clip
    numbers : int64 (n,)
        Frames to sample.
    times : float64 (n,)
        Their times, seconds.
    rate : float
        Sampled frames per second.
    method : str or function
        Flow method.
    choose : function
        Sort key of a face: of several faces in the first key frame, the one with the smallest value is tracked.
    detector : {"mediapipe", "mtcnn"}
    device : str
        `auto`, `cpu` or `cuda`, for flow methods that are networks.
    track : function, optional
        Wraps the iterator over frames, to show progress.
    """
    frames: Iterable[tuple[int, np.ndarray]] = clip.frames(numbers, skip_damaged=True)
    if track:
        frames = track(frames, len(numbers), "frames")
    keys: list[KeyFrame] = []
    rows = dict(_rows(frames, keys, rate, method, choose, detector, device))
    motion = np.full((len(numbers), len(POINTS) + len(HEAD_POINTS), 2), np.nan, np.float32)
    for i, number in enumerate(numbers.tolist()):
        if number in rows:
            motion[i] = rows[number]
    damaged = len(numbers) - len(rows)
    return Motion(numbers, times, rate, motion[:, : len(POINTS)], motion[:, len(POINTS) :], keys, damaged)


def _rows(
    frames: Iterable[tuple[int, np.ndarray]],
    keys: list[KeyFrame],
    rate: float,
    method: Method,
    choose: Callable[[Face], float],
    detector: str,
    device: str,
) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """Frame number, and motion of sites and head, `(sites + 3, 2)`; appends the key frames to `keys`."""
    unknown = np.full((len(POINTS) + len(HEAD_POINTS), 2), np.nan, np.float32)
    origin = np.zeros_like(unknown)  # motion up to the key frame
    key: _Reference | None = None
    age, wait = 0, 0  # frames since the key frame, and until the next attempt to find a face
    for number, image in frames:
        motion = unknown
        if key is not None:
            age += 1
            motion = origin + key.motion_to(image, method, device)
        lost = key is not None and (
            np.abs((motion - origin)[len(POINTS) :]).max() > KEY_MOTION or key.similarity(image) < SIMILAR
        )
        if key is None and wait > 0:
            wait -= 1
        elif key is None or lost or age >= KEY_SECONDS * rate:
            face = _find_face(image, detector, choose, keys)
            if face is None:
                key, wait = None, round(RETRY_SECONDS * rate)
                if lost:
                    motion = unknown
            else:
                keys.append(KeyFrame(number, face.box, face.landmarks))
                origin = np.zeros_like(unknown) if key is None else motion
                key, age, motion = _Reference(image, face), 0, origin
        yield number, motion


def _find_face(image: np.ndarray, detector: str, choose: Callable[[Face], float], keys: list[KeyFrame]) -> Face | None:
    """The face closest to the last key frame, or of several in the first, the one that `choose` ranks first."""
    faces = detect_faces(image, detector)
    if not faces:
        return None
    return closest_face(faces, keys[-1].face) if keys else min(faces, key=choose)


class _Reference:
    """A key frame as the flow needs it: its crop, and the positions of the sites there."""

    def __init__(self, image: np.ndarray, face: Face) -> None:
        self.alignment = align(face.landmarks, SIZE)
        self.crop = crop(image, self.alignment)
        self.landmarks = transform(face.landmarks, self.alignment.matrix)
        self.positions = np.clip(self.landmarks[POINTS + HEAD_POINTS, :2], 0, SIZE - 1)

    def similarity(self, image: np.ndarray) -> float:
        """Correlation of the gray levels of the key frame and another frame; 0 for a blank one."""
        gray = [
            cv2.cvtColor(x, cv2.COLOR_RGB2GRAY).astype(np.float32) for x in (self.crop, crop(image, self.alignment))
        ]
        a, b = (x - x.mean() for x in gray)
        return float((a * b).sum() / (np.sqrt((a**2).sum() * (b**2).sum()) + 1))

    def motion_to(self, image: np.ndarray, method: Method, device: str) -> NDArray[np.float32]:
        """Expression motion of the sites and head motion of the head points from the key frame to another frame."""
        other = crop(image, self.alignment)
        flow = estimate_flow(self.crop, other, method, landmarks=self.landmarks, device=device)
        smooth = cv2.GaussianBlur(flow.expression, (0, 0), _BLUR * self.alignment.scale)
        n = len(POINTS)
        motion = np.empty((len(self.positions), 2), np.float32)
        for rows, field in ((slice(n), smooth), (slice(n, None), flow.head)):
            x, y = self.positions[rows, 0], self.positions[rows, 1]
            motion[rows] = cv2.remap(field, x[None], y[None], cv2.INTER_LINEAR)[0]
        return motion * np.float32(100 / self.alignment.scale)
