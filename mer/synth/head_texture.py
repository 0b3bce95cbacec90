"""The texture of a head, made from a portrait: skin and hair, completed eyes, and the inside of a mouth."""

import cv2
import numpy as np

from mer.face.regions import REGIONS
from mer.synth.nearest_fill import fill_from_nearest
from mer.synth.portrait import Portrait

MOUTH_PAGE = 192  # side of the mouth's page, pixels


def make_texture(portrait: Portrait, interocular: float) -> np.ndarray:
    """Pages side by side, float32 (h, 2 w + MOUTH_PAGE, 4): portrait, portrait with whole eyes, mouth."""
    height, width = portrait.matte.shape
    person = _without_background(portrait.image, portrait.matte)
    page = np.dstack([person, portrait.matte * 255]).astype(np.float32)
    eyes = np.dstack([_whole_eyes(portrait), np.full((height, width), 255.0)]).astype(np.float32)
    skin = np.median(portrait.image[_disc(portrait.matte.shape, portrait.landmarks[195], 0.15 * interocular)], axis=0)
    mouth = np.full((height, MOUTH_PAGE, 4), 255, np.float32)
    mouth[:MOUTH_PAGE, :, :3] = _mouth_page(skin)
    return np.ascontiguousarray(np.concatenate([page, eyes, mouth], axis=1))


def _without_background(image: np.ndarray, matte: np.ndarray) -> np.ndarray:
    """The person's own color at every pixel; where the matte is thin, the color of the nearest opaque pixel."""
    opaque = cv2.erode((matte > 0.9).astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    spread = cv2.GaussianBlur(fill_from_nearest(image.astype(np.float32), opaque), (0, 0), 2)
    share = np.clip((matte - 0.6) / 0.35, 0, 1)[..., None]
    return share * image + (1 - share) * spread


def _disc(shape: tuple[int, ...], center: np.ndarray, radius: float) -> np.ndarray:
    y, x = np.mgrid[: shape[0], : shape[1]]
    return (x - center[0]) ** 2 + (y - center[1]) ** 2 <= radius**2


def _whole_eyes(portrait: Portrait) -> np.ndarray:
    """The portrait with each eye continued under its lids: iris and white take their colors from the visible part."""
    out = portrait.image.astype(np.float32)
    landmarks = portrait.landmarks
    for side in ("left", "right"):
        iris = landmarks[list(REGIONS[f"{side}_iris"]), :2]
        radius = float(np.linalg.norm(iris[1:] - iris[0], axis=1).mean())
        left, top = np.clip((iris[0] - 5 * radius).astype(int), 0, np.array(out.shape[1::-1]) - 8)
        window = (slice(top, top + int(10 * radius)), slice(left, left + int(10 * radius)))
        image = portrait.image[window]
        lids, center = landmarks[list(REGIONS[f"{side}_eye"]), :2] - [left, top], iris[0] - [left, top]
        y, x = np.mgrid[: image.shape[0], : image.shape[1]].astype(np.float32)
        opening = np.zeros(image.shape[:2], np.uint8)
        cv2.fillPoly(opening, [np.round(lids * 16).astype(np.int32)], 1, shift=4)
        margin = max(1, round(0.10 * radius * 2))
        kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * margin + 1, 2 * margin + 1))
        visible = cv2.erode(opening, kernel) > 0
        distance = np.hypot(x - center[0], y - center[1]) / radius
        whole = _eye_colors(image, visible, distance)
        # The upper lid casts a shadow.
        whole *= 0.72 + 0.28 * np.clip((y - lids[:, 1].min()) / (0.8 * radius), 0, 1)[..., None]
        share = cv2.GaussianBlur(visible.astype(np.float32), (0, 0), 0.6 * margin)[..., None]
        near = np.hypot(x - center[0], (y - center[1])) < 4 * radius
        out[window] = np.where(near[..., None], share * image + (1 - share) * whole, image)
    return out


def _eye_colors(image: np.ndarray, visible: np.ndarray, distance: np.ndarray) -> np.ndarray:
    """Color `(h, w, 3)` of an eye without lids, from the distance to the iris' center in iris radii, `(h, w)`."""
    white = visible & (distance > 1.25)
    if white.sum() >= 6:
        samples = image[white].astype(float)
        white_color = np.median(samples[samples.sum(axis=1) >= np.median(samples.sum(axis=1))], axis=0)
    else:
        white_color = np.array([190.0, 180, 175])
    rings = np.empty((12, 3))
    for k in range(12):
        ring = visible & (distance >= k / 10) & (distance < (k + 1) / 10)
        rings[k] = np.median(image[ring], axis=0) if ring.sum() > 2 else rings[k - 1] if k else [40, 30, 25]
    radii = np.append((np.arange(12) + 0.5) / 10, 1.3)
    return np.stack([np.interp(distance, radii, np.append(rings[:, c], white_color[c])) for c in range(3)], -1)


def _mouth_page(skin: np.ndarray) -> np.ndarray:
    """Upper teeth, lower teeth and throat, from top to bottom, (192, 192, 3)."""
    n = MOUTH_PAGE
    v, u = np.mgrid[:n, :n] / (n - 1)
    gum = 0.55 * np.array([190.0, 95, 90]) + 0.15 * skin
    white = np.array([205.0, 195, 178])
    across = (u - 0.5) * 2
    page = np.zeros((n, n, 3))
    for first_row, last_row, upper, teeth in ((0.0, 0.34, True, 8), (0.34, 0.67, False, 10)):
        inside = (v >= first_row) & (v < last_row)
        from_gap = np.abs(((u - 0.5) * teeth) % 1 - 0.5)  # 0.5 in the gap between two teeth
        gap = np.clip((from_gap - 0.42) / 0.08, 0, 1)
        along = (v - first_row) / (last_row - first_row)
        toward_gum = 1 - along if upper else along
        arch = 0.42 - 0.08 * np.cos(((u - 0.5) * teeth) * 2 * np.pi)
        is_gum = np.clip((toward_gum - arch - 0.15) / 0.06, 0, 1)
        tooth = white * (1 - 0.45 * gap[..., None]) * (1 - 0.55 * across[..., None] ** 2)
        color = tooth * (1 - is_gum[..., None]) + gum * (1 - 0.5 * across[..., None] ** 2) * is_gum[..., None]
        page[inside] = color[inside]
    throat = np.array([70.0, 26, 24]) * (0.35 + 0.9 * np.clip((v - 0.67) / 0.33, 0, 1))[..., None]
    page[v >= 0.67] = throat[v >= 0.67]
    return page
