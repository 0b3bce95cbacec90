"""Generated faces: skin and landmarks drawn from a statistical model.

`skin.npz` holds the mean and the main modes of skin and landmarks of generated faces from SFHQ and SFHQ-T2I (David
Beniaguev, MIT license), computed by `benchmarks/synth_skin.py`; see `skin.md`. No photograph of a real person was
used. Faces are drawn as in an active appearance model (Cootes, Edwards & Taylor, TPAMI 2001): modes of shape, and modes
of color on the mean shape.
"""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from scipy.interpolate import RBFInterpolator

from mer.synth.nearest_fill import fill_from_nearest
from mer.synth.painted_person import paint_person
from mer.synth.portrait import SIZE, Portrait

BRIGHTNESS_SCALE, COLOR_SCALE = 0.72, 0.16  # resolution of the modes relative to a portrait


@dataclass(frozen=True, eq=False)
class SkinModel:
    """Mean (first row) and modes of shape and skin; each mode is one standard deviation."""

    landmarks: np.ndarray  # float32 (1 + S, 478, 3), frontal, pixels of a portrait
    reference: np.ndarray  # float32 (478, 3), the landmarks on which skin is stored
    brightness: np.ndarray  # float32 (1 + K, n), Y of YCrCb at the n pixels of `mask`
    mask: np.ndarray  # bool (H, W), the face at `BRIGHTNESS_SCALE`
    color: np.ndarray  # float32 (1 + K, h, w, 2), Cr and Cb at `COLOR_SCALE`
    grain: np.ndarray  # float32 (h, w), standard deviation of the fine structure that the modes omit


@lru_cache(maxsize=1)
def skin_model() -> SkinModel:
    """The model that is shipped with mer."""
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
    """Modes are stored as integers from -127 to 127 and one factor per mode."""
    integers = archive[name].astype(np.float32)
    return integers * archive[f"{name}_scale"].reshape(-1, *[1] * (integers.ndim - 1))


def warp_map(source: np.ndarray, target: np.ndarray, size: int) -> np.ndarray:
    """The map for :func:`cv2.remap`, `(size, size, 2)`, that warps landmarks `source` to `target`, both `(478, 2)`.

    Both pictures have `size` pixels a side.
    """
    frame = np.array([[x, y] for x in (-0.2, 0.5, 1.2) for y in (-0.2, 0.5, 1.2) if (x, y) != (0.5, 0.5)]) * size
    scale = np.ptp(source[:, 0]) / np.ptp(target[:, 0])
    source_frame = (frame - target.mean(axis=0)) * scale + source.mean(axis=0)
    known, values = np.concatenate([target[:468], frame]), np.concatenate([source[:468], source_frame])
    warp = RBFInterpolator(known, values, smoothing=1.0, kernel="linear")
    step = 8  # the warp is smooth, so a coarse grid is enough
    n = size // step + 1
    y, x = np.mgrid[:n, :n] * step
    coarse = warp(np.column_stack([x.ravel(), y.ravel()]).astype(float)).reshape(n, n, 2).astype(np.float32)
    rows, columns = np.mgrid[:size, :size].astype(np.float32) / step
    return np.dstack([cv2.remap(np.ascontiguousarray(coarse[..., k]), columns, rows, cv2.INTER_CUBIC) for k in (0, 1)])


def generate_portrait(rng: np.random.Generator, name: str = "generated") -> Portrait:
    """Draw the portrait of a person who does not exist: face from the modes, the rest painted."""
    landmarks, face, weight = draw_face(rng)
    position = warp_map(skin_model().reference[:, :2], landmarks[:, :2], SIZE)
    face = cv2.remap(face, position[..., 0], position[..., 1], cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    weight = cv2.remap(weight, position[..., 0], position[..., 1], cv2.INTER_LINEAR)
    image, matte = paint_person(face, weight, landmarks, rng)
    return Portrait(name, np.clip(image + 0.5, 0, 255).astype(np.uint8), matte, landmarks.astype(np.float32))


def draw_face(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw landmarks (478, 3), skin on the reference landmarks (512, 512, 3), 0 to 255, and its validity, 0 to 1."""
    model = skin_model()
    shape = np.clip(rng.normal(0, 0.85, len(model.landmarks) - 1), -2, 2)
    landmarks = model.landmarks[0] + np.tensordot(shape.astype(np.float32), model.landmarks[1:], 1)
    return landmarks, *_draw_skin(model, rng)


def _draw_skin(model: SkinModel, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    coefficients = np.clip(rng.normal(0, 0.9, len(model.brightness) - 1), -2, 2).astype(np.float32)
    height, width = model.mask.shape
    brightness = np.zeros((height, width), np.float32)
    brightness[model.mask] = model.brightness[0] + coefficients @ model.brightness[1:]
    # Pores, wrinkles and hairs are finer than the modes: add noise of the same strength at three scales.
    grain = cv2.resize(model.grain, (width, height), interpolation=cv2.INTER_LINEAR)
    fine = np.zeros_like(brightness)
    for blur, share in ((0.8, 0.75), (1.6, 0.5), (3.0, 0.35)):
        layer = cv2.GaussianBlur(rng.standard_normal((height, width)).astype(np.float32), (0, 0), blur)
        fine += share * layer / layer.std()
    brightness += fine * grain * rng.uniform(0.4, 1.0)
    brightness = fill_from_nearest(brightness, model.mask)
    color = model.color[0] + np.tensordot(coefficients, model.color[1:], 1)
    channels = (brightness, np.ascontiguousarray(color[..., 0]), np.ascontiguousarray(color[..., 1]))
    ycrcb = np.dstack([cv2.resize(channel, (SIZE, SIZE), interpolation=cv2.INTER_CUBIC) for channel in channels])
    exposure = rng.uniform(0.82, 1.12)
    ycrcb = (np.clip(ycrcb * [exposure, 1, 1], 0, 255) / 255).astype(np.float32)
    face = cv2.cvtColor(ycrcb, cv2.COLOR_YCrCb2RGB) * 255
    weight = cv2.resize(model.mask.astype(np.float32), (SIZE, SIZE))
    return np.clip(face, 0, 255), weight
