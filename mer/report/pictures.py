"""Pictures embedded in a page: photographs and flow colors as JPEG, arrows and outlines as SVG paths."""

from __future__ import annotations

import base64
from typing import Any

import cv2
import numpy as np

from mer.face.regions import INNER_LIPS, OUTER_LIPS, OVAL, REGIONS
from mer.features import FACE_REGIONS, magnitude, resize
from mer.flow import Flow
from mer.report.figures import flow_to_rgb

ARROWS_ACROSS = 20
COLOR_PIXELS = 112  # flow colors are smooth, so the browser can enlarge a small image
MIN_FULL_COLOR = 0.002  # interocular distances; smaller motions are never drawn in full color, so that noise stays pale
_CONTOURS = (
    (OVAL, True),
    (REGIONS["right_eye"], True),
    (REGIONS["left_eye"], True),
    (OUTER_LIPS, True),
    (INNER_LIPS, True),
    ((70, 63, 105, 66, 107), False),  # upper edges of the brows
    ((300, 293, 334, 296, 336), False),
    ((168, 6, 197, 195, 5), False),  # ridge and base of the nose
    ((98, 97, 2, 326, 327), False),
)
_DIRECTIONS = ("right", "down and right", "down", "down and left", "left", "up and left", "up", "up and right")


def jpeg(image: np.ndarray, quality: int = 85) -> str:
    """Encode a uint8 RGB or gray image as a `data:` URL, without chroma subsampling."""
    bgr = image if image.ndim == 2 else np.ascontiguousarray(image[..., ::-1])
    flags = [
        cv2.IMWRITE_JPEG_QUALITY, quality, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444,
        cv2.IMWRITE_JPEG_OPTIMIZE, 1,
    ]  # fmt: skip
    return "data:image/jpeg;base64," + base64.b64encode(cv2.imencode(".jpg", bgr, flags)[1].tobytes()).decode()


def wheel(side: int = 120) -> str:
    """Color key as a `data:` URL: each point has the color of the motion from the center to it."""
    y, x = np.mgrid[-1 : 1 : side * 1j, -1 : 1 : side * 1j]
    colors = flow_to_rgb(np.dstack([x, y]), 1.0)
    colors[np.hypot(x, y) > 1] = 255
    return jpeg(colors, 92)


def outline(landmarks: np.ndarray | None) -> str:
    """Contours of the face as an SVG path, from landmarks `(478, 2 or 3)` in pixels; empty without landmarks."""
    if landmarks is None:
        return ""
    parts = []
    for points, closed in _CONTOURS:
        corners = " ".join(f"{x:.0f} {y:.0f}" for x, y in landmarks[list(points), :2])
        parts.append(f"M{corners}{'Z' if closed else ''}")
    return "".join(parts)


def arrows(field: np.ndarray, longest: float) -> str:
    """Arrowheads along the motion of a field `(H, W, 2)`, as an SVG path.

    The arrow of a motion of `longest` pixels is slightly longer than the grid spacing; others are drawn to scale.
    Motions below `longest / 15` are not drawn.
    """
    step = field.shape[1] / ARROWS_ACROSS
    rows = max(1, round(field.shape[0] / step))
    small = cv2.resize(field.astype(np.float32), (ARROWS_ACROSS, rows), interpolation=cv2.INTER_AREA)
    parts = []
    for (row, column), length in np.ndenumerate(magnitude(small)):
        if length < longest / 15 or longest <= 0:
            continue
        x, y = (column + 0.5) * step - 0.5, (row + 0.5) * step - 0.5
        u, v = small[row, column] / length
        reach = 1.45 * step * min(length / longest, 1.3)
        half = 0.13 * step + 0.05 * reach
        tip = (x + u * reach, y + v * reach)
        base = [(x - v * half * side, y + u * half * side) for side in (1, -1)]
        parts.append("M" + "L".join(f"{px:.1f} {py:.1f}" for px, py in (base[0], tip, base[1])) + "Z")
    return "".join(parts)


def field_picture(field: np.ndarray, longest: float, scale: float = 0.0) -> dict[str, Any]:
    """Prepare a field for the page: `colors`, `arrows`, `width`, `height`, and the text `full_color`.

    Parameters
    ----------
    field : (H, W, 2)
        In pixels, or in an unknown unit if `scale` is 0.
    longest : float
        Motion drawn in full color.
    scale : float
        Interocular distance in pixels; 0 if unknown.
    """
    height, width = field.shape[:2]
    small = resize(field, COLOR_PIXELS) if min(height, width) > COLOR_PIXELS else field
    full = f"{longest:.2g}"
    if scale:
        full += f" px, {100 * longest / scale:.2g}\N{NO-BREAK SPACE}% of interocular distance"
    return {
        "colors": jpeg(flow_to_rgb(small, longest)),
        "arrows": arrows(field, longest),
        "width": width,
        "height": height,
        "full_color": full,
    }


def flow_pictures(flow: Flow, scale: float = 0.0, landmarks: np.ndarray | None = None) -> list[dict[str, Any]]:
    """Prepare facial, head and expression flow, each in its own scale, since head motion often dwarfs an expression.

    Each item has `name`, `description` (an alternative text), `outline` and the items of :func:`field_picture`.
    """
    inside = flow.mask > 0
    contours = outline(landmarks)
    pictures = []
    for name, field in (("facial", flow.facial), ("head", flow.head), ("expression", flow.expression)):
        lengths = magnitude(field)[inside]
        longest = float(np.percentile(lengths, 99)) if lengths.size else 0.0
        least = MIN_FULL_COLOR * scale if scale else 1e-6
        picture = field_picture(field, max(longest, least), scale)
        description = f"{name} flow: {describe(field, inside, landmarks, ' px' if scale else '')}"
        pictures.append({"name": name, "description": description, "outline": contours, **picture})
    return pictures


def describe(field: np.ndarray, inside: np.ndarray, landmarks: np.ndarray | None = None, unit: str = " px") -> str:
    """Describe in words where a field is strongest, and its magnitude and direction there."""
    length = magnitude(field)
    if not inside.any() or not length[inside].any():
        return "no motion"
    smooth = cv2.blur(np.where(inside, length, 0).astype(np.float32), (9, 9))
    y, x = np.unravel_index(int(smooth.argmax()), smooth.shape)
    vector = cv2.blur(field.astype(np.float32), (9, 9))[y, x]
    direction = _DIRECTIONS[round(float(np.arctan2(vector[1], vector[0])) / (np.pi / 4)) % 8]
    part = f" at the {_nearest_region(np.array([x, y]), landmarks)}" if landmarks is not None else ""
    return f"strongest{part}, {float(np.hypot(*vector)):.2g}{unit} {direction} in the image"


def _nearest_region(point: np.ndarray, landmarks: np.ndarray) -> str:
    centers = np.array([landmarks[list(REGIONS[name]), :2].mean(0) for name in FACE_REGIONS])
    nearest = FACE_REGIONS[int(np.linalg.norm(centers - point, axis=1).argmin())].replace("_", " ")
    return {"glabella": "space between the brows"}.get(nearest, nearest)
