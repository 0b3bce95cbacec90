"""Clips: video files and folders of frames, read lazily and with exact frame numbers.

A video file's frames are numbered from 0 in the order of their presentation. A folder's frames carry the last integer
of their file names, as the annotations of CASME II, SAMM and others count them.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mer.utils.atomic_files import write_whole

if TYPE_CHECKING:
    from av import VideoFrame
    from av.container import InputContainer
    from av.video.stream import VideoStream

IMAGE_SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff"}
# What FFmpeg is asked to open. Anything else in a folder of videos is left alone.
VIDEO_SUFFIXES = {
    ".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".wmv", ".flv", ".mts", ".m2ts", ".ts",
    ".3gp", ".ogv", ".mxf", ".mjpeg", ".mjpg",
}  # fmt: skip

DIGITS = 15  # of a frame's number at most

Image = np.ndarray  # uint8 (H, W, 3), RGB


class ClipError(ValueError):
    """A clip that cannot be read, or a frame that is not in it."""


@dataclass(frozen=True, eq=False)
class Clip:
    """A clip that has been opened, and not yet decoded.

    Attributes
    ----------
    path : Path
    numbers : int64 (n,)
        Frame numbers, ascending. A folder may have gaps.
    times : float64 (n,)
        Seconds from the first frame; NaN where the rate is unknown, as in a folder of frames.
    fps : float
        Frames a second, from the timestamps; NaN where unknown.
    """

    path: Path
    numbers: np.ndarray
    times: np.ndarray
    fps: float
    _read: Callable[[Sequence[int]], Iterator[Image]]  # ascending positions -> their images

    def __len__(self) -> int:
        return len(self.numbers)

    def frames(self, numbers: Iterable[int] | None = None) -> Iterator[tuple[int, Image]]:
        """Yield `(number, image)` in ascending order, one in memory at a time; all frames by default.

        Raises
        ------
        ClipError
            If a number is not in the clip (before anything is decoded), or a frame cannot be decoded.
        """
        wanted = self.numbers if numbers is None else np.unique(np.fromiter(numbers, np.int64))
        positions = np.searchsorted(self.numbers, wanted)
        for number, position in zip(wanted, positions):
            if position == len(self) or self.numbers[position] != number:
                there = f"its {len(self)} frames are {self.numbers[0]} to {self.numbers[-1]}"
                raise ClipError(f"{self.path} has no frame {number}; {there}")
        yield from zip(wanted.tolist(), self._read(positions.tolist()))

    def frame(self, number: int) -> Image:
        """The image of one frame: uint8 (H, W, 3), RGB."""
        return next(self.frames([number]))[1]


def open_clip(path: str | Path) -> Clip:
    """Open a video file or a folder of frames.

    Raises
    ------
    FileNotFoundError
        If there is nothing at `path`.
    ClipError
        If it holds no frames, or is no video.
    """
    path = Path(path)
    if path.is_dir():
        return _open_folder(path)
    if not path.exists():
        raise FileNotFoundError(f"{path} is not there")
    return _open_video(path)


# --- folders of frames ---


def frame_files(folder: Path) -> dict[int, Path]:
    """Frame number -> picture, ascending, for the numbered pictures of a folder; hidden files are left out."""
    files: dict[int, Path] = {}
    for file in sorted(folder.iterdir()):
        numbers = re.findall(r"\d+", file.stem)
        if file.suffix.lower() not in IMAGE_SUFFIXES or file.name.startswith(".") or not numbers:
            continue
        if len(numbers[-1]) > DIGITS:
            raise ClipError(
                f"{folder}: {file.name} ends with a number of {len(numbers[-1])} digits, which is no frame's"
            )
        number = int(numbers[-1])
        if number in files:
            raise ClipError(
                f"{folder}: {files[number].name} and {file.name} are both frame {number}; remove one of them"
            )
        files[number] = file
    return dict(sorted(files.items()))


def _open_folder(folder: Path) -> Clip:
    files = frame_files(folder)
    if not files:
        raise ClipError(f"{folder} holds no pictures with a number in their names")
    numbers = np.fromiter(files, np.int64)
    unknown = np.full(len(files), np.nan)
    return Clip(folder, numbers, unknown, float("nan"), partial(_read_pictures, list(files.values())))


def _read_pictures(files: list[Path], positions: Sequence[int]) -> Iterator[Image]:
    return (read_image(files[position]) for position in positions)


def read_image(file: str | Path) -> Image:
    """A picture as uint8 (H, W, 3), RGB: grey is repeated, transparency dropped, the camera's rotation applied."""
    import cv2

    data = np.fromfile(file, np.uint8)  # cv2.imread cannot open every name on Windows
    image = cv2.imdecode(data, cv2.IMREAD_COLOR) if data.size else None
    if image is None:
        raise ClipError(f"{file} is not a readable picture")
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


# --- video files ---


def _open(path: Path) -> InputContainer:
    """A title that is no UTF-8 is no reason to refuse a video. PyAV 19 never refuses, and doesn't take the option."""
    import av

    replace = {"metadata_errors": "replace"} if int(av.__version__.split(".")[0]) < 19 else {}
    return av.open(str(path), **replace)  # type: ignore[call-overload]


def _open_video(path: Path) -> Clip:
    """Index the packets, without decoding: their timestamps are the frames', and key frames are where to start."""
    import av

    try:
        with _open(path) as container:
            if not container.streams.video:
                raise ClipError(f"{path} has no video in it")
            stream = container.streams.video[0]
            if stream.codec_context is None:
                raise ClipError(f"{path}: this FFmpeg has no decoder for its video")
            packets = [(p.pts, p.is_keyframe) for p in container.demux(stream) if p.size and not p.is_discard]
            seconds_per_tick = float(stream.time_base or 0)
            nominal_fps = float(stream.average_rate or 0)
    except (av.error.FFmpegError, OSError) as error:
        raise ClipError(f"{path} is not a readable video ({error.strerror or error})") from error
    if not packets:
        raise ClipError(f"{path} has no frames in it")
    if any(pts is None for pts, _ in packets) or len({pts for pts, _ in packets}) < len(packets):
        return _open_without_timestamps(path, nominal_fps)
    packets.sort()
    ticks = [int(pts or 0) for pts, _ in packets]
    keys = [position for position, (_, key) in enumerate(packets) if key]
    times = (np.array(ticks) - ticks[0]) * seconds_per_tick
    fps = (len(times) - 1) / times[-1] if len(times) > 1 and times[-1] > 0 else nominal_fps or float("nan")
    return Clip(path, np.arange(len(ticks)), times, round(fps, 6), partial(_read_video, path, ticks, keys))


def _in_words(read: Callable[..., Iterator[Image]]) -> Callable[..., Iterator[Image]]:
    """A reader of frames whose errors are all `ClipError`: damaged files can fail in any part of FFmpeg."""

    def reading(path: Path, *rest: Any) -> Iterator[Image]:
        import av

        try:
            yield from read(path, *rest)
        except (av.error.FFmpegError, OverflowError, IndexError) as error:
            raise ClipError(f"{path} cannot be decoded ({error})") from error

    return reading


@_in_words
def _read_video(path: Path, ticks: list[int], keys: list[int], positions: Sequence[int]) -> Iterator[Image]:
    """Decode on from the frame before, or from the last key frame before the wanted one where that is nearer."""
    frames: Iterator[VideoFrame] = iter(())
    at = -1  # the position that was decoded last
    for position in positions:
        key = keys[max(bisect_right(keys, position) - 1, 0)] if keys else 0
        if at < 0 or key > at:
            frames = _frames_from(path, ticks[min(key, position)])
        frame = next((f for f in frames if f.pts is not None and f.pts >= ticks[position]), None)
        if frame is None or frame.pts != ticks[position]:
            raise ClipError(f"{path}: frame {position} cannot be decoded; the file is damaged there")
        at = position
        yield _upright_rgb(frame)


def _frames_from(path: Path, tick: int) -> Iterator[VideoFrame]:
    """Frames from the one at `tick`, or an earlier one, on."""

    with _open(path) as container:
        stream = container.streams.video[0]
        container.seek(tick, stream=stream, backward=True)
        frames = _decode(container, stream)
        first = next(frames, None)
        if first is not None and first.pts is not None and first.pts <= tick:
            yield first
            yield from frames
            return
    with _open(path) as container:  # without an index (MPEG-PS) the seek may land too late: from the start, then
        yield from _decode(container, container.streams.video[0])


def _decode(container: InputContainer, stream: VideoStream) -> Iterator[VideoFrame]:
    import av

    stream.codec_context.thread_count = 1  # one clip a process; more threads would only compete
    for packet in container.demux(stream):
        try:
            yield from packet.decode()
        except av.error.FFmpegError:
            continue  # a damaged packet: the frames that it held are missed by their timestamps, the others are fine


def _open_without_timestamps(path: Path, fps: float) -> Clip:
    """A raw stream, or an old container, that gives no usable timestamps: frames are counted by decoding them."""
    import av

    try:
        with _open(path) as container:
            n = sum(1 for _ in _decode(container, container.streams.video[0]))
    except av.error.FFmpegError as error:
        raise ClipError(f"{path} cannot be decoded ({error})") from error
    if not n:
        raise ClipError(f"{path} has no frames that can be decoded")
    return Clip(path, np.arange(n), np.arange(n) / (fps or np.nan), fps or float("nan"), partial(_read_in_order, path))


@_in_words
def _read_in_order(path: Path, positions: Sequence[int]) -> Iterator[Image]:

    wanted = set(positions)
    with _open(path) as container:
        for position, frame in enumerate(_decode(container, container.streams.video[0])):
            if position in wanted:
                yield _upright_rgb(frame)
            if position == positions[-1]:
                return


def _upright_rgb(frame: VideoFrame) -> Image:
    """The frame as RGB, turned as its display matrix says: phones record sideways and let the player turn."""
    image = frame.to_ndarray(format="rgb24")
    quarter_turns = round(frame.rotation / 90) % 4  # counter-clockwise, as numpy turns
    return np.ascontiguousarray(np.rot90(image, quarter_turns)) if quarter_turns else image


def write_video(path: Path, frames: Iterable[np.ndarray], size: int, fps: int) -> None:
    """H.264 at a quality that keeps motions below a pixel; one thread, so that the bytes are the same every time."""
    import av

    with write_whole(path, "wb") as file, av.open(file, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=fps)
        stream.width = stream.height = size
        stream.pix_fmt = "yuv420p"
        # Macroblock trees make x264 give other bytes once in a hundred times, even on one thread.
        stream.options = {"crf": "12", "threads": "1", "x264-params": "mbtree=0"}
        stream.codec_context.time_base = Fraction(1, fps)
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode(None))
