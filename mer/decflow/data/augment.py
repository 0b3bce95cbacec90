"""Augmentation that keeps the three flows true: whatever moves the pixels moves the flows with them."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from mer.decflow.data.pairs import Pair
from mer.decflow.data.warped_photos import spoil
from mer.face.canonical import canonical_landmarks


def augment(pair: Pair, rng: np.random.Generator, size: int) -> Pair:
    """A random view, `size` x `size`: crop, scale, stretch, mirror, a camera that moves, and a patch that hides the
    apex.
    """
    height, width = pair.mask.shape
    # The face fills the crop more or less as after alignment.
    rows, columns = np.nonzero(pair.mask)
    if len(rows):
        middle = np.array([columns.min() + columns.max(), rows.min() + rows.max()]) / 2
        extent = max(np.ptp(columns), np.ptp(rows)) + 1
    else:
        middle, extent = np.array([width, height]) / 2, min(height, width)
    zoom = size * rng.uniform(0.72, 1.0) / extent
    scale = zoom * np.exp(rng.uniform(-0.06, 0.06, 2))
    shift = size / 2 + rng.normal(0, 0.03 * size, 2) - scale * middle
    chance, camera = rng.random(), None
    if chance < 0.35:
        camera = shake(rng, size)
    elif chance < 0.7:
        camera = steady(pair, scale, shift, rng)
    pair = resample(pair, scale, shift, size, camera)
    if rng.random() < 0.5:
        pair = mirror(pair)
    # A little more noise than what the camera of the pictures has made.
    onset, apex = spoil([pair.onset, pair.apex], rng, noise=(0.1, 2.0))
    pair = replace(pair, onset=onset, apex=apex)
    return hide(pair, rng) if rng.random() < 0.2 else pair


def shake(rng: np.random.Generator, size: int) -> NDArray[np.float64]:
    """How a camera in the hand moves between the frames: a similarity `(2, 3)` about the middle of the crop.

    It turns by 1.2 degrees, shifts by 0.7 % of the crop and zooms by 0.8 %, standard deviations.
    """
    angle, zoom = np.deg2rad(rng.normal(0, 1.2)), np.exp(rng.normal(0, 0.008))
    linear = zoom * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    middle = np.full(2, size / 2)
    return np.column_stack([linear, middle - linear @ middle + rng.normal(0, 0.007 * size, 2)])


def steady(
    pair: Pair, scale: NDArray[np.float64], shift: NDArray[np.float64], rng: np.random.Generator
) -> NDArray[np.float64] | None:
    """What aligning the apex by its own landmarks does, as a similarity `(2, 3)` on the new grid: it takes most of the
    head's shift, roll and zoom away and leaves its turn out of the picture and an error of some tenths of a pixel.
    """
    rows, columns = np.nonzero(pair.mask)
    if len(rows) < 100:
        return None
    some = slice(None, None, 37)
    onset = np.column_stack([columns, rows])[some] * scale + shift
    apex = onset + pair.head[rows, columns][some] * scale
    fit, _ = cv2.estimateAffinePartial2D(apex.astype(np.float32), onset.astype(np.float32))
    if fit is None:
        return None
    return np.column_stack([fit[:, :2], fit[:, 2] + rng.normal(0, 0.3, 2)])


def resample(
    pair: Pair,
    scale: NDArray[np.float64],
    shift: NDArray[np.float64],
    size: int,
    camera: NDArray[np.float64] | None = None,
) -> Pair:
    """The pair on a grid of `size` x `size` where the point `p` stands at `scale p + shift` (both `(2,)`, x first).

    With a `camera`, a similarity `(2, 3)` on the new grid, the apex is moved by it once more, and so are facial and
    head flow: the flow `f` at `p` becomes `camera(p + f) - p`.
    """
    matrix = np.array([[scale[0], 0, shift[0]], [0, scale[1], shift[1]]])
    again = matrix if camera is None else camera @ np.vstack([matrix, [0, 0, 1]])
    sigma = 0.5 * float(np.sqrt(max(1 / np.min(scale) ** 2 - 1, 0))) + 1e-3

    def moved(image: NDArray[np.uint8], matrix: NDArray[np.float64]) -> NDArray[np.uint8]:
        if np.min(scale) < 1:  # interpolation alone would alias
            image = np.asarray(cv2.GaussianBlur(image, (0, 0), sigma), np.uint8)
        found = cv2.warpAffine(image, matrix, (size, size), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
        return np.asarray(found, np.uint8)

    def nearest(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        return np.asarray(cv2.warpAffine(image, matrix, (size, size), flags=cv2.INTER_NEAREST), np.uint8)

    places = np.stack(np.meshgrid(np.arange(size), np.arange(size)), axis=-1)

    def flowed(field: NDArray[np.float32]) -> NDArray[np.float32]:
        found = cv2.warpAffine(field, matrix, (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        found = found * scale
        if camera is not None:
            found = (places + found) @ camera[:, :2].T + camera[:, 2] - places
        return np.asarray(found, np.float32)

    landmarks = pair.landmarks
    if landmarks is not None:
        landmarks = (landmarks * [*scale, scale.mean()] + [*shift, 0]).astype(np.float32)
    return Pair(
        moved(pair.onset, matrix),
        moved(pair.apex, again),
        flowed(pair.facial),
        flowed(pair.head),
        nearest(pair.mask),  # outside the old frame nothing is known to be face
        landmarks,
        None if pair.visible is None else nearest(pair.visible),
    )


def mirror(pair: Pair) -> Pair:
    """The pair in a mirror: x of each flow changes its sign, left and right landmarks change places."""
    flip = lambda array: np.ascontiguousarray(array[:, ::-1])  # noqa: E731
    sign = np.array([-1, 1], np.float32)
    landmarks = pair.landmarks
    if landmarks is not None:
        landmarks = landmarks[mirrored_landmarks()] * np.array([-1, 1, 1], np.float32)
        landmarks[:, 0] += pair.mask.shape[1] - 1
    return Pair(
        flip(pair.onset),
        flip(pair.apex),
        flip(pair.facial) * sign,
        flip(pair.head) * sign,
        flip(pair.mask),
        landmarks,
        None if pair.visible is None else flip(pair.visible),
    )


def hide(pair: Pair, rng: np.random.Generator) -> Pair:
    """A patch of the apex in its mean color, as if a hand or hair had come in; what it hides is no longer `visible`."""
    height, width = pair.mask.shape
    h, w = (int(n * rng.uniform(0.08, 0.25)) for n in (height, width))
    y, x = int(rng.uniform(0, height - h)), int(rng.uniform(0, width - w))
    apex = pair.apex.copy()
    apex[y : y + h, x : x + w] = apex.reshape(-1, 3).mean(axis=0)
    rows, columns = np.mgrid[:height, :width]
    to_x, to_y = columns + pair.facial[..., 0], rows + pair.facial[..., 1]
    hidden = (to_x > x - 1) & (to_x < x + w) & (to_y > y - 1) & (to_y < y + h)  # interpolation reads four pixels
    visible = np.ones((height, width), np.uint8) if pair.visible is None else pair.visible
    return replace(pair, apex=apex, visible=np.where(hidden, 0, visible).astype(np.uint8))


@lru_cache(maxsize=1)
def mirrored_landmarks() -> NDArray[np.intp]:
    """For each of the 478 points, the one on the other side of the (symmetric) canonical face."""
    points = canonical_landmarks()
    distance = np.linalg.norm(points[:, None] - points[None] * [-1, 1, 1], axis=2)
    return distance.argmin(axis=1)
