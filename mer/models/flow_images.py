"""What networks see of one clip: small images made of its flow field."""

from __future__ import annotations

import numpy as np

from mer.face import crop_landmarks
from mer.features import resize, uv_strain

SCALINGS = ("minmax", "metric", "unit")
# Of the face mesh, in the subject's own left and right: centers of the irises, corners of the mouth.
_HTNET_POINTS = (468, 473, 61, 291)


def flow_image(
    flow: np.ndarray, size: int = 28, scaling: str = "minmax", top: float = 255.0, channels: int = 3
) -> np.ndarray:
    """The image `(size, size, channels)` of one clip: u, v and, with 3 channels, strain.

    Parameters
    ----------
    flow : (H, W, 2)
    scaling : {"minmax", "metric", "unit"}
        `"minmax"`, as most papers have it, stretches each channel of each clip to 0..`top`, in 256
        steps, as an image file has them. That discards how strong
        the motion is, and where its zero is. `"metric"` keeps both: the median vector, what is left of the head's
        motion, is subtracted, and nothing else is done. `"unit"` then divides by the root mean square length, so that
        fields of any unit, and fields that somebody else stretched, look the same.
    """
    if scaling not in SCALINGS:
        raise ValueError(f"scaling is {scaling!r}; expected one of {', '.join(map(repr, SCALINGS))}")
    if channels not in (2, 3):
        raise ValueError(f"{channels} channels; expected 2, u and v, or 3, with strain")
    if scaling != "minmax":
        flow = flow - np.median(flow, axis=(0, 1))
    if scaling == "unit":
        flow = resize(flow, size)  # before its length is measured: noise of single pixels should not count
        flow = flow / max(float(np.sqrt((flow**2).sum(-1).mean())), 1e-12)
    image = uv_strain(flow, size) if channels == 3 else resize(flow, size)
    if scaling != "minmax":
        return image
    low, high = image.min(axis=(0, 1)), image.max(axis=(0, 1))
    reach = np.where(high > low, high - low, 1)  # a constant channel becomes 0, and not 0 / 0
    image = np.round((image - low) * (255 / reach))
    return image if top == 255 else image * np.float32(top / 255)


def parts_image(flow: np.ndarray, size: int = 28, scaling: str = "minmax") -> np.ndarray:
    """HTNet's image `(size, size, 3)`: the surroundings of both eyes, above those of both corners of the mouth.

    Each part is half the image a side, cut from :func:`flow_image` around the canonical face's landmarks, or as near to
    them as the border allows.
    """
    image, half = flow_image(flow, size, scaling), size // 2
    points = crop_landmarks(size)[list(_HTNET_POINTS), :2]
    corners = np.clip(np.round(points - half / 2).astype(int), 0, size - half)
    parts = [image[y : y + half, x : x + half] for x, y in corners]
    return np.vstack([np.hstack(parts[:2]), np.hstack(parts[2:])])
