"""Find the apex of a clip without an apex label: the frame with the largest expression flow, or the most strain."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from mer.extraction.methods import estimate_flow
from mer.face import region_mask
from mer.features.strain import strain

# The peak of the flow, the peak of its strain, or the frame in the middle, without a search.
APEX_SEARCHES = ("flow", "strain", "midpoint")
# DIS takes a quarter of the time, but is no closer to the true apex than the midpoint (docs/spotting.md).
APEX_METHOD = "decflow"
# Where action units act. The lids are left out: a blink moves them more than any micro-expression moves the face.
APEX_REGIONS = ("right_brow", "left_brow", "glabella", "right_cheek", "left_cheek", "nose", "mouth", "chin")
STRAIN_REGIONS = {
    "brows": ("right_brow", "left_brow", "glabella"),
    "eyes": ("right_lids", "left_lids"),
    "nose": ("nose",),
    "mouth": ("mouth",),
}


def find_apex(
    onset: np.ndarray,
    frames: Iterable[np.ndarray],
    landmarks: np.ndarray,
    by: str = "flow",
    method: str = APEX_METHOD,
    device: str = "auto",
) -> int | None:
    """The position of the apex among the frames after the onset, or None if nothing moves.

    Parameters
    ----------
    onset : uint8 (H, W, 3)
        Aligned crop of the onset.
    frames : iterable of uint8 (H, W, 3)
        Crops to search, all with the onset's alignment.
    landmarks : float32 (478, 3)
        Face-mesh points of the onset, in pixels of the crop.
    by : {"flow", "strain"}
        The peak of :func:`apex_curve`, or :func:`strain_peak` of :func:`strain_curves`.
    method : str
        Flow method.
    device : str
        `auto`, `cpu` or `cuda`, for flow methods that are networks.

    Raises
    ------
    ValueError
        If `by` or `method` is unknown.
    """
    if by == "flow":
        return peak(apex_curve(onset, frames, landmarks, method, device))
    if by == "strain":
        return strain_peak(strain_curves(onset, frames, landmarks, method, device))
    raise ValueError(f"unknown apex search {by!r}; choose flow or strain")


# --- by flow ---


def apex_curve(
    onset: np.ndarray,
    frames: Iterable[np.ndarray],
    landmarks: np.ndarray,
    method: str = APEX_METHOD,
    device: str = "auto",
) -> NDArray[np.float64]:
    """Motion of the face since the onset in each frame, without the head's motion.

    Parameters
    ----------
    onset, frames, landmarks, method, device
        As in :func:`find_apex`.

    Returns
    -------
    float64 (n,)
        Pixels: the mean magnitude of the expression flow in each of :data:`APEX_REGIONS`, averaged over the three
        regions that move most. A motion of the brows alone counts as much as one of the whole face.

    Notes
    -----
    Follows the search for a peak in facial regions of Liong et al., "Automatic apex frame spotting in micro-expression
    database", ACPR 2015, with flow instead of their appearance descriptors.
    """
    masks = [region_mask(landmarks, name, onset.shape[:2]).astype(bool) for name in APEX_REGIONS]
    curve = []
    for flow in _expression_flows(onset, frames, landmarks, method, device):
        magnitude = np.linalg.norm(flow, axis=2)
        means = sorted(magnitude[mask].mean() for mask in masks if mask.any())
        curve.append(np.mean(means[-3:]) if means else 0.0)
    return np.array(curve, np.float64)


def peak(curve: np.ndarray, smoothing: float = 1.0) -> int | None:
    """The position of the maximum of a curve after light Gaussian smoothing; None if it is empty or flat.

    Parameters
    ----------
    curve : float (n,)
    smoothing : float
        Standard deviation in frames. The default averages out the noise of single frames and keeps an expression of a
        few frames.
    """
    from scipy.ndimage import gaussian_filter1d

    curve = np.asarray(curve, np.float64)
    if curve.size == 0 or np.ptp(curve) == 0:
        return None
    return int(gaussian_filter1d(curve, smoothing, mode="nearest").argmax())


# --- by strain ---


def strain_curves(
    onset: np.ndarray,
    frames: Iterable[np.ndarray],
    landmarks: np.ndarray,
    method: str = APEX_METHOD,
    device: str = "auto",
) -> NDArray[np.float64]:
    """Strain of the skin since the onset in each frame and region, without the head's motion.

    Parameters
    ----------
    onset, frames, landmarks, method, device
        As in :func:`find_apex`.

    Returns
    -------
    float64 (n, 4)
        Mean optical strain of the expression flow in the brows, eyes, nose and mouth (:data:`STRAIN_REGIONS`).
    """
    masks = []
    for parts in STRAIN_REGIONS.values():
        masks.append(np.any([region_mask(landmarks, part, onset.shape[:2]) for part in parts], axis=0))
    strains = map(strain, _expression_flows(onset, frames, landmarks, method, device))
    rows = [[float(field[mask].mean()) if mask.any() else 0.0 for mask in masks] for field in strains]
    return np.array(rows, np.float64).reshape(-1, len(masks))


def strain_peak(curves: np.ndarray, smoothing: float = 1.0) -> int | None:
    """The apex of the region with the most strain at its own apex, each found by :func:`divide_and_conquer`.

    Parameters
    ----------
    curves : float (n, regions)
        As :func:`strain_curves` returns them.
    smoothing : float
        As in :func:`peak`.

    Returns
    -------
    int or None
        None if the curves are empty or flat.
    """
    from scipy.ndimage import gaussian_filter1d

    curves = np.asarray(curves, np.float64)
    if curves.size == 0 or not np.ptp(curves, axis=0).any():
        return None
    smooth = gaussian_filter1d(curves, smoothing, axis=0, mode="nearest")
    apexes = [divide_and_conquer(curve) for curve in smooth.T]
    strongest = int(np.argmax([curve[apex] for curve, apex in zip(smooth.T, apexes)]))
    return apexes[strongest]


def divide_and_conquer(curve: np.ndarray) -> int:
    """The last peak of a curve `(n,)` after repeatedly dropping the half whose peaks have the smaller sum.

    A lasting rise with several peaks outweighs a single high frame (Liong et al., ACPR 2015). A curve without a peak
    has its apex at its maximum.
    """
    from scipy.signal import find_peaks  # takes a second to import

    curve = np.asarray(curve, np.float64)
    padded = np.concatenate([[-np.inf], curve, [-np.inf]])  # so that the first and the last frame can be peaks
    peaks = find_peaks(padded)[0] - 1
    low, high = 0, len(curve)
    while len(peaks) > 1:
        middle = (low + high) // 2
        first, second = peaks[peaks < middle], peaks[peaks >= middle]
        if curve[first].sum() >= curve[second].sum():
            peaks, high = first, middle
        else:
            peaks, low = second, middle
    return int(peaks[0]) if len(peaks) else int(curve.argmax())


def _expression_flows(
    onset: np.ndarray, frames: Iterable[np.ndarray], landmarks: np.ndarray, method: str, device: str
) -> Iterator[NDArray[np.float32]]:
    for frame in frames:
        yield estimate_flow(onset, frame, method=method, landmarks=landmarks, device=device).expression
