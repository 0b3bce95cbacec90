"""Images of one flow field, as neural networks take them."""

from __future__ import annotations

import numpy as np

from mer.face import crop_landmarks
from mer.features import resize, uv_strain

SCALINGS = ("minmax", "metric", "unit")
# Landmarks of the face mesh: right and left iris, right and left corner of the mouth, from the subject's view.
_HTNET_POINTS = (468, 473, 61, 291)


def flow_image(
    flow: np.ndarray, size: int = 28, scaling: str = "minmax", top: float = 255.0, channels: int = 3
) -> np.ndarray:
    """Image of a flow field: u, v and, with 3 channels, strain.

    Parameters
    ----------
    flow : (H, W, 2)
    size : int
        Height and width of the image, pixels.
    scaling : {"minmax", "metric", "unit"}
        `"minmax"`, as in most papers, stretches each channel to 0..`top` in 256 steps, as in an 8-bit image. The
        strength of the motion and the zero are lost. `"metric"` only subtracts the median vector, which is residual
        head motion. `"unit"` also divides by the root mean square magnitude, so that the unit of the flow and earlier
        stretching do not matter.
    top : float
        Maximum for `scaling="minmax"`.
    channels : {2, 3}

    Returns
    -------
    (size, size, channels)
    """
    if scaling not in SCALINGS:
        raise ValueError(f"scaling is {scaling!r}; expected one of {', '.join(map(repr, SCALINGS))}")
    if channels not in (2, 3):
        raise ValueError(f"got {channels} channels; expected 2 (u, v) or 3 (u, v, strain)")
    if scaling != "minmax":
        flow = flow - np.median(flow, axis=(0, 1))
    if scaling == "unit":
        flow = resize(flow, size)  # first, so that noise of single pixels does not affect the magnitude
        flow = flow / max(float(np.sqrt((flow**2).sum(-1).mean())), 1e-12)
    image = uv_strain(flow, size) if channels == 3 else resize(flow, size)
    if scaling != "minmax":
        return image
    low, high = image.min(axis=(0, 1)), image.max(axis=(0, 1))
    extent = np.where(high > low, high - low, 1)  # avoids 0 / 0 in a constant channel
    image = np.round((image - low) * (255 / extent))
    return image if top == 255 else image * np.float32(top / 255)


def parts_image(flow: np.ndarray, size: int = 28, scaling: str = "minmax") -> np.ndarray:
    """HTNet's image `(size, size, 3)`: regions around both eyes, above regions around both corners of the mouth.

    Each region is a square of half the size, cut from :func:`flow_image` around a landmark of the canonical face and
    shifted to lie inside the image.
    """
    image, half = flow_image(flow, size, scaling), size // 2
    points = crop_landmarks(size)[list(_HTNET_POINTS), :2]
    corners = np.clip(np.round(points - half / 2).astype(int), 0, size - half)
    parts = [image[y : y + half, x : x + half] for x, y in corners]
    return np.vstack([np.hstack(parts[:2]), np.hstack(parts[2:])])
