"""`mer.spot`: the expressions in a long video."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from mer.datasets.video import Clip, open_clip
from mer.extraction.methods import Method, check_method, method_name
from mer.extraction.settings import FACES, check_face
from mer.face import Alignment, check_detector
from mer.spotting.face_motion import KeyFrame, Motion, follow
from mer.spotting.intervals import THRESHOLD, find_intervals
from mer.utils.atomic_files import write_whole
from mer.utils.progress import Track

if TYPE_CHECKING:
    from matplotlib.axes import Axes

RATE = 30.0  # frames a second that are looked at, at most about; a micro-expression of 0.2 s is six of them
METHOD = "dis"


@dataclass(frozen=True, eq=False)
class Spotting:
    """What was found in a video.

    Attributes
    ----------
    intervals : DataFrame
        One row an expression, in order: `onset, apex, offset` (frame numbers), `onset_time, apex_time, offset_time` and
        `seconds`, `kind` (`micro` up to half a second, else `macro`), `strength` (see `curve`).
    curve : DataFrame
        One row a frame that was looked at: `frame`, `time` in seconds, how far the skin is from where it rests in per
        cent of the interocular distance (`brows, eyes, nose, mouth`, `whole` without the eyes), and `strength`, that
        distance in shares of what else moves the face. NaN where no face was found.
    threshold : float
        The strength from which on a motion counts.
    fps : float
        Frames a second of the video.
    frames : int
        Frames of the video.
    keys : list of KeyFrame
        Where the face was found, in order.
    source : Path
    method : str
        The flow method.
    """

    intervals: pd.DataFrame
    curve: pd.DataFrame
    threshold: float
    fps: float
    frames: int
    keys: list[KeyFrame]
    source: Path
    method: str

    def key_at(self, frame: int) -> KeyFrame:
        """The key frame that a frame belongs to: the last one up to it, or the first."""
        if not self.keys:
            raise ValueError(f"no face was found in {self.source}")
        return self.keys[max(bisect_right([key.number for key in self.keys], frame) - 1, 0)]

    def alignment_at(self, frame: int, size: int = 224) -> Alignment:
        """The transform to an aligned crop that suits a frame; give the onset's to all frames of an interval."""
        return self.key_at(frame).alignment(size)

    def save(self, folder: str | Path) -> Path:
        """Write `intervals.csv`, `curve.csv` and `curve.png` to a folder."""
        folder = Path(folder)
        for name, table in (("intervals", self.intervals), ("curve", self.curve.round(5))):
            with write_whole(folder / f"{name}.csv") as file:
                table.to_csv(file, index=False, lineterminator="\n")
        from matplotlib.figure import Figure

        figure = Figure(figsize=(12, 5), layout="constrained")
        self.plot(figure.subplots())
        with write_whole(folder / "curve.png", "wb") as file:
            figure.savefig(file, dpi=110, format="png")
        return folder

    def plot(self, ax: Axes | None = None) -> Axes:
        """The curve with its intervals, apexes and threshold."""
        from mer.report.figures import plot_spotting

        return plot_spotting(
            self.curve, self.intervals, column="strength", threshold=self.threshold, fps=self.fps, ax=ax
        )


def spot(
    video: str | Path,
    *,
    method: Method = METHOD,
    fps: float | None = None,
    rate: float = RATE,
    face: str = "largest",
    align: str = "mediapipe",
    device: str = "auto",
    track: Track | None = None,
) -> Spotting:
    """Find onset, apex and offset of each expression in a long video.

    The video is read once, as a stream; what is kept grows by some numbers a frame that is looked at.

    Parameters
    ----------
    video : str or Path
        A video file, or a folder of numbered frames.
    method : str or function
        The flow method; a name in :data:`mer.METHODS`, or a function.
    fps : float, optional
        Frames a second, for a folder of frames, and where a file says it wrongly.
    rate : float
        Frames a second to look at: of a faster video, every second, third, ... frame.
    face : {"largest", "left", "right"}
        Which face, where there are several; then it is followed.
    align : {"mediapipe", "mtcnn"}
        Face detector.
    device : str
        `auto`, `cpu` or `cuda`, for methods that are networks.
    track : function, optional
        Wraps the iterator over frames, to show progress.

    Returns
    -------
    Spotting
        Without any interval where nothing was found; where no face was found, without a key frame.

    Raises
    ------
    ValueError
        For a video that cannot be read, a folder of frames without `fps`, or an unknown name.
    FileNotFoundError
    """
    check_detector(align)
    check_method(method)
    check_face(face)
    clip = open_clip(video)
    speed = _fps(clip, fps)
    if not 5 <= rate <= 1000:
        raise ValueError(f"rate is {rate:g} frames a second; expected 5 to 1000, 30 is usual")
    stride = max(1, round(speed / rate))
    numbers = clip.numbers[::stride]
    times = (numbers - clip.numbers[0]) / speed if fps or np.isnan(clip.times).any() else clip.times[::stride]
    motion = follow(clip, numbers, times, speed / stride, method, FACES[face], align, device, track)
    return spotting_of(motion, clip, speed, method_name(method))


def spotting_of(motion: Motion, clip: Clip, fps: float, method: str) -> Spotting:
    """What stands out in a motion that was followed."""
    curve, intervals = find_intervals(motion)
    return Spotting(intervals, curve, THRESHOLD, fps, len(clip), motion.keys, clip.path, method)


def _fps(clip: Clip, given: float | None) -> float:
    speed = clip.fps if given is None else float(given)
    if not np.isfinite(speed):
        raise ValueError(f"{clip.path} does not tell its frames a second; give them, as --fps 200")
    if not 5 <= speed <= 10000:
        raise ValueError(f"{clip.path} has {speed:g} frames a second; expected at least 5, as --fps 30")
    return speed
