"""How a face moves through a long video, the head's motion taken off: one row of numbers a sampled frame.

Flow is measured from a key frame, whose face is found and aligned, to each frame after it; a second later, or when the
head has moved away, the next key frame takes over where the last one ended. So the landmarks' jitter never enters, no
motion is lost between frames, and one key frame and one frame are all that is in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from mer.datasets.video import Clip
from mer.extraction.methods import Method, estimate_flow
from mer.face import Alignment, Face, align, crop, detect_faces, transform
from mer.utils.progress import Track

# Places on the face whose motion is followed, as points of the face mesh, by region; the cheeks count to the nose.
SITES: dict[str, tuple[int, ...]] = {
    "brows": (70, 105, 107, 300, 334, 336, 9),
    "eyes": (159, 145, 386, 374),  # upper and lower lid, right and left
    "nose": (188, 412, 64, 294, 50, 280, 205, 425),
    "mouth": (61, 291, 40, 270, 0, 17, 91, 321, 199),
}
REGION_OF = [region for region, points in SITES.items() for _ in points]
POINTS = [point for points in SITES.values() for point in points]
HEAD_POINTS = [33, 263, 152]  # the outer corners of the eyes and the chin: enough to tell any motion of the head
SIZE = 112  # of the crop, pixels
KEY_SECONDS = 1.0
KEY_MOTION = 12.0  # per cent of the interocular distance
RETRY_SECONDS = 0.2  # between two looks for a face that was not there
_BLUR = 0.04  # of the flow where a site is read, interocular distances


@dataclass(frozen=True, eq=False)
class KeyFrame:
    """A frame in which the face was found: its number, the face's box in the image, its landmarks there."""

    number: int
    box: NDArray[np.float32]  # x0, y0, x1, y1
    landmarks: NDArray[np.float32]  # (478, 3)

    def alignment(self, size: int = 224) -> Alignment:
        """The transform to a crop of `size` pixels, good for the frames up to the next key frame."""
        return align(self.landmarks, size)


@dataclass(frozen=True, eq=False)
class Motion:
    """The motion of a video's face, in per cent of the interocular distance, from an arbitrary zero.

    Attributes
    ----------
    numbers : int64 (n,)
        Frames that were looked at.
    times : float64 (n,)
        Seconds.
    rate : float
        Of these frames, a second.
    sites : float32 (n, sites, 2)
        Expression motion at :data:`POINTS`, x first; NaN where no face was found.
    head : float32 (n, 3, 2)
        The head's motion at :data:`HEAD_POINTS`.
    keys : list of KeyFrame
    """

    numbers: NDArray[np.int64]
    times: NDArray[np.float64]
    rate: float
    sites: NDArray[np.float32]
    head: NDArray[np.float32]
    keys: list[KeyFrame]


def follow(
    clip: Clip,
    numbers: NDArray[np.int64],
    times: NDArray[np.float64],
    rate: float,
    method: Method,
    pick: Callable[[Face], float],
    detector: str = "mediapipe",
    device: str = "auto",
    track: Track | None = None,
) -> Motion:
    """Follow the face through these frames of a clip; `pick` chooses among several faces, the smallest value wins."""
    frames: Iterable[tuple[int, np.ndarray]] = clip.frames(numbers)
    if track:
        frames = track(frames, len(numbers), "frames")
    keys: list[KeyFrame] = []
    rows = list(_rows(frames, keys, rate, method, pick, detector, device))
    motion = np.array(rows, np.float32).reshape(len(rows), -1, 2)
    return Motion(numbers, times, rate, motion[:, : len(POINTS)], motion[:, len(POINTS) :], keys)


def _rows(
    frames: Iterable[tuple[int, np.ndarray]],
    keys: list[KeyFrame],
    rate: float,
    method: Method,
    pick: Callable[[Face], float],
    detector: str,
    device: str,
) -> Iterator[NDArray[np.float32]]:
    """Site motion and head motion of each frame, `(sites + 3, 2)`; key frames are added to `keys` on the way."""
    nothing = np.full((len(POINTS) + len(HEAD_POINTS), 2), np.nan, np.float32)
    key, zero = None, np.zeros_like(nothing)
    age, wait = 0, 0
    for number, image in frames:
        here = nothing
        if key is not None:
            age += 1
            here = zero + _measure(key, image, method, device)
        far = key is not None and np.abs(here[len(POINTS) :] - zero[len(POINTS) :]).max() > KEY_MOTION
        if key is None and wait > 0:
            wait -= 1
        elif key is None or far or age >= KEY_SECONDS * rate:
            face = _face(image, pick if not keys else _near(keys[-1]), detector)
            if face is None:
                key, wait = None, round(RETRY_SECONDS * rate)
                here = nothing if far or here is nothing else here
            else:
                keys.append(KeyFrame(number, face.box, face.landmarks))
                zero = np.zeros_like(nothing) if key is None else here
                key, age, here = _Key(image, face), 0, zero
        yield here


def _face(image: np.ndarray, pick: Callable[[Face], float], detector: str) -> Face | None:
    faces = detect_faces(image, detector)
    return min(faces, key=pick) if faces else None


def _near(last: KeyFrame) -> Callable[[Face], float]:
    return lambda face: float(np.abs(face.box - last.box).sum())


class _Key:
    """A key frame as flow needs it: its crop, where the sites are in it, the unit of length."""

    def __init__(self, image: np.ndarray, face: Face) -> None:
        self.alignment = align(face.landmarks, SIZE)
        self.crop = crop(image, self.alignment)
        self.landmarks = transform(face.landmarks, self.alignment.matrix)
        places = self.landmarks[POINTS + HEAD_POINTS, :2]
        self.places = np.clip(places, 0, SIZE - 1)


def _measure(key: _Key, image: np.ndarray, method: Method, device: str) -> NDArray[np.float32]:
    """Expression motion at the sites and head motion at the head's points, since the key frame."""
    flow = estimate_flow(key.crop, crop(image, key.alignment), method, landmarks=key.landmarks, device=device)
    soft = cv2.GaussianBlur(flow.expression, (0, 0), _BLUR * key.alignment.scale)
    n = len(POINTS)
    out = np.empty((len(key.places), 2), np.float32)
    for rows, field in ((slice(n), soft), (slice(n, None), flow.head)):
        x, y = key.places[rows, 0], key.places[rows, 1]
        out[rows] = cv2.remap(field, x[None], y[None], cv2.INTER_LINEAR)[0]
    return out * np.float32(100 / key.alignment.scale)
