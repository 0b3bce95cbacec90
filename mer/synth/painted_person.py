"""Paint hair, ears, neck and clothes around a generated face."""

from dataclasses import dataclass

import cv2
import numpy as np

from mer.face.regions import OVAL
from mer.synth.portrait import SIZE


@dataclass(frozen=True, eq=False)
class _Head:
    """Measures of the head, pixels."""

    landmarks: np.ndarray  # (478, 2)
    interocular: float
    center_x: float
    temples_y: float
    half_width: float  # between the temples
    crown_y: float  # the top of the skull


def _measure(landmarks: np.ndarray) -> _Head:
    points = landmarks[:, :2].astype(np.float32)
    interocular = float(np.linalg.norm(points[263] - points[33]))
    return _Head(
        landmarks=points,
        interocular=interocular,
        center_x=float(points[[10, 152], 0].mean()),
        temples_y=float(points[[127, 356], 1].mean()),
        half_width=float(np.ptp(points[[127, 356], 0]) / 2),
        crown_y=float(points[10, 1]) - 0.34 * interocular,
    )


def paint_person(
    face: np.ndarray, weight: np.ndarray, landmarks: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Paint a person around a face: image, float32 (512, 512, 3), and the person's share of each pixel, (512, 512).

    `face` is skin warped to `landmarks`, with the same shape as the image; `weight` is its validity, 0 to 1.
    """
    head = _measure(landmarks)
    samples = [_pixels_around(face, head.landmarks[i], 0.06 * head.interocular) for i in (50, 280, 205, 425, 199)]
    skin = np.median(np.concatenate(samples), axis=0)
    image, matte = np.zeros((SIZE, SIZE, 3), np.float32), np.zeros((SIZE, SIZE), np.float32)
    hair = _draw_hair(head, rng)
    if hair is not None and hair.long:  # behind the neck
        back = np.concatenate([hair.outer[0], hair.outer[1][::-1]])
        _paint(image, matte, np.broadcast_to(hair.color * 0.38, image.shape), _soft(_polygon(back), 2.0))
    _paint_neck_and_clothes(image, matte, head, skin, rng)
    _paint_ears(image, matte, head, skin)
    _paint_skull(image, matte, head, skin)
    oval = head.landmarks[list(OVAL)]
    enlarged = oval.mean(axis=0) + 1.02 * (oval - oval.mean(axis=0))
    soft_oval = cv2.GaussianBlur(_polygon(enlarged).astype(np.float32), (0, 0), 4)
    _paint(image, matte, face, soft_oval * np.minimum(1, 2 * weight))
    if hair is not None:
        _paint_hair(image, matte, hair, head.interocular, rng)
    return image, matte


def _paint_neck_and_clothes(
    image: np.ndarray, matte: np.ndarray, head: _Head, skin: np.ndarray, rng: np.random.Generator
) -> None:
    y, x = np.mgrid[:SIZE, :SIZE].astype(np.float32)
    unit, center_x = head.interocular, head.center_x
    chin_y, jaw_half = float(head.landmarks[152, 1]), float(np.ptp(head.landmarks[[172, 397], 0]) / 2)
    neck_half = jaw_half * rng.uniform(0.72, 0.90)
    down = (y - chin_y) / unit
    flare = 1 - 0.10 * np.clip(down, 0, 0.3) / 0.3 + 0.7 * np.clip(down - 0.15, 0, 1.5) ** 2
    across = (x - center_x) / (neck_half * flare)
    # Darker under the chin and at the sides.
    shade = (0.60 + 0.28 * np.clip(down / 0.45, 0, 1)) * (1 - 0.30 * np.clip(np.abs(across), 0, 1) ** 3)
    throat = 1 + 0.05 * np.cos(np.clip(across * 4, -np.pi, np.pi)) * np.clip(down, 0, 0.4)
    neck = (np.abs(across) < 1) & (down > -0.5)
    _paint(image, matte, skin * (shade * throat)[..., None], _soft(neck, 1.5))
    collar = chin_y + unit * rng.uniform(0.34, 0.52)
    slope = rng.uniform(0.28, 0.45)
    dip = rng.uniform(0.0, 0.45) * unit * np.exp(-(((x - center_x) / (0.8 * neck_half)) ** 2))
    below = y - (collar + dip - 0.12 * unit + slope * np.clip(np.abs(x - center_x) - 0.95 * neck_half, 0, None))
    cloth = np.clip(rng.uniform(20, 215) + rng.normal(0, 26, 3), 12, 235)
    folds = cv2.GaussianBlur(rng.standard_normal((SIZE, SIZE)).astype(np.float32), (0, 0), 14)
    weave = cv2.GaussianBlur(rng.standard_normal((SIZE, SIZE)).astype(np.float32), (0, 0), 0.8)
    hem = 1 - 0.25 * np.exp(-(((below - 0.04 * unit) / (0.012 * unit)) ** 2)) + 0.2 * np.clip(-below / 9, -0.2, 0)
    relief = hem * (1 + 2.2 * folds + 0.05 * weave) * (1 - 0.5 * ((x - center_x) / SIZE) ** 2)
    _paint(image, matte, cloth * relief[..., None], _soft(below > 0, 1.2))


def _paint_ears(image: np.ndarray, matte: np.ndarray, head: _Head, skin: np.ndarray) -> None:
    y, x = np.mgrid[:SIZE, :SIZE].astype(np.float32)
    points, unit = head.landmarks, head.interocular
    for side, (top, bottom) in ((-1, (127, 132)), (1, (356, 361))):
        center = (points[top] + points[bottom]) / 2 + [side * 0.05 * unit, -0.02 * unit]
        tall = 0.60 * np.linalg.norm(points[top] - points[bottom])
        radius = np.hypot((x - center[0] - side * 0.12 * (center[1] - y)) / (0.12 * unit), (y - center[1]) / tall)
        tint = skin * (0.84 - 0.22 * np.exp(-(((radius - 0.5) / 0.2) ** 2)))[..., None] * [1.03, 0.96, 0.95]
        _paint(image, matte, tint, _soft(radius < 1, 1.5))


def _paint_skull(image: np.ndarray, matte: np.ndarray, head: _Head, skin: np.ndarray) -> None:
    """The bald skull above the face."""
    y, x = np.mgrid[:SIZE, :SIZE].astype(np.float32)
    radius = np.hypot((x - head.center_x) / head.half_width, (y - head.temples_y) / (head.temples_y - head.crown_y))
    bald = skin * (0.98 - 0.3 * np.clip(radius, 0, 1) ** 4)[..., None]
    _paint(image, matte, bald, _soft((radius < 1) & (y < head.temples_y), 2))


@dataclass(frozen=True, eq=False)
class _Hair:
    """Hair as two lines per side, from the parting down: `inner` beside the face, `outer` along the silhouette."""

    color: np.ndarray
    long: bool
    inner: list[np.ndarray]
    outer: list[np.ndarray]


def _draw_hair(head: _Head, rng: np.random.Generator) -> _Hair | None:
    """Draw a haircut; None is a bald head."""
    if rng.random() < 0.05:
        return None
    unit, half_width = head.interocular, head.half_width
    long = bool(rng.random() < 0.45)
    natural = np.array(
        [[28, 24, 22], [48, 34, 26], [78, 54, 36], [112, 80, 50], [160, 126, 84], [112, 56, 34], [124, 122, 120]]
    )
    color = natural[rng.choice(len(natural), p=[0.28, 0.24, 0.18, 0.1, 0.08, 0.05, 0.07])] * rng.uniform(0.8, 1.2)
    center = np.array([head.center_x, head.temples_y], np.float32)
    hairline = float(head.landmarks[10, 1]) + rng.uniform(-0.10, 0.05) * unit
    volume = rng.uniform(0.03, 0.10) * unit + (0.05 * unit if long else 0)
    parting = rng.uniform(-0.55, 0.55) * half_width
    length = rng.uniform(0.9, 2.6) * unit if long else rng.uniform(0.0, 0.16) * unit
    curved = 0.5 if long else 0.85  # share of each line that follows the skull; the rest falls straight
    squareness = rng.uniform(0.70, 0.95)  # of the hairline
    steps = np.linspace(0, 1, 40)
    angle = np.clip(steps / curved, 0, 1) * np.pi / 2
    fall = np.clip((steps - curved) / (1 - curved), 0, 1) * length
    inner, outer = [], []
    for side in (-1, 1):
        close = half_width * (0.93 if long else 0.99)
        x = parting * np.cos(angle) ** 2 + side * close * np.sin(angle) ** squareness
        # Long hair curves inward beside the jaw.
        x = x - side * 0.10 * unit * np.sin(np.clip(fall / (1.0 * unit), 0, 1) * np.pi / 2) * long
        inner.append(center + np.column_stack([x, -(center[1] - hairline) * np.cos(angle) ** squareness + fall]))
        swell = 0.12 * unit * np.sin(np.clip(fall / (1.4 * unit), 0, 1) * np.pi) * long
        x = side * ((half_width + volume) * np.sin(angle) + swell)
        outer.append(center + np.column_stack([x, -(center[1] - head.crown_y + volume) * np.cos(angle) + fall]))
    return _Hair(color, long, inner, outer)


def _paint_hair(image: np.ndarray, matte: np.ndarray, hair: _Hair, unit: float, rng: np.random.Generator) -> None:
    """Paint strands over a dark base."""
    strokes = []
    steps = np.linspace(0, 1, len(hair.inner[0]))
    for inner, outer in zip(hair.inner, hair.outer):
        base = _soft(_polygon(np.concatenate([inner, outer[::-1]])), 3.0)
        _paint(image, matte, np.broadcast_to(hair.color * 0.6, image.shape), base)
        wave, phase = rng.uniform(0, 0.05) * unit * hair.long, rng.uniform(0, 6, 5)
        count, n_points = 1100, 9  # strands of a side, points along each
        u = rng.random(count)  # 0 on the inner line, 1 on the outer one
        start = rng.uniform(-0.2, 0.85, count)
        stop = np.minimum(start + rng.uniform(0.2, 0.6, count), 1.0 + 0.02 * rng.random(count))
        along = np.linspace(np.maximum(start, 0), stop, n_points, axis=1)
        lines = [np.stack([np.interp(along, steps, line[:, k]) for k in (0, 1)], axis=-1) for line in (inner, outer)]
        path = (1 - u)[:, None, None] * lines[0] + u[:, None, None] * lines[1]
        path[..., 0] += wave * np.sin(9 * along + phase[(u * 4.99).astype(int)][:, None])
        path += rng.normal(0, 0.010 * unit, (count, 1, 2))
        path += np.linspace(0, 1, n_points)[:, None] * rng.normal(0, 0.035 * unit, (count, 1, 2))
        lock = 0.12 * np.sin(38 * u + phase[0]) + 0.08 * np.sin(91 * u + phase[1])
        shine = 0.40 * np.exp(-(((along.mean(axis=1) - 0.30) / 0.13) ** 2)) - 0.25 * (u < 0.08)
        brightness = np.clip(rng.normal(0.85 + shine + lock, 0.14), 0.4, 1.7)
        strokes += list(zip(np.round(path * 16).astype(np.int32), brightness))
    layer = np.dstack([image, matte * 255])  # draws on picture and matte at once
    for k in rng.permutation(len(strokes)):
        path, brightness = strokes[k]
        color = np.clip(hair.color * brightness, 0, 255)
        cv2.polylines(layer, [path], False, [*color.tolist(), 255.0], 1, cv2.LINE_AA, 4)
    image[:], matte[:] = layer[..., :3], layer[..., 3] / 255


def _polygon(points: np.ndarray) -> np.ndarray:
    """Mask of a polygon, uint8 (512, 512), 1 inside."""
    mask = np.zeros((SIZE, SIZE), np.uint8)
    return cv2.fillPoly(mask, [np.round(points * 16).astype(np.int32)], 1, cv2.LINE_8, 4)


def _paint(image: np.ndarray, matte: np.ndarray, layer: np.ndarray, opacity: np.ndarray) -> None:
    """Lay `layer` over the picture and add its opacity to the matte, in place."""
    # Where nothing has been painted yet, the layer keeps its own color even under a soft edge.
    share = np.where(matte > 0.01, opacity, (opacity > 0.001).astype(np.float32))[..., None]
    image += share * (layer - image)
    matte += (1 - matte) * opacity


def _soft(mask: np.ndarray, blur: float) -> np.ndarray:
    return cv2.GaussianBlur(mask.astype(np.float32), (0, 0), blur)


def _pixels_around(image: np.ndarray, point: np.ndarray, radius: float) -> np.ndarray:
    x, y, r = int(point[0]), int(point[1]), max(int(radius), 2)
    return image[max(y - r, 0) : y + r, max(x - r, 0) : x + r].reshape(-1, 3)
