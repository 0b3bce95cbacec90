"""The apex of a clip that carries no label for it: the frame where the face has moved most since the onset."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from mer.face import region_mask
from mer.methods import estimate_flow

# Where action units act. The lids are left out: a blink moves them more than any micro-expression moves the face.
APEX_REGIONS = ("right_brow", "left_brow", "glabella", "right_cheek", "left_cheek", "nose", "mouth", "chin")
METHOD = "dis"  # every frame of the clip is measured, and DIS is the fastest by far


def apex_curve(
    onset: np.ndarray, frames: Iterable[np.ndarray], landmarks: np.ndarray, method: str = METHOD
) -> NDArray[np.float64]:
    """How far the face has moved since the onset, in each frame, the head's motion taken off.

    Parameters
    ----------
    onset : uint8 (H, W, 3)
        The aligned crop of the onset.
    frames : iterable of uint8 (H, W, 3)
        The crops to measure, all with the onset's alignment.
    landmarks : float32 (478, 3)
        Face-mesh points of the onset, in pixels of the crop.
    method : str
        Flow method.

    Returns
    -------
    float64 (n,)
        Pixels: the expression flow's magnitude, averaged in each of :data:`APEX_REGIONS` and then over the three that
        move most, so that a motion of the brows alone counts as much as one of the whole face.

    Notes
    -----
    Follows the idea of searching the peak in facial regions (Liong et al., "Automatic apex frame spotting in
    micro-expression database", ACPR 2015) with flow in the place of their appearance descriptors.
    """
    masks = [region_mask(landmarks, name, onset.shape[:2]).astype(bool) for name in APEX_REGIONS]
    curve = []
    for frame in frames:
        flow = estimate_flow(onset, frame, method=method, landmarks=landmarks)
        magnitude = np.linalg.norm(flow.expression, axis=2)
        by_region = sorted(magnitude[mask].mean() for mask in masks if mask.any())
        curve.append(np.mean(by_region[-3:]) if by_region else 0.0)
    return np.array(curve, np.float64)


def peak(curve: np.ndarray, smoothing: float = 1.0) -> int | None:
    """The position of the curve's maximum after a light Gaussian smoothing; None if the curve is empty or flat.

    Parameters
    ----------
    curve : float (n,)
    smoothing : float
        Standard deviation in frames: noise of single frames is averaged out, an expression of a few frames is kept.
    """
    from scipy.ndimage import gaussian_filter1d

    curve = np.asarray(curve, np.float64)
    if curve.size == 0 or np.ptp(curve) == 0:
        return None
    return int(gaussian_filter1d(curve, smoothing, mode="nearest").argmax())
