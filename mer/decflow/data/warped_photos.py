"""Training pairs from photographs: a rigid head turn in depth, smooth skin motion inside the face, light and noise.

The apex shows the photograph and the onset shows it pulled back along the flow, so that the flow on the onset's grid is
exact by construction and nothing has to be inverted. The head is a surface through the landmarks that turns and shifts
in front of a perspective camera; the skin moves by smooth random fields of three kinds. It is a second motion model
beside the renderer, with the texture of real and generated portraits.
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
from mer.decflow.data.pairs import Pair
from mer.decflow.prior import STRIDE, face_map
from mer.face.align import face_mask
from mer.face.canonical import canonical_landmarks
from mer.face.regions import OUTER_EYE_CORNERS, OVAL, REGIONS

Array = NDArray[np.float32]

# Where skin moves: expressions start at the brows, lids, nose wings, cheeks and mouth.
_MOVING = ("right_brow", "left_brow", "glabella", "right_lids", "left_lids", "nose", "right_cheek", "left_cheek")
_MOUTH = ("mouth", "chin")


@dataclass(frozen=True)
class Photo:
    """A photograph, read when it is needed."""

    file: Path
    landmarks: Array  # (478, 3) pixels

    def read(self) -> NDArray[np.uint8]:
        image = cv2.imread(str(self.file), cv2.IMREAD_COLOR)
        if image is None:
            raise OSError(f"{self.file} is not a readable picture")
        return np.ascontiguousarray(image[..., ::-1], np.uint8)


@dataclass(frozen=True)
class Motion:
    """How much moves. Lengths are fractions of the interocular distance, angles degrees."""

    turn: tuple[float, float] = (0.1, 6.0)  # head rotation, log-uniform
    shift: float = 0.03  # standard deviation of the head's translation
    skin: tuple[float, float] = (0.002, 0.12)  # largest skin displacement, log-uniform: 0.2 to 12 px at 100 px
    still_head: float = 0.2  # share of pairs whose head rests
    still_face: float = 0.15  # share of pairs without expression
    noise: tuple[float, float] = (0.3, 3.0)  # grey levels, log-uniform
    light: float = 0.06  # relative change of brightness between the frames
    coarse: float = 0.4  # share of pairs that are blurred, and of pairs that are compressed


def read_photos(folders: Iterable[str | Path], split: str) -> list[Photo]:
    """Photographs of the people of one split, in a fixed order.

    A folder holds pictures and `landmarks478.json`: file name -> `{"lm": 478 x [x, y, z]}`, pixels. The person is the
    file name up to the first underscore where that is a number (several pictures of one person), else the whole name.
    """
    photos = []
    for folder in map(Path, folders):
        table = folder / "landmarks478.json"
        if not table.exists():
            raise FileNotFoundError(f"{table} is not there; a folder of faces needs one (file name -> 478 landmarks)")
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
    image, landmarks = photo.read(), photo.landmarks.astype(np.float64)

    # The apex: a similarity from the photograph to the crop.
    unit = size * rng.uniform(0.36, 0.48)  # interocular distance in the crop
    right, left = landmarks[list(OUTER_EYE_CORNERS), :2]
    eyes = left - right
    shrink = unit / np.linalg.norm(eyes)
    finest = float(1.6 * shrink)  # pictures much finer than the crop would alias
    if finest < 1:
        sides = (round(image.shape[1] * finest), round(image.shape[0] * finest))
        image = np.asarray(cv2.resize(image, sides, interpolation=cv2.INTER_AREA), np.uint8)
        landmarks, shrink = landmarks * finest, shrink / finest
        right, left = landmarks[list(OUTER_EYE_CORNERS), :2]
    # A lens blurs by about a pixel. Without it, interpolation is sharp on the photograph's grid and soft between, which
    # looks like motion.
    image = np.asarray(cv2.GaussianBlur(image, (0, 0), rng.uniform(0.4, 1.2)), np.uint8)
    angle = -np.arctan2(eyes[1], eyes[0]) + np.deg2rad(rng.normal(0, 2))
    turn = shrink * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    target = np.array([size / 2, size * 0.38]) + rng.normal(0, 0.02 * size, 2)
    offset = target - turn @ ((left + right) / 2)
    apex_points = np.column_stack([landmarks[:, :2] @ turn.T + offset, landmarks[:, 2] * shrink])
    apex_points[:, 2] -= apex_points[list(OUTER_EYE_CORNERS), 2].mean()
    # Nobody's true depth is known: make it deeper or flatter, so that a network learns to doubt it.
    apex_points[:, 2] *= rng.uniform(0.8, 1.25)

    head, onset_points = _head_flow(apex_points, rng, size, unit, motion)
    mask = face_mask(onset_points, size)
    head *= _reach(mask, float(np.abs(head).max()), rng, unit)
    still = rng.random() < motion.still_face
    expression = np.zeros_like(head) if still else _skin_flow(onset_points, mask, rng, size, unit, motion)
    facial = head + expression

    y, x = np.mgrid[:size, :size].astype(np.float64)
    inverse = np.linalg.inv(turn)
    frames = []
    for moved in (facial, np.zeros_like(facial)):
        points = np.stack([x, y], axis=-1) + moved - offset
        frames.append(sample_exactly(image, points @ inverse.T))
    onset, apex = spoil(frames, rng, noise=motion.noise, light=motion.light, coarse=motion.coarse)
    return Pair(onset, apex, facial.astype(np.float32), head.astype(np.float32), mask, onset_points.astype(np.float32))


def sample_exactly(image: NDArray[np.uint8], points: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Bicubic values at pixel coordinates `(H, W, 2)`. Not OpenCV's remap, which rounds coordinates to 1/32 pixel."""
    height, width = image.shape[:2]
    grid = torch.from_numpy((points * (2 / (width - 1), 2 / (height - 1)) - 1).astype(np.float32))[None]
    source = torch.from_numpy(image).permute(2, 0, 1)[None].float()
    found = F.grid_sample(source, grid, mode="bicubic", padding_mode="reflection", align_corners=True)[0]
    return found.round().clamp(0, 255).byte().permute(1, 2, 0).numpy()


def _head_flow(
    apex: NDArray, rng: np.random.Generator, size: int, unit: float, motion: Motion
) -> tuple[NDArray, NDArray]:
    """Head flow `(size, size, 2)` on the onset's grid, and the onset's landmarks, from those of the apex."""
    if rng.random() < motion.still_head:
        return np.zeros((size, size, 2)), apex
    axis = rng.normal(0, 1, 3)
    degrees = np.exp(rng.uniform(*np.log(motion.turn)))
    turn = Rotation.from_rotvec(np.deg2rad(degrees) * axis / np.linalg.norm(axis)).as_matrix()
    # A head turns about the neck and takes the face along; where crops are aligned, what is left is a turn in place.
    strength = degrees / motion.turn[1] * rng.choice([1.0, 0.2])
    shift = rng.normal(0, motion.shift * unit, 3) * np.array([1, 1, 2]) * (0.2 * rng.random() + strength)
    joint = [*apex[list(OVAL), :2].mean(axis=0), unit * rng.uniform(-0.3, 1.3)]
    middle = np.array(joint) + rng.normal(0, 0.2 * unit, 3) * [1, 1, 0]
    far = unit * rng.uniform(6, 25)  # the camera's distance

    def project(points: NDArray) -> NDArray:
        return middle[:2] + (points[..., :2] - middle[:2]) * (far / (far + points[..., 2:] - middle[2]))

    def lift(places: NDArray, depth: NDArray) -> NDArray:
        depth = depth[..., None]
        return np.concatenate([middle[:2] + (places - middle[:2]) * ((far + depth - middle[2]) / far), depth], axis=-1)

    # The apex is the onset turned, so the onset's landmarks are the apex's turned back.
    points = (lift(apex[:, :2], apex[:, 2]) - middle - shift) @ turn + middle
    onset = np.column_stack([project(points), points[:, 2]])
    depth = face_map(onset.astype(np.float32), (size, size))[3] * unit + onset[list(OUTER_EYE_CORNERS), 2].mean()
    depth = cv2.resize(cv2.GaussianBlur(depth, (0, 0), 0.03 * unit / STRIDE + 0.3), (size, size))
    y, x = np.mgrid[:size, :size].astype(np.float64)
    places = np.stack([x, y], axis=-1)
    moved = (lift(places, depth.astype(np.float64)) - middle) @ turn.T + middle + shift
    return project(moved) - places, onset


def _reach(mask: NDArray, largest: float, rng: np.random.Generator, unit: float) -> NDArray:
    """How much of the head's flow `(size, size, 1)` hair, neck and background take part in: all, or less and less."""
    if rng.random() < 0.4:
        return np.ones((*mask.shape, 1))
    width = max(rng.uniform(0.05, 1.0) * unit, 3 * largest)  # steeper, and the picture would fold over itself
    outside = cv2.distanceTransform(1 - mask, cv2.DIST_L2, 5) - rng.uniform(0.0, 0.15) * unit
    fade = np.clip(1 - outside.astype(np.float64) / width, rng.choice([0.0, 0.4]), 1)
    return cv2.GaussianBlur(fade, (0, 0), 0.02 * unit)[..., None]


def _skin_flow(
    onset: NDArray, mask: NDArray, rng: np.random.Generator, size: int, unit: float, motion: Motion
) -> NDArray:
    """Skin motion `(size, size, 2)` of one of three kinds, soft at the face's edge."""
    largest = unit * np.exp(rng.uniform(*np.log(motion.skin)))
    y, x = np.mgrid[:size:2, :size:2].astype(np.float64)
    draw = (_bumps, _bumps, _patches, _waves)[rng.integers(4)]
    field = draw(onset, x, y, rng, unit)
    soft = cv2.GaussianBlur(mask[::2, ::2].astype(np.float64), (0, 0), 0.04 * unit)
    field *= soft[..., None]
    length = np.linalg.norm(field, axis=-1).max()
    # Steeper than this and skin would fold over itself.
    slope = max(np.abs(np.gradient(field[..., n])).max() / 2 for n in (0, 1)) + 1e-9
    field *= min(largest / max(length, 1e-9), 0.4 / slope)
    return cv2.resize(field, (size, size), interpolation=cv2.INTER_LINEAR)


def _bumps(onset: NDArray, x: NDArray, y: NDArray, rng: np.random.Generator, unit: float) -> NDArray:
    """A few smooth bumps at the moving parts, half of them mirrored across the face."""
    canonical = canonical_landmarks()
    field = np.zeros((*x.shape, 2))
    for _ in range(rng.integers(1, 6)):
        center = _moving_landmark(rng)
        mirrored = int(np.linalg.norm(canonical - canonical[center] * [-1, 1, 1], axis=1).argmin())
        angle = rng.uniform(0, 2 * np.pi)
        along, across = np.exp(rng.uniform(np.log(0.07), np.log(0.4), 2)) * unit
        height = rng.uniform(0.3, 1)
        direction = rng.normal(0, 1, 2)
        for side in (1, -1) if rng.random() < 0.5 else (1,):
            place = onset[center if side == 1 else mirrored, :2]
            dx, dy = x - place[0], y - place[1]
            u = dx * np.cos(angle) + side * dy * np.sin(angle)
            v = -side * dx * np.sin(angle) + dy * np.cos(angle)
            bump = height * np.exp(-0.5 * ((u / along) ** 2 + (v / across) ** 2))
            field += bump[..., None] * direction * [side, 1]
    return field


def _patches(onset: NDArray, x: NDArray, y: NDArray, rng: np.random.Generator, unit: float) -> NDArray:
    """Patches of skin that a muscle shifts, turns, shears and stretches or bunches: affine inside, flat-topped."""
    field = np.zeros((*x.shape, 2))
    for _ in range(rng.integers(1, 5)):
        place = onset[_moving_landmark(rng), :2]
        dx, dy = (x - place[0]) / unit, (y - place[1]) / unit
        radius = np.exp(rng.uniform(np.log(0.15), np.log(0.45)))
        window = np.exp(-((np.hypot(dx, dy) / radius) ** 4))
        inside = np.stack([dx, dy], axis=-1) @ (rng.normal(0, 1, (2, 2)) / radius) + rng.normal(0, 0.7, 2)
        field += window[..., None] * inside
    return field


def _waves(onset: NDArray, x: NDArray, y: NDArray, rng: np.random.Generator, unit: float) -> NDArray:
    """Smooth noise of one width, everywhere or about one part of the face."""
    width = np.exp(rng.uniform(np.log(0.1), np.log(0.35))) * unit / 2  # in samples, which are two pixels apart
    field = np.stack([cv2.GaussianBlur(rng.normal(0, 1, x.shape), (0, 0), width) for _ in range(2)], axis=-1)
    if rng.random() < 0.5:
        place = onset[_moving_landmark(rng), :2]
        reach = rng.uniform(0.3, 0.8) * unit
        field *= np.exp(-0.5 * ((x - place[0]) ** 2 + (y - place[1]) ** 2) / reach**2)[..., None]
    return field


def _moving_landmark(rng: np.random.Generator) -> int:
    return int(rng.choice(REGIONS[rng.choice(_MOVING if rng.random() < 0.6 else _MOUTH)]))


def spoil(
    frames: list[NDArray[np.uint8]],
    rng: np.random.Generator,
    *,
    noise: tuple[float, float] = (0.3, 4.0),
    light: float = 0.06,
    coarse: float = 0.4,
) -> list[NDArray[np.uint8]]:
    """What a camera does to frames: one color and blur for both; light, noise and compression that change between them.

    Geometry is untouched, so the flows stay exact.
    """
    height, width = frames[0].shape[:2]
    gamma, gain, lift = np.exp(rng.normal(0, 0.2)), rng.uniform(0.7, 1.1), rng.uniform(0, 20)
    tint = np.exp(rng.normal(0, 0.06, 3)).astype(np.float32)
    gray = rng.random() < 0.15
    blur = rng.uniform(0.3, 1.2) if rng.random() < coarse else 0.0
    grain = np.float32(np.exp(rng.uniform(*np.log(noise))))
    quality = int(rng.uniform(60, 98)) if rng.random() < coarse else None
    spoiled = []
    for frame in frames:
        levels = 255 * (np.arange(256, dtype=np.float32) / 255) ** gamma * gain + lift
        image = levels.astype(np.float32)[frame] * tint
        if gray:
            image = np.repeat(image @ np.array([[0.299], [0.587], [0.114]], np.float32), 3, axis=2)
        change = rng.normal(0, light / 2) + cv2.resize(
            rng.normal(0, light / 3, (3, 3)).astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC
        )
        image *= (1 + change)[..., None].astype(np.float32)
        if blur:
            image = cv2.GaussianBlur(image, (0, 0), blur * rng.uniform(0.9, 1.1))
        image += grain * rng.standard_normal((height, width, 1), np.float32)
        image += grain / 2 * rng.standard_normal(image.shape, np.float32)
        pixels = np.clip(np.rint(image), 0, 255).astype(np.uint8)
        if quality is not None:
            _, data = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])
            pixels = cv2.imdecode(data, cv2.IMREAD_COLOR)
        spoiled.append(pixels)
    return spoiled
