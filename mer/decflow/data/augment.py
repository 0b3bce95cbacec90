"""Augmentation of pairs that keeps the flows exact: every motion of the pixels is added to them."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from mer.decflow.data.degradation import degrade
from mer.decflow.data.pairs import Pair, pixel_coordinates
from mer.face.canonical import mirrored_landmarks
from mer.features.fields import mirror as mirror_field


def augment(pair: Pair, rng: np.random.Generator, size: int) -> Pair:
    """A random view of a pair, `size` x `size`: crop, scale, stretch, mirror, camera motion, noise and occlusion."""
    height, width = pair.mask.shape
    # The face fills the crop about as it does after alignment.
    rows, columns = np.nonzero(pair.mask)
    if len(rows):
        center = np.array([columns.min() + columns.max(), rows.min() + rows.max()]) / 2
        extent = max(np.ptp(columns), np.ptp(rows)) + 1
    else:
        center, extent = np.array([width, height]) / 2, min(height, width)
    zoom = size * rng.uniform(0.72, 1.0) / extent
    scale = zoom * np.exp(rng.uniform(-0.06, 0.06, 2))
    shift = size / 2 + rng.normal(0, 0.03 * size, 2) - scale * center
    draw, camera = rng.random(), None
    if draw < 0.35:
        camera = camera_shake(rng, size)
    elif draw < 0.7:
        camera = apex_alignment(pair, scale, shift, rng)
    pair = resample(pair, scale, shift, size, camera)
    if rng.random() < 0.5:
        pair = mirror(pair)
    # A little noise in addition to that of the images themselves.
    onset, apex = degrade([pair.onset, pair.apex], rng, noise=(0.1, 2.0))
    pair = replace(pair, onset=onset, apex=apex)
    return occlude(pair, rng) if rng.random() < 0.2 else pair


def camera_shake(rng: np.random.Generator, size: int) -> NDArray[np.float64]:
    """Motion of a hand-held camera between the frames: a similarity `(2, 3)` about the center of the crop.

    Rotation of 1.2 degrees, shift of 0.7 % of the crop and zoom of 0.8 %, standard deviations.
    """
    angle, zoom = np.deg2rad(rng.normal(0, 1.2)), np.exp(rng.normal(0, 0.008))
    linear = zoom * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    center = np.full(2, size / 2)
    return np.column_stack([linear, center - linear @ center + rng.normal(0, 0.007 * size, 2)])


def apex_alignment(
    pair: Pair, scale: NDArray[np.float64], shift: NDArray[np.float64], rng: np.random.Generator
) -> NDArray[np.float64] | None:
    """The effect of aligning the apex by its own landmarks: a similarity `(2, 3)` on the new grid.

    It removes most of the head's shift, roll and zoom, and leaves out-of-plane rotation and an error of some tenths of
    a pixel. None if the face is too small.
    """
    rows, columns = np.nonzero(pair.mask)
    if len(rows) < 100:
        return None
    sample = slice(None, None, 37)
    onset = np.column_stack([columns, rows])[sample] * scale + shift
    apex = onset + pair.head[rows, columns][sample] * scale
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
    """The pair on a grid of `size` x `size` that has the point `p` at `scale p + shift`, both `(2,)`, x first.

    A `camera`, a similarity `(2, 3)` on the new grid, moves the apex in addition, and with it facial and head flow: the
    flow `f` at `p` becomes `camera(p + f) - p`.
    """
    onset_matrix = np.array([[scale[0], 0, shift[0]], [0, scale[1], shift[1]]])
    apex_matrix = onset_matrix if camera is None else camera @ np.vstack([onset_matrix, [0, 0, 1]])
    sigma = 0.5 * float(np.sqrt(max(1 / np.min(scale) ** 2 - 1, 0))) + 1e-3
    points = pixel_coordinates(size)

    def warp_image(image: NDArray[np.uint8], matrix: NDArray[np.float64]) -> NDArray[np.uint8]:
        if np.min(scale) < 1:  # interpolation without blur would alias
            image = np.asarray(cv2.GaussianBlur(image, (0, 0), sigma), np.uint8)
        warped = cv2.warpAffine(image, matrix, (size, size), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
        return np.asarray(warped, np.uint8)

    def warp_mask(mask: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Zero outside the old frame."""
        return np.asarray(cv2.warpAffine(mask, onset_matrix, (size, size), flags=cv2.INTER_NEAREST), np.uint8)

    def warp_flow(field: NDArray[np.float32]) -> NDArray[np.float32]:
        flow = cv2.warpAffine(
            field, onset_matrix, (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
        flow = flow * scale
        if camera is not None:
            flow = (points + flow) @ camera[:, :2].T + camera[:, 2] - points
        return np.asarray(flow, np.float32)

    landmarks = pair.landmarks
    if landmarks is not None:
        landmarks = (landmarks * [*scale, scale.mean()] + [*shift, 0]).astype(np.float32)
    return Pair(
        warp_image(pair.onset, onset_matrix),
        warp_image(pair.apex, apex_matrix),
        warp_flow(pair.facial),
        warp_flow(pair.head),
        warp_mask(pair.mask),
        landmarks,
        None if pair.visible is None else warp_mask(pair.visible),
    )


def mirror(pair: Pair) -> Pair:
    """The mirrored pair: u changes its sign, left and right landmarks are swapped."""

    def flip(array: NDArray) -> NDArray:
        return np.ascontiguousarray(array[:, ::-1])

    landmarks = pair.landmarks
    if landmarks is not None:
        landmarks = landmarks[mirrored_landmarks()] * np.array([-1, 1, 1], np.float32)
        landmarks[:, 0] += pair.mask.shape[1] - 1
    return Pair(
        flip(pair.onset),
        flip(pair.apex),
        mirror_field(pair.facial),
        mirror_field(pair.head),
        flip(pair.mask),
        landmarks,
        None if pair.visible is None else flip(pair.visible),
    )


def occlude(pair: Pair, rng: np.random.Generator) -> Pair:
    """Hide a rectangle of the apex, as a hand or hair would; pixels that move into it are no longer `visible`."""
    height, width = pair.mask.shape
    h, w = (int(side * rng.uniform(0.08, 0.25)) for side in (height, width))
    y, x = int(rng.uniform(0, height - h)), int(rng.uniform(0, width - w))
    apex = pair.apex.copy()
    apex[y : y + h, x : x + w] = apex.reshape(-1, 3).mean(axis=0)
    rows, columns = np.mgrid[:height, :width]
    to_x, to_y = columns + pair.facial[..., 0], rows + pair.facial[..., 1]
    # One pixel more on the left and above, since interpolation reads four pixels.
    hidden = (to_x > x - 1) & (to_x < x + w) & (to_y > y - 1) & (to_y < y + h)
    visible = np.ones((height, width), np.uint8) if pair.visible is None else pair.visible
    return replace(pair, apex=apex, visible=np.where(hidden, 0, visible).astype(np.uint8))
