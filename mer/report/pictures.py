"""Pictures inside a page: photographs and colors as JPEG, motion as darts that can be read without color."""

from __future__ import annotations

import base64
from typing import Any

import cv2
import numpy as np

from mer.face.regions import INNER_LIPS, OUTER_LIPS, OVAL, REGIONS
from mer.features import magnitude, resize
from mer.flow import Flow
from mer.report.figures import flow_to_rgb

ACROSS = 20  # darts side by side
COLORS = 112  # pixels: colors of a field are smooth, and the browser enlarges them
# The least motion that is drawn in full color and length, interocular distances: noise below it stays pale.
FAINTEST = 0.002
_LINES = (
    (OVAL, True),
    (REGIONS["right_eye"], True),
    (REGIONS["left_eye"], True),
    (OUTER_LIPS, True),
    (INNER_LIPS, True),
    ((70, 63, 105, 66, 107), False),  # the upper edges of the brows
    ((300, 293, 334, 296, 336), False),
    ((168, 6, 197, 195, 5), False),  # the ridge of the nose, and its base
    ((98, 97, 2, 326, 327), False),
)
_DIRECTIONS = ("right", "down and right", "down", "down and left", "left", "up and left", "up", "up and right")


def jpeg(image: np.ndarray, quality: int = 85) -> str:
    """A uint8 RGB or gray image as a `data:` address, with colors at full resolution."""
    bgr = image if image.ndim == 2 else np.ascontiguousarray(image[..., ::-1])
    flags = [
        cv2.IMWRITE_JPEG_QUALITY, quality, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444,
        cv2.IMWRITE_JPEG_OPTIMIZE, 1,
    ]  # fmt: skip
    return "data:image/jpeg;base64," + base64.b64encode(cv2.imencode(".jpg", bgr, flags)[1].tobytes()).decode()


def wheel(side: int = 120) -> str:
    """The key to the colors, as a `data:` address: the color of the motion from the center to each point."""
    y, x = np.mgrid[-1 : 1 : side * 1j, -1 : 1 : side * 1j]
    colors = flow_to_rgb(np.dstack([x, y]), 1.0)
    colors[np.hypot(x, y) > 1] = 255
    return jpeg(colors, 92)


def outline(landmarks: np.ndarray | None) -> str:
    """The face's contours as an SVG path, from landmarks `(478, 2 or 3)` in pixels; nothing without landmarks."""
    if landmarks is None:
        return ""
    parts = []
    for points, closed in _LINES:
        corners = " ".join(f"{x:.0f} {y:.0f}" for x, y in landmarks[list(points), :2])
        parts.append(f"M{corners}{'Z' if closed else ''}")
    return "".join(parts)


def darts(field: np.ndarray, longest: float) -> str:
    """A field `(H, W, 2)` as an SVG path of darts, which point where the skin goes.

    A motion of `longest` pixels is drawn a little longer than the darts lie apart; smaller ones in proportion, and
    those below a fifteenth not at all.
    """
    step = field.shape[1] / ACROSS
    rows = max(1, round(field.shape[0] / step))
    small = cv2.resize(field.astype(np.float32), (ACROSS, rows), interpolation=cv2.INTER_AREA)
    parts = []
    for (row, column), length in np.ndenumerate(magnitude(small)):
        if length < longest / 15 or longest <= 0:
            continue
        x, y = (column + 0.5) * step - 0.5, (row + 0.5) * step - 0.5
        along = small[row, column] / length
        reach = 1.45 * step * min(length / longest, 1.3)
        half = 0.13 * step + 0.05 * reach
        tip = (x + along[0] * reach, y + along[1] * reach)
        base = [(x - along[1] * half * side, y + along[0] * half * side) for side in (1, -1)]
        parts.append("M" + "L".join(f"{px:.1f} {py:.1f}" for px, py in (base[0], tip, base[1])) + "Z")
    return "".join(parts)


def field_picture(field: np.ndarray, longest: float, scale: float = 0.0) -> dict[str, Any]:
    """A field `(H, W, 2)` for the page: `colors`, `darts`, `width`, `height`, and its full color in words, `full`.

    Parameters
    ----------
    field : (H, W, 2)
        Pixels; in a unit of its own where `scale` is 0, as published images have it.
    longest : float
        The motion of full color.
    scale : float
        Pixels in an interocular distance; 0 if unknown.
    """
    height, width = field.shape[:2]
    small = resize(field, COLORS) if min(height, width) > COLORS else field
    full = f"{longest:.2g} px, {100 * longest / scale:.2g} % of the eyes' distance" if scale else f"{longest:.2g}"
    return {
        "colors": jpeg(flow_to_rgb(small, longest)),
        "darts": darts(field, longest),
        "width": width,
        "height": height,
        "full": full,
    }


def flow_pictures(flow: Flow, scale: float = 0.0, landmarks: np.ndarray | None = None) -> list[dict[str, Any]]:
    """Facial, head and expression flow, each in its own scale: beside a turning head, an expression is faint.

    Each has `name`, `words` for those who can't see it, `outline`, and what :func:`field_picture` gives.
    """
    inside = flow.mask > 0
    lines = outline(landmarks)
    pictures = []
    for name, field in (("facial", flow.facial), ("head", flow.head), ("expression", flow.expression)):
        lengths = magnitude(field)[inside]
        longest = float(np.percentile(lengths, 99)) if lengths.size else 0.0
        least = FAINTEST * scale if scale else 1e-6
        picture = field_picture(field, max(longest, least), scale)
        words = describe(field, inside, landmarks, " px" if scale else "")
        pictures.append({"name": name, "words": f"{name} flow: {words}", "outline": lines, **picture})
    return pictures


def describe(field: np.ndarray, inside: np.ndarray, landmarks: np.ndarray | None = None, unit: str = " px") -> str:
    """Where a field is strongest, how far it goes there and in which direction, in words."""
    length = magnitude(field)
    if not inside.any() or not length[inside].any():
        return "nothing moves"
    smooth = cv2.blur(np.where(inside, length, 0).astype(np.float32), (9, 9))
    y, x = np.unravel_index(int(smooth.argmax()), smooth.shape)
    at = cv2.blur(field.astype(np.float32), (9, 9))[y, x]
    direction = _DIRECTIONS[round(float(np.arctan2(at[1], at[0])) / (np.pi / 4)) % 8]
    where = f" at the {_part(np.array([x, y]), landmarks)}" if landmarks is not None else ""
    return f"strongest{where}, {float(np.hypot(*at)):.2g}{unit} {direction} in the picture"


def _part(point: np.ndarray, landmarks: np.ndarray) -> str:
    names = ("forehead", "right_brow", "left_brow", "glabella", "right_lids", "left_lids", "nose", "right_cheek",
             "left_cheek", "mouth", "chin")  # fmt: skip
    centers = [landmarks[list(REGIONS[name]), :2].mean(0) for name in names]
    nearest = names[int(np.linalg.norm(np.array(centers) - point, axis=1).argmin())].replace("_", " ")
    return {"glabella": "space between the brows"}.get(nearest, nearest)
