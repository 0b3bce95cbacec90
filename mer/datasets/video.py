"""Reads clips, which are video files or folders of frames, lazily and with exact frame numbers.

Frames of a video file are numbered from 0 in presentation order. Frames in a folder have the last integer in their file
names as their number, as in the annotations of CASME II, SAMM and others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import numpy as np

from mer.datasets.pictures import (
    DIGITS,
    IMAGE_SUFFIXES,
    MAX_PIXELS,
    ClipError,
    Image,
    Pictures,
    frame_files,
    read_image,
)
from mer.datasets.video_file import VIDEO_SUFFIXES, open_video
from mer.utils.atomic_files import write_whole

__all__ = [
    "DIGITS", "IMAGE_SUFFIXES", "MAX_PIXELS", "VIDEO_SUFFIXES", "Clip", "ClipError", "Image", "damaged_note",
    "frame_files", "open_clip", "read_image", "size_change", "write_video",
]  # fmt: skip


@dataclass(frozen=True, eq=False)
class Clip:
    """An open clip; frames are decoded when they are read.

    Frames of a video are shown as players show them: turned and mirrored by the display matrix, and with square pixels.
    Values of 16 bits are reduced to 8, by the same divisor in all frames.

    Attributes
    ----------
    path : Path
    numbers : int64 (n,)
        Frame numbers, ascending; a folder may have gaps.
    times : float64 (n,)
        Seconds since the first frame; NaN if unknown, as for a folder of frames.
    fps : float
        Frames per second, from the timestamps; NaN if unknown.
    notes : list of str
        What was changed to show the frames. Reading frames may add notes.
    """

    path: Path
    numbers: np.ndarray
    times: np.ndarray
    fps: float
    _read: Callable[[Sequence[int]], Iterator[Image | ClipError]]  # ascending positions -> their images
    notes: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.numbers)

    def frames(self, numbers: Iterable[int] | None = None, skip_damaged: bool = False) -> Iterator[tuple[int, Image]]:
        """Yield `(number, image)` of the given frames in ascending order, one at a time; all frames by default.

        With `skip_damaged`, frames that cannot be decoded are left out.

        Raises
        ------
        ClipError
            If a number is not in the clip (raised before decoding), a frame cannot be decoded, or frames differ in
            size.
        """
        wanted = self.numbers if numbers is None else np.unique(np.fromiter(numbers, np.int64))
        positions = np.searchsorted(self.numbers, wanted)
        for number, position in zip(wanted, positions):
            if position == len(self) or self.numbers[position] != number:
                frames = f"its {len(self)} frames are {self.numbers[0]} to {self.numbers[-1]}"
                raise ClipError(f"{self.path} has no frame {number}; {frames}")
        first: tuple[int, tuple[int, ...]] | None = None
        for number, image in zip(wanted.tolist(), self._read(positions.tolist())):
            if isinstance(image, ClipError):
                if skip_damaged:
                    continue
                raise image
            first = first or (number, image.shape)
            if image.shape != first[1]:
                raise ClipError(f"{self.path}: {size_change((first[0], number), (first[1], image.shape))}")
            yield number, image

    def frame(self, number: int) -> Image:
        """The image of one frame: uint8 (H, W, 3), RGB."""
        return next(self.frames([number]))[1]


def open_clip(path: str | Path) -> Clip:
    """Open a video file or a folder of frames.

    Raises
    ------
    FileNotFoundError
        If `path` does not exist.
    ClipError
        If it has no frames, is not a video, or its frames have too many pixels (`MER_MAX_PIXELS`).
    """
    path = Path(path)
    if path.is_dir():
        files = frame_files(path)
        if not files:
            raise ClipError(f"{path} has no pictures with a number in their names")
        pictures = Pictures(list(files.values()))
        unknown = np.full(len(files), np.nan)
        return Clip(path, np.fromiter(files, np.int64), unknown, float("nan"), pictures.read, pictures.notes)
    if not path.exists():
        raise FileNotFoundError(f"{path} does not exist")
    video = open_video(path)
    return Clip(path, np.arange(video.n), video.times, video.fps, video.read, video.notes)


def size_change(numbers: Sequence[int], shapes: Sequence[tuple[int, ...]]) -> str:
    """The message for two frames of different sizes."""
    sizes = " and ".join(f"{width} x {height}" for height, width, *_ in shapes)
    return f"frames {numbers[0]} and {numbers[1]} differ in size: {sizes}"


def damaged_note(damaged: int, frames: int) -> str:
    """The note for frames that were skipped."""
    return f"{damaged} of {frames} frames cannot be decoded and were left out"


def write_video(path: Path, frames: Iterable[np.ndarray], size: int, fps: int) -> None:
    """Write an H.264 video, `frames` being uint8 `(size, size, 3)`, RGB.

    The quality preserves motion below a pixel. One thread makes the bytes reproducible.
    """
    import av

    with write_whole(path, "wb") as file, av.open(file, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=fps)
        stream.width = stream.height = size
        stream.pix_fmt = "yuv420p"
        # With macroblock trees, x264 writes other bytes once in a hundred times, even on one thread.
        stream.options = {"crf": "12", "threads": "1", "x264-params": "mbtree=0"}
        stream.codec_context.time_base = Fraction(1, fps)
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode(None))
