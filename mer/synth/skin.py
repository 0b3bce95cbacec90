"""Generated faces: skin and landmarks drawn from a statistical model, with painted hair, neck and clothes.

`skin.npz` holds the mean and the main modes of skin and of landmarks of generated faces of SFHQ and SFHQ-T2I (David
Beniaguev, MIT licence), computed by `benchmarks/synth_skin.py`; see `skin.md`. No photograph of a real person went into
it. A face is drawn as in an active appearance model (Cootes, Edwards & Taylor, TPAMI 2001): modes of shape, and modes
of color on the mean shape.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from scipy.interpolate import RBFInterpolator

from mer.face.regions import OVAL
from mer.synth.portrait import Portrait

SIZE = 512
FINE, COARSE = 0.72, 0.16  # scales at which brightness and color are kept


@dataclass(frozen=True, eq=False)
class SkinModel:
    """Mean and modes, each mode at one standard deviation.

    `landmarks` (1 + S, 478, 3) in pixels of a 512 px portrait, facing the camera; `frame` (478, 3) the landmarks on
    which skin is kept; `bright` (1 + K, n) over the pixels of `mask` in a picture
    `FINE` times as large, `color` (1 + K, h, w, 2) in one `COARSE` times as large: Y and Cr, Cb of JPEG. `grain` (h,
    w) is the strength of the fine structure that the modes leave out.
    """

    landmarks: np.ndarray
    frame: np.ndarray
    bright: np.ndarray
    mask: np.ndarray
    color: np.ndarray
    grain: np.ndarray


@lru_cache(maxsize=1)
def skin_model() -> SkinModel:
    """The model that comes with mer."""
    with np.load(Path(__file__).with_name("skin.npz"), allow_pickle=False) as a:
        return SkinModel(
            np.concatenate([a["landmarks"][None], _modes(a, "landmark_modes")]).astype(np.float32),
            a["frame"],
            np.concatenate([a["bright"][None], _modes(a, "bright_modes")]).astype(np.float32),
            np.unpackbits(a["mask"], axis=1)[:, : a["mask_width"]].astype(bool),
            np.concatenate([a["color"][None], _modes(a, "color_modes")]).astype(np.float32),
            a["grain"].astype(np.float32),
        )


def _modes(archive: np.lib.npyio.NpzFile, name: str) -> np.ndarray:
    """Modes kept as whole numbers from -127 to 127 and a factor for each."""
    numbers = archive[name].astype(np.float32)
    return numbers * archive[f"{name}_scale"].reshape(-1, *[1] * (numbers.ndim - 1))


def warp_between(source: np.ndarray, target: np.ndarray, size: int) -> np.ndarray:
    """For each pixel of a `size` x `size` picture with landmarks `target`, where it lies in one with `source`.

    Parameters
    ----------
    source, target : (478, 2)
        Landmarks in pixels of the two pictures.

    Returns
    -------
    float32 (size, size, 2)
    """
    frame = np.array([[x, y] for x in (-0.2, 0.5, 1.2) for y in (-0.2, 0.5, 1.2) if (x, y) != (0.5, 0.5)]) * size
    scale = np.ptp(source[:, 0]) / np.ptp(target[:, 0])
    far = (frame - target.mean(axis=0)) * scale + source.mean(axis=0)
    warp = RBFInterpolator(
        np.concatenate([target[:468], frame]), np.concatenate([source[:468], far]), smoothing=1.0, kernel="linear"
    )
    step = 8
    n = size // step + 1
    y, x = np.mgrid[:n, :n] * step
    coarse = warp(np.column_stack([x.ravel(), y.ravel()]).astype(float)).reshape(n, n, 2).astype(np.float32)
    rows, columns = np.mgrid[:size, :size].astype(np.float32) / step
    return np.dstack([cv2.remap(np.ascontiguousarray(coarse[..., k]), columns, rows, cv2.INTER_CUBIC) for k in (0, 1)])


def generate_portrait(rng: np.random.Generator, name: str = "generated") -> Portrait:
    """Draw a face that belongs to nobody.

    Shape and skin are drawn from the modes, each within two standard deviations; hair, ears, neck and clothes are
    painted around them.
    """
    landmarks, face, weight = draw_face(rng)
    places = warp_between(skin_model().frame[:, :2], landmarks[:, :2], SIZE)
    face = cv2.remap(face, places[..., 0], places[..., 1], cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    weight = cv2.remap(weight, places[..., 0], places[..., 1], cv2.INTER_LINEAR)
    image, matte = paint_person(face, weight, landmarks, rng)
    return Portrait(name, np.clip(image + 0.5, 0, 255).astype(np.uint8), matte, landmarks.astype(np.float32))


def draw_face(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Landmarks (478, 3), skin on the mean shape, float32 (512, 512, 3), and where it holds, float32 (512, 512)."""
    model = skin_model()
    shape = np.clip(rng.normal(0, 0.85, len(model.landmarks) - 1), -2, 2)
    landmarks = model.landmarks[0] + np.tensordot(shape.astype(np.float32), model.landmarks[1:], 1)
    return landmarks, *_draw_skin(model, rng)


def _draw_skin(model: SkinModel, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """A face on the mean shape, float32 (512, 512, 3) RGB, and where it holds, float32 (512, 512)."""
    weights = np.clip(rng.normal(0, 0.9, len(model.bright) - 1), -2, 2).astype(np.float32)
    height, width = model.mask.shape
    bright = np.zeros((height, width), np.float32)
    bright[model.mask] = model.bright[0] + weights @ model.bright[1:]
    # Pores, lines and hairs are finer than the modes: noise of their strength, in three sizes.
    grain = cv2.resize(model.grain, (width, height), interpolation=cv2.INTER_LINEAR)
    fine = np.zeros_like(bright)
    for size, share in ((0.8, 0.75), (1.6, 0.5), (3.0, 0.35)):
        layer = cv2.GaussianBlur(rng.standard_normal((height, width)).astype(np.float32), (0, 0), size)
        fine += share * layer / layer.std()
    bright += fine * grain * rng.uniform(0.4, 1.0)
    _, nearest = cv2.distanceTransformWithLabels(
        (~model.mask).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    values = np.zeros(nearest.max() + 1, np.float32)
    values[nearest[model.mask]] = bright[model.mask]
    bright = np.where(model.mask, bright, values[nearest])
    color = model.color[0] + np.tensordot(weights, model.color[1:], 1)
    ycc = np.dstack([
        cv2.resize(bright, (SIZE, SIZE), interpolation=cv2.INTER_CUBIC),
        *(cv2.resize(np.ascontiguousarray(color[..., k]), (SIZE, SIZE), interpolation=cv2.INTER_CUBIC) for k in (0, 1)),
    ])  # fmt: skip
    tone = rng.uniform(0.82, 1.12)
    face = cv2.cvtColor((np.clip(ycc * [tone, 1, 1], 0, 255) / 255).astype(np.float32), cv2.COLOR_YCrCb2RGB) * 255
    weight = cv2.resize(model.mask.astype(np.float32), (SIZE, SIZE))
    return np.clip(face, 0, 255), weight


def paint_person(
    face: np.ndarray, weight: np.ndarray, landmarks: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Paint hair, ears, neck and clothes around a face: the picture, float32 (512, 512, 3), and the matte."""
    marks = landmarks[:, :2].astype(np.float32)
    unit = float(np.linalg.norm(marks[263] - marks[33]))
    oval = marks[list(OVAL)]
    middle_x = float(marks[[10, 152], 0].mean())
    skin = np.median(np.concatenate([_around(face, marks[i], 0.06 * unit) for i in (50, 280, 205, 425, 199)]), axis=0)
    y, x = np.mgrid[:SIZE, :SIZE].astype(np.float32)
    canvas = np.zeros((SIZE, SIZE, 3), np.float32)
    matte = np.zeros((SIZE, SIZE), np.float32)
    hair = _draw_hair(marks, unit, rng)
    if hair is not None and hair.long:  # behind the neck
        back = np.concatenate([hair.outer[0], hair.outer[1][::-1]])
        canvas = _over(canvas, matte, np.broadcast_to(hair.color * 0.38, canvas.shape), _soft(_polygon(back), 2.0))

    # Neck, darker under the chin, and the shoulders.
    chin_y, half = float(marks[152, 1]), float(np.ptp(marks[[172, 397], 0]) / 2)
    neck_half = half * rng.uniform(0.72, 0.90)
    down = (y - chin_y) / unit
    flare = 1 - 0.10 * np.clip(down, 0, 0.3) / 0.3 + 0.7 * np.clip(down - 0.15, 0, 1.5) ** 2
    across = (x - middle_x) / (neck_half * flare)
    shade = (0.60 + 0.28 * np.clip(down / 0.45, 0, 1)) * (1 - 0.30 * np.clip(np.abs(across), 0, 1) ** 3)
    throat = 1 + 0.05 * np.cos(np.clip(across * 4, -np.pi, np.pi)) * np.clip(down, 0, 0.4)
    neck = (np.abs(across) < 1) & (down > -0.5)
    canvas = _over(canvas, matte, skin * (shade * throat)[..., None], _soft(neck, 1.5))
    collar = chin_y + unit * rng.uniform(0.34, 0.52)
    slope = rng.uniform(0.28, 0.45)
    dip = rng.uniform(0.0, 0.45) * unit * np.exp(-(((x - middle_x) / (0.8 * neck_half)) ** 2))
    edge = y - (collar + dip - 0.12 * unit + slope * np.clip(np.abs(x - middle_x) - 0.95 * neck_half, 0, None))
    cloth = np.clip(rng.uniform(20, 215) + rng.normal(0, 26, 3), 12, 235)
    folds = cv2.GaussianBlur(rng.standard_normal((SIZE, SIZE)).astype(np.float32), (0, 0), 14)
    weave = cv2.GaussianBlur(rng.standard_normal((SIZE, SIZE)).astype(np.float32), (0, 0), 0.8)
    hem = 1 - 0.25 * np.exp(-(((edge - 0.04 * unit) / (0.012 * unit)) ** 2)) + 0.2 * np.clip(-edge / 9, -0.2, 0)
    stuff = cloth * (hem * (1 + 2.2 * folds + 0.05 * weave) * (1 - 0.5 * ((x - middle_x) / SIZE) ** 2))[..., None]
    canvas = _over(canvas, matte, stuff, _soft(edge > 0, 1.2))

    # Ears.
    for side, (top, bottom) in ((-1, (127, 132)), (1, (356, 361))):
        center = (marks[top] + marks[bottom]) / 2 + [side * 0.05 * unit, -0.02 * unit]
        tall = 0.60 * np.linalg.norm(marks[top] - marks[bottom])
        ring = np.hypot((x - center[0] - side * 0.12 * (center[1] - y)) / (0.12 * unit), (y - center[1]) / tall)
        tint = skin * (0.84 - 0.22 * np.exp(-(((ring - 0.5) / 0.2) ** 2)))[..., None] * [1.03, 0.96, 0.95]
        canvas = _over(canvas, matte, tint, _soft(ring < 1, 1.5))

    # The skull above the face, then the face.
    crown = crown_of(marks, unit)
    level, wide = float(marks[[127, 356], 1].mean()), float(np.ptp(marks[[127, 356], 0]) / 2)
    round_ = np.hypot((x - middle_x) / wide, (y - level) / (level - crown))
    bald = skin * (0.98 - 0.3 * np.clip(round_, 0, 1) ** 4)[..., None]
    canvas = _over(canvas, matte, bald, _soft((round_ < 1) & (y < level), 2))
    grown = oval.mean(axis=0) + 1.02 * (oval - oval.mean(axis=0))
    rim = cv2.GaussianBlur(_polygon(grown).astype(np.float32), (0, 0), 4)
    canvas = _over(canvas, matte, face, rim * np.minimum(1, 2 * weight))
    if hair is not None:
        _paint_hair(canvas, matte, hair, unit, rng)
    return canvas, matte


def crown_of(marks: np.ndarray, unit: float) -> float:
    """The top of the skull, pixels: as far above the hairline as heads mostly have it."""
    return float(marks[10, 1]) - 0.34 * unit


@dataclass(frozen=True, eq=False)
class _Hair:
    """Lines along the hair of each side, from the parting down: `inner` beside the face, `outer` the silhouette."""

    color: np.ndarray
    long: bool
    inner: list[np.ndarray]
    outer: list[np.ndarray]


def _draw_hair(marks: np.ndarray, unit: float, rng: np.random.Generator) -> _Hair | None:
    if rng.random() < 0.05:
        return None
    long = bool(rng.random() < 0.45)
    natural = np.array(
        [[28, 24, 22], [48, 34, 26], [78, 54, 36], [112, 80, 50], [160, 126, 84], [112, 56, 34], [124, 122, 120]]
    )
    color = natural[rng.choice(len(natural), p=[0.28, 0.24, 0.18, 0.1, 0.08, 0.05, 0.07])] * rng.uniform(0.8, 1.2)
    middle = np.array([marks[[10, 152], 0].mean(), marks[[127, 356], 1].mean()])
    wide = float(np.ptp(marks[[127, 356], 0]) / 2)
    crown = crown_of(marks, unit)
    hairline = float(marks[10, 1]) + rng.uniform(-0.10, 0.05) * unit
    volume = rng.uniform(0.03, 0.10) * unit + (0.05 * unit if long else 0)
    parting = rng.uniform(-0.55, 0.55) * wide
    reach = rng.uniform(0.9, 2.6) * unit if long else rng.uniform(0.0, 0.16) * unit
    bend = 0.5 if long else 0.85  # share of the way that goes around the head; the rest falls straight
    square = rng.uniform(0.70, 0.95)  # how angular the hairline is
    steps = np.linspace(0, 1, 40)
    angle = np.clip(steps / bend, 0, 1) * np.pi / 2
    fall = np.clip((steps - bend) / (1 - bend), 0, 1) * reach
    inner, outer = [], []
    for side in (-1, 1):
        close = wide * (0.93 if long else 0.99)
        away = parting * np.cos(angle) ** 2
        x = away + side * close * np.sin(angle) ** square
        # Long hair closes in beside the jaw.
        x = x - side * 0.10 * unit * np.sin(np.clip(fall / (1.0 * unit), 0, 1) * np.pi / 2) * long
        inner.append(middle + np.column_stack([x, -(middle[1] - hairline) * np.cos(angle) ** square + fall]))
        swell = 0.12 * unit * np.sin(np.clip(fall / (1.4 * unit), 0, 1) * np.pi) * long
        x = side * ((wide + volume) * np.sin(angle) + swell)
        outer.append(middle + np.column_stack([x, -(middle[1] - crown + volume) * np.cos(angle) + fall]))
    return _Hair(color, long, inner, outer)


def _paint_hair(canvas: np.ndarray, matte: np.ndarray, hair: _Hair, unit: float, rng: np.random.Generator) -> None:
    """Strands over a dark ground, onto the picture and its matte."""
    strokes = []
    steps = np.linspace(0, 1, len(hair.inner[0]))
    for inner, outer in zip(hair.inner, hair.outer):
        ground = _soft(_polygon(np.concatenate([inner, outer[::-1]])), 3.0)
        _over(canvas, matte, np.broadcast_to(hair.color * 0.6, canvas.shape), ground)
        wave, phase = rng.uniform(0, 0.05) * unit * hair.long, rng.uniform(0, 6, 5)
        # All strands of a side at once: (strands, points along it, x and y).
        count, along = 1100, 9
        u = rng.random(count)
        start = rng.uniform(-0.2, 0.85, count)
        stop = np.minimum(start + rng.uniform(0.2, 0.6, count), 1.0 + 0.02 * rng.random(count))
        at = np.linspace(np.maximum(start, 0), stop, along, axis=1)
        sides = [np.stack([np.interp(at, steps, line[:, k]) for k in (0, 1)], axis=-1) for line in (inner, outer)]
        path = (1 - u)[:, None, None] * sides[0] + u[:, None, None] * sides[1]
        path[..., 0] += wave * np.sin(9 * at + phase[(u * 4.99).astype(int)][:, None])
        path += rng.normal(0, 0.010 * unit, (count, 1, 2))
        path += np.linspace(0, 1, along)[:, None] * rng.normal(0, 0.035 * unit, (count, 1, 2))
        lock = 0.12 * np.sin(38 * u + phase[0]) + 0.08 * np.sin(91 * u + phase[1])
        shine = 0.40 * np.exp(-(((at.mean(axis=1) - 0.30) / 0.13) ** 2)) - 0.25 * (u < 0.08)
        bright = np.clip(rng.normal(0.85 + shine + lock, 0.14), 0.4, 1.7)
        strokes += list(zip(np.round(path * 16).astype(np.int32), bright))
    layer = np.dstack([canvas, matte * 255])  # one drawing for both
    for k in rng.permutation(len(strokes)):
        path, bright = strokes[k]
        color = np.clip(hair.color * bright, 0, 255)
        cv2.polylines(layer, [path], False, [*color.tolist(), 255.0], 1, cv2.LINE_AA, 4)
    canvas[:], matte[:] = layer[..., :3], layer[..., 3] / 255


def _polygon(points: np.ndarray) -> np.ndarray:
    """Uint8 (512, 512), 1 inside."""
    mask = np.zeros((SIZE, SIZE), np.uint8)
    return cv2.fillPoly(mask, [np.round(points * 16).astype(np.int32)], 1, cv2.LINE_8, 4)


def _over(canvas: np.ndarray, matte: np.ndarray, layer: np.ndarray, opacity: np.ndarray) -> np.ndarray:
    """Lay `layer` over the picture, in place, and add it to the matte."""
    # Where nothing was yet, the layer's own color stands even under a soft edge.
    share = np.where(matte > 0.01, opacity, (opacity > 0.001).astype(np.float32))[..., None]
    canvas += share * (layer - canvas)
    matte += (1 - matte) * opacity
    return canvas


def _soft(mask: np.ndarray, blur: float) -> np.ndarray:
    return cv2.GaussianBlur(mask.astype(np.float32), (0, 0), blur)


def _around(image: np.ndarray, point: np.ndarray, radius: float) -> np.ndarray:
    x, y, r = int(point[0]), int(point[1]), max(int(radius), 2)
    return image[max(y - r, 0) : y + r, max(x - r, 0) : x + r].reshape(-1, 3)
