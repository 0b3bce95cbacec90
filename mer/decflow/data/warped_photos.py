"""Training pairs from photographs: a rigid head rotation in depth, smooth skin motion in the face, light and noise.

The apex shows the photograph, and the onset shows it pulled back along the flow, so the flow on the onset's grid is
exact by construction, without an inversion. The head is a surface through the landmarks that rotates and shifts in
front of a perspective camera; the skin moves by smooth random fields. This is a motion model independent of the
renderer, with the texture of real and generated portraits.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from mer.datasets.person_split import person_of, split_of
from mer.decflow.data.degradation import degrade
from mer.decflow.data.pairs import Pair, pixel_coordinates
from mer.decflow.data.skin_motion import skin_flow
from mer.decflow.prior import STRIDE, face_map
from mer.face.align import face_mask
from mer.face.regions import OUTER_EYE_CORNERS, OVAL

Array = NDArray[np.float32]


@dataclass(frozen=True)
class Photo:
    """A photograph, read when it is needed."""

    file: Path
    landmarks: Array  # (478, 3) pixels

    def read(self) -> NDArray[np.uint8]:
        image = cv2.imread(str(self.file), cv2.IMREAD_COLOR)
        if image is None:
            raise OSError(f"{self.file} is not a readable image")
        return np.ascontiguousarray(image[..., ::-1], np.uint8)


@dataclass(frozen=True)
class Motion:
    """Amount of motion and degradation. Lengths are fractions of the interocular distance, angles degrees."""

    turn: tuple[float, float] = (0.1, 6.0)  # head rotation, log-uniform
    shift: float = 0.03  # standard deviation of the head's translation
    skin: tuple[float, float] = (0.002, 0.12)  # largest skin displacement, log-uniform: 0.2 to 12 px at 100 px
    still_head: float = 0.2  # share of pairs without head motion
    still_face: float = 0.15  # share of pairs without expression
    noise: tuple[float, float] = (0.3, 3.0)  # gray levels, log-uniform
    light: float = 0.06  # relative change of brightness between the frames
    coarse: float = 0.4  # share of pairs that are blurred, and of pairs that are compressed


def read_photos(folders: Iterable[str | Path], split: str) -> list[Photo]:
    """Photographs of the people of one split, in a fixed order.

    A folder holds images and `landmarks478.json`: file name -> `{"lm": 478 x [x, y, z]}`, pixels. The person is the
    file name up to the first underscore if that is a number (several images of one person), else the whole name.
    """
    photos = []
    for folder in map(Path, folders):
        table = folder / "landmarks478.json"
        if not table.exists():
            raise FileNotFoundError(f"no {table}; a folder of faces needs one (file name -> 478 landmarks)")
        for name, entry in sorted(json.loads(table.read_text()).items()):
            landmarks = np.asarray(entry["lm"], np.float32)
            if split_of(person_of(name)) == split and landmarks.shape == (478, 3):
                photos.append(Photo(folder / name, landmarks))
    if not photos:
        raise ValueError(f"no photographs of the {split} people in {', '.join(map(str, folders))}")
    return photos


def warped_pair(photo: Photo, rng: np.random.Generator, size: int = 224, motion: Motion | None = None) -> Pair:
    """One pair from a photograph, `size` x `size`, cropped around the face with some jitter."""
    motion = motion or Motion()
    interocular = size * rng.uniform(0.36, 0.48)  # in the crop
    image, landmarks, scale = _reduce(photo.read(), photo.landmarks.astype(np.float64), interocular)
    # A lens blurs by about a pixel. Without blur, interpolation is sharp on the photograph's grid and soft between its
    # pixels, which looks like motion.
    image = np.asarray(cv2.GaussianBlur(image, (0, 0), rng.uniform(0.4, 1.2)), np.uint8)

    # The apex: a similarity from the photograph to the crop.
    right, left = landmarks[list(OUTER_EYE_CORNERS), :2]
    eyes = left - right
    angle = -np.arctan2(eyes[1], eyes[0]) + np.deg2rad(rng.normal(0, 2))
    linear = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    center = np.array([size / 2, size * 0.38]) + rng.normal(0, 0.02 * size, 2)
    offset = center - linear @ ((left + right) / 2)
    apex_landmarks = np.column_stack([landmarks[:, :2] @ linear.T + offset, landmarks[:, 2] * scale])
    apex_landmarks[:, 2] -= apex_landmarks[list(OUTER_EYE_CORNERS), 2].mean()
    # Estimated depth is unreliable: vary it, so that a network does not rely on it.
    apex_landmarks[:, 2] *= rng.uniform(0.8, 1.25)

    head, onset_landmarks = _head_flow(apex_landmarks, rng, size, interocular, motion)
    mask = face_mask(onset_landmarks, size)
    head *= _background_share(mask, float(np.abs(head).max()), rng, interocular)
    still = rng.random() < motion.still_face
    expression = np.zeros_like(head) if still else skin_flow(onset_landmarks, mask, rng, interocular, motion.skin)
    facial = head + expression

    inverse = np.linalg.inv(linear)
    frames = [
        sample_bicubic(image, (pixel_coordinates(size) + field - offset) @ inverse.T)
        for field in (facial, np.zeros_like(facial))
    ]
    onset, apex = degrade(frames, rng, noise=motion.noise, light=motion.light, coarse=motion.coarse)
    return Pair(
        onset, apex, facial.astype(np.float32), head.astype(np.float32), mask, onset_landmarks.astype(np.float32)
    )


def _reduce(
    image: NDArray[np.uint8], landmarks: NDArray[np.float64], interocular: float
) -> tuple[NDArray[np.uint8], NDArray[np.float64], float]:
    """Shrink photographs that are much finer than the crop, which would alias; also the scale that remains to it."""
    right, left = landmarks[list(OUTER_EYE_CORNERS), :2]
    scale = float(interocular / np.linalg.norm(left - right))
    factor = 1.6 * scale
    if factor >= 1:
        return image, landmarks, scale
    sides = (round(image.shape[1] * factor), round(image.shape[0] * factor))
    image = np.asarray(cv2.resize(image, sides, interpolation=cv2.INTER_AREA), np.uint8)
    return image, landmarks * factor, scale / factor


def sample_bicubic(image: NDArray[np.uint8], points: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Bicubic values at pixel coordinates `(H, W, 2)`.

    Not by OpenCV's `remap`, which rounds coordinates to 1/32 pixel.
    """
    height, width = image.shape[:2]
    grid = torch.from_numpy((points * (2 / (width - 1), 2 / (height - 1)) - 1).astype(np.float32))[None]
    source = torch.from_numpy(image).permute(2, 0, 1)[None].float()
    values = F.grid_sample(source, grid, mode="bicubic", padding_mode="reflection", align_corners=True)[0]
    return values.round().clamp(0, 255).byte().permute(1, 2, 0).numpy()


def _head_flow(
    apex: NDArray, rng: np.random.Generator, size: int, interocular: float, motion: Motion
) -> tuple[NDArray, NDArray]:
    """Head flow `(size, size, 2)` on the onset's grid, and the onset's landmarks, from those of the apex."""
    if rng.random() < motion.still_head:
        return np.zeros((size, size, 2)), apex
    axis = rng.normal(0, 1, 3)
    degrees = np.exp(rng.uniform(*np.log(motion.turn)))
    rotation = Rotation.from_rotvec(np.deg2rad(degrees) * axis / np.linalg.norm(axis)).as_matrix()
    # A head rotates about the neck, which also shifts the face; alignment of the crops leaves a rotation in place.
    strength = degrees / motion.turn[1] * rng.choice([1.0, 0.2])
    shift = rng.normal(0, motion.shift * interocular, 3) * np.array([1, 1, 2]) * (0.2 * rng.random() + strength)
    neck = [*apex[list(OVAL), :2].mean(axis=0), interocular * rng.uniform(-0.3, 1.3)]
    center = np.array(neck) + rng.normal(0, 0.2 * interocular, 3) * [1, 1, 0]
    distance = interocular * rng.uniform(6, 25)  # of the camera

    def project(points: NDArray) -> NDArray:
        scale = distance / (distance + points[..., 2:] - center[2])
        return center[:2] + (points[..., :2] - center[:2]) * scale

    def unproject(pixels: NDArray, depth: NDArray) -> NDArray:
        depth = depth[..., None]
        scale = (distance + depth - center[2]) / distance
        return np.concatenate([center[:2] + (pixels - center[:2]) * scale, depth], axis=-1)

    # The apex is the rotated onset, so the onset's landmarks are those of the apex, rotated back.
    points = (unproject(apex[:, :2], apex[:, 2]) - center - shift) @ rotation + center
    onset = np.column_stack([project(points), points[:, 2]])
    eye_depth = onset[list(OUTER_EYE_CORNERS), 2].mean()
    depth = face_map(onset.astype(np.float32), (size, size))[3] * interocular + eye_depth
    depth = cv2.resize(cv2.GaussianBlur(depth, (0, 0), 0.03 * interocular / STRIDE + 0.3), (size, size))
    pixels = pixel_coordinates(size)
    rotated = (unproject(pixels, depth.astype(np.float64)) - center) @ rotation.T + center + shift
    return project(rotated) - pixels, onset


def _background_share(mask: NDArray, largest: float, rng: np.random.Generator, interocular: float) -> NDArray:
    """Share of the head flow `(size, size, 1)` in which hair, neck and background take part: all, or decreasing."""
    if rng.random() < 0.4:
        return np.ones((*mask.shape, 1))
    # With a steeper decrease, the image would fold over itself.
    width = max(rng.uniform(0.05, 1.0) * interocular, 3 * largest)
    outside = cv2.distanceTransform(1 - mask, cv2.DIST_L2, 5) - rng.uniform(0.0, 0.15) * interocular
    share = np.clip(1 - outside.astype(np.float64) / width, rng.choice([0.0, 0.4]), 1)
    return cv2.GaussianBlur(share, (0, 0), 0.02 * interocular)[..., None]
