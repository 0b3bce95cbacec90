"""`mer.spot`: the expressions in a long video."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from mer.datasets.tables import write_csv
from mer.datasets.video import Clip, damaged_note, open_clip
from mer.extraction.methods import Method, check_method, method_name
from mer.extraction.settings import FACES, check_face
from mer.face import Alignment, check_detector
from mer.spotting.face_motion import KeyFrame, Motion, track_face
from mer.spotting.intervals import THRESHOLD, find_intervals
from mer.utils.atomic_files import write_whole
from mer.utils.progress import Track

if TYPE_CHECKING:
    from matplotlib.axes import Axes

RATE = 30.0  # sampled frames per second, approximately; a micro-expression of 0.2 s has six of them
METHOD = "dis"


@dataclass(frozen=True, eq=False)
class Spotting:
    """The expressions found in a video.

    Attributes
    ----------
    intervals : DataFrame
        One row per expression, in order: `onset, apex, offset` (frame numbers), `onset_time, apex_time, offset_time`
        and `seconds`, `kind` (`micro` up to half a second, else `macro`), `strength` (see `curve`).
    curve : DataFrame
        One row per sampled frame: `frame`; `time` in seconds; the distance of the skin from its resting position in
        percent of the interocular distance (`brows, eyes, nose, mouth`, and `whole` without the eyes); and `strength`,
        the ratio of that distance to other facial motion. NaN if no face was found.
    threshold : float
        The strength above which a motion is an expression.
    fps : float
        Frames per second of the video.
    frames : int
        Number of frames of the video.
    keys : list of KeyFrame
        The frames in which the face was detected, in order.
    source : Path
    method : str
        The flow method.
    notes : list of str
        Damaged frames, frames without a face, and what was changed to show the frames.
    """

    intervals: pd.DataFrame
    curve: pd.DataFrame
    threshold: float
    fps: float
    frames: int
    keys: list[KeyFrame]
    source: Path
    method: str
    notes: list[str] = field(default_factory=list)

    def key_at(self, frame: int) -> KeyFrame:
        """The key frame of a frame: the last one up to it, else the first."""
        if not self.keys:
            raise ValueError(f"no face was found in {self.source}")
        return self.keys[max(bisect_right([key.number for key in self.keys], frame) - 1, 0)]

    def alignment_at(self, frame: int, size: int = 224) -> Alignment:
        """The transform to an aligned crop for a frame; use that of the onset for all frames of an interval."""
        return self.key_at(frame).alignment(size)

    def save(self, folder: str | Path) -> Path:
        """Write `intervals.csv`, `curve.csv` and `curve.png` to a folder."""
        folder = Path(folder)
        for name, table in (("intervals", self.intervals), ("curve", self.curve.round(5))):
            write_table(table, folder / f"{name}.csv")
        from matplotlib.figure import Figure

        figure = Figure(figsize=(12, 5), layout="constrained")
        self.plot(figure.subplots())
        with write_whole(folder / "curve.png", "wb") as file:
            figure.savefig(file, dpi=110, format="png")
        return folder

    def plot(self, ax: Axes | None = None) -> Axes:
        """Plot the curve with its intervals, apexes and threshold."""
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

    The video is read once, as a stream. Memory grows by a few numbers per sampled frame.

    Parameters
    ----------
    video : str or Path
        A video file, or a folder of numbered frames.
    method : str or function
        The flow method; a name in :data:`mer.METHODS`, or a function.
    fps : float, optional
        Frames per second, for a folder of frames, or if the file has a wrong rate.
    rate : float
        Frames per second to sample: of a faster video, every second, third, ... frame.
    face : {"largest", "left", "right"}
        Which face to track if there are several.
    align : {"mediapipe", "mtcnn"}
        Face detector.
    device : str
        `auto`, `cpu` or `cuda`, for methods that are networks.
    track : function, optional
        Wraps the iterator over frames, to show progress.

    Returns
    -------
    Spotting
        Without intervals if nothing was found; without key frames if no face was found.

    Raises
    ------
    ValueError
        If the video cannot be read, a folder of frames has no `fps`, or a name is unknown.
    FileNotFoundError
    """
    check_detector(align)
    check_method(method)
    check_face(face)
    clip = open_clip(video)
    video_fps = _fps(clip, fps)
    if not 5 <= rate <= 1000:
        raise ValueError(f"rate is {rate:g} frames per second; expected 5 to 1000, 30 is usual")
    stride = max(1, round(video_fps / rate))
    numbers = clip.numbers[::stride]
    times = (numbers - clip.numbers[0]) / video_fps if fps or np.isnan(clip.times).any() else clip.times[::stride]
    motion = track_face(clip, numbers, times, video_fps / stride, method, FACES[face], align, device, track)
    curve, intervals = find_intervals(motion)
    return Spotting(
        intervals, curve, THRESHOLD, video_fps, len(clip), motion.keys, clip.path, method_name(method),
        clip.notes + _notes(motion),
    )  # fmt: skip


def _notes(motion: Motion) -> list[str]:
    n, with_face = len(motion.numbers), int(np.isfinite(motion.sites[:, 0, 0]).sum())
    notes = [damaged_note(motion.damaged, n)] if motion.damaged else []
    return notes + ([f"a face was found in {with_face} of {n} frames"] if with_face < n else [])


def _fps(clip: Clip, fps: float | None) -> float:
    """The frames per second of a clip, unless `fps` is given."""
    fps = clip.fps if fps is None else float(fps)
    if not np.isfinite(fps):
        raise ValueError(f"the frame rate of {clip.path} is unknown; pass it, as --fps 200")
    if not 5 <= fps <= 10000:
        raise ValueError(f"{clip.path} has {fps:g} frames per second; expected at least 5, as --fps 30")
    return fps


def write_table(table: pd.DataFrame, path: Path) -> None:
    """Write a CSV atomically."""
    with write_whole(path) as file:
        write_csv(table, file)
