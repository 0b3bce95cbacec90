"""From the motion of a face to the expressions in it.

An expression is a departure of the skin from where it rests, and a return. In each region the distance from the resting
place (a running median) is weighed against what else moves it: the video's own noise, what the region does all the time
(speech), the head, and a blink. Where the regions together stand out, there is an expression; how far the face has gone
towards its apex then tells the onset and the offset.
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
THRESHOLD = 3.5  # how much stronger than everything else a motion must be
# What the distance from rest is weighed against; per cent of the interocular distance, and shares.
FLOOR = 0.05
NOISE = 1.0  # of the region's median distance in the whole video
HABIT = 1.5  # of what the region does all the time just before or after, as in speech: its median distance
HEAD = 0.05  # of the head's own motion
LIDS = {"brows": 0.30, "nose": 0.10, "mouth": 0.03}  # of the lids' motion, which pulls on the skin around
AROUND = 1.3  # seconds before, or after: more than twice a micro-expression, so that one does not count as a habit
FOOT = 0.15  # an expression begins and ends at this share of its apex's motion
MOST = 3  # sites of a region: one brow, or one half of the mouth, is enough
OVERLAP = 0.2  # of two intervals, in shares of the shorter: the stronger one stays


@dataclass(frozen=True)
class Band:
    """Motions of one length: the resting place is the median over `window` seconds; `smooth` is a Gaussian's
    deviation.
    """

    name: str
    window: float
    smooth: float


BANDS = (Band("micro", 1.3, 0.03), Band("macro", 9.0, 0.08))
COUNTED = tuple(region for region in SITES if region != "eyes")  # blinks and glances move the lids far more


def find_intervals(motion: Motion) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The curve (`frame, time`, regions, `whole, strength`) and the intervals of a video's motion.

    Per region and as a whole, the curve is in per cent of the interocular distance; `strength` is the distance from
    rest in shares of what else moves the face, the larger of the two bands.
    """
    n = len(motion.numbers)
    distance = np.full((n, len(SITES)), np.nan)
    strength = np.full(n, np.nan)
    found: list[dict[str, float]] = []
    for part in _with_face(motion):
        distance[part], strength[part], intervals = _analyze(motion, part)
        found += intervals
    curve = pd.DataFrame({"frame": motion.numbers, "time": motion.times})
    for region, values in zip(SITES, distance.T):
        curve[region] = values
    counted = [list(SITES).index(region) for region in COUNTED]
    curve["whole"] = np.sqrt((distance[:, counted] ** 2).mean(axis=1))
    curve["strength"] = strength
    return curve, _table(found, motion)


def _with_face(motion: Motion) -> list[slice]:
    """Stretches in which there is a face, of three frames or more."""
    there = np.isfinite(motion.sites[:, 0, 0])
    edges = np.flatnonzero(np.diff(np.r_[False, there, False].astype(int)))
    return [slice(a, b) for a, b in zip(edges[::2], edges[1::2]) if b - a >= 3]


def _analyze(motion: Motion, part: slice) -> tuple[Array, Array, list[dict[str, float]]]:
    """Of one stretch: distances `(n, regions)` and strength `(n,)`, for the curve, and its intervals."""
    sites = motion.sites[part].astype(np.float64)
    head = motion.head[part].astype(np.float64)
    found: list[dict[str, float]] = []
    both = []
    habit = np.zeros((len(sites), len(SITES)))
    noise = np.zeros(len(SITES))
    for band in BANDS:
        deviation = _from_rest(sites, band, motion.rate)
        distances = _by_region(deviation)
        moved = np.sqrt((_from_rest(head, band, motion.rate) ** 2).sum(axis=2).mean(axis=1))
        if band is BANDS[0]:  # slow motions are weighed against quick ones too: a talking mouth does both
            habit = _habit(distances, motion.rate)
            noise = np.median(distances, axis=0)
        short = len(sites) <= band.window * motion.rate
        if not short:  # else an expression may fill most of the clip, and would be taken for its noise
            noise = np.median(distances, axis=0)
        strength = _strength(distances, noise, habit, moved)
        both.append((distances, strength))
        ends = [0.0] if short else []  # what is not over at the end of a short clip counts too
        searched = np.concatenate([ends, strength, ends])
        for peak in find_peaks(searched, height=THRESHOLD, prominence=THRESHOLD / 2)[0] - len(ends):
            interval = _extent(deviation, int(peak))
            if interval is None:
                continue
            onset, apex, offset = (value + part.start for value in interval)
            seconds = (offset - onset) / motion.rate
            if band.name == "micro" and seconds > 1.2 * MICRO_SECONDS:
                continue  # the other band sees it whole
            found.append({"onset": onset, "apex": apex, "offset": offset, "strength": float(strength[peak])})
    (micro, weak), (macro, strong) = both
    return np.maximum(micro, macro), np.maximum(weak, strong), found


def _from_rest(values: Array, band: Band, rate: float) -> Array:
    """Deviation `(n, k, 2)` from the running median, smoothed.

    A clip shorter than the median's window may show an expression for most of its time: it rests where it starts.
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
    """How far a region is from rest: root mean square over its :data:`MOST` sites that are farthest, `(n, regions)`."""
    squares = (deviation**2).sum(axis=2)
    regions = np.array(REGION_OF)
    farthest = [np.sort(squares[:, regions == region], axis=1)[:, -MOST:] for region in SITES]
    return np.sqrt(np.stack([each.mean(axis=1) for each in farthest], axis=1))


def _habit(distances: Array, rate: float) -> Array:
    """How far a region usually is from its resting place just before or just after, the larger: `(n, regions)`."""
    window = max(3, round(AROUND * rate))
    table = pd.DataFrame(distances)
    enough = max(1, window // 2)
    before = table.rolling(window, min_periods=enough).median().fillna(0).to_numpy()
    after = table[::-1].rolling(window, min_periods=enough).median().fillna(0).to_numpy()[::-1]
    return np.maximum(before, after)


def _strength(distances: Array, noise: Array, habits: Array, head: Array) -> Array:
    """The regions' distances, each in shares of what else moves it, together: `(n,)`."""
    lids = distances[:, list(SITES).index("eyes")]
    total = np.zeros(len(distances))
    for region in COUNTED:
        column = list(SITES).index(region)
        own, habit = distances[:, column], habits[:, column]
        against = np.sqrt(
            FLOOR**2 + (NOISE * noise[column]) ** 2 + (HABIT * habit) ** 2 + (HEAD * head) ** 2
            + (LIDS[region] * lids) ** 2
        )  # fmt: skip
        total += (own / against) ** 2
    return np.sqrt(total)


def _extent(deviation: Array, peak: int) -> tuple[float, float, float] | None:
    """Onset, apex and offset around a peak, in frames and fractions.

    Measured is how far the face has gone towards where it is at the peak: the projection of all sites' motion on their
    motion there, which what moves otherwise hardly touches.
    """
    counted = np.array([region in COUNTED for region in REGION_OF])
    motion = deviation[:, counted].reshape(len(deviation), -1)
    towards = motion[peak]
    way = motion @ towards / max(float(towards @ towards), 1e-12)
    low = peak
    while low > 0 and way[low - 1] > FOOT:
        low -= 1
    high = peak
    while high < len(way) - 1 and way[high + 1] > FOOT:
        high += 1
    apex = low + int(np.argmax(way[low : high + 1]))
    if high - low < 2:
        return None
    return _crossing(way, low, low - 1), _top(way, apex), _crossing(way, high, high + 1)


def _crossing(way: Array, inside: int, outside: int) -> float:
    """Between two frames, where the foot is crossed."""
    if not 0 <= outside < len(way):
        return float(inside)
    share = (way[inside] - FOOT) / max(way[inside] - way[outside], 1e-12)
    return inside + (outside - inside) * float(np.clip(share, 0, 1))


def _top(way: Array, apex: int) -> float:
    """The top of the parabola through three frames."""
    if not 0 < apex < len(way) - 1:
        return float(apex)
    before, at, after = way[apex - 1 : apex + 2]
    bend = before - 2 * at + after
    return apex + float(np.clip(0.5 * (before - after) / bend, -0.5, 0.5)) if bend < 0 else float(apex)


def _table(found: list[dict[str, float]], motion: Motion) -> pd.DataFrame:
    """The intervals in frame numbers, each motion once."""
    kept: list[dict[str, float]] = []
    for new in sorted(found, key=lambda each: -each["strength"]):
        length = new["offset"] - new["onset"]
        for old in kept:
            common = min(new["offset"], old["offset"]) - max(new["onset"], old["onset"])
            if common > OVERLAP * min(length, old["offset"] - old["onset"]):
                break
        else:
            kept.append(new)
    rows = []
    positions = np.arange(len(motion.numbers))
    for each in sorted(kept, key=lambda each: each["onset"]):
        row: dict[str, object] = {
            name: round(float(np.interp(each[name], positions, motion.numbers))) for name in ("onset", "apex", "offset")
        }
        times = {name: float(np.interp(each[name], positions, motion.times)) for name in ("onset", "apex", "offset")}
        row |= {f"{name}_time": round(time, 4) for name, time in times.items()}
        seconds = times["offset"] - times["onset"]
        row |= {"seconds": round(seconds, 4), "kind": "micro" if seconds <= MICRO_SECONDS else "macro"}
        rows.append(row | {"strength": round(each["strength"], 3)})
    columns = ["onset", "apex", "offset", "onset_time", "apex_time", "offset_time", "seconds", "kind", "strength"]
    return pd.DataFrame(rows, columns=columns)
