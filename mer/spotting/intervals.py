"""From the motion of a face to its expressions.

An expression is a departure of the skin from its resting position, and a return. In each region the distance from rest
(a running median) is divided by the other facial motion: the noise of the video, the usual activity of the region (such
as speech), the head, and blinks. A peak of the regions' total is an expression. Its onset and offset are the times at
which the face has covered a fixed share of the way to its apex.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d
from scipy.signal import find_peaks

from mer.spotting.face_motion import REGION_OF, SITES, Motion

Array = NDArray[np.float64]

MICRO_SECONDS = 0.5  # the longest micro-expression, by the usual definition
THRESHOLD = 3.5  # minimum strength of an expression
# Weights of the other facial motion, which the distance from rest is divided by.
FLOOR = 0.05  # percent of the interocular distance
NOISE_WEIGHT = 1.0  # of the region's median distance in the whole video
ACTIVITY_WEIGHT = 1.5  # of the region's median distance shortly before or after, which is high in speech
HEAD_WEIGHT = 0.05  # of the head's motion
LID_WEIGHTS = {"brows": 0.30, "nose": 0.10, "mouth": 0.03}  # of the lids' motion, which pulls on the skin around them
ACTIVITY_SECONDS = 1.3  # before or after; a micro-expression fills less than half of it, so it is not usual activity
ONSET_FRACTION = 0.15  # an expression starts and ends at this share of the motion at its apex
MOST_MOVED = 3  # sites of a region that make its distance: one brow, or one half of the mouth, is enough
MAX_OVERLAP = 0.2  # of two intervals, as a share of the shorter; if they overlap more, the stronger one stays


@dataclass(frozen=True)
class Band:
    """Expressions of one duration."""

    name: str
    window: float  # seconds of the running median, the resting position
    smooth: float  # seconds, standard deviation of a Gaussian


BANDS = (Band("micro", 1.3, 0.03), Band("macro", 9.0, 0.08))
COUNTED = tuple(region for region in SITES if region != "eyes")  # blinks and glances move the lids much more


def find_intervals(motion: Motion) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Find the expressions in the motion of a face.

    Returns
    -------
    curve : DataFrame
        One row per frame: `frame, time`; the distance from rest of each region and as a `whole`, percent of the
        interocular distance; `strength`, its ratio to other facial motion, the larger of the two bands.
    intervals : DataFrame
        One row per expression; see :class:`mer.spotting.Spotting`.
    """
    n = len(motion.numbers)
    distance = np.full((n, len(SITES)), np.nan)
    strength = np.full(n, np.nan)
    candidates: list[dict[str, float]] = []
    for part in _stretches_with_face(motion):
        distance[part], strength[part], peaks = _analyze(motion, part)
        candidates += peaks
    curve = pd.DataFrame({"frame": motion.numbers, "time": motion.times})
    for region, values in zip(SITES, distance.T):
        curve[region] = values
    counted = [list(SITES).index(region) for region in COUNTED]
    curve["whole"] = np.sqrt((distance[:, counted] ** 2).mean(axis=1))
    curve["strength"] = strength
    return curve, _table(_drop_overlaps(candidates), motion)


def _stretches_with_face(motion: Motion) -> list[slice]:
    """Stretches of at least three frames with a face."""
    has_face = np.isfinite(motion.sites[:, 0, 0])
    edges = np.flatnonzero(np.diff(np.r_[False, has_face, False].astype(int)))
    return [slice(a, b) for a, b in zip(edges[::2], edges[1::2]) if b - a >= 3]


def _analyze(motion: Motion, part: slice) -> tuple[Array, Array, list[dict[str, float]]]:
    """Distances `(n, regions)`, strength `(n,)` and candidate intervals of one stretch."""
    sites = motion.sites[part].astype(np.float64)
    head = motion.head[part].astype(np.float64)
    candidates: list[dict[str, float]] = []
    distances, strengths = [], []
    activity = np.zeros((len(sites), len(SITES)))
    noise = np.zeros(len(SITES))
    for band in BANDS:
        deviation = _from_rest(sites, band, motion.rate)
        distance = _by_region(deviation)
        head_distance = np.sqrt((_from_rest(head, band, motion.rate) ** 2).sum(axis=2).mean(axis=1))
        # Quick activity counts against slow expressions too: a talking mouth moves both quickly and slowly.
        if band is BANDS[0]:
            activity = _usual_activity(distance, motion.rate)
        # In a short stretch, an expression may fill most of the band and would be mistaken for its noise.
        short = len(sites) <= band.window * motion.rate
        if band is BANDS[0] or not short:
            noise = np.median(distance, axis=0)
        strength = _strength(distance, noise, activity, head_distance)
        distances.append(distance)
        strengths.append(strength)
        ends = [0.0] if short else []  # an expression that is not over at the end of a short clip counts too
        padded = np.concatenate([ends, strength, ends])
        for peak in find_peaks(padded, height=THRESHOLD, prominence=THRESHOLD / 2)[0] - len(ends):
            extent = _extent(deviation, int(peak))
            if extent is None:
                continue
            onset, apex, offset = (value + part.start for value in extent)
            seconds = (offset - onset) / motion.rate
            if band.name == "micro" and seconds > 1.2 * MICRO_SECONDS:
                continue  # the other band covers it fully
            candidates.append({"onset": onset, "apex": apex, "offset": offset, "strength": float(strength[peak])})
    return np.maximum(*distances), np.maximum(*strengths), candidates


def _from_rest(values: Array, band: Band, rate: float) -> Array:
    """Smoothed deviation `(n, k, 2)` from the resting position.

    The resting position is the running median. A clip shorter than its window may show an expression most of the time,
    so its resting position is that of the first frames.
    """
    flat = values.reshape(len(values), -1)
    window = max(3, round(band.window * rate) | 1)
    if len(flat) <= window:
        rest = np.median(flat[:3], axis=0)
    else:
        rest = pd.DataFrame(flat).rolling(window, center=True, min_periods=1).median().to_numpy()
    smooth = gaussian_filter1d(flat - rest, band.smooth * rate, axis=0, mode="nearest")
    return smooth.reshape(values.shape)


def _by_region(deviation: Array) -> Array:
    """Distance of each region from rest, `(n, regions)`: root mean square over its three farthest sites."""
    squares = (deviation**2).sum(axis=2)
    regions = np.array(REGION_OF)
    farthest = [np.sort(squares[:, regions == region], axis=1)[:, -MOST_MOVED:] for region in SITES]
    return np.sqrt(np.stack([each.mean(axis=1) for each in farthest], axis=1))


def _usual_activity(distances: Array, rate: float) -> Array:
    """Median distance of each region shortly before or shortly after, the larger of the two: `(n, regions)`."""
    window = max(3, round(ACTIVITY_SECONDS * rate))
    table = pd.DataFrame(distances)
    enough = max(1, window // 2)
    before = table.rolling(window, min_periods=enough).median().fillna(0).to_numpy()
    after = table[::-1].rolling(window, min_periods=enough).median().fillna(0).to_numpy()[::-1]
    return np.maximum(before, after)


def _strength(distances: Array, noise: Array, activity: Array, head: Array) -> Array:
    """The ratio of each region's distance to other facial motion, as a Euclidean norm over the regions: `(n,)`."""
    lids = distances[:, list(SITES).index("eyes")]
    total = np.zeros(len(distances))
    for region in COUNTED:
        column = list(SITES).index(region)
        other = np.sqrt(
            FLOOR**2 + (NOISE_WEIGHT * noise[column]) ** 2 + (ACTIVITY_WEIGHT * activity[:, column]) ** 2
            + (HEAD_WEIGHT * head) ** 2 + (LID_WEIGHTS[region] * lids) ** 2
        )  # fmt: skip
        total += (distances[:, column] / other) ** 2
    return np.sqrt(total)


def _extent(deviation: Array, peak: int) -> tuple[float, float, float] | None:
    """Onset, apex and offset around a peak, in fractional frames; None if it is shorter than three frames.

    They are read from the progress of the face toward its position at the peak: the projection of the motion of all
    sites on their motion at the peak, which other motion hardly affects.
    """
    counted = np.array([region in COUNTED for region in REGION_OF])
    motion = deviation[:, counted].reshape(len(deviation), -1)
    direction = motion[peak]
    progress = motion @ direction / max(float(direction @ direction), 1e-12)
    low = peak
    while low > 0 and progress[low - 1] > ONSET_FRACTION:
        low -= 1
    high = peak
    while high < len(progress) - 1 and progress[high + 1] > ONSET_FRACTION:
        high += 1
    apex = low + int(np.argmax(progress[low : high + 1]))
    if high - low < 2:
        return None
    return _crossing(progress, low, low - 1), _vertex(progress, apex), _crossing(progress, high, high + 1)


def _crossing(progress: Array, inside: int, outside: int) -> float:
    """The position between two frames at which the progress is :data:`ONSET_FRACTION`, by linear interpolation."""
    if not 0 <= outside < len(progress):
        return float(inside)
    share = (progress[inside] - ONSET_FRACTION) / max(progress[inside] - progress[outside], 1e-12)
    return inside + (outside - inside) * float(np.clip(share, 0, 1))


def _vertex(progress: Array, apex: int) -> float:
    """The vertex of the parabola through the apex and its neighbors."""
    if not 0 < apex < len(progress) - 1:
        return float(apex)
    before, at, after = progress[apex - 1 : apex + 2]
    bend = before - 2 * at + after
    return apex + float(np.clip(0.5 * (before - after) / bend, -0.5, 0.5)) if bend < 0 else float(apex)


def _drop_overlaps(candidates: list[dict[str, float]]) -> list[dict[str, float]]:
    """The strongest of the candidates that overlap, ordered by onset."""
    kept: list[dict[str, float]] = []
    for new in sorted(candidates, key=lambda interval: -interval["strength"]):
        length = new["offset"] - new["onset"]
        for old in kept:
            common = min(new["offset"], old["offset"]) - max(new["onset"], old["onset"])
            if common > MAX_OVERLAP * min(length, old["offset"] - old["onset"]):
                break
        else:
            kept.append(new)
    return sorted(kept, key=lambda interval: interval["onset"])


def _table(intervals: list[dict[str, float]], motion: Motion) -> pd.DataFrame:
    """The intervals in frame numbers and seconds."""
    marks = ("onset", "apex", "offset")
    positions = np.arange(len(motion.numbers))
    rows = []
    for interval in intervals:
        numbers = {name: round(float(np.interp(interval[name], positions, motion.numbers))) for name in marks}
        times = {name: float(np.interp(interval[name], positions, motion.times)) for name in marks}
        seconds = times["offset"] - times["onset"]
        row: dict[str, object] = {**numbers, **{f"{name}_time": round(time, 4) for name, time in times.items()}}
        row |= {"seconds": round(seconds, 4), "kind": "micro" if seconds <= MICRO_SECONDS else "macro"}
        rows.append(row | {"strength": round(interval["strength"], 3)})
    columns = [*marks, *(f"{name}_time" for name in marks), "seconds", "kind", "strength"]
    return pd.DataFrame(rows, columns=columns)
