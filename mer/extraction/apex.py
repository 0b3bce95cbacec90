"""The apex of a clip that carries no label for it: the frame where the face has moved, or is strained, most."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from mer.extraction.methods import estimate_flow
from mer.face import region_mask
from mer.features.strain import strain

# How the apex may be found: where the flow peaks, where its strain peaks, or not at all.
APEXES = ("flow", "strain", "midpoint")
# Every frame of the clip is measured by it. DIS takes a quarter of the time, and is no nearer to the apex than the
# midpoint is (docs/spotting.md).
METHOD = "decflow"
# Where action units act. The lids are left out: a blink moves them more than any micro-expression moves the face.
APEX_REGIONS = ("right_brow", "left_brow", "glabella", "right_cheek", "left_cheek", "nose", "mouth", "chin")
STRAIN_REGIONS = {
    "brows": ("right_brow", "left_brow", "glabella"),
    "eyes": ("right_lids", "left_lids"),
    "nose": ("nose",),
    "mouth": ("mouth",),
}


def find_apex(
    onset: np.ndarray, frames: Iterable[np.ndarray], landmarks: np.ndarray, by: str = "flow", method: str = METHOD
) -> int | None:
    """The position of the apex among the frames after the onset; None where nothing moves.

    Parameters
    ----------
    onset : uint8 (H, W, 3)
        The aligned crop of the onset.
    frames : iterable of uint8 (H, W, 3)
        The crops to search, all with the onset's alignment.
    landmarks : float32 (478, 3)
        Face-mesh points of the onset, in pixels of the crop.
    by : {"flow", "strain"}
        The peak of :func:`apex_curve`, or :func:`strain_peak` of :func:`strain_curves`.
    method : str
        Flow method.
    """
    if by == "flow":
        return peak(apex_curve(onset, frames, landmarks, method))
    if by == "strain":
        return strain_peak(strain_curves(onset, frames, landmarks, method))
    raise ValueError(f"no way to find an apex {by!r}; there are flow and strain")


# --- by flow ---


def apex_curve(
    onset: np.ndarray, frames: Iterable[np.ndarray], landmarks: np.ndarray, method: str = METHOD
) -> NDArray[np.float64]:
    """How far the face has moved since the onset, in each frame, the head's motion taken off.

    Parameters
    ----------
    onset, frames, landmarks, method
        As :func:`find_apex` takes them.

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
    for flow in _expressions(onset, frames, landmarks, method):
        length = np.linalg.norm(flow, axis=2)
        by_region = sorted(length[mask].mean() for mask in masks if mask.any())
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


# --- by strain ---


def strain_curves(
    onset: np.ndarray, frames: Iterable[np.ndarray], landmarks: np.ndarray, method: str = METHOD
) -> NDArray[np.float64]:
    """How far the skin is strained since the onset, in each frame and region, the head's motion taken off.

    Parameters
    ----------
    onset, frames, landmarks, method
        As :func:`find_apex` takes them.

    Returns
    -------
    float64 (n, 4)
        Mean optical strain of the expression flow in the brows, eyes, nose and mouth (:data:`STRAIN_REGIONS`).
    """
    masks = []
    for parts in STRAIN_REGIONS.values():
        masks.append(np.any([region_mask(landmarks, part, onset.shape[:2]) for part in parts], axis=0))
    flows = _expressions(onset, frames, landmarks, method)
    rows = [[float(field[mask].mean()) if mask.any() else 0.0 for mask in masks] for field in map(strain, flows)]
    return np.array(rows, np.float64).reshape(-1, len(masks))


def strain_peak(curves: np.ndarray, smoothing: float = 1.0) -> int | None:
    """The apex by divide and conquer in each region; the region that is strained most at its own apex decides.

    Parameters
    ----------
    curves : float (n, regions)
        As :func:`strain_curves` gives them.
    smoothing : float
        As :func:`peak` takes it.

    Returns
    -------
    int or None
        None where the curves are empty or flat.
    """
    from scipy.ndimage import gaussian_filter1d

    curves = np.asarray(curves, np.float64)
    if curves.size == 0 or not np.ptp(curves, axis=0).any():
        return None
    smooth = gaussian_filter1d(curves, smoothing, axis=0, mode="nearest")
    apexes = [divide_and_conquer(curve) for curve in smooth.T]
    return max(zip(apexes, smooth.T), key=lambda one: one[1][one[0]])[0]


def divide_and_conquer(curve: np.ndarray) -> int:
    """The peak of a curve `(n,)` that is left when, again and again, the half whose peaks sum to less is dropped.

    A lasting rise with several peaks outweighs one frame that stands out (Liong et al., ACPR 2015). Without a peak
    inside, it is the maximum.
    """
    from scipy.signal import find_peaks

    curve = np.asarray(curve, np.float64)
    walled = np.concatenate([[-np.inf], curve, [-np.inf]])  # a clip that ends at its apex has its peak there
    peaks = find_peaks(walled)[0] - 1
    low, high = 0, len(curve)
    while len(peaks) > 1:
        middle = (low + high) // 2
        first, second = peaks[peaks < middle], peaks[peaks >= middle]
        if curve[first].sum() >= curve[second].sum():
            peaks, high = first, middle
        else:
            peaks, low = second, middle
    return int(peaks[0]) if len(peaks) else int(curve.argmax())


def _expressions(
    onset: np.ndarray, frames: Iterable[np.ndarray], landmarks: np.ndarray, method: str
) -> Iterator[NDArray[np.float32]]:
    for frame in frames:
        yield estimate_flow(onset, frame, method=method, landmarks=landmarks).expression
